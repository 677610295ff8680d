"""Measure a hub under attack: the push and the `/get` of a real device beside the same without attackers, side by side.

See README.md here. The attackers are those of the tests, tests/hostile/connection_attackers.py. The exit status is 0 whatever
the figures are, and 1 where a request of the device failed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import checkout
from measured import environment, met, percentile, say
from report import aligned

from kvassfs.store import Store
from tests.support.hub_process import Server, serving
from tests.support.processes import forget_peak_memory, peak_memory, resident_memory

_ = checkout

WARM_UP = 2.0
"""Seconds from the start of an attack to the first request of the device."""

SETTLE = 1.0
"""Seconds from the end of an attack to the next request of the device."""

MB = 1_000_000


class Trial(NamedTuple):
    """One attack: its kind, connections, addresses that they come from, and how much slower the device may become."""

    kind: str
    connections: int
    sources: int = 1
    wanted: float = 2.0


TRIALS = {
    "silent": Trial("silent", 1500, 20),
    "slow heads": Trial("slow", 1500, 20),
    "header without end": Trial("value", 1),
    "header lines": Trial("lines", 1),
    "trailers": Trial("trailers", 1),
    "readers that do not read": Trial("unread", 600, 20),
    "replays of a poll": Trial("poll", 1000, 20, 4.0),
    "flood of unsealed pushes": Trial("unsealed", 200, 20, 4.0),
    "flood of unknown tokens": Trial("unknown", 200, 20, 4.0),
}


class Pace:
    """A device that pushes and is asked for by address, each over a new connection; ``seconds`` of each by name."""

    def __init__(self, server: Server) -> None:
        self._device = server.device()
        self._number = 0
        with Store.open(server.database) as store:
            store.set("small", os.urandom(1024))
            store.set("large", os.urandom(40 * MB))
            self.small, self.large = (f"/get?q={store.entry(key).url_token}" for key in ("small", "large"))

    def push(self) -> None:
        """Push a new entry."""
        self._number += 1
        self._check(*self._device.post("/push", self._device.sealed_push(f"note-{self._number % 100}", b"x" * 1024)))

    def get(self) -> None:
        """Ask for a value of 1 KiB."""
        connection = self._device.connect()
        try:
            connection.request("GET", self.small)
            response = connection.getresponse()
            self._check(response.status, response.read())
        finally:
            connection.close()

    @staticmethod
    def _check(status: int, body: bytes) -> None:
        if status != 200:
            raise ValueError(f"the hub said {status}: {body[:100]!r}")

    def measure(self, count: int) -> dict[str, list[float]]:
        """Return how many seconds each of so many requests took."""
        seconds: dict[str, list[float]] = {"push": [], "get": []}
        for _ in range(count):
            for name, call in (("push", self.push), ("get", self.get)):
                begin = time.perf_counter()
                try:
                    call()
                except (OSError, ValueError, http.client.HTTPException) as error:
                    say(f"a {name} failed: {error!r}")
                    seconds[name].append(float("inf"))
                else:
                    seconds[name].append(time.perf_counter() - begin)
                time.sleep(0.01)
        return seconds


@contextmanager
def attacking(trial: Trial, server: Server, path: str, body: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """``with`` the attackers, as a process of its own."""
    command = [sys.executable, "-m", "tests.hostile.connection_attackers", trial.kind, server.url.rpartition("/")[2]]
    options = {"count": trial.connections, "sources": trial.sources, "seconds": 600, "path": path, "body": body.hex()}
    arguments = [text for name, value in options.items() if value for text in (f"--{name}", str(value))]
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([*command, *arguments], cwd=root, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            time.sleep(WARM_UP)
            yield process
        finally:
            process.kill()


class Result(NamedTuple):
    """What came of a trial: p95 in seconds of push and get, without attackers and with, and bytes of memory more."""

    alone: dict[str, float]
    attacked: dict[str, float]
    memory: int


def measure(trial: Trial, server: Server, pace: Pace, samples: int, rounds: int) -> Result:
    """Measure without attackers and with them in turns."""
    alone: dict[str, list[float]] = {"push": [], "get": []}
    attacked: dict[str, list[float]] = {"push": [], "get": []}
    before = resident_memory(server.process.pid)
    forget_peak_memory(server.process.pid)
    for _ in range(rounds):
        gather(alone, pace.measure(samples))
        path = {"unread": pace.large, "unknown": "/get?q=AAAAAAAAAAAAAAAAAAAAAA"}.get(trial.kind, "/")
        body = poll_of(server) if trial.kind == "poll" else bytes(100)
        with attacking(trial, server, path, body):
            gather(attacked, pace.measure(samples))
        time.sleep(SETTLE)
    memory = peak_memory(server.process.pid) - before
    return Result(rank(alone), rank(attacked), memory)


def gather(into: dict[str, list[float]], seconds: dict[str, list[float]]) -> None:
    """Add samples to those before."""
    for name, each in seconds.items():
        into[name] += each


def rank(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Return the 95th percentiles."""
    return {name: percentile(each, 0.95) for name, each in seconds.items()}


def poll_of(server: Server) -> bytes:
    """Return a recorded request of a device that waits for news."""
    with Store.open(server.database) as store:
        return server.device().sealed_pull(store.settings.config().clock + 1, 60.0, 9)


def row(name: str, trial: Trial, result: Result) -> list[str]:
    """Return a row of the table."""
    cells = [name, str(trial.connections)]
    ratios = []
    for call in ("push", "get"):
        ratio = result.attacked[call] / result.alone[call]
        ratios.append(ratio)
        cells += [f"{1000 * result.alone[call]:.1f}", f"{1000 * result.attacked[call]:.1f}", f"{ratio:.1f}"]
    return [*cells, f"{result.memory / MB:.0f}", f"< {trial.wanted:g}: {met(max(ratios) < trial.wanted)}"]


def main() -> None:
    """Measure what the command line says and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help=f"{', '.join(TRIALS)} (default: all)")
    parser.add_argument("--samples", type=int, default=50, help="requests of each kind in a round (default: 50)")
    parser.add_argument("--rounds", type=int, default=3, help="with and without attackers in turns (default: 3)")
    parser.add_argument("--json", action="store_true", help="print figures for programs")
    options = parser.parse_args()
    rows = [["attack", "connections", "push p95", "attacked", "ratio", "get p95", "attacked", "ratio", "+MB", "wanted"]]
    figures = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, serving(Path(folder)) as server:
        pace = Pace(server)
        pace.measure(20)
        for name in options.trials or TRIALS:
            say(name)
            result = measure(TRIALS[name], server, pace, options.samples, options.rounds)
            rows.append(row(name, TRIALS[name], result))
            figures[name] = result._asdict()
        lines = [line for line in server.log().splitlines() if line.startswith(("WARNING", "ERROR"))]
    print(json.dumps(figures) if options.json else f"{aligned(rows)}\n\n{environment()}")
    for line in lines:
        say(line)
    failed = any(float("inf") in each.values() for result in figures.values() for each in (result["attacked"],))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
