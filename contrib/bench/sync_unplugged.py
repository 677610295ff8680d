"""A mount whose hub is out of reach, in every way that it can be, beside a mount without a hub."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import checkout  # noqa: F401
from measured import Ran, met, must, run, say, temporary_room
from report import aligned

from tests.support.devices import Device, Hub
from tests.support.proxy import Direction, Mode, Proxy
from tests.support.waiting import within

WANTED_RATIO = 1.2
WANTED_SECONDS = 5.0
"""From the hub's return until everything is in step."""

CLI_LIMIT = 13.0
"""Seconds: the limits to connect and without progress, the start of the program, and a little."""

SLOW_ANSWER = 60.0
PATIENCE = 60.0
OTHER_KEY = bytes(32)

FILE_SIZE = 1024

Timed = Callable[[str], None]


@dataclass(frozen=True)
class State:
    """A way in which the hub is out of reach: what makes it so, and what mends it."""

    name: str
    spoil: Callable[[Parties], None]
    mend: Callable[[Parties], None]
    reachable: bool = False


@dataclass
class Parties:
    """A hub and devices.

    ``unplugged`` is to lose the hub, and so is ``bare``, which has no mount; ``alone`` never had one, and ``other`` is
    in touch all the time.
    """

    proxy: Proxy
    hub: Hub
    unplugged: Device
    bare: Device
    alone: Device
    other: Device
    written: set[str] = field(default_factory=set)

    def set_mode(self, mode: Mode) -> None:
        """Let the proxy do this."""
        self.proxy.mode = mode

    def set_delay(self, seconds: float) -> None:
        """Have the answers held back."""
        self.proxy.delay = seconds

    def cut_each(self, count: int, direction: Direction) -> None:
        """Cut every message in its middle."""
        self.proxy.cut_after(count, direction, again=True)

    def set_key(self, key: bytes) -> None:
        """Set the key of the devices."""
        for device in (self.unplugged, self.bare):
            must(device, "config", "key", key.hex())


def by_mode(name: str, mode: Mode) -> State:
    """Return a state that is a mode of the proxy."""
    return State(name, lambda network: network.set_mode(mode), lambda network: network.set_mode(Mode.PASS))


def by_cuts(name: str, count: int, direction: Direction) -> State:
    """Return a state in which every message in a direction is cut after so many bytes."""
    return State(name, lambda network: network.cut_each(count, direction), lambda network: network.proxy.spare())


