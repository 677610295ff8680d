"""The store as the command line uses it: keys and values, configuration, clean-up, and many processes at once."""

from __future__ import annotations

import io
import random
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from kvassfs.errors import DiskFull, EmptyValue, InvalidConfiguration, InvalidKey, KeyMissing
from kvassfs.store import DIRECTORY_MODE, MOUNT, Draft, Store
from kvassfs.store.sizes import KEPT_REVISIONS, KEPT_TIME
from tests.support.stores import (
    REGULAR,
    SMALL,
    Clock,
    Fault,
    audit,
    audit_clean,
    count,
    error_line,
    failing,
    is_scratch,
    read,
    revision_values,
    rows,
    run,
    save,
    state,
)

OpenStore = Callable[[], Store]

INVALID = ["", "\0", "a\0b", "\ud800", "a/\udcff"]


def value_of(size: int) -> bytes:
    return random.Random(size).randbytes(size)


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, as a terminal or a socket does."""

    def __init__(self, value: bytes) -> None:
        super().__init__()
        self._rest = io.BytesIO(value)
        self._numbers = random.Random(1)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        few = self._numbers.randint(1, 20)
        return self._rest.read(few if size < 0 else min(size, few))


class TestSetting:
    @pytest.mark.parametrize("value", [b"1", b"\n", b"\0", bytes(range(256)), "喵 👋".encode()])
    def test_gives_back_the_same_bytes(self, store: Store, value: bytes) -> None:
        entry = store.set("a", value)
        assert store.get("a").read() == value
        assert store.get("a").size == entry.size == len(value)
        assert store.entry("a") == entry

    def test_is_seen_by_others_at_once(self, store: Store, open_store: OpenStore) -> None:
        other = open_store()
        store.set("a", b"1")
        assert other.get("a").read() == b"1"
        other.set("a", b"2")
        assert store.get("a").read() == b"2"

    def test_of_nothing_deletes(self, store: Store) -> None:
        store.set("a", b"1")
        entry = store.set("a", b"")
        assert entry.deleted
        assert not list(store.keys())
        with pytest.raises(KeyMissing):
            store.get("a")
        assert revision_values(store, "a") == [b"1"]

    def test_of_nothing_where_nothing_was_is_a_tombstone(self, store: Store) -> None:
        assert store.set("a", b"").deleted
        assert rows(store, "SELECT key FROM entries") == ["a"]

    def test_of_nothing_removes_an_empty_file_too(self, store: Store) -> None:
        save(store, "a", b"")
        assert store.set("a", b"").deleted
        assert store.tree.file("a") is None

    def test_makes_a_file_of_a_symbolic_link(self, store: Store) -> None:
        save(store, "a", b"target", mode=stat.S_IFLNK | 0o777)
        assert store.set("a", b"2").mode == REGULAR

    @pytest.mark.parametrize("mode", [REGULAR, stat.S_IFREG | 0o755])
    def test_keeps_the_mode(self, store: Store, mode: int) -> None:
        save(store, "a", b"1", mode=mode)
        assert store.set("a", b"2").mode == mode

    def test_after_deletion_has_no_mode(self, store: Store) -> None:
        save(store, "a", b"1", mode=stat.S_IFREG | 0o755)
        store.delete("a")
        assert store.set("a", b"2").mode is None

    def test_takes_the_place_of_a_scratch_file(self, store: Store) -> None:
        save(store, "a~", b"scratch", scratch=True)
        store.set("a~", b"1")
        node = store.tree.file("a~")
        assert node is not None
        assert not node.is_scratch
        assert read(store, node) == b"1"
        assert count(store, "scratch") == 0

    @pytest.mark.parametrize("key", INVALID)
    def test_under_an_invalid_key_is_refused_as_is_all_else(self, store: Store, key: str) -> None:
        before = state(store)
        for action in (
            lambda: store.set(key, b"1"),
            lambda: store.set(key, b""),
            lambda: store.set_stream(key, io.BytesIO(b"1")),
            lambda: store.get(key),
            lambda: store.entry(key),
            lambda: store.delete(key),
            lambda: store.revisions(key),
        ):
            with pytest.raises(InvalidKey) as refused:
                action()
            assert refused.value.key == key
            error_line(refused.value)
        assert state(store) == before

    @pytest.mark.parametrize(
        "key", [".", "..", "/", "a/", "//", " ", "\n", "%@", "\ufeff", "x" * 100_000, "é", "e\u0301"]
    )
    def test_under_any_other_key_is_possible(self, store: Store, key: str) -> None:
        store.set(key, b"1")
        assert list(store.keys()) == [key]
        assert store.get(key).read() == b"1"


class TestStreams:
    @pytest.mark.parametrize("size", [1, 15, 16, 17, 63, 64, 65, 96, 97, 128, 256, 257, 1000, 5000])
    def test_of_every_size_are_stored_as_they_are(self, small: None, store: Store, size: int) -> None:
        value = value_of(size)
        assert store.set_stream("a", io.BytesIO(value)).size == size
        assert list(store.keys()) == ["a"]
        assert store.get("a").read() == value
        audit_clean(store)

    def test_of_nothing_are_refused_and_change_nothing(self, store: Store) -> None:
        store.set("a", b"1")
        for key in ("a", "b"):
            with pytest.raises(EmptyValue):
                store.set_stream(key, io.BytesIO(b""))
        assert store.get("a").read() == b"1"
        assert rows(store, "SELECT key FROM entries") == ["a"]

    @pytest.mark.parametrize("size", [1, 16, 17, 64, 200, 1000])
    def test_that_give_a_little_at_a_time_are_read_to_their_end(self, small: None, store: Store, size: int) -> None:
        value = value_of(size)
        store.set_stream("a", Trickle(value))
        assert store.get("a").read() == value

    def test_are_stored_in_bounded_memory(self, small: None, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        drafts: list[Draft] = []
        draft_of = store._make_draft

        def noted(value: bytes) -> Draft:
            drafts.append(draft_of(value))
            return drafts[-1]

        monkeypatch.setattr(store, "_make_draft", noted)
        kept = 0

        class Long(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                nonlocal kept
                kept = max(kept, *(len(draft._memory) for draft in drafts), 0)
                return super().read(size)

        store.set_stream("a", Long(value_of(20_000)))
        assert store.get("a").size == 20_000
        assert 0 < kept <= 6

    def test_that_fail_change_nothing(self, small: None, store: Store) -> None:
        class Broken(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell() > 1000:
                    raise OSError("gone")
                return super().read(size)

        store.set("a", b"old")
        before = state(store)
        with pytest.raises(OSError, match="gone"):
            store.set_stream("a", Broken(value_of(3000)))
        assert state(store) == before
        audit_clean(store)


class TestReading:
    def test_of_a_missing_key_names_it(self, store: Store) -> None:
        for action in (store.get, store.entry, store.delete):
            with pytest.raises(KeyMissing) as missing:
                action("a b")
            assert missing.value.key == "a b"
            assert "a b" in error_line(missing.value)

    def test_is_a_block_at_a_time(self, small: None, store: Store) -> None:
        store.set("a", value_of(300))
        assert [len(piece) for piece in store.get("a").chunks()] == [64, 64, 64, 64, 44]
        store.set("b", value_of(16))
        assert [len(piece) for piece in store.get("b").chunks()] == [16]

    def test_has_one_version_whatever_others_do_meanwhile(
        self, small: None, store: Store, open_store: OpenStore
    ) -> None:
        store.set("a", value_of(1000))
        other = open_store()
        pieces = []
        for piece in store.get("a").chunks():
            pieces.append(piece)
            other.set("a", value_of(500))
            other.upkeep.clean()
        assert b"".join(pieces) == value_of(1000)
        assert store.get("a").read() == value_of(500)

    @pytest.mark.parametrize("size", [10, 1000, 1500])
    def test_keeps_no_log_while_its_reader_is_slow(
        self, small: None, store: Store, open_store: OpenStore, size: int
    ) -> None:
        store.set("a", value_of(size))
        other = open_store()
        chunks = store.get("a").chunks()
        next(chunks)
        other.set("b", value_of(1000))
        other.upkeep.checkpoint()
        assert other.upkeep.log_size() == 0
        assert len(b"".join(chunks)) > size - 65
        assert count(store, "pins") == 0

    def test_has_the_version_of_when_it_begins(self, store: Store) -> None:
        store.set("a", b"1")
        value = store.get("a")
        store.set("a", b"22")
        assert value.read() == b"22"
        assert value.size == 2
        store.delete("a")
        with pytest.raises(KeyMissing):
            value.read()
        store.set("a", b"3")

    def test_may_end_early(self, small: None, store: Store) -> None:
        store.set("a", value_of(1000))
        chunks = store.get("a").chunks()
        next(chunks)
        chunks.close()
        store.set("a", b"1")
        assert store.get("a").read() == b"1"


class TestKeys:
    def test_are_in_the_order_of_their_utf8(self, store: Store) -> None:
        keys = ["", "\n", " ", "!", "/", "A", "B", "a", "a ", "a!", "a/", "a/b", "a0", "b", "z", "é", "\uffff", "😀"]
        shuffled = keys[1:]
        random.Random(1).shuffle(shuffled)
        for key in shuffled:
            store.set(key, b"1")
        assert list(store.keys()) == sorted(keys[1:], key=str.encode) == keys[1:]

    def test_keep_no_log_while_their_reader_is_slow(self, store: Store, open_store: OpenStore) -> None:
        for key in "abcdefgh":
            store.set(key, b"1")
        other = open_store()
        keys = store.keys()
        assert next(keys) == "a"
        other.set("i", b"1")
        other.upkeep.checkpoint()
        assert other.upkeep.log_size() == 0
        assert "".join(keys) == "bcdefghi"

    def test_are_those_that_are_there(self, store: Store) -> None:
        store.set("a", b"1")
        store.set("deleted", b"1")
        store.delete("deleted")
        save(store, "empty", b"")
        save(store, "scratch~", b"1", scratch=True)
        store.tree.directories.make("directory/", 0o40700, is_scratch=is_scratch)
        assert list(store.keys()) == ["a", "empty"]
        assert store.count_keys() == 2

    def test_differ_in_case_and_form(self, store: Store) -> None:
        for key in ("é", "e\u0301", "É", "a", "A"):
            store.set(key, key.encode())
        assert {key: store.get(key).read() for key in store.keys()} == {
            key: key.encode() for key in ("é", "e\u0301", "É", "a", "A")
        }


class TestDeleting:
    def test_leaves_a_tombstone_and_a_revision(self, store: Store) -> None:
        store.set("a", b"1")
        tombstone = store.delete("a")
        assert tombstone.deleted
        assert revision_values(store, "a") == [b"1"]
        with pytest.raises(KeyMissing):
            store.delete("a")

    def test_of_an_empty_file_is_as_of_others(self, store: Store) -> None:
        save(store, "a", b"")
        assert store.get("a").read() == b""
        assert store.delete("a").deleted
        assert store.tree.file("a") is None

    def test_the_last_key_of_a_directory_without_an_entry_ends_it(self, store: Store) -> None:
        store.set("a/b/c", b"1")
        store.set("a/d", b"1")
        store.delete("a/b/c")
        assert store.tree.directory("a/b/") is None
        assert store.tree.directory("a/") is not None

    def test_leaves_a_directory_that_was_made(self, store: Store) -> None:
        store.tree.directories.make("a/", DIRECTORY_MODE, is_scratch=is_scratch)
        store.set("a/b", b"1")
        store.delete("a/b")
        assert store.tree.directory("a/") is not None


class TestRetention:
    def test_the_newest_versions_are_kept_whole(self, small: None, store: Store) -> None:
        for number in range(KEPT_REVISIONS + 5):
            store.set("a", value_of(100 + number))
        expected = [value_of(100 + number) for number in range(4, KEPT_REVISIONS + 4)][::-1]
        assert revision_values(store, "a") == expected
        audit_clean(store)
        assert revision_values(store, "a") == expected

    def test_what_is_too_old_goes_with_the_next_set_of_any_key(self, small: None, store: Store, clock: Clock) -> None:
        for number in range(3):
            store.set("a", value_of(100 + number))
        clock.advance(KEPT_TIME * 1000 + 1)
        store.set("b", b"1")
        assert revision_values(store, "a") == []
        assert store.get("a").read() == value_of(102)
        while store.upkeep.tidy():  # the `set` itself did some milliseconds of it
            pass
        assert count(store, "blocks") == 2
        assert count(store, "dropped_blocks") == count(store, "dropped_contents") == 0


class TestCleaning:
    def test_of_a_store_without_anything_to_do_says_so(self, store: Store) -> None:
        assert not store.upkeep.clean()
        store.set("a", b"1")
        assert not store.upkeep.clean()

    def test_is_done_by_a_set_and_by_a_delete(self, small: None, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(store.upkeep, "_timer", lambda: 0.0)
        actions: list[Callable[[], object]] = [lambda: store.set("b", b"1"), lambda: store.delete("b")]
        for action in actions:
            store.tree.unlink(save(store, "a~", value_of(1000), scratch=True), is_scratch=is_scratch)
            assert store._contents.has_dropped()
            action()
            assert not store._contents.has_dropped()
            assert count(store, "blocks") == 0

    def test_that_fails_fails_no_set(self, small: None, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        store.tree.unlink(save(store, "a~", value_of(1000), scratch=True), is_scratch=is_scratch)

        def fail(_: int) -> bool:
            raise DiskFull(store.path)

        monkeypatch.setattr(store.upkeep, "_take_step", fail)
        store.set("b", b"1")
        assert store.get("b").read() == b"1"
        assert store._contents.has_dropped()


class TestConfiguration:
    def test_is_kept_and_seen_by_others_at_once(self, store: Store, open_store: OpenStore) -> None:
        other = open_store()
        store.settings.set_encryption_key(bytes(range(32)))
        store.settings.set_process_id(7)
        store.settings.set_remote("https://hüb.example/kvass?a=1")
        assert (
            other.settings.config()
            == store.settings.config()
            == (bytes(range(32)), 7, "https://hüb.example/kvass?a=1", 0)
        )
        assert open_store().settings.config() == store.settings.config()
        store.settings.set_remote("")
        assert other.settings.config().remote == ""

    @pytest.mark.parametrize("key", [b"", bytes(16), bytes(31), bytes(33), bytes(64)])
    def test_refuses_a_key_of_another_length(self, store: Store, key: bytes) -> None:
        before = store.settings.config()
        with pytest.raises(InvalidConfiguration, match="32 bytes"):
            store.settings.set_encryption_key(key)
        assert store.settings.config() == before

    @pytest.mark.parametrize("process_id", [0, -1, 2**32, 2**64])
    def test_refuses_a_process_id_out_of_range(self, store: Store, process_id: int) -> None:
        before = store.settings.config()
        with pytest.raises(InvalidConfiguration, match="from 1 to 4294967295"):
            store.settings.set_process_id(process_id)
        assert store.settings.config() == before

    @pytest.mark.parametrize("process_id", [1, 2**32 - 1])
    def test_accepts_the_ends_of_the_range(self, store: Store, process_id: int) -> None:
        store.settings.set_process_id(process_id)
        assert store.settings.config().process_id == process_id

    def test_of_the_process_id_is_for_what_is_written_from_then_on(self, store: Store, open_store: OpenStore) -> None:
        other = open_store()
        before = store.set("a", b"1")
        store.settings.set_process_id(7)
        assert other.set("b", b"1").process_id == 7
        assert store.entry("a") == before

    def test_counts_the_clock(self, store: Store) -> None:
        store.set("a", b"1")
        store.delete("a")
        assert store.settings.config().clock == 2


class TestScratchPatterns:
    def test_are_the_default_ones_at_first(self, store: Store) -> None:
        assert store.settings.scratch_patterns() is None

    @pytest.mark.parametrize("patterns", [(), ("*~",), ("b", "a", "b"), ("[é]*", "\n", '"', "\\")])
    def test_are_kept_as_they_are(self, store: Store, open_store: OpenStore, patterns: tuple[str, ...]) -> None:
        store.settings.set_scratch_patterns(["old"])
        store.settings.set_scratch_patterns(list(patterns))
        assert store.settings.scratch_patterns() == open_store().settings.scratch_patterns() == patterns

    def test_go_back_to_the_default_ones(self, store: Store) -> None:
        store.settings.set_scratch_patterns(["*~"])
        for _ in range(2):
            store.settings.set_scratch_patterns(None)
            assert store.settings.scratch_patterns() is None


class FailingCommit(Fault):
    """Makes commits fail."""

    def __init__(self) -> None:
        super().__init__(1)

    def __call__(self, sql: str) -> None:
        if sql == "COMMIT":
            super().__call__(sql)


class TestSync:
    def commits(self, store: Store, action: Callable[[], object]) -> list[int]:
        """Return how each of the commits waits for the disk (2: until it is there)."""
        seen = []

        def look(sql: str) -> None:
            if sql == "COMMIT":
                seen.append(store._database.connection.execute("PRAGMA synchronous").fetchone()[0])

        with failing(store._database, look):
            action()
        return seen

    def test_reaches_the_disk_with_a_commit_of_its_own(self, store: Store) -> None:
        store._database.apply(MOUNT)
        assert self.commits(store, lambda: save(store, "a", b"1")) == [1]
        log = Path(f"{store.path}-wal")
        before = log.read_bytes()
        assert self.commits(store, store.flush) == [2]
        # SQLite waits for the disk only where it has something to write.
        assert log.read_bytes() != before
        assert self.commits(store, lambda: save(store, "b", b"1")) == [1]

    def test_changes_nothing_but_the_clock(self, store: Store) -> None:
        store.set("a", b"1")
        before = state(store)
        store.flush()
        assert {**state(store), "replica": []} == {**before, "replica": []}

    def test_that_fails_says_so_and_leaves_the_connection_as_it_was(self, store: Store) -> None:
        store._database.apply(MOUNT)
        with failing(store._database, FailingCommit()), pytest.raises(DiskFull):
            store.flush()
        assert rows(store, "PRAGMA synchronous") == [1]
        store.flush()

    def test_is_no_matter_to_the_command_line_whose_sets_wait(self, path: Path) -> None:
        with Store.open(path) as store:
            assert set(self.commits(store, lambda: store.set("a", b"1"))) == {2}
            assert set(self.commits(store, lambda: store.delete("a"))) == {2}


class TestClosing:
    def test_ends_all_use(self, path: Path) -> None:
        with Store.open(path) as store:
            store.set("a", b"1")
        with pytest.raises(sqlite3.ProgrammingError):
            store._database.connection.execute("SELECT 1")

    def test_lets_go_of_what_drafts_held(self, path: Path) -> None:
        with Store.open(path, sizes=SMALL) as store:
            save(store, "a", value_of(1000))
            draft = store.tree.open("a")[1]
            draft.write(0, value_of(64 * 6))
            assert count(store, "pins") > 0
            assert count(store, "staged") > 0
        with Store.open(path, sizes=SMALL) as store:
            assert count(store, "pins") == count(store, "staged") == count(store, "holders") == 0
            audit_clean(store)

    def test_follows_any_exception(self, path: Path) -> None:
        with pytest.raises(ZeroDivisionError), Store.open(path) as store:
            raise ZeroDivisionError
        with pytest.raises(sqlite3.ProgrammingError):
            store._database.connection.execute("SELECT 1")


TOGETHER = """
import os
import random
gate, opened = os.pipe()
children = []
for number in range(int(sys.argv[2])):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(opened)
            os.read(gate, 1)
            with Store.open(sys.argv[1]) as store:
                {action}
            status = 0
        finally:
            os._exit(status)
    children.append(child)
