"""Reading, writing and truncating, above all around the sizes where a value changes its form in the store."""

from __future__ import annotations

import errno
import os
import random

import pytest

from tests.filesystem.driver import Driver, raises, read_all, write_all
from tests.filesystem.marks import on_kvassfs

KIB = 1024
COLUMN = 64 * KIB
BLOCK = 256 * KIB
EDGES = [edge + step for edge in (4 * KIB, COLUMN, 128 * KIB, BLOCK, 2 * BLOCK, 1024 * KIB) for step in (-1, 0, 1)]


def pattern(size: int, seed: int = 0) -> bytes:
    """Bytes of which no two blocks are equal, the same at every run."""
    return random.Random(seed).randbytes(size)


def make(filesystem: Driver, name: str, size: int) -> bytearray:
    content = pattern(size)
    filesystem.write_file(name, content)
    return bytearray(content)


# Reading


def test_reads_at_and_after_the_end_return_nothing(filesystem: Driver) -> None:
    filesystem.write_file("file", b"0123456789")
    with filesystem.open("file", os.O_RDONLY) as handle:
        assert handle.pread(5, 10) == b""
        assert handle.pread(5, 11) == b""
        assert handle.pread(5, 1 << 40) == b""


def test_a_read_over_the_end_is_cut_there(filesystem: Driver) -> None:
    filesystem.write_file("file", b"0123456789")
    with filesystem.open("file", os.O_RDONLY) as handle:
        assert handle.pread(100, 7) == b"789"


def test_a_zero_byte_file_reads_as_nothing(filesystem: Driver) -> None:
    filesystem.write_file("empty")
    with filesystem.open("empty", os.O_RDONLY) as handle:
        assert handle.pread(100, 0) == b""
        assert handle.read(100) == b""


def test_reads_in_any_order_return_their_part(filesystem: Driver) -> None:
    content = make(filesystem, "file", 3 * BLOCK + 12_345)
    with filesystem.open("file", os.O_RDONLY) as handle:
        for offset in (600_000, 0, BLOCK - 1, 2 * BLOCK - 10, 3 * BLOCK, COLUMN, 3 * BLOCK + 12_344):
            assert handle.pread(100, offset) == content[offset : offset + 100]


def test_a_read_across_several_blocks_is_whole(filesystem: Driver) -> None:
    content = make(filesystem, "file", 3 * BLOCK)
    with filesystem.open("file", os.O_RDONLY) as handle:
        handle.seek(BLOCK - 7)
        assert handle.read(100 * KIB) + handle.read(BLOCK) == content[BLOCK - 7 : 2 * BLOCK - 7 + 100 * KIB]


# Sizes at which the form changes


@pytest.mark.parametrize("size", EDGES)
def test_content_written_in_odd_pieces_is_kept(filesystem: Driver, size: int) -> None:
    content = pattern(size)
    with filesystem.open("file", os.O_WRONLY | os.O_CREAT) as handle:
        write_all(handle, content, piece=37_117)
    assert filesystem.stat("file").size == size
    assert filesystem.read_file("file") == content


@pytest.mark.parametrize("size", EDGES)
def test_a_change_in_the_middle_leaves_the_rest(filesystem: Driver, size: int) -> None:
    content = make(filesystem, "file", size)
    middle = size // 2
    with filesystem.open("file", os.O_RDWR) as handle:
        handle.pwrite(b"changed", middle)
        assert handle.pread(9, middle - 1) == content[middle - 1 : middle] + b"changed" + content[middle + 7 :][:1]
    content[middle : middle + 7] = b"changed"
    assert filesystem.read_file("file") == content


@pytest.mark.parametrize("size", EDGES)
def test_a_change_across_the_last_byte_makes_it_longer(filesystem: Driver, size: int) -> None:
    content = make(filesystem, "file", size)
    with filesystem.open("file", os.O_WRONLY) as handle:
        handle.pwrite(b"tail", size - 1)
    assert filesystem.stat("file").size == size + 3
    assert filesystem.read_file("file") == content[:-1] + b"tail"


