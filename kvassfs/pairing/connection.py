"""The way to the mailboxes of a hub, opened where it is needed. requests takes long to load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from ..store import Store
from .calls import OwnOffice, Remote
from .messages import MAX_JOIN, MAX_PAIR


@contextmanager
def open_hub_of(store: Store) -> Iterator[Remote]:
    """``with`` the hub of a store, or the store's own mailboxes where it has none.

    Raises:
        InvalidConfiguration: the remote is no address.
    """
    address = store.settings.config().remote
    if not address:
        yield OwnOffice(store)
        return
    from ..remote.http import HttpRemote, TimeLimits  # noqa: PLC0415

    with closing(HttpRemote(address, TimeLimits(*store.settings.timeouts()), largest=MAX_PAIR)) as remote:
        yield remote


@contextmanager
def open_hub_at(address: str) -> Iterator[Remote]:
    """``with`` the hub at an address, which is that of a stranger.

    Raises:
        InvalidConfiguration: it is no address.
    """
    from ..remote.http import HttpRemote  # noqa: PLC0415

    with closing(HttpRemote(address, largest=MAX_JOIN)) as remote:
        yield remote
