"""What the hub of a sealed store has that was not taken is told as it comes, each entry once."""

from __future__ import annotations

from collections.abc import Callable

from ..store import Store

MOST_TOLD = 10
"""Entries that are told in full at a time: a hub could make up any number."""

MOST_KEPT = 1000
"""Entries of which is remembered that they were told."""


class RefusedNews:
    """Calls ``say`` with a line for each entry that was not taken from now on; again only where the reason is another one."""

    def __init__(self, store: Store, say: Callable[[str], None]) -> None:
        self._looked = max((refused.time for refused in store.sealed.refused()), default=0)
        self._say = say
        self._told: dict[str, str] = {}

    def tell(self, store: Store) -> None:
        """Say what was not taken since the last time."""
        found = store.sealed.refused_since(self._looked)
        if not found:
            return
        self._looked = found[0].time
        new = [refused for refused in found if self._told.get(refused.name) != refused.reason]
        for name, reason, _ in new[:MOST_TOLD]:
            self._say(describe_refused(name, reason))
        if len(new) > MOST_TOLD:
            self._say(describe_more_refused(len(new) - MOST_TOLD))
        self._told |= {refused.name: refused.reason for refused in new}
        self._told = dict(list(self._told.items())[-MOST_KEPT:])


def describe_refused(name: str, reason: str) -> str:
    """Return what is said of an entry that was not taken; a hub can call it anything."""
    return f"not taken from the hub, {name if name.isprintable() else repr(name)}: {reason}"


def describe_more_refused(count: int) -> str:
    """Return what is said of those that are not told in full."""
    return f"not taken from the hub, {count:,} more: `kvass status` lists the latest"
