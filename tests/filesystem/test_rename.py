"""Renaming files and directories: what may replace what, and what moves along."""

from __future__ import annotations

import errno

import pytest

from tests.filesystem.driver import RENAME_EXCHANGE, RENAME_NOREPLACE, Driver, raises

NAMES = [("a", "b"), ("a~", "b"), ("a", "a~"), (".a.swp", "b~"), ("%", "%."), ("é", "e\u0301"), ("A", "a")]
"""Pairs across the borders between keys, scratch files and escaped names."""


def require_exchange(filesystem: Driver) -> None:
    if not filesystem.capabilities.exchange:
        pytest.skip("this libfuse passes no flags")


# Files


@pytest.mark.parametrize(("old", "new"), NAMES)
@pytest.mark.parametrize("size", [0, 9, 70_000, 300_000])
def test_a_renamed_file_keeps_content_mode_and_time(filesystem: Driver, old: str, new: str, size: int) -> None:
    filesystem.write_file(old, b"c" * size)
    filesystem.chmod(old, 0o751)
    before = filesystem.stat(old)
    filesystem.rename(old, new)
    assert filesystem.names() == [new]
    assert filesystem.stat(new) == before
    assert filesystem.read_file(new) == b"c" * size


@pytest.mark.parametrize(("old", "new"), NAMES)
def test_a_renamed_file_replaces_a_file(filesystem: Driver, old: str, new: str) -> None:
    filesystem.write_file(old, b"moved")
    filesystem.write_file(new, b"replaced, and longer")
    filesystem.rename(old, new)
    assert filesystem.names() == [new]
    assert filesystem.read_file(new) == b"moved"


def test_an_empty_file_can_replace_a_full_one(filesystem: Driver) -> None:
    filesystem.write_file("empty")
    filesystem.write_file("full", b"content")
    filesystem.rename("empty", "full")
    assert filesystem.names() == ["full"]
    assert filesystem.read_file("full") == b""


def test_a_file_moves_between_directories(filesystem: Driver) -> None:
    filesystem.mkdir("from")
    filesystem.mkdir("to")
    filesystem.write_file("from/file", b"content")
    filesystem.rename("from/file", "to/other")
    assert filesystem.names("from") == []
    assert filesystem.names("to") == ["other"]
    assert filesystem.read_file("to/other") == b"content"


