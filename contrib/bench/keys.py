"""Compare a store of many keys with one of few: time to mount, cost of one key, memory of the mount.

See README.md here. The exit status is 0 whatever the figures are.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import checkout  # noqa: F401
from filled import LAYOUTS, Filled, mount_seconds, read_seconds, run_seconds
from measured import MB, machine, met, say
from report import aligned
from rounds import can_drop_caches, drop_caches

from tests.support.mounts import wait_until_mounted
from tests.support.processes import KVASS, peak_memory, resident_memory
from tests.support.waiting import find_within

RANDOM_READS = 1000
WANTED_START, WANTED_COLD_START, WANTED_MEMORY = 100, 1000, 80
"""Milliseconds, and megabytes beside what libfuse keeps of names."""

QUICK = {"keys": 10_000, "rounds": 1, "runs": 5}
FULL = {"keys": 100_000, "rounds": 5, "runs": 30}

SETTLE_SECONDS, SETTLED_LOOKS = 60.0, 10
"""How long memory may go on changing, and how many looks must find the same."""


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
    for name, number in (QUICK if options.quick else FULL).items():
        if getattr(options, name) is None:
            setattr(options, name, number)
    say(machine())
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
    add("--quick", action="store_true", help="10,000 keys, one mount and five runs: less than a minute")
    add("--keys", type=int, help=f"keys of the large store (default: {FULL['keys']})")
    add("--few", type=int, default=100, help="keys of the small store, each read once")
    add("--layout", choices=LAYOUTS, default="flat", help="all keys in one directory, in 10,000, or 100 in each")
    add("--rounds", type=int, help=f"how often to mount (default: {FULL['rounds']})")
    add("--runs", type=int, help=f"how often to run `kvass get` (default: {FULL['runs']})")
    add("--binding", choices=("mfusepy", "fusepy"), default="mfusepy")
    add("--kvass", type=shlex.split, default=list(KVASS), help="command line that runs kvass")
    add("--directory", type=Path, help="where the stores go (default: the temporary directory)")
    add("--json", action="store_true")
    return new


def filled(room: Path, count: int, options: argparse.Namespace) -> Filled:
    """Make a store."""
    new = Filled(count, room / f"{count}.sqlite", options.layout, tuple(options.kvass), options.binding)
    new.make()
    return new


def starts(few: Filled, many: Filled, rounds: int) -> list[Row]:
    """Time the start of `kvass mount` until a key answers to stat, with and without what the kernel had cached."""
    rows = [row("mount until it answers", interleaved(mount_seconds, few, many, rounds), limit=WANTED_START)]
    if can_drop_caches():
        cold = interleaved(cold_mount_seconds, few, many, rounds)
        rows.append(row("the same, caches dropped", cold, limit=WANTED_COLD_START))
        for store in (few, many):
            store.warm()
    return rows


def cold_mount_seconds(store: Filled, turn: int) -> float:
    """Do the same when program and store must come from the disk."""
    os.sync()
    drop_caches()
    return mount_seconds(store, turn)


def get(few: Filled, many: Filled, runs: int) -> Row:
    """Time whole processes of `kvass get`."""
    keys = {store: store.keys(min(runs, few.count)) for store in (few, many)}

    def seconds(store: Filled, turn: int) -> float:
        return run_seconds(store.command("get", keys[store][turn]))

    return row("kvass get", interleaved(seconds, few, many, len(keys[few])), most=1.2)


def reads(few: Filled, many: Filled) -> list[Row]:
    """Time the first read of keys in the mounts: by whole processes of `cat`, and by system calls."""
    paths = {store: [str(store.mount_point / key) for key in store.keys(few.count)] for store in (few, many)}

    def cat(store: Filled, _: int) -> float:
        return run_seconds(["cat", paths[store].pop()])

    def read(store: Filled, _: int) -> float:
        return read_seconds(paths[store].pop())

    half = few.count // 2
    return [
        row("cat", interleaved(cat, few, many, half), most=1.2),
        row("open+read+close", interleaved(read, few, many, half), most=1.2),
    ]


def memory(few: Filled, many: Filled, servers: list[subprocess.Popen[bytes]]) -> list[Row]:
    """Return the memory of the mount after `ls -lR` of everything and random reads, and what of it names take."""
    for store in (few, many):
        subprocess.run(["ls", "-lR", str(store.mount_point)], check=True, stdout=subprocess.DEVNULL)
        for key in store.keys(min(RANDOM_READS, store.count)):
            read_seconds(str(store.mount_point / key))
    now = [resident_memory(server.pid) / MB for server in servers]
    highest = [peak_memory(server.pid) / MB for server in servers]
    rows = [memory_row("resident memory after all that", now), memory_row("its highest", highest)]
    if can_drop_caches():
        drop_caches()
        names = [max(0, after - settled_memory(server.pid) / MB) for after, server in zip(now, servers, strict=True)]
        rows.append(memory_row("given back when the kernel forgets all names", names))
        rest = [most - part for most, part in zip(highest, names, strict=True)]
        rows.append(memory_row("its highest without that", rest, WANTED_MEMORY))
    return rows


def memory_row(name: str, megabytes: list[float], most: float = math.inf) -> Row:
    """Make a row in megabytes, of which the larger store's may be so many at most."""
    few, many = megabytes
    is_wanted = math.isfinite(most)
    return Row(
        name,
        "MB",
        few,
        many,
        many / few if few else math.nan,
        f"<= {most:g} MB" if is_wanted else "",
        many <= most if is_wanted else None,
    )


def settled_memory(pid: int) -> float:
    """Return the resident memory of a process once it does not change any more."""
    seen: list[int] = []

    def find_settled() -> int | None:
        seen.append(resident_memory(pid))
        return seen[-1] if len(seen) > SETTLED_LOOKS and len(set(seen[-SETTLED_LOOKS:])) == 1 else None

    return find_within(SETTLE_SECONDS, find_settled, what="the memory of the mount settles", pause=0.1)


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
        "",
    ]
    body = [
        [
            r.name,
            r.unit,
            f"{r.few:.2f}",
            f"{r.many:.2f}",
            f"{r.ratio:.2f}",
            r.wanted,
            "" if r.met is None else met(r.met),
        ]
        for r in rows
    ]
    return f"{machine()}\n\n{aligned([head, *body])}"


if __name__ == "__main__":
    main()
