"""Measure the mount beside peers: rates, ratios within the same round, and which wanted ratios are met.

See README.md here. The exit status is 0 whatever the figures are.
"""

from __future__ import annotations

import argparse
import ctypes.util
import json
import os
import shlex
import signal
import sys
import tempfile
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
import report
import rounds
from measured import machine, say
from operations import OPERATIONS, amount_of, choose
from peers import PEERS, BindfsPlain, Peer, Setting
from workload import QUICK, Amounts

from tests.support.processes import KVASS

if TYPE_CHECKING:
    from collections.abc import Sequence

BINDINGS = {"mfusepy": "fuse3", "fusepy": "fuse"}

ROUNDS = 5
QUICK_WRITE_BACK = 0.5
"""Seconds that rclone waits in the quick form: longer than it takes to make the files."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print what it found."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.pin is not None:
        os.sched_setaffinity(0, {options.pin})  # the servers inherit it
    earlier = [rounds.Sample(**each) for each in json.loads(options.add.read_text())["samples"]] if options.add else []
    plan = planned(options, earlier)
    about = conditions(plan, options)
    say("\n".join(about))
    samples = report.Samples([*earlier, *rounds.run(plan, say)])
    names = [peer.name for peer in plan.peers]
    rows = samples.among(OPERATIONS)
    if options.markdown:
        print(f"{about[0]}\n\n{report.markdown(samples, rows, plan.amounts)}")
    elif options.json:
        print(json.dumps({"conditions": about, **report.document(samples, rows, names)}, indent=1))
    else:
        print("\n".join(about), report.tables(samples, rows, names), sep="\n\n")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    names = [peer.name for peer in PEERS]
    usual = [peer.name for peer in PEERS if peer is not BindfsPlain]
    new = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = new.add_argument
    add("--quick", action="store_true", help="one round of small amounts, in less than a minute")
    add("--rounds", type=int, help=f"how often everything is measured (default: {ROUNDS})")
    add("--peers", nargs="+", choices=names, default=usual, metavar="PEER", help=f"of {', '.join(names)}")
    add("--operations", nargs="+", default=[""], metavar="PART", help="only rows whose name has one of these")
    for each in fields(Amounts):
        add(f"--{each.name}", type=int, metavar="N", help=f"{each.metadata['help']} (default: {each.default})")
    add("--binding", choices=BINDINGS, default=best_binding(), help="for kvassfs and the plain file system")
    add("--threads", action="store_true", help="the plain file system without `nothreads`")
    add("--pin", type=int, metavar="CPU", help="client and servers on this one processor")
    add("--kvass", type=shlex.split, default=list(KVASS), help="command line that runs kvass")
    add("--directory", type=Path, help="where the files go (default: the temporary directory)")
    add("--json", action="store_true", help="print the figures for machines")
    add("--markdown", action="store_true", help="print the table of the README")
    add("--add", type=Path, metavar="FILE", help="report what an earlier run with --json measured, too")
    return new


def best_binding() -> str:
    """Return the binding that kvassfs takes by itself."""
    return "mfusepy" if ctypes.util.find_library("fuse3") else "fusepy"


def planned(options: argparse.Namespace, earlier: Sequence[rounds.Sample]) -> rounds.Plan:
    """Make a plan of the command line, for rounds that follow the earlier ones."""
    given = {each.name: getattr(options, each.name) for each in fields(Amounts)}
    amounts = replace(
        QUICK if options.quick else Amounts(), **{name: number for name, number in given.items() if number is not None}
    )
    setting = Setting(options.binding, tuple(options.kvass), options.threads)
    if options.quick:
        setting = replace(setting, write_back=QUICK_WRITE_BACK)
    return rounds.Plan(
        peers=[peer for peer in PEERS if peer.name in options.peers and present(peer, setting)],
        operations=choose(options.operations, amounts),
        amounts=amounts,
        setting=setting,
        rounds=options.rounds or (1 if options.quick else ROUNDS),
        directory=options.directory,
        first=max((sample.round + 1 for sample in earlier), default=0),
    )


def present(peer: type[Peer], setting: Setting) -> bool:
    """Tell whether a peer can run, and say why not."""
    reason = peer.missing(setting)
    if reason:
        say(f"without {peer.name}: {reason}")
    return not reason


def conditions(plan: rounds.Plan, options: argparse.Namespace) -> list[str]:
    """Say under which conditions the figures come about."""
    threads = "with libfuse's threads" if options.threads else "with nothreads"
    cold = "dentries, inodes and page cache dropped before cold operations"
    warm = "NOT COLD: only root can drop the kernel's caches, so what should be cold is as the run left it"
    where = plan.directory or Path(tempfile.gettempdir())
    return [
        machine() + (f"; all on processor {options.pin}" if options.pin is not None else "; not pinned"),
        f"binding {options.binding} (lib{BINDINGS[options.binding]}); plain file system {threads}",
        f"files on {file_system(where)}; {cold if rounds.can_drop_caches() else warm}",
        "; ".join(f"{row.name}: {amount_of(row, plan.amounts)}" for row in OPERATIONS),
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
