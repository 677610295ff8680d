"""Which files of a database are closed to others, when, and what is said of it."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kvassfs.errors import NotAStore
from kvassfs.store import Store
from kvassfs.store.privacy import close_to_others, must_close

ME = 1000


def closed(path: Path) -> list[str]:
    """Close what there is to close; return what is said."""
    said: list[str] = []
    close_to_others(str(path), said.append)
    return said


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def status(mode: int, owner: int = ME) -> os.stat_result:
    return os.stat_result((mode, 1, 1, 1, owner, 1, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("found", "closes"),
    [
        (status(0o100644), True),
        (status(0o100620), True),
        (status(0o100601), True),
        (status(0o100600), False),
        (status(0o100700), False),
        (status(0o100644, ME + 1), False),
        (status(0o100444), False),
        (status(0o120777), False),
        (status(0o010666), False),
        (status(0o040755), False),
    ],
)
def test_own_files_that_others_may_open_and_that_can_be_written_are_closed(found: os.stat_result, closes: bool) -> None:
    assert must_close(found, ME) is closes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "db.sqlite"
    with Store.open(path) as store:
        store.set("a", b"1")
    return path


def test_it_is_said_once(path: Path) -> None:
    path.chmod(0o644)
    said: list[str] = []
    for _ in range(2):
        Store.open(path, notice=said.append).close()
    (line,) = said
    assert line.startswith(f"closed {path} to others on this machine, who could read the encryption key and the values")
    assert permissions(path) == 0o600


def test_where_nobody_can_be_told_nothing_is_changed(path: Path) -> None:
    path.chmod(0o644)
    Store.open(path).close()
    assert permissions(path) == 0o644


def test_what_is_beside_it_is_closed_as_well(path: Path) -> None:
    beside = [Path(f"{path}{suffix}") for suffix in ("-reserve", "-wal", "-shm", ".kvass-go.bak", ".kvass-go.bak.2")]
    said: list[str] = []
    with Store.open(path) as held:
        held.set("b", b"2")
        for each in beside:
            each.touch()
            each.chmod(0o664)
        other = path.with_name("db.sqlite-other")
        other.touch()
        other.chmod(0o664)
        Store.open(path, notice=said.append).close()
        assert [permissions(each) for each in beside] == [0o600] * 5
        assert held.get("b").read() == b"2"
    assert said[0].startswith(f"closed {beside[1]} to others")
    assert permissions(other) == 0o664


def test_a_database_behind_a_link_is_closed_and_another_file_behind_one_is_not(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    other.chmod(0o644)
    Path(f"{path}.kvass-go.bak").symlink_to(other)
    link = tmp_path / "link"
    link.symlink_to(path)
    path.chmod(0o640)
    (line,) = closed(link)
    assert line.startswith(f"closed {path} to others")
    assert permissions(other) == 0o644


def test_what_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(b"text" * 1000)
    path.chmod(0o644)
    said: list[str] = []
    with pytest.raises(NotAStore):
        Store.open(path, notice=said.append)
    assert (said, permissions(path)) == ([], 0o644)


def test_where_the_system_keeps_no_modes_nothing_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chmod(0o644)
    monkeypatch.setattr(os, "chmod", lambda *_: None)
    assert closed(path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_closes_no_file_of_another(path: Path) -> None:
    path.chmod(0o644)
    os.chown(path, 1234, 1235)
    assert closed(path) == []
    assert permissions(path) == 0o644


def test_looking_drops_no_lock_of_this_process(path: Path) -> None:
    """Closing a descriptor of a file drops the locks that the process holds on it, but for one of its name alone."""
    path.chmod(0o644)
    with Store.open(path) as store, store.transaction:
        store.set("b", b"2")
        assert closed(path)
        blocked = f"""
import sqlite3
try:
    sqlite3.connect({str(path)!r}, timeout=0).execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    print(error)
"""
        done = subprocess.run([sys.executable, "-c", blocked], capture_output=True, check=True)
        assert done.stdout == b"database is locked\n"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
