"""The process that calls the mount: asked, ended, and started again; a script stands for it."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kvassfs.mount.call_process import CallProcess
from kvassfs.mount.child_process import RESTART_PAUSE
from kvassfs.mount.own_calls import Expected
from kvassfs.store import Event
from tests.support.waiting import until

SECONDS = 20.0

ANSWERS = "import sys; [print(%s, flush=True) for line in sys.stdin]"


class Rig:
    """A call process that runs a script."""

    def __init__(self) -> None:
        self.now = 0.0
        self.expected = Expected()
        self.process = CallProcess("/mount", self.expected, clock=lambda: self.now)
        self.run(ANSWERS % "0")

    def run(self, script: str) -> None:
        self.process._command = [sys.executable, "-c", script]

    def pid(self) -> int:
        assert self.process._process is not None
        return self.process._process.pid


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.process.end()


def test_it_is_started_by_the_first_call(rig: Rig) -> None:
    assert rig.process._process is None
    rig.process.invalidate("/file", 0o100600)
    first = rig.pid()
    rig.process.rename("/file", "other")
    assert rig.pid() == first


def test_it_is_told_what_to_call(rig: Rig, tmp_path: Path) -> None:
    rig.run(
        f"import sys; [print(open({str(tmp_path / 'log')!r}, 'a').write(line) * 0, flush=True) for line in sys.stdin]"
    )
    rig.process.invalidate("/\u00e9\n", None)
    rig.process.rename("/old", "new")
    rig.process.announce("/a", Event.REMOVED, 33152)
    assert (
        (tmp_path / "log").read_text()
        == '["invalidate", "/\\u00e9\\n", null, false]\n["rename", "/old", "new"]\n["announce_removed", "/a", 33152]\n'
    )


def test_an_errno_is_raised(rig: Rig) -> None:
    rig.run(ANSWERS % errno.EBUSY)
    with pytest.raises(OSError, match=os.strerror(errno.EBUSY)):
        rig.process.rename("/old", "new")


@pytest.mark.parametrize("number", [errno.ENOTCONN, errno.ECONNABORTED])
def test_a_mount_that_is_not_seen_has_nothing_to_forget(rig: Rig, number: int) -> None:
    rig.run(ANSWERS % number)
    rig.process.invalidate("/file", None)


def test_the_mount_expects_the_call_as_long_as_it_is_made(rig: Rig) -> None:
    rig.run("import sys, time; sys.stdin.readline(); time.sleep(0.3); print(0, flush=True); sys.stdin.read()")
    thread = threading.Thread(target=rig.process.invalidate, args=("/\u00e9", None))
    thread.start()
    until(lambda: rig.expected.path == "/\u00e9".encode())
    assert rig.expected.pid == rig.pid()
    thread.join()
    assert rig.expected.path is None


def test_one_that_ended_is_started_again_after_a_pause(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.process.invalidate("/file", None)
    first = rig.pid()
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    for _ in range(2):
        with pytest.raises(OSError, match="the process that calls the mount does not run"):
            rig.process.invalidate("/file", None)
    assert [record.getMessage() for record in caplog.records] == [
        "the process that calls the mount ended with status -9"
    ]
    rig.now += RESTART_PAUSE
    rig.process.invalidate("/file", None)
    assert rig.pid() != first


def test_a_call_in_progress_ends_when_it_hangs_up(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.run("import time; time.sleep(600)")
    caplog.set_level(logging.INFO)
    errors: list[OSError] = []

    def call() -> None:
        try:
            rig.process.rename("/old", "new")
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    until(lambda: rig.expected.path is not None)
    rig.process.hang_up()
    thread.join(SECONDS)
    assert [error.errno for error in errors] == [errno.ENOTCONN]
    with pytest.raises(OSError, match=os.strerror(errno.ENOTCONN)):
        rig.process.rename("/old", "new")
    assert caplog.records == []


def test_nothing_is_left_of_it(rig: Rig) -> None:
    rig.process.invalidate("/file", None)
    pid = rig.pid()
    rig.process.end()
    assert not Path(f"/proc/{pid}").exists()


def test_one_that_is_being_started_while_it_is_hung_up_is_not_waited_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.run("import time; time.sleep(1000)")

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
        rig.process.hang_up()
        return popen(*arguments, **options)

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(OSError, match="not connected"):
        rig.process.rename("/file", "other")
