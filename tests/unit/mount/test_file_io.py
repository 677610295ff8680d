"""Open files: holes in them, and room for them. tests/filesystem/ has what they hold."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.errors import DiskFull, InvalidKey, ValueTooLarge
from kvassfs.mount.file_io import KEEP_SIZE
from kvassfs.mount.filesystem import Filesystem
from kvassfs.scratch import ScratchNames
from kvassfs.store import BLOCK_SIZE, Store, Written
from tests.support.stores import DAY, Clock

PUNCH_HOLE = 2
HUGE = 1 << 50


@pytest.fixture
def filesystem(tmp_path: Path) -> Iterator[Filesystem]:
    clock = Clock()
    with Store.open(tmp_path / "db", clock=clock) as store:
        made = Filesystem(store, scratch=ScratchNames(()), clock=clock, uid=1, gid=1)
        yield made
        made.close()


@pytest.fixture
def handle(filesystem: Filesystem) -> int:
    """A saved file of a hole, with a byte in its middle."""
    opened = filesystem.create("/file", 0o600, os.O_RDWR)
    filesystem.truncate("/file", HUGE, opened)
    filesystem.write(opened, b"x", HUGE // 2)
    filesystem.flush(opened)
    return opened


def test_data_and_holes_are_found(filesystem: Filesystem, handle: int) -> None:
    assert filesystem.lseek(handle, 5, os.SEEK_HOLE) == 5
    assert filesystem.lseek(handle, 5, os.SEEK_DATA) == HUGE // 2
    assert filesystem.lseek(handle, HUGE // 2 + 9, os.SEEK_DATA) == HUGE // 2 + 9
    assert filesystem.lseek(handle, HUGE // 2 + 9, os.SEEK_HOLE) == HUGE // 2 + BLOCK_SIZE


@pytest.mark.parametrize(
    ("offset", "whence"),
    [(HUGE - 1, os.SEEK_DATA), (HUGE, os.SEEK_DATA), (HUGE, os.SEEK_HOLE), (-1, os.SEEK_DATA)],
)
def test_where_there_is_nothing_more_to_find_is_enxio(
    filesystem: Filesystem, handle: int, offset: int, whence: int
) -> None:
    with pytest.raises(OSError, match="No such device or address"):
        filesystem.lseek(handle, offset, whence)


def test_what_a_file_takes_is_shown_open_and_closed(filesystem: Filesystem, handle: int) -> None:
    for path in ("/file", "/renamed"):
        attributes = filesystem.getattr(path)
        assert attributes.size - attributes.holes == BLOCK_SIZE
        if path == "/file":
            filesystem.release(handle)
            attributes = filesystem.getattr(path)
            assert attributes.size - attributes.holes == BLOCK_SIZE
            filesystem.rename("/file", "/renamed")


def test_room_behind_the_end_is_added_unless_the_size_is_to_stay(filesystem: Filesystem) -> None:
    handle = filesystem.create("/file", 0o600, os.O_RDWR)
    filesystem.write(handle, b"begin", 0)
    filesystem.fallocate(handle, KEEP_SIZE, 0, 100)
    assert filesystem.getattr("/file", handle).size == 5
    filesystem.fallocate(handle, 0, 10, 90)
    assert filesystem.read(handle, 200, 0) == b"begin".ljust(100, b"\0")
    filesystem.fallocate(handle, 0, 0, 50)
    assert filesystem.getattr("/file", handle).size == 100


def test_room_that_the_disk_has_not_is_refused(filesystem: Filesystem) -> None:
    handle = filesystem.create("/file", 0o600, os.O_RDWR)
    for mode in (0, KEEP_SIZE):
        with pytest.raises(DiskFull):
            filesystem.fallocate(handle, mode, 0, HUGE)
    with pytest.raises(ValueTooLarge):
        filesystem.fallocate(handle, 0, 2**62, 2**62)
    with pytest.raises(OSError, match=os.strerror(errno.EOPNOTSUPP)):
        filesystem.fallocate(handle, KEEP_SIZE | PUNCH_HOLE, 0, 10)
    assert filesystem.getattr("/file", handle).size == 0


def test_a_save_that_is_dated_far_ahead_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with Store.open(tmp_path / "db", clock=clock) as store:
        filesystem = Filesystem(store, scratch=ScratchNames(()), clock=clock, uid=1, gid=1)
        clock.jump(3 * DAY)
        store.set("key", b"wrong")
        clock.jump(-3 * DAY)
        for path in ("/key", "/other"):
            handle = filesystem.create(path, 0o600, os.O_WRONLY)
            filesystem.write(handle, b"right", 0)
            filesystem.release(handle)
    assert [record.message.split(",")[0] for record in caplog.records] == ["key is dated 3 days"]
    assert "under another key it is dated anew" in caplog.text


def test_no_file_is_made_where_links_travel(filesystem: Filesystem) -> None:
    above = "/\x01link"
    for name in ("token", "-", "often"):
        filesystem.mkdir(above, 0o700)
        above += f"/{name}"
    filesystem.mkdir(above, 0o700)
    filesystem.mknod("/file", 0o600)
    for call in (
        lambda: filesystem.create(f"{above}/key", 0o600, os.O_WRONLY),
        lambda: filesystem.mkdir(f"{above}/key", 0o700),
        lambda: filesystem.symlink("target", f"{above}/key"),
        lambda: filesystem.rename("/file", f"{above}/key"),
    ):
        with pytest.raises(InvalidKey):
            call()
    assert [name for name, _ in filesystem.listdir(above)] == [".", ".."]


@pytest.mark.parametrize("target", [b"", b"x" * 4096, b"a\0b", b"\xff", b"x" * BLOCK_SIZE * 5])
def test_a_link_that_can_lead_nowhere_is_an_error_and_nothing_else(filesystem: Filesystem, target: bytes) -> None:
    """Programs of before took such links from others."""
    filesystem.symlink("target", "/link")
    tree = filesystem._store.tree
    draft = tree.draft()
    draft.write(0, target)
    written = Written(mode=stat.S_IFLNK | 0o777)
    tree.save("link", draft, written, scratch=False, now=1, amends=None)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        filesystem.readlink("/link")
    filesystem.unlink("/link")
