"""One mounted file system as a child process: started, waited for, ended and unmounted whatever happens."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START_SECONDS = 20.0
STOP_SECONDS = 10.0


class ServerError(Exception):
    """A server does not mount; the message says what it said."""


class Server:
    """A process in the foreground that shows a file system in `directory`; a context manager.

    It has a session of its own, so that Ctrl-C reaches only the benchmark, which then ends it.
    """

    def __init__(self, command: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.log = directory.with_name(directory.name + ".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self) -> None:
        """Return when the file system is mounted; ServerError when it will not be."""
        deadline = time.monotonic() + START_SECONDS
        while not os.path.ismount(self.directory):
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = self.log.read_text(errors="replace").strip() or "no message"
                raise ServerError(f"{self.process.args!r} does not mount: {said[-500:]}")
            time.sleep(0.002)

    def stop(self) -> None:
        """Unmount and end the process: kindly, then by signal, then lazily. Never raises."""
        for step in (self.unmount, self.process.terminate, self.process.kill):
            if self.process.poll() is None:
                step()
                self.wait_for_end()
        if is_mounted(self.directory):
            self.unmount("-z")

    def unmount(self, *options: str) -> None:
        """Ask fusermount; it may fail."""
        program = shutil.which("fusermount3") or shutil.which("fusermount") or "fusermount"
        subprocess.run([program, "-u", *options, str(self.directory)], check=False, capture_output=True)

    def wait_for_end(self) -> None:
        """Wait a while for the process."""
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return

    def cpu(self) -> float:
        """Return the processor time of the process and its threads, also those that ended (to 10 ms)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> tuple[float, float]:
        """Return the resident memory now and at its highest, in MB of 1,000,000 bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines)
        return kilobytes(status["VmRSS"]), kilobytes(status["VmHWM"])


def kilobytes(field: str) -> float:
    """Return the megabytes in a field such as `1234 kB`."""
    return int(field.split(maxsplit=1)[0]) * 1024 / 1e6


def is_mounted(directory: Path) -> bool:
    """Tell whether something is mounted there, even if its server is dead."""
    return str(directory.absolute()) in mount_points()


def mount_points() -> list[str]:
    """Return the mount points of this process, without resolving or touching them."""
    lines = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    return [line.split(" ", 2)[1].replace("\\040", " ") for line in lines]


def kvass_command() -> list[str]:
    """Return the kvass of this Python's environment, else the one on the path."""
    beside = Path(sys.executable).with_name("kvass")
    return [str(beside if beside.exists() else shutil.which("kvass") or "kvass")]


def kvass_environment(binding: str) -> dict[str, str]:
    """Return the variables that make `kvass mount` take this binding."""
    return {"KVASS_FUSE": binding}
