"""kvassfs.tools.watching"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kvassfs.store import Event, Store
from kvassfs.tools.watching import REMEMBERED, Change, Watch, Watcher
from tests.support.stores import is_scratch, save
from tests.unit.store.test_settling import hand_out

CREATED, CHANGED, REMOVED = Event.CREATED, Event.CHANGED, Event.REMOVED


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    """The store as another process has it, which makes the changes."""
    with Store.open(tmp_path / "db.sqlite") as opened:
        opened.set("old", b"value")
        hand_out(opened)
        yield opened


@pytest.fixture
def store(other: Store) -> Iterator[Store]:
    with Store.open(other.path) as opened:
        yield opened


def test_what_becomes_of_keys_is_told_in_order(store: Store, other: Store) -> None:
    watcher = Watcher(store, "")
    assert watcher.look() == []
    other.set("new", b"value")
    other.set("old", b"value 2")
    assert watcher.look() == [Change("new", CREATED), Change("old", CHANGED)]
    other.delete("old")
    other.set("new", b"value 2")
    assert watcher.look() == [Change("old", REMOVED), Change("new", CHANGED)]
    other.set("old", b"value 3")
    assert watcher.look() == [Change("old", CREATED)]
    assert watcher.look() == []


def test_a_renamed_key_came_and_went(store: Store, other: Store) -> None:
    watcher = Watcher(store, "")
    other.transfers.move("old", "new")
    assert watcher.look() == [Change("new", CREATED), Change("old", REMOVED)]


def test_a_prefix_tells_of_the_keys_that_begin_with_it(store: Store, other: Store) -> None:
    watcher = Watcher(store, "n/")
    for key in ("n", "n/a", "nn"):
        other.set(key, b"value")
    assert watcher.look() == [Change("n/a", CREATED)]


def test_what_is_no_change_of_a_value_is_not_told(store: Store, other: Store) -> None:
    watcher = Watcher(store, "")
    other.tree.directories.make("d/", 0o40700, is_scratch=is_scratch)
    save(other, "x~", b"value", scratch=True)
    hand_out(other)
    other.set("brief", b"value")
    other.delete("brief")
    assert watcher.look() == []


def test_a_key_that_a_mount_removes_without_a_trace_is_told_to_be_removed(store: Store, other: Store) -> None:
    watcher = Watcher(store, "")
    node = save(other, "4913", b"value")
    assert watcher.look() == [Change("4913", CREATED)]
    other.tree.unlink(node, is_scratch=is_scratch)
    assert watcher.look() == [Change("4913", REMOVED)]
    assert watcher.look() == []


def test_also_one_that_came_before_it_was_watched(store: Store, other: Store) -> None:
    node = save(other, "4913", b"value")
    watcher = Watcher(store, "")
    other.tree.unlink(node, is_scratch=is_scratch)
    assert watcher.look() == [Change("4913", REMOVED)]


def test_such_keys_are_remembered_for_a_while_alone(store: Store, other: Store) -> None:
    now = 0.0
    watcher = Watcher(store, "", lambda: now)
    save(other, "k", b"value")
    watcher.look()
    assert watcher._created == {"old": 0.0, "k": 0.0}
    now = REMEMBERED
    watcher.look()
    assert watcher._created == {}


def test_changes_come_until_it_shall_not_go_on(store: Store, other: Store) -> None:
    told: list[Change] = []
    with closing(Watch(store, "")) as watch:
        other.set("before", b"value")
        for change in watch.changes(lambda: len(told) < 3):
            told.append(change)
            if len(told) < 3:
                other.set(f"k{len(told)}", b"value")
            else:
                watch.wake()
    assert told == [Change("before", CREATED), Change("k1", CREATED), Change("k2", CREATED)]
