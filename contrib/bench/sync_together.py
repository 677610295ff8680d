"""Many processes of `kvass set` at once on a database that a mount and a hub use as well."""

from __future__ import annotations

import argparse
import subprocess
import time
from dataclasses import dataclass, field

from devices import Device, Hub, Room, key_of, met, say, wait_for
from messages import Listener, repeated
from report import aligned
from server import ServerError

from tests.support.proxy import Proxy

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
        with Room(options.directory) as room:
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
    return trial(room, hub, Device(hub.database), room.joined("other", hub), options)


def other(room: Room, options: argparse.Namespace) -> Figures:
    """Set keys in the database of a mounted device, which its mount pushes to the hub as well."""
    hub = room.hub()
    listener = Listener(key_of(hub.database))
    proxy = room.enter(Proxy(hub.where, tap=listener))
    figures = trial(room, hub, room.joined("device", hub, proxy.address), room.joined("other", hub), options)
    figures.pushed = len(listener.pushed)
    figures.twice = repeated(listener.pushed)
    return figures


def trial(room: Room, hub: Hub, device: Device, reader: Device, options: argparse.Namespace) -> Figures:
    """Run the processes while files are saved in the mount, and see that everything arrives everywhere."""
    figures = Figures()
    for each in (device, reader):
        room.enter(each.mounted(options.binding))
    keys = set()
    for number in range(options.rounds):
        names = [f"round-{number}-{process}" for process in range(options.processes)]
        figures.seconds.append(at_once(device, names, figures))
        keys |= {*names, f"round-{number}-mount"}
    for place in {device, reader, Device(hub.database)}:
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
    (device.mount_point / key).write_text(key)
    for process in processes:
        complaint = process.communicate()[1].decode(errors="replace").strip()
        if process.returncode or complaint:
            figures.complaints.append(f"status {process.returncode}: {complaint}")
    return time.perf_counter() - begun


def missing(device: Device, keys: set[str]) -> int:
    """Return how many keys a device lacks, or has with another value, once it has had time to get them."""

    def lacking() -> int:
        with device.open() as store:
            there = keys & set(store.keys())
            return len(keys) - sum(store.get(key).read().rstrip(b"\n") == key.encode() for key in there)

    try:
        wait_for(lambda: lacking() == 0 or None, PATIENCE, 0.1)
    except ServerError:
        return lacking()
    return 0
