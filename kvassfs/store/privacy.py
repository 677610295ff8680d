"""Closing the files of a database to other users of the machine: they hold the encryption key and every value."""

from __future__ import annotations

import itertools
import os
import stat

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PRIVATE = 0o600

BACKUP_SUFFIX = ".kvass-go.bak"
"""What the name of the copy of an original database ends with; further ones have a number after that, from 2 on."""

COMPANIONS = ("", "-wal", "-shm", "-journal", "-reserve")
"""What SQLite and the store append to the name of a database for the files beside it."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def close_to_others(database: str, notice: Callable[[str], None]) -> None:
    """Close the database, the files that SQLite and the store keep beside it, and the copy from before a take-over.

    ``notice`` is told of the first that was open; where the system keeps no modes, none is.
    """
    closed = [path for path in _list_files(os.path.realpath(database)) if _close(path)]
    if closed:
        notice(
            f"closed {closed[0]} to others on this machine, who could read the encryption key and the values (should"
            " somebody have done so, `kvass config rekey` makes another key)"
        )


def is_open_to_others(database: str) -> bool:
    """Return whether ``close_to_others`` would have something to close."""
    user = os.geteuid()
    for path in _list_files(database):
        try:
            if must_close(os.lstat(path), user):
                return True
        except FileNotFoundError:
            pass
    return False


def must_close(status: os.stat_result, user: int) -> bool:
    """Return whether a file is one of ``user`` that others may open; one that is read-only is as somebody wanted it."""
    return (
        stat.S_ISREG(status.st_mode)
        and status.st_uid == user
        and bool(status.st_mode & _OTHERS)
        and bool(status.st_mode & stat.S_IWUSR)
    )


def _list_files(database: str) -> Iterator[str]:
    for companion in COMPANIONS:
        yield database + companion
    names = itertools.chain([""], (f".{number}" for number in itertools.count(2)))
    yield from itertools.takewhile(os.path.lexists, (f"{database}{BACKUP_SUFFIX}{name}" for name in names))


def _close(path: str) -> bool:
    """Close a file, and return whether that was needed and done.

    The descriptor is one of the name alone (O_PATH): to close another one would drop the locks that SQLite holds on the file
    (https://sqlite.org/howtocorrupt.html, section 2.2), and a link is not followed. ``fchmod`` takes none of these.
    """
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if must_close(os.fstat(descriptor), os.geteuid()):
                os.chmod(f"/proc/self/fd/{descriptor}", PRIVATE)
                return not os.fstat(descriptor).st_mode & _OTHERS
        finally:
            os.close(descriptor)
    except OSError:
        pass
    return False
