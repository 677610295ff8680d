"""Errors of SQLite in words."""

from __future__ import annotations

import sqlite3

from ..errors import (
    DamagedStore,
    DiskFull,
    KvassError,
    NotAStore,
    StoreBusy,
    StoreError,
    StoreUnavailable,
)
from .reserve import Reserve

ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What a statement raises that fails, or finds text that is none."""

_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
# Our statements fit the schema: an error in one, or a value of another type, is a damaged schema.
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH}
_UNAVAILABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def translate_error(error: sqlite3.Error | UnicodeDecodeError, path: str) -> KvassError:
    """Return the error to show for one of SQLite's.

    Result codes: https://sqlite.org/rescode.html; the low byte is the primary code.
    """
    if isinstance(error, UnicodeDecodeError) or "Could not decode to UTF-8" in str(error):
        return DamagedStore(path, "it holds text that is not UTF-8")
    code = getattr(error, "sqlite_errorcode", 0) or 0
    primary = code & 0xFF
    if code in _FULL or primary in _FULL:
        return DiskFull(path)
    if primary == sqlite3.SQLITE_IOERR and not Reserve(path).can_extend():  # SQLite does not know of quotas
        return DiskFull(path)
    if primary in _DAMAGED:
        return DamagedStore(path, str(error))
    if primary == sqlite3.SQLITE_NOTADB:
        return NotAStore(path)
    if primary in _BUSY:
        return StoreBusy(path)
    if primary in _UNAVAILABLE:
        return StoreUnavailable(path, str(error))
    return StoreError(path, f"the database {path} failed: {error}")
