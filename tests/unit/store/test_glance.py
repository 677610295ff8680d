"""kvassfs.store.glance: it finds what the store finds, or nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvassfs.errors import DamagedStore
from kvassfs.store import INLINE_LIMIT, Store, Written, explain_glance, take_glance
from kvassfs.store import glance as glance_module
from kvassfs.store.schema import IN_TOUCH_TIME
from tests.support.golden_data import GOLDEN
from tests.support.stores import Clock, write


def listed(path: Path, prefix: str = "") -> list[str]:
    found = take_glance(str(path))
    assert found is not None
    with found:
        return "".join(found.list_keys(prefix)).split("\n")[:-1]


def value(path: Path, key: str) -> bytes | None:
    found = take_glance(str(path))
    assert found is not None
    with found:
        return found.find_value(key)


def test_it_finds_values_and_keys(store: Store, path: Path) -> None:
    store.set("a/b", b"value")
    store.set_empty("empty")
    store.set("gone", b"value")
    store.delete("gone")
    store.set("long", bytes(INLINE_LIMIT + 1))
    write(store, "made/", Written(mode=stat.S_IFDIR | 0o755))
    assert [value(path, key) for key in ("a/b", "empty", "gone", "long", "made/", "none")] == [
        *(b"value", b"", None, None, None, None)
    ]
    assert listed(path) == ["a/b", "empty", "long"]
    assert listed(path, "a") == ["a/b"]


def test_it_lists_all_however_many_there_are(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glance_module, "AT_ONCE", 3)
    for count in range(8):
        store.set(f"key {count}", b"value")
        assert listed(path) == list(store.keys())


def test_it_lists_all_where_keys_hold_newlines(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glance_module, "AT_ONCE", 3)
    for key in ("a", "b\nb", "c\nc", "d", "e", "f\n", "g\nz", "h", "i\n\n"):
        store.set(key, b"value")
        assert listed(path) == "\n".join(store.keys()).split("\n")


def test_it_finds_how_keys_go_on(store: Store, path: Path) -> None:
    for key in ("a/b/c", "a/b/d", "a/e", "f"):
        store.set(key, b"value")
    write(store, "a/made/", Written(mode=stat.S_IFDIR | 0o755))
    found = take_glance(str(path))
    assert found is not None
    with found:
        for prefix in ("", "a/", "a/b/c", "none"):
            for directories in (False, True):
                assert list(found.level(prefix, directories=directories)) == list(
                    store.level(prefix, directories=directories)
                )


KEYS = st.text(st.sampled_from("a/\u007f\ud7ff\ue000\uffff\U0010ffff"), min_size=1, max_size=3)


@given(st.sets(KEYS, max_size=6), st.text(st.sampled_from("a/\ud7ff\U0010ffff"), max_size=2))
def test_it_lists_what_begins_with_a_prefix(keys: set[str], prefix: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE entries (key TEXT PRIMARY KEY, live, is_file)")
        connection.execute("CREATE INDEX entries_live ON entries (key) WHERE live")
        connection.executemany("INSERT INTO entries VALUES (?, 1, 1)", [(key,) for key in keys])
        found = "".join(glance_module.Glance(connection).list_keys(prefix)).split("\n")[:-1]
    assert found == sorted((key for key in keys if key.startswith(prefix)), key=str.encode)


def open_to_others(path: Path) -> None:
    path.chmod(0o644)


def open_copy_to_others(path: Path) -> None:
    copy = path.with_name(f"{path.name}.kvass-go.bak")
    copy.touch()
    copy.chmod(0o640)


def make_newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")


def remove_log(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def cut(path: Path) -> None:
    os.truncate(path, 10)


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize(
    "change", [open_to_others, open_copy_to_others, make_newer, remove_log, cut, os.remove, make_directory, make_pipe]
)
def test_what_is_out_of_the_ordinary_is_left_to_the_store(path: Path, change: Callable[[Path], object]) -> None:
    Store.open(path).close()
    change(path)
    assert take_glance(str(path)) is None


def test_a_database_of_the_original_is_left_to_the_store(path: Path) -> None:
    shutil.copyfile(GOLDEN / "hub-9009.sqlite", path)
    path.chmod(0o600)
    assert take_glance(str(path)) is None


def test_it_changes_nothing_beside_the_database(path: Path) -> None:
    with Store.open(path) as store:
        store.set("key", b"value")
    before = sorted(os.listdir(path.parent))
    content = path.read_bytes()
    assert value(path, "key") == b"value"
    assert (sorted(os.listdir(path.parent)), path.read_bytes()) == (before, content)


def test_a_hub_need_not_be_asked_while_a_process_is_in_touch_with_it(store: Store, path: Path, clock: Clock) -> None:
    def is_current(later: int = 0) -> bool:
        found = take_glance(str(path))
        assert found is not None
        with found:
            return found.is_current(clock() // 1000 + later)

    assert is_current()
    store.settings.set_remote("hub.example")
    assert not is_current()
    store.processes.follow("")
    assert not is_current()
    store.processes.note_contact()
    assert is_current()
    assert not is_current(IN_TOUCH_TIME + 1_000_000)
    store.processes.note_contact("out of reach")
    assert not is_current()


def test_what_reading_raises_is_said_as_the_store_says_it(path: Path) -> None:
    Store.open(path).close()
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    assert isinstance(explain_glance(error, str(path)), DamagedStore)
