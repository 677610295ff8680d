"""What measurements share: rooms to work in, commands and what they cost, and words for figures."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import checkout  # noqa: F401

from tests.support.devices import Device, Room
from tests.support.processes import children, peak_memory
from tests.support.waiting import PATIENCE, find_within

MB = 1_000_000

SAMPLE_SECONDS = 0.005
"""Between two looks at the memory of a process that may end any time."""


class Failed(Exception):
    """A measurement cannot go on; the message says why."""


@contextmanager
def temporary_room(base: Path | None) -> Iterator[Room]:
    """``with`` a room that is removed in the end, in a new directory in ``base`` or where temporary files go."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=base) as name, Room(Path(name)) as room:
        yield room


@dataclass(frozen=True)
class Ran:
    """What came of a command: exit status and what it said.

    ``seconds`` by the clock, ``cpu`` seconds of the processor, ``memory`` at its highest in bytes.
    """

    seconds: float
    cpu: float
    memory: int
    status: int
    output: bytes
    complaint: str


def run(device: Device, *arguments: str) -> Ran:
    """Run `kvass` on a device to its end, whatever comes of it, and watch its memory meanwhile."""
    before = time.perf_counter()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaint:
        process = subprocess.Popen(
            device.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=complaint,
            start_new_session=True,
        )
        highest: list[int] = []
        watch = threading.Thread(target=watch_memory, args=(process, highest))
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - before
        watch.join()
        output.seek(0)
        complaint.seek(0)
        words = complaint.read().decode(errors="replace").strip()
        cpu = usage.ru_utime + usage.ru_stime
        return Ran(seconds, cpu, max(highest, default=0), process.returncode, output.read(), words)


def must(device: Device, *arguments: str) -> Ran:
    """Run `kvass` on a device; Failed unless it succeeds."""
    ran = run(device, *arguments)
    if ran.status != 0:
        raise Failed(f"kvass {' '.join(arguments)} failed with {ran.status}: {ran.complaint}")
    return ran


def watch_memory(process: subprocess.Popen[bytes], highest: list[int]) -> None:
    """Note the highest memory so far again and again, until the process ends."""
    while process.returncode is None:
        if memory := peak_memory(process.pid):
            highest.append(memory)
        time.sleep(SAMPLE_SECONDS)


def sync_process_of(pid: int) -> int:
    """Return the process that synchronises beside a mount, once it is there."""
    return find_within(
        PATIENCE, lambda: next(filter(is_sync_process, children(pid)), None), what=f"a sync process of process {pid}"
    )


def is_sync_process(pid: int) -> bool:
    """Tell whether it is the process that synchronises."""
    try:
        return b"kvassfs.mount.sync_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def set_many(device: Device, entries: Iterator[tuple[str, bytes]], *, batch: int = 1000) -> None:
    """Fill a database, many entries in one transaction."""
    with device.store() as store, store.bulk():
        while some := list(islice(entries, batch)):
            with store.transaction:
                for key, value in some:
                    store.set(key, value)


def met(is_met: bool) -> str:
    """Say whether a figure is what is wanted."""
    return "met" if is_met else "NOT MET"


def percentile(values: list[float], part: float) -> float:
    """Return the value below which so large a part of the values lies (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(part * len(ranked)))]


def say(line: str) -> None:
    """Tell on standard error how far it is."""
    print(line, file=sys.stderr, flush=True)


def environment() -> str:
    """Say on what was measured, and how much else went on."""
    return f"{machine()}, load {os.getloadavg()[0]:.1f}"


def machine() -> str:
    """Say on what was measured."""
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    processor = found[1] if found else platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{processor}, {os.cpu_count()} processors, {memory:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )
