"""Numbers of directories: they follow from the name, or go along with a directory, and are never shared."""

from __future__ import annotations

import pytest

from kvassfs.store import Store
from kvassfs.store.inodes import ROOT_INODE, DirectoryInodes, born_inode, implied_inode, new_inode


@pytest.fixture
def inodes(store: Store) -> DirectoryInodes:
    return store.tree._inodes


def test_the_kinds_of_numbers_have_none_in_common() -> None:
    assert born_inode(2**53) % 2 == 0
    for number in (new_inode(), new_inode(lambda size: b"\xff" * size), implied_inode("a/")):
        assert number % 2 == 1
        assert ROOT_INODE < number < 2**63
    assert implied_inode("") == ROOT_INODE
    assert len({new_inode(), new_inode(), implied_inode("a/"), implied_inode("b/")}) == 4


def test_it_follows_from_the_name_until_there_is_another(store: Store, inodes: DirectoryInodes) -> None:
    assert inodes.get("a/") == implied_inode("a/")
    with store.transaction:
        inodes.assign("a/")
        assert inodes.get("a/") != implied_inode("a/")
        inodes.release("a/")
    assert inodes.get("a/") == implied_inode("a/")


def test_a_move_takes_it_along_and_the_next_one_has_another(store: Store, inodes: DirectoryInodes) -> None:
    with store.transaction:
        inodes.move({"a/": "b/", "a/c/": "b/c/"})
    assert (inodes.get("b/"), inodes.get("b/c/")) == (implied_inode("a/"), implied_inode("a/c/"))
    assert len({inodes.get(prefix) for prefix in ("a/", "a/c/", "b/", "b/c/")}) == 4


def test_a_move_back_leaves_nothing(store: Store, inodes: DirectoryInodes) -> None:
    with store.transaction:
        inodes.move({"a/": "b/"})
        inodes.move({"b/": "a/"})
    assert inodes.get("a/") == implied_inode("a/")
    assert inodes.get("b/") == implied_inode("b/")


def test_a_swap_swaps_them(store: Store, inodes: DirectoryInodes) -> None:
    with store.transaction:
        inodes.assign("b/")
        assigned = inodes.get("b/")
        inodes.move({"a/": "b/", "b/": "a/"})
    assert (inodes.get("a/"), inodes.get("b/")) == (assigned, implied_inode("a/"))


def test_a_removed_directory_frees_no_number_that_another_one_has(store: Store, inodes: DirectoryInodes) -> None:
    with store.transaction:
        inodes.move({"a/": "b/"})
        inodes.assign("a/")
        inodes.release("a/")
    assert inodes.get("a/") != inodes.get("b/") == implied_inode("a/")
