"""Several handles of one file, and files that lose their name while they are open."""

from __future__ import annotations

import errno
import os

import pytest

from tests.filesystem.driver import Driver, raises, read_all

BLOCK = 256 * 1024
SIZES = [10, 100_000, 600_000]


def content_of(size: int) -> bytes:
    return (b"0123456789" * (size // 10 + 1))[:size]


# Two handles


def test_one_handle_sees_what_another_wrote_before_close(filesystem: Driver) -> None:
    with (
        filesystem.open("file", os.O_RDWR | os.O_CREAT) as writer,
        filesystem.open("file", os.O_RDONLY) as reader,
    ):
        writer.pwrite(b"hello", 0)
        assert reader.pread(100, 0) == b"hello"
        assert reader.stat().size == 5
        writer.pwrite(b"J", 0)
        assert reader.pread(100, 0) == b"Jello"


def test_one_handle_sees_what_another_wrote_and_closed(filesystem: Driver) -> None:
    filesystem.write_file("file", b"before")
    with filesystem.open("file", os.O_RDONLY) as reader:
        assert reader.pread(100, 0) == b"before"
        with filesystem.open("file", os.O_WRONLY) as writer:
            writer.pwrite(b"BE", 0)
        assert reader.pread(100, 0) == b"BEfore"


def test_two_writers_keep_each_others_bytes(filesystem: Driver) -> None:
    filesystem.write_file("file", b"..........")
    with filesystem.open("file", os.O_WRONLY) as first, filesystem.open("file", os.O_WRONLY) as second:
        first.pwrite(b"aaa", 0)
        second.pwrite(b"bbb", 5)
        first.pwrite(b"c", 9)
    assert filesystem.read_file("file") == b"aaa..bbb.c"


def test_appends_of_two_handles_follow_each_other(filesystem: Driver) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    with filesystem.open("log", flags) as first, filesystem.open("log", flags) as second:
        first.write(b"1\n")
        second.write(b"2\n")
        first.write(b"3\n")
        second.write(b"4\n")
    assert filesystem.read_file("log") == b"1\n2\n3\n4\n"


def test_a_handle_goes_on_after_another_truncated_the_file(filesystem: Driver) -> None:
    filesystem.write_file("file", b"0123456789")
    with filesystem.open("file", os.O_RDWR) as old:
        old.pwrite(b"A", 0)
        filesystem.open("file", os.O_WRONLY | os.O_TRUNC).close()
        assert old.pread(100, 0) == b""
        old.pwrite(b"Z", 2)
    assert filesystem.read_file("file") == b"\0\0Z"


def test_a_new_opener_reads_what_an_open_handle_has_written(filesystem: Driver) -> None:
    filesystem.write_file("file", b"old")
    with filesystem.open("file", os.O_WRONLY | os.O_TRUNC) as writer:
        writer.write(b"newer")
        assert filesystem.read_file("file") == b"newer"
        writer.write(b" still")
    assert filesystem.read_file("file") == b"newer still"


def test_closing_the_reader_leaves_the_writer_its_bytes(filesystem: Driver) -> None:
    with filesystem.open("file", os.O_RDWR | os.O_CREAT) as writer:
        writer.write(b"one")
        assert filesystem.read_file("file") == b"one"
        filesystem.open("file", os.O_RDWR).close()
        writer.write(b"two")
        assert filesystem.read_file("file") == b"onetwo"


def test_a_duplicate_shares_the_offset_and_outlives_the_original(filesystem: Driver) -> None:
    original = filesystem.open("file", os.O_RDWR | os.O_CREAT)
    duplicate = original.dup()
    original.write(b"one")
    duplicate.write(b"two")
    original.close()
    assert filesystem.read_file("file") == b"onetwo"
    duplicate.write(b"three")
    duplicate.close()
    assert filesystem.read_file("file") == b"onetwothree"


def test_many_handles_of_one_file_can_be_open(filesystem: Driver) -> None:
    filesystem.write_file("file", b"x" * 50)
    handles = [filesystem.open("file", os.O_RDWR) for _ in range(50)]
    for number, handle in enumerate(handles):
        handle.pwrite(b"%d" % (number % 10), number)
    for handle in handles:
        handle.close()
    assert filesystem.read_file("file") == b"0123456789" * 5


# Unlinked while open


@pytest.mark.parametrize("size", SIZES)
def test_an_unlinked_file_stays_readable_and_writable_by_its_handle(filesystem: Driver, size: int) -> None:
    content = content_of(size)
    filesystem.write_file("file", content)
    with filesystem.open("file", os.O_RDWR) as handle:
        filesystem.unlink("file")
        assert read_all(handle) == content
        handle.pwrite(b"changed", size)
        handle.truncate(size + 3)
        assert handle.pread(100, size) == b"cha"
        assert handle.stat().size == size + 3
        handle.fsync()
    assert not filesystem.exists("file")


def test_the_name_of_an_unlinked_open_file_is_gone_at_once(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("dir/file", b"x")
    with filesystem.open("dir/file", os.O_RDWR) as handle:
        filesystem.unlink("dir/file")
        assert filesystem.names("dir") == []
        with raises(errno.ENOENT):
            filesystem.stat("dir/file")
        handle.pwrite(b"y", 0)
        assert filesystem.names("dir") == []
    assert filesystem.names("dir") == []


def test_the_directory_of_an_unlinked_open_file_can_be_removed(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("dir/file", b"x")
    with filesystem.open("dir/file", os.O_RDWR) as handle:
        filesystem.unlink("dir/file")
        handle.pwrite(b"more", 1)
        filesystem.rmdir("dir")
        assert filesystem.names() == []
    assert filesystem.names() == []


def test_an_unlinked_file_is_there_for_its_handle_even_without_its_directory(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("dir/file", b"x")
    with filesystem.open("dir/file", os.O_RDWR) as handle:
        filesystem.unlink("dir/file")
        filesystem.rmdir("dir")
        assert handle.pread(10, 0) == b"x"
        handle.pwrite(b"more", 1)
        assert handle.pread(10, 0) == b"xmore"
        handle.truncate(2)
        handle.fsync()
        assert handle.pread(10, 0) == b"xm"
    assert filesystem.names() == []


def test_an_unlinked_name_can_be_used_again_while_the_old_file_is_open(filesystem: Driver) -> None:
    filesystem.write_file("file", b"old")
    with filesystem.open("file", os.O_RDWR) as handle:
        filesystem.unlink("file")
        filesystem.write_file("file", b"new")
        handle.pwrite(b"OLD", 0)
        assert handle.pread(10, 0) == b"OLD"
        assert filesystem.read_file("file") == b"new"
    assert filesystem.read_file("file") == b"new"


def test_a_file_unlinked_before_its_first_close_leaves_nothing(filesystem: Driver) -> None:
    with filesystem.open("temporary", os.O_RDWR | os.O_CREAT | os.O_EXCL) as handle:
        filesystem.unlink("temporary")
        handle.write(b"scratch space")
        assert handle.pread(100, 0) == b"scratch space"
    assert filesystem.names() == []


def test_several_unlinked_open_files_of_one_name_are_kept_apart(filesystem: Driver) -> None:
    handles = []
    for number in range(3):
        handle = filesystem.open("file", os.O_RDWR | os.O_CREAT | os.O_EXCL)
        handle.write(b"content %d" % number)
        filesystem.unlink("file")
        handles.append(handle)
    assert [handle.pread(100, 0) for handle in handles] == [b"content 0", b"content 1", b"content 2"]
    for handle in handles:
        handle.close()
    assert filesystem.names() == []


def test_two_handles_share_an_unlinked_file(filesystem: Driver) -> None:
    filesystem.write_file("file", b"0123")
    with filesystem.open("file", os.O_RDWR) as first, filesystem.open("file", os.O_RDWR) as second:
        filesystem.unlink("file")
        first.pwrite(b"ab", 0)
        assert second.pread(10, 0) == b"ab23"
        first.close()
        assert second.pread(10, 0) == b"ab23"
    assert filesystem.names() == []


# Replaced by a rename while open


@pytest.mark.parametrize("size", SIZES)
def test_a_replaced_file_stays_as_it_was_for_its_handle(filesystem: Driver, size: int) -> None:
    content = content_of(size)
    filesystem.write_file("file", content)
    filesystem.write_file("other", b"replacement")
    with filesystem.open("file", os.O_RDWR) as handle:
        filesystem.rename("other", "file")
        assert read_all(handle) == content
        assert filesystem.read_file("file") == b"replacement"
        handle.pwrite(b"late", 0)
        assert handle.pread(4, 0) == b"late"
        assert filesystem.names() == ["file"]
    assert filesystem.read_file("file") == b"replacement"
    assert filesystem.names() == ["file"]


def test_a_dirty_file_replaced_by_a_rename_does_not_come_back(filesystem: Driver) -> None:
    filesystem.write_file("other", b"replacement")
    with filesystem.open("file", os.O_RDWR | os.O_CREAT) as handle:
        handle.write(b"never closed in time")
        filesystem.rename("other", "file")
    assert filesystem.read_file("file") == b"replacement"


def test_an_unsaved_file_renamed_over_another_and_unlinked_does_not_bring_that_back(filesystem: Driver) -> None:
    filesystem.write_file("file", b"old")
    with filesystem.open("new", os.O_RDWR | os.O_CREAT) as handle:
        handle.write(b"new")
        filesystem.rename("new", "file")
        filesystem.unlink("file")
        assert filesystem.names() == []
    assert filesystem.names() == []
    assert not filesystem.exists("file")


# Renamed while open


def test_a_dirty_open_file_is_written_under_its_new_name(filesystem: Driver) -> None:
    with filesystem.open("old", os.O_RDWR | os.O_CREAT) as handle:
        handle.write(b"one")
        filesystem.rename("old", "new")
        handle.write(b"two")
        assert filesystem.read_file("new") == b"onetwo"
        assert filesystem.stat("new").size == 6
    assert filesystem.names() == ["new"]
    assert filesystem.read_file("new") == b"onetwo"


def test_a_renamed_open_file_leaves_its_old_name_free(filesystem: Driver) -> None:
    with filesystem.open("file", os.O_RDWR | os.O_CREAT) as first:
        first.write(b"first")
        filesystem.rename("file", "file.1")
        with filesystem.open("file", os.O_RDWR | os.O_CREAT | os.O_EXCL) as second:
            second.write(b"second")
            first.write(b"!")
    assert filesystem.read_file("file") == b"second"
    assert filesystem.read_file("file.1") == b"first!"


def test_files_open_below_a_renamed_directory_are_written_there(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.mkdir("dir/sub")
    filesystem.write_file("dir/kept", b"0123")
    with (
        filesystem.open("dir/sub/new", os.O_RDWR | os.O_CREAT) as new,
        filesystem.open("dir/kept", os.O_RDWR) as kept,
    ):
        new.write(b"one")
        kept.pwrite(b"X", 0)
        filesystem.rename("dir", "moved")
        new.write(b"two")
        kept.pwrite(b"Y", 3)
        assert filesystem.read_file("moved/sub/new") == b"onetwo"
    assert filesystem.names() == ["moved"]
    assert filesystem.read_file("moved/sub/new") == b"onetwo"
    assert filesystem.read_file("moved/kept") == b"X12Y"


def test_renaming_an_open_file_over_another_open_file_keeps_both_handles(filesystem: Driver) -> None:
    filesystem.write_file("a", b"content of a")
    filesystem.write_file("b", b"content of b")
    with filesystem.open("a", os.O_RDWR) as first, filesystem.open("b", os.O_RDWR) as second:
        filesystem.rename("a", "b")
        first.pwrite(b"CONTENT", 0)
        second.pwrite(b"gone", 0)
        assert first.pread(100, 0) == b"CONTENT of a"
        assert second.pread(100, 0) == b"goneent of b"
    assert filesystem.names() == ["b"]
    assert filesystem.read_file("b") == b"CONTENT of a"


def test_a_save_that_moves_the_old_file_aside_leaves_the_new(filesystem: Driver) -> None:
    filesystem.write_file("file", b"old")
    filesystem.rename("file", "file~")
    with filesystem.open("file", os.O_WRONLY | os.O_CREAT) as handle:
        handle.truncate(0)
        handle.write(b"new")
        handle.fsync()
        handle.chmod(0o644)
    filesystem.unlink("file~")
    assert filesystem.names() == ["file"]
    assert filesystem.read_file("file") == b"new"
