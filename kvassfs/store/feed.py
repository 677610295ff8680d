"""The feed of changes: what other open stores have written, for a mount to tell the kernel."""

from __future__ import annotations

from typing import NamedTuple

from .database import Database

KEPT_CHANGES = 1000
"""Local changes that are kept for other mounts of the same store."""


_NEWEST = "(SELECT ifnull(max(sequence), 0) FROM entries), (SELECT ifnull(max(id), 0) FROM local_changes)"
_ANY_OTHERS = (
    "EXISTS (SELECT 1 FROM entries WHERE sequence > ? AND writer <> ?)"
    " OR EXISTS (SELECT 1 FROM local_changes WHERE id > ? AND writer <> ?)"
)


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


class Position(NamedTuple):
    """How far a reader of the feed has come: a sequence of the entries, and a number of the local changes."""

    sequence: int
    change: int


class Changes(NamedTuple):
    """What has changed up to ``position``.

    ``keys`` are those of entries and other files. ``prefixes`` are those of directories; a local change of a name that
    ends in ``/`` may be of either, and is in both.
    """

    keys: list[str]
    prefixes: list[str]
    position: Position


class Feed:
    """Reads what was written, by whatever process. ``writer`` is the mark of this open store's own changes."""

    def __init__(self, database: Database, writer: int) -> None:
        self._database = database
        self.writer = writer

    def position(self) -> Position:
        """Return the position of the newest change."""
        return Position._make(self._database.only_row(f"SELECT {_NEWEST}"))

    def since(self, position: Position, *, but_by: int) -> Changes:
        """Return what has changed after ``position``, but for the changes that the open store ``but_by`` made.

        Where all are its own, as mostly after saves in a mount, that takes a single statement.
        """
        since = (position.sequence, but_by, position.change, but_by)
        sequence, change, any_others = self._database.only_row(f"SELECT {_NEWEST}, {_ANY_OTHERS}", since)
        if not any_others:
            return Changes([], [], Position(sequence, change))
        with self._database.snapshot():
            now = self.position()
            entries = self._database.rows(
                "SELECT key FROM entries WHERE sequence > ? AND writer <> ? ORDER BY sequence",
                (position.sequence, but_by),
            )
            changes = self._database.rows(
                "SELECT key FROM local_changes WHERE id > ? AND writer <> ? ORDER BY id", (position.change, but_by)
            )
        noted = [key for (key,) in changes]
        return Changes([key for (key,) in entries] + noted, [key for key in noted if key.endswith("/")], now)
