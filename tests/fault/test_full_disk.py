"""A full disk: what removes, and what makes room, works on it, whoever filled it with whatever."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.errors import DiskFull, NoRoomForCopy
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.store import HUB, MOUNT, Store
from kvassfs.store.reserve import RESERVE, Reserve
from kvassfs.store.room import Room
from kvassfs.sync import messages
from kvassfs.sync.hub import Hub
from kvassfs.sync.seal import Seal
from tests.support.disks import KINDS, MIB, fill, filled, small_disk
from tests.support.stores import audit, free_room, is_scratch, keep_room, save

SIZES = pytest.mark.parametrize("size", [5, 20_000, 300_000, 2 * MIB])


@pytest.fixture(params=KINDS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, 16 * MIB, request.param) as disk:
        yield disk


def save_some(store: Store, size: int) -> list[str]:
    """Save values of ``size`` bytes through a mount's store, 2 MiB of them, 200 at most, and return their keys."""
    keys = [f"key {number}" for number in range(min(200, max(2, 2 * MIB // size)))]
    for key in keys:
        save(store, key, os.urandom(size))
    return keys


def save_until_full(store: Store, size: int) -> list[str]:
    """Save values until there is no more room, and return their keys."""
    keys: list[str] = []
    with suppress(DiskFull):
        while True:
            save(store, f"key {len(keys)}", os.urandom(size))
            keys.append(f"key {len(keys)}")
    return keys


def remove(store: Store, key: str) -> None:
    """Remove a file as a mount does."""
    node = store.tree.file(key)
    assert node is not None
    store.tree.unlink(node, is_scratch=is_scratch)


@SIZES
class TestFilledByOthers:
    def test_just_after_a_save_everything_can_be_removed(self, disk: Path, size: int) -> None:
        with Store.open(disk / "db", profile=MOUNT) as store:
            keys = save_some(store, size)
            with filled(disk):
                for key in keys:
                    remove(store, key)
            assert list(store.keys()) == []
            audit(store)

    def test_a_process_that_comes_then_can_read_and_remove(self, disk: Path, size: int) -> None:
        with Store.open(disk / "db", profile=MOUNT) as store:
            keys = save_some(store, size)
        with filled(disk):
            for key in keys:
                with Store.open(disk / "db") as store:
                    assert len(store.get(key).read()) == size
                    store.delete(key)
            with Store.open(disk / "db") as store:
                assert list(store.keys()) == []
                audit(store)

    def test_after_a_process_that_was_killed_everything_can_be_removed(self, disk: Path, size: int) -> None:
        code = f"""
            import os, sys
            from kvassfs.store import MOUNT, Store
            from tests.fault.test_full_disk import save_some
            store = Store.open(sys.argv[1], profile=MOUNT)
            save_some(store, {size})
            os._exit(0)
        """
        code = "\n".join(line.strip() for line in code.splitlines())
        subprocess.run([sys.executable, "-c", code, str(disk / "db")], check=True)
        with filled(disk), Store.open(disk / "db") as store:
            for key in list(store.keys()):
                store.delete(key)
            assert list(store.keys()) == []
            audit(store)


@pytest.mark.parametrize("size", [20_000, 300_000, 2 * MIB])
class TestFilledByTheStore:
    def test_removing_makes_room_for_new_values(self, disk: Path, size: int) -> None:
        with Store.open(disk / "db", profile=MOUNT) as store:
            keys = save_until_full(store, size)
            assert len(keys) > 1
            fill(disk)
            for key in keys[::2]:
                remove(store, key)
            assert list(store.keys()) == sorted(keys[1::2])
            audit(store)
        with Store.open(disk / "db") as store:
            for key in keys[1::2]:
                store.delete(key)
            (disk / "filler").unlink()
            store.set("new", os.urandom(size))
            assert list(store.keys()) == ["new"]
            audit(store)

    def test_a_shorter_value_and_an_empty_one_can_be_saved(self, disk: Path, size: int) -> None:
        with Store.open(disk / "db", profile=MOUNT) as store:
            one, other, *_ = save_until_full(store, size)
            fill(disk)
            _, draft = store.tree.open(one)
            draft.truncate(100)
            save(store, other, b"")
            store.set_empty("a new one")
            draft.close()


def test_values_are_not_stored_in_what_is_reserved(disk: Path) -> None:
    with Store.open(disk / "db", profile=MOUNT) as store:
        save_until_full(store, 20_000)
        assert Reserve(str(disk / "db")).size() >= RESERVE


def test_what_is_reserved_grows_with_the_log_and_shrinks(disk: Path) -> None:
    reserve = Reserve(str(disk / "db"))
    with Store.open(disk / "db", profile=MOUNT) as store:
        save(store, "a", os.urandom(3 * MIB))
        assert reserve.size() > 3 * MIB
        store.upkeep.checkpoint()
        assert reserve.size() == RESERVE


def test_more_is_removed_than_the_reserve_has_room_for(disk: Path) -> None:
    """Removing takes room too, for tombstones and history; then the oldest history goes."""
    with Store.open(disk / "db", profile=HUB) as store:
        with store.bulk(), store.transaction:
            for number in range(1000):
                save(store, f"{number}/" + "long name " * 20, b"short")
        store.upkeep.checkpoint()
        with filled(disk):
            for key in list(store.keys()):
                store.delete(key)
        assert store.count_keys() == 0
        assert Reserve(str(disk / "db")).size() >= RESERVE // 2
        audit(store)


class TestHub:
    """A hub merges what removes keys, whoever filled its disk; the rest is for another time."""

    @pytest.fixture
    def store(self, disk: Path) -> Iterator[Store]:
        with Store.open(disk / "db", profile=HUB) as store:
            yield store
            audit(store)

    def push(self, store: Store, *deliveries: Delivery) -> None:
        seal = Seal(store.settings.config().encryption_key)
        Hub(StoreKeeper(store)).push(seal.seal(messages.encode_push(deliveries)))

    def delivery(self, key: str, value: bytes, counter: int) -> Delivery:
        entry = Entry(key, time.time_ns() // 1000, counter, 1001, f"token {counter}", len(value), None)
        return Delivery(entry, counter, value, b"")

    def test_removals_are_merged(self, store: Store, disk: Path) -> None:
        keys = [str(number) for number in range(100)]
        self.push(store, *(self.delivery(key, os.urandom(20_000), number) for number, key in enumerate(keys, 1)))
        with filled(disk):
            self.push(store, *(self.delivery(key, b"", number) for number, key in enumerate(keys, 101)))
        assert list(store.keys()) == []

    def test_removals_are_merged_although_values_beside_them_have_no_room(self, store: Store, disk: Path) -> None:
        self.push(store, self.delivery("old", os.urandom(20_000), 1))
        both = [self.delivery("new", os.urandom(900_000), 2), self.delivery("old", b"", 3)]
        with filled(disk):
            for _ in range(2):
                with pytest.raises(DiskFull):
                    self.push(store, *both)
            assert list(store.keys()) == []
        self.push(store, *both)
        assert list(store.keys()) == ["new"]


def test_room_goes_back_to_a_full_disk(disk: Path) -> None:
    with Store.open(disk / "db", profile=MOUNT) as store:
        free_room(store, 6 * MIB)
        with filled(disk):
            before = (disk / "db").stat().st_size
            steps = 1
            while store.upkeep.give_some_back():
                steps += 1
            assert steps > 3  # small ones: the log has no more room than is in reserve
            assert (disk / "db").stat().st_size < before - MIB
            audit(store)
    assert Reserve(str(disk / "db")).size() >= RESERVE


def test_without_room_for_a_copy_a_database_from_before_stays_as_it_was(disk: Path) -> None:
    with Store.open(disk / "db") as store:
        store.set("a", os.urandom(5 * MIB))
    keep_room(disk / "db")
    with Store.open(disk / "db") as store:
        before = (disk / "db").read_bytes()
        with pytest.raises(NoRoomForCopy):
            store.upkeep.give_all_back()
        assert not store.upkeep.rewrite_small()
        assert (disk / "db").read_bytes() == before
        audit(store)


def test_a_disk_that_is_full_while_it_is_written_anew_leaves_it_as_it_was(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Room, "_has_room_for", lambda *_: True)
    with Store.open(disk / "db") as store:
        store.set("a", os.urandom(5 * MIB))
    keep_room(disk / "db")
    with Store.open(disk / "db") as store:
        before = (disk / "db").read_bytes()
        with filled(disk), pytest.raises(NoRoomForCopy):
            store.upkeep.give_all_back()
        assert (disk / "db").read_bytes() == before
        assert not store.upkeep.gives_back()
        assert store.upkeep.log_size() == 0
        audit(store)
        assert store.upkeep.rewrite_small() is True
        audit(store)
