"""kvassfs_cli.commands.cp; more of it is in test_mv.py"""

from __future__ import annotations

from kvassfs.store import Store
from tests.support.stores import revision_values
from tests.unit.cli.conftest import Kvass


def test_cp_copies_a_key(kvass: Kvass, store: Store) -> None:
    store.set("a", b"value")
    store.set("b", b"old")
    assert kvass("cp", "a", "b") == (0, b"", "")
    assert [store.get(key).read() for key in store.keys()] == [b"value", b"value"]
    assert revision_values(store, "b") == [b"old"]


def test_cp_copies_all_below_a_prefix(kvass: Kvass, store: Store) -> None:
    for key in ("d", "d/a", "d/b/c", "e/a", "e/z"):
        store.set(key, key.encode())
    assert kvass("cp", "d/", "e/") == (0, b"", "")
    assert [(key, store.get(key).read()) for key in store.keys("e/")] == [
        ("e/a", b"d/a"),
        ("e/b/c", b"d/b/c"),
        ("e/z", b"e/z"),
    ]


def test_no_clobber_copies_the_rest(kvass: Kvass, store: Store) -> None:
    for key in ("d/a", "d/b", "e/a"):
        store.set(key, key.encode())
    assert kvass("cp", "-n", "d/", "e/") == (1, b"", "kvass: not replaced: e/a\n")
    assert list(store.keys("e/")) == ["e/a", "e/b"]


def test_of_a_directory_it_is_said_how_to_copy_it(kvass: Kvass, store: Store) -> None:
    store.set("d/a", b"value")
    said = "kvass: d/ is a directory; write it with its / to mean all in it\n"
    assert kvass("cp", "d", "e") == (1, b"", said)
