"""kvassfs.store.room: what is free goes back to the disk, in steps; databases from before are written anew once."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kvassfs.errors import DiskFull, NoRoomForCopy, StoreBusy
from kvassfs.store import HUB, MOUNT, Profile, Store
from kvassfs.store.database import LOG_LIMIT
from kvassfs.store.room import FEW_PAGES, LIMITS, REST, Pages, Room, RoomLimits, count_surplus, is_mostly_free
from tests.support.golden_data import GOLDEN
from tests.support.stores import Fault, audit, error_line, failing, free_room, keep_room, rows

MB = 1_000_000
PAGE = 4096


@pytest.mark.parametrize(
    ("pages", "surplus"),
    [
        (Pages(100, 0, PAGE), 0),
        (Pages(1024, 1024, PAGE), 0),  # 4 MiB
        (Pages(1024 + FEW_PAGES - 1, 1024 + FEW_PAGES - 1, PAGE), 0),
        (Pages(1024 + FEW_PAGES, 1024 + FEW_PAGES, PAGE), FEW_PAGES),
        (Pages(6000, 5000, PAGE), 5000 - 1024),
        (Pages(90_000, 10_000, PAGE), 0),  # an eighth of what is used
        (Pages(91_000, 11_000, PAGE), 1000),
        (Pages(3000, 2560, 16384), 2560 - 256),
    ],
)
def test_what_is_more_than_a_reserve_goes_back(pages: Pages, surplus: int) -> None:
    assert count_surplus(pages) == surplus


@pytest.mark.parametrize(
    ("pages", "is_so"),
    [
        (Pages(20_000, 19_990, PAGE), True),
        (Pages(16_000, 15_999, PAGE), False),  # less than 64 MiB is free
        (Pages(30_000, 21_000, PAGE), False),  # more than 32 MiB is used
        (Pages(1_200_000, 1_199_900, PAGE), True),
    ],
)
def test_what_is_mostly_free_is_written_anew(pages: Pages, is_so: bool) -> None:
    assert is_mostly_free(pages) is is_so


def test_saving_everything_anew_frees_less_than_is_kept() -> None:
    """Of eleven versions of everything the oldest goes."""
    assert count_surplus(Pages(110_000, 10_000, PAGE)) == 0


def pages_of(store: Store) -> int:
    return int(rows(store, "PRAGMA page_count")[0])


def free_pages(store: Store) -> int:
    return int(rows(store, "PRAGMA freelist_count")[0])


class TestStep:
    def test_gives_back_no_more_than_its_pages(self, store: Store) -> None:
        free_room(store, 8 * MB)
        before = pages_of(store)
        room = Room(store._database, LIMITS._replace(pages=100), clock=lambda: 0.0)
        assert room.give_some_back()
        assert pages_of(store) == before - 100

    def test_ends_when_its_time_is_over(self, store: Store) -> None:
        free_room(store, 8 * MB)
        before, now = pages_of(store), 0.0

        def clock() -> float:
            nonlocal now
            now += 0.001
            return now

        assert Room(store._database, LIMITS._replace(seconds=0.01), clock).give_some_back()
        assert pages_of(store) == before - 10

    def test_follows_step_until_the_reserve_is_left(self, store: Store, path: Path) -> None:
        store.set("kept", bytes(range(256)) * 2000)
        free_room(store, 20 * MB)
        assert path.stat().st_size > 20 * MB
        steps = 1
        while store.upkeep.give_some_back():
            steps += 1
        assert steps >= 3
        assert LIMITS.kept <= free_pages(store) * PAGE <= LIMITS.kept + FEW_PAGES * PAGE
        assert path.stat().st_size < 6 * MB
        assert store.upkeep.log_size() == 0
        assert store.get("kept").read() == bytes(range(256)) * 2000

    @pytest.mark.parametrize("profile", [MOUNT, HUB])
    def test_makes_the_file_shorter_for_others_that_have_it_open(
        self, store: Store, path: Path, profile: Profile
    ) -> None:
        with Store.open(path, profile=profile) as other:
            other.set("theirs", os.urandom(300_000))
            value = other.get("theirs").read()
            free_room(store, 20 * MB)
            while store.upkeep.give_some_back():
                pass
            assert path.stat().st_size < 6 * MB
            assert other.get("theirs").read() == value
            other.set("new", b"value")
            audit(other)

    def test_does_nothing_where_little_is_free(self, store: Store) -> None:
        free_room(store, 3 * MB)
        before = pages_of(store)
        assert not store.upkeep.give_some_back()
        assert pages_of(store) == before

    def test_does_nothing_inside_a_transaction(self, store: Store) -> None:
        free_room(store, 8 * MB)
        with store.transaction:
            assert not store.upkeep.give_some_back()

    def test_does_nothing_to_a_database_that_was_not_made_for_it(self, path: Path) -> None:
        Store.open(path).close()
        keep_room(path)
        with Store.open(path) as store:
            free_room(store, 8 * MB)
            before = pages_of(store)
            assert not store.upkeep.give_some_back()
            assert pages_of(store) == before

    def test_waits_for_who_reads_from_the_log_and_lets_it_not_grow(
        self, store: Store, open_store: Callable[[], Store]
    ) -> None:
        free_room(store, 40 * MB, below=20 * MB)
        reader = open_store()
        with reader._database.snapshot():
            reader.count_keys()
            steps = 0
            while store.upkeep.give_some_back():
                steps += 1
                assert steps < 2000
            assert store.upkeep.log_size() < LOG_LIMIT + 5 * 1024 * PAGE
            before = pages_of(store)
            assert not store.upkeep.give_some_back()
            assert pages_of(store) == before > 2000
        while store.upkeep.give_some_back():
            pass
        assert free_pages(store) * PAGE <= LIMITS.kept + FEW_PAGES * PAGE

    def test_leaves_it_for_another_time_where_the_disk_is_full(self, store: Store) -> None:
        free_room(store, 8 * MB)
        before = pages_of(store)

        def fail(sql: str) -> None:
            if "incremental_vacuum" in sql:
                raise_full(sql)

        with failing(store._database, fail):
            assert not store.upkeep.give_some_back()
        assert pages_of(store) == before


def raise_full(_: str) -> None:
    Fault(0)("")


def test_a_command_gives_back_one_step_at_most(store: Store) -> None:
    free_room(store, 20 * MB)
    step = LIMITS.pages + 8  # with those that say where the others are
    before = pages_of(store)
    store.set("a", b"value")
    after = pages_of(store)
    assert before - step <= after < before
    store.delete("a")
    assert after - step <= pages_of(store) < after


class TestNewDatabase:
    def test_gives_room_back(self, store: Store) -> None:
        assert store.upkeep.gives_back()

    def test_that_was_an_empty_file_gives_room_back(self, path: Path) -> None:
        path.touch()
        with Store.open(path) as store:
            assert store.upkeep.gives_back()

    def test_that_only_got_its_log_before_its_maker_was_killed_gives_room_back(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA journal_mode=WAL")
        with Store.open(path) as store:
            assert store.upkeep.gives_back()


class TestEarlierDatabase:
    @pytest.mark.parametrize("version", [1, 4, 9])
    def test_of_an_earlier_version_is_written_anew(self, path: Path, version: int) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript((GOLDEN / f"store-version-{version}.sql").read_text(encoding="utf-8"))
        with Store.open(path) as store:
            assert store.upkeep.gives_back()
            assert store.upkeep.log_size() == 0
            audit(store)

    def test_of_the_original_program_is_written_anew(self, path: Path) -> None:
        shutil.copyfile(GOLDEN / "client-1001.sqlite", path)
        with Store.open(path) as store:
            assert store.upkeep.gives_back()
            audit(store)

    def test_of_this_version_is_left_by_who_opens_it(self, path: Path) -> None:
        """A command does not write it anew."""
        Store.open(path).close()
        keep_room(path)
        with Store.open(path) as store:
            store.set("a", b"value")
            store.delete("a")
        with Store.open(path) as store:
            assert not store.upkeep.gives_back()

    def test_is_written_anew_if_it_is_small(self, earlier: Store) -> None:
        assert earlier.upkeep.rewrite_small()
        assert earlier.upkeep.gives_back()
        assert not earlier.upkeep.rewrite_small()

    def test_is_left_if_it_is_large(self, earlier: Store) -> None:
        assert not Room(earlier._database, RoomLimits(small=3 * MB)).rewrite_small()
        assert not earlier.upkeep.gives_back()

    def test_is_left_while_somebody_else_writes(self, earlier: Store, open_store: Callable[[], Store]) -> None:
        with open_store().transaction, earlier._database.waiting(0.0):
            assert not earlier.upkeep.rewrite_small()
            with pytest.raises(StoreBusy):
                earlier.upkeep.give_all_back()
        assert earlier.upkeep.rewrite_small()

    def test_is_written_anew_too_where_it_gives_room_back_and_is_mostly_free(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        free_room(store, 4 * MB)
        room = Room(store._database, RoomLimits(much=2 * MB))
        monkeypatch.setattr(room, "_step", None)  # not by steps
        assert room.give_all_back() > 3 * MB
        assert free_pages(store) == 0
        assert not room.rewrite_small()
        audit(store)

    def test_is_written_anew_beside_others_which_see_that(self, earlier: Store, path: Path) -> None:
        with Store.open(path, profile=MOUNT) as other:
            assert not other.upkeep.gives_back()
            chunks = other.get("large").chunks()
            first = next(chunks)
            assert earlier.upkeep.rewrite_small()
            assert first + b"".join(chunks) == earlier.get("large").read()
            assert other.upkeep.gives_back()
            free_room(other, 8 * MB)
            size = pages_of(other)
            other.upkeep.give_some_back()
            assert pages_of(other) < size
            other.set("new", b"value")
            audit(other)
            audit(earlier)

    def test_is_left_without_room_for_a_copy(self, earlier: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = path.read_bytes()
        monkeypatch.setattr(Room, "_has_room_for", lambda *_: False)
        assert not earlier.upkeep.rewrite_small()
        with pytest.raises(NoRoomForCopy) as refused:
            earlier.upkeep.give_all_back()
        assert error_line(refused.value) == (
            f"{path} is written anew once, which takes twice 4 MB meanwhile: on its disk, and where temporary files go"
            " (TMPDIR, else /var/tmp); make room there and try again"
        )
        assert path.read_bytes() == before

    def test_is_left_where_the_disk_turns_out_to_be_full(self, earlier: Store, path: Path) -> None:
        before = path.read_bytes()

        def fail(sql: str) -> None:
            if sql == "VACUUM":
                raise_full(sql)

        with failing(earlier._database, fail), pytest.raises(NoRoomForCopy):
            earlier.upkeep.give_all_back()
        assert path.read_bytes() == before
        assert earlier.upkeep.log_size() == 0

    @pytest.fixture
    def earlier(self, path: Path, open_store: Callable[[], Store]) -> Store:
        """A store of 4 MB that gives no room back."""
        with Store.open(path) as store:
            store.set("large", os.urandom(4 * MB))
        keep_room(path)
        return open_store()


class TestEverything:
    def test_is_given_back(self, store: Store, path: Path) -> None:
        free_room(store, 20 * MB)
        before = path.stat().st_size
        given = store.upkeep.give_all_back()
        assert given > 20 * MB
        assert path.stat().st_size == before - given
        assert free_pages(store) == 0
        assert store.upkeep.give_all_back() == 0

    def test_lets_others_write_meanwhile(self, store: Store, open_store: Callable[[], Store]) -> None:
        """Between two steps the lock is free: who has no patience at all gets it."""
        free_room(store, 20 * MB)
        other = open_store()
        other._database.rows("PRAGMA busy_timeout=0")
        written = 0

        def write(sql: str) -> None:
            nonlocal written
            if sql == "BEGIN IMMEDIATE":
                written += 1
                other.set("theirs", b"%d" % written)

        with failing(store._database, write):
            Room(store._database, LIMITS._replace(pages=200)).give_all_back()
        assert written > 5
        assert store.get("theirs").read() == b"%d" % written

    def test_rests_between_steps_and_not_after_the_last(self, store: Store) -> None:
        free_room(store, 8 * MB)
        pauses: list[float] = []
        limits = LIMITS._replace(pages=500)
        Room(store._database, limits, lambda: 0.0, pauses.append).give_all_back()
        assert pauses == [REST] * 3  # of 2,000 pages that are free
        assert free_pages(store) == 0

    def test_ends_where_somebody_reads_for_long(self, store: Store, open_store: Callable[[], Store]) -> None:
        free_room(store, 40 * MB, below=20 * MB)
        reader = open_store()
        with reader._database.snapshot():
            reader.count_keys()
            assert 0 < store.upkeep.give_all_back() < 30 * MB

    def test_of_a_database_from_before_goes_back_and_does_so_from_then_on(self, path: Path) -> None:
        Store.open(path).close()
        keep_room(path)
        with Store.open(path) as store:
            free_room(store, 20 * MB)
            assert store.upkeep.give_all_back() > 20 * MB
            assert path.stat().st_size < MB
            assert store.upkeep.gives_back()

    def test_says_that_the_disk_is_full(self, store: Store) -> None:
        free_room(store, 8 * MB)

        def fail(sql: str) -> None:
            if "incremental_vacuum" in sql:
                raise_full(sql)

        with failing(store._database, fail), pytest.raises(DiskFull):
            store.upkeep.give_all_back()
