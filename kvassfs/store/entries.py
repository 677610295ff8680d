"""Entries in the database: the current version of every key, and its revisions.

Every method that writes belongs inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..entry import Entry, new_token, next_timestamp
from .contents import Contents
from .database import Database

KEPT_REVISIONS = 10
"""Revisions that are kept of each key."""

KEPT_TIME = 30 * 24 * 3600 * 1_000_000
"""Microseconds for which a revision is kept."""

TRANSIENT_TIME = 2_000_000
"""Microseconds: a key of the mount that is gone again after less than this, and was never handed to
another device, leaves no trace."""

_COLUMNS = (
    "key, timestamp, counter, process_id, url_token, size, mode, "
    "content, sequence, dirty, handed, born, changed, mtime, atime, writer"
)


class Row(NamedTuple):
    """One row of ``entries``; the schema explains the columns."""

    key: str
    timestamp: int
    counter: int
    process_id: int
    url_token: str
    size: int
    mode: int | None
    content: int | None
    sequence: int
    dirty: int
    handed: int
    born: int
    changed: int
    mtime: int | None
    atime: int | None
    writer: int = 0

    @property
    def live(self) -> bool:
        """Whether the key exists for a mount: it is no tombstone."""
        return self.size > 0 or self.mode is not None

    @property
    def entry(self) -> Entry:
        """The entry without what is local to this replica."""
        return Entry(*self[:7])


class Revision(NamedTuple):
    """An earlier version of a key, and when this replica replaced it (µs since the epoch)."""

    id: int
    entry: Entry
    content: int
    replaced: int


class Written(NamedTuple):
    """The value and attributes that a write gives to a key.

    ``content`` is a value of ``size`` bytes that belongs to nothing else yet. ``mode`` ``None``
    keeps the mode that the key has. ``url_token`` ``None`` makes a new one. Times are ns since the
    epoch, ``None`` where the entry's timestamp is meant.
    """

    size: int = 0
    content: int | None = None
    mode: int | None = None
    url_token: str | None = None
    mtime: int | None = None
    atime: int | None = None
    changed: int | None = None
    born: int | None = None
    """When the value came into being (µs), if it comes from another key."""


INSERT = f"INSERT OR REPLACE INTO entries ({_COLUMNS}) VALUES ({', '.join('?' * len(Row._fields))})"
_SELECT = f"SELECT {_COLUMNS} FROM entries WHERE key = ?"
_BELOW = f"SELECT {_COLUMNS} FROM entries INDEXED BY entries_live WHERE live AND key >= ? AND key < ?"


class Entries:
    """Reads and writes rows of ``entries`` and ``revisions``.

    ``writer`` marks what this open store writes, ``clock`` returns ns since the epoch, ``random(n)`` n random bytes.
    """

    def __init__(
        self,
        database: Database,
        contents: Contents,
        writer: int,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        self._database = database
        self._contents = contents
        self.writer = writer
        self._clock = clock
        self._random = random

    def current(self, key: str) -> Row | None:
        """Return the current row of a key, a tombstone included."""
        row = self._database.row(_SELECT, (key,))
        return None if row is None else Row._make(row)

    def below(self, prefix: str) -> list[Row]:
        """Return the live rows whose keys begin with ``prefix``, which ends in ``/``."""
        return [Row._make(row) for row in self._database.rows(_BELOW, (prefix, prefix[:-1] + "0"))]

    # Writing

    def put(self, key: str, written: Written, *, now: int | None = None, amends: int | None = None) -> Row:
        """Give ``key`` a new version and return it; what it replaces becomes a revision.

        ``amends`` is the sequence of a version that the new one completes: if that is still the
        current one and no other device has it, it leaves no revision. ``now`` (µs) is when the
        write was made, by default the time of the call.
        """
        return self.replace(key, self.current(key), written, now=now, amends=amends)

    def replace(
        self,
        key: str,
        old: Row | None,
        written: Written,
        *,
        now: int | None = None,
        amends: int | None = None,
        transient: bool = False,
    ) -> Row:
        """Like ``put``, where the current row of the key is known to be ``old``.

        ``transient``: a key that is new to other devices is kept back from them for a moment, since it may be gone then.
        """
        now = self._clock() // 1000 if now is None else now
        sequence, timestamp, process_id = self._tick(now, old)
        if old is not None:
            if old.sequence == amends and not old.handed:
                self._contents.drop(old.content)
            else:
                self.retire(old, now)
        row = Row(
            key=key,
            timestamp=timestamp,
            counter=sequence,
            process_id=process_id,
            url_token=written.url_token or new_token(self._random),
            size=written.size,
            mode=written.mode if written.mode is not None or old is None else old.mode,
            content=written.content,
            sequence=sequence,
            dirty=2 if transient and (old is None or not old.live or not old.handed) else 1,
            handed=0 if old is None else old.handed,
            born=self._born(old, written, now),
            changed=timestamp * 1000 if written.changed is None else written.changed,
            mtime=None if written.mtime == timestamp * 1000 else written.mtime,
            atime=written.atime,
            writer=self.writer,
        )
        self._database.execute(INSERT, row)
        return row

    def _born(self, old: Row | None, written: Written, now: int) -> int:
        """Return when a key came into being; a value that came from another key brings its age along."""
        born = now if written.born is None else written.born
        return born if old is None or self._long_gone(old, now) else min(old.born, born)

    @staticmethod
    def _long_gone(row: Row, now: int) -> bool:
        """Whether a key was deleted and not just moved aside, as editors do before they save."""
        return not row.live and now - row.timestamp >= TRANSIENT_TIME

    def remove(self, row: Row, *, transient: bool = False, moved: bool = False) -> bool:
        """Delete a live entry; return whether it is gone without a trace.

        ``transient``: what came into being a moment ago and was never handed to another device
        leaves neither tombstone nor revision, and what other devices have is kept back from them
        for a moment. ``moved``: its value lives on under another key,
        which has taken the content.
        """
        now = self._clock() // 1000
        if transient and self.is_transient(row):
            self._database.execute("DELETE FROM entries WHERE key = ?", (row.key,))
            if not moved:
                self._contents.drop(row.content)
            for number, content in self._database.rows(
                "SELECT id, content FROM revisions WHERE key = ? AND replaced >= ?", (row.key, row.born)
            ):
                self._forget(number, content)
            return True
        sequence, timestamp, process_id = self._tick(now, row)
        if not moved:
            self.retire(row, now)
        tombstone = row._replace(
            timestamp=timestamp,
            counter=sequence,
            process_id=process_id,
            url_token=new_token(self._random),
            size=0,
            mode=None,
            content=None,
            sequence=sequence,
            dirty=2 if transient else 1,
            changed=now * 1000,
            mtime=None,
            atime=None,
            writer=self.writer,
        )
        self._database.execute(INSERT, tombstone)
        return False

    def is_transient(self, row: Row) -> bool:
        """Whether the key came into being a moment ago and no other device has it."""
        # A clock that was set back since says nothing about how long the key has been there.
        return not row.handed and 0 <= self._clock() // 1000 - row.born < TRANSIENT_TIME

    def set_mode(self, row: Row, mode: int) -> Row:
        """Change the mode alone: a new version that travels, but no revision."""
        now = self._clock() // 1000
        return self._vary(row._replace(mode=mode), now, now)

    def renew_token(self, row: Row) -> Row:
        """Change the URL token alone, likewise; a value that another device has written meanwhile wins over it."""
        return self._vary(row._replace(url_token=new_token(self._random)), row.timestamp, self._clock() // 1000)

    def _vary(self, row: Row, time: int, now: int) -> Row:
        """Store a new version, of about ``time``, that differs from the current one in other things than the value."""
        sequence, timestamp, process_id = self._tick(time, row)
        changed = row._replace(
            timestamp=timestamp,
            counter=sequence,
            process_id=process_id,
            sequence=sequence,
            dirty=row.dirty or 1,
            changed=now * 1000,
            mtime=row.timestamp * 1000 if row.mtime is None else row.mtime,
            writer=self.writer,
        )
        self._database.execute(INSERT, changed)
        return changed

    def set_times(self, key: str, mtime: int | None, atime: int | None, changed: int) -> None:
        """Change the times that this replica shows (ns); ``None`` leaves one as it is."""
        self._database.execute(
            "UPDATE entries SET mtime = ifnull(?, mtime), atime = ifnull(?, atime), changed = ? WHERE key = ?",
            (mtime, atime, changed, key),
        )

    def _tick(self, now: int, replaced: Row | None) -> tuple[int, int, int]:
        """Advance the clocks for one local event; return sequence, timestamp and process id."""
        clock, last, process_id = self._database.only_row("SELECT clock, timestamp, process_id FROM replica")
        timestamp = next_timestamp(now, last, 0 if replaced is None else replaced.timestamp)
        self._database.execute("UPDATE replica SET clock = ?, timestamp = ?", (clock + 1, timestamp))
        return clock + 1, timestamp, process_id

    # Revisions

    def retire(self, row: Row, now: int) -> None:
        """Make a replaced version a revision; an empty one holds nothing to keep."""
        if row.content is not None:
            self.add_revision(row.entry, row.content, now)

    def add_revision(self, entry: Entry, content: int, now: int) -> None:
        """Keep a version that is not the current one, and let go of the oldest beyond ``KEPT_REVISIONS``."""
        self._database.execute(
            "INSERT INTO revisions (key, timestamp, counter, process_id, url_token, size, mode, content, replaced)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*entry, content, now),
        )
        for number, old in self._database.rows(
            "SELECT id, content FROM revisions WHERE key = ? ORDER BY id DESC LIMIT -1 OFFSET ?",
            (entry.key, KEPT_REVISIONS),
        ):
            self._forget(number, old)

    def has_revision(self, entry: Entry) -> bool:
        """Whether the value of ``entry`` is kept as a revision of its key."""
        return bool(
            self._database.row(
                "SELECT EXISTS (SELECT 1 FROM revisions WHERE key = ? AND url_token = ? AND size = ?)",
                (entry.key, entry.url_token, entry.size),
            )[0]
        )

    def _forget(self, revision: int, content: int) -> None:
        self._database.execute("DELETE FROM revisions WHERE id = ?", (revision,))
        self._contents.drop(content)

    def revisions(self, key: str) -> list[Revision]:
        """Return the revisions of a key, newest first."""
        return [
            Revision(row[0], Entry(*row[1:8]), row[8], row[9])
            for row in self._database.rows(
                "SELECT id, key, timestamp, counter, process_id, url_token, size, mode, content, replaced "
                "FROM revisions WHERE key = ? ORDER BY id DESC",
                (key,),
            )
        ]

    def anything_expired(self) -> bool:
        """Whether ``expire`` has something to forget."""
        before = self._clock() // 1000 - KEPT_TIME
        return bool(self._database.row("SELECT EXISTS (SELECT 1 FROM revisions WHERE replaced < ?)", (before,))[0])

    def expire(self, limit: int) -> bool:
        """Forget at most ``limit`` revisions that are too old; return whether more may be left."""
        before = self._clock() // 1000 - KEPT_TIME
        rows = self._database.rows("SELECT id, content FROM revisions WHERE replaced < ? LIMIT ?", (before, limit))
        for number, content in rows:
            self._forget(number, content)
        return len(rows) == limit
