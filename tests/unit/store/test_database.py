"""The SQLite file: opening what is and what isn't a store, its modes, transactions and errors."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, suppress
from functools import partial
from pathlib import Path

import pytest

from kvassfs import errors
from kvassfs.errors import (
    DamagedStore,
    DiskFull,
    KeyMissing,
    KvassError,
    NewerStore,
    NotAStore,
    StoreBusy,
    StoreError,
    StoreUnavailable,
)
from kvassfs.store import Store, Written
from kvassfs.store.database import Database
from kvassfs.store.presence import OVERWRITTEN
from kvassfs.store.profile import BULK, COMMAND, FOLLOWER, HUB, MOUNT, SEARCHES, SHARING, Profile
from kvassfs.store.schema import APPLICATION_ID, VERSION
from kvassfs.store.translation import translate_error
from kvassfs.store.waiting import SLICE
from kvassfs.store_errors import StoreReplaced, SystemRefused
from tests.support.stores import ROOT, contents_of, error_line, rows, run, sqlite_error, write


def mode_of(path: Path | str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


class TestMissingFile:
    def test_is_made_for_its_owner_alone(self, path: Path) -> None:
        with Store.open(path) as store:
            store.set("a", b"1")
            for suffix in ("", "-wal", "-shm"):
                assert mode_of(f"{path}{suffix}") == 0o600, suffix

    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
    def test_is_private_whatever_the_umask(self, path: Path, umask: int) -> None:
        out = run(
            """
            import os, stat
            os.umask(int(sys.argv[2]))
            with Store.open(sys.argv[1]) as store:
                store.set("a", b"1")
                for suffix in ("", "-wal", "-shm"):
                    print(oct(stat.S_IMODE(os.stat(sys.argv[1] + suffix).st_mode)))
            """,
            path,
            umask,
        )
        assert out.split() == ["0o600"] * 3

    def test_is_private_behind_a_symbolic_link_too(self, path: Path) -> None:
        link = path.with_name("link")
        link.symlink_to(path)
        run("import os; os.umask(0); Store.open(sys.argv[1]).close()", link)
        assert link.is_symlink()
        assert mode_of(path) == 0o600

    def test_is_marked_as_ours(self, store: Store) -> None:
        assert rows(store, "PRAGMA application_id") == [APPLICATION_ID]
        assert rows(store, "PRAGMA user_version") == [VERSION]

    def test_has_a_write_ahead_log_and_waits_for_the_disk(self, path: Path) -> None:
        with Store.open(path) as store:
            assert rows(store, "PRAGMA journal_mode") == ["wal"]
            assert rows(store, "PRAGMA synchronous") == [2]

    def test_leaves_only_the_database_when_it_is_closed(self, path: Path) -> None:
        Store.open(path).close()
        assert set(contents_of(path.parent)) == {path.name}

    def test_may_be_there_already_but_empty(self, path: Path) -> None:
        path.touch()
        with Store.open(path) as store:
            store.set("a", b"1")
        with Store.open(path) as store:
            assert list(store.keys()) == ["a"]

    def test_may_have_any_name(self, path: Path) -> None:
        for name in ("a b?c=d#e%f", "né😀", "file:x", "x;y'z\""):
            with Store.open(path.with_name(name)) as store:
                store.set("a", b"1")
            with Store.open(path.with_name(name)) as store:
                assert store.get("a").read() == b"1"
            assert set(contents_of(path.parent)) == {name}
            path.with_name(name).unlink()

    def test_called_memory_is_a_file_like_any_other(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(path.parent)
        with Store.open(":memory:") as store:
            store.set("a", b"1")
        with Store.open(":memory:") as store:
            assert list(store.keys()) == ["a"]


class TestUnavailable:
    def refused(self, path: Path) -> str:
        with pytest.raises(StoreUnavailable) as refused:
            Store.open(path)
        assert refused.value.path == str(path)
        assert str(path) in str(refused.value)
        assert refused.value.exit_code == 1
        return error_line(refused.value)

    def test_a_missing_directory_is_named_as_the_reason(self, path: Path) -> None:
        assert "no such file or directory" in self.refused(path.parent / "missing" / "db")
        assert not contents_of(path.parent)

    def test_a_directory_is_no_database(self, path: Path) -> None:
        path.mkdir()
        assert "directory" in self.refused(path)

    def test_a_file_below_a_file_cannot_be(self, path: Path) -> None:
        path.write_text("text")
        assert "not a directory" in self.refused(path / "db")

    def test_a_name_that_is_too_long_is_said_to_be(self, path: Path) -> None:
        assert "too long" in self.refused(path.with_name("x" * 300))


AS_NOBODY = """
import os
from kvassfs.errors import KvassError
import kvassfs.store.takeover
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    with Store.open(sys.argv[1]) as store:
        store.set("a", b"1")
        print("opened")
