"""kvassfs.mount.sync_process: a process beside the mount is there while it is wanted, and never longer than the mount."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.mount import child_process
from kvassfs.mount.child_process import RESTART_PAUSE
from kvassfs.mount.sync_process import SyncProcess
from kvassfs.store import Store
from tests.support.stores import ROOT
from tests.support.waiting import until

SECONDS = 20.0

OBEDIENT = "import sys; print('begun', flush=True); sys.stdin.read(); print('ended', flush=True)"


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Rig:
    """A supervised process that runs a script, and what it logs."""

    def __init__(self, log: pytest.LogCaptureFixture) -> None:
        self.clock = Time()
        self.sync_process = SyncProcess("db", "/place", clock=self.clock)
        self._log = log

    def run(self, script: str) -> None:
        self.sync_process._command = [sys.executable, "-c", script]

    def pid(self) -> int:
        assert self.sync_process._process is not None
        return self.sync_process._process.pid

    def log(self) -> list[tuple[str, str]]:
        return [(record.levelname, record.getMessage()) for record in self._log.records]

    def wait_for(self, line: str) -> None:
        until(lambda: ("INFO", line) in self.log())


@pytest.fixture
def rig(caplog: pytest.LogCaptureFixture) -> Iterator[Rig]:
    caplog.set_level(logging.INFO, logger="kvassfs")
    made = Rig(caplog)
    made.run(OBEDIENT)
    yield made
    made.sync_process.end()


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_it_starts_when_it_is_wanted_and_once(rig: Rig) -> None:
    rig.sync_process.supervise(wanted=False)
    assert rig.sync_process._process is None
    for _ in range(3):
        rig.sync_process.supervise(wanted=True)
    rig.wait_for("begun")
    assert rig.log() == [("INFO", "begun")]


def test_it_ends_in_good_order_when_it_is_not_wanted_any_more(rig: Rig) -> None:
    rig.sync_process.supervise(wanted=True)
    rig.wait_for("begun")
    pid = rig.pid()
    rig.sync_process.supervise(wanted=False)
    assert not is_there(pid)
    rig.wait_for("ended")
    assert [level for level, _ in rig.log()] == ["INFO", "INFO"]


def test_it_is_there_again_when_it_is_wanted_again(rig: Rig) -> None:
    rig.sync_process.supervise(wanted=True)
    first = rig.pid()
    rig.sync_process.supervise(wanted=False)
    rig.clock.now += RESTART_PAUSE
    rig.sync_process.supervise(wanted=True)
    assert rig.pid() != first


def test_ending_what_does_not_run_is_nothing(rig: Rig) -> None:
    rig.sync_process.end()
    rig.sync_process.supervise(wanted=True)
    rig.sync_process.end()
    rig.sync_process.end()


def test_one_that_does_not_end_is_killed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "END_TIME", 0.2)
    rig.run("import time; print('begun', flush=True); time.sleep(600)")
    rig.sync_process.supervise(wanted=True)
    rig.wait_for("begun")
    pid = rig.pid()
    rig.sync_process.end()
    assert not is_there(pid)


def test_one_that_was_killed_is_started_again_after_a_pause(rig: Rig) -> None:
    rig.sync_process.supervise(wanted=True)
    rig.wait_for("begun")
    first = rig.pid()
    os.kill(first, signal.SIGKILL)
    rig.clock.now += RESTART_PAUSE - 1
    until(lambda: end_noticed(rig))
    assert rig.log()[-1] == ("ERROR", "the process that synchronises ended with status -9")
    rig.sync_process.supervise(wanted=True)
    assert rig.sync_process._process is None
    rig.clock.now += 1
    rig.sync_process.supervise(wanted=True)
    assert rig.pid() != first


def end_noticed(rig: Rig) -> bool:
    """Supervise, and tell whether the end of the process was noticed."""
    rig.sync_process.supervise(wanted=True)
    return rig.sync_process._process is None


def test_one_that_ended_long_after_it_began_is_started_again_at_once(rig: Rig) -> None:
    rig.sync_process.supervise(wanted=True)
    first = rig.pid()
    rig.clock.now += RESTART_PAUSE
    os.kill(first, signal.SIGKILL)

    def started_again() -> bool:
        rig.sync_process.supervise(wanted=True)
        return rig.pid() != first

    until(started_again)


def test_what_it_says_is_logged_line_by_line(rig: Rig) -> None:
    rig.run(r"print('one\n\n  two\n\n', end='', flush=True); import sys; sys.stdin.read()")
    rig.sync_process.supervise(wanted=True)
    rig.wait_for("two")
    assert rig.log() == [("INFO", "one"), ("INFO", "two")]


def test_a_failure_that_nobody_expected_is_logged(rig: Rig) -> None:
    rig.run("raise RuntimeError('a bug')")
    rig.sync_process.supervise(wanted=True)
    rig.wait_for("RuntimeError: a bug")


def test_one_that_cannot_be_started_is_tried_again_after_a_pause(rig: Rig) -> None:
    rig.sync_process._command = ["/nowhere/python"]
    rig.sync_process.supervise(wanted=True)
    rig.sync_process.supervise(wanted=True)
    assert rig.log() == [("ERROR", "cannot start the process that synchronises: No such file or directory")]
    rig.run(OBEDIENT)
    rig.clock.now += RESTART_PAUSE
    rig.sync_process.supervise(wanted=True)
    rig.wait_for("begun")


def test_an_interrupt_at_the_terminal_does_not_reach_it(rig: Rig) -> None:
    rig.sync_process.supervise(wanted=True)
    assert os.getpgid(rig.pid()) == rig.pid()


# The process itself


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kvassfs.mount.sync_process", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_the_process_follows_for_its_mount_until_its_input_ends(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db") as store:
        process = start(tmp_path / "db", "/place")
        until(lambda: bool(store.processes.followers()))
        (follower,) = store.processes.followers()
        assert (follower.pid, follower.place) == (os.getpid(), "/place")
        out, _ = process.communicate(timeout=SECONDS)
        assert (process.returncode, out) == (0, "")
        assert store.processes.followers() == []


def test_the_process_says_what_is_wrong_with_the_hub(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db") as store:
        store.settings.set_remote("127.0.0.1:1")
    with start(tmp_path / "db", "/place") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("cannot reach the hub 127.0.0.1:1: ")
        process.communicate(timeout=SECONDS)
    assert process.returncode == 0


def test_the_process_says_what_is_wrong_with_the_database(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"something else" * 100)
    with start(tmp_path / "db", "/place") as process:
        out, _ = process.communicate(timeout=SECONDS)
    assert "is not a kvass database" in out
    assert out.count("\n") == 1


def test_the_process_ends_with_who_started_it(tmp_path: Path) -> None:
    script = """
        import sys
        from kvassfs.mount.sync_process import SyncProcess
        supervised = SyncProcess(sys.argv[1], "/place")
        supervised.supervise(True)
        print(supervised._process.pid, flush=True)
        sys.stdin.read()
    """
    Store.open(tmp_path / "db").close()
    command = [sys.executable, "-c", "\n".join(line.strip() for line in script.splitlines()), str(tmp_path / "db")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        with Store.open(tmp_path / "db") as store:
            until(lambda: bool(store.processes.followers()))
            parent.kill()
            until(lambda: not store.processes.followers())
    until(lambda: not is_there(pid) or Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")


def test_nothing_is_left_of_its_threads(rig: Rig) -> None:
    rig.sync_process.supervise(wanted=True)
    rig.sync_process.end()
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "kvassfs-sync-log"])
