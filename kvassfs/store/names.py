"""The names of the database's files, which must be on the disk before what is in them counts."""

from __future__ import annotations

import errno
import os
import sqlite3

_NO_WAY = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.ENOENT}
"""What tells that this directory cannot be synchronised: as SQLite does, one goes on without."""


def sqlite_secures_names(connection: sqlite3.Connection) -> bool:
    """Return whether SQLite itself synchronises the directory when it has made a file; Fedora's does not."""
    try:
        return not connection.execute("SELECT sqlite_compileoption_used('DISABLE_DIRSYNC')").fetchone()[0]
    except sqlite3.Error:  # it was built not to tell
        return False


def synchronise_names(file: str) -> None:
    """Wait until the names in the directory of a file have reached the disk.

    Raises:
        OSError: they have not.
    """
    try:
        directory = os.open(os.path.dirname(file), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NO_WAY:
            return
        raise
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno not in _NO_WAY:
            raise
    finally:
        os.close(directory)