except KvassError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
class TestPermission:
    """What root is never refused, tried as an ordinary user."""

    @pytest.fixture
    def room(self, tmp_path: Path) -> Iterator[Path]:
        """A directory that an ordinary user reaches."""
        made = tmp_path / "room"
        made.mkdir()
        changed = []
        for above in (made, *made.parents):
            if not above.stat().st_mode & 0o001:
                changed.append((above, above.stat().st_mode))
                above.chmod(above.stat().st_mode | 0o001)
        yield made
        for above, mode in changed:
            above.chmod(mode)

    def as_nobody(self, path: Path) -> str:
        # The interpreter may lie where only root may read, so the process changes its user when all is imported.
        return run(AS_NOBODY, path).strip()

    def test_an_ordinary_user_opens_a_store_of_his_own(self, room: Path) -> None:
        room.chmod(0o777)
        assert self.as_nobody(room / "db") == "opened"

    def test_a_directory_that_may_not_be_written_is_refused(self, room: Path) -> None:
        room.chmod(0o755)
        assert self.as_nobody(room / "db").startswith("StoreUnavailable")
        assert not contents_of(room)

    def test_somebody_elses_private_database_is_refused_and_untouched(self, room: Path) -> None:
        room.chmod(0o777)
        Store.open(room / "db").close()
        before = contents_of(room)
        told = self.as_nobody(room / "db")
        assert told.startswith("StoreUnavailable")
        assert "permission denied" in told
        assert contents_of(room) == before

    def test_a_read_only_database_is_refused(self, room: Path) -> None:
        room.chmod(0o777)
        Store.open(room / "db").close()
        (room / "db").chmod(0o444)
        assert self.as_nobody(room / "db").startswith("ReadOnlyStore")

    def test_a_writable_database_in_a_directory_that_is_not_is_refused(self, room: Path) -> None:
        Store.open(room / "db").close()
        (room / "db").chmod(0o666)
        room.chmod(0o755)
        before = contents_of(room)
        assert self.as_nobody(room / "db").startswith("ReadOnlyStore")
        assert contents_of(room) == before

    def test_an_original_database_whose_backup_cannot_be_made_is_refused_and_untouched(self, room: Path) -> None:
        (room / "db").write_bytes((ROOT / "tests/golden/client-1001.sqlite").read_bytes())
        (room / "db").chmod(0o666)
        room.chmod(0o755)
        before = contents_of(room)
        assert self.as_nobody(room / "db").startswith("ReadOnlyStore")
        assert contents_of(room) == before


def foreign(path: Path, *, wal: bool = False, application_id: int = 0, user_version: int = 0) -> None:
    """Make an SQLite file of another program."""
    connection = sqlite3.connect(path, isolation_level=None)
    if wal:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA application_id={application_id}")
    connection.execute(f"PRAGMA user_version={user_version}")
    connection.execute("CREATE TABLE entries (key)")
    connection.execute("INSERT INTO entries VALUES ('theirs')")
    connection.close()


