"""kvassfs_cli.commands.umount: options and errors; test_mount.py ends real mounts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kvassfs.mount import mountpoint
from kvassfs.mount.errors import MountBusy
from tests.unit.cli.conftest import Kvass


@pytest.mark.parametrize("line", ["umount", "umount a b", "umount --nope a"])
def test_wrong_usage_exits_2(kvass: Kvass, line: str) -> None:
    status, out, err = kvass(*line.split())
    assert (status, out) == (2, b"")
    assert err.startswith("kvass: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("options", [[], ["--lazy"]])
def test_umount_passes_its_options_on(kvass: Kvass, monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    calls: list[tuple[str, bool]] = []
    monkeypatch.setattr(mountpoint, "unmount", lambda directory, *, lazy: calls.append((directory, lazy)))
    assert kvass("umount", *options, "dir") == (0, b"", "")
    assert calls == [(os.path.abspath("dir"), bool(options))]


def test_a_mount_in_use_is_said_in_one_line(kvass: Kvass, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(directory: str, *, lazy: bool) -> None:
        raise MountBusy(directory)

    monkeypatch.setattr(mountpoint, "unmount", busy)
    status, _, err = kvass("umount", "dir")
    assert status == 1
    assert err.startswith(f"kvass: {os.path.abspath('dir')} is in use")
    assert err.count("\n") == 1


def test_what_is_not_mounted_cannot_be_unmounted(kvass: Kvass, tmp_path: Path) -> None:
    status, _, err = kvass("umount", str(tmp_path))
    assert (status, err) == (1, f"kvass: {tmp_path} is not a kvass mount: nothing is mounted there\n")
