"""What open's flags allow and do."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from tests.filesystem.driver import Driver, raises, read_all

OLD = b"old content"


def test_a_new_file_holds_what_was_written(filesystem: Driver) -> None:
    with filesystem.open("new", os.O_WRONLY | os.O_CREAT) as handle:
        assert handle.write(b"hello") == 5
        assert handle.write(b" world") == 6
    assert filesystem.read_file("new") == b"hello world"


def test_a_new_file_is_listed_before_it_is_closed(filesystem: Driver) -> None:
    with filesystem.open("new", os.O_WRONLY | os.O_CREAT) as handle:
        assert filesystem.names() == ["new"]
        handle.write(b"12345")
        assert filesystem.listdir()["new"].size == 5
        assert filesystem.stat("new").size == 5


def test_a_file_closed_without_a_write_is_empty(filesystem: Driver) -> None:
    filesystem.open("new", os.O_WRONLY | os.O_CREAT).close()
    status = filesystem.stat("new")
    assert (status.type, status.size) == (stat.S_IFREG, 0)
    assert filesystem.read_file("new") == b""


def test_a_zero_byte_file_can_be_written_emptied_and_written_again(filesystem: Driver) -> None:
    for content in (b"", b"something", b"", b"again"):
        filesystem.write_file("file", content)
        assert filesystem.read_file("file") == content
        assert filesystem.stat("file").size == len(content)


@pytest.mark.parametrize("access", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
def test_open_without_creat_refuses_a_missing_file(filesystem: Driver, access: int) -> None:
    with raises(errno.ENOENT):
        filesystem.open("missing", access)
    assert filesystem.names() == []


@pytest.mark.parametrize("access", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
def test_creat_makes_a_missing_file_whatever_the_access(filesystem: Driver, access: int) -> None:
    filesystem.open("new", access | os.O_CREAT).close()
    assert filesystem.stat("new").size == 0


@pytest.mark.parametrize("access", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
def test_creat_keeps_the_content_of_an_existing_file(filesystem: Driver, access: int) -> None:
    filesystem.write_file("file", OLD)
    filesystem.open("file", access | os.O_CREAT).close()
    assert filesystem.read_file("file") == OLD


def test_exclusive_creation_makes_a_missing_file(filesystem: Driver) -> None:
    with filesystem.open("new", os.O_WRONLY | os.O_CREAT | os.O_EXCL) as handle:
        handle.write(b"mine")
    assert filesystem.read_file("new") == b"mine"


@pytest.mark.parametrize("more", [0, os.O_TRUNC, os.O_APPEND])
def test_exclusive_creation_refuses_an_existing_file_and_leaves_it(filesystem: Driver, more: int) -> None:
    filesystem.write_file("file", OLD)
    with raises(errno.EEXIST):
        filesystem.open("file", os.O_WRONLY | os.O_CREAT | os.O_EXCL | more)
    assert filesystem.read_file("file") == OLD


def test_exclusive_creation_refuses_a_file_that_another_handle_just_made(filesystem: Driver) -> None:
    with filesystem.open("file", os.O_WRONLY | os.O_CREAT | os.O_EXCL), raises(errno.EEXIST):
        filesystem.open("file", os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def test_exclusive_creation_works_again_after_unlink(filesystem: Driver) -> None:
    for content in (b"first", b"second"):
        with filesystem.open("file", os.O_RDWR | os.O_CREAT | os.O_EXCL) as handle:
            handle.write(content)
        assert filesystem.read_file("file") == content
        filesystem.unlink("file")


@pytest.mark.parametrize("access", [os.O_WRONLY, os.O_RDWR])
@pytest.mark.parametrize("create", [0, os.O_CREAT])
def test_trunc_empties_at_once(filesystem: Driver, access: int, create: int) -> None:
    filesystem.write_file("file", OLD)
    with filesystem.open("file", access | os.O_TRUNC | create) as handle:
        assert handle.stat().size == 0
        assert filesystem.stat("file").size == 0
    assert filesystem.read_file("file") == b""


def test_shorter_content_after_trunc_has_no_tail_of_the_old(filesystem: Driver) -> None:
    filesystem.write_file("file", b"a long old content")
    filesystem.write_file("file", b"short")
    assert filesystem.read_file("file") == b"short"


def test_trunc_of_a_large_file_leaves_only_the_new(filesystem: Driver) -> None:
    filesystem.write_file("file", b"x" * 700_000)
    filesystem.write_file("file", b"small")
    assert filesystem.read_file("file") == b"small"
    assert filesystem.stat("file").size == 5


def test_a_handle_opened_for_both_reads_what_it_wrote_after_trunc(filesystem: Driver) -> None:
    filesystem.write_file("file", OLD)
    with filesystem.open("file", os.O_RDWR | os.O_TRUNC) as handle:
        assert handle.pread(100, 0) == b""
        handle.pwrite(b"fresh", 0)
        assert handle.pread(100, 0) == b"fresh"


def test_writing_without_trunc_replaces_only_what_is_written(filesystem: Driver) -> None:
    filesystem.write_file("file", b"0123456789")
    with filesystem.open("file", os.O_WRONLY) as handle:
        handle.write(b"abc")
        handle.pwrite(b"xyz", 7)
    assert filesystem.read_file("file") == b"abc3456xyz"


def test_a_write_only_handle_cannot_read(filesystem: Driver) -> None:
    filesystem.write_file("file", OLD)
    with filesystem.open("file", os.O_WRONLY) as handle, raises(errno.EBADF):
        handle.pread(1, 0)


def test_a_read_only_handle_cannot_write(filesystem: Driver) -> None:
    filesystem.write_file("file", OLD)
    with filesystem.open("file", os.O_RDONLY) as handle:
        with raises(errno.EBADF):
            handle.pwrite(b"x", 0)
        with raises(errno.EINVAL, errno.EBADF):
            handle.truncate(0)
    assert filesystem.read_file("file") == OLD


@pytest.mark.parametrize("access", [os.O_WRONLY, os.O_RDWR])
def test_append_writes_at_the_end_wherever_the_offset_is(filesystem: Driver, access: int) -> None:
    filesystem.write_file("log", b"one\n")
    with filesystem.open("log", access | os.O_APPEND) as handle:
        handle.write(b"two\n")
        handle.seek(0)
        handle.write(b"three\n")
    assert filesystem.read_file("log") == b"one\ntwo\nthree\n"


def test_append_creates_a_missing_file(filesystem: Driver) -> None:
    with filesystem.open("log", os.O_WRONLY | os.O_APPEND | os.O_CREAT) as handle:
        handle.write(b"one\n")
    assert filesystem.read_file("log") == b"one\n"


def test_append_after_trunc_starts_at_the_beginning(filesystem: Driver) -> None:
    filesystem.write_file("log", b"old\n")
    with filesystem.open("log", os.O_WRONLY | os.O_APPEND | os.O_TRUNC) as handle:
        handle.write(b"new\n")
        handle.write(b"more\n")
    assert filesystem.read_file("log") == b"new\nmore\n"


def test_an_appending_handle_opened_for_both_reads_anywhere(filesystem: Driver) -> None:
    filesystem.write_file("log", b"one\n")
    with filesystem.open("log", os.O_RDWR | os.O_APPEND) as handle:
        assert handle.pread(4, 0) == b"one\n"
        handle.write(b"two\n")
        assert handle.pread(100, 0) == b"one\ntwo\n"


def test_a_handle_opened_before_others_close_still_reads(filesystem: Driver) -> None:
    filesystem.write_file("file", OLD)
    with filesystem.open("file", os.O_RDONLY) as reader:
        filesystem.open("file", os.O_RDONLY).close()
        filesystem.open("file", os.O_RDWR).close()
        assert read_all(reader) == OLD


@pytest.mark.parametrize("flags", [os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_RDWR | os.O_CREAT])
def test_a_directory_cannot_be_opened_for_writing(filesystem: Driver, flags: int) -> None:
    filesystem.mkdir("dir")
    with raises(errno.EISDIR):
        filesystem.open("dir", flags)


def test_nothing_is_created_below_a_file_or_a_missing_directory(filesystem: Driver) -> None:
    filesystem.write_file("file", OLD)
    with raises(errno.ENOTDIR):
        filesystem.open("file/below", os.O_WRONLY | os.O_CREAT)
    with raises(errno.ENOENT):
        filesystem.open("missing/below", os.O_WRONLY | os.O_CREAT)
    assert filesystem.names() == ["file"]


def test_a_file_made_with_mknod_is_an_empty_file(filesystem: Driver) -> None:
    filesystem.mknod("node", stat.S_IFREG | 0o640)
    status = filesystem.stat("node")
    assert (status.type, status.permissions, status.size) == (stat.S_IFREG, 0o640, 0)
    with raises(errno.EEXIST):
        filesystem.mknod("node", stat.S_IFREG | 0o640)


def test_opening_for_writing_and_closing_changes_nothing(filesystem: Driver) -> None:
    filesystem.write_file("file", OLD)
    before = filesystem.stat("file")
    filesystem.open("file", os.O_RDWR).close()
    filesystem.open("file", os.O_WRONLY | os.O_APPEND).close()
    assert filesystem.stat("file") == before
    assert filesystem.read_file("file") == OLD
