"""A database that can only be read: on a read-only disk, or another user's. Nothing is made or changed beside it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from ..errors import DamagedStore, StoreError, StoreUnavailable
from ..store_errors import ReadOnlyStore, StoreChanged
from .access import Way, list_ways, sign
from .database import Database, Transaction
from .profile import COMMAND
from .reserve import NoReserve
from .translation import translate_error

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")

TRIES = 5
"""Times that what others have changed meanwhile is read again, from the beginning."""

ROWS = 64
"""Rows that are read at a time while files are watched, with a block each in the largest case."""


class _NoTransaction(Transaction):
    """Is refused."""

    def __enter__(self) -> None:
        raise ReadOnlyStore(self._database.path, self._database.obstacle)


class ReadOnlyDatabase(Database):
    """One connection to a database that is only read, and why: ``obstacle``.

    What is written to it raises ReadOnlyStore. Where others cannot be told that it is read (see ``Way``), its files are
    looked at after each read: if they have changed it is opened anew, and read again.
    """

    def __init__(self, path: str, obstacle: str, *, patience: float = COMMAND.patience) -> None:
        self._patience = patience
        self._seen = sign(path)
        connection, self._way = connect_to_read(path, patience=patience)
        super().__init__(path, connection, patience, NoReserve(path))
        self.obstacle = obstacle
        self.transaction = _NoTransaction(self)
        self._opened = 0

    def _is_changed(self) -> bool:
        return not self._way.locks and sign(self.path) != self._seen

    def _open_anew(self) -> None:
        if self.connection.in_transaction:
            raise StoreChanged(self.path)
        self._seen = sign(self.path)
        before = self.connection
        self.connection, self._way = connect_to_read(self.path, patience=self._patience)
        self._run = self.connection.execute
        self._opened += 1
        before.close()
        self.apply(self._profile)

    def _read(self, read: Callable[[], T]) -> T:
        """Return what ``read`` returns, all of which was there at one moment."""
        for _ in range(TRIES):
            try:
                result = read()
            except DamagedStore:  # or half of what others have just written
                if not self._is_changed():
                    raise
            else:
                if not self._is_changed():
                    return result
            self._open_anew()
        raise StoreChanged(self.path)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """``with`` everything read from one moment.

        Raises:
            StoreChanged: it cannot be had any more.
        """
        if self._is_changed():
            self._open_anew()
        with super().snapshot():
            yield

    def row(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        """Return the first row, or ``None``."""
        row = super().row
        return self._read(lambda: row(sql, parameters))

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """Return all rows."""
        rows = super().rows
        return self._read(lambda: rows(sql, parameters))

    def iterate(self, sql: str, parameters: tuple[Any, ...] = ()) -> Generator[Any, None, None]:
        """Yield the rows one by one.

        Raises:
            StoreChanged: the rest cannot be had as it was when the first one was read.
        """
        if self._is_changed():
            self._open_anew()
        cursor, opened = self.execute(sql, parameters), self._opened
        while True:
            try:
                rows = cursor.fetchmany(ROWS)
            except (sqlite3.Error, UnicodeDecodeError) as error:
                raise translate_error(error, self.path) from error
            if opened != self._opened or self._is_changed():
                raise StoreChanged(self.path)
            if not rows:
                return
            yield from rows

    def retry_when_full(self, work: Callable[[], T], *, removes: bool = False) -> T:
        """Return what ``work`` does; what it would only hold for others (see ``Holds``) is not held."""
        del removes
        return work()

    def checkpoint(self) -> None:
        """Leave the log as it is."""

    def data_version(self) -> int:
        """Return a number that changes when others commit."""
        if self._is_changed():
            self._open_anew()
        return (self._opened << 32) + super().data_version()


class TemporaryDatabase(Database):
    """A private copy of a database of an earlier version that can only be read, to be brought to this version.

    It has no name, and is gone with the process whatever becomes of that. ``protect`` ends the time of writing.
    """

    def __init__(self, original: ReadOnlyDatabase, obstacle: str) -> None:
        connection = sqlite3.connect("", isolation_level=None, cached_statements=256)
        super().__init__(original.path, connection, reserve=NoReserve(original.path))
        self.is_copy = True
        self._obstacle = obstacle
        try:
            with original.snapshot():
                original.row("SELECT count(*) FROM sqlite_schema")
                original.connection.backup(connection)
                original.row("SELECT count(*) FROM sqlite_schema")
        except sqlite3.Error as error:
            raise translate_error(error, original.path) from error

    def protect(self) -> None:
        """Have it only read from now on."""
        self.rows("PRAGMA query_only=ON")
        self.obstacle = self._obstacle
        self.transaction = _NoTransaction(self)

    def checkpoint(self) -> None:
        """Leave it as it is: there is no log."""


def connect_to_read(path: str, *, patience: float) -> tuple[sqlite3.Connection, Way]:
    """Connect to the database at ``path``, without making a file beside it; return how that is done.

    Raises:
        StoreError: it cannot be read.
    """
    from urllib.parse import quote  # noqa: PLC0415  few need it

    file = os.path.realpath(path)
    failure: StoreError | None = None
    for way in list_ways(path):
        connection = None
        try:
            address = f"file:{quote(os.fsencode(file))}?{way.parameters}"
            connection = sqlite3.connect(
                address, uri=True, timeout=patience, isolation_level=None, cached_statements=256
            )
            if way.alone:
                connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            return connection, way
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            failure = _explain(error, path)
    assert failure is not None, "there is at least one way"
    raise failure


def _explain(error: sqlite3.Error, path: str) -> StoreError:
    log = f"{os.path.realpath(path)}-wal"
    if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK:
        return StoreUnavailable(path, "a change of it was cut off, which the next program undoes that may write it")
    if os.path.exists(log) and not os.access(log, os.R_OK):
        return StoreUnavailable(path, f"this user may not read {log}, which has its latest changes")
    translated = translate_error(error, path)
    return translated if isinstance(translated, StoreError) else StoreUnavailable(path, str(translated))
