"""Revisions: values that were overwritten, deleted or lost a merge.

Every method that writes belongs inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..entry import Entry
from .contents import Contents
from .database import Database
from .rows import Row

ROW_SIZE = 512
"""Bytes that a revision takes beside its value, about: a row and its places in three indexes."""
_ENTRY = ", ".join(Entry._fields)


class Revision(NamedTuple):
    """An earlier version of a key, and when this replica replaced it (µs since the epoch)."""

    id: int
    entry: Entry
    content: int
    replaced: int


class Revisions:
    """Keeps and forgets revisions. ``clock`` returns ns since the epoch."""

    def __init__(self, database: Database, contents: Contents, clock: Callable[[], int]) -> None:
        self._database = database
        self._contents = contents
        self._clock = clock

    def of(self, key: str) -> list[Revision]:
        """Return the revisions of a key, newest first."""
        return [
            Revision(row[0], Entry(*row[1:9]), row[9], row[10])
            for row in self._database.rows(
                f"SELECT id, {_ENTRY}, content, replaced FROM revisions WHERE key = ? ORDER BY id DESC",
                (key,),
            )
        ]

    def retire(self, row: Row, now: int) -> None:
        """Make a replaced version a revision; an empty one holds nothing to keep."""
        if row.content is not None:
            self.add(row.entry, row.content, now)

    def add(self, entry: Entry, content: int, now: int) -> None:
        """Keep a version that is not the current one, and let go of the oldest where there are too many."""
        self._database.execute(
            f"INSERT INTO revisions ({_ENTRY}, content, replaced) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*entry, content, now),
        )
        for number, old in self._database.rows(
            "SELECT id, content FROM revisions WHERE key = ? ORDER BY id DESC LIMIT -1 OFFSET ?",
            (entry.key, self._contents.sizes.revisions),
        ):
            self._forget(number, old)

    def has(self, entry: Entry) -> bool:
        """Return True if the value of ``entry`` is kept as a revision of its key."""
        return bool(
            self._database.row(
                "SELECT EXISTS (SELECT 1 FROM revisions WHERE key = ? AND url_token = ? AND size = ?)",
                (entry.key, entry.url_token, entry.size),
            )[0]
        )

    def forget_since(self, key: str, replaced: int) -> None:
        """Forget the revisions of a key that were replaced at ``replaced`` (µs) or later."""
        for number, content in self._database.rows(
            "SELECT id, content FROM revisions WHERE key = ? AND replaced >= ?", (key, replaced)
        ):
            self._forget(number, content)

    def _forget(self, revision: int, content: int) -> None:
        self._database.execute("DELETE FROM revisions WHERE id = ?", (revision,))
        self._contents.drop(content)

    def forget_oldest(self, size: int, limit: int) -> int:
        """Forget the oldest revisions of all keys, ``limit`` at most, that take ``size`` bytes; return how many they took."""
        gone = 0
        for number, content, length in self._database.rows(
            "SELECT id, content, size FROM revisions ORDER BY replaced LIMIT ?", (limit,)
        ):
            if gone < size:
                self._forget(number, content)
                gone += length + ROW_SIZE
        return gone

    def has_expired(self) -> bool:
        """Return True if ``expire`` has something to forget."""
        before = self._clock() // 1000 - self._contents.sizes.kept_time
        return bool(self._database.row("SELECT EXISTS (SELECT 1 FROM revisions WHERE replaced < ?)", (before,))[0])

    def expire(self, limit: int) -> bool:
        """Forget at most ``limit`` revisions that are too old; return whether more may be left."""
        before = self._clock() // 1000 - self._contents.sizes.kept_time
        rows = self._database.rows("SELECT id, content FROM revisions WHERE replaced < ? LIMIT ?", (before, limit))
        for number, content in rows:
            self._forget(number, content)
        return len(rows) == limit
