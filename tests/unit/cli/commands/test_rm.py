"""kvassfs_cli.commands.rm"""

from __future__ import annotations

from kvassfs.store import Store
from kvassfs_cli.commands.rm import remove
from tests.support.stores import is_scratch
from tests.unit.cli.conftest import Kvass


def test_rm_removes_a_key(kvass: Kvass, store: Store) -> None:
    store.set("k", b"value")
    assert kvass("rm", "k") == (0, b"", "")
    assert list(store.keys()) == []


def test_the_removed_value_stays_as_a_revision(kvass: Kvass, store: Store) -> None:
    store.set("k", b"value")
    kvass("rm", "k")
    assert len(store.revisions("k")) == 1


def test_rm_removes_several_keys(kvass: Kvass, store: Store) -> None:
    for key in ("a", "b", "-c", "d"):
        store.set(key, b"value")
    assert kvass("rm", "--", "a", "b", "-c") == (0, b"", "")
    assert list(store.keys()) == ["d"]


def test_a_missing_key_is_said_and_the_others_go(kvass: Kvass, store: Store) -> None:
    for key in ("a", "b"):
        store.set(key, b"value")
    assert kvass("rm", "a", "x", "b", "y") == (1, b"", "kvass: no such key: x\nkvass: no such key: y\n")
    assert list(store.keys()) == []


def test_an_impossible_key_among_several_is_refused_before_any_goes(kvass: Kvass, store: Store) -> None:
    store.set("a", b"value")
    assert kvass("rm", "a", "") == (1, b"", "kvass: '' cannot be a key: it is empty\n")
    assert list(store.keys()) == ["a"]


def test_remove_returns_the_keys_that_were_missing(store: Store) -> None:
    store.set("a", b"value")
    assert [error.key for error in remove(store, ["x", "a", "a"])] == ["x", "a"]


def test_a_directory_is_removed_when_it_is_empty(kvass: Kvass, store: Store) -> None:
    store.tree.directories.make("d/e/", 0o40700, is_scratch=is_scratch)
    said = "kvass: d/e/ is a directory; `kvass rm -r` removes it and all in it\n"
    assert kvass("rm", "d/e") == (1, b"", said)
    assert kvass("rm", "d/e/") == (0, b"", "")
    assert store.tree.directory("d/") is None


def test_one_that_is_not_empty_goes_with_r_alone(kvass: Kvass, store: Store) -> None:
    for key in ("d", "d/k", "d/e/k", "e"):
        store.set(key, b"value")
    assert kvass("rm", "d/") == (1, b"", "kvass: d/ is a directory; `kvass rm -r` removes it and all in it\n")
    assert kvass("rm", "-r", "d/", "x", "x/") == (1, b"", "kvass: no such key: x\nkvass: no such key: x/\n")
    assert list(store.keys()) == ["d", "e"]
    assert kvass("rm", "--recursive", "d") == (0, b"", "")
    assert list(store.keys()) == ["e"]
