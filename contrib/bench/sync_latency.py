"""From the close of a file in one mount to its new content by open in another, through a hub."""

from __future__ import annotations

import argparse
import os
import random
import time
from contextlib import suppress
from pathlib import Path

from measured import met, percentile, say, temporary_room
from report import aligned

WANTED_P50, WANTED_P95 = 0.012, 0.03
"""Seconds, for a save over another."""

WANTED_NEW, WANTED_LARGE = 0.4, 2.0
"""Seconds: new names are kept back for 0.3 s, and large values take their time."""

PATIENCE = 60.0
"""Seconds after which a save is taken to be lost."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--saves", type=int, default=200, help="of each kind (default: 200)")
    parser.add_argument("--large", type=int, default=5, help="saves of a large file (default: 5)")
    parser.add_argument("--megabytes", type=int, default=20, help="of the large file (default: 20)")
    parser.add_argument("--poll", type=float, default=1.0, help="ms between two looks at the other mount (default: 1)")
    parser.add_argument("--binding", choices=("mfusepy", "fusepy"), default="mfusepy")


def main(options: argparse.Namespace) -> str:
    """Save, wait for it on the other side, and return the table."""
    with temporary_room(options.directory) as room:
        hub = room.hub()
        here, there = (room.joined(name, hub) for name in ("here", "there"))
        for device in (here, there):
            room.enter(device.mounted(options.binding))
        pair = Pair(here.path, there.path, options.poll / 1000)
        pair.seconds("first", b"both are in step")
        rows = [["close to open, ms", "saves", "p50", "p95", "max", "wanted"]]
        for name, saves in kinds(options).items():
            seconds = []
            for key, content in saves:
                time.sleep(pair.random.uniform(0.05, 0.3))  # in no step with what the devices do by the clock
                seconds.append(pair.seconds(key, content))
                if len(seconds) % 50 == 0:
                    say(f"{name}: {len(seconds)}")
            rows.append(row(name, seconds))
    return aligned(rows)


class Pair:
    """A mount in which files are saved, and one in which they appear."""

    def __init__(self, here: Path, there: Path, pause: float) -> None:
        self.here = here
        self.there = there
        self.random = random.Random(1)  # noqa: S311 (no secret)
        self._pause = pause

    def seconds(self, key: str, content: bytes) -> float:
        """Save a file and wait until it is there; a ValueError if that takes too long."""
        descriptor = os.open(self.here / key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for start in range(0, len(content), 2**20):
            os.write(descriptor, content[start : start + 2**20])
        os.close(descriptor)
        begun = time.perf_counter()
        while read(self.there / key, len(content)) != content:
            if time.perf_counter() - begun > PATIENCE:
                raise ValueError(f"{key} did not appear within {PATIENCE:g} s")
            time.sleep(self._pause)
        return time.perf_counter() - begun


def read(path: Path, size: int) -> bytes:
    """Open a file and read it, if it is there and has so many bytes."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if os.fstat(descriptor).st_size == size:
                return b"".join(iter(lambda: os.read(descriptor, 2**20), b""))
        finally:
            os.close(descriptor)
    return b""


def kinds(options: argparse.Namespace) -> dict[str, list[tuple[str, bytes]]]:
    """Return what is saved: keys and contents by the name of their kind."""
    source = random.Random(2)  # noqa: S311 (no secret)
    size = options.megabytes * 1_000_000
    return {
        "1 KiB over another": [("note", source.randbytes(1024)) for _ in range(options.saves)],
        "1 KiB, new": [(f"note-{number}", source.randbytes(1024)) for number in range(options.saves)],
        f"{options.megabytes} MB, new": [(f"large-{n}", source.randbytes(size)) for n in range(options.large)],
    }


def row(name: str, seconds: list[float]) -> list[str]:
    """Return a row of the table."""
    figures = [percentile(seconds, 0.5), percentile(seconds, 0.95), max(seconds, default=0.0)]
    if "MB" in name:
        wanted = f"max < {WANTED_LARGE * 1000:.0f}: {met(figures[2] < WANTED_LARGE)}"
    elif "new" in name:
        wanted = f"p95 < {WANTED_NEW * 1000:.0f}: {met(figures[1] < WANTED_NEW)}"
    else:
        is_met = figures[0] <= WANTED_P50 and figures[1] <= WANTED_P95
        wanted = f"p50 ≤ {WANTED_P50 * 1000:.0f}, p95 ≤ {WANTED_P95 * 1000:.0f}: {met(is_met)}"
    return [name, str(len(seconds)), *(f"{1000 * figure:.1f}" for figure in figures), wanted]
