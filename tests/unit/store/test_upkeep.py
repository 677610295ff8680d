"""The clean-up in small steps: what a command does of it is bounded, and all of it is done over time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs.store.upkeep import LONGEST_SLICE, SLICE_TIME, STEP
from tests.support.stores import audit_clean, count

BLOCKS = 10 * STEP


class Timer:
    """A clock that moves by ``step`` seconds whenever it is read."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def drop(store: Store, blocks: int) -> None:
    """Leave so many blocks to the clean-up, which nothing uses."""
    with store.transaction:
        added = [store._contents.add_block(os.urandom(8)) for _ in range(blocks)]
        store._database.execute_many("INSERT INTO dropped_blocks VALUES (?)", [(block,) for block in added])


@pytest.fixture
def timed(small: None, store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Timer]:
    """Have steps of the clean-up of a store with small blocks take so many seconds."""

    def time(step: float) -> Timer:
        timer = Timer(step)
        monkeypatch.setattr(store.upkeep, "_timer", timer)
        return timer

    return time


class TestBrief:
    def test_ends_after_some_milliseconds(self, store: Store, timed: Callable[[float], Timer]) -> None:
        drop(store, BLOCKS)
        timed(SLICE_TIME / 2)
        store.upkeep.tidy_briefly()
        assert BLOCKS - 3 * STEP <= count(store, "blocks") < BLOCKS

    def test_takes_longer_where_much_was_stored(self, store: Store, timed: Callable[[float], Timer]) -> None:
        drop(store, BLOCKS)
        timed(SLICE_TIME / 2)
        store.upkeep.tidy_briefly(worked=1.0)
        assert count(store, "blocks") == 0

    def test_takes_no_longer_than_that(self, store: Store, timed: Callable[[float], Timer]) -> None:
        drop(store, BLOCKS)
        timer = timed(LONGEST_SLICE / 2)
        store.upkeep.tidy_briefly(worked=3600.0)
        assert timer.now <= 2 * LONGEST_SLICE
        assert count(store, "blocks") > 0

    def test_again_and_again_does_all_of_it(self, store: Store, timed: Callable[[float], Timer]) -> None:
        drop(store, BLOCKS)
        timed(SLICE_TIME)
        for number in range(BLOCKS):
            store.set("key", b"%d" % number)
        assert count(store, "blocks") == 0
        audit_clean(store)

    def test_lets_go_of_what_a_process_held_that_died(self, small: None, path: Path, store: Store) -> None:
        """Nobody else may ever do so: the user has no mount and no hub."""
        with store.transaction:
            blocks = [store._contents.add_block(os.urandom(8)) for _ in range(3 * STEP)]
            store._database.execute("INSERT INTO holders VALUES (77, ?, 'another start')", (os.getpid(),))
            store._database.execute_many("INSERT INTO staged VALUES (?, 77, 1)", [(block,) for block in blocks])
        for number in range(10):
            store.set("key", b"%d" % number)
        assert count(store, "staged") == count(store, "holders") == count(store, "blocks") == 0

    def test_lets_go_of_little_at_a_time(self, small: None, store: Store, timed: Callable[[float], Timer]) -> None:
        with store.transaction:
            blocks = [store._contents.add_block(os.urandom(8)) for _ in range(3 * STEP)]
            store._database.execute("INSERT INTO holders VALUES (77, ?, 'another start')", (os.getpid(),))
            store._database.execute_many("INSERT INTO staged VALUES (?, 77, 1)", [(block,) for block in blocks])
        timed(SLICE_TIME)
        store.upkeep.tidy_briefly()
        assert count(store, "staged") == 2 * STEP
        assert count(store, "holders") == 1


def test_what_waits_for_the_clean_up_counts_blocks_of_values_that_came_to_nothing(small: None, store: Store) -> None:
    with store.transaction:
        store._database.execute("INSERT INTO dropped_blocks VALUES (?)", (store._contents.add_block(b"block"),))
    assert store.upkeep.dropped_size() == store._contents.sizes.block
