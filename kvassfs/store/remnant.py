"""What a power cut may leave of a database that was being made: nothing but zeros.

SQLite writes the first page, and waits for the disk, before anything else. A journal would undo that, but where SQLite was
built not to see to the names of its files (see ``names``) it may be gone, and sectors of the page with it. All that the page
has is in the first sector, so either it is whole, or the file is of zeros. Nothing can have been stored in it.
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import suppress

from .database import Database
from .presence import find_descriptor, identify

SECTOR = 512
"""Bytes that a disk writes or does not; of the page, so many are there or a multiple of them."""

BESIDE = ("-wal", "-journal", "-reserve")
"""What is beside a database in which something was stored; none of it is when the first page is written."""

_clearing = threading.Lock()
"""Held by the one thread of this process that clears: another one might lock the file by the same descriptor."""


def is_remnant(database: Database) -> bool:
    """Return whether the file that was opened is such a remnant."""
    with suppress(OSError):
        return _is_zeros(database.path, _find_descriptor(database.path), database.page_size())
    return False


def clear_remnant(database: Database) -> None:
    """Make such a remnant an empty file, and leave any other as it is.

    Who has not cleared it can make no database of it: so under the lock of those who do it is what it looks like.
    """
    with suppress(OSError), _clearing:
        descriptor = _find_descriptor(database.path)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if _is_zeros(database.path, descriptor, database.page_size()):
                os.ftruncate(descriptor, 0)
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _find_descriptor(path: str) -> int:
    descriptor = find_descriptor(identify(path))
    if descriptor is None:
        raise FileNotFoundError
    return descriptor


def _is_zeros(path: str, descriptor: int, page: int) -> bool:
    """Return whether the file at ``path`` is a part of a first page, all of zeros, and nothing is beside it."""
    if any(os.path.lexists(os.path.realpath(path) + end) for end in BESIDE):
        return False
    data = os.pread(descriptor, page + 1, 0)
    return SECTOR <= len(data) <= page and len(data) % SECTOR == 0 and not any(data)
