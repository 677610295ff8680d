"""kvassfs.mount.watchdog: it tells that the mount is alive as long as somebody who asks it gets an answer."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.mount import child_process, watchdog
from kvassfs.mount.watchdog import Watchdog
from kvassfs.supervisor import Supervisor
from tests.support.processes import is_running
from tests.support.waiting import until

ANSWERS = "import sys\nfor _ in sys.stdin: print(flush=True)"
HANGS = "import sys\nsys.stdin.read()"
ENDS = ""


class Told(Supervisor):
    """Counts how often it was told that all is well."""

    def __init__(self, watchdog: float | None = 0.02) -> None:
        super().__init__("", watchdog)
        self.times = 0

    def tell_alive(self) -> None:
        self.times += 1


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def dog(told: Told) -> Iterator[Watchdog]:
    made = Watchdog("/", told)
    yield made
    made.stop()


def run(dog: Watchdog, script: str) -> None:
    dog._command = [sys.executable, "-c", script]
    dog.start()


def test_it_tells_again_and_again_while_the_mount_answers(dog: Watchdog, told: Told) -> None:
    dog.start()
    until(lambda: told.times > 3)


def test_it_tells_nothing_while_the_mount_hangs_and_ends_all_the_same(dog: Watchdog, told: Told) -> None:
    run(dog, HANGS)
    until(lambda: dog._process is not None)
    assert dog._process is not None
    pid = dog._process.pid
    time.sleep(0.3)
    assert told.times == 0
    begun = time.monotonic()
    dog.stop()
    assert time.monotonic() - begun < watchdog.END_TIME + 5
    until(lambda: not is_running(pid))


def test_it_starts_what_asks_anew_where_that_ended(dog: Watchdog, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "RESTART_PAUSE", 0.05)
    run(dog, ENDS)
    until(lambda: dog._process is not None and dog._process.poll() is not None)
    assert told.times == 0
    dog._command = [sys.executable, "-c", ANSWERS]
    until(lambda: told.times > 0)


def test_who_does_not_want_to_know_costs_nothing() -> None:
    dog = Watchdog("/", Told(None))
    dog.start()
    assert not dog._thread.is_alive()
    dog.stop()


def test_the_process_that_asks_answers_each_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\n"))
    monkeypatch.setattr("sys.stdout", out)
    watchdog.main(str(tmp_path))
    assert out.getvalue() == "\n\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    with pytest.raises(OSError, match="No such file"):
        watchdog.main(str(tmp_path / "gone"))
