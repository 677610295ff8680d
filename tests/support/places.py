"""Places to mount on, of this user or another one: mounted as daemons, killed, and cleared whatever happens."""

from __future__ import annotations

import fcntl
import os
import select
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from kvassfs.mount import mountpoint
from kvassfs.store import Store
from tests.support.mounts import force_unmount, start
from tests.support.processes import ROOT, SECONDS

NOBODY = 65534


class Place:
    """A directory to mount on and a database beside it, which tests mount as daemons, as `user`."""

    def __init__(self, room: Path, binding: str, user: int | None = None) -> None:
        self.user = os.getuid() if user is None else user
        self.path = room / "mount"
        self.db = room / "kvass.sqlite"
        self.log = room / "log"
        self.binding = binding

    def mount(self, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `kvass mount` to its end, with what it says."""
        chosen = {"directory": str(self.path), "database": str(self.db), "binding": self.binding, "log": str(self.log)}
        return self.run("mount", {**chosen, **options})

    def run(self, task: str, arguments: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        process = start(task, arguments, user=self.user, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, out.decode(), err.decode())

    def run_script(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a program in Python, as whoever runs the tests, to its end."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
        )

    def mount_well(self, **options: Any) -> None:
        """Mount; it must succeed without a word."""
        done = self.mount(**options)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def refusal(self, **options: Any) -> str:
        """Mount; it must fail with the one line that is returned."""
        done = self.mount(**options)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def server(self) -> int:
        """Return the process that serves the mount."""
        return int(self.shell(f"getfattr --only-values -n {mountpoint.SERVER_PID} .").stdout)

    def shell(self, script: str, *, groups: Sequence[int] = ()) -> subprocess.CompletedProcess[str]:
        """Run a script in the mount, as the user whose mount it is; only root may give that user more groups."""
        command = ["sh", "-c", f"cd {shlex.quote(str(self.path))} && {script}"]
        who: dict[str, Any] = {"extra_groups": groups} if groups else {}
        if self.user != os.getuid():
            who |= {"user": self.user, "group": self.user, "cwd": "/"}
        return subprocess.run(command, capture_output=True, text=True, check=False, **who)

    def value(self, key: str) -> bytes:
        with Store.open(self.db) as store:
            return store.get(key).read()


def clear(place: Place) -> None:
    """Unmount, end the daemon, and look at what it logged."""
    try:
        server = os.pidfd_open(place.server())
    except (OSError, ValueError):
        force_unmount(place.path)
    else:
        force_unmount(place.path)
        if not ended(server):
            signal.pidfd_send_signal(server, signal.SIGKILL)
            pytest.fail("the daemon did not end when its mount did")
    log = place.log.read_text() if place.log.exists() else ""
    assert "Traceback" not in log, log


def ended(server: int) -> bool:
    """Wait for the end of a process given by a pidfd."""
    return bool(select.select([server], [], [], SECONDS)[0])


def kill(pid: int) -> None:
    """Kill the process that serves a mount."""
    server = os.pidfd_open(pid)
    signal.pidfd_send_signal(server, signal.SIGKILL)
    assert ended(server)
    os.close(server)


@contextmanager
def open_device() -> Iterator[None]:
    """Let users open /dev/fuse, as udev does; where tests run beside each other, one at a time."""
    with Path(tempfile.gettempdir(), "kvassfs-test-device.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mode = stat.S_IMODE(os.stat("/dev/fuse").st_mode)
        if mode & 0o006 != 0o006:
            os.chmod("/dev/fuse", 0o666)
        try:
            yield
        finally:
            if mode & 0o006 != 0o006:
                os.chmod("/dev/fuse", mode)


@contextmanager
def place_of(room: Path, binding: str) -> Iterator[Place]:
    """``with`` a place of whoever runs the tests, in a directory."""
    found = Place(room, binding)
    found.path.mkdir()
    try:
        yield found
    finally:
        clear(found)


@contextmanager
def place_of_user(binding: str) -> Iterator[Place]:
    """``with`` a place that belongs to a user who is not root."""
    user = os.getuid() or NOBODY
    room = Path(tempfile.mkdtemp(prefix="kvassfs-"))
    found = Place(room, binding, user)
    found.path.mkdir()
    for path in (room, found.path):
        os.chown(path, user, user if os.getuid() == 0 else -1)
    try:
        with open_device() if os.getuid() == 0 else nullcontext():
            try:
                yield found
            finally:
                clear(found)
    finally:
        shutil.rmtree(room)
