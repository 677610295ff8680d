"""Files of the tree as rows of the database, and the searches that find them."""

from __future__ import annotations

import stat

from ..entry import DEFAULT_MODE, is_directory_mode
from ..tuples import NamedTuple
from .local import DIRECTORY_MODE, DirectoryRecord, ScratchRow
from .rows import Row
from .sizes import INLINE_LIMIT

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import Any


class Node(NamedTuple):
    """One file of the tree, or the own row of a directory: an entry, or a scratch file. Sizes in bytes, times in ns."""

    key: str
    size: int
    mode: int
    content: int | None
    mtime: int
    atime: int
    changed: int
    sequence: int
    """0 for a scratch file, which has none."""
    inode: int
    holes: int = 0
    """Bytes that are whole blocks of zeros, where the file was looked up in the store."""

    @property
    def is_scratch(self) -> bool:
        """Whether the file belongs to this machine alone."""
        return self.sequence == 0


class Saved(NamedTuple):
    """A file as it was saved, and the sequence of the entry that it replaced; 0 if there was none.

    ``timestamp`` is that of the version, 0 of a scratch file.
    """

    node: Node
    replaced: int
    timestamp: int = 0


class Found(NamedTuple):
    """What is under a name: a file, a directory, or both (the value of a directory's key)."""

    node: Node | None
    directory: DirectoryRecord | None


class Child(NamedTuple):
    """One component below a directory, and what is there."""

    component: str
    node: Node | None
    directory: DirectoryRecord | None


HOLES = f"CASE WHEN size > {INLINE_LIMIT} THEN (SELECT holes FROM contents WHERE id = content) ELSE 0 END"
"""Bytes of a value, by its size and content, that are whole blocks of zeros."""
KEY, SEQUENCE, APPEARED = 0, 8, -1
"""Which columns of those that follow are the key, the sequence (0 of a scratch file), and that with which the key came."""
NODE = f"key, size, mode, content, timestamp, ifnull(mod_time, mtime), atime, changed, sequence, inode, {HOLES}"
SCRATCH_NODE = f"key, size, mode, content, mtime / 1000, mtime, atime, changed, 0, inode, {HOLES}"

_DIRECTORIES = f"mode & {0o170000} = {stat.S_IFDIR}"

FIND = f"""
    SELECT {NODE} FROM entries WHERE key = ? AND is_file
    UNION ALL SELECT {SCRATCH_NODE} FROM scratch WHERE key = ? AND NOT ({_DIRECTORIES}) LIMIT 1
"""
DATA = "(SELECT data FROM contents WHERE id = content)"
OPEN = f"""
    SELECT {NODE}, {DATA} FROM entries WHERE key = ? AND is_file
    UNION ALL SELECT {SCRATCH_NODE}, {DATA} FROM scratch WHERE key = ? AND NOT ({_DIRECTORIES}) LIMIT 1
"""
DIRECTORY = f"""
    SELECT first.*, local.mode, local.changed, local.mtime, local.atime FROM (
        SELECT * FROM (
            SELECT {NODE} FROM entries INDEXED BY entries_live WHERE live AND key >= ?1 AND key < ?2 ORDER BY key LIMIT 1
        ) UNION ALL SELECT * FROM (
            SELECT {SCRATCH_NODE} FROM scratch WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT 1
        ) LIMIT 1
    ) AS first LEFT JOIN directories AS local ON local.prefix = ?1
"""
"""The first row of a directory, its own where it has one, and what is local about it."""
LIST = {
    "entries": f"SELECT {NODE}, appeared FROM entries INDEXED BY entries_live WHERE live AND key >= ? ORDER BY key",
    "scratch": f"SELECT {SCRATCH_NODE}, 0 FROM scratch WHERE key >= ? ORDER BY key",
}


def node_of(row: tuple[Any, ...]) -> Node:
    """Return the file of a result row with the columns ``NODE``."""
    key, size, mode, content, timestamp, mtime, atime, changed, sequence, inode, *holes = row
    if mtime is None:
        mtime = timestamp * 1000
    return Node(
        key,
        size,
        DEFAULT_MODE if mode is None else mode,
        content,
        mtime,
        mtime if atime is None else atime,
        changed,
        sequence,
        inode,
        *holes,
    )


def directory_of_rows(prefix: str, first: tuple[Any, ...], local: DirectoryRecord | None) -> DirectoryRecord:
    """Return the attributes of a directory, of which ``first`` is the first row with the columns ``NODE``.

    Its own row comes first, where it has one: an entry or a scratch row. Without that it is there because of a file
    below it. ``local`` is what is local about it, if anything is.
    """
    own = node_of(first) if first[0] == prefix and is_directory_mode(first[2]) else None
    if local is not None:
        return local if own is None else local._replace(mode=own.mode)
    if own is not None:
        return DirectoryRecord(own.mode, own.changed, own.mtime, own.atime)
    time = first[4] * 1000
    return DirectoryRecord(DIRECTORY_MODE, time, time, None)


def node_of_row(row: Row) -> Node:
    """Return the file of an entry."""
    mtime = row.mtime if row.mod_time is None else row.mod_time
    times = (row.timestamp, mtime, row.atime, row.changed)
    return node_of((row.key, row.size, row.mode, row.content, *times, row.sequence, row.inode))


def node_of_scratch(row: ScratchRow) -> Node:
    """Return the file of a scratch row."""
    return node_of((row.key, row.size, row.mode, row.content, 0, row.mtime, row.atime, row.changed, 0, row.inode))
