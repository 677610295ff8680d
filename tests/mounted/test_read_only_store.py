"""Mounts of a store on a read-only disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kvassfs.mount.run import MountOptions, mount
from kvassfs.store import Store
from kvassfs.store_errors import ReadOnlyStore
from tests.support.disks import read_only
from tests.support.mounts import mounted
from tests.support.waiting import wait_until

LARGE = os.urandom(9_000_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "m").mkdir()
    with Store.open(folder / "db") as store:
        store.set("a", b"first")
        store.set("d/large", LARGE)
    return folder


def test_a_mount_that_is_read_only_shows_all(binding: str, folder: Path, tmp_path: Path) -> None:
    with read_only(folder):
        with mounted(tmp_path / "m", folder / "db", binding, read_only=True) as shown:
            assert (shown.path / "a").read_bytes() == b"first"
            assert (shown.path / "d/large").read_bytes() == LARGE
            with pytest.raises(OSError, match=os.strerror(errno.EROFS)):
                (shown.path / "a").write_bytes(b"x")
            shown.assert_no_surprise()
        assert sorted(os.listdir(folder)) == ["db", "db-reserve"]


def test_it_shows_what_another_writes_by_another_way(binding: str, folder: Path, tmp_path: Path) -> None:
    view = tmp_path / "view"
    view.mkdir()
    with read_only(folder, view), mounted(tmp_path / "m", view / "db", binding, read_only=True) as shown:
        assert (shown.path / "a").read_bytes() == b"first"
        for value in (b"second", b"the third"):
            with Store.open(folder / "db") as writer:
                writer.set("a", value)
            wait_until(lambda value=value: (shown.path / "a").read_bytes() == value, f"the mount shows {value!r}")  # type: ignore[misc]
        shown.assert_no_surprise()


def test_one_that_is_to_write_is_refused(binding: str, folder: Path, tmp_path: Path) -> None:
    with (
        read_only(folder),
        pytest.raises(ReadOnlyStore, match="can only be read: its disk is read-only; mount it with --read-only"),
    ):
        mount(MountOptions(str(tmp_path / "m"), str(folder / "db"), binding=binding))
