"""Databases of the original program (tests/golden), opened by the command line."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.unit.cli.conftest import GOLDEN, Kvass, Processes

KEY = "cd9994e3a0c5ca40c2652ff21ab401d6d3a1a5c5fd5482ae62c03ce32d340b49"
HUB = "http://127.0.0.1:18001"
REPLICAS = [("client-1001", 1001, HUB), ("client-2002", 2002, HUB), ("hub-9009", 9009, "(None)")]
NAMES = [name for name, _, _ in REPLICAS]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, database: Path) -> None:
    """The hub that the databases name is no more."""
    monkeypatch.setenv("KVASS_OFFLINE", "1")


def original(name: str, database: Path) -> bytes:
    """Put a database of the original where the command line looks; return its bytes."""
    shutil.copyfile(GOLDEN / f"{name}.sqlite", database)
    return database.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_its_values_are_there_and_what_it_deleted_is_not(kvass: Kvass, database: Path, name: str) -> None:
    original(name, database)
    assert kvass("ls").out.decode() == "hello\n猫咪 key/with slash\n"
    assert kvass("get", "hello") == (0, b"from b\n", "")
    assert kvass("get", "猫咪 key/with slash") == (0, "喵 👋\n".encode(), "")
    assert kvass("get", "binary").status == kvass("get", "empty").status == 1


@pytest.mark.parametrize(("name", "process_id", "remote"), REPLICAS)
def test_its_configuration_is_kept(kvass: Kvass, database: Path, name: str, process_id: int, remote: str) -> None:
    original(name, database)
    assert kvass("config", "show").out.decode() == (
        f"Encryption Key:  \t{KEY}\nProcessID:       \t{process_id}\nRemote:          \t{remote}\n"
    )


@pytest.mark.parametrize("name", NAMES)
def test_taking_over_is_said_once_and_leaves_a_backup(kvass: Kvass, database: Path, name: str) -> None:
    before = original(name, database)
    first, second = kvass("ls"), kvass("ls")
    assert (first.status, second.status) == (0, 0)
    assert first.err.startswith("kvass: ")
    assert first.err.count("\n") == 1
    assert "db.sqlite.kvass-go.bak" in first.err
    assert second.err == ""
    backup = database.with_name("db.sqlite.kvass-go.bak")
    assert backup.read_bytes() == before
    assert backup.stat().st_mode & 0o777 == 0o600


def test_a_binary_value_is_kept(kvass: Kvass, database: Path) -> None:
    original("client-1001", database)
    value = bytes(range(256)) + bytes(44)
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE entries SET value = ? WHERE key = 'binary'", (value,))
    connection.close()
    assert kvass("get", "binary").out == value


def test_what_is_set_afterwards_beats_it(kvass: Kvass, database: Path) -> None:
    original("client-1001", database)
    assert kvass("set", "hello", "again").status == 0
    assert kvass("get", "hello") == (0, b"again\n", "")


def test_many_processes_at_once_take_it_over_once(processes: Processes, database: Path) -> None:
    original("client-1001", database)
    started = [processes.start("get", "hello") for _ in range(10)]
    outcomes = [(process.communicate(), process.returncode) for process in started]
    assert {(out, status) for (out, _), status in outcomes} == {(b"from b\n", 0)}
    assert sum(err != b"" for (_, err), _ in outcomes) == 1
