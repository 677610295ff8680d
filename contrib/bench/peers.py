"""kvassfs and what it is compared with: how each is started, left to settle, and ended."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import checkout  # noqa: F401

from tests.support.mounts import binding_environment, mount_command, mounted_by
from tests.support.processes import NotStarted, cpu_seconds, written_bytes

SETTLE_SECONDS = 60.0
BENCH = Path(__file__).resolve().parent
MEMORY = Path("/dev/shm")  # noqa: S108 (where Linux keeps a tmpfs; names in it are random)

Fill = Callable[[Path], None]
"""Puts the first files into a directory."""


@dataclass(frozen=True)
class Setting:
    """What the person asked for, for every peer alike.

    Args:
        binding: "mfusepy" (libfuse 3) or "fusepy" (libfuse 2), for kvassfs and the plain file system.
        kvass: the command line that runs `kvass`.
        threads: the plain file system runs without `nothreads`.
        write_back: seconds after which rclone begins to carry a closed file to its directory.
    """

    binding: str
    kvass: tuple[str, ...]
    threads: bool = False
    write_back: float = 5


class Peer:
    """One directory to measure; this one is a plain directory of the disk.

    Life: `start`, then measurements in `directory`, then `stop`, which never raises.
    """

    name = "disk"

    def __init__(self, setting: Setting, room: Path) -> None:
        """Take the empty directory `room` for everything that this peer keeps."""
        self.setting = setting
        self.room = room
        self.directory = room

    @classmethod
    def missing(cls, setting: Setting) -> str | None:  # noqa: ARG003 (a plain directory is everywhere)
        """Say what to install, where this peer cannot run."""
        return None

    def start(self, fill: Fill) -> None:
        """Show the directory, with its first files; NotStarted where it cannot be."""
        fill(self.directory)

    def stop(self) -> None:
        """End what `start` started."""

    def settle(self) -> None:
        """Wait until what the last operation left to do in the background is done."""

    def cpu(self) -> float:
        """Return the processor time in seconds that the server took since it started (0 without one)."""
        return 0.0

    def written(self) -> int:
        """Return the bytes that the server wrote since it started, to files and to the kernel (0 without one)."""
        return 0


class Tmpfs(Peer):
    """A directory in the kernel's own memory: what the client's loop and the page cache cost by themselves."""

    name = "tmpfs"

    @classmethod
    def missing(cls, setting: Setting) -> str | None:  # noqa: ARG003 (as above)
        """Say that there is none."""
        return None if MEMORY.is_dir() else f"there is no {MEMORY}"

    def start(self, fill: Fill) -> None:
        """Make a directory there."""
        self.directory = Path(tempfile.mkdtemp(prefix="bench-", dir=MEMORY))
        fill(self.directory)

    def stop(self) -> None:
        """Remove it."""
        if self.directory != self.room:
            shutil.rmtree(self.directory, ignore_errors=True)


class Mounted(Peer):
    """A peer that is a process with a mount."""

    package = ""
    """The Debian package, which has a program of the same name."""

    def __init__(self, setting: Setting, room: Path) -> None:
        super().__init__(setting, room)
        self.directory = room / "mount"
        self.pid = 0
        self._ending = ExitStack()

    @classmethod
    def missing(cls, setting: Setting) -> str | None:  # noqa: ARG003 (for the others' sake)
        """Say which package is missing."""
        found = not cls.package or shutil.which(cls.package)
        return None if found else f"{cls.package} is not installed (Debian package: {cls.package})"

    def command(self) -> list[str]:
        """Return the command line that stays in the foreground."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Return what the process gets beside this process's environment."""
        return {}

    def start(self, fill: Fill) -> None:
        """Mount, then fill through the mount."""
        self.directory.mkdir()
        self.serve()
        fill(self.directory)

    def serve(self) -> None:
        """Start the process and wait until it is mounted."""
        mounted = mounted_by(self.command(), self.directory, self.environment())
        self.pid = self._ending.enter_context(mounted).pid

    def stop(self) -> None:
        """Unmount and end the process."""
        self.pid = 0
        with suppress(subprocess.TimeoutExpired):  # killed in the end
            self._ending.close()

    def cpu(self) -> float:
        """Return the server's."""
        return cpu_seconds(self.pid) if self.pid else 0.0

    def written(self) -> int:
        """Return the server's: what its calls wrote, whether or not it has reached the disk."""
        return written_bytes(self.pid) if self.pid else 0


