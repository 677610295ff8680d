"""Rows of ``entries``: the current version of a key, with what is local to this replica."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

from ..entry import Entry, is_directory_mode
from ..tuples import NamedTuple

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import Final

CLEAN: Final = 0
DIRTY: Final = 1
HELD: Final = 2
KEPT: Final = 3
"""States of ``dirty``: the hub has acknowledged the version; it has not; it has not, and the version is held back for
a moment, since a mount made or removed the key, which may go or come back (see ``settling``); likewise, since a mount
removed the last name in a directory, whose entry keeps it, until a name comes there again."""

NO_WRITER: Final = 0
"""The mark of no open store: every mount is told of the version."""

COLUMNS = (
    "key, timestamp, counter, process_id, url_token, size, mode, mod_time, seen, origin, "
    "content, sequence, dirty, born, changed, mtime, atime, writer, floor, inode, appeared, shown, began"
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
    mod_time: int | None
    seen: str | None
    origin: str | None
    content: int | None
    sequence: int
    dirty: int
    born: int
    changed: int
    mtime: int | None
    atime: int | None
    writer: int
    floor: int | None
    inode: int
    appeared: int
    shown: int
    began: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether another device knows this version, so that its timestamp never changes."""
        return self.floor is not None and self.floor >= self.timestamp

    @property
    def live(self) -> bool:
        """Whether the key exists for a mount: it is no tombstone."""
        return self.size > 0 or self.mode is not None

    @property
    def is_directory(self) -> bool:
        """Whether the entry is that of a directory."""
        return is_directory_mode(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether the key has a value, of no bytes maybe."""
        return self.live and not self.is_directory

    @property
    def entry(self) -> Entry:
        """The entry without what is local to this replica."""
        return Entry(*self[:10])


class Written(NamedTuple):
    """The value and attributes that a write gives to a key.

    ``content`` is a value of ``size`` bytes that belongs to nothing else yet. ``mode`` ``None``
    keeps the mode that the key has. ``url_token`` ``None`` makes a new one. ``mod_time`` is the time that somebody
    gave the file, if anybody did; it travels. Times are ns since the epoch, ``None`` where that of the write is meant.
    """

    size: int = 0
    content: int | None = None
    mode: int | None = None
    url_token: str | None = None
    mod_time: int | None = None
    mtime: int | None = None
    atime: int | None = None
    changed: int | None = None
    born: int | None = None
    """When the value came into being (µs), if it comes from another key."""
    inode: int | None = None
    """The number of the file, where it has one already; ``None`` keeps that of the key."""
    began: int | None = None
    """The clock of this replica when the writer began, having seen the version of that time; ``None`` = just now."""


INSERT = f"INSERT OR REPLACE INTO entries ({COLUMNS}) VALUES ({', '.join('?' * len(Row._fields))})"
SELECT = f"SELECT {COLUMNS} FROM entries WHERE key = ?"
AT_ONCE: Final = 100
"""Keys whose rows are read by one statement."""

MARKS: Final = ", ".join("?" * AT_ONCE)
"""The marks of that statement, which ``fill`` gives their values."""

SELECT_MANY = f"SELECT {COLUMNS} FROM entries WHERE key IN ({MARKS})"
_BELOW = "FROM entries INDEXED BY entries_live WHERE live AND key >= ? AND key < ?"
SELECT_BELOW = f"SELECT {COLUMNS} {_BELOW}"
SELECT_KEYS_BELOW = f"SELECT key {_BELOW} ORDER BY key"


def fill(keys: Sequence[str]) -> tuple[str, ...]:
    """Return ``AT_ONCE`` keys, at least one, with the last one again and again: so it is one statement for any number."""
    return (*keys, *repeat(keys[-1], AT_ONCE - len(keys)))


def find_predecessor(old: Row | None, mode: int | None) -> Row | None:
    """Return what goes on in a new version with ``mode``: a file is no directory that was under its key, nor reversely."""
    return old if old is not None and old.live and old.is_directory is is_directory_mode(mode) else None


def find_shown(old: Row | None, sequence: int, size: int, mode: int | None) -> int:
    """Return the sequence with which a file was last seen to change, where a version with ``sequence`` follows ``old``.

    ``size`` and ``mode`` are its own. Where there is no file and was none, there is nothing to see.
    """
    is_file = (size > 0 or mode is not None) and not is_directory_mode(mode)
    if is_file or (old is not None and old.is_file):
        return sequence
    return 0 if old is None else old.shown


def was_shown(row: Row, began: int | None) -> bool:
    """Return True if whoever began when the clock said ``began`` has seen this version; ``None`` is just now."""
    return began is None or row.shown <= began


def inherit_mode(old: Row | None) -> int | None:
    """Return the mode of a version that is given none: a file keeps what it had."""
    return None if old is None or old.is_directory else old.mode
