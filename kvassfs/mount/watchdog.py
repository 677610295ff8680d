"""Telling a service manager that the mount is alive, as long as it answers.

Another process asks it: a thread of this one that waits for an answer which never comes could not be ended, and would
hold the descriptor whose closing ends the wait.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from ..supervisor import Supervisor
from .child_process import ChildProcess

END_TIME = 1.0
"""Seconds in which the thread has to end."""


class Watchdog(ChildProcess):
    """A thread that tells ``supervisor`` that the mount at ``directory`` is alive, and the process that asks the mount.

    Where the supervisor does not want to know, there is neither.
    """

    def __init__(self, directory: str, supervisor: Supervisor, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("asks whether the mount answers", __name__, directory, clock=clock)
        self._supervisor = supervisor
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kvassfs-watchdog", daemon=True)

    def start(self) -> None:
        """Begin."""
        if self._supervisor.interval is not None:
            self._thread.start()

    def stop(self) -> None:
        """End the question in progress, and ask no more; from another thread."""
        self._stopping.set()
        process = self._process
        if process is not None:
            process.kill()
        if self._thread.is_alive():
            self._thread.join(END_TIME)

    def _run(self) -> None:
        while not self._stopping.wait(self._supervisor.interval):
            self.ensure_running()
            if self._ask():
                self._supervisor.tell_alive()
        self.end()

    def _wait(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_TIME)
        assert process.stdout is not None
        process.stdout.close()

    def _ask(self) -> bool:
        """Return whether the mount answers; that may take as long as it hangs."""
        if self._process is None:
            return False
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            return self._process.stdout.readline() == "\n"
        return False


def main(directory: str) -> None:
    """Be that process: call the mount for each line of standard input, and answer with one if it did."""
    for _ in sys.stdin:
        os.statvfs(directory)  # never from the kernel's cache; what it raises ends this process
        sys.stdout.write("\n")
        sys.stdout.flush()


if __name__ == "__main__":
    with suppress(OSError):
        main(*sys.argv[1:])