class Kvassfs(Mounted):
    """The mount under test, on a fresh store."""

    name = "kvassfs"

    @classmethod
    def missing(cls, setting: Setting) -> str | None:
        """Say that there is no such command."""
        found = shutil.which(setting.kvass[0])
        return None if found else f"{shlex.join(setting.kvass)}: no such command (see --kvass)"

    def command(self) -> list[str]:
        """Mount a store that does not exist yet."""
        return mount_command(self.room / "kvass.sqlite", self.directory, self.setting.kvass)

    def environment(self) -> Mapping[str, str]:
        """Choose the binding."""
        return binding_environment(self.setting.binding)


class Plain(Mounted):
    """The in-memory file system of plain.py on the same binding."""

    name = "plain"

    def command(self) -> list[str]:
        """Run it with this Python."""
        threads = ["--threads"] if self.setting.threads else []
        return [sys.executable, str(BENCH / "plain.py"), *threads, str(self.directory)]

    def environment(self) -> Mapping[str, str]:
        """Choose the binding."""
        return {"PLAIN_BINDING": self.setting.binding}


class Backed(Mounted):
    """A mount that shows another directory, `backing`, which is filled before the mount."""

    def __init__(self, setting: Setting, room: Path) -> None:
        super().__init__(setting, room)
        self.backing = room / "backing"

    def start(self, fill: Fill) -> None:
        """Fill, then mount."""
        self.directory.mkdir()
        self.backing.mkdir()
        fill(self.backing)
        self.serve()


class BindfsPlain(Backed):
    """bindfs without any option; on libfuse 2 it then writes a page at a time."""

    name = "bindfs-plain"
    package = "bindfs"
    options: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """Mount as the manual does; other users are let in only where everyone may do that, as root."""
        private = [] if os.geteuid() == 0 else ["--no-allow-other"]
        return ["bindfs", "-f", *private, *self.options, str(self.backing), str(self.directory)]


class Bindfs(BindfsPlain):
    """bindfs with large writes, which libfuse 2 wants to be asked for and libfuse 3 refuses to be asked for."""

    name = "bindfs"
    options: tuple[str, ...] = ("-o", "big_writes")

    def serve(self) -> None:
        """Try with the option first."""
        try:
            super().serve()
        except NotStarted:
            self.options = ()
            super().serve()


class Rclone(Backed):
    """`rclone mount` of a local path; its manual asks for the cache mode `writes` where programs write."""

    name = "rclone"
    package = "rclone"

    def command(self) -> list[str]:
        """Mount with a configuration and a cache of its own."""
        own = ["--config", str(self.room / "rclone.conf"), "--cache-dir", str(self.room / "cache")]
        Path(own[1]).touch()
        writes = ["--vfs-cache-mode", "writes", "--vfs-write-back", f"{self.setting.write_back}s"]
        return ["rclone", "mount", str(self.backing), str(self.directory), *writes, *own]

    def settle(self) -> None:
        """Wait until it has carried every file from its cache to the directory (it begins some time after a close)."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline and any(map(is_dirty, (self.room / "cache" / "vfsMeta").rglob("*"))):
            time.sleep(0.25)


class Started:
    """The peers that run in this round, in order; a context manager that ends them all."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for peer in reversed(self.peers):
            peer.stop()

    def start(self, peer: Peer, fill: Fill) -> None:
        """Start one; if that fails it is not among the peers."""
        self.peers.append(peer)
        try:
            peer.start(fill)
        except (OSError, NotStarted):
            self.peers.remove(peer)
            peer.stop()
            raise


PEERS: tuple[type[Peer], ...] = (Kvassfs, Plain, Bindfs, BindfsPlain, Rclone, Peer, Tmpfs)


def is_dirty(path: Path) -> bool:
    """Tell whether what rclone notes of a file in its cache says that it is still to be carried."""
    try:
        return b'"Dirty": true' in path.read_bytes()
    except (IsADirectoryError, FileNotFoundError):  # a folder, or gone meanwhile
        return False
