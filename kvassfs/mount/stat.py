"""What ``stat`` shows of files and directories."""

from __future__ import annotations

from typing import NamedTuple

from ..store import DIRECTORY_MODE, DirectoryRecord, Node


class Attributes(NamedTuple):
    """What ``stat`` shows of a file or directory; size in bytes, times in ns since the epoch.

    ``holes`` are the bytes of the size that take no room, as they are in whole blocks of zeros.
    """

    mode: int
    size: int
    mtime: int
    atime: int
    ctime: int
    inode: int
    holes: int = 0


DEFAULT_DIRECTORY = DirectoryRecord(DIRECTORY_MODE, 0, 0, None)
"""What the root has until something else is recorded."""


def file_attributes(node: Node) -> Attributes:
    """Return the attributes of a file as it is in the store."""
    return Attributes(node.mode, node.size, node.mtime, node.atime, node.changed, node.inode, node.holes)


def directory_attributes(record: DirectoryRecord, inode: int) -> Attributes:
    """Return the attributes of a directory, which has this number."""
    atime = record.mtime if record.atime is None else record.atime
    return Attributes(record.mode, 0, record.mtime, atime, record.changed, inode)
