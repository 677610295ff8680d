"""What is kept in order beside a mount: the configuration is followed, the log short, and nothing unused stays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.mount.housekeeping import INTERVAL, QUIET_TIME, Housekeeping
from kvassfs.scratch import ScratchNames
from kvassfs.store import MOUNT, Store
from tests.support.stores import free_room, keep_room, save

LIMIT = 4 * 1024 * 1024
IDLE_LIMIT = 2 * 1024 * 1024
MIB = 1024 * 1024


class Rig:
    """The store of a mount, the connection of its housekeeping, and what that asks for."""

    def __init__(self, own: Store, other: Store) -> None:
        self.own = own
        self.other = other
        self.now = 1000.0
        self.scratch: list[ScratchNames] = []
        self.wanted: list[bool] = []
        self.housekeeping = Housekeeping(
            own,
            use_scratch=self.scratch.append,
            supervise=self.wanted.append,
            clock=lambda: self.now,
            log_limit=LIMIT,
            idle_log_limit=IDLE_LIMIT,
        )

    def look(self, *, woken: bool = False) -> float:
        return self.housekeeping.look(self.other, woken)

    def fill_log(self, size: int) -> None:
        self.own.upkeep.checkpoint()
        number = 0
        while self.own.upkeep.log_size() <= size:
            number += 1
            save(self.own, f"file {number}", bytes([number]) * 60_000)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    path = tmp_path / "db"
    with Store.open(path, profile=MOUNT) as own, Store.open(path, profile=MOUNT) as other:
        yield Rig(own, other)


class TestConfiguration:
    def test_of_scratch_names_is_followed(self, rig: Rig) -> None:
        rig.look()
        assert rig.scratch == []
        rig.other.settings.set_scratch_patterns(["*.mine"])
        rig.look()
        rig.look()
        rig.other.settings.set_scratch_patterns(None)
        rig.look()
        assert [names.matches("a.mine") for names in rig.scratch] == [True, False]

    def test_of_a_hub_decides_whether_the_store_is_kept_in_step(self, rig: Rig) -> None:
        rig.look()
        rig.other.settings.set_remote("hub.example:8000")
        rig.look()
        assert rig.wanted == [False, True]


class TestLog:
    def test_that_is_long_is_shortened_although_somebody_writes(self, rig: Rig) -> None:
        rig.fill_log(LIMIT)
        rig.look(woken=True)
        assert rig.own.upkeep.log_size() < IDLE_LIMIT

    def test_is_left_alone_while_somebody_writes(self, rig: Rig) -> None:
        rig.fill_log(IDLE_LIMIT)
        assert rig.look(woken=True) == QUIET_TIME
        assert rig.own.upkeep.log_size() > IDLE_LIMIT

    def test_is_shortened_when_nobody_writes_any_more(self, rig: Rig) -> None:
        rig.fill_log(IDLE_LIMIT)
        rig.look()
        assert rig.own.upkeep.log_size() < IDLE_LIMIT

    def test_that_is_short_is_left_alone(self, rig: Rig) -> None:
        rig.own.upkeep.checkpoint()
        save(rig.own, "file", b"value")
        size = rig.own.upkeep.log_size()
        rig.look()
        assert rig.own.upkeep.log_size() == size
        assert "file" in rig.own.keys()


class TestCleanUp:
    def drop_a_value(self, rig: Rig) -> None:
        save(rig.own, "file", bytes(range(256)) * 4096)
        save(rig.own, ".#scratch", bytes(MIB), scratch=True)
        rig.own.tree._scratch.drop(".#scratch")

    def test_is_done_once_in_an_interval(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        steps: list[float] = []

        def clean() -> bool:
            steps.append(rig.now)
            return len(steps) % 3 > 0

        monkeypatch.setattr(rig.other.upkeep, "clean", clean)
        assert rig.look() == INTERVAL
        rig.now += INTERVAL - 1
        assert rig.look() == 1
        assert steps == []
        rig.now += 1
        assert rig.look() == INTERVAL
        assert steps == [1000 + INTERVAL] * 3
        rig.look()
        assert len(steps) == 3

    def test_is_done_although_somebody_writes_all_the_time(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        steps: list[float] = []
        monkeypatch.setattr(rig.other.upkeep, "clean", lambda: steps.append(rig.now))
        for _ in range(100):
            rig.now += INTERVAL / 50
            rig.look(woken=True)
        assert len(steps) == 2

    def test_gives_the_room_of_what_is_gone_back(self, rig: Rig) -> None:
        self.drop_a_value(rig)
        rig.now += INTERVAL
        rig.look()
        assert rig.own.upkeep.tidy() is False

    def test_ends_soon_when_the_mount_does(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        steps: list[int] = []

        def clean() -> bool:
            steps.append(1)
            rig.housekeeping.stop()
            return True

        monkeypatch.setattr(rig.other.upkeep, "clean", clean)
        rig.now += INTERVAL
        rig.look()
        assert steps == [1]


class TestRoom:
    def test_that_is_free_goes_back_bit_by_bit_without_another_pause_than_the_rest(self, rig: Rig) -> None:
        free_room(rig.own, 20 * MIB)
        size = os.stat(rig.own.path).st_size
        pauses = [rig.look(woken=True)]
        assert size - 5 * MIB < os.stat(rig.own.path).st_size < size
        while pauses[-1] == 0:
            pauses.append(rig.look(woken=True))
        assert pauses[-1] == QUIET_TIME
        assert len(pauses) > 3
        assert os.stat(rig.own.path).st_size < 6 * MIB

    def test_of_a_small_database_from_before_does_so_from_when_nobody_writes_on(self, tmp_path: Path) -> None:
        path = tmp_path / "db"
        Store.open(path).close()
        keep_room(path)
        with Store.open(path, profile=MOUNT) as own, Store.open(path, profile=MOUNT) as other:
            rig = Rig(own, other)
            rig.look(woken=True)
            assert not own.upkeep.gives_back()
            rig.look()
            assert own.upkeep.gives_back()
