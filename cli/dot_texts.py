"""The texts in the dot directory of a mount, ``.kvass/``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kvassfs.conflict import describe_conflict
from kvassfs.status import inspect
from kvassfs.store import Store

from .notices import escape_controls
from .status_text import format_status


def describe_status(store: Store) -> str:
    """Return what ``kvass status --offline`` prints: nothing in a mount waits for the network."""
    return format_status(inspect(store, offline=True))


def describe_conflicts(store: Store) -> str:
    """Return a line for each conflict that nobody has settled."""
    names = store.settings.names()
    return "".join(f"{escape_controls(describe_conflict(conflict, names))}\n" for conflict in store.conflicts.open())


TEXTS: Mapping[str, Callable[[Store], str]] = {"status": describe_status, "conflicts": describe_conflicts}
"""What returns the text of each file, by its name."""
