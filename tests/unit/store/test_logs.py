"""kvassfs.store.logs: what is no write-ahead log, or not that of the database, has no pages."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kvassfs.store.logs import HEADER, read_log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of two commits, as a process leaves it that is killed."""
    database = tmp_path / "db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE one (number)")
        connection.execute("INSERT INTO one VALUES (1)")
        copy = tmp_path / "log"
        copy.write_bytes(database.with_name("db-wal").read_bytes())
    return copy


def test_its_pages_are_those_that_were_committed(log: Path) -> None:
    assert sorted(read_log(str(log), 4096)) == [1, 2]


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 100, bytes(HEADER)])
def test_what_is_no_log_has_no_pages(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "log"
    assert read_log(str(path), 4096) == {}
    path.write_bytes(data)
    assert read_log(str(path), 4096) == {}


def test_nor_has_one_of_another_page_size_or_with_another_sum(log: Path) -> None:
    assert read_log(str(log), 1024) == {}
    data = bytearray(log.read_bytes())
    data[HEADER - 1] ^= 1
    log.write_bytes(data)
    assert read_log(str(log), 4096) == {}


def test_what_follows_damage_is_left_out(log: Path) -> None:
    data = bytearray(log.read_bytes())
    data[-1] ^= 1
    log.write_bytes(data)
    assert read_log(str(log), 4096)
