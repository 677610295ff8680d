"""Run the operations on the peers in interleaved rounds, each round on fresh mounts and fresh files."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import checkout  # noqa: F401
from operations import LIST, Operation
from peers import Peer, Setting, Started
from workload import Amounts, Content, Directory, fill_listed

from tests.support.mounts import mount_points
from tests.support.processes import NotStarted

PAUSE_SECONDS = 0.1
DROP_CACHES = Path("/proc/sys/vm/drop_caches")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Sample:
    """One measurement: units per second; and per unit the server's processor time in us, and bytes that it wrote."""

    round: int
    operation: str
    peer: str
    rate: float
    cpu: float
    written: float

    @property
    def seconds(self) -> float:
        """Return how long a unit took."""
        return 1 / self.rate


@dataclass(frozen=True)
class Plan:
    """What to run: all of it in every round. Rounds are counted from ``first`` on, as some were run before."""

    peers: Sequence[type[Peer]]
    operations: Sequence[Operation]
    amounts: Amounts
    setting: Setting
    rounds: int
    directory: Path | None
    first: int = 0


def run(plan: Plan, say: Say) -> list[Sample]:
    """Return every sample. What fails is said and left out."""
    samples: list[Sample] = []
    for number in range(plan.first, plan.first + plan.rounds):
        say(f"round {number + 1} of {plan.first + plan.rounds}")
        base = Path(tempfile.mkdtemp(prefix="bench-", dir=plan.directory))
        try:
            samples += one_round(plan, number, base, say)
        finally:
            remove(base)
    return samples


def one_round(plan: Plan, number: int, base: Path, say: Say) -> list[Sample]:
    """Start the peers, run each operation on each of them, end them."""
    samples = []
    content = Content(plan.amounts, base)
    with Started() as started:
        for kind in plan.peers:
            start(started, kind, plan, base, say)
        for operation in plan.operations:
            say(f"  {operation.name}")
            fitting = [peer for peer in started.peers if peer.name not in operation.without]
            for peer in rotated(fitting, number):
                try:
                    samples.append(measure(operation, peer, content, number))
                except (OSError, ValueError) as error:
                    say(f"{peer.name}, {operation.name}: {error}")
    return samples


def start(started: Started, kind: type[Peer], plan: Plan, base: Path, say: Say) -> None:
    """Start a peer in a directory of its own."""
    room = base / kind.name
    room.mkdir()
    try:
        started.start(kind(plan.setting, room), lambda path: fill(path, plan))
    except (OSError, NotStarted) as error:
        say(f"without {kind.name}: {error}")


def fill(path: Path, plan: Plan) -> None:
    """Make what a peer begins with: the directory that is listed, where it is."""
    if any(operation.name == LIST for operation in plan.operations):
        fill_listed(path, plan.amounts)


def rotated(peers: Sequence[Peer], number: int) -> list[Peer]:
    """Let another peer be the first in each round, so that none always follows the same one."""
    turn = number % len(peers) if peers else 0
    return [*peers[turn:], *peers[:turn]]


def measure(operation: Operation, peer: Peer, content: Content, number: int) -> Sample:
    """Run one operation once."""
    directory = Directory(peer.directory, content)
    act = operation.prepare(directory)
    quieten(peer)
    if operation.cold:
        drop_caches()
    cpu, written = peer.cpu(), peer.written()
    before = time.perf_counter()
    amount = act()
    seconds = time.perf_counter() - before
    cpu, written = peer.cpu() - cpu, peer.written() - written
    if operation.check:
        operation.check(directory)
    return Sample(number, operation.name, peer.name, amount / seconds, cpu / amount * 1e6, written / amount)


def quieten(peer: Peer) -> None:
    """Let no work of the last measurement, here or on the disk, run into the next one."""
    peer.settle()
    gc.collect()
    os.sync()
    time.sleep(PAUSE_SECONDS)


def drop_caches() -> None:
    """Drop page cache, dentries and inodes, so that the kernel must ask again; does nothing without root."""
    if can_drop_caches():
        DROP_CACHES.write_text("3")


def can_drop_caches() -> bool:
    """Tell whether this process is root and has the kernel's switch."""
    return os.geteuid() == 0 and os.access(DROP_CACHES, os.W_OK)


def remove(base: Path) -> None:
    """Remove a round's files, unless something is still mounted below them."""
    if not any(point.startswith(f"{base}/") for point in mount_points()):
        shutil.rmtree(base, ignore_errors=True)
