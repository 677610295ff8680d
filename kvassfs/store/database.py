"""The SQLite file: opening, checking, transactions, and its errors in words."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from ..errors import (
    DamagedStore,
    DiskFull,
    KvassError,
    NewerStore,
    NotAStore,
    StoreBusy,
    StoreError,
    StoreUnavailable,
)
from .schema import APPLICATION_ID, VERSION

T = TypeVar("T")

BUSY_TIMEOUT = 60.0
"""Seconds that a transaction waits for those of other processes."""

JOURNAL_SIZE_LIMIT = 64 * 1024 * 1024
"""Bytes to which SQLite shortens the write-ahead log once its content is in the database."""

LONG_LOG_PAGES = 64 * 1024
"""Pages of 4 KiB in the write-ahead log beyond which a relaxed connection copies it (256 MiB)."""

BULK_CACHE = 8 * 1024
"""KiB of pages in memory where many entries are merged: their keys and tokens are in any order."""

BULK_LOG_PAGES = 16 * 1024
"""Pages in the write-ahead log beyond which a commit copies it into the database then (64 MiB)."""

RESERVE = 1024 * 1024
"""Bytes of the write-ahead log that programs which run long have before they need them, for when the disk is full."""

INSISTENCE = 5
"""Times that a small change is tried again on a full disk."""

INSISTENCE_PAUSE = 0.02
"""Seconds between them: a read from the log takes less."""

SEARCH_CACHE = 16 * 1024
"""KiB of pages in memory where tokens are looked up all the time: room for the upper levels of large indexes."""

CHECKPOINT_TIMEOUT = 20
"""Milliseconds for which a checkpoint keeps writers waiting until readers let go of the log."""

_ERRORS = (sqlite3.Error, UnicodeDecodeError)

_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
# Our statements fit the schema: an error in one, or a value of another type, is a damaged schema.
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH}
_UNAVAILABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def translated(error: sqlite3.Error | UnicodeDecodeError, path: str) -> KvassError:
    """Return the error to show for one of SQLite's.

    Result codes: https://sqlite.org/rescode.html; the low byte is the primary code.
    """
    if isinstance(error, UnicodeDecodeError) or "Could not decode to UTF-8" in str(error):
        return DamagedStore(path, "it holds text that is not UTF-8")
    code = getattr(error, "sqlite_errorcode", 0) or 0
    primary = code & 0xFF
    if code in _FULL or primary in _FULL:
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


class Transaction:
    """``with`` one write transaction: committed at the end, rolled back on any exception.

    Transactions do not nest; entering one inside another joins it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._depth = 0

    def __enter__(self) -> None:
        if self._depth == 0:
            self._database.execute("BEGIN IMMEDIATE")
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth:
            return
        try:
            if kind is None:
                self._database.execute("COMMIT")
        except KvassError as failed:
            error = failed
            raise
        finally:
            self._database.roll_back()
            if isinstance(error, DiskFull):
                self._database.rewind()


