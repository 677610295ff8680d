"""A hub beside clients without a key that hold, trickle and finish bodies: what a device's push takes, and the memory.

Each attack is measured on a hub of its own, first without it and then under it. The attackers are those of the tests,
``tests/hostile/body_attackers.py``, in a process of their own: on a machine with few processors they take their part of these.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import checkout  # noqa: F401
from measured import MB, environment, met, percentile, say
from report import aligned

from kvassfs.entry import Delivery, Entry
from kvassfs.server.bodies import DISK, MEMORY
from kvassfs.sync import messages
from kvassfs.sync.seal import Seal
from tests.hostile.body_attackers import attacking
from tests.support.hub_process import Device, serving
from tests.support.processes import peak_memory

MIB = 1024 * 1024

WANTED, WANTED_IN_FLOOD = 2.0, 4.0
"""How many times as long as without attackers p95 may be."""


class Attack(NamedTuple):
    """So many clients of this kind, with bodies of so many bytes."""

    mode: str
    clients: int
    size: int

    @property
    def wanted(self) -> float:
        """How many times as long p95 may be; what is more than the hub takes in, or sent again and again, is a flood."""
        floods = self.mode == "finish" or (self.mode == "hold" and self.clients * self.size > MEMORY + DISK)
        return WANTED_IN_FLOOD if floods else WANTED

    def __str__(self) -> str:
        return f"{self.clients} {self.mode} {self.size / MIB:g} MiB"


ATTACKS = [
    Attack("hold", 32, 256 * MIB),
    Attack("hold", 64, 2 * MIB),
    Attack("trickle", 64, 256 * MIB),
    Attack("finish", 8, 256 * MIB),
    Attack("finish", 64, 16 * MIB),
    Attack("finish", 64, 1 * MIB),
]


class Figures(NamedTuple):
    """Seconds that pushes and downloads took."""

    pushes: list[float]
    gets: list[float]


def measure(device: Device, seconds: float, number: int) -> Figures:
    """Push an entry of 1 KiB and get it by its address, again and again; ValueError where that fails."""
    figures = Figures([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        number += 1
        value = number.to_bytes(4) * 256
        entry = Entry(f"key-{number}", time.time_ns() // 1000, number, 77, f"token-{number}", len(value))
        body = Seal(device.key).seal(messages.encode_push([Delivery(entry, number, value)]))
        figures.pushes.append(timed(partial(push, device, body)))
        figures.gets.append(timed(partial(get, device, entry.url_token, value)))
        time.sleep(0.01)
    return figures


def timed(act: Callable[[], None]) -> float:
    """Return how many seconds it took."""
    before = time.perf_counter()
    act()
    return time.perf_counter() - before


def push(device: Device, body: bytes) -> None:
    """Push; ValueError unless it has succeeded."""
    status, said = device.post("/push", body)
    if status != 200:
        raise ValueError(f"a push failed with {status}: {said!r}")


def get(device: Device, token: str, value: bytes) -> None:
    """Get a value by its address; ValueError unless it is that."""
    connection = device.connect()
    try:
        connection.request("GET", f"/get?q={token}")
        if connection.getresponse().read() != value:
            raise ValueError("a download was not what was pushed")
    finally:
        connection.close()


def row(attack: Attack, base: Path, seconds: float) -> list[str]:
    """Measure one attack and return its row of the table."""
    with TemporaryDirectory(prefix="hostile-", dir=base) as folder, serving(Path(folder)) as server:
        device = server.device()
        measure(device, 1, 0)
        before = measure(device, seconds, 1_000_000)
        with attacking(attack.mode, server.url, attack.clients, attack.size) as answers:
            time.sleep(2)
            under = measure(device, seconds, 2_000_000)
            memory = peak_memory(server.process.pid)
        say(f"{attack}: statuses {dict(answers)}")
        factors = [percentile(b, 0.95) / percentile(a, 0.95) for a, b in zip(before, under, strict=True)]
        return [
            str(attack),
            *(f"{1000 * median(each):.1f}" for pair in zip(before, under, strict=True) for each in pair),
            *(f"{1000 * percentile(each, 0.95):.1f}" for pair in zip(before, under, strict=True) for each in pair),
            *(f"{factor:.1f}" for factor in factors),
            f"{(memory or 0) / MB:.0f}",
            f"< {attack.wanted:g}: {met(max(factors) < attack.wanted)}",
        ]


HEAD = [
    "ms",
    *(f"{what}{when}{part}" for part in (" p50", " p95") for what in ("push", "get") for when in ("", " under")),
]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, help="where to work (default: where temporary files go)")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement (default: 10)")
    parser.add_argument("--only", default="", help="attacks whose name has this in it")
    options = parser.parse_args()
    say(environment())
    chosen = [attack for attack in ATTACKS if options.only in str(attack)]
    rows = [row(attack, options.directory, options.seconds) for attack in chosen]
    print(aligned([[*HEAD, "push ×", "get ×", "memory, MB", "p95 wanted"], *rows]))


if __name__ == "__main__":
    main()
