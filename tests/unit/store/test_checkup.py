"""kvassfs.store.checkup: faults are found, and nothing is changed."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from kvassfs.errors import DamagedStore, NewerStore, NotAStore, StoreError
from kvassfs.store import Store
from kvassfs.store.checkup import FAULTS, Checkup, check_file
from tests.support.golden_data import GOLDEN
from tests.support.stores import rows

LARGE = os.urandom(600_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a small value, a large one, and an earlier version of each."""
    with Store.open(tmp_path / "a b?#%.sqlite") as store:
        for value in (LARGE, LARGE + b"more"):
            store.set("large", value)
            store.set("small", value[:10])
    return tmp_path / "a b?#%.sqlite"


def change(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(sql)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("full", [False, True])
def test_a_sound_database_has_no_fault(path: Path, full: bool) -> None:
    assert check_file(str(path), full=full) == Checkup("kvassfs")


@pytest.mark.parametrize("full", [False, True])
def test_one_in_use_is_looked_at_with_what_is_in_the_log(path: Path, full: bool) -> None:
    with Store.open(path) as store:
        store.set("new", LARGE[1:])
        assert check_file(str(path), full=full) == Checkup("kvassfs")
        store.set("newer", b"value")


def test_it_is_not_changed(path: Path) -> None:
    before = path.read_bytes()
    check_file(str(path), full=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("UPDATE blocks SET data = zeroblob(9) WHERE id = 2", "block 2 is not what it was: its hash is another one"),
        ("DELETE FROM blocks WHERE id = 1", "block 1 is missing"),
        (
            "DELETE FROM contents WHERE id = (SELECT content FROM entries WHERE key = 'small')",
            "the value of small is missing",
        ),
        (
            "DELETE FROM contents WHERE id = (SELECT content FROM revisions WHERE key = 'large')",
            "the value of an earlier version of large is missing",
        ),
    ],
)
def test_a_full_look_finds_what_values_lack(path: Path, sql: str, fault: str) -> None:
    change(path, sql)
    assert check_file(str(path)).faults == ()
    assert fault in check_file(str(path), full=True).faults


def test_a_full_look_compares_indexes_with_their_tables(path: Path) -> None:
    change(path, "PRAGMA writable_schema = ON")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, '(sequence)', '(counter)') WHERE name = 'entries_by_sequence'"
        )
    connection.close()
    change(path, "UPDATE entries SET counter = counter + 100")
    change(path, "PRAGMA user_version = 10")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, '(counter)', '(sequence)') WHERE name = 'entries_by_sequence'"
        )
    connection.close()
    assert check_file(str(path)).faults == ()
    assert "row 1 missing from index entries_by_sequence" in check_file(str(path), full=True).faults


def test_not_more_faults_are_told_than_a_person_reads(path: Path) -> None:
    with Store.open(path) as store:
        for number in range(2 * FAULTS):
            store.set(f"large {number}", os.urandom(70_000))
    change(path, "UPDATE blocks SET data = zeroblob(9)")
    assert len(check_file(str(path), full=True).faults) == FAULTS


def test_torn_pages_are_a_fault(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * 40)
        file.write(os.urandom(4096 * 60))
    assert check_file(str(path)).faults


def test_a_torn_schema_is_an_error(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(os.urandom(4096 * 60))
    with pytest.raises(DamagedStore):
        check_file(str(path))


def test_a_quick_look_ends_in_time_and_says_that_it_is_not_all(tmp_path: Path) -> None:
    times = iter([0.0, *[100.0] * 1000])
    with Store.open(tmp_path / "db") as store, store.bulk(), store.transaction:
        for number in range(20_000):
            store._database.execute("INSERT INTO settings VALUES (?, '')", (f"{number:01000}",))
    assert check_file(str(tmp_path / "db"), seconds=10, clock=lambda: next(times)) == Checkup("kvassfs", (), False)


def test_an_original_database_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "db"
    before = GOLDEN.joinpath("client-1001.sqlite").read_bytes()
    path.write_bytes(before)
    assert check_file(str(path), full=True).kind == "original"
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*.bak")) == []


def test_one_of_an_earlier_version_stays_so(path: Path) -> None:
    change(path, "PRAGMA user_version = 3")
    assert check_file(str(path), full=True).kind == "earlier"
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    connection.close()


@pytest.mark.parametrize(
    ("content", "error"), [(b"no database at all" * 100, NotAStore), (None, StoreError)], ids=["text", "nothing"]
)
def test_what_is_none_is_an_error(tmp_path: Path, content: bytes | None, error: type[StoreError]) -> None:
    path = tmp_path / "db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error):
        check_file(str(path))
    assert path.exists() == (content is not None)


def test_a_newer_one_is_an_error(path: Path) -> None:
    change(path, "PRAGMA user_version = 99")
    with pytest.raises(NewerStore):
        check_file(str(path))


def test_what_is_dated_ahead_is_found_the_furthest_first(path: Path) -> None:
    with Store.open(path) as store:
        now, day = store.hub_time.now(), 86_400_000_000
        assert store.hub_time.find_ahead(day, 10) == []
        for key, days in (("large", 3), ("small", 5)):
            store._database.execute("UPDATE entries SET timestamp = ? WHERE key = ?", (now + days * day, key))
        assert store.hub_time.find_ahead(day, 10) == [("small", now + 5 * day), ("large", now + 3 * day)]
        assert store.hub_time.find_ahead(day, 1) == [("small", now + 5 * day)]
        assert store.hub_time.find_ahead(4 * day, 10) == [("small", now + 5 * day)]
        assert rows(store, "SELECT count(*) FROM entries") == [2]
