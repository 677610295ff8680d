"""The names of the database's files, which must be on the disk before what is in them counts."""

from __future__ import annotations

import errno
import os
import sqlite3

from .translation import translate_os_error

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import Protocol

    class Named(Protocol):
        """A connection, and whether it writes changes to a log first."""

        path: str
        connection: sqlite3.Connection
        has_log: bool


_NO_WAY = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.ENOENT}
"""What tells that this directory cannot be synchronised: as SQLite does, one goes on without."""


def sqlite_secures_names(connection: sqlite3.Connection) -> bool:
    """Return whether SQLite itself synchronises the directory when it has made a file; Fedora's does not."""
    try:
        return not connection.execute("SELECT sqlite_compileoption_used('DISABLE_DIRSYNC')").fetchone()[0]
    except sqlite3.Error:  # it was built not to tell
        return False


def flush(path: str) -> None:
    """Wait until a file, or the names in a directory, have reached the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def synchronise_names(file: str) -> None:
    """Wait until the names in the directory of a file have reached the disk.

    Raises:
        OSError: they have not.
    """
    try:
        flush(os.path.dirname(file))
    except OSError as error:
        if error.errno not in _NO_WAY:
            raise


class Names:
    """Has the name of the log, or journal, on the disk before what is in it counts, if SQLite does not see to that."""

    def __init__(self, database: Named) -> None:
        self._database = database
        self._directory_of = os.path.realpath(database.path)
        self._secured = False

    def secure(self) -> None:
        """Wait for that before a commit. The log stays as long as the connection; a journal comes and goes.

        Raises:
            StoreError: the names are not on the disk.
        """
        if self._secured:
            return
        self._secured = sqlite_secures_names(self._database.connection)
        if not self._secured:
            try:
                synchronise_names(self._directory_of)
            except OSError as error:
                raise translate_os_error(error, self._database.path) from error
            self._secured = self._database.has_log
