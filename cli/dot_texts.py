"""The texts in the dot directory of a mount, ``.kvass/``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kvassfs.status import inspect
from kvassfs.store import Store

from .status_text import format_status


def describe_status(store: Store) -> str:
    """Return what ``kvass status --offline`` prints: nothing in a mount waits for the network."""
    return format_status(inspect(store, offline=True))


def describe_conflicts(_store: Store) -> str:
    """Return a line for each conflict that nobody has settled; a store notes none yet."""
    return ""


TEXTS: Mapping[str, Callable[[Store], str]] = {"status": describe_status, "conflicts": describe_conflicts}
"""What returns the text of each file, by its name."""
