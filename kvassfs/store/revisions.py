"""Revisions: values that were overwritten, deleted or lost a merge.

Every method that writes belongs inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..entry import Entry
from ..tuples import NamedTuple
from .contents import Contents
from .database import Database
from .rows import Row
from .setting_rows import read_history
from .sizes import DAY

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import Any, Final

ROW_SIZE = 512
"""Bytes that a revision takes beside its value, about: a row and its places in three indexes."""
_ENTRY = ", ".join(Entry._fields)

_NEWEST_FIRST = "timestamp DESC, counter DESC, process_id, id DESC"
"""By their own time, whenever they arrived: what arrives late is let go first."""

_INSERT = (
    f"INSERT INTO revisions ({_ENTRY}, content, replaced, number, sequence, became, winner, met)"
    f" VALUES ({', '.join('?' * (len(Entry._fields) + 7))})"
)


class Met(NamedTuple):
    """A conflict that a version is in: the process id of the winner, and this replica's clock when it was found."""

    winner: int
    clock: int


class Became:
    """What became of a version that is not the current one: numbers. No ``Enum``, which takes long to load."""

    REPLACED: Final = 0
    REMOVED: Final = 1
    LOST: Final = 2
    """It arrived, and lost to the version that was here."""


class Revision(NamedTuple):
    """An earlier version of a key.

    ``number`` names it among those of its key. ``sequence`` is this replica's clock when it got the version, 0 where that
    is not known; ``replaced`` is when it was replaced here (µs since the epoch). ``winner`` is the process id whose version
    it lost to without having been seen, if it has; ``met`` this replica's clock when that was found, until it is settled.
    """

    id: int
    entry: Entry
    content: int
    replaced: int
    number: int
    sequence: int
    became: int
    winner: int | None = None
    met: int | None = None


REVISION = f"id, {_ENTRY}, content, replaced, number, sequence, became, winner, met"


def revision_of(row: tuple[Any, ...]) -> Revision:
    """Return the revision of a row with the columns ``REVISION``."""
    number, *rest = row
    *entry, content, replaced, name, sequence, became, winner, met = rest
    return Revision(number, Entry(*entry), content, replaced, name, sequence, became, winner, met)


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
            for row in self._database.rows(
                f"SELECT {REVISION} FROM revisions WHERE key = ? ORDER BY {_NEWEST_FIRST}", (key,)
            )
        ]

    def retire(self, row: Row, now: int, became: int, conflict: Met | None = None) -> None:
        """Make a replaced version a revision; an empty one holds nothing to keep, unless it is in a conflict."""
        if row.content is not None or conflict is not None:
            self.add(row.entry, row.content, now, row.sequence, became, conflict)

    def add(
        self, entry: Entry, content: int | None, now: int, sequence: int, became: int, conflict: Met | None = None
    ) -> None:
        """Keep a version that is not the current one, and let go of the oldest where there are too many."""
        content = self._contents.add_inline(b"") if content is None else content
        count, _ = self.limits()
        number = self.next_number(entry.key)
        self._database.execute(_INSERT, (*entry, content, now, number, sequence, became, *(conflict or (None, None))))
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
            f"SELECT id, content FROM revisions WHERE key = ? ORDER BY {_NEWEST_FIRST} LIMIT -1 OFFSET ?", (key, count)
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

    def keeps(self, entry: Entry) -> bool:
        """Return True if a version that arrives late would be kept: there are not enough newer ones of its key already."""
        (newer,) = self._database.row(
            "SELECT count(*) FROM revisions WHERE key = ? AND (timestamp, counter, -process_id) > (?, ?, ?)",
            (entry.key, *entry.order),
        )
        return bool(newer < self.limits()[0])

    def have_let_go(self, entry: Entry, *, all_of: bool) -> bool:
        """Return True if ``entry`` is older than all that is kept of its key, and such versions were let go.

        ``all_of``: they have been where none at all is kept.
        """
        if entry.timestamp < self.find_limit():
            return True
        kept, last, oldest = self._database.row(
            "SELECT count(*), max(number), min(timestamp) FROM revisions WHERE key = ?", (entry.key,)
        )
        return bool(kept < last and entry.timestamp < oldest) if kept else all_of

    def forget_since(self, key: str, born: int, appeared: int) -> None:
        """Forget the revisions that a key has had since it came into being at ``born`` (µs), with the sequence ``appeared``.

        The sequence tells them from those of an earlier life: by a clock that was set back, these were replaced later.
        """
        for number, content in self._database.rows(
            "SELECT id, content FROM revisions WHERE key = ? AND replaced >= ? AND sequence >= ?", (key, born, appeared)
        ):
            self._forget(number, content)

    def list_beyond(self, keep: int, before: int) -> list[int]:
        """Return the ids of revisions that are not among the newest ``keep`` of their keys, or older than ``before`` (µs)."""
        if not keep:
            return [number for (number,) in self._database.rows("SELECT id FROM revisions")]
        return [
            number
            for (number,) in self._database.rows(
                "SELECT id FROM (SELECT id, replaced, row_number() OVER"
                f" (PARTITION BY key ORDER BY {_NEWEST_FIRST}) AS place"
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
