"""Connections to the PostgreSQL server: a pool, the transactions of one thread, and errors in words."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final, TypeVar

import psycopg
from psycopg import AsyncConnection, Connection, errors
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from ...errors import DiskFull, StoreError
from ..errors import DatabaseUnreachable, NewerSchema
from . import schema

T = TypeVar("T")

CONNECTIONS: Final = 8
"""Connections of a process at most: one for each thread that works on stores."""

PATIENCE: Final = 10.0
"""Seconds for which a request waits for a connection."""

TRUSTED: Final = 1.0
"""Seconds since its last use within which a connection is taken to be sound."""

ANSWER_TIME: Final = 30.0
"""Seconds that a statement of a request may take: far more than any does, but for one that waits for another writer."""

RECONNECTING: Final = 2.0
"""Seconds for which one attempt to connect is repeated, less and less often; the next request begins another one."""

TRIES: Final = 5
"""How often a transaction is tried that the server gives up in favour of another."""

OPTIONS: Final = {
    "application_name": "kvassfs",
    "connect_timeout": round(PATIENCE),
    "tcp_user_timeout": round(PATIENCE * 1000),
    "keepalives_idle": round(PATIENCE),
    "keepalives_interval": 3,
    "keepalives_count": 3,
}
"""Of each connection, where its URL says nothing else: a machine that has gone without a word is given up in seconds."""

SETTINGS: Final = {
    # Else the server plans most statements anew each time: a plan for any store names all partitions, and so looks dear
    # to it, though only one of them is touched.
    "plan_cache_mode": "force_generic_plan",
    # A machine that goes without a word inside a transaction keeps no store locked.
    "idle_in_transaction_session_timeout": f"{PATIENCE * 6:.0f}s",
}
"""What is set on each connection of the pool."""

# What the pool says of its attempts to connect, where that is of interest a request says it, without the details.
logging.getLogger("psycopg").setLevel(logging.CRITICAL)

_GIVEN_UP = (errors.SerializationFailure, errors.DeadlockDetected)


def _check_unless_used(trusted: float, connection: Connection[Any]) -> None:
    """Raise an error if a connection is broken; one that was used a moment ago is not asked, as that takes a round trip."""
    now = time.monotonic()
    if now - getattr(connection, "kvassfs_used", -math.inf) >= trusted:
        ConnectionPool.check_connection(connection)
    connection.kvassfs_used = now  # type: ignore[attr-defined]


_SET_UP: Final = "SELECT " + ", ".join(f"set_config('{name}', '{value}', false)" for name, value in SETTINGS.items())


def _set_up(connection: Connection[Any]) -> None:
    connection.execute(_SET_UP)


class _Bounded(Connection[Any]):
    """A connection that is given up when the server has not answered for ``answer_time`` seconds, as one that hangs."""

    answer_time = math.inf

    def wait(self, gen: PQGen[T], *arguments: Any, **options: Any) -> T:
        """Return what a call to the server returns."""
        try:
            return super().wait(_limit(gen, self.answer_time), *arguments, **options)
        except _NoAnswer:
            self.close()
            raise


def _bound(seconds: float) -> type[_Bounded]:
    """Return the class of connections whose server has to answer within ``seconds``."""

    class Bounded(_Bounded):
        answer_time = seconds

    return Bounded


class _NoAnswer(psycopg.OperationalError):
    """The server has not answered in time."""


def _limit(gen: PQGen[T], seconds: float) -> PQGen[T]:
    """Do as a call to the server that psycopg waits for, but not for longer than ``seconds``."""
    begin = time.monotonic()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() - begin > seconds:
                raise _NoAnswer(f"no answer within {seconds:g} s")
            wanted = gen.send(ready)
    except StopIteration as ended:
        value: T = ended.value
        return value


class Database:
    """The database at a URL, with at most ``connections`` connections; for any number of threads. Open it first.

    One that was not used for ``trusted`` seconds is tried before it is used: the server may have been another one meanwhile.
    A server that takes more than ``answer_time`` seconds for a statement is taken to hang.
    """

    def __init__(
        self,
        url: str,
        *,
        connections: int = CONNECTIONS,
        patience: float = PATIENCE,
        trusted: float = TRUSTED,
        answer_time: float = math.inf,
    ) -> None:
        self.address = describe_url(url)
        self._url = url
        self._options = _choose_options(url)
        self._class = _bound(answer_time)
        self._pool: ConnectionPool[Connection[Any]] = ConnectionPool(
            url,
            connection_class=self._class,
            min_size=0,
            max_size=connections,
            open=False,
            timeout=patience,
            reconnect_timeout=RECONNECTING,
            kwargs={"autocommit": True, **self._options},
            configure=_set_up,
            check=partial(_check_unless_used, trusted),
        )

    def open(self) -> None:
        """Connect, and make or check the schema.

        Raises:
            DatabaseUnreachable, NewerSchema
        """
        if _split_url(self._url) is None:  # psycopg's own message shows what it stumbles over
            raise DatabaseUnreachable(
                self.address, "its URL cannot be read; write / : @ % ? # in a password as %2F %3A %40 %25 %3F %23"
            )
        with self.translating():
            with self.connect() as connection:
                prepare_schema(connection, self.address)
            self._pool.open()

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def count_connections(self) -> dict[str, float]:
        """Return how many connections there are, are free, and are waited for."""
        found = self._pool.get_stats()
        return {
            "database_connections": found.get("pool_size", 0),
            "database_connections_free": found.get("pool_available", 0),
            "database_requests_waiting": found.get("requests_waiting", 0),
        }

    def connect(self) -> Connection[Any]:
        """Return a connection of its own, beside the pool.

        Raises:
            DatabaseUnreachable
        """
        with self.translating():
            return self._class.connect(self._url, autocommit=True, **self._options)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[AsyncConnection[Any]]:
        """``async with`` a connection of its own for an event loop; what the server reports is raised as it is."""
        connection = await AsyncConnection.connect(self._url, autocommit=True, **self._options)
        try:
            await connection.execute(_SET_UP)
            yield connection
        finally:
            await connection.close()

    @contextmanager
    def connection(self) -> Iterator[Connection[Any]]:
        """``with`` a connection of the pool, on which each statement commits by itself.

        Raises:
            StoreError: what the server reported, in words.
        """
        with self.translating(), self._pool.connection() as connection:
            yield connection

    @contextmanager
    def translating(self) -> Iterator[None]:
        """``with`` what the server reports raised as a StoreError, but for what is worth another try."""
        try:
            yield
        except _GIVEN_UP:
            raise
        except psycopg.Error as error:
            raise translate_error(error, self.address) from error


@contextmanager
def open_database(url: str, *, connections: int = CONNECTIONS, answer_time: float = math.inf) -> Iterator[Database]:
    """``with`` the database at a URL.

    Raises:
        DatabaseUnreachable, NewerSchema
    """
    database = Database(url, connections=connections, answer_time=answer_time)
    database.open()
    try:
        yield database
    finally:
        database.close()


def translate_error(error: psycopg.Error, address: str) -> StoreError:
    """Return what the server reported, in words."""
    if isinstance(error, errors.DiskFull):
        return DiskFull(address)
    if isinstance(error, PoolTimeout):
        return DatabaseUnreachable(address, "no connection became free in time, or it cannot be reached")
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return DatabaseUnreachable(address, lines[0])


def describe_url(url: str) -> str:
    """Return the URL as it may be shown and logged: without user, password and parameters."""
    scheme = url.partition(":")[0]
    parts = _split_url(url)
    if parts is None:
        return f"{scheme}://…"
    hosts, ports, name = parts
    places = [_describe_place(host, port) for host, port in zip(hosts, ports * len(hosts), strict=False)]
    return f"{scheme}://{','.join(places)}/{name}"


def _choose_options(url: str) -> dict[str, Any]:
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        given = {}
    return {name: value for name, value in OPTIONS.items() if name not in given}


def _describe_place(host: str, port: str) -> str:
    host = "" if host.startswith("/") else f"[{host}]" if ":" in host else host
    return f"{host}:{port}" if port else host


def _split_url(url: str) -> tuple[list[str], list[str], str] | None:
    """Return hosts, ports and the database's name; ``None`` where any of that may be a part of the password."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return None
    hosts, ports, name = (str(parts.get(part, "")) for part in ("host", "port", "dbname"))
    if "@" in hosts + name or ports.strip("0123456789,"):
        return None
    return hosts.split(","), ports.split(","), name


