"""kvassfs.store.listing: directories a page at a time, while others change them."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest

from kvassfs.store import DIRECTORY_MODE, Store, listing
from tests.support.stores import is_scratch, save


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE", 3)


def shown(store: Store, prefix: str = "") -> list[tuple[str, bool, bool]]:
    return [(name, node is not None, record is not None) for name, node, record in store.tree.children(prefix)]


@pytest.mark.parametrize("seed", range(20))
def test_each_component_comes_once_as_what_it_is(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    keys = {"".join(chance.choices("ab-./0", k=chance.randint(1, 5))) for _ in range(60)}
    for key in sorted(keys):
        save(store, key, b"x", scratch=chance.random() < 0.3)
    expected: dict[str, list[bool]] = {}
    for key in keys:
        component, slash, _ = key.partition("/")
        expected.setdefault(component, [False, False])[bool(slash)] = True
    found = shown(store)
    assert len(found) == len(expected)
    assert {name: [is_file, is_directory] for name, is_file, is_directory in found} == expected


def test_a_name_waits_for_the_directory_of_that_name_behind_others(store: Store) -> None:
    for key in ("a", "a-1", "a-2", "a.", "a/b", "a0", "b"):
        store.set(key, b"x")
    assert shown(store) == [
        ("a-1", True, False),
        ("a-2", True, False),
        ("a.", True, False),
        ("a", True, True),
        ("a0", True, False),
        ("b", True, False),
    ]


def test_nothing_is_held_between_pages(store: Store) -> None:
    for number in range(9):
        store.set(f"{number}", b"x")
    children = store.tree.children("")
    next(children)
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("UPDATE syncs SET number = number + 1")
        other.commit()
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    store.set("8", b"more")
    assert [child.component for child in children] == [f"{number}" for number in range(1, 9)]


def test_a_program_that_makes_a_name_for_each_that_it_finds_comes_to_an_end(store: Store) -> None:
    for number in range(10):
        store.set(f"{number}", b"x")
        store.set(f"d{number}/file", b"x")
    found = []
    for child in store.tree.children(""):
        found.append(child.component)
        save(store, f"{child.component}-copy", b"x")
        save(store, f"{child.component}-copy~", b"x", scratch=True)
        save(store, f"{child.component}-directory/file", b"x")
        store.tree.directories.make(f"{child.component}-empty/", DIRECTORY_MODE, is_scratch=is_scratch)
    assert sorted(found) == sorted([f"{number}" for number in range(10)] + [f"d{number}" for number in range(10)])


def test_what_stays_is_found_though_it_changes(store: Store) -> None:
    for number in range(8):
        store.set(f"{number}", b"x")
        store.set(f"d{number}/old", b"x")
    found = {}
    for child in store.tree.children(""):
        found[child.component] = child.node.size if child.node else 0
        if child.component == "0":
            for number in range(1, 8):
                store.set(f"{number}", b"longer")
            for number in range(8):
                save(store, f"d{number}/new", b"x")
                store.delete(f"d{number}/old")
    assert len(found) == 16
    assert found["7"] == 6


def test_siblings_are_of_a_beginning_and_once(store: Store) -> None:
    for key in ("p/ab", "p/ab/1", "p/ab/2", "p/abc", "p/b", "p/aba/x/y"):
        store.set(key, b"x")
    save(store, "p/ab~", b"x", scratch=True)
    assert store.tree.siblings("p/", "ab") == ["ab", "aba", "abc", "ab~"]
