"""The hub in commands: they pull first and push afterwards, and go on without it where it is out of reach."""

from __future__ import annotations

from collections.abc import Callable

from kvassfs.clocks import describe_ahead, describe_difference
from kvassfs.errors import HubUnreachable, KvassError

from .notices import explain_interrupt, print_notice

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import TypeVar

    from kvassfs.entry import Entry
    from kvassfs.store import Store
    from kvassfs.sync import Synchroniser

    from .database import DatabaseFile
    from .occasions import Occasion

    Result = TypeVar("Result")

SHOWN = "showing what is stored here"
KEPT = "kept here and pushed later"


def pull_first(store: Store, *, offline: bool) -> None:
    """Pull from the hub, unless a process that is in touch with it does so all the time.

    A failure costs a warning: the command goes on with what is stored here.
    """
    warn(store, pull(store, offline=offline), SHOWN)


def push_after(store: Store, *, offline: bool) -> None:
    """Push what waits for the hub, if anything does. A failure costs a warning."""
    warn(store, push(store, offline=offline), KEPT)


def pull_and_push(store: Store, work: Callable[[], Result], *, offline: bool, otherwise: str) -> Result:
    """Return what ``work`` returns, which needs what the hub has and that the hub gets what it changes.

    One warning says of both what failed; it ends with ``otherwise`` where something waits for the hub, and is then given
    each time.
    """
    failure = pull(store, offline=offline)
    try:
        result = work()
    except KvassError:
        warn(store, failure, SHOWN)
        raise
    waiting = store.outbox.has_ready()
    failure = failure or push(store, offline=offline)
    warn(store, failure, otherwise if waiting else SHOWN, always=waiting)
    return result


def warn(store: Store, failure: KvassError | None, consequence: str, *, always: bool = False) -> None:
    """Warn of a failure and its ``consequence``; that the hub is out of reach is said ``always`` or once in a while."""
    if isinstance(failure, HubUnreachable):
        if _offline(store).take() or always:
            print_notice(f"warning: {failure.summary}; {consequence}")
    elif failure is not None:
        print_notice(f"warning: {failure}; {consequence}")


def check(database: DatabaseFile, *, offline: bool) -> None:
    """Ask the hub whether it exchanges with this store, for a mount, which works without it; if not, warn."""
    try:
        with database.open_existing() as store:
            if _has_hub(store, offline) and not store.obstacle:
                failure = _attempt(store, lambda synchroniser: synchroniser.probe())
                warn(store, failure, "what is saved is kept here and pushed later")
    except KvassError as error:
        print_notice(f"warning: {error}")


def pull(store: Store, *, offline: bool) -> KvassError | None:
    """Do what ``pull_first`` does; return the failure."""
    if not _has_hub(store, offline) or store.processes.is_in_touch():
        return None
    if store.obstacle:
        warn_of_obstacle(store)
        return None
    return _attempt(store, lambda synchroniser: synchroniser.pull())


def push(store: Store, *, offline: bool) -> KvassError | None:
    """Do what ``push_after`` does; return the failure."""
    if store.obstacle or not _has_hub(store, offline) or not store.outbox.has_ready():
        return None
    with explain_interrupt(lambda: f"what the hub does not have yet is {KEPT}"):
        failure = _attempt(store, lambda synchroniser: _push(store, synchroniser))
    warn_of_clock(store)
    return failure


def warn_of_obstacle(store: Store) -> None:
    """Say once in a while that what others have changed does not come to a store that can only be read."""
    if _find_occasion(store, "read-only").take():
        print_notice(f"warning: the hub is not asked, as {store.path} can only be read: {store.obstacle}; {SHOWN}")


def warn_of_clock(store: Store) -> None:
    """Say so where the clock of this machine is not that of the hub, as far as that is known."""
    warning = describe_difference(store.hub_time.difference())
    if warning is not None:
        print_notice(f"warning: {warning}")


def warn_if_ahead(store: Store, entry: Entry) -> None:
    """Say so where a version beats all that others write for some time to come."""
    warning = describe_ahead(entry.key, entry.timestamp, store.hub_time.now())
    if warning is not None:
        print_notice(f"warning: {warning}")


def _push(store: Store, synchroniser: Synchroniser) -> None:
    written = store.settings.config().clock
    if not synchroniser.push() and store.outbox.has_ready(written):
        print_notice("warning: another process is still pushing; what was changed is kept here and pushed after that")


def _has_hub(store: Store, offline: bool) -> bool:
    return not offline and store.has_hub()


def _attempt(store: Store, work: Callable[[Synchroniser], object]) -> KvassError | None:
    try:
        from kvassfs.sync.connection import open_synchroniser

        from .progress import show_exchange

        with show_exchange() as report, open_synchroniser(store, report) as synchroniser:
            work(synchroniser)
            tell_port(store, synchroniser)
    except KvassError as error:
        return error
    _offline(store).forget()
    return None


def tell_port(store: Store, synchroniser: Synchroniser) -> None:
    """Say once in a while that the hub was found at another port than that of its address."""
    from kvassfs.remote.address import show_address

    configured, found = show_address(store.settings.config().remote), synchroniser.address
    if found != configured and _find_occasion(store, "port").take():
        print_notice(
            f"warning: nobody answers at {configured}, but a hub does at {found}; name that in `kvass config remote`"
        )


def _offline(store: Store) -> Occasion:
    return _find_occasion(store, "offline")


def _find_occasion(store: Store, what: str) -> Occasion:
    from .occasions import Occasion  # mostly there is nothing to say

    return Occasion(store.path, what)
