"""Many processes of `kvass set` at once on a database that a mount and a hub use as well."""

from __future__ import annotations

import argparse
import subprocess
import time
from dataclasses import dataclass, field

import checkout  # noqa: F401
from measured import met, say, temporary_room
from report import aligned

from tests.support.devices import Device, Room
from tests.support.proxy import Proxy
from tests.support.recorder import Recorder, repeated
from tests.support.waiting import Overdue, within

PATIENCE = 60.0


@dataclass
class Figures:
    """What came of one arrangement."""

    seconds: list[float] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    lost: int = 0
    pushed: int = 0
    twice: int = 0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--processes", type=int, default=20, help="at once (default: 20)")
    parser.add_argument("--rounds", type=int, default=10, help="how often (default: 10)")
    parser.add_argument("--binding", choices=("mfusepy", "fusepy"), default="mfusepy")


def main(options: argparse.Namespace) -> str:
    """Try both arrangements, and return the table and what was complained of."""
    rows = [["", "sets", "slowest round, s", "errors or warnings", "lost", "pushed", "pushed twice", "met"]]
    complaints = []
    for name, arrangement in (("hub on the same database", same), ("hub on another", other)):
        say(name)
        with temporary_room(options.directory) as room:
            figures = arrangement(room, options)
        complaints += [f"{name}: {line}" for line in sorted(set(figures.complaints))]
        is_met = met(not (figures.complaints or figures.lost or figures.twice))
        sets = str(options.processes * options.rounds)
        counts = [str(n) for n in (len(figures.complaints), figures.lost, figures.pushed, figures.twice)]
        rows.append([name, sets, f"{max(figures.seconds):.2f}", *counts, is_met])
    return "\n".join([aligned(rows), *complaints])


def same(room: Room, options: argparse.Namespace) -> Figures:
    """Set keys in the database of the hub, which is mounted too; another device has to get them."""
    hub = room.hub()
    of_hub = room.device_of(hub)
    return trial(room, of_hub, of_hub, room.joined("other", hub), options)


def other(room: Room, options: argparse.Namespace) -> Figures:
    """Set keys in the database of a mounted device, which its mount pushes to the hub as well."""
    hub = room.hub()
    recorder = Recorder(hub.key)
    proxy = room.enter(Proxy(hub.place, tap=recorder))
    device = room.joined("device", hub, proxy.address)
    figures = trial(room, room.device_of(hub), device, room.joined("other", hub), options)
    pushed = recorder.pushed_versions()
    figures.pushed = len(pushed)
    figures.twice = repeated(pushed)
    return figures


def trial(room: Room, of_hub: Device, device: Device, reader: Device, options: argparse.Namespace) -> Figures:
    """Run the processes while files are saved in the mount, and see that everything arrives everywhere."""
    figures = Figures()
    for each in (device, reader):
        room.enter(each.mounted(options.binding))
    keys = set()
    for number in range(options.rounds):
        names = [f"round-{number}-{process}" for process in range(options.processes)]
        figures.seconds.append(at_once(device, names, figures))
        keys |= {*names, f"round-{number}-mount"}
    for place in {device, reader, of_hub}:
        figures.lost += missing(place, keys)
    return figures


def at_once(device: Device, names: list[str], figures: Figures) -> float:
    """Set all these keys at once, each to its own name, and save a file meanwhile; return the seconds."""
    begun = time.perf_counter()
    processes = [
        subprocess.Popen(device.command("set", name, name), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for name in names
    ]
    key = names[0].rpartition("-")[0] + "-mount"
    (device.path / key).write_text(key)
    for process in processes:
        complaint = process.communicate()[1].decode(errors="replace").strip()
        if process.returncode or complaint:
            figures.complaints.append(f"status {process.returncode}: {complaint}")
    return time.perf_counter() - begun


def missing(device: Device, keys: set[str]) -> int:
    """Return how many keys a device lacks, or has with another value, once it has had time to get them."""

    def lacking() -> int:
        with device.store() as store:
            there = keys & set(store.keys())
            return len(keys) - sum(store.get(key).read().rstrip(b"\n") == key.encode() for key in there)

    try:
        within(PATIENCE, lambda: not lacking(), what="all keys are there")
    except Overdue:
        return lacking()
    return 0
