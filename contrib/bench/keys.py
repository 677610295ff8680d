"""Compare a store of many keys with one of few: time to mount, cost of one key, memory of the mount.

See README.md here. The exit status is 0 whatever the figures are.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import checkout  # noqa: F401
from measured import MB, say
from peers import MEMORY
from report import aligned
from rounds import can_drop_caches, drop_caches

from kvassfs.store import Store
from tests.support.mounts import binding_environment, mount_command, mounting, wait_until_mounted
from tests.support.processes import KVASS, peak_memory, resident_memory

RANDOM_READS = 1000
LAYOUTS: dict[str, Callable[[int], str]] = {
    "flat": lambda number: f"note-{number:06d}",
    "nested": lambda number: f"area-{number % 100:02d}/topic-{number // 100 % 100:02d}/note-{number:06d}",
}


@dataclass(frozen=True)
class Filled:
    """A store with `count` keys, and the command line that works on it."""

    count: int
    path: Path
    layout: str
    kvass: tuple[str, ...]
    binding: str

    @property
    def mount_point(self) -> Path:
        """Where this store is mounted."""
        return self.path.with_suffix(".mount")

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


@dataclass(frozen=True)
class Row:
    """A figure for few keys, the same for many, their ratio, and whether that is what is wanted."""

    name: str
    unit: str
    few: float
    many: float
    ratio: float
    wanted: str
    met: bool | None


Timed = Callable[[Filled, int], float]
"""Does something to a store at a turn and returns the seconds that it took."""

Pairs = list[tuple[float, float]]


def main() -> None:
    """Fill two stores, measure, and print what was found."""
    options = parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as name, ExitStack() as stack:
        few, many = (filled(Path(name), count, options) for count in (options.few, options.keys))
        rows = starts(few, many, options.rounds)
        rows.append(get(few, many, options.runs))
        servers = [stack.enter_context(store.mounting()) for store in (few, many)]
        for store, server in zip((few, many), servers, strict=True):
            wait_until_mounted(store.mount_point, server)
        rows += reads(few, many)
        rows += memory(few, many, servers)
    print(json.dumps([asdict(row) for row in rows], indent=1) if options.json else table(rows, options))


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    new = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = new.add_argument
    add("--keys", type=int, default=100_000, help="keys of the large store")
    add("--few", type=int, default=100, help="keys of the small store, each read once")
    add("--layout", choices=LAYOUTS, default="flat", help="all keys in one directory, or in 10,000")
    add("--rounds", type=int, default=5, help="how often to mount")
    add("--runs", type=int, default=30, help="how often to run `kvass get`")
    add("--binding", choices=("mfusepy", "fusepy"), default="mfusepy")
    add("--kvass", type=shlex.split, default=list(KVASS), help="command line that runs kvass")
    add("--directory", type=Path, help="where the stores go (default: the temporary directory)")
    add("--json", action="store_true")
    return new


def filled(room: Path, count: int, options: argparse.Namespace) -> Filled:
    """Make a store in memory, where its commits wait for no disk, and move it to the room."""
    new = Filled(count, room / f"{count}.sqlite", options.layout, tuple(options.kvass), options.binding)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else room) as name:
        before = time.perf_counter()
        with Store.open(Path(name, "store.sqlite")) as store:
            for number in range(count):
                store.set(LAYOUTS[options.layout](number), value(number))
        say(f"{count} keys set in {time.perf_counter() - before:.1f} s")
        shutil.copyfile(Path(name, "store.sqlite"), new.path)
    return new


def value(number: int) -> bytes:
    """Return the value of a key, which tells it from all others."""
    return f"value {number} ".encode() * 10


def starts(few: Filled, many: Filled, rounds: int) -> list[Row]:
    """Time the start of `kvass mount` until a key answers to stat, with and without what the kernel had cached."""
    rows = [row("mount until it answers", interleaved(mount_seconds, few, many, rounds), limit=1000)]
    if can_drop_caches():
        cold = interleaved(cold_mount_seconds, few, many, rounds)
        rows.append(row("the same, caches dropped", cold, limit=1000))
        for store in (few, many):
            store.path.read_bytes()  # what follows compares the work, not the disk
    return rows


def mount_seconds(store: Filled, _: int) -> float:
    """Mount, wait for the answer, unmount."""
    key = store.mount_point / store.keys(1)[0]
    before = time.perf_counter()
    with store.mounting() as server:
        while not key.exists():
            if server.poll() is not None:
                wait_until_mounted(store.mount_point, server)  # raises with what it said
            time.sleep(0.001)
        return time.perf_counter() - before


def cold_mount_seconds(store: Filled, turn: int) -> float:
    """Do the same when program and store must come from the disk."""
    os.sync()
    drop_caches()
    return mount_seconds(store, turn)


def get(few: Filled, many: Filled, runs: int) -> Row:
    """Time whole processes of `kvass get`."""
    keys = {store: store.keys(min(runs, few.count)) for store in (few, many)}

    def seconds(store: Filled, turn: int) -> float:
        return timed_run(store.command("get", keys[store][turn]))

    return row("kvass get", interleaved(seconds, few, many, len(keys[few])), most=1.2)


def reads(few: Filled, many: Filled) -> list[Row]:
    """Time the first read of keys in the mounts: by whole processes of `cat`, and by system calls."""
    paths = {store: [str(store.mount_point / key) for key in store.keys(few.count)] for store in (few, many)}

    def cat(store: Filled, _: int) -> float:
        return timed_run(["cat", paths[store].pop()])

    def read(store: Filled, _: int) -> float:
        return read_seconds(paths[store].pop())

    half = few.count // 2
    return [
        row("cat", interleaved(cat, few, many, half), most=1.2),
        row("open+read+close", interleaved(read, few, many, half), most=1.2),
    ]


def memory(few: Filled, many: Filled, servers: list[subprocess.Popen[bytes]]) -> list[Row]:
    """Return the memory of the mount after `ls -lR` of everything and random reads."""
    for store in (few, many):
        subprocess.run(["ls", "-lR", str(store.mount_point)], check=True, stdout=subprocess.DEVNULL)
        for key in store.keys(min(RANDOM_READS, store.count)):
            read_seconds(str(store.mount_point / key))
    now = [resident_memory(server.pid) / MB for server in servers]
    highest = [peak_memory(server.pid) / MB for server in servers]
    return [
        Row("resident memory after all that", "MB", now[0], now[1], now[1] / now[0], "", None),
        Row("its highest", "MB", highest[0], highest[1], highest[1] / highest[0], "< 100 MB", highest[1] < 100),
    ]


def read_seconds(path: str) -> float:
    """Time open, read and close of one file."""
    before = time.perf_counter()
    descriptor = os.open(path, os.O_RDONLY)
    content = os.read(descriptor, 1 << 16)
    os.close(descriptor)
    seconds = time.perf_counter() - before
    if not content.startswith(b"value "):
        raise ValueError(f"{path} came back with other bytes")
    return seconds


def timed_run(command: list[str]) -> float:
    """Time a whole process that prints a value."""
    before = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    seconds = time.perf_counter() - before
    if not done.stdout.startswith(b"value "):
        raise ValueError(f"{shlex.join(command)} printed something else")
    return seconds


def interleaved(seconds: Timed, few: Filled, many: Filled, turns: int) -> Pairs:
    """Return pairs of seconds, few and many by turns."""
    return [(seconds(few, turn), seconds(many, turn)) for turn in range(turns)]


def row(name: str, pairs: Pairs, *, most: float = math.inf, limit: float = math.inf) -> Row:
    """Make a row in milliseconds: medians, the median of the ratios, and what is wanted of one of them."""
    ratio = median(many / few for few, many in pairs)
    few, many = (median(column) * 1000 for column in zip(*pairs, strict=True))
    wanted = f"ratio <= {most:g}" if math.isfinite(most) else f"<= {limit:g} ms"
    return Row(name, "ms", few, many, ratio, wanted, ratio <= most and many <= limit)


def table(rows: list[Row], options: argparse.Namespace) -> str:
    """Return the rows for people."""
    head = [
        f"median ({options.layout} keys)",
        "unit",
        f"{options.few} keys",
        f"{options.keys} keys",
        "ratio",
        "wanted",
        "met",
    ]
    met = {True: "yes", False: "NO", None: ""}
    body = [[r.name, r.unit, f"{r.few:.2f}", f"{r.many:.2f}", f"{r.ratio:.2f}", r.wanted, met[r.met]] for r in rows]
    return aligned([head, *body])


if __name__ == "__main__":
    main()
