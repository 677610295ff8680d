"""Measure what one operation costs in stores of few and of many keys, and draw it.

See README.md here. The exit status is 0 whatever the figures are.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import checkout  # noqa: F401
from filled import BEGINNING, Filled, mount_seconds, read_seconds, run_seconds
from measured import machine, say
from plot import Line, Plot, draw, text_of_duration
from report import aligned

from tests.support.mounts import wait_until_mounted
from tests.support.processes import KVASS

SIZES = (100, 1000, 10_000, 100_000, 1_000_000)
QUICK_SIZES = SIZES[:3]
ROUNDS, QUICK_ROUNDS = 5, 1
"""How often the stores are mounted for calls in them."""

TURNS = 40
"""How often a round times each call in each store: of the keys of the smallest, so many are read and so many saved."""

STARTS = 10
"""In so many turns of a round, one times whole processes: mounts and `kvass get`."""

VALUE_SIZE = 1024
NAMES = 100
"""In each directory."""

TITLE = "One operation in a store of few and of many keys"

Figures = dict[str, dict[int, float]]
"""Median seconds by operation and number of keys."""

Rows = dict[str, list[list[float]]]
"""Seconds by operation: for each turn those of all stores."""


class Trial:
    """One store, mounted or not, and what is timed in it. Each key is read or saved once, so that nothing is cached."""

    def __init__(self, store: Filled, turns: int) -> None:
        self.store = store
        keys = store.keys(2 * turns)
        self._read, self._saved = keys[:turns], keys[turns:]
        self._chance = random.Random(store.count)  # noqa: S311 (no secrets)

    def mount(self) -> float:
        """Time `kvass mount` until a key answers."""
        return mount_seconds(self.store)

    def get(self) -> float:
        """Time the whole process of `kvass get`."""
        return run_seconds(self.store.command("get", self._chance.choice(self._read)))

    def read(self) -> float:
        """Time open, read and close of a key that the mount has not been asked for yet."""
        return read_seconds(str(self._next(self._read)))

    def save(self) -> float:
        """Time a save over a value."""
        path, content = self._next(self._saved), BEGINNING + os.urandom(VALUE_SIZE - len(BEGINNING))
        before = time.perf_counter()
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
        os.write(descriptor, content)
        os.close(descriptor)
        return time.perf_counter() - before

    def _next(self, keys: list[str]) -> Path:
        """Return the path of the next key, of whose directory the kernel knows: in a small store it always does."""
        path = self.store.mount_point / keys.pop()
        path.parent.stat()
        return path

    def list(self) -> float:
        """Time a listing of one directory, the same one each time."""
        directory = (self.store.mount_point / self.store.keys(1)[0]).parent
        before = time.perf_counter()
        names = os.listdir(directory)
        seconds = time.perf_counter() - before
        if len(names) != NAMES:
            raise ValueError(f"{directory} has {len(names)} names")
        return seconds


Timed = Callable[[Trial], float]

PROCESSES: dict[str, Timed] = {"mount until it answers": Trial.mount, "kvass get, whole process": Trial.get}
CALLS: dict[str, Timed] = {
    "open, read, close": Trial.read,
    "save 1 KiB over another": Trial.save,
    "list 100 names": Trial.list,  # the last one: in a small store it tells the kernel of all keys
}


def main() -> None:
    """Fill the stores, measure, and print and draw what was found."""
    options = parser().parse_args()
    say(machine())
    with ExitStack() as stack:
        directory = options.stores or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        figures = measured(
            [made(directory, count, options) for count in sizes(options)], rounds(options), options.turns
        )
    print(json.dumps(figures, indent=1) if options.json else f"{machine()}\n\n{table(figures)}")
    if options.svg:
        options.svg.write_text(draw(plot(figures, caption(rounds(options), options.turns))), encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    new = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = new.add_argument
    add("--quick", action="store_true", help="stores of 10,000 keys at most, one round: less than a minute")
    add("--sizes", type=int, nargs="+", metavar="KEYS", help=f"of the stores, hundreds (default: {list(SIZES)})")
    add("--rounds", type=int, help=f"how often the stores are mounted for calls in them (default: {ROUNDS})")
    add("--turns", type=int, default=TURNS, help=f"how often a round times each call, 50 at most (default: {TURNS})")
    add("--svg", type=Path, metavar="FILE", help="where to draw it")
    add("--stores", type=Path, metavar="DIR", help="keep the stores there, and use those that are there")
    add("--binding", choices=("mfusepy", "fusepy"), default="mfusepy")
    add("--kvass", type=shlex.split, default=list(KVASS), help="command line that runs kvass")
    add("--json", action="store_true")
    return new


def sizes(options: argparse.Namespace) -> Sequence[int]:
    """Return the numbers of keys."""
    chosen: Sequence[int] = options.sizes or (QUICK_SIZES if options.quick else SIZES)
    return chosen


def rounds(options: argparse.Namespace) -> int:
    """Return how often the stores are mounted for calls in them."""
    chosen: int = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    return chosen


def made(directory: Path, count: int, options: argparse.Namespace) -> Filled:
    """Return a store, which is made unless it is there."""
    path = directory / f"growth-{count}.sqlite"
    store = Filled(count, path, "hundreds", tuple(options.kvass), options.binding, VALUE_SIZE)
    if not path.exists():
        store.make()
    return store


def measured(stores: Sequence[Filled], rounds: int, turns: int) -> Figures:
    """Time every operation in every store, by turns; the databases are in the page cache."""
    for store in stores:
        store.warm()
    found: Rows = {name: [] for name in (*PROCESSES, *CALLS)}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        trials = [Trial(store, turns) for store in stores]
        add_turns(found, PROCESSES, trials, starts(turns))
        with ExitStack() as stack:
            for store in stores:
                server = stack.enter_context(store.mounting())
                wait_until_mounted(store.mount_point, server)
            add_turns(found, CALLS, trials, turns)
    counts = [store.count for store in stores]
    return {name: dict(zip(counts, map(median, zip(*rows, strict=True)), strict=True)) for name, rows in found.items()}


def starts(turns: int) -> int:
    """Return how often a round times whole processes."""
    return max(1, turns // STARTS)


def add_turns(found: Rows, operations: dict[str, Timed], trials: Sequence[Trial], turns: int) -> None:
    """Time each operation in one store after the other, again and again, so that all suffer alike from what else runs."""
    for name, seconds in operations.items():
        found[name] += [[seconds(trial) for trial in trials] for _ in range(turns)]


def table(figures: Figures) -> str:
    """Return the figures for people."""
    counts = list(next(iter(figures.values())))
    head = ["median", *(f"{count:,} keys" for count in counts), "last / first"]
    return aligned([head, *(row_of(name, list(by_count.values())) for name, by_count in figures.items())])


def row_of(name: str, seconds: Sequence[float]) -> list[str]:
    """Return one operation's row."""
    return [name, *map(text_of_duration, seconds), f"{seconds[-1] / seconds[0]:.2f}"]


def plot(figures: Figures, caption: str) -> Plot:
    """Describe the picture."""
    return Plot(TITLE, "keys in the store", list(lines(figures)), caption)


def caption(rounds: int, turns: int) -> str:
    """Say how the figures came about."""
    return f"Values of 1 KiB; medians of {rounds * turns}, of processes {rounds * starts(turns)}. {machine()}."


def lines(figures: Figures) -> Iterator[Line]:
    """Give a line for each operation."""
    for name, by_count in figures.items():
        yield Line(name, list(by_count.items()))


if __name__ == "__main__":
    main()
