"""The way from a store to its hub, opened where it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from ..errors import InvalidConfiguration
from ..store import Store
from .hub_client import Progress
from .synchroniser import Synchroniser


@contextmanager
def open_synchroniser(
    store: Store,
    report: Callable[[Progress], None] = lambda _: None,
    *,
    longest: float = float("inf"),
    patient: bool = False,
) -> Iterator[Synchroniser]:
    """``with`` what exchanges with the hub of ``store``; ``report`` is told what has moved after every message.

    Where the hub does not respond it is waited for as the settings say, but no longer than ``longest`` seconds; and unless it
    is ``patient``, for a command that a person waits for, all together takes no longer than that allows.

    A store that turns out to be a copy becomes a replica of its own first. It takes a tenth of a second to load, so call
    it where there is something to do.

    Raises:
        InvalidConfiguration: no hub is set.
    """
    address = hub_address(store)
    from ..remote.http import HttpRemote, TimeLimits  # noqa: PLC0415  requests takes long to load

    store.identity.detach_copy()
    limits = TimeLimits(*(min(seconds, longest) for seconds in store.settings.timeouts()))
    with closing(HttpRemote(address, limits if patient else limits.for_person())) as remote:
        yield Synchroniser(store, remote, report=report, ahead=True)


def hub_address(store: Store) -> str:
    """Return the address of the hub.

    Raises:
        InvalidConfiguration: none is set.
    """
    if address := store.settings.config().remote:
        return address
    raise InvalidConfiguration("there is no hub; set one with `kvass config remote HOST`")
