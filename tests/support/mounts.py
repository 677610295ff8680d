"""Mounts, each served by a process of its own: started, waited for, ended and unmounted whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvassfs.store import Store
from tests.support.processes import KVASS, ROOT, SECONDS, NotStarted, end_process, start_logged, unmeasured
from tests.support.waiting import find_within

BINDINGS = ("mfusepy", "fusepy")

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

    @property
    def log(self) -> Path:
        """Where the process says everything."""
        return log_of(self.path)

    def assert_no_surprise(self) -> None:
        """Assert that nothing went wrong that nobody expected: it would be in the log with a traceback."""
        text = self.log.read_text(errors="replace")
        assert "Traceback" not in text, text


def task_command(task: str, arguments: dict[str, Any], *, user: int | None = None) -> list[str]:
    """Return the command for a task of `RUN`: "mount" with `MountOptions`, or "unmount"."""
    return [sys.executable, "-c", RUN, task, json.dumps(arguments), str(os.getuid() if user is None else user)]


def start(task: str, arguments: dict[str, Any], *, user: int | None = None, **popen: Any) -> subprocess.Popen[bytes]:
    """Start a process for a task of `RUN`, perhaps as another user."""
    inherited = dict(os.environ) if user in {None, os.getuid()} else unmeasured()
    environment = {**inherited, "PYTHONPATH": str(ROOT)}
    command = task_command(task, arguments, user=user)
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, **popen)


@contextmanager
def mounted(path: Path, db: Path, binding: str, **options: Any) -> Iterator[Mount]:
    """Mount a store on an empty directory, wait until it answers, and unmount it in the end whatever happened."""
    chosen = {"directory": str(path), "database": str(db), "binding": binding, "foreground": True, **options}
    with mounted_by(task_command("mount", chosen), path, {"PYTHONPATH": str(ROOT)}) as process:
        mount = Mount(path, db, process, binding)
        yield mount
        mount.assert_no_surprise()


@contextmanager
def mounted_by(
    command: Sequence[str], path: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """`with` the process of a command that mounts on the directory `path` and stays in the foreground.

    It answers; NotStarted is raised where it does not.
    """
    with mounting(command, path, environment) as process:
        wait_until_mounted(path, process)
        yield process


@contextmanager
def mounting(
    command: Sequence[str], path: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The same without waiting for the mount."""
    process = start_logged(command, log_of(path), environment)
    try:
        yield process
    finally:
        end(process, path)


def put(mount: Mount, key: str, value: bytes) -> None:
    """Set a key from outside the mount: through the store, so that the time of the commit is known exactly."""
    with Store.open(mount.db) as store:
        store.set(key, value)


def remove(mount: Mount, key: str) -> None:
    """Delete a key from outside the mount."""
    with Store.open(mount.db) as store:
        store.delete(key)


def log_of(path: Path) -> Path:
    """Return where the process of a mount says everything: beside the directory."""
    return path.with_name(f"{path.name}.log")


def wait_until_mounted(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the mount is there and answers; NotStarted tells what its process said instead."""

    def is_mounted() -> bool:
        if process.poll() is not None:
            raise NotStarted(process, log_of(path))
        return os.path.ismount(path)

    find_within(SECONDS, is_mounted, what=f"mounted: {path}")


def end(process: subprocess.Popen[bytes], path: Path) -> None:
    """End the process of a mount and what it leaves behind."""
    try:
        end_process(process)
    finally:
        force_unmount(path)


def force_unmount(path: Path) -> None:
    """Take away what is still mounted on a directory, served or not."""
    while is_in_table(path):
        program = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount3", "-u", "-z"]
        subprocess.run([*program, str(path)], check=True, capture_output=True)


def is_in_table(path: Path) -> bool:
    """Tell whether the kernel's table of mounts has a directory, dead or alive."""
    return str(path) in mount_points()


def mount_points() -> list[str]:
    """Return the mount points of this process, without touching them."""
    lines = Path("/proc/self/mountinfo").read_text(errors="replace").split("\n")[:-1]
    return [line.split(" ")[4].replace("\\040", " ") for line in lines]


def mount_command(database: Path, directory: Path, kvass: Sequence[str] = KVASS) -> list[str]:
    """Return the command line that mounts a database in the foreground."""
    return [*kvass, "--db", str(database), "mount", "--foreground", str(directory)]


def binding_environment(binding: str) -> dict[str, str]:
    """Return the variables that make `kvass mount` take this binding."""
    return {"KVASS_FUSE": binding}
