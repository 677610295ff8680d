"""A store of an earlier version of this program: what it holds is kept, and it becomes what a new one is."""

from __future__ import annotations

import itertools
import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from kvassfs.conflict import Origin, parse_seen
from kvassfs.entry import MAX_RECEIVED, Delivery, Entry
from kvassfs.errors import StoreError
from kvassfs.kind import Kind
from kvassfs.store import Became, Store, Written
from kvassfs.store.database import Database
from kvassfs.store.schema import VERSION
from tests.support.golden_data import GOLDEN
from tests.support.stores import (
    SMALL,
    Clock,
    audit,
    audit_clean,
    count,
    finish,
    is_scratch,
    read,
    revision_values,
    rows,
    start,
)

VERSIONS = (1, 4, 9)
"""Those of which there is a store."""


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


def restore(path: Path, version: int) -> Path:
    """Make a store of an earlier version of the schema."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((GOLDEN / f"store-version-{version}.sql").read_text(encoding="utf-8"))
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    return path


@pytest.fixture
def earlier(path: Path, version: int) -> Path:
    """A store of an earlier version, with a key that waits, one that the hub has and one that is gone."""
    return restore(path, version)


def schema_of(store: Store) -> dict[str, str]:
    """Return the tables and indices by name, without comments and spacing."""
    return {
        name: " ".join(re.sub(r"--.*", "", sql).split())
        for name, sql in store._database.rows("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    }


def test_it_has_the_tables_of_a_new_one(earlier: Path, tmp_path: Path) -> None:
    with Store.open(earlier) as upgraded, Store.open(tmp_path / "new") as new:
        assert schema_of(upgraded) == schema_of(new)
        assert rows(upgraded, "PRAGMA user_version") == [VERSION]
        assert rows(upgraded, "SELECT * FROM hub") == rows(new, "SELECT * FROM hub")
        audit(upgraded)


def test_what_it_holds_is_kept(earlier: Path) -> None:
    with Store.open(earlier) as store:
        assert list(store.keys()) == ["known", "waits"]
        assert store.get("waits").read() == b"value"
        assert revision_values(store, "waits") == [b"old"]
        assert store.tree.file("known") is not None
        assert "gone" in rows(store, "SELECT key FROM entries WHERE NOT live")
        assert store.settings.config() == (bytes(range(32)), 4711, "hub.example:8000", 12)
        assert store.settings.scratch_patterns() == ("*.bak",)


def test_what_waits_for_the_hub_still_does_and_the_rest_does_not(earlier: Path) -> None:
    with Store.open(earlier) as store:
        assert store.outbox.count_dirty() == (1, 5)
        assert store.peers.hub().cursor == 7


def test_every_file_gets_a_number_of_its_own(earlier: Path) -> None:
    with Store.open(earlier) as store:
        numbers = rows(store, "SELECT inode FROM entries UNION ALL SELECT inode FROM scratch")
        assert 0 not in numbers
        assert len(set(numbers)) == len(numbers) > 2
        assert rows(store, "SELECT 1 FROM entries WHERE appeared <> sequence OR shown <> sequence") == []


def test_it_goes_on_from_its_clocks(earlier: Path) -> None:
    with Store.open(earlier, clock=Clock(0)) as store:
        assert store.set("new", b"x").counter == 13
        assert store.set("waits", b"x").timestamp == 1_704_067_200_000_010


def test_it_knows_which_versions_others_have(path: Path) -> None:
    with Store.open(restore(path, 4)) as store:
        assert rows(store, "SELECT key FROM entries WHERE floor IS NULL") == ["waits"]
        assert rows(store, "SELECT key FROM entries WHERE floor IS NOT NULL AND floor <> timestamp") == []
        assert store.hub_time.difference() is None


def test_what_no_hub_would_take_any_more_is_dated_anew(path: Path) -> None:
    with Store.open(restore(path, 4)) as store:
        dated = dict(store._database.rows("SELECT key, timestamp FROM entries WHERE key IN ('early', 'late', 'later')"))
        assert dated == {"early": 0, "late": 4_611_686_018_427_387, "later": MAX_RECEIVED}


def test_it_is_upgraded_once_although_many_open_it_at_once(earlier: Path) -> None:
    code = "store = Store.open(sys.argv[1]); print(store.get('waits').read().decode()); store.close()"
    processes = [start(code, earlier) for _ in range(4)]
    assert [finish(process) for process in processes] == ["value\n"] * 4
    with Store.open(earlier) as store:
        audit(store)


def test_an_upgrade_that_fails_leaves_the_earlier_store(
    earlier: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = Database.execute
    with closing(sqlite3.connect(earlier)) as connection:
        tables = connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()
    for number in itertools.count(1):
        left = number

        def failing(database: Database, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
            nonlocal left
            left -= 1
            if left == 0:
                raise StoreError(database.path, "injected")
            return execute(database, sql, parameters)

        failed = True
        with monkeypatch.context() as patch, suppress(StoreError):
            patch.setattr(Database, "execute", failing)
            Store.open(earlier).close()
            failed = False
        if not failed:  # what comes after the upgrade may fail
            break
        with closing(sqlite3.connect(earlier)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (version,)
            assert connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall() == tables
            assert connection.execute("SELECT key FROM entries WHERE dirty").fetchall() == [("waits",)]
    assert number > 1


@pytest.fixture
def with_blocks(path: Path) -> Path:
    """A store of version 4 with values of small blocks, many of them zeros: a key, its revision, a scratch file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((GOLDEN / "store-version-4-blocks.sql").read_text(encoding="utf-8"))
    return path


