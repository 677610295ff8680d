"""The first exchange of a whole store: pushed into an empty hub by one device, pulled by another."""

from __future__ import annotations

import argparse
import random
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import checkout  # noqa: F401
from measured import MB, met, must, say, set_many, temporary_room
from report import aligned

from tests.support.devices import Device, Hub, Room
from tests.support.processes import cpu_seconds, forget_peak_memory, peak_memory

WANTED_PUSH, WANTED_PULL = 30_000, 50_000
"""Entries per second."""

BATCH_BYTES = 100_000

TABLE = """
CREATE TABLE entries (
    key TEXT PRIMARY KEY, value BLOB, token TEXT, timestamp INTEGER, counter INTEGER, process_id INTEGER,
    sequence INTEGER UNIQUE
) STRICT
"""


@dataclass(frozen=True)
class Load:
    """How many entries, of how many bytes each."""

    count: int
    size: int

    def entries(self) -> Iterator[tuple[str, bytes]]:
        """Give the entries; the same ones each time, and none like another."""
        source = random.Random(self.size)  # noqa: S311 (no secret)
        for number in range(self.count):
            yield f"notes/{number % 100:02d}/note-{number:06d}", source.randbytes(self.size)


@dataclass(frozen=True)
class Side:
    """What a transfer cost one side: seconds of the processor, and its highest memory in MB."""

    cpu: float
    memory: float


@dataclass(frozen=True)
class Row:
    """One transfer: its seconds, what it cost both sides, and the wanted entries per second."""

    name: str
    load: Load
    seconds: float
    sides: tuple[Side, ...] = ()
    wanted: float = 0.0
    moved: bool = True

    def cells(self) -> list[str]:
        """Return a row of the table."""
        rate = self.load.count / self.seconds
        rates = [f"{rate:,.0f}", f"{rate * self.load.size / 1e6:,.1f}"] if self.moved else ["-", "-"]
        costs = [f"{figure:.{digits}f}" for side in self.sides for figure, digits in ((side.cpu, 2), (side.memory, 0))]
        wanted = f">= {self.wanted:,.0f}/s: {met(rate >= self.wanted)}" if self.wanted else ""
        name = f"{self.name}, {self.load.count:,} x {self.load.size:,} B"
        return [name, f"{self.seconds:.2f}", *rates, *(costs or ["-"] * 4), wanted]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--entries", type=int, default=100_000, help="of 100 bytes (default: 100,000)")
    parser.add_argument("--values", type=int, default=100, help="large ones (default: 100; 0: none)")
    parser.add_argument("--size", type=int, default=10_000_000, help="of a large value (default: 10 MB)")
    parser.add_argument("--rounds", type=int, default=1, help="how often (default: once)")


def main(options: argparse.Namespace) -> str:
    """Transfer, and return the table."""
    rows = []
    for number in range(options.rounds):
        for load, wanted in (
            (Load(options.entries, 100), (WANTED_PUSH, WANTED_PULL)),
            (Load(options.values, options.size), (0, 0)),
        ):
            if load.count:
                say(f"round {number + 1}: {load}")
                with temporary_room(options.directory) as room:
                    rows += transfer(room, load, *wanted)
    heads = ["", "seconds", "entries/s", "MB/s", "device: CPU s", "peak MB", "hub: CPU s", "peak MB", "wanted"]
    return aligned([heads, *(row.cells() for row in rows)])


def transfer(room: Room, load: Load, wanted_push: float, wanted_pull: float) -> list[Row]:
    """Push and pull, with the same rows copied by SQLite alone beside it."""
    sender = room.device("sender")
    set_many(sender, load.entries())
    hub = room.hub()
    receiver = room.joined("receiver", hub)
    rows = [Row("sqlite3 INSERT", load, insert_seconds(load, room.path / "plain.sqlite"))]
    sender = room.joined("sender", hub)
    rows.append(exchanged("push", load, sender, hub, wanted_push))
    rows.append(exchanged("pull", load, receiver, hub, wanted_pull))
    rows.append(Row("sqlite3 INSERT again", load, insert_seconds(load, room.path / "plain.sqlite")))
    rows.append(exchanged("nothing to move", load, receiver, hub, 0))
    check(load, receiver)
    return rows


def exchanged(name: str, load: Load, device: Device, hub: Hub, wanted: float) -> Row:
    """Run `kvass sync`."""
    pid = hub.pid
    forget_peak_memory(pid)
    before = cpu_seconds(pid)
    ran = must(device, "sync")
    sides = (Side(ran.cpu, ran.memory / MB), Side(cpu_seconds(pid) - before, peak_memory(pid) / MB))
    say(f"{name}: {ran.output.decode().strip()} {ran.complaint}")
    return Row(name, load, ran.seconds, sides, wanted, not ran.output.startswith(b"in step"))


def insert_seconds(load: Load, database: Path) -> float:
    """Time what SQLite alone needs to insert the same rows, in transactions of about 100 KB, with a key and a sequence."""
    database.unlink(missing_ok=True)
    target = sqlite3.connect(database, isolation_level=None)
    try:
        target.execute("PRAGMA journal_mode=WAL")
        target.execute(TABLE)
        rows = ((key, value, "token" * 4, n, n, 1, n) for n, (key, value) in enumerate(load.entries()))
        seconds = 0.0
        while batch := list(islice(rows, max(1, BATCH_BYTES // load.size))):
            before = time.perf_counter()
            target.execute("BEGIN")
            target.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", batch)
            target.execute("COMMIT")
            seconds += time.perf_counter() - before
        return seconds
    finally:
        target.close()


def check(load: Load, device: Device) -> None:
    """Raise ValueError unless every entry has arrived as it was."""
    with device.store() as store:
        for key, value in load.entries():
            if store.get(key).read() != value:
                raise ValueError(f"{key} has not arrived as it was")
