"""kvassfs.store.transfers: moving and copying by key, as commands do."""

from __future__ import annotations

import stat
from collections.abc import Callable

import pytest

from kvassfs.errors import DiskFull, InvalidKey, KeyIsDirectory, KeyMissing, TransferRefused
from kvassfs.share_link import LINKS
from kvassfs.store import Bearer, Store
from kvassfs.store.rows import Row
from kvassfs.store.transfers import find_copied_mode, name_target
from tests.support.stores import (
    SECOND,
    Clock,
    Fault,
    audit,
    count,
    failing,
    is_scratch,
    revision_values,
    rows,
    save,
)
from tests.unit.store.test_settling import hand_out, pushable

RECORD = f"{LINKS}token/-/often/"
"""How the key begins under which a link travels."""

LINK = stat.S_IFLNK | 0o777
EXECUTABLE = stat.S_IFREG | 0o755
READABLE = stat.S_IFREG | 0o644
DIRECTORY = stat.S_IFDIR | 0o750


def values(store: Store) -> dict[str, bytes]:
    return {key: store.get(key).read() for key in store.keys()}


def set_all(store: Store, *keys: str) -> None:
    for key in keys:
        store.set(key, f"value of {key}".encode())


Transfer = Callable[..., list[str]]


@pytest.fixture(params=["move", "copy"])
def transfer(request: pytest.FixtureRequest, store: Store) -> Transfer:
    method: Transfer = getattr(store.transfers, request.param)
    return method


# Names


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("a", "b", "b"),
        ("a/b/c", "d", "d"),
        ("a/b/c", "d/", "d/c"),
        ("a", "/", "/a"),
        ("a/b", "a/b/c", "a/b/c"),
        ("a/", "b/", "b/"),
        ("a/", "b", "b/"),
        ("a/", "b/c", "b/c/"),
        ("a/b/", "a/", "a/"),
        ("a/", "ab/", "ab/"),
    ],
)
def test_where_a_name_goes(source: str, target: str, expected: str) -> None:
    assert name_target(source, target) == expected


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("a", "a", "a is what is there already: give it another name"),
        ("a/b", "a/", "a/b is what is there already: give it another name"),
        ("a/", "a", "a/ is what is there already: give it another name"),
        ("a/", "a/b/", "a/ cannot go to a/b/, which is a part of it"),
    ],
)
def test_nothing_goes_to_where_it_is(source: str, target: str, said: str) -> None:
    with pytest.raises(TransferRefused) as refused:
        name_target(source, target)
    assert str(refused.value) == said


# Both


def test_a_key_gets_another_name(store: Store, transfer: Transfer) -> None:
    set_all(store, "a", "d/b")
    assert transfer("a", "d/") == []
    assert values(store)["d/a"] == b"value of a"


def test_what_is_replaced_is_a_revision(store: Store, transfer: Transfer) -> None:
    set_all(store, "a", "b")
    transfer("a", "b")
    assert store.get("b").read() == b"value of a"
    assert revision_values(store, "b") == [b"value of b"]


def test_without_replace_what_is_in_the_way_stays(store: Store, transfer: Transfer) -> None:
    set_all(store, "a", "b")
    before = values(store)
    assert transfer("a", "b", replace=False) == ["b"]
    assert values(store) == before
    assert transfer("a", "c", replace=False) == []
    assert store.get("c").read() == b"value of a"


def test_an_empty_file_is_in_the_way_and_a_removed_key_is_not(store: Store, transfer: Transfer) -> None:
    set_all(store, "a", "gone")
    store.set_empty("empty")
    store.delete("gone")
    assert transfer("a", "empty", replace=False) == ["empty"]
    assert transfer("a", "gone", replace=False) == []


@pytest.mark.usefixtures("small")
def test_a_large_value_goes_as_it_is(store: Store, transfer: Transfer) -> None:
    value = bytes(range(256)) * 3
    store.set("large", value)
    store.set("other", value[::-1])
    transfer("large", "other")
    assert store.get("other").read() == value
    assert count(store, "dropped_contents") == 0


@pytest.mark.parametrize("name", ["a", "a/"])
def test_what_is_missing_is_missing(store: Store, transfer: Transfer, name: str) -> None:
    store.set("ab", b"value")
    with pytest.raises(KeyMissing) as missing:
        transfer(name, "b")
    assert str(missing.value) == f"no such key: {name}"


def test_a_directory_goes_by_its_name_with_a_slash_alone(store: Store, transfer: Transfer) -> None:
    store.set("a/b", b"value")
    with pytest.raises(KeyIsDirectory, match=r"^a/ is a directory; write it with its / to mean all in it$"):
        transfer("a", "b")


