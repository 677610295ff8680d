"""A process of this program beside a mount, with its standard input and output as pipes to the mount.

Its standard input ends when the mount does, whatever ended that, and then it ends as well. It never has the
descriptor by which libfuse serves, which must close when the mount dies.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

log = logging.getLogger(__name__)

END_TIME = 10.0
"""Seconds that it may take to end in good order."""

RESTART_PAUSE = 10.0
"""Seconds after its start before one that ended by itself is started again."""


class ChildProcess:
    """Starts and ends the process that runs ``module`` with ``arguments``. For one thread.

    ``purpose`` says in the log what it does; ``errors`` is where its standard error goes, as in Popen.
    """

    def __init__(
        self,
        purpose: str,
        module: str,
        *arguments: str,
        errors: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._purpose = purpose
        self._command = [sys.executable, "-m", module, *arguments]
        self._errors = errors
        self._clock = clock
        self._process: subprocess.Popen[str] | None = None
        self._started = float("-inf")

    def ensure_running(self) -> None:
        """Start the process if it does not run, but not soon again after it ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            log.error("the process that %s ended with status %d", self._purpose, self._process.returncode)
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
                stderr=self._errors,
                text=True,
                cwd="/",
                start_new_session=True,  # an interrupt at the terminal is for the mount, which ends it in good order
            )
        except OSError as error:
            log.error("cannot start the process that %s: %s", self._purpose, error.strerror)  # noqa: TRY400
            return
        self._begun(self._process)

    def _begun(self, process: subprocess.Popen[str]) -> None:
        """Do what is to be done with a process that has just been started."""

    def end(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()
            self._wait(process)

    def _wait(self, process: subprocess.Popen[str]) -> None:
        """Wait until the process has ended, as its input has; kill it if that takes too long."""
        try:
            process.wait(END_TIME)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
