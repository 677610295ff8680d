"""Modes, times, sizes on disk, and the figures of the whole file system."""

from __future__ import annotations

import errno
import os
import time

import pytest

from tests.filesystem.driver import Driver, Times, raises
from tests.filesystem.marks import on_kvassfs
from tests.filesystem.os_driver import OsDriver

SECOND = 1_000_000_000
PAST = 1_234_567_890 * SECOND
EXPLICIT = [
    0,
    1,
    PAST,
    PAST + 123_456_789,
    PAST + 999_999_999,
    1073741823 * SECOND,
    4_102_444_800 * SECOND + 500_000_000,
]
RECENT = 5 * SECOND


def assert_recent(mtime: int) -> None:
    assert abs(time.time_ns() - mtime) < RECENT


# Modes


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o777, 0o444, 0o000, 0o1644, 0o4755, 0o2755])
@pytest.mark.parametrize("name", ["file", "file~"])
def test_the_mode_of_a_file_is_kept(filesystem: Driver, name: str, mode: int) -> None:
    filesystem.write_file(name, b"content")
    filesystem.chmod(name, mode)
    assert filesystem.stat(name).permissions == mode
    assert filesystem.listdir()[name].permissions == mode


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o1777, 0o555])
def test_the_mode_of_a_directory_is_kept(filesystem: Driver, mode: int) -> None:
    filesystem.mkdir("dir")
    filesystem.chmod("dir", mode)
    assert filesystem.stat("dir").permissions == mode
    assert filesystem.listdir()["dir"].permissions == mode


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o400])
def test_a_file_is_created_with_its_mode(filesystem: Driver, mode: int) -> None:
    filesystem.write_file("file", b"content", mode)
    filesystem.mkdir("dir", mode)
    assert filesystem.stat("file").permissions == mode
    assert filesystem.stat("dir").permissions == mode


def test_the_umask_takes_bits_away(filesystem: Driver) -> None:
    filesystem.write_file("file", b"", 0o666)
    filesystem.mkdir("dir", 0o777)
    assert filesystem.stat("file").permissions == 0o644
    assert filesystem.stat("dir").permissions == 0o755


def test_a_file_created_read_only_is_written_by_the_handle_that_made_it(filesystem: Driver) -> None:
    with filesystem.open("object", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o444) as handle:
        handle.write(b"content")
    assert filesystem.stat("object").permissions == 0o444
    assert filesystem.read_file("object") == b"content"


def test_the_mode_of_an_existing_file_survives_a_rewrite(filesystem: Driver) -> None:
    filesystem.write_file("script", b"#!/bin/sh\n", 0o755)
    filesystem.write_file("script", b"#!/bin/sh\nexit 1\n", 0o600)
    assert filesystem.stat("script").permissions == 0o755


def test_the_mode_of_an_empty_file_is_kept(filesystem: Driver) -> None:
    filesystem.write_file("empty", b"", 0o755)
    filesystem.chmod("empty", 0o700)
    filesystem.write_file("empty", b"not any more")
    assert filesystem.stat("empty").permissions == 0o700


def test_a_new_file_under_an_old_name_has_its_own_mode(filesystem: Driver) -> None:
    filesystem.write_file("file", b"x", 0o755)
    filesystem.unlink("file")
    filesystem.write_file("file", b"x", 0o600)
    assert filesystem.stat("file").permissions == 0o600


def test_fchmod_before_the_first_close_is_kept(filesystem: Driver) -> None:
    with filesystem.open("file", os.O_WRONLY | os.O_CREAT, 0o600) as handle:
        handle.write(b"content")
        handle.chmod(0o755)
        assert handle.stat().permissions == 0o755
        assert filesystem.stat("file").permissions == 0o755
    assert filesystem.stat("file").permissions == 0o755
    assert filesystem.read_file("file") == b"content"


def test_chmod_while_another_handle_writes_keeps_both(filesystem: Driver) -> None:
    filesystem.write_file("file", b"old")
    with filesystem.open("file", os.O_WRONLY | os.O_TRUNC) as handle:
        handle.write(b"new")
        filesystem.chmod("file", 0o700)
        handle.write(b"er")
    assert filesystem.stat("file").permissions == 0o700
    assert filesystem.read_file("file") == b"newer"


