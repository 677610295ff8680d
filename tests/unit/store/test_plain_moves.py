"""kvassfs.store.plain_moves: many files move in few statements. That they come to the same is in tests/property/test_moves.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kvassfs.share_link import LINKS
from kvassfs.store import Bearer, Store, plain_moves
from kvassfs.store.own_changes import PAUSE
from kvassfs.store.plain_moves import is_plain
from kvassfs.store.rows import KEPT
from kvassfs.store.versions import Move
from tests.support.stores import SECOND, Clock, count, failing, is_scratch, read, rows, save

NUMBERS = range(80)


def keys_in(prefix: str) -> list[str]:
    return [f"{prefix}{number:02}" for number in NUMBERS]


@pytest.fixture
def filled(store: Store) -> Store:
    """A store with a directory of files that were made just now."""
    for key in keys_in("d/"):
        save(store, key, key.encode())
    return store


def rename(store: Store, old: str, new: str) -> None:
    store.tree.rename_directory(old, new, is_scratch=is_scratch)


def age(store: Store, clock: Clock) -> None:
    """Let what is there be what others have."""
    clock.advance(10 * SECOND)
    store._database.execute("UPDATE entries SET floor = timestamp, dirty = 0")


def count_statements(store: Store, act: Callable[[], None]) -> int:
    statements: list[str] = []
    with failing(store._database, statements.append):
        act()
    return len(statements)


@pytest.mark.parametrize("final", [False, True], ids=["made just now", "that others have"])
def test_files_move_in_fewer_statements_than_there_are_files(filled: Store, clock: Clock, final: bool) -> None:
    if final:
        age(filled, clock)
    assert count_statements(filled, lambda: rename(filled, "d/", "e/")) < len(NUMBERS)
    assert list(filled.keys()) == keys_in("e/")
    assert count_statements(filled, lambda: rename(filled, "e/", "d/")) < len(NUMBERS)
    assert list(filled.keys()) == keys_in("d/")
    assert [read(filled, filled.tree.file(key)) for key in keys_in("d/")] == [key.encode() for key in keys_in("d/")]


def test_the_entries_of_directories_move_with_the_files(store: Store) -> None:
    for number in NUMBERS:
        store.tree.directories.make(f"d/{number}/", 0o40755, is_scratch=is_scratch)
    statements = count_statements(store, lambda: rename(store, "d/", "e/"))
    assert statements < 10 * len(NUMBERS)
    records = [store.tree.directory(f"e/{number}/") for number in NUMBERS]
    assert {record.mode for record in records if record is not None} == {0o40755}
    assert None not in records


def test_a_directory_has_the_time_that_it_was_given_under_its_new_name(store: Store) -> None:
    store.tree.directories.make("d/x/", 0o40755, is_scratch=is_scratch)
    store.tree.directories.set("d/x/", mtime=5, is_scratch=is_scratch)
    save(store, "d/x/a", b"later")
    rename(store, "d/", "e/")
    record = store.tree.directory("e/x/")
    assert record is not None
    assert record.mtime == 5


def test_a_move_is_plain_that_replaces_nothing_and_is_of_no_link(filled: Store) -> None:
    row, other = filled._entries.below("d/")[:2]
    gone = other._replace(size=0, mode=None, content=None)
    assert is_plain(Move(row, "e/a", None, erases=False))
    assert is_plain(Move(row, "e/a", gone, erases=True))
    assert not is_plain(Move(row, "e/a", other, erases=False))
    assert not is_plain(Move(row, f"{LINKS}a", None, erases=False))
    assert not is_plain(Move(row._replace(key=f"{LINKS}a"), "a", None, erases=False))
    assert not is_plain(Move(row._replace(dirty=KEPT), "e/a", None, erases=False))


def test_others_get_each_new_key_before_the_removal_of_the_old_one(filled: Store, clock: Clock) -> None:
    age(filled, clock)
    rename(filled, "d/", "e/")
    pairs = zip(keys_in("e/"), keys_in("d/"), strict=True)
    assert rows(filled, "SELECT key FROM entries WHERE dirty ORDER BY sequence") == [
        key for pair in pairs for key in pair
    ]


def test_what_takes_long_is_one_change_that_can_be_undone(
    filled: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(filled, clock)
    filled.own_changes.caller = lambda: 1
    monkeypatch.setattr(plain_moves, "AT_ONCE", 2)
    clock.step = PAUSE * 300  # so each part takes most of a second
    rename(filled, "d/", "e/")
    clock.step = 1000
    assert len(rows(filled, "SELECT DISTINCT change FROM own_changes WHERE key LIKE 'e/%'")) == 1
    filled.undo.run(filled.undo.plan())
    assert list(filled.keys()) == keys_in("d/")


def test_one_that_is_not_plain_moves_alone_in_its_place(filled: Store, clock: Clock) -> None:
    age(filled, clock)
    with filled.transaction:
        filled.xattrs.put(Bearer("d/07"), b"user.a", b"1")
    rename(filled, "d/", "e/")
    assert rows(filled, "SELECT key FROM entries WHERE live ORDER BY sequence") == keys_in("e/")
    assert filled.xattrs.of(Bearer("e/07")) == {b"user.a": b"1"}
    assert count(filled, "xattrs") == 1


def test_the_memory_for_pages_is_as_before(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_moves, "AT_ONCE", 2)
    before = rows(filled, "PRAGMA cache_size")
    sizes = []

    def note_size() -> int:
        sizes.append(rows(filled, "PRAGMA cache_size"))
        return 1

    filled.own_changes.caller = note_size
    rename(filled, "d/", "e/")
    assert [-plain_moves.CACHE] in sizes
    assert rows(filled, "PRAGMA cache_size") == before
