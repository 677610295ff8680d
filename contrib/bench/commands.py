"""Measure what starting commands costs, as times of `python -c pass` by the same Python: whole processes, by turns.

They are those of an installed package, by default of `.venv`, which `./contrib/run --version` makes. See README.md here. The exit
status is 0 whatever the figures are, and 1 where a command fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import checkout  # noqa: F401
from measured import Failed, environment, met, say, set_many, temporary_room
from report import aligned

from kvassfs.sharing.address import format_share_url
from tests.support.devices import Device, Room
from tests.support.processes import ROOT

KEYS = 100_000

QUICK_KEYS = 10_000

WANTED_RATE = 1_000_000
"""Keys a second, once the first one is there."""

PASS, REQUESTS = "python -c pass", "requests.get of the hub"

CHANGED = ("PYTHON", "KVASS_", "COVERAGE_", "_KVASS")
"""What variables begin with that would change what is measured: without bytecode, all modules would be compiled each time."""

ALL, FIRST = "ls of all keys", "ls of one key"


@dataclass(frozen=True)
class Trial:
    """A command, and how many times as long as ``base`` it may take."""

    name: str
    command: list[str]
    wanted: float | None = None
    base: str = PASS
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds of the processor, and by the clock."""

    cpu: float
    seconds: float


def main() -> int:
    """Parse the options, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="where the package is installed")
    parser.add_argument("--runs", type=int, default=40, help="of each command")
    parser.add_argument("--keys", type=int, default=KEYS, help="in the store that is listed and completed")
    parser.add_argument("--quick", action="store_true", help=f"10 runs and {QUICK_KEYS} keys: a quick look")
    parser.add_argument("--directory", type=Path, help="where to work (default: where temporary files go)")
    options = parser.parse_args()
    runs, keys = (10, QUICK_KEYS) if options.quick else (options.runs, options.keys)
    say(environment())
    try:
        with temporary_room(options.directory) as room:
            trials = list(prepare(room, options.venv / "bin", keys))
            print(table(measure(trials, runs, room.path), trials, keys))
    except Failed as failure:
        say(str(failure))
        return 1
    return 0


def prepare(room: Room, programs: Path, keys: int) -> Iterable[Trial]:
    """Yield the commands, on stores that are filled, and with a hub that runs."""
    python, kvass = str(programs / "python3"), str(programs / "kvass")
    if not os.access(kvass, os.X_OK):
        raise Failed(f"there is no {kvass}; type ./contrib/run --version, or name another environment by --venv")
    few, many = fill(room.device("few"), 1), fill(room.device("many"), keys)
    hub = room.hub()
    joined = room.joined("joined", hub)
    with hub.store() as store:
        entry = store.set("key", b"value\n")
    address = format_share_url(f"http://{hub.address}", entry.url_token)

    def complete(name: str, line: str) -> Trial:
        variables = {"_KVASS_COMPLETE": "bash_complete", "COMP_LINE": line, "COMP_REPLACED": line.rpartition(" ")[2]}
        return Trial(f"Tab: {name}", [kvass], 3.0, variables={**variables, "KVASS_DB": str(many.db)})

    yield Trial(PASS, [python, "-c", "pass"])
    yield Trial("get KEY", [kvass, "--db", str(few.db), "get", key_of(0)], 2.5)
    yield Trial(FIRST, [kvass, "--db", str(many.db), "ls", key_of(0)], 3.0)
    yield Trial(ALL, [kvass, "--db", str(many.db), "ls"])
    yield Trial("--help", [kvass, "--help"], 3.0)
    yield Trial("set KEY VALUE", [kvass, "--db", str(few.db), "set", key_of(0), "value"], 3.0)
    yield complete("a command", "kvass ge")
    yield complete("an option", "kvass get --r")
    yield complete("a key", f"kvass get {key_of(0)[:-1]}")
    yield Trial(REQUESTS, [python, "-c", f"import requests; requests.get({address!r})"])
    yield Trial("get KEY with a hub", [kvass, "--db", str(joined.db), "get", "key"], 1.3, REQUESTS)


def fill(device: Device, keys: int) -> Device:
    """Set so many keys on a device."""
    set_many(device, ((key_of(number), b"value %d\n" % number) for number in range(keys)))
    return device


def key_of(number: int) -> str:
    """Return a key."""
    return f"note-{number:06d}"


def measure(trials: list[Trial], runs: int, room: Path) -> dict[str, Cost]:
    """Run all by turns, as often as that; return the medians. The first turn only warms up."""
    costs: dict[str, list[Cost]] = {trial.name: [] for trial in trials}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(CHANGED)}
    for turn in range(runs + 1):
        for trial in trials:
            cost = run(trial, {**kept, "XDG_RUNTIME_DIR": str(room), **trial.variables}, room)
            if turn:
                costs[trial.name].append(cost)
    return {
        name: Cost(median(cost.cpu for cost in found), median(cost.seconds for cost in found))
        for name, found in costs.items()
    }


def run(trial: Trial, variables: dict[str, str], room: Path) -> Cost:
    """Run a command to its end, and return what it took.

    Raises:
        Failed: it has failed, or said anything.
    """
    log = room / "complaints"
    with log.open("wb") as complaints:
        before = time.perf_counter()
        process = subprocess.Popen(
            trial.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env=variables,
            cwd=room,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - before
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or log.stat().st_size:
        raise Failed(f"{trial.name} ended with {process.returncode}: {log.read_text(errors='replace')}")
    return Cost(usage.ru_utime + usage.ru_stime, seconds)


def table(costs: dict[str, Cost], trials: list[Trial], keys: int) -> str:
    """Return the table, and the rate at which keys are listed."""
    lines = [("", "CPU ms", "ms", "CPU times", "times", "of", "wanted")]
    for trial in trials:
        cost, base = costs[trial.name], costs[trial.base]
        ratio = cost.cpu / base.cpu
        wanted = "" if trial.wanted is None else f"<= {trial.wanted:g}: {met(ratio <= trial.wanted)}"
        figures = (f"{cost.cpu * 1000:.1f}", f"{cost.seconds * 1000:.1f}", f"{ratio:.2f}")
        lines.append((trial.name, *figures, f"{cost.seconds / base.seconds:.2f}", trial.base, wanted))
    rate = keys / max(costs[ALL].cpu - costs[FIRST].cpu, 1e-9)
    listed = f"{rate:,.0f} keys/s of CPU after the first, wanted >= {WANTED_RATE:,}: {met(rate >= WANTED_RATE)}"
    return f"{aligned(lines)}\n\n{ALL}: {listed}"


if __name__ == "__main__":
    sys.exit(main())
