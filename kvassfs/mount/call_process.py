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

    def refresh(self, path: str, mode: int | None, *, is_new: bool = False) -> None:
        """Make the kernel forget what it keeps of ``path``; see ``Calls.refresh``.

        Where the mount is not seen at its directory any more, the kernel forgets in the course of time.
        """
        try:
            self._call("refresh", path, mode, is_new)
        except OSError as error:
            if error.errno not in ENDING:
                raise

    def rename(self, old: str, name: str) -> None:
        """Give a file another name in its directory."""
        self._call("rename", old, name)

    def _call(self, name: str, path: str, *arguments: Any) -> None:
        self.ensure_running()
        answer = None if self._process is None else self._exchange(self._process, path, (name, path, *arguments))
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

    def _exchange(self, process: subprocess.Popen[str], path: str, call: Sequence[Any]) -> str:
        """Have the process make a call; return its answer, nothing if it has ended."""
        assert process.stdin is not None
        assert process.stdout is not None
        self._expected.pid, self._expected.path = process.pid, path.encode()
        try:
            process.stdin.write(json.dumps(call) + "\n")
            process.stdin.flush()
            return process.stdout.readline()
        except OSError:
            return ""
        finally:
            self._expected.path = None

    def hang_up(self) -> None:
        """End the call in progress and make no other; from any thread."""
        self._ended = True
        if self._process is not None:
            self._process.kill()

    def _wait(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILL_TIME)
        assert process.stdout is not None
        process.stdout.close()
