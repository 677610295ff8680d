"""Getting a key, without click: ``start`` and ``kvass get`` both do it."""

from __future__ import annotations

from . import hub, streams
from .notices import explain_interrupt

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from kvassfs.store import Snapshot, Store


def get_key(store: Store, key: str, *, offline: bool) -> None:
    """Write the value of a key to standard output, which is no terminal, with what the hub has of it."""
    hub.pull_first(store, offline=offline)
    value = store.get(key)
    with explain_interrupt(lambda: f"{key} is not written to its end"):
        write_elsewhere(value)


def write_elsewhere(value: Snapshot) -> None:
    """Write a value elsewhere than to the terminal; if there is one, show on that how far it is."""
    if not streams.errors_are_terminal():
        streams.write(value.chunks())
        return
    from .progress import follow_pieces

    streams.write(follow_pieces(value.chunks(), value.size))
