"""Measure the mount beside peers: rates, ratios within the same round, and which wanted ratios are met.

See README.md here. The exit status is 0 whatever the figures are.
"""

from __future__ import annotations

import argparse
import ctypes.util
import json
import os
import platform
import shlex
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
import report
import rounds
from measured import say
from peers import PEERS, BindfsPlain, Peer, Setting
from workload import MAKERS, OPERATIONS, Amounts, Operation

from tests.support.processes import KVASS

if TYPE_CHECKING:
    from collections.abc import Sequence

BINDINGS = {"mfusepy": "fuse3", "fusepy": "fuse"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print what it found."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.pin is not None:
        os.sched_setaffinity(0, {options.pin})  # the servers inherit it
    plan = planned(options)
    for line in conditions(plan, options):
        say(line)
    samples = report.Samples(rounds.run(plan, say))
    names = [peer.name for peer in plan.peers]
    if options.json:
        print(json.dumps(report.document(samples, plan.operations, names), indent=1))
    else:
        print(report.table(samples, plan.operations, names))


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    names = [peer.name for peer in PEERS]
    usual = [peer.name for peer in PEERS if peer is not BindfsPlain]
    amounts = Amounts()
    new = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = new.add_argument
    add("--rounds", type=int, default=5)
    add("--peers", nargs="+", choices=names, default=usual, metavar="PEER", help=f"of {', '.join(names)}")
    add("--operations", nargs="+", default=[""], metavar="PART", help="only rows whose name has one of these")
    add("--files", type=int, default=amounts.files, help="1 KiB files per measurement")
    add("--entries", type=int, default=amounts.entries, help="files in the directory that is listed")
    add("--mebibytes", type=int, default=amounts.mebibytes, help="size of the large file")
    add("--binding", choices=BINDINGS, default=best_binding(), help="for kvassfs and the plain file system")
    add("--threads", action="store_true", help="the plain file system without `nothreads`")
    add("--pin", type=int, metavar="CPU", help="client and servers on this one processor")
    add("--kvass", type=shlex.split, default=list(KVASS), help="command line that runs kvass")
    add("--directory", type=Path, help="where the files go (default: the temporary directory)")
    add("--json", action="store_true")
    return new


def best_binding() -> str:
    """Return the binding that kvassfs takes by itself."""
    return "mfusepy" if ctypes.util.find_library("fuse3") else "fusepy"


def planned(options: argparse.Namespace) -> rounds.Plan:
    """Make a plan of the command line."""
    setting = Setting(options.binding, tuple(options.kvass), options.threads)
    return rounds.Plan(
        peers=[peer for peer in PEERS if peer.name in options.peers and present(peer, setting)],
        operations=chosen(options.operations),
        amounts=Amounts(options.files, options.entries, options.mebibytes),
        setting=setting,
        rounds=options.rounds,
        directory=options.directory,
    )


def present(peer: type[Peer], setting: Setting) -> bool:
    """Tell whether a peer can run, and say why not."""
    reason = peer.missing(setting)
    if reason:
        say(f"without {peer.name}: {reason}")
    return not reason


def chosen(parts: Sequence[str]) -> list[Operation]:
    """Return the operations whose name has one of the parts, and those that make the files that they read."""
    names = {row.name for row in OPERATIONS for part in parts if part in row.name}
    names |= {MAKERS[name] for name in names & MAKERS.keys()}
    return [row for row in OPERATIONS if row.name in names]


def conditions(plan: rounds.Plan, options: argparse.Namespace) -> list[str]:
    """Say under which conditions the figures come about."""
    threads = "with libfuse's threads" if options.threads else "with nothreads"
    cold = "dentries, inodes and page cache dropped before cold operations"
    warm = "NOT COLD: only root can drop the kernel's caches, so what should be cold is as the run left it"
    where = plan.directory or Path(tempfile.gettempdir())
    return [
        f"Linux {platform.release()}, Python {platform.python_version()}, {os.cpu_count()} processors"
        + (f", all on processor {options.pin}" if options.pin is not None else ", not pinned"),
        f"binding {options.binding} (lib{BINDINGS[options.binding]}); plain file system {threads}",
        f"files in {where} ({file_system(where)}); {cold if rounds.can_drop_caches() else warm}",
        f"{plan.amounts.files} files of 1 KiB, {plan.amounts.entries} entries, {plan.amounts.mebibytes} MiB",
    ]


def file_system(path: Path) -> str:
    """Return the type of the file system that holds the path."""
    mounts = [line.split(" ")[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    at = [(mount, kind) for mount, kind in mounts if path.resolve().is_relative_to(mount)]
    return max(at, key=lambda pair: len(pair[0]))[1]


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
