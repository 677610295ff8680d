"""kvassfs_cli.commands.umount: options and errors; test_mount.py ends real mounts."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from kvassfs.mount import mountpoint
from kvassfs.mount.errors import MountBusy
from kvassfs_cli.commands import umount
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


@pytest.mark.parametrize(
    ("beginning", "paths"),
    [
        ("", ["/home/me/kvass", "/mnt/two words"]),
        ("/h", ["/home/me/kvass"]),
        ("k", ["kvass"]),
        ("./", ["./kvass", "./../../mnt/two words"]),
        ("../", ["../../mnt/two words"]),
        ("x", []),
    ],
)
def test_mounts_are_offered_as_they_are_begun(beginning: str, paths: list[str]) -> None:
    assert list(umount.paths_to(["/home/me/kvass", "/mnt/two words"], beginning, "/home/me")) == paths


def test_only_mounts_of_stores_are_offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "1 0 0:1 / / rw - ext4 /dev/sda rw\n"
        "2 1 0:2 / /mnt/our\\040own rw - fuse.kvassfs kvassfs rw\n"
        "3 1 0:3 / /mnt/other rw - fuse.sshfs host: rw\n"
    )
    monkeypatch.setattr(mountpoint, "MOUNT_TABLE", str(table))
    context, argument = click.Context(click.Command("umount")), click.Argument(["directory"])
    assert [item.value for item in umount.complete_mount(context, argument, "")] == ["/mnt/our own"]
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert umount.complete_mount(context, argument, "") == []
