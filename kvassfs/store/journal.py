"""The journal: changes for the feed that no entry tells."""

from __future__ import annotations

from .database import Database

KEPT_CHANGES = 1000
"""Local changes that are kept for other mounts of the same store."""


class Journal:
    """Notes the changes that entries do not tell. ``writer`` tells the changes of this open store from others'."""

    def __init__(self, database: Database, writer: int) -> None:
        self._database = database
        self._writer = writer

    def note(self, key: str) -> None:
        """Note a change of a file's attributes, a scratch file, or (its prefix) a directory."""
        cursor = self._database.execute("INSERT INTO local_changes (key, writer) VALUES (?, ?)", (key, self._writer))
        number = cursor.lastrowid or 0
        if number % KEPT_CHANGES == 0:
            self._database.execute("DELETE FROM local_changes WHERE id <= ?", (number - KEPT_CHANGES,))
