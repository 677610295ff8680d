"""Databases of the original program are taken over whole, once, or left as they are."""

from __future__ import annotations

import errno
import itertools
import json
import os
import random
import shutil
import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kvassfs.entry import MAX_COUNTED, MAX_RECEIVED
from kvassfs.errors import DamagedStore, DiskFull, KeyMissing, KvassError, StoreBusy, StoreUnavailable
from kvassfs.store import Store, opening
from kvassfs.store.database import Database
from kvassfs.store.profile import COMMAND
from kvassfs.store.translation import translate_error
from tests.support.forks import fork_unmeasured
from tests.support.stores import (
    ROOT,
    SMALL,
    Clock,
    audit,
    contents_of,
    count,
    error_line,
    finish,
    is_scratch,
    read,
    revision_values,
    rows,
    sqlite_error,
    start,
    state,
)

GOLDEN = ROOT / "tests" / "golden"

# All recorded ones have this key, and what follows is how tests/golden/README.md says they came about.
KEY = bytes.fromhex("cd9994e3a0c5ca40c2652ff21ab401d6d3a1a5c5fd5482ae62c03ce32d340b49")

HELLO = b"from b\n"

CAT = "猫咪 key/with slash"

CAT_VALUE = "喵 👋\n".encode()

COLUMNS = "key, value, timestamp, pid, counter, urltoken, 'NeedsToBePushed' boolean default true"

EARLY_COLUMNS = "key, value, timestamp, pid, counter"

STATE = {
    "Counter": 10,
    "Pid": 1001,
    "Key": KEY.hex(),
    "RemoteHostname": "http://127.0.0.1:18001",
    "RemoteCounter": 8,
    "SchemaVersion": 1,
}


def golden(path: Path, name: str = "client-1001") -> Path:
    """Copy a recorded database."""
    shutil.copyfile(GOLDEN / f"{name}.sqlite", path)
    return path


def original(
    path: Path, entries: list[tuple[Any, ...]], *, columns: str = COLUMNS, state: Any = None, wal: bool = False
) -> Path:
    """Make a database with the tables of the original program."""
    connection = sqlite3.connect(path, isolation_level=None)
    if wal:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"CREATE TABLE entries ({columns})")
    connection.execute("CREATE TABLE state   (state)")
    connection.execute(
        "INSERT INTO state VALUES (?)", (json.dumps(STATE, indent=1).encode() if state is None else state,)
    )
    add(connection, *entries)
    connection.close()
    return path


def add(connection: sqlite3.Connection, *entries: tuple[Any, ...]) -> None:
    for entry in entries:
        connection.execute(f"INSERT INTO entries VALUES ({', '.join('?' * len(entry))})", entry)


def states(**changed: Any) -> bytes:
    """Return the state with some of its values changed."""
    return json.dumps({**STATE, **changed}).encode()


def failure_of(path: Path, notice: Callable[[str], None]) -> KvassError | None:
    """Open and close; return the expected error that it raised."""
    try:
        Store.open(path, notice=notice, sizes=SMALL).close()
    except KvassError as error:
        return error
    return None


def backup_of(path: Path) -> Path:
    return path.with_name(path.name + ".kvass-go.bak")


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


NOW = 1_704_067_200_000_000

IMPATIENT = COMMAND._replace(patience=0.05)


