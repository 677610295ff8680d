"""The schema: every look-up is a search in an index, and metadata lies apart from values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kvassfs.errors import KeyMissing
from kvassfs.store import Bearer, Position, Store
from kvassfs.store.nodes import HOLES
from kvassfs.store.schema import TABLES
from tests.support.stores import Clock, is_scratch, rows, save


@pytest.fixture
def full(path: Path, clock: Clock) -> Store:
    """A store with enough in it for SQLite to see what an index is worth."""
    store = Store.open(path, clock=clock)
    with store.transaction:
        for number in range(300):
            save(store, f"d{number % 10}/k{number}", b"x")
            save(store, f"d{number % 10}/k{number}~", b"x", scratch=True)
            for bearer in (Bearer(f"d{number % 10}/k{number}"), Bearer(f"d{number % 10}/", is_directory=True)):
                store.xattrs.put(bearer, b"user.name", b"x")
        store.tree.directories.make("d1/", 0o40700, is_scratch=is_scratch)
        store.tree.directories.make("e/", 0o40700, is_scratch=is_scratch)
    store._database.execute("ANALYZE")
    return store


def plan(store: Store, sql: str, parameters: tuple[object, ...] = ()) -> str:
    """Return how SQLite runs a statement."""
    return "\n".join(row[3] for row in store._database.connection.execute("EXPLAIN QUERY PLAN " + sql, parameters))


def statements(store: Store, action: Callable[[], object]) -> list[str]:
    """Return the statements that an action runs, with their parameters filled in."""
    seen: list[str] = []
    store._database.connection.set_trace_callback(seen.append)
    with suppress(KeyMissing):
        action()
    store._database.connection.set_trace_callback(None)
    return [sql for sql in seen if re.match("SELECT|INSERT|UPDATE|DELETE|REPLACE", sql.lstrip())]


BIG_TABLES = (
    "entries",
    "scratch",
    "directories",
    "xattrs",
    "revisions",
    "contents",
    "content_segments",
    "segment_blocks",
    "blocks",
)


@pytest.mark.parametrize(
    "action",
    [
        lambda store: store.get("d1/k1").read(),
        lambda store: store.get("missing"),
        lambda store: store.entry("d1/k1"),
        lambda store: store.set("d1/k1", b"new"),
        lambda store: store.set("another", b"new"),
        lambda store: store.set("large", bytes(70_000)),
        lambda store: store.delete("d1/k1"),
        lambda store: store.revisions("d1/k1"),
        lambda store: store.tree.file("d1/k1"),
        lambda store: store.tree.file("missing"),
        lambda store: store.tree.lookup("d1/k1"),
        lambda store: store.tree.lookup("d1"),
        lambda store: store.tree.directory("d1/"),
        lambda store: store.tree.is_empty("e/"),
        lambda store: list(store.tree.children("d1/")),
        lambda store: store.tree.siblings("d1/", "k1"),
        lambda store: store.tree.rename(store.tree.file("d1/k1"), "d1/x", is_scratch=is_scratch),
        lambda store: store.tree.rename_directory("d1/", "f/", is_scratch=is_scratch),
        lambda store: store.tree.unlink(store.tree.file("d1/k1"), is_scratch=is_scratch),
        lambda store: store.tree.set_mode(store.tree.file("d1/k1"), 0o100755),
        lambda store: save(store, "d1/k1", b"new"),
        lambda store: save(store, "d1/k1~", b"new", scratch=True),
        lambda store: store.tree.swap_trees("d1", "d2", is_scratch=is_scratch),
        lambda store: store.tree.directories.remove("e/", is_scratch=is_scratch),
        lambda store: store.xattrs.of(Bearer("d1/k1")),
        lambda store: store.xattrs.put(Bearer("d1/k1"), b"user.name", None),
        lambda store: store.feed.position(),
        lambda store: store.feed.since(Position(500, 0), but_by=0),
        lambda store: store.upkeep.clean(),
        lambda store: store.upkeep.release_dead_holders(),
    ],
)
def test_every_operation_searches_and_never_scans(full: Store, action: Callable[[Store], object]) -> None:
    run = statements(full, lambda: action(full))
    assert run
    for sql in run:
        used = plan(full, sql)
        for table in BIG_TABLES:
            assert not re.search(rf"SCAN {table}\b", used), f"{sql}\n{used}"
    full.close()


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT timestamp FROM entries WHERE key = ?", ("a",)),
        ("SELECT key FROM entries WHERE url_token = ?", ("a",)),
        ("SELECT key FROM entries WHERE sequence = ?", (1,)),
        ("SELECT key FROM entries WHERE sequence > ? ORDER BY sequence", (1,)),
        ("SELECT key FROM entries WHERE key >= ? AND key < ?", ("a/", "a0")),
        ("SELECT key FROM entries WHERE dirty AND sequence > ? ORDER BY sequence", (1,)),
    ],
)
def test_key_token_sequence_and_prefix_are_index_searches(
    full: Store, sql: str, parameters: tuple[object, ...]
) -> None:
    used = plan(full, sql, parameters)
    assert "SEARCH entries" in used
    assert "SCAN" not in used
    assert "TEMP B-TREE" not in used
    full.close()


def test_keys_are_listed_in_the_order_of_an_index(full: Store) -> None:
    for sql in statements(full, lambda: list(full.keys())):
        assert "USING INDEX entries_live" in plan(full, sql)
        assert "TEMP B-TREE" not in plan(full, sql)
    full.close()


def test_a_directory_costs_a_search_for_each_name_and_not_for_each_key_below(
    full: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with full._database.transaction:
        for number in range(500):
            save(full, f"deep/one/two/{number}", b"x")
    rows_read = 0
    real = full._database.iterate

    def iterate(sql: str, parameters: tuple[str, ...]) -> Iterator[object]:
        nonlocal rows_read
        for row in real(sql, parameters):
            rows_read += 1
            yield row

    monkeypatch.setattr(full._database, "iterate", iterate)
    assert {child.component for child in full.tree.children("deep/")} == {"one"}
    assert rows_read <= 6
    full.close()


def test_metadata_is_read_without_touching_the_pages_of_values(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a listing and a stat read is in tables whose rows hold no value, but for the holes of large ones.

    Their rows of ``contents`` hold none either: it is in blocks.
    """
    with Store.open(path) as store:
        for number in range(20):
            save(store, f"d/{number}", bytes([number]) * 60_000)
            save(store, f"d/{number}~", bytes([number]) * 60_000, scratch=True)
        columns: set[tuple[str, str]] = set()

        def noting(*what: object) -> int:
            if what[0] == 20:  # SQLITE_READ
                columns.add((str(what[1]), str(what[2])))
            return 0

        with Store.open(path) as reader:
            reader._database.connection.set_authorizer(noting)
            children = reader.tree.children("d/")
            assert {child.node.size for child in children if child.node} == {60_000}
            assert reader.entry("d/7").size == 60_000
            assert reader.tree.file("d/7") is not None
            assert len(list(reader.keys())) == 20
            reader._database.connection.set_authorizer(None)
        tables = {table for table, _ in columns - {("contents", "id"), ("contents", "holes")}}
        assert "entries" in tables
        assert not tables & {"contents", "blocks", "segment_blocks", "content_segments"}
        assert "size > 65536 THEN (SELECT holes" in HOLES  # so not of a value that is in its row


def test_every_column_is_explained_or_explains_itself() -> None:
    """Comments or the same name in a table above: house rule 1."""
    known = {"id", "key", "size", "mode", "content", "count", "prefix", "pid", "started", "value"}
    for line in TABLES.splitlines():
        match = re.match(r"    (\w+) +(TEXT|INTEGER|BLOB)", line)
        if match and "--" not in line:
            assert match[1] in known or f"\n    {match[1]} " in TABLES, line


def test_tables_are_strict(store: Store) -> None:
    tables = store._database.rows("PRAGMA table_list")
    assert all(strict for _, name, kind, _, _, strict in tables if kind == "table" and not name.startswith("sqlite_"))


def test_no_two_entries_share_a_sequence(store: Store) -> None:
    indices = [row[1] for row in store._database.rows("PRAGMA index_list(entries)") if row[2]]
    columns = [[row[2] for row in store._database.rows(f"PRAGMA index_info({name})")] for name in indices]
    assert ["sequence"] in columns


def test_a_block_is_stored_once(store: Store) -> None:
    store.set("a", bytes(600_000))
    store.set("b", bytes(600_000))
    # Two whole blocks are the same one, the rest is another.
    assert rows(store, "SELECT count(*) FROM blocks") == [2]