class Database:
    """One connection to the SQLite file at ``path``; for use by one thread."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection
        self.transaction = Transaction(self)
        self._run = connection.execute

    def execute(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Run one statement.

        Raises:
            StoreError: what SQLite reported, in words.
        """
        try:
            return self._run(sql, parameters)
        except _ERRORS as error:
            raise translated(error, self.path) from error

    def row(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        """Return the first row, or ``None``."""
        try:
            return self._run(sql, parameters).fetchone()
        except _ERRORS as error:
            raise translated(error, self.path) from error

    def only_row(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        """Return the row that a sound store has.

        Raises:
            DamagedStore: it is missing.
        """
        row = self.row(sql, parameters)
        if row is None:
            raise DamagedStore(self.path, "a part of it is missing")
        return row

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """Return all rows."""
        try:
            return self._run(sql, parameters).fetchall()
        except _ERRORS as error:
            raise translated(error, self.path) from error

    def iterate(self, sql: str, parameters: tuple[Any, ...] = ()) -> Iterator[Any]:
        """Yield the rows one by one."""
        try:
            for row in self._run(sql, parameters):  # noqa: UP028  `yield from` would close a cursor of a closed database
                yield row
        except _ERRORS as error:
            raise translated(error, self.path) from error

    def execute_many(self, sql: str, parameters: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement for each tuple of parameters."""
        try:
            self.connection.executemany(sql, parameters)
        except _ERRORS as error:
            raise translated(error, self.path) from error

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """``with`` everything read from one moment, and nothing written; not inside a transaction."""
        self.execute("BEGIN")
        try:
            yield
        finally:
            self.roll_back()

    def roll_back(self) -> None:
        """Undo the open transaction, unless SQLite has done so itself, as after errors such as a full disk."""
        if self.connection.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def _set_patience(self, seconds: float) -> None:
        self.rows(f"PRAGMA busy_timeout={int(seconds * 1000)}")

    def set_durable(self, durable: bool) -> None:
        """Choose whether a commit waits for the disk.

        ``True``: a commit has reached the disk (``synchronous=FULL``). ``False``: it survives the
        death of this process, and a power cut may undo the last ones but damages nothing.
        """
        self.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")

    @contextmanager
    def durably(self) -> Iterator[None]:
        """``with`` commits that wait for the disk, whatever was chosen."""
        durable = self.is_durable()
        self.set_durable(True)
        try:
            yield
        finally:
            self.set_durable(durable)

    def is_durable(self) -> bool:
        """Whether a commit waits for the disk."""
        return bool(self.row("PRAGMA synchronous")[0] == 2)

    def relax(self) -> None:
        """Commit without waiting for the disk, and leave checkpoints to another connection.

        For a mount, whose commits are many and whose ``fsync`` asks for the disk. Only a very long
        write-ahead log is still copied by the commit that made it so. On a full disk it has ``RESERVE``.
        """
        self.reserve()
        self.set_durable(False)
        self.rows(f"PRAGMA wal_autocheckpoint={LONG_LOG_PAGES}")

    def expect_many(self) -> None:
        """Be ready for many changes in random places: more pages in memory, and fewer checkpoints."""
        self.rows(f"PRAGMA cache_size=-{BULK_CACHE}")
        self.rows(f"PRAGMA wal_autocheckpoint={BULK_LOG_PAGES}")

    def expect_searches(self) -> None:
        """Be ready for many look-ups in random places, none of which waits for other processes."""
        self.rows(f"PRAGMA cache_size=-{SEARCH_CACHE}")
        self._set_patience(0)

    def log_size(self) -> int:
        """Return the size of the write-ahead log in bytes."""
        try:
            return os.stat(os.path.realpath(self.path) + "-wal").st_size
        except FileNotFoundError:
            return 0

    def checkpoint(self) -> None:
        """Copy what the write-ahead log holds into the database, and empty it.

        Most is copied beside what other connections do; writers wait only while the rest is. Where a
        reader still needs the log, it is emptied another time.
        """
        _, frames, _ = self.row("PRAGMA wal_checkpoint(PASSIVE)")
        if frames == 0:
            return
        self.rows(f"PRAGMA busy_timeout={CHECKPOINT_TIMEOUT}")
        try:
            self.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._set_patience(BUSY_TIMEOUT)
        self.reserve()

    def reserve(self) -> None:
        """Have ``RESERVE`` bytes of the write-ahead log on the disk in advance.

        With them, values can be removed when there is no other space, and large ones be read, which is noted. Where
        they can't be had, it goes without.
        """
        with suppress(OSError):
            log = os.open(os.path.realpath(self.path) + "-wal", os.O_WRONLY)  # not a file with locks, as the others are
            try:
                os.posix_fallocate(log, 0, RESERVE)
            finally:
                os.close(log)

    def rewind(self) -> None:
        """Let the next transaction overwrite the write-ahead log, if all of it can be copied and no reader needs it."""
        with suppress(KvassError):
            self.rows("PRAGMA wal_checkpoint(PASSIVE)")

    def insisting(self, work: Callable[[], T]) -> T:
        """Return what ``work`` does, in a transaction that is tried again where it found no space.

        There may be some in the log, as soon as nobody reads from it.
        """
        for _ in range(INSISTENCE):
            try:
                with self.transaction:
                    return work()
            except DiskFull:
                time.sleep(INSISTENCE_PAUSE)
        with self.transaction:
            return work()

    def data_version(self) -> int:
        """Return a number that changes when another connection commits."""
        return int(self.row("PRAGMA data_version")[0])


def connect(
    path: str,
    *,
    initialise: Callable[[Database], None],
    take_over: Callable[[Database], None],
    upgrade: Callable[[Database], None],
    alone_if_full: bool = False,
) -> Database:
    """Open the database at ``path``, made with mode 0600 if it is missing.

    ``initialise`` fills an empty one, ``take_over`` converts one of the original program, ``upgrade`` one of an
    earlier version of this one.

    With ``alone_if_full``, one on a disk without any space is opened too, to read from it; as long as it is open, no
    other process can.

    Raises:
        StoreUnavailable, NotAStore, NewerStore, DamagedStore, DiskFull: the file is as it was.
    """
    prepare = partial(_prepare, initialise=initialise, take_over=take_over, upgrade=upgrade)
    _ensure_file(path)
    try:
        return _connected(path, prepare)
    except DiskFull:
        if not alone_if_full:
            raise

    def prepare_alone(database: Database) -> None:
        # Processes share an index of the write-ahead log in a file, for which there is no room; it is in memory then.
        # https://sqlite.org/wal.html#use_of_wal_without_shared_memory
        database.rows("PRAGMA locking_mode=EXCLUSIVE")
        prepare(database)

    return _connected(path, prepare_alone)


def _connected(path: str, prepare: Callable[[Database], None]) -> Database:
    try:
        connection = sqlite3.connect(
            os.path.abspath(path), timeout=BUSY_TIMEOUT, isolation_level=None, cached_statements=256
        )
    except sqlite3.Error as error:
        raise translated(error, path) from error
    database = Database(path, connection)
    try:
        prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def _ensure_file(path: str) -> None:
    """Make the file if it is missing.

    One that is there is not opened: closing a descriptor of it would drop the locks that other
    connections of this process hold on it. https://sqlite.org/howtocorrupt.html, section 2.2.
    """
    try:
        os.close(os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        return
    except FileExistsError:
        pass
    except OSError as error:
        raise StoreUnavailable(path, (error.strerror or str(error)).lower()) from error
    if os.path.isdir(path):
        raise StoreUnavailable(path, "it is a directory")
    if not os.access(path, os.R_OK | os.W_OK):
        raise StoreUnavailable(path, "permission denied")
    if os.path.getsize(path) == 1:
        # SQLite takes a file of one byte for an empty one.
        raise NotAStore(path)


def _prepare(
    database: Database,
    *,
    initialise: Callable[[Database], None],
    take_over: Callable[[Database], None],
    upgrade: Callable[[Database], None],
) -> None:
    kind = identify(database)
    if kind == "empty":
        with suppress(OSError):  # the file of somebody else, who lets us write it
            os.chmod(database.path, 0o600)
    if kind == "original":
        take_over(database)
    _set_wal(database)
    database.rows(f"PRAGMA journal_size_limit={JOURNAL_SIZE_LIMIT}")
    database.set_durable(True)
    if kind == "empty":
        initialise(database)
    elif kind == "earlier":
        upgrade(database)


def _set_wal(database: Database) -> None:
    """Switch to a write-ahead log; SQLite does not itself wait for others that do so just now."""
    patience = BUSY_TIMEOUT
    while True:
        try:
            database.rows("PRAGMA journal_mode=WAL")
            return
        except StoreBusy:
            if patience <= 0:
                raise
        time.sleep(0.02)
        patience -= 0.02


def identify(database: Database) -> str:
    """Return ``"kvassfs"``, ``"earlier"`` (of this program), ``"original"`` or ``"empty"``.

    Raises:
        NotAStore, NewerStore: it is something else.
    """
    # All from one moment: another process may be making or taking over the store.
    with database.snapshot():
        application_id = database.row("PRAGMA application_id")[0]
        version = database.row("PRAGMA user_version")[0]
        tables = {name for (name,) in database.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if application_id == APPLICATION_ID:
        if version > VERSION:
            raise NewerStore(database.path, version)
        return "kvassfs" if version == VERSION else "earlier"
    if application_id == 0 and version == 0:
        if not tables:
            return "empty"
        if {"entries", "state"} <= tables:
            return "original"
    raise NotAStore(database.path)
