"""What counts as a save, where several processes and descriptors have a part in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.errors import KeyMissing
from kvassfs.store import Store
from tests.support.mounts import Mount, mounted
from tests.support.waiting import within


def stored(mount: Mount, key: str) -> bytes | None:
    """Return what other processes find under the key."""
    with Store.open(mount.db) as store:
        try:
            return store.get(key).read()
        except KeyMissing:
            return None


def test_a_redirection_keeps_the_old_value_until_the_command_has_written(mount: Mount) -> None:
    (mount.path / "file").write_bytes(b"old")
    command = ["sh", "-c", "(read line; echo new) > file"]
    with subprocess.Popen(command, cwd=mount.path, stdin=subprocess.PIPE) as shell:
        assert shell.stdin is not None
        within(5, lambda: os.stat(mount.path / "file").st_size == 0, what="the redirection")
        assert stored(mount, "file") == b"old"
        shell.stdin.write(b"go\n")
        shell.stdin.close()
    assert stored(mount, "file") == b"new\n"


def test_a_redirection_without_output_empties_the_file(mount: Mount) -> None:
    (mount.path / "file").write_bytes(b"old")
    subprocess.run(["sh", "-c", ": > file"], cwd=mount.path, check=True)
    assert (mount.path / "file").read_bytes() == b""
    within(1, lambda: stored(mount, "file") == b"", what="the empty file")


def test_the_close_of_a_reader_saves_nothing_for_a_writer(mount: Mount) -> None:
    (mount.path / "file").write_bytes(b"old")
    with (mount.path / "file").open("wb", buffering=0) as writer:
        writer.write(b"half")
        assert (mount.path / "file").read_bytes() == b"half"
        assert stored(mount, "file") == b"old"
        writer.write(b" and half")
    assert stored(mount, "file") == b"half and half"


def test_patterns_of_scratch_names_reach_a_running_mount(mount: Mount) -> None:
    with Store.open(mount.db) as store:
        store.settings.set_scratch_patterns(["*.part"])

    def stays_local() -> bool:
        (mount.path / "file.part").write_bytes(b"x")
        local = stored(mount, "file.part") is None
        (mount.path / "file.part").unlink()
        return local

    within(1, stays_local, what="the pattern")


def test_of_mounts_on_one_directory_at_once_one_succeeds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kvassfs_cli", "--db", str(tmp_path / "db"), "mount", str(tmp_path / "mount")]
    racing = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(4)]
    try:
        assert sorted(process.wait(30) for process in racing) == [0, 1, 1, 1]
    finally:
        umount = [sys.executable, "-m", "kvassfs_cli", "umount", str(tmp_path / "mount")]
        subprocess.run(umount, check=False)
    assert not os.path.ismount(tmp_path / "mount")


@pytest.fixture(params=["mfusepy", "fusepy"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mount]:
    """A mount whose database is on a disk of 4 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a disk of a given size")
    disk, path = tmp_path / "disk", tmp_path / "mount"
    disk.mkdir()
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=True)
    try:
        with mounted(path, disk / "db", request.param) as mount:
            yield mount
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_redirection_that_fills_the_disk_keeps_the_old_value(small: Mount, tmp_path: Path) -> None:
    (small.path / "file").write_bytes(b"precious")
    (tmp_path / "large").write_bytes(os.urandom(16 * 1024 * 1024))
    command = f"cat {tmp_path / 'large'} > file"
    done = subprocess.run(["sh", "-c", command], cwd=small.path, stderr=subprocess.PIPE, text=True, check=False)
    assert "No space left on device" in done.stderr
    within(2, lambda: (small.path / "file").read_bytes() == b"precious", what="the old value")
    assert stored(small, "file") == b"precious"
