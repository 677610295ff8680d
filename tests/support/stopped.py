"""A process that is stopped while it holds the write lock of a database, as by Ctrl-Z, a debugger or a laptop's lid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import unmeasured

HOLD = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE syncs SET number = number + 1")
print("holds", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


@contextmanager
def write_lock_held(database: Path, *, stopped: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """``with`` a process that holds the write lock, and is ``stopped``; killed at the end."""
    command = [sys.executable, "-c", HOLD, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=unmeasured()) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"holds\n"
            if stopped:
                process.send_signal(signal.SIGSTOP)
                os.waitpid(process.pid, os.WUNTRACED)
            yield process
        finally:
            process.kill()


def go_on(process: subprocess.Popen[bytes]) -> None:
    """Have such a process go on, commit and end."""
    process.send_signal(signal.SIGCONT)
    process.communicate(b"\n")
