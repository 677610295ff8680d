"""Revisions: values that were overwritten, deleted or lost a merge.

Every method that writes belongs inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from ..entry import Entry
from .contents import Contents
from .database import Database
from .rows import Row
from .setting_rows import read_history
from .sizes import DAY

ROW_SIZE = 512
"""Bytes that a revision takes beside its value, about: a row and its places in three indexes."""
_ENTRY = ", ".join(Entry._fields)


class Became(IntEnum):
    """What became of a version that is not the current one."""

    REPLACED = 0
    REMOVED = 1
    LOST = 2
    """It arrived, and lost to the version that was here."""


class Revision(NamedTuple):
    """An earlier version of a key.

    ``number`` names it among those of its key. ``sequence`` is this replica's clock when it got the version, 0 where that
    is not known; ``replaced`` is when it was replaced here (µs since the epoch).
    """

    id: int
    entry: Entry
    content: int
    replaced: int
    number: int
    sequence: int
    became: Became


REVISION = f"id, {_ENTRY}, content, replaced, number, sequence, became"


def revision_of(row: tuple[Any, ...]) -> Revision:
    """Return the revision of a row with the columns ``REVISION``."""
    number, *rest = row
    *entry, content, replaced, name, sequence, became = rest
    return Revision(number, Entry(*entry), content, replaced, name, sequence, Became(became))


class Revisions:
    """Keeps and forgets revisions. ``clock`` returns ns since the epoch."""

    def __init__(self, database: Database, contents: Contents, clock: Callable[[], int]) -> None:
        self._database = database
        self._contents = contents
        self._clock = clock

    def of(self, key: str) -> list[Revision]:
        """Return the revisions of a key, newest first."""
        return [
            revision_of(row)
            for row in self._database.rows(f"SELECT {REVISION} FROM revisions WHERE key = ? ORDER BY id DESC", (key,))
        ]

    def retire(self, row: Row, now: int, became: Became) -> None:
        """Make a replaced version a revision; an empty one holds nothing to keep."""
        if row.content is not None:
            self.add(row.entry, row.content, now, row.sequence, became)

    def add(self, entry: Entry, content: int, now: int, sequence: int, became: Became) -> None:
        """Keep a version that is not the current one, and let go of the oldest where there are too many."""
        count, _ = self.limits()
        number = self.next_number(entry.key)
        self._database.execute(
            f"INSERT INTO revisions ({_ENTRY}, content, replaced, number, sequence, became)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*entry, content, now, number, sequence, became),
        )
        if number > count:
            self.forget_beyond(entry.key, count)

    def next_number(self, key: str) -> int:
        """Return the number that the current version of a key has, and keeps as a revision."""
        last = self._database.row("SELECT number FROM revisions WHERE key = ? ORDER BY id DESC LIMIT 1", (key,))
        return 1 if last is None else int(last[0]) + 1

    def limits(self) -> tuple[int, int]:
        """Return how many revisions are kept of each key, and for how many µs: as the user wants, else ``sizes``."""
        chosen = read_history(self._database)
        if chosen is None:
            return self._contents.sizes.revisions, self._contents.sizes.kept_time
        count, days = chosen
        return count, int(days * DAY)

    def forget_beyond(self, key: str, count: int) -> None:
        """Forget the revisions of a key but for the newest ``count``."""
        for number, old in self._database.rows(
            "SELECT id, content FROM revisions WHERE key = ? ORDER BY id DESC LIMIT -1 OFFSET ?", (key, count)
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

    def list_beyond(self, keep: int, before: int) -> list[int]:
        """Return the ids of revisions that are not among the newest ``keep`` of their keys, or older than ``before`` (µs)."""
        if not keep:
            return [number for (number,) in self._database.rows("SELECT id FROM revisions")]
        return [
            number
            for (number,) in self._database.rows(
                "SELECT id FROM (SELECT id, replaced, row_number() OVER (PARTITION BY key ORDER BY id DESC) AS place"
                " FROM revisions) WHERE place > ? OR replaced < ?",
                (keep, before),
            )
        ]

    def forget(self, numbers: Sequence[int]) -> None:
        """Forget the revisions with these ids, as far as they are there."""
        for number in numbers:
            row = self._database.row("SELECT content FROM revisions WHERE id = ?", (number,))
            if row is not None:
                self._forget(number, row[0])

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

    def find_limit(self) -> int:
        """Return when the oldest revision that is kept can have been replaced (µs)."""
        return self._clock() // 1000 - self.limits()[1]

    def has_expired(self) -> bool:
        """Return True if ``expire`` has something to forget."""
        before = self.find_limit()
        return bool(self._database.row("SELECT EXISTS (SELECT 1 FROM revisions WHERE replaced < ?)", (before,))[0])

    def expire(self, before: int, limit: int) -> bool:
        """Forget at most ``limit`` revisions that were replaced before ``before`` (µs); return whether more may be left."""
        rows = self._database.rows("SELECT id, content FROM revisions WHERE replaced < ? LIMIT ?", (before, limit))
        for number, content in rows:
            self._forget(number, content)
        return len(rows) == limit