STATES = (
    State("in touch (to compare)", lambda _: None, lambda _: None, reachable=True),
    by_mode("refused", Mode.REFUSE),
    by_mode("black hole", Mode.BLACK_HOLE),
    by_mode("connecting unanswered", Mode.UNANSWERED),
    by_mode("page of HTML", Mode.PAGE),
    State("answers after 60 s", lambda network: network.set_delay(SLOW_ANSWER), lambda network: network.set_delay(0)),
    State(
        "wrong key",
        lambda network: network.set_key(OTHER_KEY),
        lambda network: network.set_key(network.hub.key),
    ),
    by_cuts("every request cut", 230, Direction.TO_HUB),
    by_cuts("every answer cut", 150, Direction.TO_DEVICE),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--rounds", type=int, default=20, help="in each state (default: 20)")
    parser.add_argument("--files", type=int, default=50, help="in each round (default: 50)")
    parser.add_argument(
        "--settle", type=float, default=12.0, help="seconds in a state before it is measured (default: 12)"
    )
    parser.add_argument("--state", action="append", choices=[state.name for state in STATES], help="only this one")
    parser.add_argument("--binding", choices=("mfusepy", "fusepy"), default="mfusepy")


def main(options: argparse.Namespace) -> str:
    """Go through the states, and return the tables."""
    with temporary_room(options.directory) as room:
        hub = room.hub()
        proxy = room.enter(Proxy(hub.place))
        unplugged, bare = (room.joined(name, hub, proxy.address) for name in ("unplugged", "bare"))
        network = Parties(proxy, hub, unplugged, bare, room.device("alone"), room.joined("other", hub))
        for device in (network.unplugged, network.alone):
            room.enter(device.mounted(options.binding))
        tables = Tables()
        for state in STATES:
            if not options.state or state.name in options.state:
                say(state.name)
                trial(network, state, options, tables)
        return str(tables)


@dataclass
class Tables:
    """What was found."""

    ratios: list[list[str]] = field(
        default_factory=lambda: [
            [
                "time beside no hub",
                *(operation.__name__ for operation in OPERATIONS),
                "slowest, ms",
                "with no hub, ms",
                "wanted",
            ]
        ]
    )
    commands: list[list[str]] = field(
        default_factory=lambda: [
            ["seconds (status)", "set beside a mount", "get", "set without", "get", "waited", "in step after", "wanted"]
        ]
    )
    said: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n\n".join([aligned(self.ratios), aligned(self.commands), "\n".join(self.said)])


def trial(network: Parties, state: State, options: argparse.Namespace, tables: Tables) -> None:
    """Measure everything in a state; ValueError if an entry is lost, or no longer waits."""
    state.spoil(network)
    save(network, f"{state.name} begins")
    time.sleep(options.settle)
    tables.ratios.append([state.name, *ratios(network, state, options)])
    ran = commands(network, state)
    foreign = f"{state.name} elsewhere"
    must(network.other, "set", foreign, "value")
    network.written.add(foreign)
    waiting = network.unplugged.waiting()
    expected = 2 + options.rounds * options.files
    if not state.reachable and waiting < expected:
        raise ValueError(f"{state.name}: {waiting} entries wait, and it must be {expected} at least")

    begun = time.perf_counter()
    state.mend(network)
    in_step(network, foreign)
    seconds = time.perf_counter() - begun
    must(network.bare, "sync")
    check(network)
    tables.commands.append(
        [state.name, *map(told, ran.values()), str(waiting), f"{seconds:.1f}", verdict(ran, seconds)]
    )
    tables.said += [f"{state.name}, {name}: {each.complaint or '-'}" for name, each in ran.items()]


def commands(network: Parties, state: State) -> dict[str, Ran]:
    """Set a key and get it, with the database of a mount and with one of none."""
    ran = {}
    for device, kind in ((network.unplugged, "beside a mount"), (network.bare, "without")):
        key = f"{state.name} {kind}"
        network.written.add(key)
        ran[f"set {kind}"] = run(device, "set", key, "value")
        ran[f"get {kind}"] = run(device, "get", key)
        if ran[f"get {kind}"].output != b"value\n":
            raise ValueError(f"{state.name}: get {kind} did not give what was set")
    return ran


def told(ran: Ran) -> str:
    """Return the cell about a command."""
    return f"{ran.seconds:.2f} ({ran.status})"


def verdict(ran: dict[str, Ran], seconds: float) -> str:
    """Say what is wanted, and whether it is so."""
    ended = all(each.status == 0 and each.seconds < CLI_LIMIT for each in ran.values())
    return f"(0), < {CLI_LIMIT:g}, <= {WANTED_SECONDS:g}: {met(ended and seconds <= WANTED_SECONDS)}"


def save(network: Parties, key: str) -> None:
    """Save a file in the mount that is to be unplugged."""
    (network.unplugged.path / key).write_bytes(b"value")
    network.written.add(key)


def in_step(network: Parties, foreign: str) -> None:
    """Wait until nothing of the mount waits to be pushed, and what another device wrote shows in the mount."""
    within(PATIENCE, lambda: not network.unplugged.waiting(), what="all is pushed")
    within(PATIENCE, (network.unplugged.path / foreign).exists, what="what another device wrote is there")


def check(network: Parties) -> None:
    """Raise ValueError unless the hub has every key that was written."""
    with network.hub.store() as store:
        missing = network.written - set(store.keys())
    if missing:
        raise ValueError(f"the hub lacks {len(missing)} keys, {min(missing)!r} among them")


# The file system


def create(path: str) -> None:
    """Create, write and close."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, bytes(FILE_SIZE))
    os.close(descriptor)


def read(path: str) -> None:
    """Open, read and close."""
    descriptor = os.open(path, os.O_RDONLY)
    os.read(descriptor, FILE_SIZE)
    os.close(descriptor)


def stat(path: str) -> None:
    """Ask for the attributes."""
    os.stat(path)


OPERATIONS: tuple[Timed, ...] = (create, read, stat)


def seconds_of(operation: Timed, mount: Path, keys: Sequence[str]) -> list[float]:
    """Return the seconds of each call."""
    seconds = []
    for path in [str(mount / key) for key in keys]:
        before = time.perf_counter()
        operation(path)
        seconds.append(time.perf_counter() - before)
    return seconds


def ratios(network: Parties, state: State, options: argparse.Namespace) -> list[str]:
    """Return how much longer the operations take in the unplugged mount, round by round, and the slowest calls."""
    found: dict[str, list[float]] = {operation.__name__: [] for operation in OPERATIONS}
    mounts = [network.unplugged.path, network.alone.path]
    slowest = dict.fromkeys(mounts, 0.0)
    for number in range(options.rounds):
        keys = [f"{state.name} {number} {file}" for file in range(options.files)]
        network.written.update(keys)
        for operation in OPERATIONS:
            totals = dict.fromkeys(mounts, 0.0)
            for mount in mounts if number % 2 else reversed(mounts):
                seconds = seconds_of(operation, mount, keys)
                totals[mount] = sum(seconds)
                slowest[mount] = max(slowest[mount], *seconds)
            found[operation.__name__].append(totals[mounts[0]] / totals[mounts[1]])
    cells = [f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})" for values in found.values()]
    worst = max(median(values) for values in found.values())
    wanted = "" if state.reachable else f"< {WANTED_RATIO}: {met(worst < WANTED_RATIO)}"
    return [*cells, *(f"{1000 * seconds:.1f}" for seconds in slowest.values()), wanted]
