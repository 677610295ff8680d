"""The journal: changes for the feed that no entry tells."""

from __future__ import annotations

from collections.abc import Sequence

from .database import Database

KEPT_CHANGES = 1000
"""Local changes that are kept for other mounts of the same store."""

_NOTE = "INSERT INTO local_changes (key, writer) VALUES (?, ?)"


class Journal:
    """Notes the changes that entries do not tell. ``writer`` tells the changes of this open store from others'."""

    def __init__(self, database: Database, writer: int) -> None:
        self._database = database
        self._writer = writer

    def note(self, key: str) -> None:
        """Note a change of a file's attributes, a scratch file, or (its prefix) a directory."""
        number = self._database.execute(_NOTE, (key, self._writer)).lastrowid or 0
        if number % KEPT_CHANGES == 0:
            self._trim(number)

    def note_all(self, keys: Sequence[str]) -> None:
        """Note the changes of several keys, in this order."""
        if keys:
            self._database.execute_many(_NOTE, [(key, self._writer) for key in keys])
            self._trim(self._database.only_row("SELECT max(id) FROM local_changes")[0])

    def _trim(self, last: int) -> None:
        """Forget the oldest changes, up to a number that depends on that of the last one alone."""
        limit = last - last % KEPT_CHANGES - KEPT_CHANGES
        self._database.execute("DELETE FROM local_changes WHERE id <= ?", (limit,))