def test_chmod_of_an_unsaved_file_goes_with_a_rename(filesystem: Driver) -> None:
    filesystem.write_file("file", b"old", 0o600)
    filesystem.mkdir("dir")
    with filesystem.open("file", os.O_RDWR) as handle:
        handle.write(b"new")
        filesystem.chmod("file", 0o755)
        filesystem.rename("file", "dir/file")
        assert handle.stat().permissions == 0o755
        handle.write(b"er")
        handle.chmod(0o700)
        filesystem.rename("dir", "moved")
        assert filesystem.stat("moved/file").permissions == 0o700
    assert filesystem.stat("moved/file").permissions == 0o700
    assert filesystem.read_file("moved/file") == b"newer"


def test_a_replaced_file_has_the_mode_of_its_replacement(filesystem: Driver) -> None:
    filesystem.write_file("file", b"old", 0o755)
    filesystem.write_file("new", b"new", 0o600)
    filesystem.rename("new", "file")
    assert filesystem.stat("file").permissions == 0o600


def test_chmod_of_what_is_missing_fails(filesystem: Driver) -> None:
    with raises(errno.ENOENT):
        filesystem.chmod("missing", 0o600)


def test_chown_to_the_present_owner_succeeds(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    filesystem.chown("file", os.getuid(), os.getgid())
    filesystem.chown("file", -1, -1)
    assert filesystem.read_file("file") == b"content"


# To others a mount of an ordinary user would not give it: the kernel refuses that.
by_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may give a file away")


@by_root
@on_kvassfs
@pytest.mark.parametrize("name", ["file", "file~", "dir"])
@pytest.mark.parametrize(("uid", "gid"), [(4711, 4712), (-1, 4712), (4711, -1), (0, 4712)])
def test_giving_it_to_another_succeeds_and_changes_nothing(filesystem: Driver, name: str, uid: int, gid: int) -> None:
    filesystem.mkdir("dir")
    for file in ("file", "file~"):
        filesystem.write_file(file, b"content", 0o640)
    before = filesystem.stat(name)
    filesystem.chown(name, uid, gid)
    assert filesystem.stat(name) == before
    if isinstance(filesystem, OsDriver):
        status = os.stat(filesystem.path(name))
        assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid())


@by_root
@on_kvassfs
def test_giving_the_root_to_another_succeeds(root: Driver) -> None:
    root.chown("", 4711, 4712)


@on_kvassfs
def test_giving_away_what_is_missing_fails(filesystem: Driver) -> None:
    with raises(errno.ENOENT):
        filesystem.chown("missing", 4711, 4712)


@by_root
@on_kvassfs
@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6755])
def test_the_file_of_another_does_not_run_as_its_owner_here(filesystem: Driver, mode: int) -> None:
    filesystem.write_file("file", b"content")
    filesystem.chown("file", 4711, -1)
    filesystem.chmod("file", mode)
    assert filesystem.stat("file").permissions == 0o755
    with filesystem.open("open", os.O_RDWR | os.O_CREAT) as handle:
        filesystem.chown("open", -1, 4712)
        handle.chmod(mode)
    assert filesystem.stat("open").permissions == 0o755