@pytest.mark.parametrize("edge", [COLUMN, BLOCK, 2 * BLOCK])
@pytest.mark.parametrize("size", [COLUMN - 1, BLOCK + 1, 3 * BLOCK])
def test_a_change_across_an_edge_is_whole(filesystem: Driver, size: int, edge: int) -> None:
    content = make(filesystem, "file", size)
    with filesystem.open("file", os.O_WRONLY) as handle:
        handle.pwrite(b"0123456789", edge - 5)
    content.extend(bytes(max(0, edge + 5 - len(content))))
    content[edge - 5 : edge + 5] = b"0123456789"
    assert filesystem.read_file("file") == content


def test_many_scattered_changes_in_one_open_are_all_kept(filesystem: Driver) -> None:
    content = make(filesystem, "file", 4 * BLOCK)
    chance = random.Random(1)
    with filesystem.open("file", os.O_RDWR) as handle:
        for _ in range(60):
            offset, piece = chance.randrange(4 * BLOCK), chance.randbytes(chance.randrange(1, 9_000))
            content[offset : offset + len(piece)] = piece
            assert handle.pwrite(piece, offset) == len(piece)
        assert handle.pread(1000, 2 * BLOCK - 500) == content[2 * BLOCK - 500 : 2 * BLOCK + 500]
    assert filesystem.read_file("file") == content


def test_writing_backwards_gives_the_same_file(filesystem: Driver) -> None:
    content = pattern(300_000)
    with filesystem.open("file", os.O_WRONLY | os.O_CREAT) as handle:
        for offset in range(290_000, -1, -10_000):
            handle.pwrite(content[offset : offset + 10_000], offset)
    assert filesystem.read_file("file") == content


def test_appends_across_the_edges_grow_the_file_piece_by_piece(filesystem: Driver) -> None:
    content = b""
    for round_ in range(12):
        piece = pattern(49_999, seed=round_)
        with filesystem.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND) as handle:
            handle.write(piece)
        content += piece
        assert filesystem.stat("log").size == len(content)
    assert filesystem.read_file("log") == content


def test_a_file_of_equal_blocks_reads_back(filesystem: Driver) -> None:
    content = b"\0" * (2 * BLOCK) + b"\1" * BLOCK + b"\0" * BLOCK
    filesystem.write_file("file", content)
    filesystem.write_file("copy", content)
    filesystem.unlink("file")
    assert filesystem.read_file("copy") == content


# Truncating


@pytest.mark.parametrize("length", [0, 1, COLUMN - 1, COLUMN, COLUMN + 1, BLOCK, BLOCK + 1, 2 * BLOCK])
def test_truncating_down_keeps_the_beginning(filesystem: Driver, length: int) -> None:
    content = make(filesystem, "file", 2 * BLOCK + 100)
    filesystem.truncate("file", length)
    assert filesystem.stat("file").size == length
    assert filesystem.read_file("file") == content[:length]


@pytest.mark.parametrize("length", [11, COLUMN, COLUMN + 1, BLOCK - 1, BLOCK, 2 * BLOCK + 1])
def test_truncating_up_adds_zeros(filesystem: Driver, length: int) -> None:
    filesystem.write_file("file", b"0123456789")
    filesystem.truncate("file", length)
    assert filesystem.stat("file").size == length
    assert filesystem.read_file("file") == b"0123456789".ljust(length, b"\0")


@pytest.mark.parametrize("size", [10, COLUMN + 10, 2 * BLOCK + 10])
def test_bytes_cut_off_do_not_come_back(filesystem: Driver, size: int) -> None:
    content = make(filesystem, "file", size)
    with filesystem.open("file", os.O_RDWR) as handle:
        handle.truncate(size - 7)
        handle.truncate(size)
        assert handle.pread(100, size - 10) == content[-10:-7] + bytes(7)
    assert filesystem.read_file("file") == content[:-7] + bytes(7)


@pytest.mark.parametrize("size", [10, COLUMN + 10, 2 * BLOCK + 10])
def test_bytes_cut_off_do_not_come_back_behind_a_later_write(filesystem: Driver, size: int) -> None:
    content = make(filesystem, "file", size)
    filesystem.truncate("file", size - 9)
    with filesystem.open("file", os.O_WRONLY) as handle:
        handle.pwrite(b"end", size - 3)
    assert filesystem.read_file("file") == content[: size - 9] + bytes(6) + b"end"


