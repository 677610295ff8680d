"""One large value from mount to mount, with cuts of the connection that carries it, and then a small change to it."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import checkout  # noqa: F401
from large import MIB, STEP, Content, digest
from measured import MB, met, say, sync_process_of, temporary_room
from report import aligned

from tests.support.devices import Device, Hub, Room
from tests.support.processes import peak_memory
from tests.support.proxy import Direction, Proxy
from tests.support.recorder import Recorder, repeated
from tests.support.waiting import wait_until, within

WANTED_MEMORY = 200.0
"""MB of 1,000,000 bytes."""

WANTED_CHANGE = MIB
"""Bytes that may cross the network for 4 KiB appended."""

SETTLING_SECONDS = 2.0
"""What still crosses the network so long after the change has arrived is counted for it."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--mebibytes", type=int, default=1024, help="of the value (default: 1024)")
    parser.add_argument("--cuts", type=int, default=5, help="in each direction (default: 5)")
    parser.add_argument("--patience", type=float, default=600, help="seconds for each way (default: 600)")
    parser.add_argument("--binding", choices=("mfusepy", "fusepy"), default="mfusepy")


def main(options: argparse.Namespace) -> str:
    """Carry it over, and return the tables."""
    with temporary_room(options.directory) as room:
        return "\n\n".join(aligned(rows) for rows in trial(room, options))


@dataclass
class Side:
    """A mounted device, its connection, and what crosses that."""

    name: str
    device: Device
    proxy: Proxy
    recorder: Recorder
    processes: dict[str, int] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where it is mounted."""
        return self.device.path

    @property
    def crossed(self) -> int:
        """Return the bytes that have crossed its connection so far, in both directions."""
        return sum(self.proxy.crossed.values())


def trial(room: Room, options: argparse.Namespace) -> list[list[list[str]]]:
    """Return the tables."""
    hub = room.hub()
    here, there = (side(room, hub, name, options.binding) for name in ("here", "there"))
    content = Content(options.mebibytes, "sync")
    write(here.path / "large", content)
    step = content.size // (options.cuts + 1)
    way = [["", "seconds", "cuts", "blocks", "received twice", "bytes beyond the value", "not one twice"]]
    for at, direction, received, is_there in (
        (here, Direction.TO_HUB, here.recorder.sent, lambda: here.device.waiting() == 0),
        (there, Direction.TO_DEVICE, there.recorder.fetched, lambda: has_size(there.path / "large", content.size)),
    ):
        seconds = carried(at, direction, step, options, is_there)
        beyond = at.proxy.crossed[direction] - content.size
        again = repeated(received)
        figures = [f"{seconds:.1f}", str(at.proxy.cuts), str(len(received)), str(again), f"{beyond:,}"]
        way.append([direction.name.lower().replace("_", " "), *figures, met(not again)])
    if digest(chunks_of(there.path / "large")) != content.written:
        raise ValueError("the value has not arrived as it was")
    small = [["4 KiB appended", "seconds", "crossed here, KiB", "crossed there, KiB", "wanted"]]
    small.append(appended(content, here, there))
    return [way, small, [["highest memory", "MB", "wanted"], *memory(hub, here, there)]]


def side(room: Room, hub: Hub, name: str, binding: str) -> Side:
    """Start a mounted device that reaches the hub through a proxy of its own."""
    recorder = Recorder(hub.key)
    proxy = room.enter(Proxy(hub.place, tap=recorder))
    device = room.joined(name, hub, proxy.address)
    mount = room.enter(device.mounted(binding))
    new = Side(name, device, proxy, recorder)
    new.processes = {"mount": mount.process.pid, "its sync process": sync_process_of(mount.process.pid)}
    return new


def carried(
    at: Side, direction: Direction, step: int, options: argparse.Namespace, is_there: Callable[[], bool]
) -> float:
    """Cut the connection each time that so many bytes more have passed, and return the seconds until all is there."""
    begun = time.perf_counter()
    at.proxy.cuts = 0
    for number in range(options.cuts):
        at.proxy.cut_after(step, direction)
        within(options.patience, lambda: not at.proxy.armed, what=f"cut {number + 1}")
        say(f"{at.name}: cut {number + 1} after {time.perf_counter() - begun:.1f} s")
    within(options.patience, is_there, what="the value is there")
    return time.perf_counter() - begun


def write(path: Path, content: Content) -> None:
    """Write the value and close it."""
    before = time.perf_counter()
    with path.open("wb", buffering=0) as stream:
        for chunk in content.chunks():
            stream.write(chunk)
    say(f"written in {time.perf_counter() - before:.1f} s")


def has_size(path: Path, size: int) -> bool:
    """Tell whether the file is there with so many bytes."""
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def chunks_of(path: Path) -> Iterator[bytes]:
    """Read a file, 1 MiB at a time."""
    with path.open("rb", buffering=0) as stream:
        yield from iter(lambda: stream.read(MIB), b"")


def appended(content: Content, here: Side, there: Side) -> list[str]:
    """Append a little, and return a row about what that costs."""
    before = [side.crossed for side in (here, there)]
    offset, data = content.change(0)
    begun = time.perf_counter()
    descriptor = os.open(here.path / "large", os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, data)
    os.close(descriptor)
    wait_until(lambda: has_size(there.path / "large", offset + STEP), "the change is there")
    seconds = time.perf_counter() - begun
    if digest(chunks_of(there.path / "large")) != content.digest(1):
        raise ValueError("the changed value has not arrived as it was")
    time.sleep(SETTLING_SECONDS)
    crossed = [side.crossed - earlier for side, earlier in zip((here, there), before, strict=True)]
    is_met = met(sum(crossed) < WANTED_CHANGE)
    return ["", f"{seconds:.2f}", *(f"{count / 1024:.0f}" for count in crossed), f"together < 1024 KiB: {is_met}"]


def memory(hub: Hub, *sides: Side) -> Iterator[list[str]]:
    """Give a row for each process."""
    processes = {"hub": hub.pid}
    for each in sides:
        processes |= {f"{what} {each.name}": pid for what, pid in each.processes.items()}
    for name, pid in processes.items():
        highest = peak_memory(pid) / MB
        yield [name, f"{highest:.0f}", f"< {WANTED_MEMORY:g} MB: {met(highest < WANTED_MEMORY)}"]
