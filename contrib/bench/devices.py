"""A hub and devices for measurements: databases in one directory, and the processes that work on them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from server import STOP_SECONDS, Server, ServerError, kilobytes, kvass_command, kvass_environment

from kvassfs.store import Store

sys.path.append(str(Path(__file__).parents[2]))  # for tests.support.proxy, which a benchmark imports after this module

START_SECONDS = 20.0

Found = TypeVar("Found")

SAMPLE_SECONDS = 0.005
"""Between two looks at the memory of a process that may end any time."""


class Hub:
    """`kvass serve` on a database, at a port of its own; a context manager."""

    def __init__(self, database: Path, *options: str) -> None:
        self.database = database
        self.log = database.with_name(f"{database.name}.log")
        self._port = "0"
        self._options = options

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """What devices know it by."""
        return f"127.0.0.1:{self._port}"

    @property
    def where(self) -> tuple[str, int]:
        """Its host and port."""
        return "127.0.0.1", int(self._port)

    def start(self) -> None:
        """Start it, at the port where it was before if it was, and wait until it listens."""
        command = [*kvass_command(), "--db", str(self.database), "serve", "--bind", self.address, *self._options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._port = wait_for(self._listening)

    def _listening(self) -> str | None:
        said = self.log.read_text(errors="replace")
        if self.process.poll() is not None:
            raise ServerError(f"the hub does not start: {said[-500:]}")
        found = re.search(r" on http://127\.0\.0\.1:(\d+)\n", said)
        return found[1] if found else None

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Ran:
    """What came of a command: exit status and what it said.

    ``seconds`` by the clock, ``cpu`` seconds of the processor, ``memory`` at its highest in MB of 1,000,000 bytes.
    """

    seconds: float
    cpu: float
    memory: float
    status: int
    output: bytes
    complaint: str


@dataclass(frozen=True)
class Device:
    """A database, the command line that works on it, and where it is mounted."""

    database: Path

    @property
    def mount_point(self) -> Path:
        """Where it is mounted."""
        return self.database.with_suffix(".mount")

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of `kvass` on this database."""
        return [*kvass_command(), "--db", str(self.database), *arguments]

    def run(self, *arguments: str, stdin: bytes = b"") -> Ran:
        """Run `kvass` to its end, whatever comes of it."""
        return run(self.command(*arguments), stdin)

    def must(self, *arguments: str, stdin: bytes = b"") -> Ran:
        """Run `kvass`; ServerError unless it succeeds."""
        ran = self.run(*arguments, stdin=stdin)
        if ran.status != 0:
            raise ServerError(f"kvass {' '.join(arguments)} failed with {ran.status}: {ran.complaint}")
        return ran

    def open(self) -> Store:
        """Open the database in this process."""
        return Store.open(self.database)

    def join(self, key: bytes, address: str) -> None:
        """Give it the key and the address of the hub, if they are others than those it has."""
        with self.open() as store:
            if store.settings.config().encryption_key != key:
                store.settings.set_encryption_key(key)
            if store.settings.config().remote != address:
                store.settings.set_remote(address)

    def waiting(self) -> int:
        """Return how many entries wait to be pushed."""
        with self.open() as store:
            return store.outbox.count_dirty()[0]

    @contextmanager
    def mounted(self, binding: str = "mfusepy") -> Iterator[Server]:
        """``with`` a mount of it."""
        self.mount_point.mkdir(exist_ok=True)
        command = self.command("mount", "--foreground", str(self.mount_point))
        with Server(command, self.mount_point, kvass_environment(binding)) as server:
            server.wait()
            yield server


class Room:
    """A directory for one trial, with its hub and devices; a context manager that ends and removes it all.

    The context managers that are given to ``enter`` end with it.
    """

    def __init__(self, base: Path | None) -> None:
        self._stack = ExitStack()
        self._base = base
        self.enter = self._stack.enter_context

    def __enter__(self) -> Self:
        self.path = Path(self.enter(tempfile.TemporaryDirectory(prefix="sync-", dir=self._base)))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def hub(self, name: str = "hub") -> Hub:
        """Start a hub."""
        return self.enter(Hub(self.path / f"{name}.sqlite"))

    def device(self, name: str) -> Device:
        """Return a device, which need not know a hub."""
        return Device(self.path / f"{name}.sqlite")

    def joined(self, name: str, hub: Hub, address: str = "") -> Device:
        """Return a device that has the key of the hub, and knows it by its address or another one."""
        device = self.device(name)
        device.join(key_of(hub.database), address or hub.address)
        return device


def key_of(database: Path) -> bytes:
    """Return the encryption key of a database."""
    with Store.open(database) as store:
        return store.settings.config().encryption_key


def run(command: list[str], stdin: bytes = b"") -> Ran:
    """Run a command to its end, and watch its memory meanwhile."""
    before = time.perf_counter()
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as complaint,
    ):
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(command, stdin=given, stdout=output, stderr=complaint, start_new_session=True)
        highest: list[float] = []
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
        return Ran(seconds, cpu, max(highest, default=0.0), process.returncode, output.read(), words)


def watch_memory(process: subprocess.Popen[bytes], highest: list[float]) -> None:
    """Note the highest memory so far again and again, until the process ends."""
    while process.returncode is None:
        if memory := peak(process.pid):
            highest.append(memory)
        time.sleep(SAMPLE_SECONDS)


def peak(pid: int) -> float:
    """Return the highest memory of a process, in MB of 1,000,000 bytes; 0 if it has ended."""
    try:
        found = re.search(r"^VmHWM:\s*(\d+ kB)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return kilobytes(found[1]) if found else 0.0


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and its threads so far (to 10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def forget_peak(pid: int) -> None:
    """Have the highest memory of a process counted from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def companion_of(pid: int) -> int:
    """Return the process that synchronises beside a mount, once it is there."""
    return wait_for(lambda: next(filter(is_companion, children(pid)), None))


def children(pid: int) -> list[int]:
    """Return the children of a process, of all its threads."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for each in lists for child in each.read_text().split()]


def is_companion(pid: int) -> bool:
    """Tell whether it is the process that synchronises."""
    try:
        return b"kvassfs.mount.sync_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def wait_for(find: Callable[[], Found | None], seconds: float = START_SECONDS, pause: float = 0.002) -> Found:
    """Return what is found in the end; ServerError if nothing is for so long."""
    deadline = time.monotonic() + seconds
    while (found := find()) is None:
        if time.monotonic() > deadline:
            raise ServerError(f"waited {seconds:g} s in vain")
        time.sleep(pause)
    return found


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


def set_many(device: Device, entries: Iterator[tuple[str, bytes]], *, batch: int = 1000) -> None:
    """Fill a database, many entries in one transaction."""
    with device.open() as store:
        store._database.set_durable(False)
        more = True
        while more:
            more = False
            with store.transaction:
                for _, (key, value) in zip(range(batch), entries, strict=False):
                    store.set(key, value)
                    more = True


def environment() -> str:
    """Say on what was measured."""
    return f"{os.uname().release}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}"
