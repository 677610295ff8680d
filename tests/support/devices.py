"""Devices with mounts and command lines, the hub between them, and what crossed the network: all of it real."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from kvassfs.entry import Delivery
from kvassfs.errors import KeyMissing, Undecipherable
from kvassfs.store import Follower, Store
from kvassfs.sync import messages
from kvassfs.sync.seal import Seal
from tests.mounted.conftest import SECONDS, Mount, mounted
from tests.support.programs import within
from tests.support.proxy import Direction, Proxy

HERE = "127.0.0.1"

BINDING = "mfusepy"
"""One is enough where it makes no difference: `test_visibility.py` runs with each."""

PATIENCE = 20.0
"""Seconds that anything may take which should take a moment: the machine may be busy."""


class Outcome(NamedTuple):
    """What became of a command, and how many seconds it took."""

    status: int
    out: bytes
    err: str
    seconds: float


class Server:
    """`kvass serve` on the database at `db`, started and ended at will, always at the same port."""

    def __init__(self, db: Path) -> None:
        """Make the database."""
        self.db = db
        self.log = db.with_name(f"{db.name}.log")
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        with Store.open(db) as store:
            self.key = store.settings.config().encryption_key

    @property
    def place(self) -> tuple[str, int]:
        """Where it listens."""
        return (HERE, self.port)

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [sys.executable, "-m", "kvassfs_cli", "--db", str(self.db), "serve", "--bind", f"{HERE}:{self.port}"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log)
        within(SECONDS, lambda: " on http" in self.log.read_text(), what="the hub listens")
        found = re.search(rf"on http://{HERE}:(\d+)", self.log.read_text())
        assert found is not None
        self.port = int(found[1])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it if it runs."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(SECONDS)
            self.process = None

    def store(self) -> Store:
        """Open its store; close it."""
        return Store.open(self.db)


class Request(NamedTuple):
    """A request that reached the hub; `entries` are those of a push."""

    call: str
    entries: list[Delivery]


class Recorder:
    """Writes down what devices ask of the hub, of whatever they send through a `Proxy` that has it as its tap."""

    def __init__(self, key: bytes) -> None:
        """Decipher what was sealed with `key`."""
        self.requests: list[Request] = []
        self._seal = Seal(key)
        self._lock = threading.Lock()
        self._received: dict[int, bytes] = {}

    def __call__(self, connection: int, direction: Direction, data: bytes) -> None:
        """Take bytes that are forwarded."""
        if direction is Direction.TO_DEVICE:
            return
        rest = self._received.get(connection, b"") + data
        while (end := rest.find(b"\r\n\r\n")) >= 0:
            head, body = rest[:end], rest[end + 4 :]
            length = int((re.search(rb"(?i)content-length: *(\d+)", head) or [b"", b"0"])[1])
            if len(body) < length:
                break
            self._take(head.split()[1].decode().strip("/"), body[:length])
            rest = body[length:]
        self._received[connection] = rest

    def _take(self, call: str, body: bytes) -> None:
        try:
            entries = messages.decode_push(self._seal.unseal(body)) if call == "push" else []
        except Undecipherable:
            entries = []
        with self._lock:
            self.requests.append(Request(call, entries))

    def count(self) -> int:
        """Return how many requests there were so far."""
        return len(self.requests)

    def pushed(self, since: int = 0) -> list[Delivery]:
        """Return the entries that the hub was handed, in order, from the request number `since` on."""
        return [delivery for request in self.requests[since:] for delivery in request.entries]


class Device:
    """A store, and a directory to mount it on."""

    def __init__(self, room: Path, db: Path | None = None) -> None:
        """Make the store and the directory in the directory `room`, which is made; the store may also be at `db`."""
        room.mkdir()
        self.db = db or room / "kvass.sqlite"
        self.path = room / "mount"
        self.path.mkdir()

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

    def start(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        """Start the command line on the store."""
        command = [sys.executable, "-m", "kvassfs_cli", "--db", self.db, *arguments]
        streams: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(command, **{**streams, **options})

    def kvass(self, *arguments: str | Path, stdin: bytes = b"") -> Outcome:
        """Run the command line on the store."""
        begun = time.monotonic()
        with self.start(*arguments) as process:
            out, err = process.communicate(stdin, timeout=SECONDS)
        return Outcome(process.returncode, out, err.decode(), time.monotonic() - begun)

    def value(self, key: str) -> bytes | None:
        """Return what the store has under a key."""
        with self.store() as store:
            try:
                return store.get(key).read()
            except KeyMissing:
                return None

    def waiting(self) -> int:
        """Return how many entries the hub has not acknowledged."""
        with self.store() as store:
            return store.outbox.count_dirty()[0]

    def followers(self) -> list[Follower]:
        """Return the processes that keep the store in step."""
        with self.store() as store:
            return store.processes.followers()

    def in_touch(self) -> bool:
        """Tell whether one of them is in touch with the hub."""
        with self.store() as store:
            return store.processes.is_in_touch()

    def wait_for_touch(self) -> None:
        """Wait until one of them is in touch with the hub."""
        within(PATIENCE, self.in_touch, what="in touch with the hub")

    def wait_until_pushed(self) -> None:
        """Wait until the hub has all that is here."""
        within(PATIENCE, lambda: not self.waiting(), what="all is pushed")


class Network:
    """A hub behind a proxy, and devices that know its address."""

    def __init__(self, room: Path) -> None:
        """Put everything in the directory `room`."""
        self.room = room
        self.server = Server(room / "hub.sqlite")
        self.recorder = Recorder(self.server.key)
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        """Start the hub and the proxy."""
        self.server.start()
        self._ending.callback(self.server.stop)
        self.proxy = self._ending.enter_context(Proxy(self.server.place, tap=self.recorder))
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self._ending.close()

    def kill(self) -> None:
        """Kill the hub alone."""
        self.server.stop(signal.SIGKILL)

    def start(self) -> None:
        """Start it again."""
        self.server.start()

    def device(self, name: str) -> Device:
        """Make a device that has the hub's key and address."""
        made = Device(self.room / name)
        made.join(self.server.key, self.proxy.address)
        return made

    def device_of_the_hub(self) -> Device:
        """Give the hub's own store as a device."""
        return Device(self.room / "hub", self.server.db)


def wait_until(condition: Callable[[], bool], what: str) -> float:
    """Wait for `condition`; return the seconds that it took."""
    return within(PATIENCE, condition, what=what)


def is_running(pid: int) -> bool:
    """Tell whether there is a process, other than as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


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