def test_truncating_to_the_same_length_keeps_the_content(filesystem: Driver) -> None:
    filesystem.write_file("file", b"0123456789")
    filesystem.truncate("file", 10)
    assert filesystem.read_file("file") == b"0123456789"


def test_ftruncate_shows_to_the_path_before_close(filesystem: Driver) -> None:
    filesystem.write_file("file", b"0123456789")
    with filesystem.open("file", os.O_RDWR) as handle:
        handle.truncate(4)
        assert (handle.stat().size, filesystem.stat("file").size) == (4, 4)
        assert handle.pread(100, 0) == b"0123"
    assert filesystem.read_file("file") == b"0123"


def test_truncating_the_path_shows_to_an_open_handle(filesystem: Driver) -> None:
    filesystem.write_file("file", b"0123456789")
    with filesystem.open("file", os.O_RDWR) as handle:
        filesystem.truncate("file", 4)
        assert handle.stat().size == 4
        assert handle.pread(100, 0) == b"0123"
        handle.pwrite(b"x", 4)
    assert filesystem.read_file("file") == b"0123x"


def test_create_then_ftruncate_makes_a_file_of_zeros(filesystem: Driver) -> None:
    with filesystem.open("file", os.O_RDWR | os.O_CREAT) as handle:
        handle.truncate(BLOCK + 5)
    assert filesystem.read_file("file") == bytes(BLOCK + 5)


def test_truncate_to_nothing_and_close_is_an_empty_file(filesystem: Driver) -> None:
    filesystem.write_file("file", b"0123456789")
    with filesystem.open("file", os.O_RDWR) as handle:
        handle.truncate(0)
    assert filesystem.read_file("file") == b""
    assert filesystem.names() == ["file"]


