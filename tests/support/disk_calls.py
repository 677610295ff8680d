"""What processes do to the files of a directory, call by call: written down, or failing where a test wants it.

A library in C, compiled when it is first needed and preloaded into the processes (`disk_calls.c`), does both. All
processes and the test share its counters.
"""

from __future__ import annotations

import enum
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from mmap import mmap
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.processes import ROOT

SOURCE = Path(__file__).with_suffix(".c")

_CONTROL = struct.Struct("6q")
_RECORD = struct.Struct("IIQqQQ")


class Kind(enum.IntFlag):
    """Calls that can fail: those of `enum kind`."""

    OPEN_READ = 1
    OPEN_WRITE = 2
    WRITE = 4
    SYNC = 8
    NAME = 16
    READ = 32
    MEMORY = 64


OPEN = Kind.OPEN_READ | Kind.OPEN_WRITE
CHANGES = Kind.OPEN_WRITE | Kind.WRITE | Kind.NAME
"""What a disk refuses that can only be read."""


class Operation(enum.IntEnum):
    """What a record is of: those of `enum operation`, and what a test itself writes down."""

    MARK = 0
    OPENED = 1
    WROTE = 2
    TRUNCATED = 3
    SYNCED = 4
    UNLINKED = 5
    RENAMED = 6
    LINKED = 7
    EXTENDED = 8


class Record(NamedTuple):
    """One call; `struct record` explains the fields. ``at`` is where it begins in the log."""

    operation: Operation
    file: int
    offset: int
    begun: int
    data: bytes
    at: int

    @property
    def names(self) -> list[str]:
        """The paths in a record of names."""
        return [os.fsdecode(name) for name in self.data.split(b"\0")[:-1]]


@cache
def library() -> Path:
    """Compile the library, once for each process of the suite; fail, with its name, where there is no compiler."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        pytest.fail("not installed: cc (a C compiler: gcc)")
    built = Path(tempfile.gettempdir(), f"kvassfs-disk-calls-{os.getuid()}-{SOURCE.stat().st_mtime_ns}.so")
    if not built.exists():
        partial = built.with_suffix(f".{os.getpid()}")
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(partial), str(SOURCE), "-ldl", "-lpthread"]
        subprocess.run(command, check=True)
        partial.replace(built)
    return built


class DiskCalls:
    """Preloads the library into processes (`environment`), and tells it what is to fail.

    ``directory`` is the one whose files are looked at. With ``log``, calls are written down, and nothing waits for the
    disk in truth.
    """

    def __init__(self, directory: Path, control: Path, log: Path | None = None) -> None:
        if not control.exists():
            control.write_bytes(bytes(_CONTROL.size))
        self._control = control
        self.log = log
        self._directory = directory
        if log is not None:
            log.touch()
        with control.open("r+b") as file:
            self._shared = mmap(file.fileno(), _CONTROL.size)

    def environment(self) -> dict[str, str]:
        """Return the variables with which a process is to be started."""
        log = {} if self.log is None else {"KVASS_DISK_LOG": str(self.log)}
        search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        paths = {"KVASS_DISK_DIRECTORY": str(self._directory.resolve()), "KVASS_DISK_CONTROL": str(self._control)}
        return {"LD_PRELOAD": str(library()), "PYTHONPATH": search, **paths, **log}

    @classmethod
    def preloaded(cls) -> DiskCalls:
        """Return the one of this process, which was started with the `environment` of one."""
        log = os.environ.get("KVASS_DISK_LOG")
        directory, control = (Path(os.environ[f"KVASS_DISK_{name}"]) for name in ("DIRECTORY", "CONTROL"))
        return cls(directory, control, None if log is None else Path(log))

    @contextmanager
    def failing(self, kinds: Kind, at: int, error: int, times: int = 2**62) -> Iterator[None]:
        """``with`` calls of these kinds that fail from number ``at`` on, so many ``times``; 0 for ``error`` kills."""
        self._shared[:] = _CONTROL.pack(kinds, 0, at, times, error, 0)
        try:
            yield
        finally:
            self.mend()

    def mend(self) -> None:
        """Have nothing fail from now on; what was counted stays to be read."""
        self._shared[:8] = bytes(8)

    @property
    def seen(self) -> int:
        """How many calls were counted since ``failing`` began."""
        return int(_CONTROL.unpack(self._shared)[1])

    @property
    def struck(self) -> int:
        """How many calls failed."""
        return int(_CONTROL.unpack(self._shared)[5])

    def mark(self, text: str) -> None:
        """Write into the log that something has happened now."""
        assert self.log is not None
        data = text.encode()
        with self.log.open("ab", buffering=0) as file:
            file.write(_RECORD.pack(Operation.MARK, os.getpid(), 0, 0, 0, len(data)) + data)

    def records(self) -> list[Record]:
        """Return what was written down."""
        assert self.log is not None
        data, found, at = self.log.read_bytes(), [], 0
        while at < len(data):
            operation, _, file, offset, begun, size = _RECORD.unpack_from(data, at)
            end = at + _RECORD.size + size
            found.append(Record(Operation(operation), file, offset, begun, data[at + _RECORD.size : end], at))
            at = end
        return found


def run_preloaded(calls: DiskCalls, code: str, *arguments: object) -> str:
    """Run Python code with the library to its end; return what it printed. It must succeed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**environment, **calls.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
