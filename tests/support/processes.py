"""Processes of this project: started, waited for, ended, and what the kernel tells of them.

Tests and benchmarks use it, so it needs nothing that only tests have.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.waiting import find_within

ROOT = Path(__file__).parents[2]

KVASS = (sys.executable, "-m", "kvassfs_cli")
"""The command `kvass` of this Python's environment."""

SECONDS = 20.0
"""How long a process may take to answer, and to end."""

HERE = "127.0.0.1"


def unmeasured() -> dict[str, str]:
    """Return this process's environment without what has coverage measure what is started in it.

    For other users, who may not write what it finds, and for short commands, which it makes twice as long.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


class NotStarted(Exception):
    """A process does not do what it was started for; the message is what it said."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """Read the end of its log."""
        said = log.read_text(errors="replace").strip() or "no message"
        super().__init__(f"{process.args!r} does not start: {said[-2000:]}")


def start_logged(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a process that says everything to a log.

    It has a session of its own, so that Ctrl-C reaches only the one who started it, who then ends it.
    """
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )


def start_server(command: Sequence[str], log: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a process that serves HTTP and says where; return it and the port on the loopback."""
    process = start_logged(command, log)

    def find_port() -> int | None:
        found = re.search(rf" on http://{re.escape(HERE)}:(\d+)[;\n]", log.read_text(errors="replace"))
        if found is None and process.poll() is not None:
            raise NotStarted(process, log)
        return int(found[1]) if found else None

    return process, find_within(SECONDS, find_port, what=f"{command} listens")


def end_process(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> None:
    """End a process by a signal, after which it has some time; else it is killed, and that is a failure."""
    process.send_signal(number)
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def is_running(pid: int) -> bool:
    """Tell whether there is a process, other than as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """Return the children of a process, of all its threads."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for each in lists for child in each.read_text().split()]


def open_files(pid: int) -> list[str]:
    """Return what the descriptors of a process lead to."""
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(each))
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and its threads so far."""
    return time.clock_gettime(~pid << 3 | 2)  # its clock, as clock_getcpuclockid(3) of Linux makes it of the pid


def written_bytes(pid: int) -> int:
    """Return what the calls of a process have written so far, to files and to everything else."""
    found = re.search(r"^wchar: (\d+)$", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def resident_memory(pid: int) -> int:
    """Return the bytes of memory that a process has now; 0 if it has ended."""
    return _memory(pid, "VmRSS")


def peak_memory(pid: int) -> int:
    """Return the bytes of memory that a process has had at most; 0 if it has ended."""
    return _memory(pid, "VmHWM")


def _memory(pid: int, field: str) -> int:
    try:
        found = re.search(rf"^{field}:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def forget_peak_memory(pid: int) -> None:
    """Have the highest memory of a process counted from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
