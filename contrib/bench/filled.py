"""Stores of many keys, filled by the store's own code, and the time of what is done with one key of them."""

from __future__ import annotations

import os
import random
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import checkout  # noqa: F401
from measured import say

from kvassfs.entry import Delivery, Entry, new_token
from kvassfs.store import Store
from tests.support.mounts import binding_environment, mount_command, mounting, wait_until_mounted

PAGE = 2000
"""Entries merged in one transaction."""

BEGINNING = b"value "
"""Of each value."""

LAYOUTS: dict[str, Callable[[int], str]] = {
    "flat": lambda number: f"note-{number:06d}",
    "nested": lambda number: f"area-{number % 100:02d}/topic-{number // 100 % 100:02d}/note-{number:06d}",
    "hundreds": lambda number: f"area-{number // 10_000:02d}/topic-{number // 100 % 100:02d}/note-{number:06d}",
}
"""Keys by number: all in one directory, in 10,000 directories, and 100 in each directory."""


def merge(database: Path, deliveries: Iterator[Delivery]) -> None:
    """Make a database with these entries, merged as a hub merges them: four times as fast as setting them."""
    begun = time.monotonic()
    unfinished = database.with_suffix(".unfinished")
    remove(unfinished)
    count = 0
    with Store.open(unfinished) as store:
        with store.bulk():
            while page := list(islice(deliveries, PAGE)):
                store.inbox.merge_pushed(page)
                count += len(page)
        store.upkeep.checkpoint()
    unfinished.rename(database)
    remove(unfinished)
    say(f"{count:,} entries made in {time.monotonic() - begun:.1f} s")


def remove(database: Path) -> None:
    """Remove a database and what lies beside it."""
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()


@dataclass(frozen=True)
class Filled:
    """A store with `count` keys of values of `size` bytes, and the command line that works on it."""

    count: int
    path: Path
    layout: str
    kvass: tuple[str, ...]
    binding: str
    size: int = 100

    @property
    def mount_point(self) -> Path:
        """Where this store is mounted."""
        return self.path.with_suffix(".mount")

    def make(self) -> None:
        """Make the database."""
        merge(self.path, map(self.delivery, range(self.count)))

    def delivery(self, number: int) -> Delivery:
        """Return an entry as a device pushes it."""
        stamp = 1_700_000_000_000_000 + number
        entry = Entry(LAYOUTS[self.layout](number), stamp, number + 1, 1, new_token(os.urandom), self.size)
        return Delivery(entry, number + 1, self.value(number))

    def value(self, number: int) -> bytes:
        """Return the value of a key, which tells it from all others."""
        text = BEGINNING + b"%d " % number
        return (text * (self.size // len(text) + 1))[: self.size]

    def keys(self, count: int) -> list[str]:
        """Return that many different keys of it, in no order, the same ones each time."""
        chosen = random.Random(self.count).sample(range(self.count), count)  # noqa: S311 (no secrets)
        return [LAYOUTS[self.layout](number) for number in chosen]

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of `kvass` on this store."""
        return [*self.kvass, "--db", str(self.path), *arguments]

    def mounting(self) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Start the mount, without waiting for it; it is ended in the end."""
        self.mount_point.mkdir(exist_ok=True)
        command = mount_command(self.path, self.mount_point, self.kvass)
        return mounting(command, self.mount_point, binding_environment(self.binding))

    def warm(self) -> None:
        """Have the database in the page cache: what follows compares the work, not the disk."""
        with self.path.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


def mount_seconds(store: Filled, _: int = 0) -> float:
    """Mount, wait until a key answers to stat, unmount; time the first two."""
    key = store.mount_point / store.keys(1)[0]
    before = time.perf_counter()
    with store.mounting() as server:
        while not key.exists():
            if server.poll() is not None:
                wait_until_mounted(store.mount_point, server)  # raises with what it said
            time.sleep(0.001)
        return time.perf_counter() - before


def read_seconds(path: str) -> float:
    """Time open, read and close of one file."""
    before = time.perf_counter()
    descriptor = os.open(path, os.O_RDONLY)
    content = os.read(descriptor, 1 << 16)
    os.close(descriptor)
    seconds = time.perf_counter() - before
    if not content.startswith(BEGINNING):
        raise ValueError(f"{path} came back with other bytes")
    return seconds


def run_seconds(command: list[str]) -> float:
    """Time a whole process that prints a value."""
    before = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    seconds = time.perf_counter() - before
    if not done.stdout.startswith(BEGINNING):
        raise ValueError(f"{shlex.join(command)} printed something else")
    return seconds
