"""Small values by their tokens, from stores of different sizes: requests per second, and how long one takes."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import checkout  # noqa: F401
from measured import Failed, met, say
from report import aligned
from share_peers import Peer
from share_stores import built, text_of, token_of

from tests.support.devices import Hub
from tests.support.processes import cpu_seconds

WANTED_RATE, WANTED_SPREAD, WANTED_P99 = 4_000, 1.3, 15.0
"""Requests per second, how many times slower than the first store, and milliseconds."""

TOKENS = 10_000
"""Tokens of a store that are asked for, at most."""

CHECKED = 100

SCRIPT = r"""
local tokens = {}

function init(arguments)
  for token in io.lines(arguments[1]) do tokens[#tokens + 1] = token end
  math.randomseed(tonumber(arguments[2]))
end

function request()
  return wrk.format("GET", "/get?q=" .. tokens[math.random(#tokens)])
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("figures %d %d %d %d %d\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), failed))
end
"""
"""What the client does; it counts in microseconds."""


@dataclass(frozen=True)
class Target:
    """A server to measure. Of peers, which have no ``database``, nothing is wanted."""

    name: str
    address: str
    pid: int
    tokens: Path
    database: Path | None = None


@dataclass(frozen=True)
class Measured:
    """Requests per second, milliseconds, and microseconds of the server's processor time for a request."""

    rate: float
    p50: float
    p99: float
    cpu: float


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--entries", type=int, nargs="+", default=[100, 10_000, 1_000_000], help="in each store")
    parser.add_argument("--connections", type=int, default=8, help="of the client (default: 8)")
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement (default: 5)")
    parser.add_argument("--rounds", type=int, default=7, help="how often (default: 7)")


def main(options: argparse.Namespace) -> str:
    """Measure, and return the table."""
    if shutil.which("wrk") is None:
        raise Failed("wrk is missing: apt install wrk")
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(prefix="share-", dir=options.directory)))
        (work / "client.lua").write_text(SCRIPT)
        targets = started(stack, work, options)
        for target in targets:
            asked(target, work, options.connections, 1, 0)
        rounds = []
        for number in range(options.rounds):
            first = number % len(targets)
            found = {}
            for target in targets[first:] + targets[:first]:
                found[target.name] = asked(target, work, options.connections, options.seconds, number + 1)
            say(
                f"round {number + 1}: "
                + ", ".join(f"{target.name} {found[target.name].rate:,.0f}" for target in targets)
            )
            rounds.append(found)
    return table(targets, rounds)


def started(stack: ExitStack, work: Path, options: argparse.Namespace) -> list[Target]:
    """Start the hubs, one of them once more without the log of requests, and their peers."""
    targets = []
    for count in options.entries:
        tokens = work / f"{count}.tokens"
        tokens.write_text("".join(f"{token_of(number)}\n" for number in range(0, count, max(1, count // TOKENS))))
        database = built(options.directory or work, count)
        for flags in [(), ("--quiet",)] if count == options.entries[-1] else [()]:
            hub = Hub(database, *flags)
            name = " ".join([f"{count:,} entries", *flags])
            hub.log = work / f"{name}.log"
            stack.enter_context(hub)
            check(hub.address, count)
            targets.append(Target(name, hub.address, hub.pid, tokens, database))
    for name in ("starlette", "uvicorn"):
        peer = stack.enter_context(Peer(work, name))
        targets.append(Target(f"{name} from memory", peer.address, peer.process.pid, targets[0].tokens))
    return targets


def check(address: str, count: int) -> None:
    """Raise ValueError unless some tokens lead to their values."""
    for number in range(0, count, max(1, count // CHECKED)):
        with urllib.request.urlopen(f"http://{address}/get?q={token_of(number)}") as answer:
            if answer.read() != text_of(number):
                raise ValueError(f"the token of entry {number} led to something else")


def cache(file: Path) -> None:
    """Have a file in the page cache, which the system may have emptied while others were measured."""
    with file.open("rb", buffering=0) as opened:
        while opened.read(1024 * 1024):
            pass


def asked(target: Target, work: Path, connections: int, seconds: int, seed: int) -> Measured:
    """Ask for random tokens for some seconds; ValueError if any answer was not 200."""
    if target.database:
        cache(target.database)
    before = cpu_seconds(target.pid)
    client = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(work / "client.lua")]
    command = [*client, f"http://{target.address}/", "--", str(target.tokens), str(seed)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures = next(line for line in said.splitlines() if line.startswith("figures"))
    requests, duration, p50, p99, failed = map(int, figures.split()[1:])
    if failed:
        raise ValueError(f"{target.name}: {failed} of {requests} requests failed")
    cpu = cpu_seconds(target.pid) - before
    return Measured(requests / duration * 1e6, p50 / 1000, p99 / 1000, cpu / requests * 1e6)


def table(targets: list[Target], rounds: list[dict[str, Measured]]) -> str:
    """Return medians, the least and the greatest, and ratios within rounds."""
    first = targets[0].name
    rows = [["", "requests/s", "x " + first, "p50 ms", "p99 ms", "CPU us/request", "wanted"]]
    for target in targets:
        found = [each[target.name] for each in rounds]
        ratios = [each[target.name].rate / each[first].rate for each in rounds]
        rate, slow, p99 = median(m.rate for m in found), 1 / median(ratios), median(m.p99 for m in found)
        is_met = rate > WANTED_RATE and slow <= WANTED_SPREAD and p99 < WANTED_P99
        rows.append(
            [
                target.name,
                spread([m.rate for m in found], 0),
                spread(ratios, 2),
                spread([m.p50 for m in found], 2),
                spread([m.p99 for m in found], 2),
                spread([m.cpu for m in found], 0),
                met(is_met) if target.database else "",
            ]
        )
    return aligned(rows)


def spread(values: list[float], digits: int) -> str:
    """Write the median, the least and the greatest."""
    return f"{median(values):,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"
