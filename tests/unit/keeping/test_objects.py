"""Blocks in an object store: where they are, what is noted of them, and what becomes of both when something fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from kvassfs.errors import DamagedStore
from kvassfs.keeping.errors import ObjectsUnknown, ObjectsUnreachable, QuotaReached
from kvassfs.keeping.objects import PARALLEL, ObjectStore, Place, parse_place, run_in_parallel
from kvassfs.keeping.postgres import upkeep
from kvassfs.keeping.postgres.blocks import NOTED_TIME
from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.keeper import PostgresKeeper
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.keeping.store_names import name_store
from tests.support.object_stores import MemoryObjects, fail
from tests.support.postgres import Server
from tests.support.stores import SMALL, Clock
from tests.unit.keeping.conftest import KEY
from tests.unit.keeping.test_keepers import BLOCKS, found, in_blocks, made

STORE = name_store("family")

HOUR = 3600 * 10**9

Make = Callable[[ObjectStore | None], PostgresKeeper]


@pytest.fixture
def make(database: Database, stores: Stores, clock: Clock) -> Make:
    """What makes a keeper of the store, with objects or without."""
    stores.add("family", "code")
    assert stores.claim(STORE, "code", KEY)
    return lambda objects: PostgresKeeper(Session(database), STORE, clock=clock, sizes=SMALL, objects=objects)


@pytest.fixture
def keeper(make: Make, objects: MemoryObjects) -> PostgresKeeper:
    return make(objects)


def rows(database: Database, query: str) -> list[Any]:
    with database.connection() as connection:
        return connection.execute(query).fetchall()


def named(database: Database) -> set[str]:
    """Return the names of objects that blocks have."""
    return {name for (name,) in rows(database, "SELECT object FROM blocks WHERE object IS NOT NULL")}


def noted(database: Database) -> set[str]:
    """Return the names of objects that are noted."""
    return {name for (name,) in rows(database, "SELECT name FROM loose_objects")}


def tidy(database: Database, clock: Clock, objects: ObjectStore | None) -> None:
    """Clean up until there is nothing more to do."""
    while upkeep.tidy(Session(database), clock() // 1000, objects):
        pass


# Places


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("s3://bucket", Place("bucket", "")),
        ("s3://bucket/", Place("bucket", "")),
        ("s3://my.bucket-1/a/b", Place("my.bucket-1", "a/b/")),
        ("s3://bucket//a//", Place("bucket", "a/")),
        ("s3://", None),
        ("s3:///a", None),
        ("S3://bucket", None),
        ("https://bucket/a", None),
        ("s3://bucket/a b", None),
        ("s3://bucket?x", None),
        ("", None),
    ],
)
def test_a_place_is_a_bucket_and_what_names_begin_with(address: str, place: Place | None) -> None:
    assert parse_place(address) == place


def test_a_place_is_shown_as_it_is_written() -> None:
    assert [Place("b", "").address, Place("b", "a/").address] == ["s3://b", "s3://b/a"]


# Several at the same time


def test_what_is_done_in_parallel_comes_back_in_order() -> None:
    assert run_in_parallel(lambda number: number * 2, range(100)) == list(range(0, 200, 2))
    assert run_in_parallel(lambda number: number, []) == []


def test_a_few_threads_work_at_the_same_time() -> None:
    meeting = threading.Barrier(PARALLEL, timeout=10)
    run_in_parallel(lambda _: meeting.wait(), range(PARALLEL))


def test_after_a_failure_nothing_more_is_begun() -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        raise ObjectsUnreachable("x", "y")

    with pytest.raises(ObjectsUnreachable):
        run_in_parallel(work, range(100))
    assert len(begun) <= PARALLEL


# Putting


def test_blocks_are_in_objects_that_rows_name(
    keeper: PostgresKeeper, database: Database, objects: MemoryObjects
) -> None:
    keeper.put_blocks(BLOCKS)
    keeper.merge([in_blocks("film", *BLOCKS)])
    assert rows(database, "SELECT count(*) FROM blocks WHERE data IS NOT NULL") == [(0,)]
    assert named(database) == objects.objects.keys()
    assert sorted(objects.objects.values()) == sorted(BLOCKS)
    assert noted(database) == set()
    assert found(keeper) == {"film": b"".join(BLOCKS)}
    assert rows(database, "SELECT bytes FROM stores") == [(len(b"".join(BLOCKS)),)]


def test_large_values_that_come_whole_go_the_same_way(
    keeper: PostgresKeeper, database: Database, objects: MemoryObjects
) -> None:
    keeper.merge([made("short", b"short"), made("film", b"".join(BLOCKS), counter=2)])
    assert named(database) == objects.objects.keys() != set()
    assert rows(database, "SELECT count(*) FROM blocks WHERE data IS NOT NULL") == [(0,)]
    assert found(keeper) == {"short": b"short", "film": b"".join(BLOCKS)}


def test_what_is_there_is_not_put_again(keeper: PostgresKeeper, objects: MemoryObjects) -> None:
    keeper.put_blocks(BLOCKS)
    delivery = made("film", b"".join(BLOCKS))
    keeper.merge([delivery])
    keeper.put_blocks(BLOCKS)
    keeper.merge([delivery])
    assert len([call for call, _ in objects.calls if call == "put"]) == len(BLOCKS)


def test_a_value_that_loses_is_not_put(keeper: PostgresKeeper, objects: MemoryObjects) -> None:
    keeper.merge([made("film", b"new", time=5)])
    keeper.merge([made("film", b"".join(BLOCKS), time=1, writer=8)])
    assert objects.calls == []


def test_names_are_noted_before_anything_is_put(
    keeper: PostgresKeeper, database: Database, objects: MemoryObjects
) -> None:
    objects.before = lambda _: seen.append(len(noted(database)))
    seen: list[int] = []
    keeper.put_blocks(BLOCKS[:3])
    assert seen == [3, 3, 3]


def test_no_connection_is_held_while_the_object_store_is_waited_for(
    keeper: PostgresKeeper, database: Database, objects: MemoryObjects, clock: Clock
) -> None:
    calls: set[str] = set()

    def look(call: str) -> None:
        calls.add(call)
        figures = database._pool.get_stats()
        assert figures["pool_available"] == figures["pool_size"]
        with database._pool.connection() as connection:
            others = "state LIKE 'idle in transaction%' AND datname = current_database()"
            assert connection.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {others}").fetchone() == (0,)

    lock = threading.Lock()

    def look_alone(call: str) -> None:
        with lock:  # what one look takes is not to be seen by another
            look(call)

    objects.before = look_alone
    keeper.put_blocks(BLOCKS[:20])
    keeper.merge([in_blocks("a", *BLOCKS[:20]), made("b", b"".join(BLOCKS[20:]), counter=2)])
    assert len(found(keeper)) == 2
    assert None not in keeper.get_blocks([sha256(block).digest() for block in BLOCKS])
    keeper.merge([made("a", b"", time=5, counter=5), made("b", b"", time=5, counter=6)])
    clock.advance(30 * HOUR)
    tidy(database, clock, objects)
    clock.advance(30 * HOUR)
    tidy(database, clock, objects)
    assert calls == {"put", "get", "delete"}
    assert objects.objects == {}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("form", ["blocks", "whole"])
def test_where_a_put_fails_nothing_is_acknowledged_and_each_object_is_noted(
    keeper: PostgresKeeper, database: Database, objects: MemoryObjects, moment: str, form: str
) -> None:
    delivery = in_blocks("film", *BLOCKS) if form == "blocks" else made("film", b"".join(BLOCKS))

    def push() -> None:
        if form == "blocks":
            keeper.put_blocks(BLOCKS)
        keeper.merge([delivery])

    setattr(objects, moment, fail("put", times=1))
    with pytest.raises(ObjectsUnreachable):
        push()
    assert found(keeper) == {}
    assert named(database) == set()
    assert objects.objects.keys() <= noted(database)
    push()
    assert found(keeper) == {"film": b"".join(BLOCKS)}
    assert objects.objects.keys() <= named(database) | noted(database)


def test_of_two_that_bring_a_block_one_gives_its_object_up(
    keeper: PostgresKeeper, make: Make, database: Database, objects: MemoryObjects, clock: Clock
) -> None:
    def come_first(_: str) -> None:
        objects.before = lambda _: None
        make(objects).put_blocks(BLOCKS[:1])

    objects.before = come_first
    keeper.put_blocks(BLOCKS[:1])
    keeper.merge([in_blocks("a", *BLOCKS[:1])])
    assert len(objects.objects) == 2
    assert len(named(database)) == len(noted(database)) == 1
    clock.advance(25 * HOUR)
    tidy(database, clock, objects)
    assert objects.objects.keys() == named(database)
    assert found(keeper) == {"a": BLOCKS[0]}


@pytest.mark.parametrize("hours", [13, 25])
def test_an_object_that_may_be_deleted_already_is_not_named(
    keeper: PostgresKeeper, database: Database, objects: MemoryObjects, clock: Clock, hours: int
) -> None:
    def take_long(_: str) -> None:
        clock.advance(hours * HOUR)
        tidy(database, clock, objects)

    objects.after = lambda call: take_long(call) if call == "put" else None
    keeper.put_blocks(BLOCKS[:1])
    assert named(database) == set()
    assert keeper.get_blocks([sha256(BLOCKS[0]).digest()]) == [BLOCKS[0]]


def test_a_store_that_has_had_its_share_puts_nothing(
    keeper: PostgresKeeper, stores: Stores, objects: MemoryObjects
) -> None:
    stores.set_limits("family", entries=None, size=SMALL.block * 2)
    with pytest.raises(QuotaReached):
        keeper.put_blocks(BLOCKS[:3])
    with pytest.raises(QuotaReached):
        keeper.merge([made("film", b"".join(BLOCKS[:3]))])
    assert objects.calls == []


# Both forms


def test_a_database_may_have_blocks_of_both_forms(make: Make, database: Database, objects: MemoryObjects) -> None:
    make(None).put_blocks(BLOCKS[::2])
    keeper = make(objects)
    keeper.put_blocks(BLOCKS)
    keeper.merge([in_blocks("film", *BLOCKS)])
    assert len(objects.objects) == len(BLOCKS) // 2
    assert found(keeper) == {"film": b"".join(BLOCKS)}
    assert keeper.get_blocks([sha256(block).digest() for block in BLOCKS]) == BLOCKS


def test_without_the_object_store_its_blocks_are_not_lost(
    make: Make, database: Database, objects: MemoryObjects, clock: Clock
) -> None:
    make(objects).put_blocks(BLOCKS[:2])
    make(objects).merge([in_blocks("film", *BLOCKS[:2]), made("gone", b"".join(BLOCKS[2:5]), counter=2)])
    without = make(None)
    with pytest.raises(ObjectsUnknown, match="start `kvass serve` with --blocks"):
        found(without)
    with pytest.raises(ObjectsUnknown):
        without.get_blocks([sha256(BLOCKS[0]).digest()])
    without.merge([made("gone", b"", time=5, counter=5), in_blocks("copy", *BLOCKS[:2], counter=6)])
    for _ in range(3):
        clock.advance(30 * HOUR)
        tidy(database, clock, None)
    assert len(noted(database)) == 3
    assert objects.objects.keys() == named(database) | noted(database)
    value = b"".join(BLOCKS[:2])
    assert found(make(objects)) == {"film": value, "gone": b"", "copy": value}


@pytest.mark.parametrize(("change", "words"), [({}, "is missing"), ({"": b"x"}, "is not what was put")])
def test_an_object_that_is_gone_or_another_one_is_damage(
    keeper: PostgresKeeper, objects: MemoryObjects, change: dict[str, bytes], words: str
) -> None:
    keeper.put_blocks(BLOCKS[:1])
    for name in [*objects.objects]:
        del objects.objects[name]
        objects.objects |= dict.fromkeys([name] if change else [], b"x")
    with pytest.raises(DamagedStore, match=words):
        keeper.get_blocks([sha256(BLOCKS[0]).digest()])


# Clean-up


def dropped(keeper: PostgresKeeper, database: Database, clock: Clock) -> None:
    """Have the rows of all blocks cleaned up, and their objects noted."""
    keeper.put_blocks(BLOCKS)
    keeper.merge([in_blocks("film", *BLOCKS)])
    keeper.merge([made("film", b"", time=5, counter=5)])
    clock.advance(30 * HOUR)
    tidy(database, clock, None)
    assert named(database) == set()
    assert len(noted(database)) == len(BLOCKS)


def test_objects_go_an_hour_after_their_rows(
    keeper: PostgresKeeper, database: Database, objects: MemoryObjects, clock: Clock
) -> None:
    dropped(keeper, database, clock)
    clock.advance(HOUR * 9 // 10)
    tidy(database, clock, objects)
    assert len(objects.objects) == len(BLOCKS)
    clock.advance(HOUR // 5)
    tidy(database, clock, objects)
    assert objects.objects == {}
    assert noted(database) == set()


def test_objects_without_a_row_go_after_a_day(
    keeper: PostgresKeeper, database: Database, objects: MemoryObjects, clock: Clock
) -> None:
    objects.after = fail("put")
    with pytest.raises(ObjectsUnreachable):
        keeper.put_blocks(BLOCKS)
    clock.advance(23 * HOUR)
    tidy(database, clock, objects)
    assert len(noted(database)) == len(BLOCKS)
    clock.advance(2 * HOUR)
    tidy(database, clock, objects)
    assert objects.objects == {}
    assert noted(database) == set()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_could_not_be_deleted_stays_noted_and_goes_later(
    keeper: PostgresKeeper, database: Database, objects: MemoryObjects, clock: Clock, moment: str
) -> None:
    dropped(keeper, database, clock)
    clock.advance(2 * HOUR)
    count = 0

    def fail_from_the_tenth_on(call: str) -> None:
        nonlocal count
        count += 1
        if count > 10:
            raise ObjectsUnreachable("memory", call)

    setattr(objects, moment, fail_from_the_tenth_on)
    with pytest.raises(ObjectsUnreachable):
        tidy(database, clock, objects)
    assert len(noted(database)) == len(BLOCKS) - 10
    assert objects.objects.keys() <= noted(database)
    setattr(objects, moment, lambda _: None)
    tidy(database, clock, objects)  # another process may be at it yet
    assert len(noted(database)) == len(BLOCKS) - 10
    clock.advance(HOUR)
    tidy(database, clock, objects)
    assert objects.objects == {}
    assert noted(database) == set()


def test_one_process_at_a_time_cleans_up(
    keeper: PostgresKeeper, database: Database, objects: MemoryObjects, clock: Clock
) -> None:
    dropped(keeper, database, clock)
    clock.advance(2 * HOUR)
    with database.connection() as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (upkeep.LOCK,))
        assert not upkeep.tidy(Session(database), clock() // 1000, objects)
    assert len(objects.objects) == len(BLOCKS)


def test_objects_of_a_store_that_is_removed_go_too(
    keeper: PostgresKeeper, database: Database, stores: Stores, objects: MemoryObjects, clock: Clock
) -> None:
    keeper.put_blocks(BLOCKS[:3])
    keeper.merge([in_blocks("film", *BLOCKS[:3])])
    objects.after = fail("put")
    with pytest.raises(ObjectsUnreachable):
        keeper.put_blocks(BLOCKS[3:4])
    stores.remove("family")
    assert noted(database) == objects.objects.keys()
    clock.advance(NOTED_TIME * 1000 + HOUR)
    tidy(database, clock, objects)
    assert objects.objects == {}
    assert noted(database) == set()


def test_one_connection_is_enough(server: Server, clock: Clock) -> None:
    """Who holds a connection and waits for another may wait for all others that do the same."""
    database = Database(server.create_database(), connections=1, patience=2)
    database.open()
    stores = Stores(Session(database), clock=clock)
    stores.add("family", "code")
    assert stores.claim(name_store("family"), "code", KEY)
    keeper = PostgresKeeper(Session(database), name_store("family"), clock=clock, sizes=SMALL, objects=MemoryObjects())
    keeper.put_blocks(BLOCKS[:3])
    keeper.merge([in_blocks("film", *BLOCKS[:3]), made("whole", b"".join(BLOCKS[:4]), counter=2)])
    assert found(keeper) == {"film": b"".join(BLOCKS[:3]), "whole": b"".join(BLOCKS[:4])}
    database.close()