@by_root
@on_kvassfs
def test_a_file_that_is_given_back_may_run_as_its_owner(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    filesystem.chown("file", 4711, 4712)
    filesystem.chown("file", os.getuid(), os.getgid())
    filesystem.chmod("file", 0o4755)
    assert filesystem.stat("file").permissions == 0o4755


# Explicit times


@pytest.mark.parametrize("mtime", EXPLICIT)
@pytest.mark.parametrize("name", ["file", "file~"])
def test_an_explicit_time_of_a_file_is_kept(filesystem: Driver, name: str, mtime: int) -> None:
    filesystem.write_file(name, b"content")
    filesystem.utime(name, Times(atime=mtime, mtime=mtime))
    assert filesystem.stat(name).mtime == mtime
    assert filesystem.listdir()[name].mtime == mtime
    assert filesystem.read_file(name) == b"content"
    assert filesystem.stat(name).mtime == mtime


@pytest.mark.parametrize("mtime", [-1, -SECOND, -1_500_000_000, -1_000_000_000 * SECOND])
def test_a_time_before_1970_is_kept(filesystem: Driver, mtime: int) -> None:
    filesystem.write_file("file", b"content")
    filesystem.utime("file", Times(atime=0, mtime=mtime))
    assert filesystem.stat("file").mtime == mtime


@pytest.mark.parametrize("mtime", EXPLICIT)
def test_an_explicit_time_of_a_directory_is_kept(filesystem: Driver, mtime: int) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("dir/file", b"x")
    filesystem.utime("dir", Times(atime=mtime, mtime=mtime))
    assert filesystem.stat("dir").mtime == mtime
    assert filesystem.listdir()["dir"].mtime == mtime


def test_an_explicit_time_of_a_link_is_its_own(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    before = filesystem.stat("file")
    filesystem.symlink("file", "link")
    filesystem.utime("link", Times(atime=PAST, mtime=PAST), follow=False)
    assert filesystem.lstat("link").mtime == PAST
    assert filesystem.stat("file") == before
    assert filesystem.readlink("link") == "file"


def test_now_is_now(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    filesystem.utime("file", Times(mtime=PAST))
    filesystem.utime("file", Times(atime_now=True, mtime_now=True))
    assert_recent(filesystem.stat("file").mtime)


def test_omit_leaves_the_time(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    filesystem.utime("file", Times(mtime=PAST))
    filesystem.utime("file", Times(atime=PAST + SECOND))
    filesystem.utime("file", Times(atime_now=True))
    assert filesystem.stat("file").mtime == PAST


def test_now_for_the_one_and_omit_for_the_other(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    filesystem.utime("file", Times(atime=PAST, mtime=PAST))
    filesystem.utime("file", Times(mtime_now=True))
    assert_recent(filesystem.stat("file").mtime)


def test_times_of_what_is_missing_cannot_be_set(filesystem: Driver) -> None:
    with raises(errno.ENOENT):
        filesystem.utime("missing", Times(mtime=PAST))


def test_a_time_set_before_close_is_there_after_it(filesystem: Driver) -> None:
    with filesystem.open("copy", os.O_WRONLY | os.O_CREAT) as handle:
        handle.write(b"content")
        handle.utime(Times(atime=PAST, mtime=PAST + 7))
        assert handle.stat().mtime == PAST + 7
    assert filesystem.stat("copy").mtime == PAST + 7


def test_a_time_set_on_a_new_empty_file_is_kept(filesystem: Driver) -> None:
    with filesystem.open("stamp", os.O_WRONLY | os.O_CREAT) as handle:
        handle.utime(Times(atime=PAST, mtime=PAST))
    assert filesystem.stat("stamp").mtime == PAST


def test_an_explicit_time_goes_with_a_rename(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("dir/.file.Xa12bc", b"content")
    filesystem.utime("dir/.file.Xa12bc", Times(atime=PAST, mtime=PAST))
    filesystem.rename("dir/.file.Xa12bc", "dir/file")
    assert filesystem.stat("dir/file").mtime == PAST
    filesystem.utime("dir", Times(atime=PAST, mtime=PAST + SECOND))
    filesystem.rename("dir", "moved")
    assert filesystem.stat("moved/file").mtime == PAST
    assert filesystem.stat("moved").mtime == PAST + SECOND


def test_a_new_file_does_not_inherit_the_time_of_its_name(filesystem: Driver) -> None:
    filesystem.write_file("file", b"old")
    filesystem.utime("file", Times(atime=PAST, mtime=PAST))
    filesystem.unlink("file")
    filesystem.write_file("file", b"new")
    assert_recent(filesystem.stat("file").mtime)


# Times that follow from what is done


def test_a_new_files_time_is_now(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    filesystem.mkdir("dir")
    filesystem.symlink("file", "link")
    for name in ("file", "dir", "link"):
        assert_recent(filesystem.lstat(name).mtime)


@pytest.mark.parametrize("size", [1, 70_000])
def test_the_time_seen_before_close_is_the_time_after_it(filesystem: Driver, size: int) -> None:
    with filesystem.open("file", os.O_WRONLY | os.O_CREAT) as handle:
        handle.write(b"x" * size)
        before = handle.stat()
        assert filesystem.stat("file") == before
    after = filesystem.stat("file")
    assert after == before
    time.sleep(0.01)
    assert filesystem.stat("file") == after
    assert filesystem.listdir()["file"] == after


def test_the_time_after_fsync_is_the_time_before_it(filesystem: Driver) -> None:
    with filesystem.open("file", os.O_WRONLY | os.O_CREAT) as handle:
        handle.write(b"x")
        before = handle.stat()
        handle.fsync()
        assert handle.stat() == before
    assert filesystem.stat("file") == before


def past_file(filesystem: Driver, content: bytes = b"content") -> None:
    filesystem.write_file("file", content)
    filesystem.utime("file", Times(atime=PAST, mtime=PAST))


def test_a_write_changes_the_time_at_once(filesystem: Driver) -> None:
    past_file(filesystem)
    with filesystem.open("file", os.O_WRONLY) as handle:
        handle.write(b"x")
        during = handle.stat().mtime
        assert_recent(during)
    assert filesystem.stat("file").mtime == during


def test_writing_the_same_bytes_changes_the_time(filesystem: Driver) -> None:
    past_file(filesystem)
    filesystem.write_file("file", b"content")
    assert_recent(filesystem.stat("file").mtime)


def test_a_change_of_length_changes_the_time(filesystem: Driver) -> None:
    past_file(filesystem)
    filesystem.truncate("file", 3)
    assert_recent(filesystem.stat("file").mtime)
    past_file(filesystem)
    filesystem.open("file", os.O_WRONLY | os.O_TRUNC).close()
    assert_recent(filesystem.stat("file").mtime)


def test_reading_opening_chmod_and_rename_leave_the_time(filesystem: Driver) -> None:
    past_file(filesystem)
    filesystem.read_file("file")
    filesystem.open("file", os.O_RDWR).close()
    filesystem.chmod("file", 0o755)
    filesystem.rename("file", "other")
    filesystem.rename("other", "file")
    assert filesystem.stat("file").mtime == PAST


def test_a_later_write_has_a_later_time(filesystem: Driver) -> None:
    times = []
    for content in (b"one", b"two", b"three"):
        filesystem.write_file("file", content)
        times.append(filesystem.stat("file").mtime)
        time.sleep(0.01)
    assert times == sorted(set(times))


def change_nothing_listed(filesystem: Driver) -> None:
    filesystem.write_file("dir/file", b"changed")
    filesystem.chmod("dir/file", 0o600)
    filesystem.write_file("dir/sub/new", b"x")
    filesystem.names("dir")


CHANGES = {
    "create": lambda filesystem: filesystem.write_file("dir/new", b"x"),
    "create empty": lambda filesystem: filesystem.write_file("dir/new"),
    "create scratch": lambda filesystem: filesystem.write_file("dir/new~", b"x"),
    "unlink": lambda filesystem: filesystem.unlink("dir/file"),
    "mkdir": lambda filesystem: filesystem.mkdir("dir/new"),
    "rmdir": lambda filesystem: filesystem.rmdir("dir/sub"),
    "symlink": lambda filesystem: filesystem.symlink("x", "dir/new"),
    "rename in it": lambda filesystem: filesystem.rename("dir/file", "dir/other"),
    "rename out of it": lambda filesystem: filesystem.rename("dir/file", "out"),
    "rename into it": lambda filesystem: filesystem.rename("outside", "dir/in"),
    "rename a directory out": lambda filesystem: filesystem.rename("dir/sub", "out"),
}


@pytest.fixture
def past_directory(filesystem: Driver) -> Driver:
    filesystem.mkdir("dir")
    filesystem.mkdir("dir/sub")
    filesystem.write_file("dir/file", b"content")
    filesystem.write_file("outside", b"content")
    filesystem.utime("dir", Times(atime=PAST, mtime=PAST))
    return filesystem


@pytest.mark.parametrize("change", CHANGES)
def test_an_entry_that_comes_or_goes_changes_the_directorys_time(past_directory: Driver, change: str) -> None:
    CHANGES[change](past_directory)
    assert_recent(past_directory.stat("dir").mtime)


def test_a_change_below_an_entry_leaves_the_directorys_time(past_directory: Driver) -> None:
    change_nothing_listed(past_directory)
    assert past_directory.stat("dir").mtime == PAST


# Figures


def test_a_file_has_one_name_and_blocks_for_its_bytes(filesystem: Driver) -> None:
    filesystem.write_file("file", b"x" * 100_000)
    with filesystem.open("file", os.O_RDONLY) as handle:
        handle.fsync()
    status = filesystem.stat("file")
    assert status.nlink == 1
    assert status.blocks * 512 >= 100_000


def test_statvfs_has_figures_that_programs_can_work_with(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    figures = filesystem.statvfs("dir")
    assert figures.f_namemax == 255
    assert figures.f_bsize > 0
    assert figures.f_frsize > 0
    assert figures.f_blocks > 0
    assert 0 < figures.f_bavail <= figures.f_bfree <= figures.f_blocks
