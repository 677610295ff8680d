"""Whether anybody watches a file system; the one of the temporary files stands for the mount."""

from __future__ import annotations

import os
from pathlib import Path

from kvassfs.mount.watchers import is_watched
from tests.support.watching import watching

NO_MOUNT = 2**31 - 1


def test_a_watch_is_found_by_its_file_system(tmp_path: Path) -> None:
    shared = Path("/dev/shm")  # of another file system
    with watching(tmp_path):
        assert is_watched(tmp_path.stat().st_dev, NO_MOUNT)
    with watching(shared):
        assert is_watched(shared.stat().st_dev, NO_MOUNT)


def test_a_file_system_that_nobody_watches_is_known(tmp_path: Path) -> None:
    with watching(tmp_path):
        assert not is_watched(os.makedev(0, 999_999), NO_MOUNT)
