"""What stays on this machine: scratch files, and what is local about directories.

Every method that writes belongs inside a transaction.
"""

from __future__ import annotations

import stat

from ..entry import is_directory_mode, parent
from ..tuples import NamedTuple
from .contents import Contents
from .database import Database
from .emptiness import Emptiness
from .inodes import DirectoryInodes
from .journal import Journal
from .xattrs import Bearer, Xattrs

DIRECTORY_MODE = stat.S_IFDIR | 0o700
"""The mode of a directory that nobody gave another."""

HAS_ENTRIES = "SELECT EXISTS (SELECT 1 FROM entries INDEXED BY entries_live WHERE live AND key >= ?1 AND key < ?2)"
GIVEN = "SELECT 1 FROM entries WHERE key = ? AND mod_time IS NOT NULL AND NOT is_file AND live AND counter > ?"
IS_THERE = f"{HAS_ENTRIES} OR EXISTS (SELECT 1 FROM scratch WHERE key >= ?1 AND key < ?2)"


class DirectoryRecord(NamedTuple):
    """The attributes of a directory; times in ns since the epoch."""

    mode: int
    changed: int
    mtime: int
    atime: int | None


def make_record(now: int) -> DirectoryRecord:
    """Return the attributes of a directory that comes into being at ``now``."""
    return DirectoryRecord(DIRECTORY_MODE, now, now, None)


class ScratchRow(NamedTuple):
    """One row of ``scratch``, of a file or a directory; the schema explains the columns."""

    key: str
    size: int
    mode: int
    content: int | None
    changed: int
    mtime: int
    atime: int | None
    inode: int
    mod_time: int | None
    began: int | None = None

    @property
    def is_directory(self) -> bool:
        """Whether the row is that of a directory."""
        return is_directory_mode(self.mode)


class Directories:
    """What is local about directories, by prefix, and whether they are there.

    A directory is there as long as there is its entry, or a key or scratch file below it; with the last of them all that
    is local about it goes.
    """

    def __init__(self, database: Database, journal: Journal, xattrs: Xattrs, inodes: DirectoryInodes) -> None:
        self._database = database
        self._journal = journal
        self.xattrs = xattrs
        self._inodes = inodes
        self._touched: tuple[int, str, int] | None = None

    def get(self, prefix: str) -> DirectoryRecord | None:
        """Return what is local about a directory, if anything is; the mode is its own where nothing else has it."""
        row = self._database.row("SELECT mode, changed, mtime, atime FROM directories WHERE prefix = ?", (prefix,))
        return None if row is None else DirectoryRecord._make(row)

    def find_appeared(self, prefix: str) -> int:
        """Return what the clock said when a directory came, 0 if that is not known."""
        row = self._database.row("SELECT appeared FROM directories WHERE prefix = ?", (prefix,))
        return 0 if row is None else int(row[0])

    def put(self, prefix: str, record: DirectoryRecord) -> None:
        """Record what is local about a directory that is there."""
        self._touched = None
        self._insert("REPLACE", prefix, record)
        self._journal.note(prefix)

    def add(self, prefix: str, record: DirectoryRecord) -> None:
        """Record a directory that comes into being, unless there is a record."""
        self._insert("IGNORE", prefix, record)

    def _insert(self, otherwise: str, prefix: str, record: DirectoryRecord) -> int:
        return self._database.execute(
            f"INSERT OR {otherwise} INTO directories VALUES (?, ?, ?, ?, ?, (SELECT clock FROM replica))",
            (prefix, *record),
        ).rowcount

    def local_mode(self, prefix: str) -> int:
        """Return the mode that a directory has while nothing else has it."""
        return (self.get(prefix) or make_record(0)).mode

    def set_mode(self, prefix: str, mode: int) -> None:
        """Give a directory the mode that it has while nothing else has it."""
        self._database.execute("UPDATE directories SET mode = ? WHERE prefix = ?", (mode, prefix))

    def set_mtime(self, prefix: str, mtime: int, now: int) -> None:
        """Give a directory the time of modification that its entry brings, at ``now``."""
        self._touched = None
        self._database.execute("UPDATE directories SET mtime = ?, changed = ? WHERE prefix = ?", (mtime, now, prefix))

    def touch(self, prefix: str, now: int, counter: int | None = None) -> None:
        """Note that a name in the directory came or went; one that is new by that is a name in that above it.

        With ``counter``, that of a version that others wrote, times that somebody gave the directory after it stay.
        One time may come again and again; once for each transaction is enough.
        """
        touched = (self._database.transaction.number, prefix, now)
        if touched == self._touched or (counter is not None and self._database.row(GIVEN, (prefix, counter))):
            return
        self._touched = touched
        update = "UPDATE directories SET mtime = ?, changed = ? WHERE prefix = ?"
        while not self._database.execute(update, (now, now, prefix)).rowcount:
            self._insert("IGNORE", prefix, make_record(now))
            if not prefix:
                return
            prefix = parent(prefix)

    def is_there(self, prefix: str) -> bool:
        """Whether a directory is there."""
        return not prefix or bool(self._database.row(IS_THERE, (prefix, prefix[:-1] + "0"))[0])

    def has_entries(self, prefix: str) -> bool:
        """Whether a directory is there for other devices as well: it has an entry, or a key below it."""
        return bool(self._database.row(HAS_ENTRIES, (prefix, prefix[:-1] + "0"))[0])

    def leave(self, prefix: str) -> str:
        """Forget a directory and those above it as far as nothing is left of them; return the next that is there."""
        while not self.is_there(prefix):
            self._touched = None
            self._database.execute("DELETE FROM directories WHERE prefix = ?", (prefix,))
            self.xattrs.drop(Bearer(prefix, is_directory=True))
            self._inodes.release(prefix)
            self._journal.note(prefix)
            prefix = parent(prefix)
        return prefix

    def move(self, old: str, new: str) -> None:
        """Rename what is local about a directory and all below it, in place of an empty one."""
        self._touched = None
        end = old[:-1] + "0"
        self._database.execute(
            "UPDATE OR REPLACE directories SET prefix = ? || substr(prefix, ?) WHERE prefix >= ? AND prefix < ?",
            (new, len(old) + 1, old, end),
        )
        self.xattrs.move_directories(old, new)
        self._journal.note(old)
        self._journal.note(new)

    def swap(self, one: str, other: str, now: int) -> None:
        """Swap what is local about two directories with all below; what has no record, as a file, has none after it."""
        self._touched = None
        found = [*self._take_below(one), *self._take_below(other)]
        for prefix, record in found:
            old, new = (one, other) if prefix.startswith(one) else (other, one)
            changed = now if prefix == old else record.changed
            self._insert("REPLACE", new + prefix[len(old) :], record._replace(changed=changed))
        self.xattrs.swap_directories(one, other)
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


