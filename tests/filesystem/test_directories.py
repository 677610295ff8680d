"""Making, listing and removing directories."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from tests.filesystem.driver import Driver, Times, raises

OLD = 1_000_000_000 * 10**9
"""A time in 2001."""


def test_a_new_directory_is_there_and_empty(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    assert filesystem.names() == ["dir"]
    assert filesystem.names("dir") == []
    assert filesystem.stat("dir").type == stat.S_IFDIR
    assert filesystem.listdir()["dir"].type == stat.S_IFDIR


def test_the_links_of_a_directory_are_one_for_each_in_it_and_two_or_not_counted(filesystem: Driver) -> None:
    """With another number, ``fts`` and older ``find`` skip directories."""
    filesystem.mkdir("dir")
    for number in range(3):
        assert filesystem.stat("dir").nlink in {1, 2 + number}
        filesystem.mkdir(f"dir/{number}")


def test_a_directory_inherits_the_set_group_id_bit(filesystem: Driver) -> None:
    filesystem.mkdir("dir", 0o755)
    filesystem.chmod("dir", 0o2755)
    filesystem.mkdir("dir/sub", 0o750)
    filesystem.mkdir("dir/sub/deep", 0o700)
    assert [filesystem.stat(name).permissions for name in ("dir/sub", "dir/sub/deep")] == [0o2750, 0o2700]
    filesystem.chmod("dir", 0o755)
    filesystem.mkdir("dir/other", 0o755)
    assert filesystem.stat("dir/other").permissions == 0o755


def test_a_directory_stays_when_its_last_file_goes(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("dir/file", b"x")
    filesystem.unlink("dir/file")
    assert filesystem.names() == ["dir"]
    assert filesystem.names("dir") == []
    filesystem.rmdir("dir")
    assert filesystem.names() == []


def test_a_directory_stays_when_its_last_file_is_moved_away(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.mkdir("dir/sub")
    filesystem.write_file("dir/sub/file", b"x")
    filesystem.rename("dir/sub/file", "file")
    assert filesystem.names("dir") == ["sub"]
    assert filesystem.names("dir/sub") == []


def test_an_outer_directory_stays_when_an_inner_one_is_removed(filesystem: Driver) -> None:
    filesystem.mkdir("outer")
    filesystem.mkdir("outer/inner")
    filesystem.rmdir("outer/inner")
    assert filesystem.names() == ["outer"]


@pytest.mark.parametrize("existing", ["file", "dir", "link", "dangling", "scratch~"])
def test_mkdir_refuses_a_taken_name(filesystem: Driver, existing: str) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("file", b"x")
    filesystem.write_file("scratch~", b"x")
    filesystem.symlink("dir", "link")
    filesystem.symlink("nowhere", "dangling")
    before = filesystem.listdir()
    with raises(errno.EEXIST):
        filesystem.mkdir(existing)
    assert filesystem.listdir() == before


def test_mkdir_needs_its_parent(filesystem: Driver) -> None:
    filesystem.write_file("file", b"x")
    with raises(errno.ENOENT):
        filesystem.mkdir("missing/dir")
    with raises(errno.ENOTDIR):
        filesystem.mkdir("file/dir")
    assert filesystem.names() == ["file"]


@pytest.mark.parametrize("inside", ["file", "empty", "dir", "link", "scratch~", ".file.swp"])
def test_rmdir_refuses_a_directory_with_anything_in_it(filesystem: Driver, inside: str) -> None:
    filesystem.mkdir("full")
    if inside == "dir":
        filesystem.mkdir(f"full/{inside}")
    elif inside == "link":
        filesystem.symlink("nowhere", f"full/{inside}")
    else:
        filesystem.write_file(f"full/{inside}", b"" if inside == "empty" else b"x")
    with raises(errno.ENOTEMPTY, errno.EEXIST):
        filesystem.rmdir("full")
    assert filesystem.names("full") == [inside]


def test_rmdir_refuses_a_directory_with_a_file_that_was_never_closed(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    with filesystem.open("dir/file", os.O_WRONLY | os.O_CREAT) as handle:
        with raises(errno.ENOTEMPTY, errno.EEXIST):
            filesystem.rmdir("dir")
        handle.write(b"x")
    assert filesystem.read_file("dir/file") == b"x"


def test_rmdir_and_unlink_refuse_each_others_work(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("file", b"x")
    filesystem.symlink("dir", "link")
    with raises(errno.ENOTDIR):
        filesystem.rmdir("file")
    with raises(errno.ENOTDIR):
        filesystem.rmdir("link")
    with raises(errno.EISDIR):
        filesystem.unlink("dir")
    assert filesystem.names() == ["dir", "file", "link"]


def test_removing_what_is_missing_fails(filesystem: Driver) -> None:
    filesystem.write_file("file", b"x")
    for remove in (filesystem.unlink, filesystem.rmdir):
        with raises(errno.ENOENT):
            remove("missing")
        with raises(errno.ENOENT):
            remove("missing/below")
        with raises(errno.ENOTDIR):
            remove("file/below")


def test_listing_what_is_no_directory_fails(filesystem: Driver) -> None:
    filesystem.write_file("file", b"x")
    with raises(errno.ENOTDIR):
        filesystem.listdir("file")
    with raises(errno.ENOENT):
        filesystem.listdir("missing")


def test_a_removed_directory_can_be_made_again_empty(filesystem: Driver) -> None:
    for _ in range(3):
        filesystem.mkdir("dir")
        assert filesystem.names("dir") == []
        filesystem.write_file("dir/file", b"x")
        filesystem.unlink("dir/file")
        filesystem.rmdir("dir")
    assert filesystem.names() == []


def test_a_name_can_be_file_then_directory_then_link(filesystem: Driver) -> None:
    filesystem.write_file("name", b"x")
    filesystem.unlink("name")
    filesystem.mkdir("name")
    filesystem.rmdir("name")
    filesystem.symlink("nowhere", "name")
    assert filesystem.lstat("name").type == stat.S_IFLNK
    filesystem.unlink("name")
    filesystem.write_file("name", b"y")
    assert filesystem.read_file("name") == b"y"


def test_a_deep_tree_is_made_read_and_removed(filesystem: Driver) -> None:
    paths = ["/".join(["d"] * depth) for depth in range(1, 60)]
    for path in paths:
        filesystem.mkdir(path)
    filesystem.write_file(f"{paths[-1]}/file", b"deep")
    assert filesystem.read_file(f"{paths[-1]}/file") == b"deep"
    assert filesystem.names(paths[30]) == ["d"]
    filesystem.unlink(f"{paths[-1]}/file")
    for path in reversed(paths):
        filesystem.rmdir(path)
    assert filesystem.names() == []


def test_a_tree_of_several_files_lists_each_directory_by_itself(filesystem: Driver) -> None:
    for directory in ("a", "a/b", "a.b", "ab", "a/b/c"):
        filesystem.mkdir(directory)
    for path in ("file", "a/file", "a/b/file", "a.b/file", "ab/file", "a/b/c/file", "a/b.txt"):
        filesystem.write_file(path, path.encode())
    assert filesystem.names() == ["a", "a.b", "ab", "file"]
    assert filesystem.names("a") == ["b", "b.txt", "file"]
    assert filesystem.names("a/b") == ["c", "file"]
    assert filesystem.names("a.b") == ["file"]
    assert filesystem.read_file("a/b/c/file") == b"a/b/c/file"


# Many entries

MANY = 1000


@pytest.fixture
def crowded(filesystem: Driver) -> Driver:
    filesystem.mkdir("crowd")
    for number in range(MANY):
        filesystem.write_file(f"crowd/file-{number:04}", b"x" * (number % 7))
    return filesystem


def test_a_thousand_files_are_listed_once_each_with_their_sizes(crowded: Driver) -> None:
    listing = crowded.listdir("crowd")
    assert sorted(listing) == [f"file-{number:04}" for number in range(MANY)]
    assert all(status.size == int(name[-4:]) % 7 for name, status in listing.items())


def test_files_removed_while_they_are_listed_are_all_removed(crowded: Driver) -> None:
    for name in crowded.scan("crowd"):
        crowded.unlink(f"crowd/{name}")
    assert crowded.names("crowd") == []
    crowded.rmdir("crowd")


def test_files_that_stay_are_listed_once_though_others_come_and_go(crowded: Driver) -> None:
    seen: list[str] = []
    for turn, name in enumerate(crowded.scan("crowd")):
        seen.append(name)
        if turn < MANY // 2:
            crowded.write_file(f"crowd/added-{turn:04}")
        elif name.startswith("file-"):
            crowded.unlink(f"crowd/{name}")
    stayed = [name for name in seen if name.startswith("file-")]
    assert sorted(stayed) == [f"file-{number:04}" for number in range(MANY)]


def test_a_file_two_levels_below_changes_no_time_of_a_directory(filesystem: Driver) -> None:
    """Nor does the first one in a directory that is new."""
    filesystem.mkdir("outer")
    filesystem.mkdir("outer/inner")
    filesystem.utime("outer", Times(atime=OLD, mtime=OLD))
    filesystem.write_file("outer/inner/file", b"x")
    filesystem.unlink("outer/inner/file")
    assert filesystem.stat("outer").mtime == OLD
    filesystem.write_file("outer/file", b"x")
    assert filesystem.stat("outer").mtime > OLD


def test_a_time_that_a_directory_is_given_again_is_its_time(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    for number in range(2):
        filesystem.write_file(f"dir/{number}", b"x")
        filesystem.utime("dir", Times(atime=OLD, mtime=OLD))
        assert filesystem.stat("dir").mtime == OLD


@pytest.mark.parametrize("name", ["dir", "dir~"])
def test_a_directory_keeps_its_mode_when_it_is_renamed(filesystem: Driver, name: str) -> None:
    filesystem.mkdir("dir")
    filesystem.chmod("dir", 0o750)
    for old, new in (("dir", name + "2"), (name + "2", "other"), ("other", "last~")):
        filesystem.rename(old, new)
        assert filesystem.stat(new).permissions == 0o750
    filesystem.rmdir("last~")
    assert filesystem.names() == []