@pytest.mark.parametrize(("source", "target"), [("a", RECORD + "x"), ("a/", RECORD)])
def test_nothing_goes_where_links_travel(store: Store, transfer: Transfer, source: str, target: str) -> None:
    set_all(store, "a", "a/b")
    before = values(store)
    with pytest.raises(InvalidKey):
        transfer(source, target)
    assert values(store) == before


@pytest.mark.parametrize("at", range(1, 60, 4))
def test_on_a_full_disk_all_is_as_it_was(store: Store, transfer: Transfer, at: int) -> None:
    set_all(store, "d/a", "d/b", "d/c")
    before = values(store)
    fault = Fault(at)
    try:
        with failing(store._database, fault):
            transfer("d/", "e/")
    except DiskFull:
        assert values(store) == before
    else:
        assert {key for key in values(store) if key[0] == "e"} == {"e/a", "e/b", "e/c"}
    audit(store)


# Moving


def test_a_moved_key_takes_along_what_it_is(store: Store, clock: Clock) -> None:
    node = save(store, "a", b"value", mode=EXECUTABLE)
    store.tree.set_times(node, 12_345, None, clock())
    store.xattrs.put(Bearer("a"), b"user.x", b"y")
    before = store.entry("a")
    store.transfers.move("a", "b")
    after = store.entry("b")
    assert (after.mode, after.mod_time, after.url_token) == (EXECUTABLE, 12_345, before.url_token)
    assert store.xattrs.of(Bearer("b")) == {b"user.x": b"y"}
    moved = store.tree.file("b")
    assert moved is not None
    assert moved.inode == node.inode


def test_the_old_key_keeps_the_value_as_a_revision_also_where_it_came_a_moment_ago(store: Store) -> None:
    store.set("a", b"value")
    store.transfers.move("a", "b")
    assert list(store.keys()) == ["b"]
    assert revision_values(store, "a") == [b"value"]


def test_nothing_of_a_move_is_held_back(store: Store) -> None:
    set_all(store, "a", "d/x", "d/y")
    hand_out(store)
    store.transfers.move("a", "b")
    assert pushable(store) == ["b", "a"]
    hand_out(store)
    store.transfers.move("d/", "e/")
    assert sorted(pushable(store)) == ["d/x", "d/y", "e/x", "e/y"]


def test_a_directory_goes_with_its_last_key(store: Store) -> None:
    set_all(store, "d/x")
    store.transfers.move("d/x", "x")
    assert store.tree.directory("d/") is None
    assert values(store) == {"x": b"value of d/x"}


def test_all_below_a_prefix_moves_and_its_own_name_stays(store: Store) -> None:
    set_all(store, "d", "d/a", "d/b/c", "da", "e")
    store.tree.directories.make("d/empty/", DIRECTORY, is_scratch=is_scratch)
    number = store.tree.directory_inode("d/b/")
    store.transfers.move("d/", "e/f")
    assert list(store.keys()) == ["d", "da", "e", "e/f/a", "e/f/b/c"]
    assert values(store)["e/f/b/c"] == b"value of d/b/c"
    assert store.tree.directory("d/") is None
    empty = store.tree.directory("e/f/empty/")
    assert empty is not None
    assert empty.mode == DIRECTORY
    assert store.tree.directory_inode("e/f/b/") == number


def test_all_below_moves_onto_an_empty_directory(store: Store) -> None:
    set_all(store, "d/a")
    store.tree.directories.make("e/", DIRECTORY, is_scratch=is_scratch)
    hand_out(store)
    store.transfers.move("d/", "e/")
    assert list(store.keys()) == ["e/a"]
    assert rows(store, "SELECT key FROM entries WHERE live") == ["e/a"]
    assert "e/" in pushable(store)


@pytest.mark.parametrize("key", ["e/b", "e/", "e/x~"])
def test_all_below_moves_nowhere_where_something_is(store: Store, key: str) -> None:
    set_all(store, "d/a")
    save(store, key, b"value", scratch=key.endswith("~"))
    with pytest.raises(TransferRefused, match=r"^e/ is not empty; "):
        store.transfers.move("d/", "e/")
    assert values(store)["d/a"] == b"value of d/a"


def test_scratch_files_stay_such_and_keys_stay_keys_whatever_their_names(store: Store) -> None:
    set_all(store, "d/a", "d/key~")
    save(store, "d/scratch~", b"value", scratch=True)
    store.transfers.move("d/", "e/")
    assert list(store.keys()) == ["e/a", "e/key~"]
    node = store.tree.file("e/scratch~")
    assert node is not None
    assert node.is_scratch


