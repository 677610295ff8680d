"""News of the database: none is missed, whoever makes it."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from kvassfs.server import wakeups
from kvassfs.server.wakeups import News, Watch
from kvassfs.store import Store

SECONDS = 20.0


def test_news_after_a_ticket_was_taken_is_not_missed() -> None:
    async def read() -> None:
        board = News()
        ticket = board.ticket()
        board.tell()
        await asyncio.wait_for(ticket.wait(), SECONDS)
        assert not board.ticket().is_set()

    asyncio.run(read())


def test_the_end_is_news_too() -> None:
    async def read() -> None:
        board = News()
        ticket = board.ticket()
        board.end()
        await asyncio.wait_for(ticket.wait(), SECONDS)
        assert board.ended

    asyncio.run(read())


def test_a_commit_by_others_is_noticed(tmp_path: Path) -> None:
    noticed: SimpleQueue[float] = SimpleQueue()
    with Store.open(tmp_path / "db.sqlite") as store:
        watch = Watch(str(tmp_path / "db.sqlite"), lambda: noticed.put(time.monotonic()))
        watch.start()
        try:
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline:  # it may not watch yet
                store.set("key", str(time.monotonic()).encode())
                try:
                    noticed.get(timeout=0.5)
                    break
                except Empty:
                    continue
            else:
                pytest.fail("nothing was noticed")
        finally:
            watch.stop()


def test_a_writer_without_pause_is_noticed_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakeups, "PAUSE", SECONDS)
    noticed: list[float] = []
    with Store.open(tmp_path / "db.sqlite") as store:
        watch = Watch(str(tmp_path / "db.sqlite"), lambda: noticed.append(time.monotonic()))
        watch.start()
        deadline = time.monotonic() + SECONDS
        while not noticed and time.monotonic() < deadline:
            store.set("key", b"value")
        for _ in range(20):
            store.set("key", b"value")
        assert len(noticed) == 1
        watch.stop()


def test_the_log_is_emptied_when_nothing_changes_any_more(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db.sqlite") as store:
        store.set("key", b"value")
        watch = Watch(str(tmp_path / "db.sqlite"), lambda: None, idle=0.05)
        watch.start()
        deadline = time.monotonic() + SECONDS
        while (frames := frames_of(store)) and time.monotonic() < deadline:
            time.sleep(0.01)
        watch.stop()
        assert frames == 0


def frames_of(store: Store) -> int:
    """Return how many pages the write-ahead log has."""
    return int(store._database.row("PRAGMA wal_checkpoint(PASSIVE)")[1])


def test_a_watch_stops_while_it_waits(tmp_path: Path) -> None:
    Store.open(tmp_path / "db.sqlite").close()
    watch = Watch(str(tmp_path / "db.sqlite"), lambda: None)
    watch.start()
    watch.stop()
    assert not watch._thread.is_alive()


def test_a_database_that_cannot_be_watched_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(str(tmp_path / "missing.sqlite"), lambda: None)
    watch.start()
    watch.stop()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "changes are noticed late" in caplog.text


def test_a_bug_of_the_watch_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: str) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(wakeups, "CommitListener", broken)
    watch = Watch(str(tmp_path / "db.sqlite"), lambda: None)
    watch.start()
    watch.stop()
    assert "ValueError: a bug" in caplog.text
