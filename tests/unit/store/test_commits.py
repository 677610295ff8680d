"""Noticing commits: whose, how soon, through what becomes of the log, and at what cost while nothing happens.

The looks without an event are ``SLOW`` apart here, so that what is noticed before was told by an event.
"""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kvassfs.errors import NotAStore, StoreError, StoreUnavailable
from kvassfs.store import Store
from kvassfs.store.commits import POLLING_INTERVAL, SHORTEST_PAUSE, CommitWatch, Inotify
from kvassfs.store.profile import COMMAND, MOUNT
from tests.support.stores import contents_of, error_line, finish, rows, start

SLOW = 40.0

MODES = pytest.mark.parametrize("durable", [False, True], ids=["NORMAL", "FULL"])


@pytest.fixture
def writer(path: Path) -> Iterator[Store]:
    with Store.open(path) as store:
        yield store


@pytest.fixture
def watch(path: Path, writer: Store) -> Iterator[CommitWatch]:
    with closing(CommitWatch(str(path), interval=SLOW)) as opened:
        yield opened


class Told:
    """Stands in for the kernel: tells of an event at the looks with these numbers, or at all of them."""

    def __init__(self, *numbers: int, always: bool = False) -> None:
        self.descriptor, self._writing = os.pipe()
        self._numbers = numbers
        self._always = always
        self.looks = 0
        if always:
            os.write(self._writing, b"x")

    def news(self) -> bool:
        self.looks += 1
        return self._always or self.looks in self._numbers

    def attached(self) -> bool:
        return True

    def close(self) -> None:
        os.close(self.descriptor)
        os.close(self._writing)


def commit(store: Store) -> None:
    with store.transaction:
        store._database.execute("UPDATE syncs SET number = number + 1")


def commits(store: Store) -> int:
    return int(rows(store, "SELECT number FROM syncs")[0])


def refuse(path: str) -> Inotify:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def wait_told(watch: CommitWatch) -> None:
    """Wait for a change, and fail if only the slow look noticed it."""
    started = time.monotonic()
    assert watch.wait(SLOW)
    assert time.monotonic() - started < SLOW / 2


def settle(watch: CommitWatch) -> None:
    """Forget what was, as if nothing had happened for ages, so that only a new event makes for a look."""
    while watch.wait(0.1):
        pass
    assert watch._events is not None
    assert watch._events.attached()
    watch._last_news = float("-inf")


@contextmanager
def later(path: Path, *, durable: bool = False) -> Iterator[None]:
    """Commit in another thread while the body waits."""

    def run() -> None:
        with Store.open(path, profile=COMMAND if durable else MOUNT) as store:
            time.sleep(0.2)
            commit(store)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()


