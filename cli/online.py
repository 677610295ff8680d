"""What commands do with the hub: they look there first and push afterwards, and do without it if need be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from kvassfs.errors import InvalidConfiguration, KvassError

from .report import notice

if TYPE_CHECKING:
    from kvassfs.store import Store
    from kvassfs.sync import Moved, Synchroniser

VARIABLE = "KVASS_OFFLINE"

offline_option = click.option("--offline", is_flag=True, envvar=VARIABLE, help="do not contact the hub")
"""The option of commands that contact the hub by themselves; ``KVASS_OFFLINE=1`` sets it for all of them."""


def pull_first(store: Store, *, offline: bool) -> None:
    """Take in what the hub has, unless a process that is in touch with it does so all the time.

    What fails costs a warning: the command goes on with what is stored here.
    """
    if _has_hub(store, offline) and not store.contacts.in_touch():
        _attempt(store, lambda hub: hub.pull(), "showing what is stored here")


def push_after(store: Store, *, offline: bool, otherwise: str = "it is kept here and pushed later") -> None:
    """Push what waits for it, if anything does. What fails costs a warning, which says what is the case ``otherwise``."""
    if _has_hub(store, offline) and store.exchange.anything_waits():
        _attempt(store, lambda hub: _push(store, hub), otherwise)


def _push(store: Store, hub: Synchroniser) -> None:
    written = store.config().clock
    if not hub.push() and store.exchange.anything_waits(written):
        notice("warning: another process is still pushing; what was changed is kept here and pushed after that")


def _has_hub(store: Store, offline: bool) -> bool:
    return not offline and bool(store.config().remote)


def _attempt(store: Store, work: Callable[[Synchroniser], object], otherwise: str) -> None:
    try:
        with synchroniser(store) as hub:
            work(hub)
    except KvassError as error:
        notice(f"warning: {error}; {otherwise}")


@contextmanager
def synchroniser(store: Store, watch: Callable[[Moved], None] = lambda _: None) -> Iterator[Synchroniser]:
    """``with`` what exchanges with the hub of ``store``; ``watch`` is told how far it is.

    It takes a tenth of a second to load, so call it where there is something to do.

    Raises:
        InvalidConfiguration: no hub is set.
    """
    address = hub_address(store)
    from kvassfs.remote.http import HttpRemote, Limits
    from kvassfs.sync import Synchroniser

    with closing(HttpRemote(address, Limits(*store.timeouts()))) as remote:
        yield Synchroniser(store, remote, watch=watch, ahead=True)


def hub_address(store: Store) -> str:
    """Return the address of the hub.

    Raises:
        InvalidConfiguration: none is set.
    """
    if address := store.config().remote:
        return address
    raise InvalidConfiguration("there is no hub; set one with `kvass config remote HOST`")
