"""The SQLite file: opening, checking, transactions, and its errors in words."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

from ..errors import DamagedStore, DiskFull, KvassError
from ..store_errors import StoreReplaced
from .names import Names
from .presence import Presence
from .profile import COMMAND, Profile, undoing
from .reserve import RESERVE, Reserve
from .translation import ERRORS, translate_error
from .waiting import Waiting

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")

LOG_LIMIT = 4 * 1024 * 1024
"""Bytes beyond which the write-ahead log does not stay when nobody writes, or its content is in the database."""

QUIET_TIME = 1.0
"""Seconds without a transaction of a connection after which the next one sees to the log."""

CHANGE_SIZE = 128 * 1024
"""Bytes in the database that are enough for a small change, such as the removal of a key."""

FULL_TRIES = 5
"""Times that what makes room is tried again on a full disk, where the oldest revisions may go."""

CHECKPOINT_TIMEOUT = 20
"""Milliseconds for which a checkpoint keeps writers waiting until readers let go of the log."""


class Transaction:
    """``with`` one write transaction: committed at the end, rolled back on any exception.

    Transactions do not nest; entering one inside another joins it. On a full disk it has the room in reserve, unless it
    stores a value; that is restored afterwards.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._depth = 0
        self.spends = False
        """Whether it has the room in reserve, as the disk is full; also of the last one that has ended."""
        self._ended = 0.0
        self.number = 0
        """Counts the transactions of this connection: what is known within one does not hold in the next."""
        self.stores_value = False
        """Whether it makes the store hold more, which the room in reserve is not for; set inside it."""

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open, which entering would join."""
        return self._depth > 0

    def __enter__(self) -> None:
        if self._depth == 0:
            self._begin()
        self._depth += 1

    def _begin(self) -> None:
        if time.monotonic() - self._ended > QUIET_TIME:
            self._database.copy_kept_log()
        self._database.roll_back()  # what was left open because there was no memory to undo it
        self._database.presence.check()
        self._database.execute("BEGIN IMMEDIATE")
        self._database.note_lock()
        self.number += 1
        self.stores_value = False
        try:
            self.spends = self._database.spend_reserve_if_short()
        except BaseException:
            self._database.roll_back()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth:
            return
        try:
            if kind is None:
                self._database.cover_growth(RESERVE // 2 if self.spends and not self.stores_value else RESERVE)
                self._database.names.secure()
                self._database.execute("COMMIT")
        except KvassError as failed:
            error = failed
            raise
        finally:
            self._database.roll_back()
            self._ended = time.monotonic()
            if self.spends or isinstance(error, DiskFull):
                self._database.make_room(full=isinstance(error, DiskFull))


class Database:
    """One connection to the SQLite file at ``path``; for use by one thread."""

    def __init__(
        self,
        path: str,
        connection: sqlite3.Connection,
        patience: float = COMMAND.patience,
        reserve: Reserve | None = None,
    ) -> None:
        self.path = path
        self.connection = connection
        self.transaction = Transaction(self)
        self._run: Callable[..., sqlite3.Cursor] = connection.execute
        self._refuse: Callable[..., sqlite3.Cursor] | None = None
        self._profile = COMMAND
        self.presence = Presence(self)
        self.names = Names(self)
        self._waiting = Waiting(path, patience)
        self.note_lock = self._waiting.note_lock
        self._file = os.path.realpath(path)
        self._log = f"{self._file}-wal"
        self._reserve = reserve or Reserve(path)
        self.is_copy = False
        self.obstacle = ""
        """Why it can only be read, as it is then."""
        self.has_log = False
        """Whether changes are written to a write-ahead log first."""
        self._page_size = 0
        self.let_history_go: Callable[[int], bool] = lambda _: False
        """Let go of the oldest revisions, of so many bytes; returns whether there were any."""

    def execute(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Run one statement.

        Raises:
            StoreError: what SQLite reported, in words.
        """
        try:
            return self._run(sql, parameters)
        except ERRORS as error:
            return self._retry(error, sql, parameters)

    def _retry(
        self, error: sqlite3.Error | UnicodeDecodeError, sql: str, parameters: tuple[Any, ...]
    ) -> sqlite3.Cursor:
        return self._waiting.run_again(lambda: self._run(sql, parameters), error, self.connection)

    def row(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        """Return the first row, or ``None``."""
        try:
            return self._run(sql, parameters).fetchone()
        except ERRORS as error:
            return self._retry(error, sql, parameters).fetchone()

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
        except ERRORS as error:
            return self._retry(error, sql, parameters).fetchall()

    def iterate(self, sql: str, parameters: tuple[Any, ...] = ()) -> Generator[Any, None, None]:
        """Yield the rows one by one."""
        try:
            for row in self.execute(sql, parameters):  # noqa: UP028  `yield from` would close a cursor of a closed database
                yield row
        except ERRORS as error:
            raise translate_error(error, self.path) from error

    def execute_many(self, sql: str, parameters: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement for each tuple of parameters."""
        try:
            self.connection.executemany(sql, parameters)
        except ERRORS as error:
            raise translate_error(error, self.path) from error

    def stop(self, error: StoreReplaced) -> None:
        """Have every statement fail with ``error`` from now on; any thread may say so."""

        def refuse(*_: object) -> sqlite3.Cursor:
            raise error

        self._refuse = self._run = refuse

    def _undo(self) -> None:
        """Roll back; until that has succeeded, every statement does so first, and none sees what was not committed."""
        self._run = self._run_undone
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self._run = self.connection.execute
        if self._refuse is not None:  # perhaps only now, by another thread
            self._run = self._refuse

    def _run_undone(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        self._undo()
        return self._run(sql, parameters)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """``with`` everything read from one moment, and nothing written; not inside a transaction."""
        self.roll_back()
        self.execute("BEGIN")
        try:
            yield
        finally:
            self.roll_back()

    def roll_back(self) -> None:
        """Undo the open transaction, unless SQLite has done so itself, as after errors such as a full disk.

        Where that fails, as there is no memory for it, the next statement does it first, or fails as well.
        """
        try:
            if self.connection.in_transaction:
                try:
                    self._undo()
                except MemoryError:  # others wait for the lock: once more, as little is needed
                    self._undo()
        except ERRORS as error:  # or the connection is closed
            raise translate_error(error, self.path) from error

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
        if 0 < self._reserve.size() < RESERVE:
            self._reserve.restore(RESERVE)

    def _set_patience(self, seconds: float) -> None:
        self._waiting.patience = seconds
        self.rows(f"PRAGMA busy_timeout={int(self._waiting.slice * 1000)}")

    @contextmanager
    def waiting(self, seconds: float) -> Iterator[None]:
        """``with`` a wait of at most so many seconds for other processes."""
        before = self._waiting.patience
        self._set_patience(min(seconds, before))
        with undoing(lambda: self._set_patience(before)):
            yield

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
        with undoing(lambda: self.apply(before)):
            yield

    @contextmanager
    def durably(self) -> Iterator[None]:
        """``with`` commits that wait for the disk, whatever the profile says; not inside a transaction."""
        self._wait_for_disk(True)
        with undoing(lambda: self._wait_for_disk(self._profile.durable)):
            yield

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
        reader still needs the log, it is emptied another time. On a full disk it has the room in reserve.
        """
        self.presence.check()
        try:
            self._copy_log()
        except DiskFull:
            self._reserve.shorten(0)
            self._copy_log()
        finally:
            self._fit_reserve()

    def _copy_log(self) -> None:
        if not self.log_size():  # which also counts what a transaction wrote before it was rolled back
            return
        self.rows("PRAGMA wal_checkpoint(PASSIVE)")
        self.rows(f"PRAGMA busy_timeout={CHECKPOINT_TIMEOUT}")
        try:
            self.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._set_patience(self._profile.patience)

    def copy_kept_log(self) -> None:
        """Copy a large log, unless another connection sees to that."""
        if not self._profile.keeps_log and self.log_size() > LOG_LIMIT:
            with suppress(KvassError):
                self.checkpoint()

    # The room in reserve. It is changed within transactions, of which there is one at a time.

    def _growth(self) -> int:
        """Return the bytes by which the file grows once the log is copied, with what the transaction adds."""
        if not self.has_log:
            return 0
        self._page_size = self._page_size or self.page_size()
        try:
            return max(0, int(self.row("PRAGMA page_count")[0]) * self._page_size - os.stat(self._file).st_size)
        except FileNotFoundError:  # it was removed; what is open goes on as long as it is
            return 0

    def _fit_reserve(self) -> None:
        """Restore the reserve as far as there is room, and give back what is no longer needed of it."""
        with suppress(KvassError), self.waiting(0):  # who has the lock sees to it, or the next checkpoint
            self.execute("BEGIN IMMEDIATE")
            try:
                self._reserve.fit(self._growth() + RESERVE)
            finally:
                self.roll_back()

    def cover_growth(self, spare: int) -> None:
        """Have the room in advance that copying the log will take, and ``spare`` bytes: else a full disk could not be emptied.

        Raises:
            DiskFull: there is not as much.
        """
        if not self._reserve.cover(self._growth(), spare):
            raise DiskFull(self.path)

    def spend_reserve_if_short(self) -> bool:
        """Give the reserve, but for what the log needs, to the transaction that has begun, if there is no other room."""
        if not self._reserve.is_needed():
            return False
        self._reserve.shorten(self._growth())
        return True

    def make_room(self, *, full: bool) -> None:
        """Have the log copied and the reserve restored after a transaction that spent it, or found the disk ``full``."""
        if full:
            self._reserve.note_full()
        if self.has_log:
            with suppress(KvassError):
                self.checkpoint()

    def retry_when_full(self, work: Callable[[], T], *, removes: bool = False) -> T:
        """Return what ``work`` does, in a transaction that is tried again on a full disk, once the log is copied.

        Where it stores no value it has the room in reserve then. If that does not suffice and it ``removes`` something,
        the oldest revisions go. Inside another transaction ``work`` is done once, as a part of that.
        """
        if self.transaction.is_open:
            return work()
        for _ in range(FULL_TRIES if removes else 1):
            with suppress(DiskFull), self.transaction:
                return work()
            if self.transaction.spends and (self.free_size() >= CHANGE_SIZE or not self.let_history_go(CHANGE_SIZE)):
                break
        with self.transaction:
            return work()

    def page_size(self) -> int:
        """Return the bytes of a page."""
        return int(self.row("PRAGMA page_size")[0])

    def free_size(self) -> int:
        """Return the bytes of the pages that nothing uses."""
        return int(self.row("PRAGMA freelist_count")[0]) * self.page_size()

    def replace_room(self, size: int) -> None:
        """Let history go for a value of ``size`` bytes that has just become history: on a full disk, removing makes room."""
        if self.transaction.spends and not self.transaction.is_open:
            with suppress(KvassError):
                self.let_history_go(size)

    def data_version(self) -> int:
        """Return a number that changes when another connection commits."""
        return int(self.row("PRAGMA data_version")[0])
