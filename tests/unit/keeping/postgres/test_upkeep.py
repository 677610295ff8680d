"""What is cleaned up, when, and what stays."""

from __future__ import annotations

import threading
from hashlib import sha256

import pytest

from kvassfs.errors import ValueReplaced
from kvassfs.keeping.postgres import upkeep
from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.keeper import PostgresKeeper
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.keeping.store_names import name_store
from kvassfs.store import KEPT_TIME, Shared
from tests.support.stores import SMALL, Clock
from tests.unit.keeping.conftest import KEY
from tests.unit.keeping.postgres.conftest import Select
from tests.unit.keeping.test_keepers import BLOCKS, found, in_blocks, made

HOUR = 3600 * 10**9
DAY = 24 * HOUR

ALMOST = 10**9
"""A second before it is time."""


def tidy(session: Session, clock: Clock) -> int:
    """Clean up as long as there is something to do; return the number of steps that did something."""
    steps = 0
    while upkeep.tidy(session, clock.now // 1000):
        steps += 1
        assert steps < 1000
    return steps


def removed_film(keeper: PostgresKeeper, *blocks: bytes) -> None:
    """Store a value of these blocks, and remove it."""
    keeper.put_blocks(blocks)
    keeper.merge([in_blocks("film", *blocks)])
    keeper.merge([made("film", b"", time=2, counter=2)])


def test_an_hour_after_it_was_replaced_a_list_goes_with_its_blocks(
    kept: PostgresKeeper, session: Session, clock: Clock, select: Select
) -> None:
    kept.put_blocks(BLOCKS[:3])
    clock.advance(DAY)
    kept.merge([in_blocks("film", *BLOCKS[:3])])
    kept.merge([made("film", b"", time=2, counter=2)])
    clock.advance(HOUR - ALMOST)
    assert tidy(session, clock) == 0
    assert select("SELECT count(*) FROM blocks WHERE named") == [3]
    clock.advance(2 * ALMOST)
    assert tidy(session, clock) > 0
    assert select("SELECT count(*) FROM content_blocks") == select("SELECT count(*) FROM blocks") == [0]
    assert select("SELECT bytes FROM stores") == [0]


def test_a_day_after_they_came_blocks_that_nothing_names_go(
    kept: PostgresKeeper, session: Session, clock: Clock, select: Select
) -> None:
    kept.put_blocks(BLOCKS[:2])
    clock.advance(KEPT_TIME * 1000 - ALMOST)
    kept.put_blocks(BLOCKS[1:3])  # one of them comes again
    assert tidy(session, clock) == 0
    clock.advance(2 * ALMOST)
    tidy(session, clock)
    there = kept.get_blocks([sha256(block).digest() for block in BLOCKS[:3]])
    assert there == [None, BLOCKS[1], BLOCKS[2]]
    assert select("SELECT bytes FROM stores") == [2 * SMALL.block]


def test_blocks_that_came_lately_stay_after_their_list_has_gone(
    kept: PostgresKeeper, session: Session, clock: Clock
) -> None:
    removed_film(kept, *BLOCKS[:2])
    clock.advance(2 * HOUR)
    kept.put_blocks(BLOCKS[:1])
    tidy(session, clock)
    clock.advance(DAY - ALMOST)
    tidy(session, clock)
    assert kept.get_blocks([sha256(block).digest() for block in BLOCKS[:2]]) == [BLOCKS[0], None]
    kept.merge([in_blocks("again", BLOCKS[0], counter=3)])
    clock.advance(DAY)
    tidy(session, clock)
    assert found(kept)["again"] == BLOCKS[0]


def test_blocks_that_others_have_as_well_stay(kept: PostgresKeeper, session: Session, clock: Clock) -> None:
    kept.put_blocks(BLOCKS[:3])
    kept.merge([in_blocks("copy", *BLOCKS[1:3], counter=9)])
    removed_film(kept, *BLOCKS[:2])
    clock.advance(2 * DAY)
    tidy(session, clock)
    assert found(kept)["copy"] == b"".join(BLOCKS[1:3])
    assert kept.get_blocks([sha256(BLOCKS[0]).digest()]) == [None]


def test_blocks_of_another_store_stay(kept: PostgresKeeper, session: Session, stores: Stores, clock: Clock) -> None:
    stores.add("other", "code")
    assert stores.claim(name_store("other"), "code", KEY)
    other = PostgresKeeper(session, name_store("other"), clock=clock, sizes=SMALL)
    other.put_blocks(BLOCKS[:2])
    other.merge([in_blocks("film", *BLOCKS[:2])])
    removed_film(kept, *BLOCKS[:2])
    clock.advance(2 * DAY)
    tidy(session, clock)
    assert found(other)["film"] == b"".join(BLOCKS[:2])
    assert kept.get_blocks([sha256(BLOCKS[0]).digest()]) == [None]


def test_a_reader_has_an_hour(kept: PostgresKeeper, session: Session, clock: Clock) -> None:
    kept.put_blocks(BLOCKS[:9])
    kept.merge([in_blocks("film", *BLOCKS[:9], token="t")])
    shared = kept.find_shared("t")
    assert isinstance(shared, Shared)
    clock.advance(2 * DAY)
    with kept.hold(shared.value, lambda: True) as held:
        pieces = held.pieces()
        read = next(pieces)
        kept.merge([made("film", b"", time=2, counter=2)])
        clock.advance(HOUR - ALMOST)
        tidy(session, clock)
        assert read + b"".join(pieces) == b"".join(BLOCKS[:9])
        clock.advance(2 * ALMOST)
        tidy(session, clock)
        with pytest.raises(ValueReplaced):
            list(held.pieces())


def test_a_long_list_goes_in_steps(
    kept: PostgresKeeper, session: Session, clock: Clock, select: Select, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "STEP", 4)
    removed_film(kept, *BLOCKS[:12])
    clock.advance(2 * DAY)
    left = []
    while upkeep.tidy(session, clock.now // 1000):
        left += select("SELECT count(*) FROM content_blocks")
    assert left[:4] == [8, 4, 0, 0]
    assert select("SELECT count(*) FROM dropped_contents") == select("SELECT count(*) FROM blocks") == [0]


def test_many_stores_are_cleaned_one_after_the_other_without_a_rest(
    session: Session, stores: Stores, clock: Clock, select: Select
) -> None:
    for name in ("a", "b", "c"):
        stores.add(name, "code")
        PostgresKeeper(session, name_store(name), clock=clock, sizes=SMALL).put_blocks(BLOCKS[:1])
    clock.advance(2 * DAY)
    assert tidy(session, clock) == 3
    assert select("SELECT count(*) FROM blocks") == [0]


def test_tokens_are_remembered_for_a_while(kept: PostgresKeeper, session: Session, clock: Clock) -> None:
    kept.merge([made("a", token="old")])
    kept.merge([made("a", time=2, counter=2, token="new")])
    clock.advance(upkeep.REMEMBERED * 1000 - ALMOST)
    tidy(session, clock)
    assert kept.has_ended("old")
    clock.advance(2 * ALMOST)
    tidy(session, clock)
    assert not kept.has_ended("old")


def test_of_two_processes_one_cleans_up(
    kept: PostgresKeeper, session: Session, database: Database, clock: Clock, select: Select
) -> None:
    removed_film(kept, *BLOCKS[:2])
    clock.advance(2 * DAY)
    with database.connect() as other, other.transaction():
        other.execute("SELECT pg_advisory_xact_lock(%s)", (upkeep.LOCK,))
        assert not upkeep.tidy(session, clock.now // 1000)
        assert select("SELECT count(*) FROM blocks") == [2]
    assert upkeep.tidy(session, clock.now // 1000)


def test_cleaners_and_writers_do_not_get_into_each_others_way(
    kept: PostgresKeeper, database: Database, clock: Clock
) -> None:
    """A cleaner that counts references, or looks without the lock, deletes blocks that a push has just found."""
    ended = threading.Event()
    failures: list[BaseException] = []

    def clean() -> None:
        own = Session(database)
        try:
            while not ended.is_set():
                upkeep.tidy(own, clock.now // 1000 + 2 * KEPT_TIME)
        except BaseException as error:  # noqa: BLE001  it is shown below
            failures.append(error)

    threads = [threading.Thread(target=clean) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 150):
            blocks = BLOCKS[number % 5 : number % 5 + 3]
            delivery = in_blocks("film", *blocks, time=number, counter=number)
            while kept.merge([delivery]).missing:
                kept.put_blocks(blocks)
            assert found(kept)["film"] == b"".join(blocks)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not failures
