"""Numbers of files and directories: each keeps its own, and no two share one."""

from __future__ import annotations

import os

import pytest

from tests.filesystem.driver import RENAME_EXCHANGE, Driver
from tests.filesystem.os_driver import OsDriver

FILES = ("file", "file~", "empty")
"""A key, a scratch file, and a key without a value."""


@pytest.fixture
def tree(filesystem: Driver) -> Driver:
    """A directory with one below it, and files."""
    filesystem.mkdir("dir")
    filesystem.mkdir("dir/below")
    for name in FILES:
        filesystem.write_file(name, b"" if name == "empty" else b"content")
        filesystem.write_file(f"dir/below/{name}", b"content")
    filesystem.symlink("file", "link")
    return filesystem


def inode(filesystem: Driver, name: str) -> int:
    return filesystem.lstat(name).inode


def test_all_are_different(tree: Driver) -> None:
    names = [*FILES, "link", "dir", "dir/below", *(f"dir/below/{name}" for name in FILES)]
    assert len({inode(tree, name) for name in names}) == len(names)


@pytest.mark.parametrize("name", [*FILES, "dir", "link"])
def test_a_rename_keeps_it(tree: Driver, name: str) -> None:
    before = inode(tree, name)
    tree.rename(name, "other")
    assert inode(tree, "other") == before
    tree.rename("other", name)
    assert inode(tree, name) == before


@pytest.mark.parametrize("name", FILES)
def test_a_name_that_is_free_again_is_another_file(tree: Driver, name: str) -> None:
    before = inode(tree, name)
    tree.rename(name, "other")
    tree.write_file(name, b"new")
    assert inode(tree, name) != before == inode(tree, "other")


def test_a_name_that_is_free_again_is_another_directory(tree: Driver) -> None:
    before, below = inode(tree, "dir"), inode(tree, "dir/below")
    tree.rename("dir", "other")
    tree.mkdir("dir")
    tree.mkdir("dir/below")
    assert len({before, below, inode(tree, "dir"), inode(tree, "dir/below")}) == 4
    assert (inode(tree, "other"), inode(tree, "other/below")) == (before, below)


def test_a_rename_of_a_directory_keeps_those_below(tree: Driver) -> None:
    names = ["below", *(f"below/{name}" for name in FILES)]
    before = [inode(tree, f"dir/{name}") for name in names]
    tree.rename("dir", "other")
    assert [inode(tree, f"other/{name}") for name in names] == before


@pytest.mark.parametrize("name", FILES)
def test_writing_keeps_it(tree: Driver, name: str) -> None:
    before = inode(tree, name)
    tree.write_file(name, b"another content")
    tree.chmod(name, 0o640)
    assert inode(tree, name) == before


@pytest.mark.parametrize("temporary", ["new", "new~"])
@pytest.mark.parametrize("name", FILES)
def test_a_save_by_rename_brings_another_file(tree: Driver, name: str, temporary: str) -> None:
    tree.write_file(temporary, b"another content")
    new = inode(tree, temporary)
    tree.rename(temporary, name)
    assert inode(tree, name) == new
    tree.write_file(temporary, b"once more")
    assert inode(tree, temporary) != new


@pytest.mark.parametrize("name", ["made", "made~"])
def test_it_is_the_same_before_and_after_the_first_save(filesystem: Driver, name: str) -> None:
    with filesystem.open(name, os.O_CREAT | os.O_WRONLY) as handle:
        handle.write(b"content")
        numbers = {handle.stat().inode, inode(filesystem, name)}
    assert numbers == {inode(filesystem, name)}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_lost_its_name_keeps_it_and_the_next_has_another(tree: Driver, name: str) -> None:
    with tree.open(name, os.O_RDONLY) as handle:
        before = handle.stat().inode
        tree.unlink(name)
        tree.write_file(name, b"new")
        assert handle.stat().inode == before != inode(tree, name)


def test_a_directory_that_was_removed_is_not_the_next_of_its_name(filesystem: Driver) -> None:
    """It may be somebody's working directory still."""
    filesystem.mkdir("dir")
    before = inode(filesystem, "dir")
    filesystem.mkdir("kept")  # on some file systems, the next one gets the number that is free
    filesystem.rmdir("dir")
    if isinstance(filesystem, OsDriver) and not filesystem.capabilities.kvassfs:
        pytest.skip("nobody is in it here")
    filesystem.mkdir("dir")
    assert inode(filesystem, "dir") != before


def test_an_exchange_exchanges_them(tree: Driver) -> None:
    if not tree.capabilities.exchange:
        pytest.skip("the binding does not pass it")
    for one, other in (("file", "empty"), ("dir/below", "link"), ("file", "dir")):
        numbers = inode(tree, one), inode(tree, other)
        tree.rename(one, other, RENAME_EXCHANGE)
        assert (inode(tree, other), inode(tree, one)) == numbers


def test_a_list_says_the_same(tree: Driver) -> None:
    for directory in ("", "dir/below"):
        for name, status in tree.listdir(directory).items():
            assert status.inode == inode(tree, f"{directory}/{name}".lstrip("/"))
    if isinstance(tree, OsDriver):
        with os.scandir(tree.path("dir")) as entries:
            assert {entry.name: entry.inode() for entry in entries} == {"below": inode(tree, "dir/below")}
