"""The commit watch: it calls after each commit of others and misses none, seldom while many come, and never for long."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import pytest

from kvassfs.errors import StoreUnavailable
from kvassfs.store import Store, commits
from kvassfs.store.commits import BURST, SHORTEST_PAUSE, Allowance, CommitThread
from tests.support.waiting import until

SECONDS = 20.0


class Calls:
    """A function that a watch calls, and the times when it did."""

    def __init__(self) -> None:
        self._times: SimpleQueue[float] = SimpleQueue()

    def __call__(self) -> None:
        self._times.put(time.monotonic())

    def __len__(self) -> int:
        return self._times.qsize()

    def wait(self) -> None:
        self._times.get(timeout=SECONDS)


@pytest.fixture
def writer(path: Path) -> Iterator[Store]:
    with Store.open(path) as store:
        yield store


@contextmanager
def started(watch: CommitThread) -> Iterator[CommitThread]:
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()
        assert not watch._thread.is_alive()


class TestCommit:
    def test_by_others_is_called_for(self, path: Path, writer: Store) -> None:
        calls = Calls()
        with started(CommitThread(str(path), calls, pause=0)):
            calls.wait()  # it listens
            for number in range(5):
                time.sleep(0.05)
                assert len(calls) == 0
                writer.set("key", b"%d" % number)
                calls.wait()

    def test_is_called_for_in_order(self, path: Path, writer: Store) -> None:
        called: list[str] = []
        last = Calls()
        with started(CommitThread(str(path), lambda: called.append("one"), lambda: called.append("other"), last)):
            last.wait()
            writer.set("key", b"value")
            last.wait()
        assert called == ["one", "other"] * 2

    def test_before_the_watch_listens_is_not_missed(self, path: Path, writer: Store) -> None:
        calls = Calls()
        with started(CommitThread(str(path), calls)):
            calls.wait()

    def test_without_pause_is_called_for_now_and_then(self, path: Path, writer: Store) -> None:
        calls = Calls()
        with started(CommitThread(str(path), calls, pause=SECONDS)):
            for _ in range(20):
                writer.set("key", b"value")
                time.sleep(0.01)
            assert len(calls) <= BURST


class TestAllowance:
    def test_lets_a_few_come_at_once_and_then_one_in_a_while(self) -> None:
        now = [100.0]
        allowance = Allowance(3, 0.1, lambda: now[0])
        pauses = []
        for _ in range(7):
            pauses.append(allowance.spend())
            now[0] += pauses[-1]
        assert pauses[:2] == [SHORTEST_PAUSE] * 2
        assert pauses[4:] == pytest.approx([0.1] * 3)
        now[0] += 0.3
        assert [allowance.spend() for _ in range(2)] == [SHORTEST_PAUSE] * 2

    def test_is_made_up_for_by_quiet_times_alone(self) -> None:
        now = [100.0]
        allowance = Allowance(5, 0.1, lambda: now[0])
        begun, calls = now[0], 0
        while now[0] < begun + 10:
            now[0] += allowance.spend() + 0.0001
            calls += 1
        assert 100 <= calls <= 107


class TestIdle:
    def test_is_called_for_when_nobody_commits_any_more(self, path: Path, writer: Store) -> None:
        idle = Calls()
        with started(CommitThread(str(path), on_idle=idle, idle=0.05)):
            idle.wait()
            idle.wait()

    def test_is_not_called_for_while_somebody_commits(self, path: Path, writer: Store) -> None:
        commit, idle = Calls(), Calls()
        with started(CommitThread(str(path), commit, on_idle=idle, idle=SECONDS)):
            commit.wait()
            writer.set("key", b"value")
            commit.wait()
            assert len(idle) == 0


class TestStop:
    def test_ends_a_watch_that_waits(self, path: Path, writer: Store) -> None:
        calls = Calls()
        begun = time.monotonic()
        with started(CommitThread(str(path), calls)):
            calls.wait()
        assert time.monotonic() - begun < SECONDS

    def test_ends_a_watch_that_was_never_started(self, path: Path) -> None:
        CommitThread(str(path)).stop()

    def test_does_not_wait_for_a_call_without_end(
        self, path: Path, writer: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(commits, "END_TIME", 0.1)
        called, end = Calls(), threading.Event()
        watch = CommitThread(str(path), called, end.wait)
        watch.start()
        called.wait()
        watch.stop()
        assert watch._thread.is_alive()
        end.set()
        until(lambda: not watch._thread.is_alive())


class TestFailure:
    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(commits, "RETRY_PAUSE", 0.01)

    def test_to_open_the_database_is_one_warning(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        with started(CommitThread(str(path))):
            time.sleep(0.1)
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "commits of others are noticed late" in caplog.text

    def test_to_open_the_database_passes(self, path: Path) -> None:
        calls = Calls()
        with started(CommitThread(str(path), calls)):
            time.sleep(0.05)
            with Store.open(path):
                calls.wait()

    def test_to_read_the_database_passes_and_misses_nothing(
        self, path: Path, writer: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        calls = Calls()
        with started(CommitThread(str(path), calls)) as watch:
            calls.wait()

            def fail(_: float) -> bool:
                raise StoreUnavailable(str(path), "disk I/O error")

            assert watch._watch is not None
            monkeypatch.setattr(watch._watch, "wait", fail)
            writer.set("key", b"value")
            until(lambda: "disk I/O error" in caplog.text)
            calls.wait()  # for this commit, or because it listens again
            writer.set("key", b"other")
            calls.wait()

    def test_of_a_function_is_logged_and_the_watch_goes_on(
        self, path: Path, writer: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        calls = Calls()

        def broken() -> None:
            calls()
            raise ValueError("a bug")

        with started(CommitThread(str(path), broken)):
            for _ in range(3):
                calls.wait()
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert "ValueError: a bug" in caplog.text
