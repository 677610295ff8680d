"""A copy of a store is told from it, and takes a process id of its own."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from kvassfs.store import Store
from kvassfs.store.machine import Machine


def copied(store: Store, path: Path) -> Store:
    """Return a store on a copy of another's file."""
    with sqlite3.connect(store.path) as connection:
        connection.execute("VACUUM INTO ?", (str(path),))
    connection.close()
    return Store.open(path)


def test_a_place_is_that_of_the_file_and_the_system(tmp_path: Path) -> None:
    file, copy, machine = tmp_path / "a", tmp_path / "b", tmp_path / "machine-id"
    file.touch()
    shutil.copy(file, copy)
    machine.write_text("0123\n")
    there = Machine(str(machine)).identify_place(str(file))
    assert there == Machine(str(machine)).identify_place(str(file))
    assert there != Machine(str(machine)).identify_place(str(copy))
    machine.write_text("4567\n")
    assert there != Machine(str(machine)).identify_place(str(file))
    assert Machine(str(tmp_path / "none")).identify_place(str(file)).startswith(":")


def test_a_store_in_its_place_keeps_its_process_id(store: Store) -> None:
    before = store.settings.config()
    store.identity.detach_copy()
    assert store.settings.config() == before


def test_a_copy_takes_a_process_id_of_its_own_once(store: Store, tmp_path: Path) -> None:
    store.set("known", b"1")
    with store.transaction:
        store._database.execute("UPDATE entries SET dirty = 0")
    store.set("waits", b"2")
    with copied(store, tmp_path / "copy") as copy:
        copy.identity.detach_copy()
        own = copy.settings.config().process_id
        assert own != store.settings.config().process_id
        assert copy.entry("known").process_id == store.settings.config().process_id
        assert copy.entry("waits").process_id == own
        copy.identity.detach_copy()
        assert copy.settings.config().process_id == own
