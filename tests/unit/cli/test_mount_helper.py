"""kvassfs_cli.mount_helper: what mount(8) gets back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kvassfs.mount import run as mounting
from kvassfs.mount.errors import MountRefused
from kvassfs.mount.run import MountOptions
from kvassfs.store import Store
from kvassfs_cli.dot_texts import TEXTS
from kvassfs_cli.mount_helper import run


@pytest.fixture
def mounted_with(monkeypatch: pytest.MonkeyPatch) -> list[MountOptions]:
    """The options of each mount; nothing is mounted."""
    calls: list[MountOptions] = []

    def mount(options: MountOptions, *, notice: Callable[[str], None]) -> None:
        calls.append(options)

    monkeypatch.setattr(mounting, "mount", mount)
    monkeypatch.delenv("KVASS_FUSE", raising=False)
    return calls


@pytest.fixture
def db(tmp_path: Path) -> str:
    Store.open(tmp_path / "db").close()
    return str(tmp_path / "db")


def test_a_mount_goes_to_the_background(db: str, mounted_with: list[MountOptions], tmp_path: Path) -> None:
    assert run([db, str(tmp_path), "-o", "ro,noexec,user"]) == 0
    assert mounted_with == [MountOptions(str(tmp_path), db, read_only=True, flags=("noexec",), texts=TEXTS)]


def test_relative_paths_are_those_of_the_working_directory(
    db: str, mounted_with: list[MountOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["db", "m"]) == 0
    assert mounted_with == [MountOptions(str(tmp_path / "m"), db, texts=TEXTS)]


def test_pretended_nothing_is_done(mounted_with: list[MountOptions]) -> None:
    assert run(["/no/db", "/no/dir", "-f"]) == 0
    assert mounted_with == []


def test_wrong_use_is_status_1(mounted_with: list[MountOptions], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["/db", "/m", "-o", "weird"]) == 1
    assert capfd.readouterr().err.startswith("kvass: mount.fuse.kvassfs: unknown option weird; ")
    assert mounted_with == []


def test_a_database_that_is_not_there_is_status_32_and_none_is_made(
    mounted_with: list[MountOptions], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([str(tmp_path / "db"), "/m"]) == 32
    assert capfd.readouterr().err == (
        f"kvass: cannot open the database {tmp_path}/db: it does not exist (`kvass set` makes one)\n"
    )
    assert os.listdir(tmp_path) == []


def test_a_failure_is_status_32(db: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise MountRefused("/m", "it is not empty")

    monkeypatch.setattr(mounting, "mount", refuse)
    assert run([db, "/m"]) == 32
    assert capfd.readouterr().err == "kvass: cannot mount /m: it is not empty\n"
