"""A thread beside a mount: when it looks, and that no failure ends it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from kvassfs.errors import DiskFull
from kvassfs.mount import store_thread
from kvassfs.mount.store_thread import StoreThread
from kvassfs.store import Store

SECONDS = 20.0
A_WHILE = 0.2


class Looking(StoreThread):
    """Notes whether it was woken for each look, and does what the test gave it for that."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), "looking")
        self.looks: SimpleQueue[bool] = SimpleQueue()
        self.results: list[float | Exception | None] = []

    def look(self, store: Store, woken: bool, /) -> float | None:
        assert list(store.keys()) == []
        self.looks.put(woken)
        result = self.results.pop(0) if self.results else None
        if isinstance(result, Exception):
            raise result
        return result

    def expect(self, *woken: bool) -> None:
        assert [self.looks.get(timeout=SECONDS) for _ in woken] == list(woken)
        with pytest.raises(Empty):
            self.looks.get(timeout=A_WHILE)


@pytest.fixture
def thread(tmp_path: Path) -> Iterator[Looking]:
    made = Looking(tmp_path / "db")
    yield made
    made.stop()
    assert not made._thread.is_alive()


def test_it_looks_at_the_start_and_when_it_is_woken(thread: Looking) -> None:
    thread.start()
    thread.expect(True)
    thread.wake()
    thread.expect(True)


def test_it_looks_again_after_the_pause_that_a_look_wants(thread: Looking) -> None:
    thread.results = [0.01, 0.01, None]
    thread.start()
    thread.expect(True, False, False)


def test_a_wake_during_a_look_is_not_lost(tmp_path: Path) -> None:
    class Waking(Looking):
        def look(self, store: Store, woken: bool, /) -> float | None:
            if self.looks.empty():
                self.wake()
            return super().look(store, woken)

    thread = Waking(tmp_path / "db")
    thread.start()
    deadline = time.monotonic() + SECONDS
    while thread.looks.qsize() < 2:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    thread.stop()


@pytest.mark.parametrize(("failure", "traceback"), [(DiskFull("/db"), False), (ValueError("a bug"), True)])
def test_a_look_that_failed_is_logged_and_tried_again(
    thread: Looking,
    failure: Exception,
    traceback: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(store_thread, "RETRY_PAUSE", 0.01)
    thread.results = [failure]
    thread.start()
    thread.expect(True, False)
    (record,) = caplog.records
    assert record.getMessage() == f"looking failed: {failure}"
    assert bool(record.exc_info) is traceback


def test_a_store_that_cannot_be_opened_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store_thread, "RETRY_PAUSE", 0.01)
    path = tmp_path / "db"
    path.write_bytes(b"something else" * 100)
    thread = Looking(path)
    thread.start()
    deadline = time.monotonic() + SECONDS
    while "is not a kvass database" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    path.unlink()
    thread.expect(True)
    thread.stop()


def test_stopping_what_was_never_started_is_nothing(thread: Looking) -> None:
    thread.stop()


def test_stopping_does_not_race_with_a_look(tmp_path: Path) -> None:
    Store.open(tmp_path / "db").close()
    for _ in range(30):
        thread = Looking(tmp_path / "db")
        thread.start()
        thread.wake()
        thread.stop()
        assert not thread._thread.is_alive()
