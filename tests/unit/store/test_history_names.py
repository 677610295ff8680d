"""History by names: how keys that have versions go on, which keys are removed, and values that are kept while read."""

from __future__ import annotations

import os

import pytest

from kvassfs.errors import KeyMissing, RevisionMissing
from kvassfs.store import BLOCK_SIZE, Store
from tests.support.stores import DAY, Clock


def put(store: Store, *keys: str, times: int = 2) -> None:
    for key in keys:
        for number in range(times):
            store.set(key, f"{key} {number}".encode())


def removed(store: Store, prefix: str = "") -> list[tuple[str, int]]:
    return [(version.entry.key, version.number) for version in store.history.removed(prefix)]


def is_removed(store: Store, key: str) -> bool:
    return store.history.find_removed(key) is not None


# Levels


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("", ["/", "a", "a/", "b/", "é"]),
        ("a", ["a", "a/"]),
        ("a/", ["a/", "a/c", "a/d/"]),
        ("a/d/", ["a/d/e", "a/d/f"]),
        ("a/d", ["a/d/"]),
        ("b/", ["b//"]),
        ("c", []),
    ],
)
def test_keys_with_earlier_versions_are_found_level_by_level(store: Store, prefix: str, names: list[str]) -> None:
    put(store, "a", "a/", "a/c", "a/d/e", "a/d/f", "b//x", "/z", "é", times=4)
    put(store, "c", "a/new", times=1)
    assert list(store.history.level(prefix)) == names


def test_removed_keys_are_found_too(store: Store) -> None:
    put(store, "a/b", times=1)
    assert list(store.history.level("")) == []
    store.delete("a/b")
    assert list(store.history.level("")) == ["a/"]


# Removed keys


def test_a_removed_key_has_its_last_value(store: Store) -> None:
    put(store, "a", times=3)
    store.delete("a")
    assert removed(store) == [("a", 3)]
    version = store.history.find_removed("a")
    assert version is not None
    assert store.history.get("a", version.number).read() == b"a 2"


def test_one_that_is_there_is_none_of_them(store: Store) -> None:
    put(store, "a")
    assert not is_removed(store, "a")
    assert not is_removed(store, "b")
    store.delete("a")
    assert is_removed(store, "a")
    put(store, "a", times=1)
    assert not is_removed(store, "a")
    assert removed(store) == []


def test_one_that_was_removed_twice_is_found_once(store: Store) -> None:
    for _ in range(3):
        put(store, "a")
        store.delete("a")
    assert removed(store) == [("a", 6)]


def test_of_one_that_was_empty_at_last_no_value_is_kept(store: Store) -> None:
    put(store, "a")
    store.set_empty("a")
    store.delete("a")
    assert removed(store) == []


def test_a_value_that_lives_on_under_another_key_is_not_removed(store: Store) -> None:
    put(store, "a")
    node = store.tree.file("a")
    assert node is not None
    store.tree.rename(node, "b", is_scratch=lambda _: False)
    assert removed(store) == []


def test_removed_keys_are_found_level_by_level(store: Store) -> None:
    put(store, "a", "a-", "a/b", "a/c/d", "a/c/e", "a/", "b/c", "there/x", "x")
    store.delete_all("a")
    for key in ("a-", "b/c", "x"):
        store.delete(key)
    assert [key for key, _ in removed(store)] == ["a", "a-", "a/", "b/c", "x"]
    assert [key for key, _ in removed(store, "a/")] == ["a/", "a/b", "a/c/d"]
    assert [key for key, _ in removed(store, "a/c/")] == ["a/c/d", "a/c/e"]
    assert removed(store, "there/") == []


def test_it_is_known_of_a_directory_that_keys_were_removed_from_it(store: Store) -> None:
    put(store, "a/b/c", "a-", "a0")
    store.delete("a-")
    store.delete("a0")
    assert not store.history.had_removed("a/")
    store.delete("a/b/c")
    put(store, "a/b/c")
    assert store.history.had_removed("a/")
    assert store.history.had_removed("a/b/")
    assert not store.history.had_removed("a/b/c/")


def test_what_is_removed_goes_when_history_lets_it_go(store: Store, clock: Clock) -> None:
    put(store, "a")
    store.delete("a")
    clock.advance(31 * DAY)
    store.upkeep.tidy()
    assert removed(store) == []
    assert not is_removed(store, "a")


# Values


def test_a_version_is_opened_by_its_number(store: Store) -> None:
    put(store, "a", times=3)
    for number in (1, 2, 3):
        draft = store.history.open("a", number)
        assert draft.read(0, draft.size) == f"a {number - 1}".encode()
        draft.close()


def test_an_empty_file_is_opened(store: Store) -> None:
    store.set_empty("a")
    assert store.history.open("a", 1).size == 0


def test_what_is_not_kept_cannot_be_opened(store: Store) -> None:
    with pytest.raises(KeyMissing):
        store.history.open("a", 1)
    put(store, "a")
    for number in (0, 3):
        with pytest.raises(RevisionMissing):
            store.history.open("a", number)


def test_a_large_version_is_kept_while_it_is_open(store: Store, clock: Clock) -> None:
    value = os.urandom(3 * BLOCK_SIZE + 5)
    store.set("a", value)
    store.delete("a")
    draft = store.history.open("a", 1)
    clock.advance(31 * DAY)
    while store.upkeep.tidy():
        pass
    with pytest.raises(KeyMissing):
        store.history.find("a", 1)
    assert draft.read(0, len(value)) == value
    draft.close()
    while store.upkeep.tidy():
        pass
    assert store._database.row("SELECT count(*) FROM blocks") == (0,)
