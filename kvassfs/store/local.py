"""What stays on this machine: directories and scratch files.

Every method that writes belongs inside a transaction.
"""

from __future__ import annotations

import stat
from typing import NamedTuple

from .contents import Contents
from .database import Database
from .emptiness import Emptiness
from .feed import Journal
from .xattrs import Bearer, Xattrs

DIRECTORY_MODE = stat.S_IFDIR | 0o700
"""The mode of a directory that nobody gave another."""


class DirectoryRecord(NamedTuple):
    """The attributes of a directory; times in ns since the epoch."""

    mode: int
    changed: int
    mtime: int
    atime: int | None


class ScratchRow(NamedTuple):
    """One row of ``scratch``; the schema explains the columns."""

    key: str
    size: int
    mode: int
    content: int | None
    changed: int
    mtime: int
    atime: int | None
    inode: int
    mod_time: int | None


def parent(prefix: str) -> str:
    """Return the prefix of the directory that holds a directory: ``"a/"`` of ``a/b/``."""
    return prefix[: prefix.rfind("/", 0, -1) + 1]


class Directories:
    """Records of directories, by prefix."""

    def __init__(self, database: Database, journal: Journal, xattrs: Xattrs) -> None:
        self._database = database
        self._journal = journal
        self._xattrs = xattrs
        self._touched: tuple[int, str, int, bool] | None = None

    def get(self, prefix: str) -> DirectoryRecord | None:
        """Return the record of a directory, if it has one."""
        row = self._database.row("SELECT mode, changed, mtime, atime FROM directories WHERE prefix = ?", (prefix,))
        return None if row is None else DirectoryRecord._make(row)

    def put(self, prefix: str, record: DirectoryRecord) -> None:
        """Record a directory, and those above it."""
        self._touched = None
        self._database.execute("INSERT OR REPLACE INTO directories VALUES (?, ?, ?, ?, ?)", (prefix, *record))
        self._journal.note(prefix)
        if prefix:
            self.ensure(parent(prefix), record.changed)

    def ensure(self, prefix: str, now: int) -> None:
        """Record a directory, and those above it, unless there is a record."""
        while True:
            made = self._database.execute(
                "INSERT OR IGNORE INTO directories VALUES (?, ?, ?, ?, NULL)",
                (prefix, DIRECTORY_MODE, now, now),
            )
            if made.rowcount == 0 or not prefix:
                return
            prefix = parent(prefix)

    def touch(self, prefix: str, now: int, *, record: bool = True) -> None:
        """Note that a name in the directory came or went.

        ``record``: the directory is recorded from now on if it was not. A merge comes here for key after key of one
        directory at one time; once for each transaction is enough.
        """
        touched = (self._database.transaction.number, prefix, now, record)
        if touched == self._touched:
            return
        self._touched = touched
        done = self._database.execute(
            "UPDATE directories SET mtime = ?, changed = ? WHERE prefix = ?", (now, now, prefix)
        )
        if record and done.rowcount == 0:
            self.ensure(prefix, now)

    def remove(self, prefix: str) -> None:
        """Forget a directory."""
        self._touched = None
        self._database.execute("DELETE FROM directories WHERE prefix = ?", (prefix,))
        self._xattrs.drop(Bearer(prefix, is_directory=True))
        self._journal.note(prefix)

    def move(self, old: str, new: str) -> None:
        """Rename a directory and all below it, in place of an empty one."""
        self._touched = None
        end = old[:-1] + "0"
        self._database.execute(
            "UPDATE OR REPLACE directories SET prefix = ? || substr(prefix, ?) WHERE prefix >= ? AND prefix < ?",
            (new, len(old) + 1, old, end),
        )
        self._xattrs.move_directories(old, new)
        self._journal.note(old)
        self._journal.note(new)

    def swap(self, one: str, other: str, now: int) -> None:
        """Swap the names of two directories with all below; what has no record of its own, as a file, is none after it."""
        self._touched = None
        found = [*self._take_below(one), *self._take_below(other)]
        for prefix, record in found:
            old, new = (one, other) if prefix.startswith(one) else (other, one)
            changed = now if prefix == old else record.changed
            self.put(new + prefix[len(old) :], record._replace(changed=changed))
        self._xattrs.swap_directories(one, other)
        for prefix in (one, other):
            self._journal.note(prefix)

    def below(self, prefix: str) -> list[str]:
        """Return the recorded directories below a prefix, its own included."""
        ends = (prefix, prefix[:-1] + "0")
        return [
            found
            for (found,) in self._database.rows("SELECT prefix FROM directories WHERE prefix >= ? AND prefix < ?", ends)
        ]

    def _take_below(self, prefix: str) -> list[tuple[str, DirectoryRecord]]:
        """Forget a directory and all below it, and return their records."""
        ends = (prefix, prefix[:-1] + "0")
        rows = self._database.rows(
            "SELECT prefix, mode, changed, mtime, atime FROM directories WHERE prefix >= ? AND prefix < ?", ends
        )
        self._database.execute("DELETE FROM directories WHERE prefix >= ? AND prefix < ?", ends)
        return [(row[0], DirectoryRecord._make(row[1:])) for row in rows]


class Scratch:
    """Scratch files, by key."""

    def __init__(self, database: Database, contents: Contents, journal: Journal, xattrs: Xattrs) -> None:
        self._database = database
        self._contents = contents
        self._journal = journal
        self._xattrs = xattrs
        self._emptiness = Emptiness(database, "scratch")

    def drop(self, key: str) -> None:
        """Remove the scratch file of a key, if there is one; quick where there are none at all."""
        row = None if self._emptiness.holds() else self.get(key)
        if row is not None:
            self.remove(row)

    def get(self, key: str) -> ScratchRow | None:
        """Return a scratch file."""
        row = self._database.row(
            "SELECT key, size, mode, content, changed, mtime, atime, inode, mod_time FROM scratch WHERE key = ?", (key,)
        )
        return None if row is None else ScratchRow._make(row)

    def put(self, row: ScratchRow) -> None:
        """Store a scratch file; the one it replaces is gone."""
        self._emptiness.end()
        old = self.get(row.key)
        if old is not None and old.content != row.content:
            self._contents.drop(old.content)
        self._database.execute("INSERT OR REPLACE INTO scratch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        self._journal.note(row.key)

    def remove(self, row: ScratchRow, *, moved: bool = False) -> None:
        """Remove a scratch file; ``moved``: its content has found another owner."""
        self._database.execute("DELETE FROM scratch WHERE key = ?", (row.key,))
        self._xattrs.drop(Bearer(row.key))
        if not moved:
            self._contents.drop(row.content)
        self._journal.note(row.key)

    def below(self, prefix: str) -> list[ScratchRow]:
        """Return all scratch files below a directory."""
        return [
            ScratchRow._make(row)
            for row in self._database.rows(
                "SELECT key, size, mode, content, changed, mtime, atime, inode, mod_time FROM scratch WHERE key >= ? AND key < ?",
                (prefix, prefix[:-1] + "0"),
            )
        ]
