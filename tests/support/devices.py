"""Devices with mounts and command lines, the hub between them, and what crossed the network: all of it real."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from kvassfs.conflict import Conflict
from kvassfs.errors import KeyMissing
from kvassfs.store import Follower, Store
from tests.support.mounts import Mount, mounted
from tests.support.processes import HERE, KVASS, SECONDS, end_process, start_server, unmeasured
from tests.support.proxy import Proxy
from tests.support.recorder import Recorder
from tests.support.waiting import wait_until

BINDING = "mfusepy"
"""One is enough where it makes no difference: `test_visibility.py` runs with each."""


class Outcome(NamedTuple):
    """What became of a command."""

    status: int
    out: bytes
    err: str


class Hub:
    """`kvass serve` on the database at `db`, started and ended at will, always at the same port; a context manager."""

    def __init__(self, db: Path, *options: str) -> None:
        """Make the database; `options` are for the command line."""
        self.db = db
        self.log = db.with_name(f"{db.name}.log")
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._options = options
        with self.store() as store:
            self.key = store.settings.config().encryption_key

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    @property
    def place(self) -> tuple[str, int]:
        """Where it listens."""
        return (HERE, self.port)

    @property
    def address(self) -> str:
        """What devices know it by."""
        return f"{HERE}:{self.port}"

    @property
    def pid(self) -> int:
        """Its process; it runs."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [*KVASS, "--db", str(self.db), "serve", "--bind", self.address, *self._options]
        self.process, self.port = start_server(command, self.log)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it if it runs."""
        if self.process is not None:
            process, self.process = self.process, None
            end_process(process, number)

    def store(self) -> Store:
        """Open its store; close it."""
        return Store.open(self.db)


class Device:
    """A store, and a directory to mount it on."""

    def __init__(self, room: Path, db: Path | None = None) -> None:
        """Make the store and the directory in the directory `room`, which is made; the store may also be at `db`."""
        room.mkdir(exist_ok=True)
        self.db = db or room / "kvass.sqlite"
        self.path = room / "mount"
        self.path.mkdir(exist_ok=True)

    def join(self, key: bytes, remote: str) -> None:
        """Give it the key and the address of a hub."""
        with self.store() as store:
            store.settings.set_encryption_key(key)
            store.settings.set_remote(remote)

    @property
    def log(self) -> str:
        """What the mount has logged."""
        return self.path.with_name("mount.log").read_text()

    def store(self) -> Store:
        """Open the store; close it."""
        return Store.open(self.db)

    @contextmanager
    def mounted(self, binding: str = BINDING, **options: Any) -> Iterator[Mount]:
        """`with` the mount; its log is at hand."""
        with mounted(self.path, self.db, binding, **options) as mount:
            yield mount

    @contextmanager
    def following(self, binding: str = BINDING, **options: Any) -> Iterator[Mount]:
        """`with` the mount, which is in touch with the hub."""
        with self.mounted(binding, **options) as mount:
            self.wait_for_touch()
            yield mount

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the command line of `kvass` on the store."""
        return [*KVASS, "--db", str(self.db), *map(str, arguments)]

    def start(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        """Start the command line on the store."""
        streams: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(self.command(*arguments), **{**streams, **options})

    def kvass(self, *arguments: str | Path, stdin: bytes = b"") -> Outcome:
        """Run the command line on the store."""
        with self.start(*arguments, env=unmeasured()) as process:
            out, err = process.communicate(stdin, timeout=SECONDS)
        return Outcome(process.returncode, out, err.decode())

    def value(self, key: str) -> bytes | None:
        """Return what the store has under a key."""
        with self.store() as store:
            try:
                return store.get(key).read()
            except KeyMissing:
                return None

    def conflicts(self) -> list[Conflict]:
        """Return the conflicts that nobody has settled."""
        with self.store() as store:
            return list(store.conflicts.open())

    def waiting(self) -> int:
        """Return how many entries the hub has not acknowledged."""
        with self.store() as store:
            return store.outbox.count_dirty()[0]

    def followers(self) -> list[Follower]:
        """Return what keeps the store in step."""
        with self.store() as store:
            return store.processes.followers()

    def following_pids(self) -> list[int]:
        """Return the processes that do so themselves: of a mount, the one beside it."""
        with self.store() as store:
            return [pid for (pid,) in store._database.rows("SELECT pid FROM followers")]

    def in_touch(self) -> bool:
        """Tell whether one of them is in touch with the hub."""
        with self.store() as store:
            return store.processes.is_in_touch()

    def wait_for_touch(self) -> None:
        """Wait until one of them is in touch with the hub."""
        wait_until(self.in_touch, "in touch with the hub")

    def wait_until_pushed(self) -> None:
        """Wait until the hub has all that is here."""
        wait_until(lambda: not self.waiting(), "all is pushed")


class Room:
    """A directory with hubs and devices; a context manager that ends what was given to `enter`."""

    def __init__(self, path: Path) -> None:
        """Put everything in the directory `path`."""
        self.path = path
        self._ending = ExitStack()
        self.enter = self._ending.enter_context

    def __enter__(self) -> Self:
        """Give the room itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it all."""
        self._ending.close()

    def hub(self, name: str = "hub") -> Hub:
        """Start a hub."""
        return self.enter(Hub(self.path / f"{name}.sqlite"))

    def device(self, name: str) -> Device:
        """Make a device, which knows no hub."""
        return Device(self.path / name)

    def device_of(self, hub: Hub) -> Device:
        """Make a device of a hub's own store."""
        return Device(self.path / hub.db.stem, hub.db)

    def joined(self, name: str, hub: Hub, address: str = "") -> Device:
        """Make a device that has the key of a hub, and knows it by its address or another one."""
        made = self.device(name)
        made.join(hub.key, address or hub.address)
        with made.store() as store:
            store.settings.set_name(name)
        return made


class Network:
    """A hub behind a proxy, and devices that know its address."""

    def __init__(self, path: Path) -> None:
        """Put everything in the directory `path`."""
        self.room = Room(path)
        self.hub = Hub(path / "hub.sqlite")
        self.recorder = Recorder(self.hub.key)

    def __enter__(self) -> Self:
        """Start the hub and the proxy."""
        self.room.enter(self.hub)
        self.proxy = self.room.enter(Proxy(self.hub.place, tap=self.recorder))
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self.room.__exit__()

    def kill(self) -> None:
        """Kill the hub alone."""
        self.hub.stop(signal.SIGKILL)

    def start(self) -> None:
        """Start it again."""
        self.hub.start()

    def device(self, name: str) -> Device:
        """Make a device that has the hub's key and address."""
        return self.room.joined(name, self.hub, self.proxy.address)

    def device_of_the_hub(self) -> Device:
        """Give the hub's own store as a device."""
        return self.room.device_of(self.hub)


def shows(file: Path, value: bytes) -> Callable[[], bool]:
    """Make the question whether a file has this size and this content."""

    def question() -> bool:
        try:
            return file.stat().st_size == len(value) and file.read_bytes() == value
        except FileNotFoundError:
            return False

    return question


def lists(directory: Path, *wanted: str) -> Callable[[], bool]:
    """Make the question whether a directory is there and lists these names."""

    def question() -> bool:
        try:
            return sorted(os.listdir(directory)) == sorted(wanted)
        except FileNotFoundError:
            return False

    return question
