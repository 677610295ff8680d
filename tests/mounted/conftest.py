"""The fixture `mount`: an empty store, mounted with each binding in turn, served by a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

BINDINGS = ("mfusepy", "fusepy")

ROOT = Path(__file__).parents[2]

SECONDS = 20.0
"""How long a mount may take to answer, and to end."""

RUN = """
import json, os, sys
from kvassfs.errors import KvassError
from kvassfs.mount import binding, mountpoint, run
task, arguments, user = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
if user != os.getuid():
    binding.choose(arguments.get("binding", "auto"))
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
try:
    if task == "mount":
        run.mount(run.MountOptions(**arguments), notice=lambda line: print(line, file=sys.stderr))
    else:
        mountpoint.unmount(**arguments)
except KvassError as error:
    sys.exit(f"kvass: {error}")
"""
"""What `kvass mount` and `kvass umount` do, without the command line. Another user gets no further than what is
imported by then: the interpreter and the repository may be in a private place.
"""


@dataclass
class Mount:
    """A mounted store, and the process that serves it."""

    path: Path
    db: Path
    process: subprocess.Popen[bytes]
    binding: str
    log: Path

    def assert_no_surprise(self) -> None:
        """Assert that nothing went wrong that nobody expected: it would be in the log with a traceback."""
        text = self.log.read_text(errors="replace")
        assert "Traceback" not in text, text


def start(task: str, arguments: dict[str, Any], *, user: int | None = None, **popen: Any) -> subprocess.Popen[bytes]:
    """Start a process for a task of `RUN`: "mount" with `MountOptions`, or "unmount"."""
    user = os.getuid() if user is None else user
    command = [sys.executable, "-c", RUN, task, json.dumps(arguments), str(user)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if user != os.getuid():  # who may not write what coverage finds
        environment = {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, **popen)


@contextmanager
def mounted(path: Path, db: Path, binding: str, **options: Any) -> Iterator[Mount]:
    """Mount a store on an empty directory, wait until it answers, and unmount it in the end whatever happened."""
    log = path.with_name(f"{path.name}.log")
    chosen = {"directory": str(path), "database": str(db), "binding": binding, "foreground": True, **options}
    with log.open("wb") as output:
        process = start("mount", chosen, stdout=output, stderr=output)
    try:
        wait_until_mounted(path, process, log)
        mount = Mount(path, db, process, binding, log)
        yield mount
        mount.assert_no_surprise()
    finally:
        end(process, path)


def wait_until_mounted(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the mount is there and answers; fail with what its process said."""
    deadline = time.monotonic() + SECONDS
    while not os.path.ismount(path):
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"no mount: {log.read_text(errors='replace')}")
        time.sleep(0.005)


def end(process: subprocess.Popen[bytes], path: Path) -> None:
    """End the process of a mount and what it leaves behind."""
    try:
        terminate(process)
    finally:
        force_unmount(path)


def terminate(process: subprocess.Popen[bytes]) -> None:
    """End a process, which has some time to do so by itself; else it is killed, and that is a failure."""
    process.terminate()
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def force_unmount(path: Path) -> None:
    """Take away what is still mounted on a directory, served or not."""
    while is_in_table(path):
        program = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount3", "-u", "-z"]
        subprocess.run([*program, str(path)], check=True, capture_output=True)


def is_in_table(path: Path) -> bool:
    """Tell whether the kernel's table of mounts has a directory, dead or alive."""
    table = Path("/proc/self/mountinfo").read_text()
    return any(line.split()[4] == str(path) for line in table.splitlines())


@pytest.fixture(params=BINDINGS)
def binding(request: pytest.FixtureRequest) -> str:
    """Each binding in turn; where its library is missing, the mount fails with its name."""
    name: str = request.param
    return name


@pytest.fixture
def mount(binding: str, tmp_path: Path) -> Iterator[Mount]:
    """An empty store mounted on an empty directory."""
    path = tmp_path / "mount"
    path.mkdir()
    with mounted(path, tmp_path / "kvass.sqlite", binding) as found:
        yield found
