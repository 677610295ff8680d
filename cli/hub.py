"""The hub in commands: they pull first and push afterwards, and go on without it where it is out of reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from kvassfs.clocks import describe_difference
from kvassfs.errors import KvassError

from .notices import print_notice

if TYPE_CHECKING:
    from kvassfs.store import Store
    from kvassfs.sync import Synchroniser

VARIABLE = "KVASS_OFFLINE"

offline_option = click.option("--offline", is_flag=True, envvar=VARIABLE, help="do not contact the hub")
"""The option of commands that contact the hub by themselves; ``KVASS_OFFLINE=1`` sets it for all of them."""


def pull_first(store: Store, *, offline: bool) -> None:
    """Pull from the hub, unless a process that is in touch with it does so all the time.

    A failure costs a warning: the command goes on with what is stored here.
    """
    if _has_hub(store, offline) and not store.processes.is_in_touch():
        _attempt(store, lambda synchroniser: synchroniser.pull(), "showing what is stored here")


def push_after(store: Store, *, offline: bool, otherwise: str = "it is kept here and pushed later") -> None:
    """Push what waits for the hub, if anything does. A failure costs a warning, which ends with ``otherwise``."""
    if _has_hub(store, offline) and store.outbox.has_ready():
        _attempt(store, lambda synchroniser: _push(store, synchroniser), otherwise)
        warn_of_clock(store)


def warn_of_clock(store: Store) -> None:
    """Say so where the clock of this machine is not that of the hub, as far as that is known."""
    warning = describe_difference(store.peers.hub_time.difference())
    if warning is not None:
        print_notice(f"warning: {warning}")


def _push(store: Store, synchroniser: Synchroniser) -> None:
    written = store.settings.config().clock
    if not synchroniser.push() and store.outbox.has_ready(written):
        print_notice("warning: another process is still pushing; what was changed is kept here and pushed after that")


def _has_hub(store: Store, offline: bool) -> bool:
    return not offline and bool(store.settings.config().remote)


def _attempt(store: Store, work: Callable[[Synchroniser], object], otherwise: str) -> None:
    try:
        from kvassfs.sync.connection import open_synchroniser

        with open_synchroniser(store) as synchroniser:
            work(synchroniser)
    except KvassError as error:
        print_notice(f"warning: {error}; {otherwise}")
