"""A sealed store beside a plain one: the first exchange, a large value, and from a save here to its appearance there."""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import checkout  # noqa: F401
from measured import met, must, percentile, say, set_many, temporary_room
from report import aligned
from sync_bulk import Load, check
from sync_latency import Pair

from kvassfs.kind import Kind
from kvassfs.veil.keys import derive_keys
from tests.support.devices import Device, Hub, Room

WANTED_FIRST, WANTED_LARGE, WANTED_SAVE = 0.6, 0.7, 1.2
"""The first exchange and a large value are to have so much of the rate of a plain hub, a save no more of its time."""

Seconds = dict[str, dict[str, list[float]]]
"""What was measured, by what it was and the kind of store."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--entries", type=int, default=100_000, help="of 100 bytes (default: 100,000)")
    parser.add_argument("--megabytes", type=int, default=100, help="of the large value (default: 100)")
    parser.add_argument("--saves", type=int, default=200, help="of 1 KiB (default: 200)")
    parser.add_argument("--rounds", type=int, default=3, help="how often (default: 3)")


def main(options: argparse.Namespace) -> str:
    """Measure both kinds by turns, and return the table."""
    found: Seconds = {}
    for number in range(options.rounds):
        for load in (Load(options.entries, 100), Load(1, options.megabytes * 1_000_000)):
            for kind in order(number):
                say(f"round {number + 1}, {kind}: {load}")
                with temporary_room(options.directory) as room:
                    for call, seconds in exchange_first(room, kind, load).items():
                        what = f"{call}, {load.count:,} x {load.size:,} B"
                        found.setdefault(what, {}).setdefault(kind, []).append(seconds)
    with temporary_room(options.directory) as room:
        found["close to open, 1 KiB over another"] = save_by_turns(room, options.saves)
    heads = ["median of seconds", "plain", "sealed", "sealed × plain", "wanted"]
    return aligned([heads, *(make_row(what, kinds) for what, kinds in found.items())])


def order(number: int) -> tuple[str, str]:
    """Return both kinds, in another order each time."""
    return ("plain", "sealed") if number % 2 == 0 else ("sealed", "plain")


def exchange_first(room: Room, kind: str, load: Load) -> dict[str, float]:
    """Push all from one device into an empty hub, and pull it on another; return the seconds of both."""
    sender = room.device("sender")
    set_many(sender, load.entries())
    hub, join = open_hub(room, kind)
    join(sender)
    receiver = room.device("receiver")
    join(receiver)
    seconds = {call: must(device, "sync").seconds for call, device in (("push", sender), ("pull", receiver))}
    check(load, receiver)
    hub.stop()
    return seconds


def open_hub(room: Room, kind: str) -> tuple[Hub, Callable[[Device], None]]:
    """Start a hub of a store of this kind; return it, and what makes a device one of that store."""
    secret = os.urandom(32)
    hub = Hub(room.path / f"{kind}.sqlite")
    with hub.store() as store:
        if kind == "sealed":
            store.settings.set_encryption_key(derive_keys(secret).access, Kind.HUB)
        else:
            store.settings.set_encryption_key(secret)
    room.enter(hub)

    def join(device: Device) -> None:
        with device.store() as store:
            store.settings.set_encryption_key(secret, Kind.DEVICE if kind == "sealed" else Kind.PLAIN)
            store.settings.set_remote(hub.address)

    return hub, join


def save_by_turns(room: Room, count: int) -> dict[str, list[float]]:
    """Save in a mount of each kind by turns; return the seconds until another device of that store shows it."""
    pairs = {kind: open_pair(room, kind) for kind in order(0)}
    source = random.Random(3)  # noqa: S311 (no secret)
    seconds: dict[str, list[float]] = {kind: [] for kind in pairs}
    for kind, pair in pairs.items():
        pair.seconds("note", kind.encode())
    for number in range(count):
        for kind in order(number):
            time.sleep(source.uniform(0.05, 0.3))
            seconds[kind].append(pairs[kind].seconds("note", source.randbytes(1024)))
    return seconds


def open_pair(room: Room, kind: str) -> Pair:
    """Mount two devices of one store."""
    _, join = open_hub(room, kind)
    paths: list[Path] = []
    for name in ("here", "there"):
        device = room.device(f"{kind}-{name}")
        join(device)
        room.enter(device.following())
        paths.append(device.path)
    return Pair(paths[0], paths[1], 0.001)


def make_row(what: str, kinds: dict[str, list[float]]) -> list[str]:
    """Return a row of the table."""
    plain, sealed = median(kinds["plain"]), median(kinds["sealed"])
    if what.startswith("close"):
        tail = percentile(kinds["sealed"], 0.95) / percentile(kinds["plain"], 0.95)
        wanted = f"time ≤ {WANTED_SAVE}: {met(sealed / plain <= WANTED_SAVE)}; p95 {tail:.2f}"
        return [what, f"{plain:.4f}", f"{sealed:.4f}", f"{sealed / plain:.2f} of the time", wanted]
    least = WANTED_FIRST if " x 100 B" in what else WANTED_LARGE
    rate = plain / sealed
    return [what, f"{plain:.2f}", f"{sealed:.2f}", f"{rate:.2f} of the rate", f"rate ≥ {least}: {met(rate >= least)}"]
