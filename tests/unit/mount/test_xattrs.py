"""Which extended attributes may be set, and what becomes of them where the store changes underneath."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.errors import KeyMissing
from kvassfs.mount.filesystem import Filesystem
from kvassfs.mount.xattrs import CREATE, MAX_NAMES, MAX_VALUE, MAX_VALUES, REPLACE, find_refusal
from kvassfs.scratch import ScratchNames
from kvassfs.store import Store

NAME = b"user.name"
FULL = {b"user.%d" % number: bytes(MAX_VALUE) for number in range(MAX_VALUES // MAX_VALUE)}
LONG = {b"user.%0250d" % number: b"" for number in range(MAX_NAMES // 256)}


@pytest.mark.parametrize(
    ("present", "name", "length", "flags", "refusal"),
    [
        ({}, NAME, 0, 0, 0),
        ({}, NAME, MAX_VALUE, CREATE, 0),
        ({NAME: b""}, NAME, MAX_VALUE, REPLACE, 0),
        ({}, NAME, MAX_VALUE + 1, 0, errno.E2BIG),
        ({}, NAME, MAX_VALUE + 1, REPLACE, errno.E2BIG),
        ({}, b"user.", 0, 0, errno.EINVAL),
        ({NAME: b""}, NAME, 0, CREATE, errno.EEXIST),
        ({}, NAME, 0, REPLACE, errno.ENODATA),
        (FULL, NAME, 0, 0, 0),
        (FULL, NAME, 1, 0, errno.ENOSPC),
        (FULL, b"user.0", MAX_VALUE, 0, 0),
        (LONG, NAME, 0, 0, errno.ENOSPC),
        (LONG, min(LONG), MAX_VALUE, REPLACE, 0),
    ],
)
def test_what_may_be_set(present: dict[bytes, bytes], name: bytes, length: int, flags: int, refusal: int) -> None:
    assert find_refusal(present, name, bytes(length), flags) == refusal


class Rig:
    """A file system over a store in which others write too."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.filesystem = Filesystem(store, scratch=ScratchNames(), clock=time.time_ns, uid=0, gid=0)
        store.set("dir/key", b"value")

    def remove_elsewhere(self) -> None:
        entry = Entry("dir/key", time.time_ns() // 1000 + 60, 90, 7, "T" * 22, 0, None)
        self.store.inbox.merge_pulled([Delivery(entry, 90, b"")], cursor=1, epoch=1)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Store.open(tmp_path / "db") as store:
        yield Rig(store)


def test_those_of_a_directory_go_with_it_when_its_last_key_goes(rig: Rig) -> None:
    rig.filesystem.setxattr("/dir", NAME, b"value", 0)
    rig.remove_elsewhere()
    with pytest.raises(FileNotFoundError):
        rig.filesystem.getxattr("/dir", NAME)
    rig.filesystem.mkdir("/dir", 0o700)
    assert rig.filesystem.listxattr("/dir") == []


def test_a_file_that_was_removed_elsewhere_while_it_is_open_gets_none_before_it_is_saved(rig: Rig) -> None:
    rig.filesystem.setxattr("/dir/key", NAME, b"value", 0)
    handle = rig.filesystem.open("/dir/key", os.O_RDWR)
    rig.remove_elsewhere()
    assert rig.filesystem.listxattr("/dir/key") == []
    with pytest.raises(KeyMissing):
        rig.filesystem.setxattr("/dir/key", NAME, b"value", 0)
    rig.filesystem.write(handle, b"saved", 0)
    rig.filesystem.flush(handle)
    rig.filesystem.setxattr("/dir/key", NAME, b"value", 0)
    assert rig.filesystem.listxattr("/dir/key") == [NAME]
    rig.filesystem.release(handle)


def test_setting_one_on_an_open_file_is_no_save(rig: Rig) -> None:
    handle = rig.filesystem.open("/dir/key", os.O_RDWR)
    rig.filesystem.write(handle, b"unfinished", 0)
    rig.filesystem.setxattr("/dir/key", NAME, b"value", 0)
    assert rig.store.get("dir/key").read() == b"value"
    rig.filesystem.release(handle)
    assert rig.store.get("dir/key").read() == b"unfinished"
    assert rig.filesystem.getxattr("/dir/key", NAME) == b"value"


def test_a_read_only_mount_refuses_to_change_them(rig: Rig) -> None:
    filesystem = Filesystem(rig.store, scratch=ScratchNames(), clock=time.time_ns, uid=0, gid=0, read_only=True)
    with pytest.raises(OSError, match="Read-only"):
        filesystem.setxattr("/dir", NAME, b"", 0)
    with pytest.raises(OSError, match="Read-only"):
        filesystem.removexattr("/dir", NAME)