def test_values_of_blocks_are_read_as_they_were(with_blocks: Path) -> None:
    data = [b"%064d" % number for number in range(9)]
    with Store.open(with_blocks, clock=Clock(), sizes=SMALL) as store:
        assert store.get("hole").read() == b"".join(data[:5]) + bytes(64 * 12) + b"".join(data[5:]) + b"end"
        assert revision_values(store, "hole") == [b"".join(data[:5]) + bytes(64 * 10) + b"".join(data[5:]) + b"end"]
        assert read(store, store.tree.file("scratch~")) == bytes(64 * 20)
        audit(store)


def test_values_of_blocks_go_on_with_holes_that_cost_nothing(with_blocks: Path) -> None:
    with Store.open(with_blocks, clock=Clock(), sizes=SMALL) as store:
        draft = store.tree.open("hole")[1]
        assert draft.count_holes() == 0  # of zeros that were saved before, it is not known how many there are
        draft.truncate(10**12)
        draft.write(10**11, b"x")
        store.tree.save("hole", draft, Written(), scratch=False, now=1, amends=None)
        assert draft.read(64 * 4, 128) == b"%064d" % 4 + bytes(64)
        assert draft.read(10**11 - 1, 3) == b"\0x\0"
        assert count(store, "content_segments") < 40
        draft.close()
        audit_clean(store)


def test_directories_without_keys_are_there_and_travel_once_a_mount_publishes_them(path: Path) -> None:
    with Store.open(restore(path, 9)) as store:
        shown = {prefix: store.tree.directory(prefix) for prefix in ("empty/", "empty/below/")}
        assert [(record.mode, record.mtime == 5) for record in shown.values() if record is not None] == [
            (0o40755, True),
            (0o40750, False),
        ]
        assert rows(store, "SELECT key FROM entries WHERE key LIKE '%/'") == []
        store.tree.directories.publish(is_scratch=is_scratch)
        assert rows(store, "SELECT key, mode FROM entries WHERE key LIKE '%/'") == [
            ("empty/", 0o40755),
            ("empty/below/", 0o40750),
        ]
        assert {prefix: store.tree.directory(prefix) for prefix in shown} == shown
        audit(store)


def test_revisions_get_numbers_in_the_order_in_which_they_came(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((GOLDEN / "store-version-10-history.sql").read_text(encoding="utf-8"))
    with Store.open(path) as store:
        versions = store.history.versions("history/text")
        assert [version.number for version in versions] == [3, 2, 1]
        assert [store.history.get("history/text", number).read() for number in (1, 2, 3)] == [
            b"first",
            b"second",
            b"third",
        ]
        assert [version.number for version in store.history.versions("history/gone")] == [0, 2, 1]
        store.history.restore("history/gone")
        assert store.get("history/gone").read() == b"again"


def test_of_what_was_there_before_conflicts_were_told_none_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((GOLDEN / "store-version-11.sql").read_text(encoding="utf-8"))
    with Store.open(path) as store:
        assert list(store.conflicts.open()) == []
        assert {entry.seen for entry in store.entries()} == {None}
        lost = [version for version in store.history.versions("history/text") if version.became == Became.LOST]
        assert [(version.winner, version.is_open) for version in lost] == [(None, False)]
        assert [(device.process_id, device.name) for device in store.peers.devices()] == [(4712, "")]
        # What another device writes now, not knowing what is here, is in conflict with that.
        meanwhile = Entry("new", store.entry("new").timestamp + 1, 9000, 4712, "meanwhile", 5, seen="")
        store.inbox.merge_pushed([Delivery(meanwhile, 9000, b"phone")])
        assert [(found.entry.key, found.winner) for found in store.conflicts.open()] == [("new", 4712)]
        store.set("new", b"both")
        assert parse_seen(store.entry("new").seen) == [Origin(4712, 9000)]
        assert list(store.conflicts.open()) == []
        audit(store)


def test_a_store_is_not_sealed_before_it_is_told_so(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((GOLDEN / "store-version-13-blocks.sql").read_text(encoding="utf-8"))
    with Store.open(path, sizes=SMALL) as store:
        assert store.settings.kind() == Kind.PLAIN
        assert store.sealed.keys() is None
        assert store.sealed.refused() == []
        assert count(store, "sealed_blocks") == 0
        assert store.get("blocks").read() == bytes(range(256)) * 2
        assert [link.key for link in store.share_links.list_all()] == ["shared"]
        audit(store)
