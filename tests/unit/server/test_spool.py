"""Files without a name."""

from __future__ import annotations

import errno
import gc
import os
from pathlib import Path

import pytest

from kvassfs.server.spool import SpoolFile


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def test_it_holds_what_was_appended_and_has_no_name(tmp_path: Path) -> None:
    file = SpoolFile(str(tmp_path))
    file.append(b"one", 0)
    file.append(b"two", 3)
    assert (file.read(0, 6), file.read(2, 2), file.read(5, 10)) == (b"onetwo", b"et", b"o")
    assert not list(tmp_path.iterdir())


def test_it_is_closed_with_the_last_reference(tmp_path: Path) -> None:
    gc.collect()
    before = descriptors()
    file = SpoolFile(str(tmp_path))
    read = file.read
    del file
    assert read(0, 1) == b""
    assert len(descriptors()) == len(before) + 1
    del read
    assert descriptors() == before


def test_more_than_half_of_what_is_free_is_not_taken(tmp_path: Path) -> None:
    file = SpoolFile(str(tmp_path))
    disk = os.statvfs(tmp_path)
    with pytest.raises(OSError, match="No space") as raised:
        file.append(b"one", disk.f_blocks * disk.f_frsize)
    assert raised.value.errno == errno.ENOSPC
    assert file.read(0, 3) == b""