def test_a_directory_of_scratch_files_alone_is_no_prefix_of_keys(store: Store) -> None:
    save(store, "d/scratch~", b"value", scratch=True)
    with pytest.raises(KeyMissing):
        store.transfers.move("d/", "e/")


def test_a_move_that_fails_midway_changes_nothing(store: Store) -> None:
    set_all(store, "d/a", "d/token/-/often/x")
    with pytest.raises(InvalidKey):
        store.transfers.move("d/", LINKS)
    assert list(store.keys()) == ["d/a", "d/token/-/often/x"]


# Copying


def test_a_copy_is_a_key_of_its_own(store: Store, clock: Clock) -> None:
    node = save(store, "a", b"value", mode=EXECUTABLE)
    store.tree.set_times(node, 12_345, None, clock())
    clock.advance(SECOND)
    store.transfers.copy("a", "b")
    original, copied = store.entry("a"), store.entry("b")
    assert (copied.mode, copied.mod_time) == (EXECUTABLE, None)
    assert copied.url_token != original.url_token
    assert copied.timestamp > original.timestamp
    store.delete("a")
    assert values(store) == {"b": b"value"}


def test_all_below_a_prefix_is_added_to_what_is_there(store: Store) -> None:
    set_all(store, "d", "d/a", "d/b/c", "e/a", "e/z")
    store.tree.directories.make("d/empty/", DIRECTORY, is_scratch=is_scratch)
    store.tree.directories.make("d/b/taken/", DIRECTORY, is_scratch=is_scratch)
    store.tree.directories.make("e/b/taken/", DIRECTORY | 0o7, is_scratch=is_scratch)
    store.transfers.copy("d/", "e/")
    assert list(store.keys()) == ["d", "d/a", "d/b/c", "e/a", "e/b/c", "e/z"]
    assert (store.get("e/a").read(), revision_values(store, "e/a")) == (b"value of d/a", [b"value of e/a"])
    modes = [record.mode for record in map(store.tree.directory, ("e/empty/", "e/b/taken/")) if record is not None]
    assert modes == [DIRECTORY, DIRECTORY | 0o7]


def test_without_replace_the_rest_is_copied(store: Store) -> None:
    set_all(store, "d/a", "d/b", "d/c", "e/a", "e/c")
    assert store.transfers.copy("d/", "e/", replace=False) == ["e/a", "e/c"]
    assert values(store)["e/a"] == b"value of e/a"
    assert values(store)["e/b"] == b"value of d/b"


def test_a_prefix_can_be_copied_to_one_above_it(store: Store) -> None:
    set_all(store, "a/b/c", "a/b/d")
    store.transfers.copy("a/b/", "a/")
    assert list(store.keys()) == ["a/b/c", "a/b/d", "a/c", "a/d"]


@pytest.mark.parametrize(
    ("size", "source", "target", "expected"),
    [
        (5, None, None, None),
        (5, EXECUTABLE, None, EXECUTABLE),
        (0, READABLE, None, READABLE),
        (5, None, EXECUTABLE, EXECUTABLE),
        (5, EXECUTABLE, READABLE, READABLE),
        (5, LINK, EXECUTABLE, LINK),
        (5, EXECUTABLE, LINK, EXECUTABLE),
        (5, None, LINK, stat.S_IFREG | 0o600),
        (0, EXECUTABLE, READABLE, READABLE),
    ],
)
def test_the_mode_of_a_copy(store: Store, size: int, source: int | None, target: int | None, expected: int) -> None:
    def row(key: str, size: int, mode: int | None) -> Row:
        if mode is None:
            store.set(key, b"x" * size)
        else:
            save(store, key, b"x" * size, mode=mode)
        found = store.tree.entry(key)
        assert found is not None
        return found

    old = None if target is None else row("target", 3, target)
    assert find_copied_mode(row("source", size, source), old) == expected


def test_an_empty_file_in_the_place_of_a_value_without_a_mode_is_a_file(store: Store) -> None:
    save(store, "a", b"", mode=EXECUTABLE)
    store.set("b", b"value")
    store.transfers.copy("a", "b")
    assert store.entry("b").mode == stat.S_IFREG | 0o600
    assert values(store) == {"a": b"", "b": b""}


def test_a_copy_over_a_removed_key_has_the_mode_of_what_is_copied(store: Store) -> None:
    save(store, "a", b"value", mode=EXECUTABLE)
    save(store, "b", b"value", mode=READABLE)
    store.delete("b")
    store.transfers.copy("a", "b")
    assert store.entry("b").mode == EXECUTABLE
