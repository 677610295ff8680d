"""kvassfs_cli.commands.backup"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs.transfer_errors import TargetUnwritable
from tests.unit.cli.conftest import Kvass


@pytest.fixture
def filled(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    store.set("a", b"old")
    store.set("a", b"new")
    store.set("large", os.urandom(600_000))
    monkeypatch.chdir(tmp_path)
    return store


def test_a_backup_is_whole_and_for_its_owner_alone(kvass: Kvass, filled: Store) -> None:
    assert kvass("backup", "x.sqlite") == (0, b"", "")
    assert stat.S_IMODE(os.stat("x.sqlite").st_mode) == 0o600
    out = kvass("backup", "--check", "x.sqlite").out.decode()
    assert re.fullmatch(r"whole: 2 entries, 1 earlier version, 3 blocks, \d+\.\d kB\n", out)


def test_a_restored_backup_works(kvass: Kvass, store: Store, database: Path, tmp_path: Path) -> None:
    store.set("a", b"x")
    copy = tmp_path / "copy.sqlite"
    assert kvass("backup", str(copy)).status == 0
    store.set("a", b"y")
    assert kvass("--db", str(copy), "get", "a") == (0, b"x", "")
    assert kvass("--db", str(copy), "set", "b", "z").status == 0


def test_a_backup_is_put_in_the_place_of_the_database(
    kvass: Kvass, store: Store, database: Path, tmp_path: Path
) -> None:
    store.set("a", b"x")
    copy = tmp_path / "copy.sqlite"
    assert kvass("backup", str(copy)).status == 0
    store.set("a", b"y")
    store.close()
    kept = f"{database}.before-restore"
    said = f"kvass: {database} is as in {copy} now; what was there is kept as {kept}\n"
    assert kvass("backup", "--restore", str(copy)) == (0, b"", said)
    assert kvass("get", "a") == (0, b"x", "")
    assert kvass("--db", kept, "get", "a") == (0, b"y", "")
    database.unlink()
    said = f"kvass: {database} is as in {copy} now\n"
    assert kvass("backup", "--restore", str(copy)) == (0, b"", said)
    assert kvass("get", "a") == (0, b"x", "")


def test_a_database_in_use_stays(kvass: Kvass, filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvassfs.store.restoring.ALONE_TIMEOUT", 0.1)
    assert kvass("backup", "x").status == 0
    status, _, said = kvass("backup", "--restore", "x")
    assert status == 1
    assert "is in use by another process, perhaps of another user; end that" in said
    assert filled.get("a").read() == b"new"


def test_a_file_is_replaced_by_force_alone(kvass: Kvass, filled: Store) -> None:
    Path("x").write_text("mine")
    said = "kvass: x is there already; name another file, or replace it with --force\n"
    assert kvass("backup", "x") == (1, b"", said)
    assert Path("x").read_text() == "mine"
    assert kvass("backup", "--force", "x").status == 0
    assert kvass("backup", "--check", "x").status == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["db.sqlite", "--force"], 1, "cannot write db.sqlite: it is the database itself"),
        (["missing/x"], 1, "cannot write missing/x: no such file or directory"),
        (["/dev/null", "--force"], 1, "cannot write /dev/null: it is no regular file"),
        (["--restore", "missing"], 1, "cannot read missing: no such file or directory"),
        (
            ["--restore", "--force", "x"],
            2,
            "--check, --restore and --force exclude each other (see `kvass backup --help`)",
        ),
        (["--restore", "text"], 1, "text is not a kvass database; name another file with --db or move this one away"),
        (["--check", "missing"], 1, "cannot read missing: no such file or directory"),
        (["--check", "text"], 1, "text is not a kvass database; name another file with --db or move this one away"),
        (
            ["--check", "--force", "x"],
            2,
            "--check, --restore and --force exclude each other (see `kvass backup --help`)",
        ),
        ([], 2, "missing argument 'FILE' (see `kvass backup --help`)"),
        ([""], 2, "invalid value for 'FILE': it is empty (see `kvass backup --help`)"),
    ],
)
def test_what_fails_is_said_in_one_line(
    kvass: Kvass, filled: Store, arguments: list[str], status: int, said: str
) -> None:
    Path("text").write_text("text " * 200)
    assert kvass("backup", *arguments) == (status, b"", f"kvass: {said}\n")


def test_a_damaged_backup_is_said_to_be(kvass: Kvass, filled: Store) -> None:
    kvass("backup", "x")
    connection = sqlite3.connect("x")
    connection.execute("UPDATE blocks SET data = zeroblob(length(data)) WHERE id = 1")
    connection.commit()
    connection.close()
    reason = "block 1 is not what it was: its hash is another one"
    said = f"kvass: the backup x is damaged: {reason}; keep an earlier one, and make a new one\n"
    assert kvass("backup", "--check", "x") == (1, b"", said)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted: no backup was made, and x is as it was"),
        (TargetUnwritable("temporary", "no space left on its disk"), 1, "cannot write x: no space left on its disk"),
    ],
)
def test_a_backup_that_ends_early_leaves_nothing(
    kvass: Kvass, filled: Store, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, said: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Store, "back_up", fail)
    before = sorted(os.listdir())
    assert kvass("backup", "x") == (status, b"", f"kvass: {said}\n")
    assert sorted(os.listdir()) == before


def test_a_check_that_is_interrupted_says_so(kvass: Kvass, filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "check_backup", interrupt)
    assert kvass("backup", "--check", "x") == (130, b"", "kvass: interrupted: x is not checked to its end\n")


def test_no_database_is_made_for_it(kvass: Kvass, database: Path, tmp_path: Path) -> None:
    assert kvass("backup", str(tmp_path / "x")).status == 1
    assert not database.exists()