os.close(opened)
print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""
"""Processes that begin at the same moment: when the other end of the pipe is closed."""


class TestManyProcesses:
    NUMBER = 20

    def together(self, path: Path, action: str) -> None:
        """Have so many processes open the store and do something, in which all must succeed."""
        told = run(TOGETHER.format(action=action), path, self.NUMBER)
        assert told.split() == ["0"] * self.NUMBER

    def test_make_one_store(self, path: Path) -> None:
        self.together(path, "open(f'{sys.argv[1]}.{number}', 'w').write(repr(store.settings.config()))")
        with Store.open(path) as store:
            configs = {path.with_name(f"{path.name}.{number}").read_text() for number in range(self.NUMBER)}
            assert configs == {repr(store.settings.config())}
            assert count(store, "replica") == 1
            audit(store)

    def test_make_a_store_and_set_a_key_each(self, path: Path) -> None:
        self.together(path, "store.set(f'key{number}', random.Random(number).randbytes(number + 1))")
        with Store.open(path) as store:
            assert {key: store.get(key).read() for key in store.keys()} == {
                f"key{number}": random.Random(number).randbytes(number + 1) for number in range(self.NUMBER)
            }
            assert store.settings.config().clock == self.NUMBER
            audit(store)

    def test_set_the_same_key_one_after_another(self, path: Path) -> None:
        self.together(path, "store.set('a', random.Random(number).randbytes(100_000))")
        with Store.open(path) as store:
            values = [store.get("a").read(), *revision_values(store, "a")]
            assert len(set(values)) == KEPT_REVISIONS + 1
            assert set(values) <= {random.Random(number).randbytes(100_000) for number in range(self.NUMBER)}
            counters = [store.entry("a").counter, *(revision.entry.counter for revision in store.revisions("a"))]
            assert counters == list(range(self.NUMBER, self.NUMBER - KEPT_REVISIONS - 1, -1))
            store.upkeep.release_dead_holders()
            audit_clean(store)


