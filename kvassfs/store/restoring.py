"""Putting a backup in the place of the database, which is kept."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count

from ..errors import StoreBusy
from ..store_errors import DatabaseInUse, ForeignLog
from ..transfer_errors import TargetUnwritable
from .backup import write_backup
from .checkup import open_to_read
from .lengthy import Report
from .names import flush
from .presence import refuse_foreign_log
from .users import User, list_users

KEPT = ".before-restore"
"""What the name of a database has behind it that was kept when another one was put in its place."""

ALONE_TIMEOUT = 2.0
"""Seconds that processes of others are given to end what they do with the database."""


def put_backup(
    path: str, file: str, report: Report, *, find_users: Callable[[str], list[User]] = list_users
) -> str | None:
    """Put a copy of the backup ``file`` in the place of the database at ``path``, on the disk.

    Return where what was there is kept; ``None`` if there was nothing. It is as it was until the copy is complete, and
    nobody may use it: neither the log nor what others have in memory fits another file.

    Raises:
        DatabaseInUse: other processes have it open.
        TargetUnwritable, StoreError
    """
    place = os.path.realpath(path)
    refuse_users(path, find_users)
    temporary = f"{place}.restoring-{os.getpid()}"
    try:
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        with closing(open_to_read(file)) as backup:
            write_backup(backup, temporary, report)
        flush(temporary)
        with _alone(path, place):
            refuse_users(path, find_users)
            kept = _keep(place)
            os.replace(temporary, place)
            flush(os.path.dirname(place))
        return kept
    except OSError as error:
        raise TargetUnwritable(path, (error.strerror or str(error)).lower()) from error
    finally:
        for name in (temporary, f"{temporary}-journal"):
            with suppress(OSError):
                os.unlink(name)


def refuse_users(path: str, find_users: Callable[[str], list[User]]) -> None:
    """Raise DatabaseInUse if processes have the database at ``path`` open that is there now."""
    users = [user for user in find_users(path) if not user.is_stray]
    if users:
        raise DatabaseInUse(path, " and ".join(f"process {user.pid} ({user.command})" for user in users))


@contextmanager
def _alone(path: str, place: str) -> Iterator[None]:
    """``with`` the database at ``place`` in one file, without its log, which nobody else can open meanwhile.

    One that is no database, or is damaged, is as it is.
    """
    if not os.path.exists(place) or _has_foreign_log(path, place):
        yield
        return
    with closing(sqlite3.connect(place, timeout=ALONE_TIMEOUT, isolation_level=None)) as connection:
        try:
            # It succeeds for the last connection alone, and copies the log.
            mode = connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise DatabaseInUse(path, "another process, perhaps of another user") from error
            mode = ""
        except sqlite3.DatabaseError:
            mode = ""
        if mode not in {"delete", ""}:
            raise StoreBusy(path)
        yield


def _has_foreign_log(path: str, place: str) -> bool:
    """Return whether opening the database would mix another one's log into it; this process has it not open."""
    try:
        with open(place, "rb") as file:
            if os.path.exists(f"{place}-wal"):
                refuse_foreign_log(path, file.read(100))
    except ForeignLog:
        return True
    return False


def _keep(place: str) -> str | None:
    """Give the database at ``place`` and what is left of its log another name, and return that."""
    if not os.path.lexists(place):
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):  # of one that was removed; it would be taken for that of the next one
                os.unlink(place + suffix)
        return None
    kept = next(name for name in _names(place) if not os.path.lexists(name))
    for suffix in ("-wal", "-journal"):
        with suppress(FileNotFoundError):
            os.rename(place + suffix, kept + suffix)
    with suppress(FileNotFoundError):
        os.unlink(f"{place}-shm")
    os.chmod(place, 0o600)
    try:
        os.link(place, kept)  # so that there is a database all the time
    except OSError:
        os.rename(place, kept)
    return kept


def _names(place: str) -> Iterator[str]:
    yield place + KEPT
    yield from (f"{place}{KEPT}-{number}" for number in count(2))
