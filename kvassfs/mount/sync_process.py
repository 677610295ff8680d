"""The process beside a mount that keeps the store in step with its hub, and how the mount talks with it.

It is a process of its own so that no call of the file system has to share an interpreter with it. It runs until
its standard input ends, which is also when the mount dies. On its standard output it writes lines for the mount's
log. What it changes in the store, the mount notices as it does other processes' changes.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import KvassError

if TYPE_CHECKING:
    from ..sync.follower import Follower

log = logging.getLogger(__name__)

END_TIME = 10.0
"""Seconds that it may take to end."""

RESTART_PAUSE = 10.0
"""Seconds before one that ended by itself is started again."""


class SyncProcess:
    """Starts and ends the process for the store at ``path``, which is mounted at ``place``."""

    def __init__(self, path: str, place: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._command = [sys.executable, "-m", __name__, path, place]
        self._clock = clock
        self._process: subprocess.Popen[str] | None = None
        self._started = float("-inf")

    def supervise(self, wanted: bool) -> None:
        """Start the process if it is wanted and does not run, end it if it is not wanted."""
        if not wanted:
            self.end()
            return
        if self._process is not None and self._process.poll() is not None:
            log.error("the process that synchronises ended with status %d", self._process.returncode)
            self.end()
        if self._process is None and self._clock() - self._started >= RESTART_PAUSE:
            self._start()

    def _start(self) -> None:
        self._started = self._clock()
        try:
            self._process = subprocess.Popen(  # noqa: S603  this program
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,  # where it says what nobody expected
                text=True,
                cwd="/",
                start_new_session=True,  # an interrupt at the terminal is for the mount, which ends it in good order
            )
        except OSError as error:
            log.error("cannot start the process that synchronises: %s", error.strerror)  # noqa: TRY400
            return
        threading.Thread(target=_log_lines, args=(self._process,), name="kvassfs-sync-log", daemon=True).start()

    def end(self) -> None:
        """End the process, which pushes what was written last if it can, and wait until it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(END_TIME)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _log_lines(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            if line.strip():
                log.info("%s", line.strip())


def main(path: str, place: str) -> None:
    """Be that process, until standard input ends."""
    # Not for the mount, which has no use for what sends requests.
    from ..sync.follower import Follower  # noqa: PLC0415

    def write(line: str) -> None:
        with suppress(OSError):  # nobody listens any more; standard input will end as well
            os.write(sys.stdout.fileno(), line.encode() + b"\n")

    follower = Follower(path, place=place, say=write)
    threading.Thread(target=_stop_at_end, args=(follower,), daemon=True).start()
    try:
        follower.run()
    except KvassError as error:
        write(str(error))


def _stop_at_end(follower: Follower) -> None:
    sys.stdin.read()
    follower.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