def test_the_value_of_a_symbolic_link_is_its_target(store: Store) -> None:
    save(store, "link", b"../target", mode=stat.S_IFLNK | 0o777)
    assert store.get("link").read() == b"../target"


class TestListing:
    KEYS = ("a", "a/", "a/b", "a/b/c", "a/c", "a0", "ab", "b/x/y", "b/x/z", "é", "\U0010ffff", "\U0010ffff\U0010ffff/x")

    @pytest.fixture
    def filled(self, store: Store) -> Store:
        for key in self.KEYS:
            store.set(key, b"value")
        store.set("a/gone", b"value")
        store.delete("a/gone")
        return store

    @pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b", "b/", "b/x/", "c", "\U0010ffff", "\udc80", "\0"])
    def test_the_keys_that_begin_with_a_prefix(self, filled: Store, prefix: str) -> None:
        wanted = sorted((key for key in self.KEYS if key.startswith(prefix)), key=str.encode)
        assert list(filled.keys(prefix)) == wanted

    def test_they_are_counted(self, filled: Store) -> None:
        assert filled.count_keys() == len(self.KEYS)

    @pytest.mark.parametrize(
        ("prefix", "level"),
        [
            ("", ["a", "a/", "a0", "ab", "b/", "é", "\U0010ffff", "\U0010ffff\U0010ffff/"]),
            ("a", ["a", "a/", "a0", "ab"]),
            ("a/", ["a/", "a/b", "a/b/", "a/c"]),
            ("a/b", ["a/b", "a/b/"]),
            ("b", ["b/"]),
            ("b/", ["b/x/"]),
            ("b/x/", ["b/x/y", "b/x/z"]),
            ("c", []),
            ("\udc80", []),
        ],
    )
    def test_a_level_of_them_as_of_paths(self, filled: Store, prefix: str, level: list[str]) -> None:
        assert list(filled.level(prefix)) == level

    def test_a_level_searches_once_for_each_answer(self, small: None, store: Store) -> None:
        with store.transaction:
            for number in range(300):
                store.set(f"d{number % 3}/{number}", b"v")
        searches: list[str] = []
        store._database.connection.set_trace_callback(searches.append)
        assert list(store.level("")) == ["d0/", "d1/", "d2/"]
        store._database.connection.set_trace_callback(None)
        assert len(searches) == 4


@pytest.mark.parametrize("key", ["\x01link/token/-/often/key", "\x01link/token/-/often/directory/"])
def test_nothing_is_set_where_links_travel(store: Store, key: str) -> None:
    with pytest.raises(InvalidKey):
        store.set(key, b"x")
    with pytest.raises(InvalidKey):
        store.set_stream(key, io.BytesIO(b"x"))
    with pytest.raises(InvalidKey):
        store.set_empty(key)
    assert rows(store, "SELECT * FROM entries") == []
