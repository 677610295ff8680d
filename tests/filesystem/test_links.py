"""Symbolic links, and what kvassfs has instead of hard links and device nodes."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from tests.filesystem.driver import Driver, raises
from tests.filesystem.marks import on_kernel, on_kvassfs


@pytest.mark.parametrize("name", ["link", ".#link", "link~", "%"])
@pytest.mark.parametrize(
    "target", ["file", "../up", "/absolute/path", "dir/", "with space\n", "😀", "user@host.123:456", "%@", "t" * 4095]
)
def test_a_link_keeps_its_target(filesystem: Driver, name: str, target: str) -> None:
    filesystem.symlink(target, name)
    assert filesystem.readlink(name) == target
    status = filesystem.lstat(name)
    assert (status.type, status.size) == (stat.S_IFLNK, len(target.encode()))
    assert filesystem.listdir() == {name: status}
    filesystem.unlink(name)
    assert filesystem.names() == []


def test_a_link_to_a_file_reads_and_writes_the_file(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("dir/file", b"content")
    filesystem.symlink("dir/file", "link")
    assert filesystem.read_file("link") == b"content"
    filesystem.write_file("link", b"changed")
    assert filesystem.read_file("dir/file") == b"changed"
    assert filesystem.lstat("link").type == stat.S_IFLNK
    assert filesystem.stat("link") == filesystem.stat("dir/file")


def test_a_link_to_a_directory_leads_into_it(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.symlink("dir", "link")
    filesystem.write_file("link/file", b"content")
    assert filesystem.read_file("dir/file") == b"content"
    assert filesystem.names("link") == ["file"]
    filesystem.unlink("link/file")
    assert filesystem.names("dir") == []


def test_a_link_in_a_directory_is_relative_to_it(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("file", b"outer")
    filesystem.write_file("dir/file", b"inner")
    filesystem.symlink("file", "dir/inner")
    filesystem.symlink("../file", "dir/outer")
    assert filesystem.read_file("dir/inner") == b"inner"
    assert filesystem.read_file("dir/outer") == b"outer"


def test_a_dangling_link_is_there_but_leads_nowhere(filesystem: Driver) -> None:
    filesystem.symlink("nowhere", "link")
    with raises(errno.ENOENT):
        filesystem.stat("link")
    with raises(errno.ENOENT):
        filesystem.read_file("link")
    assert filesystem.names() == ["link"]
    assert filesystem.lstat("link").type == stat.S_IFLNK


def test_creating_through_a_dangling_link_makes_its_target(filesystem: Driver) -> None:
    filesystem.symlink("target", "link")
    filesystem.write_file("link", b"content")
    assert filesystem.names() == ["link", "target"]
    assert filesystem.read_file("target") == b"content"


def test_exclusive_creation_does_not_follow_a_dangling_link(filesystem: Driver) -> None:
    filesystem.symlink("target", "link")
    with raises(errno.EEXIST):
        filesystem.open("link", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    assert filesystem.names() == ["link"]


def test_a_link_does_not_replace_what_is_there(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    filesystem.mkdir("dir")
    filesystem.symlink("file", "link")
    for taken in ("file", "dir", "link"):
        with raises(errno.EEXIST):
            filesystem.symlink("elsewhere", taken)
    assert filesystem.readlink("link") == "file"


def test_unlink_removes_the_link_and_leaves_the_target(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    filesystem.symlink("file", "link")
    filesystem.unlink("link")
    assert filesystem.read_file("file") == b"content"


def test_readlink_refuses_what_is_no_link(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    filesystem.mkdir("dir")
    for name in ("file", "dir"):
        with raises(errno.EINVAL):
            filesystem.readlink(name)
    with raises(errno.ENOENT):
        filesystem.readlink("missing")


def test_chmod_and_truncate_follow_a_link(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    filesystem.symlink("file", "link")
    filesystem.chmod("link", 0o640)
    filesystem.truncate("link", 3)
    assert filesystem.stat("file").permissions == 0o640
    assert filesystem.read_file("file") == b"con"


def test_a_link_and_a_file_take_turns_at_a_name(filesystem: Driver) -> None:
    filesystem.write_file("name", b"content")
    filesystem.symlink("elsewhere", "other")
    filesystem.rename("other", "name")
    assert filesystem.readlink("name") == "elsewhere"
    filesystem.write_file("other", b"back")
    filesystem.rename("other", "name")
    assert filesystem.read_file("name") == b"back"
    assert filesystem.lstat("name").type == stat.S_IFREG


@on_kernel
def test_links_in_a_circle_are_refused(filesystem: Driver) -> None:
    filesystem.symlink("b", "a")
    filesystem.symlink("a", "b")
    filesystem.symlink("itself", "itself")
    for name in ("a", "itself", "a/below"):
        with raises(errno.ELOOP):
            filesystem.stat(name)
    assert filesystem.names() == ["a", "b", "itself"]


@on_kernel
def test_opening_without_following_refuses_a_link(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    filesystem.symlink("file", "link")
    with raises(errno.ELOOP):
        filesystem.open("link", os.O_RDONLY | os.O_NOFOLLOW)


# What a store has no room for


@on_kvassfs
def test_hard_links_are_refused(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    with raises(errno.EPERM):
        filesystem.link("file", "other")
    assert filesystem.names() == ["file"]


def test_hard_links_share_their_content_where_there_are_any(filesystem: Driver) -> None:
    if filesystem.capabilities.kvassfs:
        pytest.skip("refused, see above")
    filesystem.write_file("file", b"content")
    filesystem.link("file", "other")
    filesystem.write_file("other", b"changed")
    assert filesystem.read_file("file") == b"changed"


@on_kvassfs
@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFSOCK])
def test_pipes_and_sockets_are_refused(filesystem: Driver, kind: int) -> None:
    with raises(errno.EPERM):
        filesystem.mknod("node", kind | 0o600)
    assert filesystem.names() == []
