"""Reads short values that tokens lead to, in the thread of an event loop: no request waits there for another's.

A worker with a connection of the pool takes four times as long for that: handing over to another thread and back, and what a
driver for any statement does. Here one statement is prepared once, and sent as soon as somebody asks, behind those that have
no answer yet (libpq calls that a pipeline). Whatever is out of the ordinary is left to the workers.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from struct import Struct
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, capabilities
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from ...store import Shared, choose_shared
from ..rates import Rates
from .database import Database
from .held import take_stored
from .merging import Version
from .rows import BY_TOKEN, hash_token, read_version

AT_ONCE: Final = 64
"""Questions without an answer on the connection; the workers have to do with further ones."""

PATIENCE: Final = 2.0
"""Seconds for which an answer is waited for; then the connection is given up."""

PAUSE: Final = 1.0
"""Seconds between two attempts to connect."""

_NAME: Final = "short_read"

_SQL: Final = BY_TOKEN.replace("%s", "$1", 1).replace("%s", "$2", 1)
"""With parameters as libpq has them."""

_BIGINT: Final = Struct(">q").unpack
_INTEGER: Final = Struct(">i").unpack
_BINARY: Final = 1


class ShortReads:
    """Finds short values in ``database``, over a connection of its own; for the thread of the event loop."""

    def __init__(
        self, database: Database, rates: Rates | None = None, *, patience: float = PATIENCE, pause: float = PAUSE
    ) -> None:
        self._database = database
        self._rates = rates or Rates()
        self._patience = patience
        self._pause = pause
        self._line: _Line | None = None

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """``async with`` the connection, as often as it has to be made anew."""
        task = asyncio.create_task(self._keep_connected()) if capabilities.has_pipeline() else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def find(self, store: UUID, token: str) -> Shared | None:
        """Return the version that a token is of, if its value is short; ``None``: look elsewhere.

        Raises:
            TooManyRequests: the store makes too many.
        """
        line = self._line
        if line is None or (asked := line.ask(store, token)) is None:
            return None
        found = [(version, most) for version, most in await asked if version.entry.url_token == token]
        shared = choose_shared(((version.entry, take_stored(version)) for version, _ in found), token)
        if not isinstance(shared, Shared) or shared.value.is_large:
            return None
        self._rates.count(store, found[0][1])
        return shared

    async def _keep_connected(self) -> None:
        while True:
            # The workers say what is wrong with the database, where somebody asks.
            with suppress(psycopg.Error, OSError):
                await self._serve()
            await asyncio.sleep(self._pause)

    async def _serve(self) -> None:
        """Connect, and return once the connection is of no use any more."""
        async with self._database.connected() as connection:
            await connection.execute(f"PREPARE {_NAME} AS {_SQL}")
            line = self._line = _Line(connection)
            try:
                await line.wait_until_lost(self._patience)
            finally:
                self._line = None
                line.close()


_Row = tuple[Version, int | None]
"""A version, and how many requests a second its store may make."""


class _Asked(NamedTuple):
    answer: asyncio.Future[Sequence[_Row]]
    since: float


class _Line:
    """A connection on which questions follow one another without waiting for answers."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._loop = asyncio.get_running_loop()
        self._pgconn = connection.pgconn
        self._pgconn.nonblocking = 1
        self._pgconn.enter_pipeline_mode()
        # libpq closes its own when the connection is lost, and the number is another's.
        self._socket = os.dup(self._pgconn.socket)
        self._asked: deque[_Asked] = deque()
        self._open = 0  # questions whose end has not come yet
        self._lost = self._loop.create_future()
        self._loop.add_reader(self._socket, self._read)

    def ask(self, store: UUID, token: str) -> asyncio.Future[Sequence[_Row]] | None:
        """Send a question; return what will be its answer, ``None`` if that would take too long. Without rows is no answer."""
        if len(self._asked) >= AT_ONCE or self._lost.done():
            return None
        asked = _Asked(self._loop.create_future(), self._loop.time())
        try:
            self._pgconn.send_query_prepared(
                _NAME.encode(), [store.bytes, hash_token(token)], [_BINARY, _BINARY], result_format=_BINARY
            )
            self._pgconn.pipeline_sync()
            self._flush()
        except psycopg.Error:
            self._lose()
            return None
        self._asked.append(asked)
        self._open += 1
        return asked.answer

    async def wait_until_lost(self, patience: float) -> None:
        """Return once the connection is lost, or an answer has not come for ``patience`` seconds."""
        while not self._lost.done():
            await asyncio.wait([self._lost], timeout=patience / 4)
            if self._asked and self._loop.time() - self._asked[0].since > patience:
                return

    def close(self) -> None:
        """End it; what has no answer gets one without rows."""
        self._lose()
        os.close(self._socket)
        while self._asked:
            self._answer([])

    def _lose(self) -> None:
        """Stop looking at a connection that is of no use, before somebody closes it."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        if not self._lost.done():
            self._lost.set_result(None)

    def _flush(self) -> None:
        if self._pgconn.flush():
            self._loop.add_writer(self._socket, self._write)

    def _write(self) -> None:
        try:
            if not self._pgconn.flush():
                self._loop.remove_writer(self._socket)
        except psycopg.Error:
            self._lose()

    def _read(self) -> None:
        try:
            self._pgconn.consume_input()
            while self._open and not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    continue  # between a result and the end of its question
                if result.status == ExecStatus.PIPELINE_SYNC:
                    self._open -= 1
                else:
                    self._answer(_read_rows(result) if result.status == ExecStatus.TUPLES_OK else [])
        except psycopg.Error:
            self._lose()

    def _answer(self, rows: Sequence[_Row]) -> None:
        answer, _ = self._asked.popleft()
        if not answer.done():  # its client may have left
            answer.set_result(rows)


def _read_rows(result: PGresult) -> list[_Row]:
    """Return the rows of a result in binary."""
    rows = [
        [read(result.get_value(row, column)) for column, read in enumerate(_COLUMNS)] for row in range(result.ntuples)
    ]
    return [(read_version(columns), most) for *columns, most in rows]


def _read_bigint(field: bytes | None) -> int | None:
    return None if field is None else int(_BIGINT(field)[0])


def _read_integer(field: bytes | None) -> int | None:
    return None if field is None else int(_INTEGER(field)[0])


def _read_text(field: bytes | None) -> str | None:
    return None if field is None else field.decode()


def _read_bytes(field: bytes | None) -> bytes | None:
    return field


_COLUMNS: Final[tuple[Callable[[bytes | None], Any], ...]] = (
    _read_text,
    _read_bigint,
    _read_bigint,
    _read_bigint,
    _read_bytes,
    _read_bigint,
    _read_integer,
    _read_bigint,
    _read_text,
    _read_text,
    _read_bigint,
    _read_bytes,
    _read_bigint,
    _read_bigint,
)
"""What reads the columns of ``_SQL``."""