def count_looks(watch: CommitWatch, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows with every look."""
    looks: list[int] = []
    real = watch._database.data_version

    def data_version() -> int:
        looks.append(1)
        return real()

    monkeypatch.setattr(watch._database, "data_version", data_version)
    return looks


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class TestCommit:
    @MODES
    def test_of_this_process_is_noticed(self, watch: CommitWatch, path: Path, durable: bool) -> None:
        settle(watch)
        with later(path, durable=durable):
            wait_told(watch)

    @MODES
    def test_of_another_process_is_noticed(self, watch: CommitWatch, path: Path, durable: bool) -> None:
        process = start(
            """
            from kvassfs.store.profile import COMMAND, MOUNT
            with Store.open(sys.argv[1], profile=COMMAND if sys.argv[2] == "True" else MOUNT) as store:
                print("ready", flush=True)
                for _ in sys.stdin:
                    store.set("key", b"value")
            """,
            path,
            durable,
        )
        assert process.stdout is not None
        process.stdout.readline()
        settle(watch)
        assert process.stdin is not None
        timer = threading.Timer(0.2, lambda: process.stdin and (process.stdin.write("set\n"), process.stdin.flush()))
        timer.start()
        wait_told(watch)
        timer.join()
        finish(process)

    def test_before_the_wait_is_noticed(self, watch: CommitWatch, writer: Store) -> None:
        commit(writer)
        assert watch.wait(0)

    def test_is_noticed_once(self, watch: CommitWatch, writer: Store) -> None:
        for _ in range(50):
            commit(writer)
        assert watch.wait(0)
        assert not watch.wait(0.2)

    def test_none_before_this_was_made_counts(self, path: Path, writer: Store) -> None:
        commit(writer)
        with closing(CommitWatch(str(path), interval=SLOW)) as watch:
            assert not watch.wait(0.2)

    def test_may_become_visible_long_after_its_event(self, path: Path, writer: Store) -> None:
        with closing(CommitWatch(str(path), interval=SLOW, open_events=lambda _: Told(1))) as watch, later(path):
            wait_told(watch)

    def test_without_any_event_is_noticed_at_the_next_look(self, path: Path, writer: Store) -> None:
        with closing(CommitWatch(str(path), interval=0.1, open_events=lambda _: Told())) as watch, later(path):
            wait_told(watch)

    def test_may_have_had_its_event_before_another_one_was_noticed(self, path: Path, writer: Store) -> None:
        with closing(CommitWatch(str(path), interval=SLOW, open_events=lambda _: Told(1))) as watch:
            commit(writer)
            assert watch.wait(0)
            with later(path):
                wait_told(watch)

    @MODES
    @pytest.mark.parametrize("seed", range(2))
    def test_is_never_missed_among_many(
        self, watch: CommitWatch, path: Path, writer: Store, durable: bool, seed: int
    ) -> None:
        process = start(
            """
            import random, time
            chance = random.Random(sys.argv[3])
            from kvassfs.store.profile import COMMAND, MOUNT
            with Store.open(sys.argv[1], profile=COMMAND if sys.argv[2] == "True" else MOUNT) as store:
                for _ in range(100):
                    time.sleep(chance.choice([0, 0, 0.0005, 0.002, 0.01, 0.05]) * chance.random())
                    with store.transaction:
                        store._database.execute("UPDATE syncs SET number = number + 1")
            """,
            path,
            durable,
            seed,
        )
        chance = random.Random(seed)
        while commits(writer) < 100:
            wait_told(watch)
            time.sleep(chance.choice([0, 0.001, 0.02]) * chance.random())
        finish(process)


class TestLargeTransaction:
    SPILL = """
        with Store.open(sys.argv[1]) as store:
            store._database.execute("PRAGMA cache_size=10")
            store._database.execute("BEGIN IMMEDIATE")
            for number in range(2000):
                store._database.execute("INSERT INTO settings VALUES (?, ?)", (f"name {number}", "value" * 100))
            print(store.upkeep.log_size(), flush=True)
            store._database.execute(sys.stdin.readline())
        """

    def test_is_noticed_when_it_ends_and_not_before(self, watch: CommitWatch, path: Path) -> None:
        process = start(self.SPILL, path)
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 100_000
        assert not watch.wait(0.5)
        assert process.stdin is not None
        process.stdin.write("COMMIT\n")
        process.stdin.flush()
        wait_told(watch)
        finish(process)

    def test_is_not_noticed_if_it_is_rolled_back(self, watch: CommitWatch, path: Path) -> None:
        process = start(self.SPILL, path)
        process.communicate("ROLLBACK\n")
        assert process.returncode == 0
        assert not watch.wait(0.5)


class TestLog:
    def test_is_made_and_watched_if_nobody_has_opened_the_database(self, path: Path) -> None:
        Store.open(path).close()
        log = Path(f"{path}-wal")
        assert not log.exists()
        with closing(CommitWatch(str(path), interval=SLOW)) as watch:
            assert log.exists()
            settle(watch)
            with later(path):
                wait_told(watch)

    def test_outlives_the_last_other_connection(self, path: Path) -> None:
        Store.open(path).close()
        with closing(CommitWatch(str(path), interval=SLOW)) as watch:
            for _ in range(3):
                with Store.open(path) as store:
                    commit(store)
                settle(watch)
                with later(path):
                    wait_told(watch)

    def test_is_watched_after_it_was_truncated(self, watch: CommitWatch, path: Path, writer: Store) -> None:
        commit(writer)
        writer.upkeep.checkpoint()
        assert writer.upkeep.log_size() == 0
        settle(watch)
        with later(path):
            wait_told(watch)

    def test_is_watched_as_soon_as_an_empty_file_becomes_a_database(self, path: Path) -> None:
        path.touch()
        with closing(CommitWatch(str(path), interval=SLOW)) as watch:
            assert not watch.wait(0.2)
            with Store.open(path):
                assert watch.wait(SLOW)
                settle(watch)
                with later(path):
                    wait_told(watch)

    def test_is_found_from_a_relative_path(
        self, path: Path, writer: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(path.parent)
        with closing(CommitWatch(path.name, interval=SLOW)) as watch:
            monkeypatch.chdir(tmp_path)
            settle(watch)
            with later(path):
                wait_told(watch)

    def test_is_found_behind_a_symbolic_link(self, path: Path, writer: Store, tmp_path: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to(path)
        with closing(CommitWatch(str(link), interval=SLOW)) as watch:
            settle(watch)
            with later(path):
                wait_told(watch)

    @pytest.mark.parametrize("name", ["a b", "50%41", "what?mode=ro", "#1", "é", os.fsdecode(b"\xff")])
    def test_is_found_beside_a_file_of_any_name(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        Store.open(path).close()
        with closing(CommitWatch(str(path), interval=SLOW)) as watch:
            settle(watch)
            with later(path):
                wait_told(watch)


class TestNoChange:
    def test_ends_with_the_timeout(self, watch: CommitWatch) -> None:
        started = time.monotonic()
        assert not watch.wait(0.3)
        assert time.monotonic() - started >= 0.3

    @pytest.mark.parametrize("timeout", [0, -1])
    def test_without_a_timeout_it_only_looks(self, watch: CommitWatch, timeout: float) -> None:
        assert not watch.wait(timeout)

    def test_writes_nothing(self, path: Path) -> None:
        Store.open(path).close()
        before = contents_of(path.parent)
        with closing(CommitWatch(str(path))) as watch:
            watch.wait(0.1)
        assert contents_of(path.parent) == before


class TestWake:
    def test_ends_the_wait(self, watch: CommitWatch) -> None:
        timer = threading.Timer(0.2, watch.wake)
        timer.start()
        wait_told(watch)
        timer.join()

    def test_ends_the_wait_from_a_signal_handler(self, watch: CommitWatch) -> None:
        before = signal.signal(signal.SIGALRM, lambda *_: watch.wake())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            wait_told(watch)
        finally:
            signal.signal(signal.SIGALRM, before)

    def test_before_the_wait_ends_the_next_one_alone(self, watch: CommitWatch) -> None:
        watch.wake()
        watch.wake()
        assert watch.wait(0)
        assert not watch.wait(0.1)

    def test_hides_no_change_and_repeats_none(self, watch: CommitWatch, writer: Store) -> None:
        watch.wake()
        commit(writer)
        assert watch.wait(0)
        assert not watch.wait(0.1)
        commit(writer)
        assert watch.wait(0)

    def test_may_interrupt_another_one_or_the_close(self, watch: CommitWatch) -> None:
        with watch._lock:
            watch.wake()
        assert watch.wait(0)

    def test_ends_the_wait_without_events_too(self, path: Path, writer: Store) -> None:
        with closing(CommitWatch(str(path), open_events=refuse)) as watch:
            timer = threading.Timer(0.2, watch.wake)
            timer.start()
            wait_told(watch)
            timer.join()


class TestWithoutEvents:
    def test_a_commit_is_noticed(self, path: Path, writer: Store) -> None:
        with closing(CommitWatch(str(path), interval=SLOW, open_events=refuse)) as watch, later(path):
            wait_told(watch)

    def test_the_looks_are_the_polling_interval_apart(
        self, path: Path, writer: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with closing(CommitWatch(str(path), interval=SLOW, open_events=refuse)) as watch:
            looks = count_looks(watch, monkeypatch)
            assert not watch.wait(1)
        assert len(looks) <= 1 / POLLING_INTERVAL + 2

    def test_a_shorter_interval_is_kept(self, path: Path, writer: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        with closing(CommitWatch(str(path), interval=0.02, open_events=refuse)) as watch:
            looks = count_looks(watch, monkeypatch)
            while len(looks) <= 1 / POLLING_INTERVAL + 2:
                assert not watch.wait(0.1)


class TestInotify:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "log"

    @pytest.fixture
    def events(self, file: Path) -> Iterator[Inotify]:
        with closing(Inotify(str(file))) as opened:
            yield opened

    def test_tells_once_that_the_file_is_there(self, events: Inotify, file: Path) -> None:
        assert not events.news()
        assert not events.attached()
        file.touch()
        assert events.news()
        assert events.attached()
        assert not events.news()

    def test_tells_once_of_writes(self, events: Inotify, file: Path) -> None:
        file.touch()
        events.news()
        for _ in range(500):
            file.write_bytes(b"content")
        assert events.news()
        assert not events.news()

    def test_watches_the_file_that_takes_the_place(self, events: Inotify, file: Path) -> None:
        file.touch()
        with file.open():  # the old one lives on, as the log does for whoever has it open
            events.news()
            file.unlink()
            assert not events.news()
            assert not events.attached()
            file.touch()
            assert events.news()
            file.write_bytes(b"content")
            assert events.news()

    def test_says_why_it_is_not_available(self, tmp_path: Path) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            with pytest.raises(OSError, match=os.strerror(errno.EMFILE)) as caught:
                Inotify(str(tmp_path))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert caught.value.errno == errno.EMFILE


class TestCost:
    def test_an_idle_wait_looks_at_its_beginning_and_its_end(self, path: Path, writer: Store) -> None:
        events = Told()
        with closing(CommitWatch(str(path), interval=SLOW, open_events=lambda _: events)) as watch:
            assert not watch.wait(0.5)
        assert events.looks == 2

    def test_an_idle_wait_looks_once_in_an_interval(self, path: Path, writer: Store) -> None:
        events = Told()
        with closing(CommitWatch(str(path), interval=0.1, open_events=lambda _: events)) as watch:
            assert not watch.wait(0.5)
        assert events.looks <= 7

    def test_the_looks_after_an_event_become_rare(
        self, watch: CommitWatch, writer: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit(writer)
        assert watch.wait(0)
        looks = count_looks(watch, monkeypatch)
        assert not watch.wait(1)
        assert len(looks) < 2 * 30

    def test_events_without_pause_are_looked_at_with_pauses(self, path: Path, writer: Store) -> None:
        events = Told(always=True)
        with closing(CommitWatch(str(path), interval=SLOW, open_events=lambda _: events)) as watch:
            assert not watch.wait(0.5)
        assert events.looks <= 0.5 / SHORTEST_PAUSE + 2


class TestFile:
    def test_that_is_missing_is_refused_and_not_made(self, path: Path) -> None:
        with pytest.raises(StoreUnavailable) as caught:
            CommitWatch(str(path))
        assert str(path) in error_line(caught.value)
        assert not path.exists()

    def test_that_is_no_database_is_refused(self, path: Path) -> None:
        path.write_bytes(b"something else\n" * 100)
        before = descriptors()
        with pytest.raises(NotAStore):
            CommitWatch(str(path))
        assert descriptors() == before


class TestClose:
    def test_leaves_no_descriptor_behind(self, path: Path) -> None:
        Store.open(path).close()  # beside an open one, SQLite keeps a descriptor for the next connection
        before = descriptors()
        for events in (Inotify, refuse) * 5:
            with closing(CommitWatch(str(path), open_events=events)) as watch:
                watch.wait(0)
        assert descriptors() == before

    def test_may_come_twice(self, path: Path, writer: Store) -> None:
        watch = CommitWatch(str(path))
        watch.close()
        others = os.pipe()  # the numbers that were free again
        watch.close()
        for descriptor in others:
            os.close(descriptor)

    def test_makes_a_later_wake_do_nothing(self, path: Path, writer: Store) -> None:
        watch = CommitWatch(str(path))
        watch.close()
        watch.wake()

    def test_makes_a_later_wait_an_error(self, path: Path, writer: Store) -> None:
        watch = CommitWatch(str(path), open_events=refuse)
        watch.close()
        with pytest.raises(StoreError):
            watch.wait(0)