_SELECT = "SELECT key, size, mode, content, changed, mtime, atime, inode, mod_time, began FROM scratch"


class Scratch:
    """Scratch files and directories, by key."""

    def __init__(self, database: Database, contents: Contents, journal: Journal, directories: Directories) -> None:
        self._database = database
        self._contents = contents
        self._journal = journal
        self._directories = directories
        self._xattrs = directories.xattrs
        self._emptiness = Emptiness(database, "scratch")

    def drop(self, key: str) -> None:
        """Remove the scratch file of a key, if there is one; quick where there are none at all."""
        row = None if self._emptiness.holds() else self.get(key)
        if row is not None:
            self.remove(row)

    def get(self, key: str) -> ScratchRow | None:
        """Return a scratch file."""
        row = self._database.row(f"{_SELECT} WHERE key = ?", (key,))
        return None if row is None else ScratchRow._make(row)

    def put(self, row: ScratchRow) -> None:
        """Store a scratch file; the one it replaces is gone.

        One may take the place of the row of its directory, if its own name is empty: the mode is local then.
        """
        self._emptiness.end()
        old = self.get(row.key)
        if old is not None and old.is_directory and not row.is_directory:
            self._directories.set_mode(row.key, old.mode)
        if old is not None and old.content != row.content:
            self._contents.drop(old.content)
        self._database.execute("INSERT OR REPLACE INTO scratch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        self._journal.note(row.key)

    def remove(self, row: ScratchRow, *, moved: bool = False) -> None:
        """Remove a scratch file; ``moved``: its content has found another owner."""
        self._database.execute("DELETE FROM scratch WHERE key = ?", (row.key,))
        self._xattrs.drop(Bearer(row.key))
        if not moved:
            self._contents.drop(row.content)
        self._journal.note(row.key)

    def below(self, prefix: str) -> list[ScratchRow]:
        """Return all scratch files and directories below a directory, its own row included."""
        rows = self._database.rows(f"{_SELECT} WHERE key >= ? AND key < ?", (prefix, prefix[:-1] + "0"))
        return list(map(ScratchRow._make, rows))

    def directories(self) -> list[ScratchRow]:
        """Return all directories that are scratch."""
        rows = self._database.rows(f"{_SELECT} WHERE substr(key, -1) = '/'")
        return [row for row in map(ScratchRow._make, rows) if row.is_directory]
