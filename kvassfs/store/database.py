"""The SQLite file: opening, checking, transactions, and its errors in words."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from ..errors import (
    DamagedStore,
    DiskFull,
    KvassError,
    NotAStore,
    StoreBusy,
    StoreError,
    StoreUnavailable,
)

T = TypeVar("T")

BUSY_TIMEOUT = 60.0
"""Seconds that a transaction waits for those of other processes."""

JOURNAL_SIZE_LIMIT = 64 * 1024 * 1024
"""Bytes to which SQLite shortens the write-ahead log once its content is in the database."""

RESERVE = 1024 * 1024
"""Bytes of the write-ahead log that programs which run long have before they need them, for when the disk is full."""

FULL_TRIES = 5
"""Times that a small change is tried again on a full disk."""

FULL_PAUSE = 0.02
"""Seconds between them: a read from the log takes less."""

CHECKPOINT_TIMEOUT = 20
"""Milliseconds for which a checkpoint keeps writers waiting until readers let go of the log."""


class Profile(NamedTuple):
    """How a connection waits for the disk and for other processes, and what it keeps in memory.

    Chosen where a store is opened, by what it is opened for.

    Attributes:
        durable: a commit has reached the disk (``synchronous=FULL``). Otherwise it survives the death of this process,
            and a power cut may undo the last ones but damages nothing.
        cache: KiB of the database's pages in memory.
        log_pages: pages of 4 KiB in the write-ahead log beyond which a commit copies it into the database.
        reserves: it has ``RESERVE`` bytes of the write-ahead log in advance, for when the disk is full.
        patience: seconds that a transaction waits for those of other processes.
    """

    durable: bool = True
    cache: int = 2 * 1024
    log_pages: int = 1000
    reserves: bool = False
    patience: float = BUSY_TIMEOUT


COMMAND = Profile()
"""For a command: what it reports as done has reached the disk."""

MOUNT = Profile(durable=False, log_pages=64 * 1024, reserves=True)
"""For a mount, whose commits are many and whose ``fsync`` asks for the disk; another connection does the checkpoints."""

BULK = Profile(durable=False, cache=8 * 1024, log_pages=16 * 1024)
"""For merging many entries, whose keys and tokens are in any order, and which can be had again."""

FOLLOWER = BULK._replace(reserves=True)
"""For a process that keeps the store in step with the hub: what is pushed is on the disk first, by ``Store.flush``."""

HUB = FOLLOWER._replace(durable=True)
"""For a hub: what it has acknowledged has reached the disk."""

SHARING = Profile(durable=False, reserves=True)
"""For giving out shared values: what is noted while one is read need not outlive this process."""

SEARCHES = SHARING._replace(cache=16 * 1024, patience=0)
"""For many look-ups in random places, none of which waits for other processes: upper levels of indexes in memory."""

_ERRORS = (sqlite3.Error, UnicodeDecodeError)

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
        self.number = 0
        """Counts the transactions of this connection: what is known within one does not hold in the next."""

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open, which entering would join."""
        return self._depth > 0

    def __enter__(self) -> None:
        if self._depth == 0:
            self._database.execute("BEGIN IMMEDIATE")
            self.number += 1
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
        self._profile = COMMAND
        self._log = os.path.realpath(path) + "-wal"

    def execute(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Run one statement.

        Raises:
            StoreError: what SQLite reported, in words.
        """
        try:
            return self._run(sql, parameters)
        except _ERRORS as error:
            raise translate_error(error, self.path) from error

    def row(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        """Return the first row, or ``None``."""
        try:
            return self._run(sql, parameters).fetchone()
        except _ERRORS as error:
            raise translate_error(error, self.path) from error

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
            raise translate_error(error, self.path) from error

    def iterate(self, sql: str, parameters: tuple[Any, ...] = ()) -> Iterator[Any]:
        """Yield the rows one by one."""
        try:
            for row in self._run(sql, parameters):  # noqa: UP028  `yield from` would close a cursor of a closed database
                yield row
        except _ERRORS as error:
            raise translate_error(error, self.path) from error

    def execute_many(self, sql: str, parameters: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement for each tuple of parameters."""
        try:
            self.connection.executemany(sql, parameters)
        except _ERRORS as error:
            raise translate_error(error, self.path) from error

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

    def apply(self, profile: Profile) -> None:
        """Wait for the disk and for other processes as ``profile`` says from now on; not inside a transaction."""
        self._profile = profile
        self._wait_for_disk(profile.durable)
        self._set_patience(profile.patience)
        self.rows(f"PRAGMA cache_size=-{profile.cache}")
        self.rows(f"PRAGMA wal_autocheckpoint={profile.log_pages}")

    @contextmanager
    def using(self, profile: Profile) -> Iterator[None]:
        """``with`` another profile, which ends with the block; not inside a transaction."""
        before = self._profile
        self.apply(profile)
        with self._undoing(lambda: self.apply(before)):
            yield

    @contextmanager
    def durably(self) -> Iterator[None]:
        """``with`` commits that wait for the disk, whatever the profile says; not inside a transaction."""
        self._wait_for_disk(True)
        with self._undoing(lambda: self._wait_for_disk(self._profile.durable)):
            yield

    @contextmanager
    def _undoing(self, undo: Callable[[], None]) -> Iterator[None]:
        """``with`` something that ``undo`` ends; where the block fails, its error is not hidden by one of ``undo``."""
        try:
            yield
        except BaseException:
            with suppress(KvassError):
                undo()
            raise
        undo()

    def _wait_for_disk(self, durable: bool) -> None:
        self.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")

    def log_size(self) -> int:
        """Return the size of the write-ahead log in bytes."""
        try:
            return os.stat(self._log).st_size
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
            self._set_patience(self._profile.patience)
        self.reserve()

    def reserve(self) -> None:
        """Have ``RESERVE`` bytes of the write-ahead log on the disk in advance.

        With them, values can be removed when there is no other space, and large ones be read, which is noted. Where
        they can't be had, it goes without.
        """
        with suppress(OSError):
            log = os.open(self._log, os.O_WRONLY)  # not a file with locks, as the others are
            try:
                os.posix_fallocate(log, 0, RESERVE)
            finally:
                os.close(log)

    def rewind(self) -> None:
        """Let the next transaction overwrite the write-ahead log, if all of it can be copied and no reader needs it."""
        with suppress(KvassError):
            self.rows("PRAGMA wal_checkpoint(PASSIVE)")

    def retry_when_full(self, work: Callable[[], T]) -> T:
        """Return what ``work`` does, in a transaction that is tried again where it found no space.

        There may be some in the log, as soon as nobody reads from it. Inside another transaction ``work`` is done
        once, as a part of that.
        """
        if self.transaction.is_open:
            return work()
        for _ in range(FULL_TRIES):
            try:
                with self.transaction:
                    return work()
            except DiskFull:
                time.sleep(FULL_PAUSE)
        with self.transaction:
            return work()

    def data_version(self) -> int:
        """Return a number that changes when another connection commits."""
        return int(self.row("PRAGMA data_version")[0])
