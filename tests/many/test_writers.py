"""What many writers of one store do to each other, in threads and in processes: nothing."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from psycopg import Connection

from kvassfs.entry import Delivery, Entry
from kvassfs.keeping.keeper import Outcome
from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.keeper import PostgresKeeper
from kvassfs.keeping.store_names import name_store
from kvassfs.share_link import ShareLink
from kvassfs.store import Limit
from tests.support.many_hubs import HubProcess, add_store
from tests.support.postgres import Server
from tests.support.waiting import wait_until

STORE = name_store("family")

EVERYTHING = Limit(10**9, 10**9, lambda _: 1)

THREADS = 20


def made(key: str, counter: int, *, writer: int = 7, value: bytes = b"value", token: str = "") -> Delivery:
    entry = Entry(key, 1_700_000_000_000_000 + counter, counter, writer, token or f"{key}.{counter}", len(value))
    return Delivery(entry, counter, value)


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    opened = Database(server.create_database(), connections=THREADS)
    opened.open()
    add_store(opened, "family")
    yield opened
    opened.close()


def keeper(database: Database) -> PostgresKeeper:
    return PostgresKeeper(Session(database), STORE)


class Reader:
    """A device that reads what comes, from one cursor to the next."""

    def __init__(self, database: Database) -> None:
        self._keeper = keeper(database)
        self.cursor = 0
        self.keys: list[str] = []

    def read(self) -> None:
        page = self._keeper.read_page(self.cursor + 1, 99, EVERYTHING)
        self.cursor = page.cursor
        self.keys += [out.delivery.entry.key for out in page.outgoing]


def test_no_cursor_passes_what_is_not_committed_yet(database: Database) -> None:
    """With a SEQUENCE, the second writer commits first, with the greater number."""
    written, may_commit = threading.Event(), threading.Event()
    reader = Reader(database)

    class Slow(PostgresKeeper):
        def _merge(self, connection: Connection[Any], *arguments: Any) -> tuple[Outcome, bool]:
            outcome = super()._merge(connection, *arguments)
            written.set()
            assert may_commit.wait(20)
            return outcome

    with ThreadPoolExecutor() as pool:
        slow = pool.submit(Slow(Session(database), STORE).merge, [made("first", 1)])
        assert written.wait(20)
        quick = pool.submit(keeper(database).merge, [made("second", 1, writer=8)])
        wait_until(lambda: waits_for_a_lock(database), "the second writer waits")
        reader.read()
        assert (reader.keys, reader.cursor) == ([], 0)
        may_commit.set()
        assert slow.result().clock < quick.result().clock
    reader.read()
    assert reader.keys == ["first", "second"]


def waits_for_a_lock(database: Database) -> bool:
    with database.connection() as connection:
        found = connection.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchall()
    return bool(found)


def test_writers_of_other_stores_wait_for_nobody(database: Database) -> None:
    add_store(database, "other")
    with database.connection() as connection, connection.transaction():
        connection.execute("SELECT 1 FROM stores WHERE store = %s FOR UPDATE", (STORE,))
        other = PostgresKeeper(Session(database), name_store("other"))
        with ThreadPoolExecutor() as pool:
            assert pool.submit(other.merge, [made("a", 1)]).result(10).missing == []


def test_whoever_reads_while_many_write_misses_nothing(database: Database) -> None:
    ended = threading.Event()
    readers = [Reader(database) for _ in range(3)]

    def read(reader: Reader) -> None:
        while not ended.is_set():
            reader.read()
        reader.read()

    def write(writer: int) -> None:
        own = keeper(database)
        for number in range(1, 41):
            own.merge([made(f"{writer}/{number}/{part}", number, writer=writer) for part in range(number % 3 + 1)])

    with ThreadPoolExecutor(8) as pool:
        reading = [pool.submit(read, reader) for reader in readers]
        try:
            list(pool.map(write, range(1, 5)))
        finally:
            ended.set()
        for each in reading:
            each.result()
    everything = Reader(database)
    everything.read()
    assert len(everything.keys) == 4 * sum(number % 3 + 1 for number in range(1, 41))
    for reader in readers:
        assert sorted(reader.keys) == sorted(everything.keys)  # each once: none was changed again


def test_of_many_in_two_processes_one_ends_a_link(database: Database, tmp_path: Path) -> None:
    """Where each process looks first and ends the link then, several get the value."""
    own = keeper(database)
    value = bytes(range(256)) * 4000
    with ExitStack() as ending:
        hubs = [ending.enter_context(HubProcess(database._url, tmp_path / f"{number}.log")) for number in range(2)]
        for number in range(3):
            link = ShareLink(f"once-{number}", f"key-{number}", once=True)
            record = made(link.record, 100 + number, value=b"", token=link.token)
            own.merge([made(link.key, 10 + number, value=value), record])
            barrier = threading.Barrier(THREADS)

            def fetch(at: int, token: str = link.token, barrier: threading.Barrier = barrier) -> tuple[int, bytes]:
                connection = http.client.HTTPConnection(urlsplit(hubs[at % 2].address).netloc, timeout=30)
                connection.connect()
                barrier.wait()
                connection.request("POST", f"/s/family/get?q={token}", b"")
                response = connection.getresponse()
                body = response.read()
                connection.close()
                return response.status, body

            with ThreadPoolExecutor(THREADS) as pool:
                answers = list(pool.map(fetch, range(THREADS)))
            assert sorted(status for status, _ in answers) == [200] + [410] * (THREADS - 1)
            assert [body for status, body in answers if status == 200] == [value]