class TestNotAStore:
    def refused(self, path: Path, kind: type[KvassError] = NotAStore) -> None:
        path.chmod(0o644)
        before, times = contents_of(path.parent), path.stat()
        with pytest.raises(kind) as refused:
            Store.open(path)
        assert str(path) in error_line(refused.value)
        assert contents_of(path.parent) == before
        assert (path.stat().st_mtime_ns, path.stat().st_mode) == (times.st_mtime_ns, times.st_mode)

    @pytest.mark.parametrize("content", [b"x", b"Dear diary\n", b"\0" * 5000, b"text " * 5000, os.urandom(8192)])
    def test_a_file_of_another_kind_stays_as_it_is(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        self.refused(path)

    @pytest.mark.parametrize("wal", [False, True])
    def test_an_sqlite_file_of_another_program_stays_as_it_is(self, path: Path, wal: bool) -> None:
        foreign(path, wal=wal)
        self.refused(path)

    def test_another_application_id_is_another_program(self, path: Path) -> None:
        foreign(path, application_id=0x12345678, user_version=VERSION)
        self.refused(path)

    def test_another_user_version_without_our_mark_is_another_program(self, path: Path) -> None:
        foreign(path, user_version=VERSION)
        self.refused(path)

    @pytest.mark.parametrize("wal", [False, True])
    def test_a_store_of_a_later_version_stays_as_it_is(self, path: Path, wal: bool) -> None:
        foreign(path, wal=wal, application_id=APPLICATION_ID, user_version=VERSION + 1)
        self.refused(path, NewerStore)

    def test_a_later_version_is_named(self, path: Path) -> None:
        foreign(path, application_id=APPLICATION_ID, user_version=VERSION + 6)
        with pytest.raises(NewerStore, match=f"format {VERSION + 6}.*upgrade") as refused:
            Store.open(path)
        assert refused.value.version == VERSION + 6


class TestDamage:
    """Whatever is wrong with the bytes of the file, the error is an expected one."""

    @pytest.fixture
    def sound(self, path: Path) -> bytes:
        """The bytes of a store with short and long values, and revisions."""
        with Store.open(path) as store:
            for number in range(12):
                store.set(f"key{number}", os.urandom(3000))
            for size in (70_000, 300_000, 600_000):
                store.set("large", os.urandom(size))
        return path.read_bytes()

    def use(self, path: Path) -> None:
        with Store.open(path) as store:
            store.settings.config()
            for key in store.keys():
                store.get(key).read()
                store.revisions(key)
            list(store.tree.children(""))
            store.set("key3", b"x" * 200)
            store.delete("key4")
            store.set("large", os.urandom(70_000))
            store.upkeep.clean()

    def told(self, path: Path, damaged: bytes) -> str:
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        path.write_bytes(damaged)
        try:
            self.use(path)
        except KvassError as error:
            error_line(error)
            return type(error).__name__
        return ""

    def test_a_truncated_file_is_damaged(self, path: Path, sound: bytes) -> None:
        for length in (5000, len(sound) // 4096 // 2 * 4096, len(sound) - 4096):
            assert self.told(path, sound[:length]) == "DamagedStore"

    def test_a_cut_header_is_refused(self, path: Path, sound: bytes) -> None:
        for length in (16, 99, 100, 512, 4095):
            assert self.told(path, sound[:length]) in {"DamagedStore", "NotAStore"}

    def test_a_garbled_page_is_damaged_or_does_not_matter(self, path: Path, sound: bytes) -> None:
        for page in range(0, len(sound) // 4096, 3):
            garbled = sound[: page * 4096] + os.urandom(4096) + sound[(page + 1) * 4096 :]
            assert self.told(path, garbled) in {"", "DamagedStore", "NotAStore" if page == 0 else ""}

    def test_an_empty_page_is_damaged_or_does_not_matter(self, path: Path, sound: bytes) -> None:
        for page in range(1, len(sound) // 4096, 3):
            assert self.told(path, sound[: page * 4096] + bytes(4096) + sound[(page + 1) * 4096 :]) in {
                "",
                "DamagedStore",
            }

    def test_text_that_is_not_utf8_is_damaged(self, path: Path, sound: bytes) -> None:
        """In a column as well as in the schema, where SQLite's own message cannot be decoded either."""
        assert self.told(path, sound.replace(b"key1", b"k\xff\xfe1")) == "DamagedStore"
        assert self.told(path, sound.replace(b"CREATE TABLE contents", b"CR\xffATE TABLE contents")) == "DamagedStore"

    def test_a_store_without_its_one_row_is_damaged(self, path: Path, sound: bytes) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("DELETE FROM replica")
        connection.close()
        assert self.told(path, path.read_bytes()) == "DamagedStore"

    def test_nothing_is_written_to_a_damaged_file_that_does_not_open(self, path: Path, sound: bytes) -> None:
        path.write_bytes(sound[:4096])
        with pytest.raises(DamagedStore):
            self.use(path)
        assert contents_of(path.parent) == {path.name: sound[:4096]}


class TestOneProcessTwice:
    """A mount has the store open twice: SQLite's locks belong to the process, not to the connection."""

    def test_another_process_that_closes_last_leaves_the_log_of_this_one(self, path: Path) -> None:
        with Store.open(path) as one, Store.open(path) as two:
            one.set("first", b"1")
            log = os.stat(f"{path}-wal").st_ino
            run("with Store.open(sys.argv[1]) as store: store.set('theirs', b'2')", path)
            assert os.path.exists(f"{path}-wal")
            assert os.stat(f"{path}-wal").st_ino == log
            one.set("second", b"3")
            told = run("with Store.open(sys.argv[1]) as store: print(list(store.keys()))", path)
            assert told.strip() == str(list(two.keys())) == "['first', 'second', 'theirs']"

    def test_it_stays_so_when_one_of_them_is_closed(self, path: Path) -> None:
        with Store.open(path) as one:
            one.set("first", b"1")
            Store.open(path).close()
            run("with Store.open(sys.argv[1]) as store: store.set('theirs', b'2')", path)
            one.set("second", b"3")
            told = run("with Store.open(sys.argv[1]) as store: print(list(store.keys()))", path)
            assert told.strip() == "['first', 'second', 'theirs']"


class TestTransaction:
    def test_is_committed_at_its_end(self, store: Store, open_store: object) -> None:
        with store.transaction:
            write(store, "a", _written(store, b"1"))
        assert not store._database.connection.in_transaction
        assert store.get("a").read() == b"1"

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, DiskFull])
    def test_is_rolled_back_by_any_exception(self, store: Store, error: type[BaseException]) -> None:
        def fail() -> None:
            with store.transaction:
                write(store, "a", _written(store, b"1"))
                raise error("stop")

        with pytest.raises(error):
            fail()
        assert not store._database.connection.in_transaction
        assert list(store.keys()) == []

    def test_joins_the_one_that_it_is_entered_in(self, store: Store) -> None:
        def outer() -> None:
            with store.transaction:
                with store.transaction:
                    write(store, "a", _written(store, b"1"))
                assert store._database.connection.in_transaction
                raise RuntimeError

        with pytest.raises(RuntimeError):
            outer()
        assert list(store.keys()) == []
        store.set("b", b"2")
        assert list(store.keys()) == ["b"]

    def test_of_a_connection_that_is_closed_fails_in_words(self, path: Path) -> None:
        store = Store.open(path)
        store.close()
        with pytest.raises(StoreError, match=r"the database .* failed"):
            store.set("a", b"1")


def _written(store: Store, value: bytes) -> Written:
    return Written(len(value), store._contents.add_inline(value))


IMPATIENT = COMMAND._replace(patience=0.1)


class TestBusy:
    def test_a_write_that_waited_too_long_says_so(self, path: Path, store: Store) -> None:
        store.set("a", b"1")
        with Store.open(path, profile=IMPATIENT) as other, store.transaction:
            with pytest.raises(StoreBusy, match="locked by another process"):
                other.set("a", b"2")
            assert other.get("a").read() == b"1"
        assert store.get("a").read() == b"1"

    def test_reading_never_waits(self, path: Path, store: Store) -> None:
        store.set("a", b"1")
        with Store.open(path, profile=IMPATIENT) as other, store.transaction:
            store._database.execute("UPDATE replica SET remote = 'x'")
            assert other.get("a").read() == b"1"
            assert other.settings.config().remote == ""
            assert list(other.keys()) == ["a"]
            assert other.tree.file("a") is not None

    def test_a_write_waits_for_that_of_another_process(self, path: Path, store: Store) -> None:
        with store.transaction:
            from tests.support.stores import finish, start

            other = start(
                "store = Store.open(sys.argv[1])\nprint('open', flush=True)\nstore.set('b', b'2')\nstore.close()", path
            )
            assert other.stdout is not None
            assert other.stdout.readline() == "open\n"
            store._database.execute("UPDATE replica SET remote = 'x'")
        finish(other)
        assert store.get("b").read() == b"2"

    def test_a_new_store_that_is_locked_says_so(self, path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            Store.open(path, profile=IMPATIENT)
        connection.close()
        Store.open(path).close()


class TestTranslation:
    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (sqlite3.SQLITE_FULL, DiskFull),
            (sqlite3.SQLITE_IOERR_SHMSIZE, DiskFull),
            (sqlite3.SQLITE_CORRUPT, DamagedStore),
            (sqlite3.SQLITE_CORRUPT_INDEX, DamagedStore),
            (sqlite3.SQLITE_NOTADB, NotAStore),
            (sqlite3.SQLITE_BUSY, StoreBusy),
            (sqlite3.SQLITE_BUSY_RECOVERY, StoreBusy),
            (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreBusy),
            (sqlite3.SQLITE_LOCKED, StoreBusy),
            (sqlite3.SQLITE_CANTOPEN, StoreUnavailable),
            (sqlite3.SQLITE_READONLY, StoreUnavailable),
            (sqlite3.SQLITE_READONLY_DBMOVED, StoreUnavailable),
            (sqlite3.SQLITE_PERM, StoreUnavailable),
            (sqlite3.SQLITE_IOERR, StoreError),
            (sqlite3.SQLITE_IOERR_WRITE, StoreError),
            (sqlite3.SQLITE_ERROR, DamagedStore),
            (sqlite3.SQLITE_NOMEM, SystemRefused),
            (sqlite3.SQLITE_IOERR_NOMEM, SystemRefused),
        ],
    )
    def test_of_a_result_code(self, code: int, kind: type[StoreError], path: Path) -> None:
        path.touch()
        error = translate_error(sqlite_error(code), str(path))
        assert type(error) is kind
        assert str(path) in error_line(error)

    def test_of_an_error_without_a_code(self) -> None:
        assert type(translate_error(sqlite3.ProgrammingError("closed"), "/db")) is StoreError

    @pytest.mark.parametrize("method", ["execute", "row", "rows"])
    def test_every_way_to_run_a_statement_has_it(self, store: Store, method: str) -> None:
        with pytest.raises(StoreError, match="no such table"):
            getattr(store._database, method)("SELECT * FROM missing")

    def test_many_statements_have_it(self, store: Store) -> None:
        with pytest.raises(StoreError, match="no such table"):
            store._database.execute_many("INSERT INTO missing VALUES (?)", [(1,)])

    def test_the_errno_of_a_file_system_call_is_the_errors(self) -> None:
        import errno

        assert DiskFull.errno == errno.ENOSPC
        assert StoreBusy.errno == errno.EBUSY
        assert DamagedStore.errno == errno.EIO
        assert KeyMissing.errno == errno.ENOENT

    def test_every_error_derives_from_one(self) -> None:
        kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
        assert all(issubclass(kind, KvassError) for kind in kinds)


class TestDurability:
    @pytest.mark.parametrize(
        ("profile", "synchronous"),
        [(COMMAND, 2), (MOUNT, 1), (BULK, 1), (FOLLOWER, 1), (HUB, 2), (SHARING, 1), (SEARCHES, 1)],
    )
    def test_is_chosen_where_the_store_is_opened(self, path: Path, profile: Profile, synchronous: int) -> None:
        with Store.open(path, profile=profile) as store:
            assert rows(store, "PRAGMA synchronous") == [synchronous]
            assert rows(store, "PRAGMA cache_size") == [-profile.cache]
            assert rows(store, "PRAGMA wal_autocheckpoint") == [profile.log_pages]
            assert rows(store, "PRAGMA busy_timeout") == [int(min(profile.patience, SLICE) * 1000)]

    @pytest.mark.parametrize("temporary", [Store.bulk, Store.durably])
    def test_the_end_of_what_is_temporary_hides_no_error(
        self, path: Path, temporary: Callable[[Store], AbstractContextManager[None]]
    ) -> None:
        store = Store.open(path)
        with pytest.raises(ZeroDivisionError), temporary(store), closing(store._database):
            1 / 0  # noqa: B018

    @pytest.mark.parametrize("profile", [COMMAND, MOUNT, FOLLOWER, HUB, SEARCHES])
    def test_what_is_temporary_ends_with_its_block(self, path: Path, profile: Profile) -> None:
        with Store.open(path, profile=profile) as store:
            pragmas = ("synchronous", "cache_size", "wal_autocheckpoint", "busy_timeout")
            before = [rows(store, f"PRAGMA {pragma}") for pragma in pragmas]
            with suppress(ZeroDivisionError), store.bulk():
                assert rows(store, "PRAGMA synchronous") == [1]
                with store.durably():
                    assert rows(store, "PRAGMA synchronous") == [2]
                assert rows(store, "PRAGMA synchronous") == [1]
                1 / 0  # noqa: B018
            assert [rows(store, f"PRAGMA {pragma}") for pragma in pragmas] == before

    def test_a_checkpoint_copies_the_log(self, path: Path, store: Store) -> None:
        store.set("a", b"needle in the log")
        assert b"needle in the log" not in path.read_bytes()
        store.upkeep.checkpoint()
        assert b"needle in the log" in path.read_bytes()

    def test_the_version_of_the_data_changes_with_others_commits_alone(self, path: Path, store: Store) -> None:
        before = store._database.data_version()
        store.set("a", b"1")
        assert store._database.data_version() == before
        with Store.open(path) as other:
            other.set("a", b"2")
        assert store._database.data_version() != before


def test_a_database_closes_when_opening_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    def noting(database: Database) -> None:
        closed.append(database)
        database.connection.close()

    monkeypatch.setattr(Database, "close", noting)
    path.write_text("text")
    with pytest.raises(NotAStore):
        Store.open(path)
    assert len(closed) == 1


class Scarce:
    """A connection for which there may not be ``enough`` memory to end a transaction."""

    def __init__(self, database: Database) -> None:
        self.enough = True
        self.before_undoing: Callable[[], None] = lambda: None
        self.after_undoing: Callable[[], None] = lambda: None
        self._connection = database.connection
        database.connection = self  # type: ignore[assignment]
        database._run = self.execute

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if not self.enough and sql in {"COMMIT", "ROLLBACK"}:
            raise MemoryError
        if sql != "ROLLBACK":
            return self._connection.execute(sql, parameters)
        self.before_undoing()
        cursor = self._connection.execute(sql, parameters)
        self.after_undoing()
        return cursor

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


KEYS = "SELECT key FROM entries"


def in_snapshot(database: Database) -> list[object]:
    with database.snapshot():
        return database.rows(KEYS)


READERS: dict[str, Callable[[Store], object]] = {
    "execute": lambda store: store._database.execute(KEYS).fetchall(),
    "row": lambda store: store._database.row(KEYS + " ORDER BY key DESC"),
    "only_row": lambda store: store._database.only_row("SELECT clock FROM replica"),
    "rows": lambda store: store._database.rows(KEYS),
    "iterate": lambda store: list(store._database.iterate(KEYS)),
    "snapshot": lambda store: in_snapshot(store._database),
    "data_version": lambda store: store._database.data_version(),
    "free_size": lambda store: store._database.free_size(),
    "keys": lambda store: list(store.keys()),
    "count_keys": Store.count_keys,
    "children": lambda store: [child.component for child in store.tree.children("")],
    "a short value": lambda store: store.get("short").read(),
    "a long value": lambda store: store.get("long").read(),
    "history": lambda store: [version.entry for version in store.history.versions("short")],
}


class TestNoMemoryToUndo:
    """What was not committed is seen by nobody, also where there was no memory to undo it."""

    @pytest.fixture
    def scarce(self, store: Store) -> Scarce:
        store.set("short", b"old")
        store.set("long", b"old" * 100_000)
        return Scarce(store._database)

    def fail_to_change(self, store: Store, scarce: Scarce) -> None:
        def change() -> None:
            with store.transaction:
                store.set("short", b"new")
                store.set("long", b"new" * 100_000)
                store.set("zzz", b"new")

        scarce.enough = False
        with pytest.raises(MemoryError):
            change()
        assert store._database.connection.in_transaction

    @pytest.mark.parametrize("reader", READERS)
    def test_a_reader_fails_as_long_as_there_is_none_and_has_it_undone_then(
        self, path: Path, store: Store, scarce: Scarce, reader: str
    ) -> None:
        read = READERS[reader]
        before = read(store)
        self.fail_to_change(store, scarce)
        for _ in range(2):
            with pytest.raises(MemoryError):
                read(store)
        scarce.enough = True
        assert read(store) == before
        assert not store._database.connection.in_transaction
        with Store.open(path, profile=IMPATIENT) as other:
            other.set("theirs", b"1")
        store.set("mine", b"2")
        assert list(store.keys()) == ["long", "mine", "short", "theirs"]

    def test_the_next_change_is_one_of_what_was_committed(self, store: Store, scarce: Scarce) -> None:
        self.fail_to_change(store, scarce)
        with pytest.raises(MemoryError):
            store.set("other", b"1")
        scarce.enough = True
        store.set("other", b"2")
        assert store.get("short").read() == b"old"
        assert list(store.keys()) == ["long", "other", "short"]

    def test_a_transaction_that_failed_is_undone_by_the_next(self, store: Store, scarce: Scarce) -> None:
        def begin_and_fail() -> None:
            with store.transaction:
                store.set("short", b"new")
                raise KeyError

        scarce.enough = False
        with pytest.raises(MemoryError):
            begin_and_fail()
        assert store._database.connection.in_transaction
        scarce.enough = True
        store.set("other", b"1")
        assert store.get("short").read() == b"old"
        with store._database.snapshot():
            assert store.get("other").read() == b"1"

    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_there_may_be_memory_to_undo_and_none_for_more(self, store: Store, scarce: Scarce, times: int) -> None:
        """It fails when all is undone, as where there is none for what sqlite3 returns."""
        left = times

        def fail() -> None:
            nonlocal left
            left -= 1
            if left >= 0:
                raise MemoryError

        scarce.after_undoing = fail
        with suppress(MemoryError), store._database.snapshot():
            pass
        assert list(store.keys()) == ["long", "short"]
        store.set("short", b"new")
        assert store.get("short").read() == b"new"

    def test_a_moment_that_could_not_be_ended_is_not_read_from_any_more(
        self, path: Path, store: Store, scarce: Scarce
    ) -> None:
        def look() -> None:
            with store._database.snapshot():
                assert list(store.keys()) == ["long", "short"]
                scarce.enough = False

        with pytest.raises(MemoryError):
            look()
        with Store.open(path) as other:
            other.set("theirs", b"1")
        scarce.enough = True
        assert list(store.keys()) == ["long", "short", "theirs"]

    @pytest.mark.parametrize("moment", ["before", "meanwhile"])
    def test_what_was_stopped_does_not_go_on_when_it_is_undone(self, path: Path, moment: str) -> None:
        with closing(Store.open(path)._database) as database:
            scarce = Scarce(database)
            scarce.enough = False
            with pytest.raises(MemoryError), database.transaction:
                database.execute("DELETE FROM directories")
            stop = partial(database.stop, StoreReplaced(str(path), OVERWRITTEN))
            if moment == "before":
                stop()
            else:
                scarce.before_undoing = stop
            scarce.enough = True
            for _ in range(2):
                with pytest.raises(StoreReplaced):
                    database.rows(KEYS)