class Session:
    """One thread's way to the database: it has a connection only for as long as a statement or a transaction takes."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._open: Connection[Any] | None = None

    @contextmanager
    def connection(self) -> Iterator[Connection[Any]]:
        """``with`` the connection of the open transaction, or else one on which each statement commits by itself."""
        if self._open is not None:
            yield self._open
            return
        with self.database.connection() as connection:
            yield connection

    def run(self, work: Callable[[Connection[Any]], T]) -> T:
        """Return what ``work`` does in one transaction; inside another one, as a part of that.

        Where the server gives it up in favour of another transaction, it is tried again.

        Raises:
            StoreError: among others, it is not known whether it was committed.
        """
        if self._open is not None:
            return work(self._open)
        for _ in range(TRIES - 1):
            try:
                return self._run_once(work)
            except _GIVEN_UP:
                continue
        try:
            return self._run_once(work)
        except _GIVEN_UP as error:
            raise translate_error(error, self.database.address) from error

    def _run_once(self, work: Callable[[Connection[Any]], T]) -> T:
        with self.database.connection() as connection, connection.transaction():
            self._open = connection
            try:
                return work(connection)
            finally:
                self._open = None


def prepare_schema(connection: Connection[Any], address: str) -> None:
    """Make the schema in an empty database, or bring it up to date; of several processes, one does.

    Raises:
        NewerSchema: a later program has.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (schema.LOCK,))
        connection.execute(schema.VERSIONS)
        row = connection.execute("SELECT max(version) FROM hub_schema").fetchone()
        version = None if row is None else row[0]
        if version is not None and version > schema.VERSION:
            raise NewerSchema(address, version)
        statements = schema.list_statements() if version is None else []
        for earlier in range(version or schema.VERSION, schema.VERSION):
            statements += schema.MIGRATIONS[earlier]
        for statement in statements:
            connection.execute(statement)
        if statements:
            connection.execute("DELETE FROM hub_schema")
            connection.execute("INSERT INTO hub_schema VALUES (%s)", (schema.VERSION,))
