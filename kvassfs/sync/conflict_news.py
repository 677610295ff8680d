"""Conflicts are told as they are found, by whatever process, each once."""

from __future__ import annotations

from collections.abc import Callable

from ..conflict import describe_conflict
from ..store import Store


class ConflictNews:
    """Calls ``say`` with a line for each conflict that is found after the clock of the replica said ``clock``."""

    def __init__(self, clock: int, say: Callable[[str], None]) -> None:
        self._told = clock
        self._say = say

    def tell(self, store: Store) -> None:
        """Say what was found since the last time."""
        found = store.conflicts.found_since(self._told)
        names = store.settings.names() if found else {}
        for conflict in found:
            self._told = conflict.met
            self._say(describe_conflict(conflict, names))
