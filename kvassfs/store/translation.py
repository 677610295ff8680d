"""The errors of SQLite and of the system in words."""

from __future__ import annotations

import errno
import os
import sqlite3

from ..errors import DamagedStore, DiskFull, KvassError, NotAStore, StoreBusy, StoreError, StoreUnavailable
from ..store_errors import ReadOnlyStore, SystemRefused
from .access import find_obstacle
from .reserve import FULL, Reserve

ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What running a statement raises."""

_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
_NO_MEMORY = {sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_IOERR_NOMEM}
# Our statements fit the schema: an error in one, or a value of another type, is a damaged schema.
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH}
_UNAVAILABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# SQLite keeps to itself what the system said; it is asked again for something like it.
_OF_THE_SYSTEM = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}

_REFUSED = {*FULL, *SystemRefused.REMEDIES, errno.EROFS}
"""The errnos that tell what is to be done."""


def translate_error(error: sqlite3.Error | UnicodeDecodeError, path: str) -> KvassError:
    """Return the error to show for one of SQLite's.

    Result codes: https://sqlite.org/rescode.html; the low byte is the primary code.
    """
    if isinstance(error, UnicodeDecodeError) or "Could not decode to UTF-8" in str(error):
        return DamagedStore(path, "it holds text that is not UTF-8")
    code = getattr(error, "sqlite_errorcode", 0) or 0
    primary = code & 0xFF
    if refusal := _find_refusal(code, path):
        return refusal
    if primary in _DAMAGED:
        return DamagedStore(path, str(error))
    if primary == sqlite3.SQLITE_NOTADB:
        is_known = os.path.exists(f"{os.path.realpath(path)}-reserve")  # what lies beside each store
        return DamagedStore(path, "it does not begin as one") if is_known else NotAStore(path)
    if primary in _BUSY:
        return StoreBusy(path)
    if primary in _UNAVAILABLE:
        return StoreUnavailable(path, str(error))
    return StoreError(path, f"the database {path} failed: {error}")


def _find_refusal(code: int, path: str) -> StoreError | None:
    """Return the error to show for what the system refuses, as far as that can be told."""
    for number, codes in ((errno.ENOSPC, _FULL), (errno.ENOMEM, _NO_MEMORY)):
        if code in codes or code & 0xFF in codes:
            return _refusal(number, path)
    number = Reserve(path).probe() if code & 0xFF in _OF_THE_SYSTEM else 0
    if number in _REFUSED:
        return _refusal(number, path)
    if code & 0xFF == sqlite3.SQLITE_READONLY and (obstacle := find_obstacle(path)):
        return ReadOnlyStore(path, obstacle)
    return None


def _refusal(number: int, path: str) -> StoreError:
    if number == errno.EROFS:
        return ReadOnlyStore(path, "its disk is read-only")
    return DiskFull(path) if number in FULL else SystemRefused(path, number)


def translate_os_error(error: OSError, path: str) -> StoreError:
    """Return the error to show for what the system said of the database or its directory."""
    number = error.errno or 0
    if number in _REFUSED:
        return _refusal(number, path)
    return StoreError(path, f"the database {path} failed: {(error.strerror or str(error)).lower()}")
