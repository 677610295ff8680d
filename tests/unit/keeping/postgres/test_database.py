"""Connections, transactions, errors in words, and the schema that is made once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import Connection, errors
from psycopg_pool import PoolTimeout

from kvassfs.errors import DiskFull, StoreError
from kvassfs.keeping.errors import DatabaseUnreachable, NewerSchema
from kvassfs.keeping.postgres import schema
from kvassfs.keeping.postgres.database import (
    TRIES,
    Database,
    Session,
    describe_url,
    open_database,
    prepare_schema,
    translate_error,
)
from tests.support.postgres import Server


def at_once(count: int, work: Callable[[], object]) -> None:
    """Run work in several threads, which begin together."""
    barrier = threading.Barrier(count)
    failures: list[BaseException] = []

    def run() -> None:
        barrier.wait()
        try:
            work()
        except BaseException as error:  # noqa: BLE001  it is shown below
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# URLs


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:secret@host:5433/kvass", "postgresql://host:5433/kvass"),
        ("postgres://host/kvass", "postgres://host/kvass"),
        ("postgresql:///kvass?host=/run/postgresql&password=secret", "postgresql:///kvass"),
        ("postgresql://host/kvass?user=me&password=secret", "postgresql://host/kvass"),
        ("postgresql://u:secret@one:1,two:2/kvass", "postgresql://one:1,two:2/kvass"),
        ("postgresql://u:secret@one,two/kvass", "postgresql://one,two/kvass"),
        ("postgresql://u:secret@[::1]:5433/kvass", "postgresql://[::1]:5433/kvass"),
        ("postgresql://u:sec?ret@host/kvass", "postgresql://host/kvass"),
        ("postgresql://", "postgresql:///"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert describe_url(url) == shown


UNREADABLE = [
    "postgresql://u:sec%ret@host/kvass",
    "postgresql://u:sec/ret@host/kvass",
    "postgresql://u:sec@ret@host/kvass",
    "postgresql://u:secret@host:port/kvass",
    "postgresql://u:secret@[::1/kvass",
    "postgresql://u:secret@host/kvass?sec=ret",
]


@pytest.mark.parametrize("url", UNREADABLE)
def test_nothing_is_shown_of_a_url_that_cannot_be_read(url: str) -> None:
    database = Database(url)
    with pytest.raises(DatabaseUnreachable) as raised:
        database.open()
    assert database.address == "postgresql://…"
    assert "URL cannot be read" in str(raised.value)
    assert "sec" not in str(raised.value)
    assert "ret" not in str(raised.value)


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    database = Database("postgresql://user:secret@127.0.0.1:1/kvass")
    for connect in (database.open, database.connect):
        with pytest.raises(DatabaseUnreachable) as raised:
            connect()
        text = str(raised.value)
        assert text.startswith("cannot use the database postgresql://127.0.0.1:1/kvass: ")
        assert "secret" not in text
        assert "\n" not in text


def test_a_url_says_how_its_connections_are(server: Server) -> None:
    url = server.create_database()
    for given, expected in [
        ("", ("kvassfs", "10000")),
        ("?application_name=mine&tcp_user_timeout=500", ("mine", "500")),
    ]:
        database = Database(url + given)
        with database.connect() as connection:
            options = connection.info.get_parameters()
        assert (options["application_name"], options["tcp_user_timeout"]) == expected


# Errors


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (errors.DiskFull("full"), DiskFull, ""),
        (PoolTimeout("pool"), DatabaseUnreachable, "no connection became free"),
        (psycopg.OperationalError("one\ntwo"), DatabaseUnreachable, "cannot use the database here: one"),
        (psycopg.InterfaceError(""), DatabaseUnreachable, "InterfaceError"),
    ],
)
def test_errors_are_told_in_words(error: psycopg.Error, kind: type[StoreError], words: str) -> None:
    translated = translate_error(error, "here")
    assert type(translated) is kind
    assert words in str(translated)


def test_whoever_finds_no_connection_is_told_so(server: Server) -> None:
    database = Database(server.create_database(), connections=1, patience=0.2)
    database.open()
    try:
        with (
            database.connection(),
            pytest.raises(DatabaseUnreachable, match="no connection became free"),
            database.connection(),
        ):
            pass
    finally:
        database.close()


# Transactions


def test_a_transaction_is_undone_as_a_whole(database: Database) -> None:
    session = Session(database)

    def fail(connection: Connection[Any]) -> None:
        connection.execute("INSERT INTO hub_schema VALUES (99)")
        raise KeyError

    with pytest.raises(KeyError):
        session.run(fail)
    with session.connection() as connection:
        assert connection.execute("SELECT version FROM hub_schema").fetchall() == [(schema.VERSION,)]


def test_a_transaction_inside_another_is_a_part_of_it(database: Database) -> None:
    session = Session(database)

    def number(connection: Connection[Any]) -> Any:
        return connection.execute("SELECT txid_current()").fetchone()

    def both(connection: Connection[Any]) -> tuple[Any, Any, Any]:
        with session.connection() as same:
            return number(connection), session.run(number), number(same)

    assert len(set(session.run(both))) == 1


def test_what_the_server_gives_up_is_tried_again(database: Database) -> None:
    session, tries = Session(database), []

    def lose(_: Connection[Any]) -> int:
        tries.append(1)
        if len(tries) < most:
            raise errors.SerializationFailure("could not serialize")
        return len(tries)

    most = TRIES
    assert session.run(lose) == TRIES
    tries, most = [], TRIES + 1
    with pytest.raises(DatabaseUnreachable, match="could not serialize"):
        session.run(lose)
    assert len(tries) == TRIES


def test_two_that_lock_crosswise_both_get_through(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("CREATE TABLE lines (number integer PRIMARY KEY, count integer)")
        connection.execute("INSERT INTO lines VALUES (1, 0), (2, 0)")
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET deadlock_timeout = '50ms'")
    met = threading.Barrier(2)
    orders = [(1, 2), (2, 1)]

    def add() -> None:
        first, second = orders.pop()
        waits = [met]

        def work(connection: Connection[Any]) -> None:
            connection.execute("UPDATE lines SET count = count + 1 WHERE number = %s", (first,))
            if waits:
                waits.pop().wait()
            connection.execute("UPDATE lines SET count = count + 1 WHERE number = %s", (second,))

        Session(database).run(work)

    at_once(2, add)
    with database.connection() as connection:
        assert connection.execute("SELECT count FROM lines").fetchall() == [(2,), (2,)]


def test_a_connection_that_was_cut_while_nobody_used_it_is_replaced(database: Database, server: Server) -> None:
    careful = Database(database._url, trusted=0.0)
    careful.open()
    session = Session(careful)
    with session.connection() as connection:
        pid = connection.info.backend_pid
    with psycopg.connect(server.url("postgres"), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    with session.connection() as connection:
        assert connection.info.backend_pid != pid
    careful.close()


def test_a_connection_that_is_cut_in_a_transaction_is_told(database: Database, server: Server) -> None:
    session = Session(database)

    def cut(connection: Connection[Any]) -> None:
        with psycopg.connect(server.url("postgres"), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
        connection.execute("SELECT 1")

    with pytest.raises(DatabaseUnreachable):
        session.run(cut)
    assert session.run(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)


# The schema


def empty(server: Server) -> str:
    """Make a database in which nothing is, and return its URL."""
    name = f"empty_{next(server._numbers)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.url(name)


def test_of_several_at_once_one_makes_the_schema(server: Server) -> None:
    url = empty(server)

    def open_and_close() -> None:
        database = Database(url, connections=1)
        database.open()
        database.close()

    at_once(4, open_and_close)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version FROM hub_schema").fetchall() == [(schema.VERSION,)]
        tables = connection.execute(
            "SELECT count(*) FROM pg_partitioned_table JOIN pg_class ON oid = partrelid"
        ).fetchone()
        assert tables == (len(schema.TABLES),)


def test_a_schema_of_a_later_program_is_left_as_it_is(server: Server) -> None:
    url = empty(server)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(schema.VERSIONS)
        connection.execute("INSERT INTO hub_schema VALUES (%s)", (schema.VERSION + 1,))
        with pytest.raises(NewerSchema, match="newer kvassfs") as raised:
            prepare_schema(connection, "here")
        assert raised.value.version == schema.VERSION + 1
        assert connection.execute("SELECT to_regclass('stores')").fetchone() == (None,)


def test_an_earlier_schema_is_brought_up_to_date(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url = empty(server)
    with psycopg.connect(url, autocommit=True) as connection:
        prepare_schema(connection, "here")
        monkeypatch.setattr(schema, "VERSION", schema.VERSION + 2)
        monkeypatch.setattr(
            schema,
            "MIGRATIONS",
            {schema.VERSION - 2: ("CREATE TABLE one ()",), schema.VERSION - 1: ("ALTER TABLE one RENAME TO two",)},
        )
        prepare_schema(connection, "here")
        assert connection.execute("SELECT to_regclass('two')::text").fetchone() == ("two",)
        assert connection.execute("SELECT version FROM hub_schema").fetchall() == [(schema.VERSION,)]


def test_every_table_is_keyed_by_the_store_first() -> None:
    for table, columns in schema.TABLES.items():
        assert columns.split()[0] == "store", table
        assert "PRIMARY KEY (store" in columns or table == "stores", table


def test_a_server_that_does_not_answer_is_given_up(server: Server) -> None:
    with open_database(server.create_database(), connections=1, answer_time=0.3) as database:
        session = Session(database)
        begin = time.monotonic()
        for _ in range(2):
            with (
                pytest.raises(DatabaseUnreachable, match=r"no answer within 0\.3 s"),
                session.connection() as connection,
            ):
                connection.execute("SELECT pg_sleep(20)")
        with pytest.raises(DatabaseUnreachable, match="no answer"):
            session.run(lambda connection: connection.execute("SELECT pg_sleep(20)"))
        assert session.run(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
        assert time.monotonic() - begin < 10


def test_a_machine_that_goes_inside_a_transaction_keeps_no_store_locked(server: Server) -> None:
    with open_database(server.create_database()) as database, Session(database).connection() as connection:
        assert connection.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("1min",)


def test_the_pool_logs_nothing_beside_what_requests_say(caplog: pytest.LogCaptureFixture, server: Server) -> None:
    elsewhere = Database(server.url("none").replace(f":{server.port}/", ":1/"), patience=0.5)
    elsewhere._pool.open()
    with pytest.raises(DatabaseUnreachable), Session(elsewhere).connection():
        pass
    elsewhere.close()
    assert caplog.text == ""