def test_truncate_says_what_cannot_be_truncated(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    with raises(errno.EISDIR):
        filesystem.truncate("dir", 0)
    with raises(errno.ENOENT):
        filesystem.truncate("missing", 0)
    with raises(errno.ENOENT):
        filesystem.truncate("dir/missing", 0)


# Holes


@pytest.mark.parametrize("offset", [11, COLUMN, COLUMN + 1, BLOCK, 1_000_000])
def test_a_write_beyond_the_end_leaves_zeros_between(filesystem: Driver, offset: int) -> None:
    filesystem.write_file("file", b"0123456789")
    with filesystem.open("file", os.O_RDWR) as handle:
        handle.pwrite(b"far", offset)
        assert handle.stat().size == offset + 3
        assert handle.pread(3, 8) == b"89\0"
        assert handle.pread(100, offset - 1) == b"\0far"
    assert filesystem.read_file("file") == b"0123456789".ljust(offset, b"\0") + b"far"


def test_a_write_far_beyond_the_end_is_quick_and_reads_back(filesystem: Driver) -> None:
    far = 200 * 1024 * KIB
    with filesystem.open("sparse", os.O_RDWR | os.O_CREAT) as handle:
        handle.pwrite(b"end", far)
        assert handle.pread(10, far - 5) == b"\0\0\0\0\0end"
    with filesystem.open("sparse", os.O_RDONLY) as handle:
        assert handle.stat().size == far + 3
        assert handle.pread(10, far // 2) == bytes(10)
        assert handle.pread(10, far - 5) == b"\0\0\0\0\0end"


def test_a_hole_filled_later_is_filled(filesystem: Driver) -> None:
    with filesystem.open("file", os.O_RDWR | os.O_CREAT) as handle:
        handle.pwrite(b"end", 600_000)
    with filesystem.open("file", os.O_RDWR) as handle:
        handle.pwrite(b"middle", 300_000)
    expected = bytearray(600_003)
    expected[300_000:300_006], expected[600_000:] = b"middle", b"end"
    assert filesystem.read_file("file") == expected


# Durability calls


def test_fsync_keeps_the_handle_usable(filesystem: Driver) -> None:
    with filesystem.open("file", os.O_RDWR | os.O_CREAT) as handle:
        handle.write(b"one")
        handle.fsync()
        assert filesystem.read_file("file") == b"one"
        handle.write(b"two")
        handle.fsync()
        handle.write(b"three")
    assert filesystem.read_file("file") == b"onetwothree"


def test_fsync_of_an_unchanged_file_and_of_a_directory_succeed(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("dir/file", b"x")
    with filesystem.open("dir/file", os.O_RDONLY) as handle:
        handle.fsync()
    filesystem.sync_directory("dir")
    filesystem.sync_directory("")


@pytest.mark.parametrize("edge", [COLUMN, BLOCK, 2 * BLOCK])
def test_a_handle_goes_on_with_what_it_has_saved(filesystem: Driver, edge: int) -> None:
    content = bytearray(pattern(edge + 100))
    with filesystem.open("file", os.O_RDWR | os.O_CREAT) as handle:
        assert handle.pread(10, 0) == b""
        handle.pwrite(b"\1\2", edge - 1)
        handle.fsync()
        assert handle.pread(10, edge - 2) == b"\0\1\2"
        handle.pwrite(bytes(content[: edge - 50]), 0)
        handle.fsync()
        assert handle.pread(edge + 100, 0) == content[: edge - 50] + bytes(49) + b"\1\2"
        handle.pwrite(bytes(content[edge - 50 :]), edge - 50)
    assert filesystem.read_file("file") == content


def test_the_offset_is_the_handles_own(filesystem: Driver) -> None:
    filesystem.write_file("file", b"0123456789")
    with filesystem.open("file", os.O_RDONLY) as first, filesystem.open("file", os.O_RDONLY) as second:
        assert first.read(4) == b"0123"
        assert second.read(2) == b"01"
        assert first.read(2) == b"45"
        assert read_all(second) == b"23456789"


# Holes

LARGEST = 2**53 - 1


@pytest.mark.parametrize("size", [1 << 30, (1 << 40) + 5])
def test_a_hole_takes_little_room_and_reads_as_zeros(filesystem: Driver, size: int) -> None:
    filesystem.write_file("file", b"begin")
    filesystem.truncate("file", size)
    with filesystem.open("file", os.O_RDWR) as handle:
        handle.pwrite(b"middle", size // 2)
        handle.pwrite(b"end", size - 3)
        handle.fsync()
        assert handle.pread(10, size // 2 - 2) == b"\0\0middle\0\0"
        assert handle.pread(10, size // 4) == bytes(10)
        assert handle.pread(10, size - 5) == b"\0\0end"
    status = filesystem.stat("file")
    assert status.size == size
    assert 0 < status.blocks * 512 <= 3 * BLOCK
    filesystem.rename("file", "other")
    filesystem.truncate("other", 7)
    assert filesystem.read_file("other") == b"begin\0\0"


@on_kvassfs
def test_the_largest_file_is_a_hole_as_any_other(filesystem: Driver) -> None:
    filesystem.write_file("file")
    filesystem.truncate("file", LARGEST)
    with filesystem.open("file", os.O_RDWR) as handle:
        handle.pwrite(b"x", LARGEST - 1)
        assert handle.pread(9, LARGEST - 2) == b"\0x"
        handle.truncate(BLOCK + 1)
        handle.truncate(LARGEST)
        assert handle.pread(9, LARGEST - 2) == b"\0\0"
    assert filesystem.stat("file").size == LARGEST


@on_kvassfs
@pytest.mark.parametrize("size", [LARGEST + 1, 2**62, 2**63 - 1])
def test_what_is_larger_than_a_file_can_be_is_refused(filesystem: Driver, size: int) -> None:
    filesystem.write_file("file", b"kept")
    with raises(errno.EFBIG):
        filesystem.truncate("file", size)
    with filesystem.open("file", os.O_RDWR) as handle, raises(errno.EFBIG):
        handle.truncate(size)
    assert filesystem.read_file("file") == b"kept"


@on_kvassfs
def test_a_write_behind_the_end_of_the_largest_file_is_refused(filesystem: Driver) -> None:
    with raises(errno.EFBIG), filesystem.open("file", os.O_RDWR | os.O_CREAT) as handle:
        handle.pwrite(b"ab", LARGEST - 1)