class Failing(Database):
    """Counts statements from the first one on, and does something before one of them."""

    number = 0
    seen = 0
    strike: Callable[[], None]

    @classmethod
    def at(cls, patch: pytest.MonkeyPatch, number: int, strike: Callable[[], None]) -> None:
        """Be what the next store is opened with."""
        patch.setattr(opening, "Database", cls)
        patch.setattr(cls, "number", number)
        patch.setattr(cls, "seen", 0)
        patch.setattr(cls, "strike", staticmethod(strike), raising=False)

    def before(self) -> None:
        Failing.seen += 1
        if Failing.seen == Failing.number:
            try:
                Failing.strike()
            except sqlite3.Error as error:
                raise translate_error(error, self.path) from error

    def execute(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        if sql != "ROLLBACK":
            self.before()
        return super().execute(sql, parameters)

    def row(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        self.before()
        return super().row(sql, parameters)

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        self.before()
        return super().rows(sql, parameters)


@pytest.fixture
def taken(path: Path, clock: Clock) -> Iterator[Store]:
    """The recorded database of the first device."""
    with Store.open(golden(path), clock=clock) as store:
        yield store
        audit(store)


class TestRecorded:
    """What the original wrote on two devices and a hub."""

    @pytest.mark.parametrize("name", ["client-1001", "client-2002", "hub-9009"])
    def test_values_and_keys_are_there_and_deleted_ones_are_gone(self, path: Path, name: str) -> None:
        with Store.open(golden(path, name)) as store:
            assert list(store.keys()) == ["hello", CAT]
            assert store.get("hello").read() == HELLO
            assert store.get(CAT).read() == CAT_VALUE
            for key in ("binary", "empty"):
                with pytest.raises(KeyMissing):
                    store.get(key)
            audit(store)

    @pytest.mark.parametrize(
        ("name", "process_id", "remote", "clock", "cursor"),
        [
            ("client-1001", 1001, "http://127.0.0.1:18001", 10, 8),
            ("client-2002", 2002, "http://127.0.0.1:18001", 7, 4),
            ("hub-9009", 9009, "", 11, 10),
        ],
    )
    def test_configuration_and_counters_stay(
        self, path: Path, name: str, process_id: int, remote: str, clock: int, cursor: int
    ) -> None:
        with Store.open(golden(path, name)) as store:
            assert store.settings.config() == (KEY, process_id, remote, clock)
            assert rows(store, "SELECT cursor FROM replica") == [cursor]

    @pytest.mark.parametrize("name", ["client-1001", "client-2002", "hub-9009"])
    def test_every_entry_keeps_what_it_had(self, path: Path, name: str) -> None:
        with sqlite3.connect(golden(path, name)) as connection:
            before = connection.execute(
                "SELECT key, timestamp, counter, pid, urltoken, length(value), counter, NeedsToBePushed"
                " FROM entries ORDER BY counter"
            ).fetchall()
        connection.close()
        with Store.open(path) as store:
            assert (
                store._database.rows(
                    "SELECT key, timestamp, counter, process_id, url_token, size, sequence, dirty"
                    " FROM entries ORDER BY sequence"
                )
                == before
            )
            assert rows(store, "SELECT DISTINCT mode FROM entries") == [None]

    def test_deleted_keys_are_tombstones(self, taken: Store) -> None:
        for key, process_id in (("binary", 2002), ("empty", 1001)):
            row = taken._entries.current(key)
            assert row is not None
            assert row.entry.deleted
            assert row.process_id == process_id
            assert not taken.revisions(key)

    def test_the_mount_shows_keys_as_files_of_their_time(self, taken: Store) -> None:
        node = taken.tree.file("hello")
        assert read(taken, node) == HELLO
        assert node is not None
        assert node.mtime == node.atime == node.changed == 1795396752478943_000
        assert {child.component for child in taken.tree.children("")} == {"hello", "猫咪 key"}
        assert taken.tree.directory("猫咪 key/") is not None

    def test_what_was_taken_over_is_never_transient(self, taken: Store, clock: Clock) -> None:
        """Other devices may have it, so that its deletion has to be told."""
        clock.now = 1795396752478943_000 + 1000
        node = taken.tree.file("hello")
        assert node is not None
        taken.tree.unlink(node, is_scratch=is_scratch)
        row = taken._entries.current("hello")
        assert row is not None
        assert row.entry.deleted
        assert revision_values(taken, "hello") == [HELLO]

    def test_sequences_go_on_above_the_old_ones_and_timestamps_above_those_of_their_keys(self, taken: Store) -> None:
        """The wall clock of this test is years behind, that of the recording is ahead."""
        entry = taken.set("new", b"1")
        assert entry.counter == 11
        assert entry.process_id == 1001
        assert taken.set("hello", b"2").timestamp > 1795396752478943


class TestBackup:
    def test_is_the_file_as_it_was_for_its_owner_alone(self, path: Path) -> None:
        before = golden(path).read_bytes()
        path.chmod(0o644)
        mask = os.umask(0)
        try:
            Store.open(path).close()
        finally:
            os.umask(mask)
        assert backup_of(path).read_bytes() == before
        assert permissions(backup_of(path)) == permissions(path) == 0o600
        assert contents_of(path.parent).keys() == {path.name, backup_of(path).name}

    def test_follows_no_link_that_others_have_put_there(self, path: Path) -> None:
        before = golden(path).read_bytes()
        victim = path.with_name("victim")
        victim.write_bytes(b"precious")
        for name in (
            backup_of(path),
            Path(f"{backup_of(path)}.{os.getpid()}"),
            Path(f"{backup_of(path)}.{bytes(8).hex()}"),
        ):
            name.symlink_to(victim)
        with pytest.raises(StoreUnavailable, match="file exists"):  # where somebody knew what is random
            Store.open(path, random=bytes)
        Store.open(path).close()
        assert victim.read_bytes() == b"precious"
        assert Path(f"{backup_of(path)}.2").read_bytes() == before

    def test_can_be_taken_over_itself(self, path: Path) -> None:
        Store.open(golden(path)).close()
        with Store.open(backup_of(path)) as store:
            assert store.get("hello").read() == HELLO

    def test_leaves_what_has_its_name_and_takes_the_next(self, path: Path) -> None:
        before = golden(path).read_bytes()
        backup_of(path).write_bytes(b"another backup")
        Store.open(path).close()
        assert backup_of(path).read_bytes() == b"another backup"
        second = Path(f"{backup_of(path)}.2")
        assert second.read_bytes() == before
        assert permissions(second) == 0o600

    def test_takes_the_place_of_the_same_that_an_earlier_attempt_left(self, path: Path) -> None:
        before = golden(path).read_bytes()
        backup_of(path).write_bytes(before)
        backup_of(path).chmod(0o644)
        Store.open(path).close()
        assert contents_of(path.parent).keys() == {path.name, backup_of(path).name}
        assert permissions(backup_of(path)) == 0o600

    def test_has_what_was_still_in_a_journal(self, path: Path) -> None:
        """The last change of a process that died was not finished; the original is what it was before that."""
        original(path, [("a", b"1" * 100, 1, 1001, 1, "t", 0)])
        died = """
            import os, sqlite3
            connection = sqlite3.connect(sys.argv[1], isolation_level=None)
            connection.execute("PRAGMA cache_size=1")
            connection.execute("PRAGMA cache_spill=1")
            connection.execute("BEGIN")
            connection.execute("UPDATE entries SET value = zeroblob(100000)")
            connection.execute("INSERT INTO entries SELECT 'b', zeroblob(1000000), 2, 1001, 2, 't', 0")
            os._exit(0)
        """
        finish(start(died, path))
        assert path.with_name(path.name + "-journal").stat().st_size > 0
        with Store.open(path) as store:
            assert list(store.keys()) == ["a"]
            assert store.get("a").read() == b"1" * 100
        with Store.open(backup_of(path)) as store:
            assert store.get("a").read() == b"1" * 100

    def test_has_what_was_still_in_a_write_ahead_log(self, path: Path) -> None:
        original(path, [("a", b"1", 1, 1001, 1, "t", 0)], wal=True)
        died = """
            import os, sqlite3
            connection = sqlite3.connect(sys.argv[1], isolation_level=None)
            connection.execute("UPDATE entries SET value = x'32'")
            os._exit(0)
        """
        finish(start(died, path))
        with Store.open(path) as store:
            assert store.get("a").read() == b"2"
        with Store.open(backup_of(path)) as store:
            assert store.get("a").read() == b"2"


class TestOnce:
    def test_it_is_said_in_one_line_that_names_the_backup(self, path: Path) -> None:
        said: list[str] = []
        Store.open(golden(path), notice=said.append).close()
        (line,) = said
        assert "\n" not in line
        assert str(backup_of(path)) in line

    def test_a_second_opening_says_and_changes_nothing(self, path: Path) -> None:
        with Store.open(golden(path)) as store:
            taken = state(store)
        before = contents_of(path.parent)
        times = {name: (path.parent / name).stat().st_mtime_ns for name in before}
        said: list[str] = []
        with Store.open(path, notice=said.append) as store:
            assert state(store) == taken
        assert not said
        assert contents_of(path.parent) == before
        assert {name: (path.parent / name).stat().st_mtime_ns for name in before} == times

    def test_a_store_of_our_own_says_nothing_and_has_no_backup(self, path: Path) -> None:
        said: list[str] = []
        for _ in range(2):
            Store.open(path, notice=said.append).close()
        assert not said
        assert not backup_of(path).exists()

    def test_of_several_processes_one_takes_over_and_all_go_on(self, path: Path) -> None:
        golden(path)
        code = """
            print("ready", flush=True)
            sys.stdin.readline()
            with Store.open(sys.argv[1], notice=lambda line: print("took over")) as store:
                store.set(sys.argv[2], b"1")
                print(store.get("hello").read())
        """
        processes = [start(code, path, f"key{number}") for number in range(4)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        told = [finish(process) for process in processes]
        assert sum("took over" in lines for lines in told) == 1
        assert all(repr(HELLO) in lines for lines in told)
        assert backup_of(path).read_bytes() == (GOLDEN / "client-1001.sqlite").read_bytes()
        with Store.open(path) as store:
            assert list(store.keys()) == ["hello", *(f"key{number}" for number in range(4)), CAT]
            audit(store)

    @pytest.mark.parametrize("closed", [True, False])
    @pytest.mark.parametrize("number", range(1, 9))
    def test_another_process_takes_over_before_one_of_the_first_statements(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, number: int, closed: bool
    ) -> None:
        golden(path)
        others: list[Store] = []

        def strike() -> None:
            # It finds the file locked where this process has begun to take over itself.
            with suppress(StoreBusy):
                others.append(Store.open(path, profile=IMPATIENT))
                if closed:
                    others[0].close()

        said: list[str] = []
        Failing.at(monkeypatch, number, strike)
        with Store.open(path, notice=said.append, profile=IMPATIENT) as store:
            assert store.get("hello").read() == HELLO
            store.set("new", b"1")
            assert store._database.row("PRAGMA journal_mode") == ("wal",)
            audit(store)
        for other in () if closed else others:
            assert other.get("new").read() == b"1"
            other.close()
        assert len(said) == (not others)
        assert backup_of(path).read_bytes() == (GOLDEN / "client-1001.sqlite").read_bytes()


class TestValues:
    """Values added to a recorded database before it is taken over."""

    def test_binary_and_large_ones_stay_as_they_are(self, path: Path) -> None:
        binary = random.Random(1).randbytes(300)
        large = random.Random(2).randbytes(5_000_000)
        connection = sqlite3.connect(golden(path), isolation_level=None)
        add(connection, ("bin", binary, 5, 1001, 11, "t1", 1), ("large", large, 6, 1001, 12, "t2", 0))
        connection.close()
        with Store.open(path) as store:
            assert store.get("bin").read() == binary
            assert store.get("large").read() == large
            assert store.entry("large").size == len(large)
            assert count(store, "blocks") == 20
            assert rows(store, "SELECT key FROM entries WHERE dirty") == ["bin"]
            audit(store)

    @pytest.mark.parametrize("size", [1, 16, 17, 64, 65, 256, 257, 1000])
    def test_of_any_size_are_as_they_were(self, path: Path, size: int) -> None:
        value = random.Random(size).randbytes(size)
        with Store.open(original(path, [("a", value, 1, 1001, 1, "t", 0)]), sizes=SMALL) as store:
            assert store.get("a").read() == value
            audit(store)

    def test_may_be_stored_as_text_or_not_at_all(self, path: Path) -> None:
        entries = [("a", "tëxt", 1, 1001, 1, "t", 0), ("b", None, 2, 1001, 2, "u", 0)]
        with Store.open(original(path, entries)) as store:
            assert store.get("a").read() == "tëxt".encode()
            assert list(store.keys()) == ["a"]

    def test_keys_may_be_stored_as_bytes(self, path: Path) -> None:
        with Store.open(original(path, [("clé".encode(), b"1", 1, 1001, 1, "t", 0)])) as store:
            assert list(store.keys()) == ["clé"]


class TestEarlySchema:
    def test_without_tokens_and_marks_gets_new_tokens_and_is_to_be_pushed(self, path: Path) -> None:
        entries = [("a", b"1", 5, 1001, 1), ("b", b"", 6, 1001, 2), ("c", b"3", 7, 2002, 3)]
        with Store.open(original(path, entries, columns=EARLY_COLUMNS)) as store:
            assert list(store.keys()) == ["a", "c"]
            tokens = rows(store, "SELECT url_token FROM entries")
            assert len(set(tokens)) == 3
            assert all(len(token) == 22 for token in tokens)
            assert rows(store, "SELECT DISTINCT dirty FROM entries") == [1]

    def test_without_marks_keeps_its_tokens(self, path: Path) -> None:
        entries = [("a", b"1", 5, 1001, 1, "token"), ("b", b"1", 6, 1001, 2, None)]
        with Store.open(original(path, entries, columns=f"{EARLY_COLUMNS}, urltoken")) as store:
            a, b = rows(store, "SELECT url_token FROM entries ORDER BY key")
            assert a == "token"
            assert len(b) == 22

    def test_a_state_without_remote_has_none(self, path: Path) -> None:
        early = json.dumps({"Counter": 3, "Pid": 7, "Key": KEY.hex()})
        with Store.open(original(path, [], state=early)) as store:
            assert store.settings.config() == (KEY, 7, "", 3)


class TestOddEntries:
    """What an original database may hold without being damaged."""

    def test_of_several_for_one_key_the_winner_is_kept(self, path: Path) -> None:
        entries = [
            ("a", b"old", 5, 1001, 1, "t1", 0),
            ("a", b"new", 7, 2002, 2, "t2", 1),
            ("a", b"older", 4, 1001, 9, "t3", 0),
            ("b", b"", 5, 1001, 3, "t4", 0),
            ("b", b"later", 5, 1001, 4, "t5", 0),
            ("c", b"high", 5, 2002, 5, "t6", 0),
            ("c", b"low", 5, 1001, 5, "t7", 0),
        ]
        with Store.open(original(path, entries)) as store:
            assert {key: store.get(key).read() for key in store.keys()} == {"a": b"new", "b": b"later", "c": b"low"}
            assert rows(store, "SELECT url_token FROM entries ORDER BY key") == ["t2", "t5", "t7"]
            audit(store)

    def test_equal_counters_get_sequences_of_their_own_in_their_order(self, path: Path) -> None:
        entries = [(key, b"1", number, 1001, 5, key, 0) for number, key in enumerate("abc")]
        entries += [("d", b"1", 9, 1001, 6, "d", 0), ("e", b"1", 9, 1001, 2, "e", 0)]
        with Store.open(original(path, entries, state=states(Counter=3))) as store:
            assert store._database.rows("SELECT key, sequence FROM entries ORDER BY sequence") == [
                ("e", 2),
                ("a", 5),
                ("b", 6),
                ("c", 7),
                ("d", 8),
            ]
            # Writers' counters are what others compare, and never change.
            assert rows(store, "SELECT counter FROM entries ORDER BY sequence") == [2, 5, 5, 5, 6]
            assert store.settings.config().clock == 8
            audit(store)

    def test_an_empty_key_is_left_out(self, path: Path) -> None:
        entries = [("", b"1", 1, 1001, 1, "t", 0), (None, b"1", 1, 1001, 2, "t", 0), ("a", b"1", 1, 1001, 3, "t", 0)]
        with Store.open(original(path, entries)) as store:
            assert rows(store, "SELECT key FROM entries") == ["a"]

    def test_no_entries_at_all_are_a_store_to_start_with(self, path: Path) -> None:
        with Store.open(original(path, [])) as store:
            assert not list(store.keys())
            assert store.set("a", b"1").counter == 11
            audit(store)

    @pytest.mark.parametrize("process_id", [0, -1, 2**32, 2**63, 10**30])
    def test_a_process_id_out_of_range_is_replaced_by_a_new_one(self, path: Path, process_id: int) -> None:
        with Store.open(original(path, [], state=states(Pid=process_id)), random=random.Random(1).randbytes) as store:
            assert 1 <= store.settings.config().process_id < 2**32
            assert store.settings.config().process_id != process_id
            assert store.settings.config().encryption_key == KEY

    @pytest.mark.parametrize("process_id", [1, 2**32 - 1])
    def test_a_process_id_at_the_ends_of_the_range_stays(self, path: Path, process_id: int) -> None:
        with Store.open(original(path, [], state=states(Pid=process_id))) as store:
            assert store.settings.config().process_id == process_id


class TestDamage:
    """One error, and the file as it was."""

    def refused(self, path: Path) -> None:
        before = path.read_bytes()
        for _ in range(2):
            with pytest.raises(DamagedStore) as refused:
                Store.open(path)
            assert str(path) in error_line(refused.value)
        # A backup may have been made by then, but nothing else.
        left = contents_of(path.parent)
        assert left.keys() <= {path.name, backup_of(path).name}
        assert all(content == before for content in left.values())

    @pytest.mark.parametrize(
        "state",
        [
            b"",
            b"not JSON",
            b"\xff\xfe",
            b"[]",
            b"[1]",
            b"5",
            b"null",
            b'"text"',
            b"{}",
            b'{"Counter": 1, "Pid": 1}',
            5,
            1.5,
            b"[" * 100_000,
        ],
        ids=lambda state: repr(state)[:30],
    )
    def test_of_the_state_is_refused(self, path: Path, state: Any) -> None:
        self.refused(original(path, [("a", b"1", 1, 1001, 1, "t", 0)], state=state))

    @pytest.mark.parametrize(
        "changed",
        [
            {"Key": ""},
            {"Key": "ab" * 31},
            {"Key": "xy" * 32},
            {"Key": 5},
            {"Key": None},
            {"Pid": "one"},
            {"Pid": None},
            {"Pid": [1]},
            {"Counter": None},
            {"Counter": "ten"},
            {"Counter": 2**70},
            {"Counter": float("inf")},
            {"Counter": float("nan")},
            {"Pid": float("inf")},
            {"RemoteCounter": None},
            {"RemoteCounter": 2**70},
            {"RemoteCounter": -float("inf")},
            {"RemoteHostname": None},
            {"RemoteHostname": ["a"]},
            {"RemoteHostname": {}},
            {"RemoteHostname": "\ud800"},
        ],
        ids=repr,
    )
    def test_of_one_value_of_the_state_is_refused(self, path: Path, changed: dict[str, Any]) -> None:
        self.refused(original(path, [("a", b"1", 1, 1001, 1, "t", 0)], state=states(**changed)))

    @pytest.mark.parametrize("change", ["DELETE FROM state", "UPDATE state SET state = NULL"])
    def test_a_missing_state_is_refused(self, path: Path, change: str) -> None:
        connection = sqlite3.connect(golden(path), isolation_level=None)
        connection.execute(change)
        connection.close()
        self.refused(path)

    @pytest.mark.parametrize(
        "entry",
        [
            (b"\xff", b"1", 1, 1001, 1, "t", 0),
            ("a", b"1", None, 1001, 1, "t", 0),
            ("a", b"1", "now", 1001, 1, "t", 0),
            ("a", b"1", b"1", 1001, 1, "t", 0),
            ("a", b"1", 1.5, 1001, 1, "t", 0),
            ("a", b"1", 1, None, 1, "t", 0),
            ("a", b"1", 1, "me", 1, "t", 0),
            ("a", b"1", 1, 1001, None, "t", 0),
            ("a", b"1", 1, 1001, "first", "t", 0),
            ("a", b"1", 1, 1001, 1.5, "t", 0),
            ("a", b"1", 1, 1001, 1, b"\xff", 0),
        ],
        ids=repr,
    )
    def test_of_an_entry_is_refused(self, path: Path, entry: tuple[Any, ...]) -> None:
        self.refused(original(path, [("b", b"1", 5, 1001, 5, "u", 0), entry]))

    @pytest.mark.parametrize(("timestamp", "dated"), [(2**62, NOW), (-5, 0), (MAX_RECEIVED, MAX_RECEIVED)])
    def test_a_time_that_no_hub_would_take_is_the_present_or_the_earliest(
        self, path: Path, timestamp: int, dated: int
    ) -> None:
        original(path, [("a", b"1", timestamp, 1001, 1, "t", 0)])
        with Store.open(path, notice=lambda _: None, clock=lambda: NOW * 1000) as store:
            assert store.entry("a").timestamp == dated

    @pytest.mark.parametrize("counter", [MAX_COUNTED + 1, 2**53, 2**62 - 1, 2**63 - 1, -1])
    def test_counters_that_nobody_has_counted_follow_the_others(self, path: Path, counter: int) -> None:
        entries = [
            ("a", b"1", 1, 1001, 4, "t", 0),
            ("b", b"2", 2, 1001, counter, "u", 0),
            ("c", b"3", 3, 0, 3, "v", 1),
            ("d", b"4", 4, 2**32, 5, "w", 0),
        ]
        with Store.open(original(path, entries, state=states(Counter=abs(counter))), notice=lambda _: None) as store:
            found = {key: store.entry(key) for key in "abcd"}
            config = store.settings.config()
            assert store.numbers.find(9) == []
            assert [store.get(key).read() for key in "abcd"] == [b"1", b"2", b"3", b"4"]
            assert {key: entry.counter for key, entry in found.items()} == {
                "a": 4,
                "b": max(0, min(counter, 6)),
                "c": 3,
                "d": 5,
            }
            assert config.process_id not in (0, 1001)
            assert found["c"].process_id == found["d"].process_id == config.process_id
            assert found["a"].process_id == 1001
            assert config.clock < 20
            assert store.peers.hub().cursor == 0
            store.set("a", b"5")
            assert store.entry("a").counter == config.clock + 1

    def test_of_an_entry_is_refused_where_another_has_the_same_key(self, path: Path) -> None:
        self.refused(original(path, [("a", b"1", 5, 1001, 5, "u", 0), ("a", b"1", "now", 1001, 1, "t", 0)]))

    @pytest.mark.parametrize("column", ["value", "timestamp", "pid", "counter"])
    def test_a_missing_column_is_refused(self, path: Path, column: str) -> None:
        columns = ", ".join(name for name in EARLY_COLUMNS.split(", ") if name != column)
        self.refused(original(path, [], columns=columns))

    def test_a_garbled_page_is_refused_or_does_not_matter(self, path: Path) -> None:
        content = golden(path).read_bytes()
        for page in range(1, len(content) // 4096):
            path.write_bytes(content[: page * 4096] + b"\x99" * 4096 + content[(page + 1) * 4096 :])
            backup_of(path).unlink(missing_ok=True)
            self.refused(path)


class TestFaults:
    """One step fails, or the process ends at it; the next opening takes over, and nothing is missing."""

    @pytest.fixture
    def source(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
        # Nothing waits for the disk: what ends here is the process, and not the system.
        monkeypatch.setattr(Database, "_wait_for_disk", lambda self, _: self.execute("PRAGMA synchronous=OFF"))
        connection = sqlite3.connect(golden(path), isolation_level=None)
        add(connection, ("large", bytes(range(200)), 6, 1001, 11, "t2", 1))
        connection.close()
        return path.read_bytes()

    def restore(self, path: Path, source: bytes) -> None:
        for file in path.parent.iterdir():
            file.unlink()
        path.write_bytes(source)

    def check(self, path: Path, source: bytes) -> None:
        """Look at what the next opening finds."""
        said: list[str] = []
        with Store.open(path, notice=said.append, sizes=SMALL) as store:
            assert store.get("hello").read() == HELLO
            assert store.get(CAT).read() == CAT_VALUE
            assert store.get("large").read() == bytes(range(200))
            assert store.settings.config() == (KEY, 1001, "http://127.0.0.1:18001", 11)
            assert len(said) <= 1
            audit(store)
        assert backup_of(path).read_bytes() == source
        assert permissions(backup_of(path)) == permissions(path) == 0o600

    def test_a_statement_that_fails(self, path: Path, source: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        def strike() -> None:
            raise sqlite_error(sqlite3.SQLITE_FULL)

        untouched = 0
        for number in itertools.count(1):
            self.restore(path, source)
            with monkeypatch.context() as patch:
                Failing.at(patch, number, strike)
                said: list[str] = []
                error = failure_of(path, said.append)
                struck = Failing.seen >= number
            # Once it is taken over, it is written anew if it can be, so that it gives room back.
            assert isinstance(error, DiskFull) == struck or said
            if struck and not said:
                assert path.read_bytes() == source
                untouched += 1
            self.check(path, source)
            if not struck:
                break
        assert untouched > 30

    def test_an_exception_that_nobody_expects(self, path: Path, source: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        def strike() -> None:
            raise KeyboardInterrupt

        for number in itertools.count(1):
            self.restore(path, source)
            with monkeypatch.context() as patch:
                Failing.at(patch, number, strike)
                struck = True
                try:
                    Store.open(path, sizes=SMALL).close()
                    struck = False
                except KeyboardInterrupt:
                    pass
            self.check(path, source)
            if not struck:
                break
        assert number > 30

    def test_a_process_that_ends(self, path: Path, source: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in itertools.count(1):
            self.restore(path, source)
            child = fork_unmeasured()
            if child == 0:
                try:
                    Failing.at(monkeypatch, number, lambda: os.kill(os.getpid(), signal.SIGKILL))
                    Store.open(path, sizes=SMALL).close()
                    os._exit(0)
                finally:
                    os._exit(1)
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
            self.check(path, source)
            if os.waitstatus_to_exitcode(status) == 0:
                break
        assert number > 30

    @pytest.mark.parametrize("name", ["open", "fsync", "replace"])
    @pytest.mark.parametrize(
        ("number", "kind"),
        [(errno.ENOSPC, DiskFull), (errno.EACCES, StoreUnavailable), (errno.EROFS, StoreUnavailable)],
    )
    def test_a_backup_that_cannot_be_made(
        self,
        path: Path,
        source: bytes,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        number: int,
        kind: type[KvassError],
    ) -> None:
        self.restore(path, source)
        real: Callable[..., Any] = getattr(os, name)

        def fail(first: Any, *arguments: Any, **options: Any) -> Any:
            if name == "open" and ".kvass-go.bak" not in str(first):
                return real(first, *arguments, **options)
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(kind) as refused:
                Store.open(path, sizes=SMALL)
        error_line(refused.value)
        assert contents_of(path.parent) == {path.name: source}
        self.check(path, source)

    def test_a_file_of_another_owner_whose_mode_stays(
        self, path: Path, source: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who may write the file, but does not own it, cannot change its mode; it is taken over all the same."""

        def refuse(*_: Any) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        self.restore(path, source)
        path.chmod(0o660)
        said: list[str] = []
        with monkeypatch.context() as patch:
            patch.setattr(os, "chmod", refuse)
            with Store.open(path, notice=said.append, sizes=SMALL) as store:
                assert store.get("hello").read() == HELLO
        assert len(said) == 1
