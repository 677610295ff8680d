"""A new store: its key, its process id, its tables; made once, whoever else makes it at the same moment."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from kvassfs.errors import StoreBusy
from kvassfs.replica import MAX_PROCESS_ID
from kvassfs.store import DIRECTORY_MODE, Store, opening
from kvassfs.store.creation import initialise
from kvassfs.store.database import Database
from kvassfs.store.identity import new_process_id
from kvassfs.store.machine import Machine
from kvassfs.store.profile import COMMAND
from tests.support.stores import YEAR_2024, Clock, audit, rows, state


@pytest.mark.parametrize(
    ("drawn", "process_id"),
    [
        (0, 1),
        (1, 2),
        (MAX_PROCESS_ID - 1, MAX_PROCESS_ID),
        (MAX_PROCESS_ID, 1),
        (2**64 - 1, (2**64 - 1) % MAX_PROCESS_ID + 1),
    ],
)
def test_a_process_id_is_in_its_range_whatever_is_drawn(drawn: int, process_id: int) -> None:
    assert new_process_id(lambda size: drawn.to_bytes(size, "big")) == process_id
    assert 1 <= process_id <= MAX_PROCESS_ID


class TestNewStore:
    def test_has_a_random_key_and_process_id_and_no_hub(self, path: Path) -> None:
        with Store.open(path) as store, Store.open(path.with_name("other")) as other:
            mine, theirs = store.settings.config(), other.settings.config()
            assert len(mine.encryption_key) == 32
            assert 1 <= mine.process_id <= MAX_PROCESS_ID
            assert mine.remote == ""
            assert mine.clock == 0
            assert mine.encryption_key != theirs.encryption_key
            assert mine.process_id != theirs.process_id

    def test_keeps_them(self, path: Path) -> None:
        with Store.open(path) as store:
            config = store.settings.config()
        with Store.open(path) as store:
            assert store.settings.config() == config

    def test_is_empty_but_for_the_root(self, store: Store) -> None:
        assert not list(store.keys())
        assert list(store.tree.children("")) == []
        (root,) = store._database.rows("SELECT prefix, mode, mtime, changed FROM directories")
        assert root[:2] == ("", DIRECTORY_MODE)
        assert root[2] == root[3] >= YEAR_2024
        assert rows(store, "SELECT count(*) FROM replica") == [1]

    def test_is_not_filled_twice(self, store: Store, clock: Clock) -> None:
        store.set("a", b"1")
        before = state(store)
        initialise(store._database, clock, bytes, Machine())
        assert state(store) == before

    def test_that_could_not_be_filled_is_filled_the_next_time(self, path: Path) -> None:
        def fail(_size: int) -> bytes:
            raise OSError

        with pytest.raises(OSError, match=r"^$"):
            Store.open(path, random=fail)
        with Store.open(path) as store:
            store.set("a", b"1")
            audit(store)


IMPATIENT = COMMAND._replace(patience=0.05)


class Overtaken(Database):
    """Has another process open the same file before one of the first statements."""

    left = 0

    def before(self) -> None:
        Overtaken.left -= 1
        if Overtaken.left == 0:
            # It finds the file locked where this process has begun to fill it.
            with suppress(StoreBusy), Store.open(self.path, profile=IMPATIENT) as store:
                store.set("theirs", b"1")

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        self.before()
        return super().execute(sql, parameters)

    def row(self, sql: str, parameters: tuple[object, ...] = ()) -> object:
        self.before()
        return super().row(sql, parameters)

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[object]:
        self.before()
        return super().rows(sql, parameters)


@pytest.mark.parametrize("number", range(1, 12))
def test_another_process_makes_the_store_before_one_of_the_first_statements(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(opening, "Database", Overtaken)
    monkeypatch.setattr(Overtaken, "left", number)
    with Store.open(path, profile=IMPATIENT) as store:
        store.set("mine", b"1")
        assert set(store.keys()) in ({"mine"}, {"mine", "theirs"})
        assert store._database.row("PRAGMA journal_mode") == ("wal",)
        audit(store)
