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
from .child_process import ChildProcess

if TYPE_CHECKING:
    from ..sync.follower import Follower

log = logging.getLogger(__name__)


class SyncProcess(ChildProcess):
    """Starts and ends the process for the store at ``path``, which is mounted at ``place``."""

    def __init__(self, path: str, place: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        # On standard error it says what nobody expected.
        super().__init__("synchronises", __name__, path, place, errors=subprocess.STDOUT, clock=clock)

    def supervise(self, wanted: bool) -> None:
        """Start the process if it is wanted and does not run, end it if it is not wanted.

        It pushes what was written last if it can, before it ends.
        """
        if wanted:
            self.ensure_running()
        else:
            self.end()

    def _begun(self, process: subprocess.Popen[str]) -> None:
        threading.Thread(target=_log_lines, args=(process,), name="kvassfs-sync-log", daemon=True).start()


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
