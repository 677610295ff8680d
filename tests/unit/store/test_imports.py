"""kvassfs.store.imports and kvassfs.store.survey"""

from __future__ import annotations

import stat

import pytest

from kvassfs.store import Draft, Store, Written
from tests.support.stores import is_scratch

FILE = stat.S_IFREG | 0o640
LINK = stat.S_IFLNK | 0o777
DIRECTORY = stat.S_IFDIR | 0o755
TIME = 1_600_000_000_123_456_789
LARGE = bytes(range(256)) * 40


def draft_of(store: Store, value: bytes) -> Draft:
    draft = store.tree.draft()
    draft.write(0, value)
    return draft


def put(store: Store, key: str, value: bytes, mode: int | None = FILE, mtime: int | None = TIME) -> bool:
    draft = draft_of(store, value)
    try:
        return store.imports.put(key, draft, mode, mtime)
    finally:
        draft.close()


def shown(store: Store, key: str) -> tuple[bytes, int, int]:
    node = store.tree.file(key)
    assert node is not None
    return store.get(key).read(), node.mode, node.mtime


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("value", [b"", b"short", LARGE])
def test_a_key_gets_value_mode_and_time_and_they_travel_at_once(store: Store, value: bytes) -> None:
    assert put(store, "a/b", value)
    assert shown(store, "a/b") == (value, FILE, TIME)
    assert store.entry("a/b")[6:8] == (FILE, TIME)
    assert store.outbox.has_ready()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("value", [b"", b"short", LARGE])
def test_what_is_there_already_is_left_alone(store: Store, value: bytes) -> None:
    put(store, "k", value)
    before = store.entry("k")
    assert not put(store, "k", value)
    assert not store.imports.differs("k", draft_of(store, value), FILE, TIME)
    assert store.entry("k") == before


@pytest.mark.parametrize(("mode", "mtime"), [(FILE, TIME + 1), (stat.S_IFREG | 0o700, TIME)])
def test_another_mode_or_time_leaves_no_revision(store: Store, mode: int, mtime: int) -> None:
    put(store, "k", b"value")
    assert store.imports.differs("k", draft_of(store, b"value"), mode, mtime)
    assert put(store, "k", b"value", mode, mtime)
    assert shown(store, "k") == (b"value", mode, mtime)
    assert store.revisions("k") == []


@pytest.mark.parametrize("value", [b"other", b"longer than before"])
def test_another_value_leaves_a_revision(store: Store, value: bytes) -> None:
    put(store, "k", b"value")
    assert store.imports.differs("k", draft_of(store, value), FILE, TIME)
    assert put(store, "k", value)
    assert len(store.revisions("k")) == 1


@pytest.mark.parametrize("value", [b"x", b""])
def test_without_mode_and_time_a_key_keeps_what_it_has_or_gets_the_default(store: Store, value: bytes) -> None:
    put(store, "new", value, None, None)
    assert shown(store, "new")[:2] == (value, stat.S_IFREG | 0o600)
    put(store, "old", b"before")
    put(store, "old", value, None, None)
    assert shown(store, "old")[:2] == (value, FILE)
    put(store, "link", b"target", LINK)
    put(store, "link", value, None, None)
    assert shown(store, "link")[:2] == (value, stat.S_IFREG | 0o600)


def test_a_symbolic_link_is_no_file_with_its_target(store: Store) -> None:
    put(store, "k", b"target")
    assert put(store, "k", b"target", LINK)
    assert shown(store, "k") == (b"target", LINK, TIME)


def test_a_scratch_file_becomes_a_key(store: Store) -> None:
    draft = draft_of(store, b"x")
    store.tree.save("k", draft, Written(mode=FILE), scratch=True, now=1, amends=None)
    assert store.imports.differs("k", draft_of(store, b"x"), FILE, TIME)
    assert put(store, "k", b"x")
    assert list(store.keys()) == ["k"]


def test_a_directory_comes_with_mode_and_time_and_is_left_alone_then(store: Store) -> None:
    assert store.imports.put_directory("a/b/", DIRECTORY, TIME)
    record = store.tree.directory("a/b/")
    assert record is not None
    assert (record.mode, record.mtime) == (DIRECTORY, TIME)
    assert store.outbox.has_ready()
    clock = store.settings.config().clock
    assert not store.imports.put_directory("a/b/", DIRECTORY, TIME)
    assert not store.imports.put_directory("a/b/", None, None)
    assert store.settings.config().clock == clock


def test_a_directory_that_is_there_gets_another_time(store: Store) -> None:
    store.tree.directories.make("d/", DIRECTORY, is_scratch=is_scratch)
    put(store, "i/k", b"x")
    for prefix in ("d/", "i/"):
        assert store.imports.put_directory(prefix, DIRECTORY, TIME)
        record = store.tree.directory(prefix)
        assert record is not None
        assert (record.mode, record.mtime) == (DIRECTORY, TIME)


def test_a_directory_whose_key_has_a_value_keeps_it(store: Store) -> None:
    store.set("d/", b"value")
    assert store.imports.put_directory("d/", DIRECTORY, TIME)
    assert store.get("d/").read() == b"value"


# Survey


def test_rows_come_in_the_order_of_keys_in_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvassfs.store.survey.AT_ONCE", 2)
    for key in ("a", "a/b", "a/c", "a0", "b"):
        store.set(key, b"xy")
    store.delete("a/c")
    store.imports.put_directory("a/d/", DIRECTORY, TIME)
    assert [row.key for row in store.survey.rows("")] == ["a", "a/b", "a/d/", "a0", "b"]
    assert [row.key for row in store.survey.rows("a/")] == ["a/b", "a/d/"]
    assert store.survey.totals("") == (4, 8)
    assert store.survey.totals("a/") == (1, 2)
    assert store.survey.totals("x/") == (0, 0)


def test_long_keys_are_counted_in_bytes(store: Store) -> None:
    for key in ("é" * 5, "x" * 9, "x" * 10):
        store.set(key, b"x")
    assert store.survey.long_keys("", 10) == ["x" * 10, "é" * 5]
