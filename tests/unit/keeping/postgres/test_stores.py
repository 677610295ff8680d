"""Stores are added, claimed once, limited and removed."""

from __future__ import annotations

import re
from random import Random

import pytest

from kvassfs.keeping.errors import NoSuchStore, QuotaReached, StoreExists
from kvassfs.keeping.postgres.database import Session
from kvassfs.keeping.postgres.keeper import PostgresKeeper
from kvassfs.keeping.postgres.schema import TABLES
from kvassfs.keeping.postgres.stores import CLAIM_TIME, Stores, StoreStatus, make_code
from kvassfs.keeping.store_names import name_store
from tests.support.stores import SMALL, Clock
from tests.unit.keeping.conftest import KEY
from tests.unit.keeping.postgres.conftest import STORE, Select
from tests.unit.keeping.test_keepers import BLOCKS, in_blocks, made

OTHER_KEY = bytes(reversed(KEY))


def the_only(stores: Stores) -> StoreStatus:
    (status,) = stores.list_all()
    return status


def test_a_store_waits_to_be_claimed(stores: Stores, clock: Clock) -> None:
    assert stores.list_all() == []
    stores.add("family", "code")
    assert the_only(stores) == StoreStatus("family", clock.now // 1000, False, 0, 0, None, None, None)


def test_stores_are_listed_by_name(stores: Stores) -> None:
    for name in ("b", "c", "a"):
        stores.add(name, "code")
    assert [status.name for status in stores.list_all()] == ["a", "b", "c"]


def test_a_code_claims_its_store_alone(stores: Stores) -> None:
    stores.add("family", "code")
    stores.add("other", "its own")
    assert not stores.claim(STORE, "its own", KEY)
    assert not stores.claim(STORE, "", KEY)
    assert not stores.claim(name_store("not there"), "code", KEY)
    assert stores.claim(STORE, "code", KEY)
    assert [status.is_claimed for status in stores.list_all()] == [True, False]


def test_a_claim_counts_once_and_the_same_again_is_no_error(stores: Stores, session: Session) -> None:
    stores.add("family", "code")
    assert stores.claim(STORE, "code", KEY)
    assert stores.claim(STORE, "code", KEY)
    assert not stores.claim(STORE, "code", OTHER_KEY)
    assert not stores.claim(STORE, "wrong", KEY)
    assert PostgresKeeper(session, STORE).read_key() == KEY


def test_a_code_ends(stores: Stores, clock: Clock) -> None:
    stores.add("family", "code")
    clock.advance(CLAIM_TIME * 1000 - 1_000_000)
    assert stores.claim(STORE, "code", KEY)
    clock.advance(1_000_000)
    assert not stores.claim(STORE, "code", KEY)


def test_another_code_takes_the_place_of_one_that_nobody_used(stores: Stores, clock: Clock) -> None:
    stores.add("family", "one")
    clock.advance(2 * CLAIM_TIME * 1000)
    stores.add("family", "other")
    assert not stores.claim(STORE, "one", KEY)
    assert stores.claim(STORE, "other", KEY)


def test_a_claimed_store_is_not_added_again(stores: Stores) -> None:
    stores.add("family", "code")
    stores.claim(STORE, "code", KEY)
    with pytest.raises(StoreExists, match="'family' already"):
        stores.add("family", "another")
    assert not stores.claim(STORE, "another", OTHER_KEY)


def test_a_code_is_kept_as_a_hash(stores: Stores, select: Select) -> None:
    stores.add("family", "code-in-words")
    (row,) = select("SELECT stores::text FROM stores")
    assert "code-in-words" not in row


def test_a_store_has_a_process_id_and_a_mark_of_its_own(stores: Stores, select: Select) -> None:
    for name in ("a", "b", "c"):
        stores.add(name, "code")
    rows = select("SELECT process_id, mark FROM stores")
    assert len({process_id for process_id, _ in rows}) == len({mark for _, mark in rows}) == 3
    assert all(1 <= process_id < 2**32 and 0 <= mark < 2**53 for process_id, mark in rows)


def test_nobody_has_the_key_of_a_store_that_is_not_claimed_or_not_there(stores: Stores, session: Session) -> None:
    stores.add("family", "code")
    for store in (STORE, name_store("not there")):
        keys = {PostgresKeeper(session, store).read_key() for _ in range(3)}
        assert len(keys) == 3
        assert {len(key) for key in keys} == {32}


def test_codes_are_random_and_can_be_typed() -> None:
    codes = {make_code() for _ in range(100)}
    assert len(codes) == 100
    assert all(re.fullmatch("(?:[a-z2-7]{4}-){5}[a-z2-7]{4}", code) for code in codes)
    assert make_code(Random(1).randbytes) == make_code(Random(1).randbytes)


# Limits


def test_limits_are_set_and_taken_away(stores: Stores) -> None:
    stores.add("family", "code")
    stores.set_limits("family", entries=5, size=100, requests=7)
    assert the_only(stores)[-3:] == (5, 100, 7)
    stores.set_limits("family", entries=None, size=None)
    assert the_only(stores)[-3:] == (None, None, None)
    with pytest.raises(NoSuchStore):
        stores.set_limits("other", entries=1, size=1)


def test_a_store_takes_as_many_keys_as_it_may(kept: PostgresKeeper, stores: Stores) -> None:
    stores.set_limits("family", entries=2, size=None)
    kept.merge([made("a"), made("b", counter=2)])
    with pytest.raises(QuotaReached, match="keeps 2 keys"):
        kept.merge([made("c", counter=3)])
    kept.merge([made("a", b"another", time=2, counter=3)])
    kept.merge([made("b", b"", time=2, counter=4)])
    assert the_only(stores).entries == 2  # a tombstone is one of them


def test_a_store_takes_as_many_bytes_as_it_may(kept: PostgresKeeper, stores: Stores) -> None:
    stores.set_limits("family", entries=None, size=2 * SMALL.block)
    kept.put_blocks(BLOCKS[:2])
    kept.put_blocks(BLOCKS[:2])  # which are there already
    with pytest.raises(QuotaReached, match="keeps 0 MB"):
        kept.put_blocks(BLOCKS[2:3])
    with pytest.raises(QuotaReached):
        kept.merge([made("a", b"x")])
    kept.merge([in_blocks("a", *BLOCKS[:2])])
    assert the_only(stores).bytes == 2 * SMALL.block


def test_a_refused_push_leaves_nothing(kept: PostgresKeeper, stores: Stores, select: Select) -> None:
    stores.set_limits("family", entries=None, size=100)
    kept.merge([made("a")])
    before = select("SELECT stores::text FROM stores"), select("SELECT key, sequence FROM entries")
    with pytest.raises(QuotaReached):
        kept.merge([made("b", counter=2), made("film", bytes(1000), counter=3)])
    assert (select("SELECT stores::text FROM stores"), select("SELECT key, sequence FROM entries")) == before
    assert select("SELECT count(*) FROM blocks") == [0]
    assert select("SELECT counter FROM devices") == [1]


def test_removals_go_where_there_is_no_room(kept: PostgresKeeper, stores: Stores, select: Select) -> None:
    kept.merge([made("a", b"12345"), made("b", b"12345", counter=2)])
    stores.set_limits("family", entries=1, size=1)  # it has more, from before
    pushed = [
        made("c", b"new", counter=3),
        made("a", b"", time=2, counter=4),
        made("never here", b"", time=2, counter=5),
    ]
    with pytest.raises(QuotaReached):
        kept.merge(pushed)
    kept.merge_removals(pushed)
    assert select("SELECT key, size FROM entries ORDER BY key") == [("a", 0), ("b", 5)]
    # The rest of the push has not come, and is not taken for counted.
    assert select("SELECT counter FROM devices") == [2]


def test_what_makes_a_store_smaller_goes_beyond_its_share(kept: PostgresKeeper, stores: Stores) -> None:
    kept.merge([made("a", b"12345"), made("b", b"12345", counter=2)])
    stores.set_limits("family", entries=None, size=3)
    kept.merge([made("a", b"1234", time=2, counter=3)])
    assert the_only(stores).bytes == 9


# Removing


def test_a_removed_store_leaves_nothing(kept: PostgresKeeper, stores: Stores, select: Select) -> None:
    kept.put_blocks(BLOCKS[:3])
    kept.merge([made("a"), in_blocks("film", *BLOCKS[:2], counter=2)])
    kept.merge([made("film", b"", time=2, counter=3), made("a", b"", time=2, counter=4)])
    kept.note_device(7, {7: "laptop"})
    select("UPDATE stores SET timeline = ''")
    kept.merge([])
    stores.add("other", "code")
    tables = TABLES.keys() - {"loose_objects"}  # there are none, and what goes later would stand there
    before = {table: select(f"SELECT count(*) FROM {table} WHERE store = %s", STORE)[0] for table in tables}
    assert all(before.values()), before
    stores.remove("family")
    assert not any(select(f"SELECT count(*) FROM {table} WHERE store = %s", STORE)[0] for table in tables)
    assert [status.name for status in stores.list_all()] == ["other"]
    with pytest.raises(NoSuchStore):
        stores.remove("family")


def test_a_name_can_be_used_again_by_another_store(kept: PostgresKeeper, stores: Stores) -> None:
    kept.merge([made("a")])
    stores.remove("family")
    stores.add("family", "new")
    assert stores.claim(STORE, "new", OTHER_KEY)
    assert kept.read_key() == OTHER_KEY
    assert the_only(stores).entries == 0
