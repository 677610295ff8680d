"""Small disks, to be filled, and read-only ones."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

MIB = 1024 * 1024

KINDS = ["tmpfs", "ext4"]


@contextmanager
def small_disk(room: Path, size: int, kind: str = "tmpfs", options: str = "") -> Iterator[Path]:
    """``with`` a disk of ``size`` bytes; the test is skipped where none can be mounted, or not of this kind."""
    disk, image = room / "disk", room / "image"
    disk.mkdir()
    if kind == "tmpfs":
        mount = ["tmpfs", "-o", f"size={size}{options}", "tmpfs"]
    else:
        if shutil.which("mkfs.ext4") is None:
            pytest.skip("there is no mkfs.ext4")
        image.write_bytes(b"")
        os.truncate(image, size)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
        mount = ["ext4", "-o", "loop", str(image)]
    if subprocess.run(["mount", "-t", *mount, disk], check=False, capture_output=True).returncode:
        pytest.skip("only root mounts a disk of a given size, where the system lets it")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """``with`` not a byte of free space on a disk."""
    fill(disk)
    try:
        yield
    finally:
        (disk / "filler").unlink()


def fill(disk: Path) -> None:
    """Write a file until there is not a byte of free space."""
    with (disk / "filler").open("ab", buffering=0) as file:
        for size in (MIB, 64 * 1024, 4096):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


@contextmanager
def read_only(folder: Path, view: Path | None = None) -> Iterator[None]:
    """``with`` a folder on a read-only disk, or seen so at the directory ``view``: it may be written by its own name then."""
    at = view or folder
    if subprocess.run(["mount", "--bind", folder, at], check=False, capture_output=True).returncode:
        pytest.skip("only root mounts, where the system lets it")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", at], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", at], check=True)
