"""Whether a database can be written, and how one that can only be read is read without leaving anything beside it.

https://sqlite.org/wal.html#read_only_databases: to read a database with a write-ahead log, SQLite needs an index of it in
a file ``-shm``, which it makes where it is missing. Here none is made: the owner of the database could not use it.
"""

from __future__ import annotations

import os

from ..tuples import NamedTuple

Signature = tuple[tuple[int, int, int] | None, ...]
"""What tells that files were changed: inode, size and mtime of each; ``None`` for one that is missing."""


class Way(NamedTuple):
    """How SQLite opens a database to read it.

    Attributes:
        parameters: of the URI, https://sqlite.org/uri.html.
        alone: its index of the write-ahead log is in memory.
        locks: others know that it is read. Otherwise they may change it meanwhile, and the files are to be watched.
    """

    parameters: str
    alone: bool = False
    locks: bool = True


SHARED = Way("mode=ro")
"""As one of several processes: log and index are there."""

ALONE = Way("mode=ro&vfs=unix-none", alone=True, locks=False)
"""With the log, but without the index: whoever writes has one, so nobody does, but for one that has it elsewhere."""

AT_REST = Way("mode=ro&immutable=1", locks=False)
"""Without a log: nobody writes at the moment, as all that does makes one first."""


def choose_ways(*, has_log: bool, has_index: bool, has_journal: bool) -> tuple[Way, ...]:
    """Return how to read a database, beside which there are such files: the first way that works is right.

    A rollback journal is the original program's: somebody is writing, or was cut off.
    """
    if has_journal:
        return (SHARED,)
    if not has_log:
        return (AT_REST,)
    return (SHARED, ALONE) if has_index else (ALONE,)


def list_ways(path: str) -> tuple[Way, ...]:
    """Return how to read the database at ``path`` as it is just now."""
    file = os.path.realpath(path)
    log, index, journal = (os.path.exists(file + end) for end in ("-wal", "-shm", "-journal"))
    return choose_ways(has_log=log, has_index=index, has_journal=journal)


def sign(path: str) -> Signature:
    """Return what tells a change of the database at ``path``, as long as it is read in a way that does not lock it."""
    file = os.path.realpath(path)
    return tuple(_sign(name) for name in (file, f"{file}-wal"))


def _sign(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def find_obstacle(path: str) -> str:
    """Return why this user can only read the database at ``path``, which is there; ``""`` if it can be written."""
    file = os.path.realpath(path)
    folder = os.path.dirname(file)
    is_writable = os.access(file, os.W_OK)
    if is_writable and (
        os.access(folder, os.W_OK | os.X_OK) or all(os.access(file + end, os.W_OK) for end in ("-wal", "-shm"))
    ):
        return ""
    if any(_is_read_only(place) for place in (file, folder)):
        return "its disk is read-only"
    return f"this user may make no files in {folder}" if is_writable else "this user may not write it"


def _is_read_only(path: str) -> bool:
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False
