"""Short values that are read in the thread of an event loop; whatever else there is, is left to others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.keeping.postgres.database import Database
from kvassfs.keeping.postgres.keeper import PostgresKeeper
from kvassfs.keeping.postgres.short_reads import AT_ONCE, ShortReads
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.keeping.store_names import name_store
from kvassfs.store import Shared
from tests.support.waiting import PATIENCE
from tests.unit.keeping.conftest import KEY
from tests.unit.keeping.postgres.conftest import STORE, Select
from tests.unit.keeping.test_keepers import BLOCKS, NOW, made


def run(database: Database, work: Callable[[ShortReads], Awaitable[Any]], **options: Any) -> Any:
    """Return what ``work`` does with a connection that is there."""

    async def go() -> Any:
        reads = ShortReads(database, **options)
        async with asyncio.timeout(PATIENCE), reads.run():
            while reads._line is None:
                await asyncio.sleep(0.01)
            return await work(reads)

    return asyncio.run(go())


def find(database: Database, *tokens: str) -> list[Shared | None]:
    async def ask(reads: ShortReads) -> list[Shared | None]:
        return list(await asyncio.gather(*(reads.find(STORE, token) for token in tokens)))

    found: list[Shared | None] = run(database, ask)
    return found


def test_it_finds_what_a_keeper_does(kept: PostgresKeeper, database: Database) -> None:
    entry = Entry("grüß\ndich", NOW + 1, 1, 2**32 - 1, "first", 5, 0o640, -5, '{"7": 3}', "7:3")
    kept.merge([Delivery(entry, 1, b"\0\xff123"), made("empty", b"", mode=0o600, token="second")])
    shared = find(database, "first", "second")
    assert shared == [kept.find_shared("first"), kept.find_shared("second")]
    assert shared[0] is not None
    assert shared[0].entry == entry


def test_what_is_no_short_value_is_left_to_others(kept: PostgresKeeper, database: Database, stores: Stores) -> None:
    kept.merge([made("film", b"".join(BLOCKS), token="film"), made("gone", b"", token="gone", counter=2)])
    stores.add("other", "code")
    assert stores.claim(name_store("other"), "code", KEY)
    PostgresKeeper(kept._session, name_store("other")).merge([made("a", token="elsewhere")])
    assert find(database, "film", "gone", "elsewhere", "") == [None] * 4


def test_of_many_at_once_each_gets_its_own(kept: PostgresKeeper, database: Database) -> None:
    kept.merge([made(f"{number}", b"%d" % number, counter=number + 1) for number in range(AT_ONCE)])
    shared = find(database, *(f"{number}-7-{number + 1}" for number in range(AT_ONCE)))
    assert [each and each.value.data for each in shared] == [b"%d" % number for number in range(AT_ONCE)]


def test_too_many_at_once_are_left_to_others(kept: PostgresKeeper, database: Database) -> None:
    kept.merge([made("a", token="token")])
    shared = find(database, *["token"] * (AT_ONCE + 1))
    assert [each is None for each in shared] == [False] * AT_ONCE + [True]


def test_a_client_that_leaves_shifts_nobody_elses_answer(kept: PostgresKeeper, database: Database) -> None:
    kept.merge([made("a", b"1", token="one"), made("b", b"2", token="two", counter=2)])

    async def ask(reads: ShortReads) -> Shared | None:
        left = asyncio.create_task(reads.find(STORE, "one"))
        stays = asyncio.create_task(reads.find(STORE, "two"))
        await asyncio.sleep(0)
        left.cancel()
        return await stays

    found = run(database, ask)
    assert found.value.data == b"2"


def test_a_connection_that_was_cut_is_made_anew(kept: PostgresKeeper, database: Database, select: Select) -> None:
    kept.merge([made("a", token="token")])

    async def ask(reads: ShortReads) -> list[bool]:
        before, found = reads._line, [await reads.find(STORE, "token") is not None]
        select(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()",
            "%WHERE store = $1 AND token%",
        )
        while reads._line in {before, None}:
            await reads.find(STORE, "token")
            await asyncio.sleep(0.01)
        return [*found, await reads.find(STORE, "token") is not None]

    assert run(database, ask, pause=0.01) == [True, True]


@contextmanager
def locking(database: Database) -> Any:
    """``with`` all readers of entries kept waiting."""
    with database.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE entries IN ACCESS EXCLUSIVE MODE")
        yield


def test_a_server_that_keeps_it_waiting_is_given_up(kept: PostgresKeeper, database: Database) -> None:
    kept.merge([made("a", token="token")])

    async def ask(reads: ShortReads) -> bool:
        with locking(database):
            return await reads.find(STORE, "token") is None

    assert run(database, ask, patience=0.2)


def test_where_the_database_cannot_be_reached_others_say_so(database: Database) -> None:
    class Unreachable(Database):
        def connected(self) -> Any:
            raise psycopg.OperationalError("nobody there")

    async def go() -> Shared | None:
        reads = ShortReads(Unreachable(database._url), pause=0.01)
        async with reads.run():
            await asyncio.sleep(0.05)
            return await reads.find(STORE, "token")

    assert asyncio.run(go()) is None


def test_a_library_without_pipelines_has_the_workers_do_it(
    kept: PostgresKeeper, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.merge([made("a", token="token")])
    monkeypatch.setattr(psycopg.capabilities, "has_pipeline", lambda: False)

    async def go() -> Shared | None:
        reads = ShortReads(database)
        async with reads.run():
            return await reads.find(STORE, "token")

    assert asyncio.run(go()) is None
