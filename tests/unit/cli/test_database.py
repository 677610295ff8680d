"""kvassfs_cli.database: which file it is, what may be none, and what happens where nothing says where it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs_cli.database import DatabaseFile
from tests.unit.cli.conftest import Kvass, Processes

READING = [
    ["ls"],
    ["get", "k"],
    ["rm", "k"],
    ["url", "k"],
    ["qr", "k"],
    ["links"],
    ["unlink", "k"],
    ["sync"],
    ["sync", "--follow"],
    ["status"],
    ["config", "url"],
    ["config", "timeout"],
    ["config", "scratch"],
]
"""Command lines that have no use for a new database."""


class TestReading:
    @pytest.mark.parametrize("arguments", READING, ids=" ".join)
    def test_makes_no_database(self, kvass: Kvass, database: Path, arguments: list[str]) -> None:
        status, out, err = kvass(*arguments)
        assert (status, out) == (1, b"")
        assert err == f"kvass: cannot open the database {database}: it does not exist (`kvass set` makes one)\n"
        assert not list(database.parent.glob("db.sqlite*"))

    @pytest.mark.parametrize("arguments", READING, ids=" ".join)
    def test_leaves_an_empty_file_as_it_is(self, kvass: Kvass, database: Path, arguments: list[str]) -> None:
        database.touch(0o640)
        assert kvass(*arguments).status == 1
        assert (database.stat().st_size, stat.S_IMODE(database.stat().st_mode)) == (0, 0o640)

    def test_the_configuration_makes_the_key_that_it_shows(self, kvass: Kvass, database: Path) -> None:
        out = kvass("config", "show").out
        assert kvass("config", "show").out == out
        assert database.exists()


class TestOther:
    """Files that are no regular ones: refused before anything is touched."""

    @pytest.mark.parametrize("arguments", [["ls"], ["set", "k", "v"], ["config", "show"], ["mount", "m"]], ids=" ".join)
    def test_a_device_is_refused(self, processes: Processes, tmp_path: Path, arguments: list[str]) -> None:
        device = tmp_path / "device"
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        device.chmod(0o666)
        outcome = processes.run("--db", str(device), *arguments, cwd=tmp_path)
        assert outcome == (1, b"", f"kvass: cannot open the database {device}: it is no regular file\n")
        assert device.stat().st_mode == stat.S_IFCHR | 0o666
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith("device")] == ["device"]

    @pytest.mark.parametrize("arguments", [["ls"], ["set", "k", "v"]], ids=" ".join)
    def test_a_pipe_is_refused_and_not_waited_for(
        self, processes: Processes, tmp_path: Path, arguments: list[str]
    ) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        outcome = processes.run("--db", str(pipe), *arguments)
        assert outcome == (1, b"", f"kvass: cannot open the database {pipe}: it is no regular file\n")


class TestHome:
    @pytest.fixture(autouse=True)
    def unset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("KVASS_DB", raising=False)

    @pytest.mark.parametrize("home", ["", None])
    def test_that_is_empty_or_unset_is_that_of_the_user(
        self, monkeypatch: pytest.MonkeyPatch, home: str | None
    ) -> None:
        if home is None:
            monkeypatch.delenv("HOME")
        else:
            monkeypatch.setenv("HOME", home)
        assert DatabaseFile().path == os.path.expanduser(f"~{Path('/proc/self').owner()}/.kvassdb.sqlite")

    def test_that_nobody_knows_is_one_line(self, kvass: Kvass, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("KVASS_DB", raising=False)
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(os, "getuid", lambda: 54321)
        assert kvass("ls") == (
            1,
            b"",
            "kvass: ~/.kvassdb.sqlite: nothing says where your home directory is; set HOME, or name a full path\n",
        )


class TestRemovedWorkingDirectory:
    @pytest.mark.parametrize(
        "command", ["--db db ls", "--db db set k v", "mount m", "umount m", "mount --log l /nowhere/m"]
    )
    def test_is_one_line_where_a_path_is_relative(self, processes: Processes, database: Path, command: str) -> None:
        status, out, err = processes.shell(f"mkdir gone; cd gone; rmdir ../gone; kvass {command}")
        assert (status, out) == (1, b"")
        assert err.endswith(
            "is in the working directory, which has been removed; go to another one, or name a full path\n"
        )
        assert err.count("\n") == 1

    def test_is_nothing_where_none_is(self, processes: Processes, store: Store) -> None:
        store.set("k", b"value")
        assert processes.shell("mkdir gone; cd gone; rmdir ../gone; kvass get k") == (0, b"value", "")
