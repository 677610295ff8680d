"""The mount's side of the process that calls the mount; see ``calls``."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ..store import Event
from .calls import Calls
from .child_process import ChildProcess
from .own_calls import Expected

ENDING = frozenset({errno.ENOTCONN, errno.ECONNABORTED})
"""What calls of a mount fail with that is not served any more, or not seen at its directory."""

KILL_TIME = 1.0
"""Seconds for which the end of the process is waited for; it is killed, and nothing depends on its end."""


class CallProcess(ChildProcess):
    """Has a process of its own call what this process serves at ``directory``; it is started at the first call.

    For one thread, except ``hang_up``; not for the one that serves, which is told by ``expected``. The calls are those
    of ``Calls``, one at a time, and raise OSError. Where the process could not be asked, it will be started again:
    that is ECHILD.
    """

    def __init__(self, directory: str, expected: Expected, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("calls the mount", Calls.__module__, directory, str(os.getpid()), clock=clock)
        self._expected = expected
        self._ended = False

    def invalidate(self, path: str, mode: int | None, *, is_new: bool = False) -> None:
        """Make the kernel forget what it keeps of ``path``; see ``Calls.invalidate``.

        Where the mount is not seen at its directory any more, the kernel forgets in the course of time.
        """
        try:
            self._call("invalidate", path, mode, is_new)
        except OSError as error:
            if error.errno not in ENDING:
                raise

    def rename(self, old: str, name: str) -> None:
        """Give a file another name in its directory."""
        self._call("rename", old, name)

    def announce(self, path: str, event: Event, mode: int) -> None:
        """Have watchers be told of ``path``, what is or was there having ``mode``; EEXIST if the kernel knew it."""
        self._call(f"announce_{event.value}", path, mode, announces=event, of=mode)

    def is_watched(self) -> bool:
        """Whether anybody watches anything in the mount, as far as this user may see; also where that is not known."""
        try:
            self._call("check_watched", "/")
        except OSError as error:
            return error.errno != errno.ENODATA
        return True

    def _call(self, name: str, path: str, *arguments: Any, announces: Event | None = None, of: int = 0) -> None:
        self.ensure_running()
        answer = None if self._process is None else self._make(self._process, (name, path, *arguments), announces, of)
        if self._ended:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        if not answer:
            raise OSError(errno.ECHILD, "the process that calls the mount does not run")
        number = int(answer)
        if number:
            raise OSError(number, os.strerror(number))

    def ensure_running(self) -> None:
        """Start the process if it does not run and has not been ended."""
        if not self._ended:
            super().ensure_running()

    def _begun(self, process: subprocess.Popen[str]) -> None:
        if self._ended:  # while it was being started, where hang_up() found none
            process.kill()

    def _make(self, process: subprocess.Popen[str], call: Sequence[Any], event: Event | None, mode: int) -> str:
        """Have the process make a call, which the mount expects; return its answer, nothing if it has ended."""
        self._expected.begin(call[1], process.pid, event, mode)
        try:
            return _exchange(process, json.dumps(call))
        finally:
            self._expected.end()

    def hang_up(self) -> None:
        """End the call in progress and make no other; from any thread."""
        self._ended = True
        if self._process is not None:
            self._process.kill()

    def _wait(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILL_TIME)
        self._expected.pid = -1  # it may be another process's soon
        assert process.stdout is not None
        process.stdout.close()


def _exchange(process: subprocess.Popen[str], line: str) -> str:
    """Write a line to a process; return the line that it answers, nothing if it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(line + "\n")
        process.stdin.flush()
        return process.stdout.readline()
    except OSError:
        return ""