def test_a_file_and_back_again_is_the_same_file(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    for _ in range(3):
        filesystem.rename("file", "other")
        filesystem.rename("other", "file")
    assert filesystem.names() == ["file"]
    assert filesystem.read_file("file") == b"content"


def test_renaming_to_the_same_name_changes_nothing(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    filesystem.mkdir("dir")
    filesystem.rename("file", "file")
    filesystem.rename("dir", "dir")
    assert filesystem.names() == ["dir", "file"]
    assert filesystem.read_file("file") == b"content"


def test_a_symbolic_link_is_renamed_itself(filesystem: Driver) -> None:
    filesystem.write_file("target", b"content")
    filesystem.symlink("target", "link")
    filesystem.rename("link", "moved")
    assert filesystem.names() == ["moved", "target"]
    assert filesystem.readlink("moved") == "target"


def test_a_file_replaces_a_symbolic_link_and_not_its_target(filesystem: Driver) -> None:
    filesystem.write_file("target", b"content")
    filesystem.symlink("target", "link")
    filesystem.write_file("new", b"new")
    filesystem.rename("new", "link")
    assert filesystem.names() == ["link", "target"]
    assert filesystem.read_file("link") == b"new"
    assert filesystem.read_file("target") == b"content"


# Directories


def fill(filesystem: Driver, top: str) -> None:
    for directory in (top, f"{top}/sub", f"{top}/sub/deep", f"{top}/empty"):
        filesystem.mkdir(directory)
    filesystem.write_file(f"{top}/one", b"1")
    filesystem.write_file(f"{top}/one~", b"scratch")
    filesystem.write_file(f"{top}/sub/two", b"2" * 100_000)
    filesystem.write_file(f"{top}/sub/deep/none")
    filesystem.symlink("../one", f"{top}/sub/link")


def check_filled(filesystem: Driver, top: str) -> None:
    assert filesystem.names(top) == ["empty", "one", "one~", "sub"]
    assert filesystem.names(f"{top}/sub") == ["deep", "link", "two"]
    assert filesystem.names(f"{top}/sub/deep") == ["none"]
    assert filesystem.names(f"{top}/empty") == []
    assert filesystem.read_file(f"{top}/one") == b"1"
    assert filesystem.read_file(f"{top}/one~") == b"scratch"
    assert filesystem.read_file(f"{top}/sub/two") == b"2" * 100_000
    assert filesystem.read_file(f"{top}/sub/deep/none") == b""
    assert filesystem.read_file(f"{top}/sub/link") == b"1"


@pytest.mark.parametrize(("old", "new"), NAMES)
def test_a_renamed_directory_takes_everything_below_along(filesystem: Driver, old: str, new: str) -> None:
    fill(filesystem, old)
    filesystem.rename(old, new)
    assert filesystem.names() == [new]
    check_filled(filesystem, new)


def test_a_directory_moves_below_another(filesystem: Driver) -> None:
    fill(filesystem, "tree")
    filesystem.mkdir("other")
    filesystem.rename("tree", "other/moved")
    assert filesystem.names() == ["other"]
    check_filled(filesystem, "other/moved")


def test_a_subdirectory_moves_up(filesystem: Driver) -> None:
    filesystem.mkdir("outer")
    fill(filesystem, "outer/tree")
    filesystem.rename("outer/tree", "tree")
    assert filesystem.names() == ["outer", "tree"]
    assert filesystem.names("outer") == []
    check_filled(filesystem, "tree")


def test_names_that_begin_like_the_renamed_directory_stay(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("dir/file", b"inside")
    filesystem.mkdir("dir2")
    filesystem.write_file("dir2/file", b"beside")
    filesystem.write_file("dir.txt", b"before")
    filesystem.write_file("dir0", b"after")
    filesystem.rename("dir", "moved")
    assert filesystem.names() == ["dir.txt", "dir0", "dir2", "moved"]
    assert filesystem.read_file("dir2/file") == b"beside"
    assert filesystem.read_file("moved/file") == b"inside"


def test_a_directory_replaces_an_empty_directory(filesystem: Driver) -> None:
    fill(filesystem, "tree")
    filesystem.mkdir("empty")
    filesystem.rename("tree", "empty")
    assert filesystem.names() == ["empty"]
    check_filled(filesystem, "empty")


def test_an_empty_directory_is_renamed(filesystem: Driver) -> None:
    filesystem.mkdir("old")
    filesystem.rename("old", "new")
    assert filesystem.names() == ["new"]
    assert filesystem.names("new") == []


def test_a_directory_does_not_replace_a_full_directory(filesystem: Driver) -> None:
    fill(filesystem, "tree")
    filesystem.mkdir("full")
    filesystem.write_file("full/file", b"content")
    with raises(errno.ENOTEMPTY, errno.EEXIST):
        filesystem.rename("tree", "full")
    check_filled(filesystem, "tree")
    assert filesystem.read_file("full/file") == b"content"


@pytest.mark.parametrize("inside", ["empty-file", "scratch~", "directory", "link"])
def test_a_directory_with_anything_in_it_is_full(filesystem: Driver, inside: str) -> None:
    filesystem.mkdir("dir")
    filesystem.mkdir("full")
    if inside == "directory":
        filesystem.mkdir(f"full/{inside}")
    elif inside == "link":
        filesystem.symlink("nowhere", f"full/{inside}")
    else:
        filesystem.write_file(f"full/{inside}")
    with raises(errno.ENOTEMPTY, errno.EEXIST):
        filesystem.rename("dir", "full")
    assert filesystem.names() == ["dir", "full"]
    assert filesystem.names("full") == [inside]


def test_a_directory_does_not_replace_a_file(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("file", b"content")
    with raises(errno.ENOTDIR):
        filesystem.rename("dir", "file")
    assert filesystem.read_file("file") == b"content"


def test_a_file_does_not_replace_a_directory(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("file", b"content")
    with raises(errno.EISDIR):
        filesystem.rename("file", "dir")
    assert filesystem.read_file("file") == b"content"


@pytest.mark.parametrize("below", ["dir/moved", "dir/sub", "dir/sub/moved"])
def test_a_directory_does_not_move_into_itself(filesystem: Driver, below: str) -> None:
    filesystem.mkdir("dir")
    filesystem.mkdir("dir/sub")
    filesystem.write_file("dir/file", b"content")
    with raises(errno.EINVAL):
        filesystem.rename("dir", below)
    assert filesystem.read_file("dir/file") == b"content"


def test_nothing_replaces_the_directory_that_holds_it(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.mkdir("dir/sub")
    with raises(errno.ENOTEMPTY):
        filesystem.rename("dir/sub", "dir")
    assert filesystem.names("dir") == ["sub"]


@pytest.mark.parametrize("flags", [0, RENAME_NOREPLACE])
def test_renaming_what_is_missing_fails(filesystem: Driver, flags: int) -> None:
    filesystem.write_file("file", b"content")
    with raises(errno.ENOENT):
        filesystem.rename("missing", "new", flags)
    with raises(errno.ENOENT):
        filesystem.rename("file", "missing/new", flags)
    with raises(errno.ENOENT):
        filesystem.rename("missing/file", "new", flags)
    with raises(errno.ENOTDIR):
        filesystem.rename("file", "file/below", flags)
    assert filesystem.names() == ["file"]


# Flags


def test_noreplace_refuses_a_taken_name(filesystem: Driver) -> None:
    filesystem.write_file("file", b"moved")
    filesystem.write_file("taken", b"kept")
    filesystem.mkdir("dir")
    with raises(errno.EEXIST):
        filesystem.rename("file", "taken", RENAME_NOREPLACE)
    with raises(errno.EEXIST):
        filesystem.rename("file", "dir", RENAME_NOREPLACE)
    with raises(errno.EEXIST):
        filesystem.rename("file", "file", RENAME_NOREPLACE)
    assert filesystem.read_file("file") == b"moved"
    assert filesystem.read_file("taken") == b"kept"


def test_noreplace_moves_to_a_free_name(filesystem: Driver) -> None:
    if not filesystem.capabilities.noreplace:
        pytest.skip("this libfuse passes no flags")
    filesystem.write_file("file", b"moved")
    filesystem.rename("file", "free", RENAME_NOREPLACE)
    assert filesystem.names() == ["free"]
    assert filesystem.read_file("free") == b"moved"


def test_where_flags_do_not_arrive_nothing_is_lost(filesystem: Driver) -> None:
    if filesystem.capabilities.exchange:
        pytest.skip("flags arrive here")
    filesystem.write_file("a", b"content of a")
    filesystem.write_file("b", b"content of b")
    with raises(errno.EINVAL):
        filesystem.rename("a", "b", RENAME_EXCHANGE)
    with raises(errno.EINVAL):
        filesystem.rename("a", "free", RENAME_NOREPLACE)
    assert filesystem.read_file("a") == b"content of a"
    assert filesystem.read_file("b") == b"content of b"


@pytest.mark.parametrize(("old", "new"), NAMES)
def test_exchange_swaps_two_files(filesystem: Driver, old: str, new: str) -> None:
    require_exchange(filesystem)
    filesystem.write_file(old, b"content of a")
    filesystem.write_file(new, b"b" * 70_000)
    filesystem.rename(old, new, RENAME_EXCHANGE)
    assert filesystem.read_file(old) == b"b" * 70_000
    assert filesystem.read_file(new) == b"content of a"
    assert filesystem.names() == sorted([old, new])


def test_exchange_swaps_a_file_and_a_directory(filesystem: Driver) -> None:
    require_exchange(filesystem)
    fill(filesystem, "tree")
    filesystem.mkdir("other")
    filesystem.write_file("other/file", b"content")
    filesystem.rename("tree", "other/file", RENAME_EXCHANGE)
    assert filesystem.read_file("tree") == b"content"
    check_filled(filesystem, "other/file")


def test_exchange_swaps_two_directories(filesystem: Driver) -> None:
    require_exchange(filesystem)
    fill(filesystem, "tree")
    filesystem.mkdir("other")
    filesystem.write_file("other/file", b"content")
    filesystem.rename("other", "tree", RENAME_EXCHANGE)
    assert filesystem.names("tree") == ["file"]
    check_filled(filesystem, "other")


@pytest.mark.parametrize("length", [1, 200, 255])
def test_exchange_touches_nothing_else(filesystem: Driver, length: int) -> None:
    """No name that a user may have serves as one in between, nor is a long one too long for that."""
    require_exchange(filesystem)
    one = "a" * length
    bystanders = [name for ending in (".kvass_exchange", ".kvass_swap", "~", ".tmp") if len(name := one + ending) < 256]
    for name in bystanders:
        filesystem.write_file(name, name.encode())
    filesystem.write_file(one, b"file")
    fill(filesystem, "dir")
    filesystem.rename(one, "dir", RENAME_EXCHANGE)
    assert filesystem.read_file("dir") == b"file"
    check_filled(filesystem, one)
    assert filesystem.names() == sorted([one, "dir", *bystanders])
    assert [filesystem.read_file(name) for name in bystanders] == [name.encode() for name in bystanders]


def test_exchange_needs_both_names(filesystem: Driver) -> None:
    require_exchange(filesystem)
    filesystem.write_file("file", b"content")
    with raises(errno.ENOENT):
        filesystem.rename("file", "missing", RENAME_EXCHANGE)
    with raises(errno.ENOENT):
        filesystem.rename("missing", "file", RENAME_EXCHANGE)
    assert filesystem.names() == ["file"]


def test_exchange_refuses_a_directory_and_what_is_in_it(filesystem: Driver) -> None:
    require_exchange(filesystem)
    filesystem.mkdir("dir")
    filesystem.write_file("dir/file", b"content")
    with raises(errno.EINVAL):
        filesystem.rename("dir", "dir/file", RENAME_EXCHANGE)
    with raises(errno.EINVAL):
        filesystem.rename("dir/file", "dir", RENAME_EXCHANGE)
    assert filesystem.read_file("dir/file") == b"content"


def test_exchange_keeps_open_files_with_their_content(filesystem: Driver) -> None:
    require_exchange(filesystem)
    filesystem.write_file("a", b"content of a")
    filesystem.write_file("b", b"content of b")
    with filesystem.open("a", 2) as first, filesystem.open("b", 2) as second:
        filesystem.rename("a", "b", RENAME_EXCHANGE)
        first.pwrite(b"CONTENT", 0)
        second.pwrite(b"different", 0)
    assert filesystem.read_file("b") == b"CONTENT of a"
    assert filesystem.read_file("a") == b"different b"[:9] + b"f b"


def test_contradictory_flags_are_refused(filesystem: Driver) -> None:
    filesystem.write_file("a", b"content of a")
    filesystem.write_file("b", b"content of b")
    with raises(errno.EINVAL):
        filesystem.rename("a", "b", RENAME_EXCHANGE | RENAME_NOREPLACE)
    assert filesystem.read_file("b") == b"content of b"
