"""Measure a hub for many beside the hub of one person: pushes, pulls, shared values, many stores, many that wait.

PostgreSQL of the distribution's package and both hubs are started on this machine, with commits that reach the disk. See
README.md here. The exit status is 0 whatever the figures are.
"""

from __future__ import annotations

import argparse
import http.client
import os
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, islice
from multiprocessing import Process
from pathlib import Path
from random import Random
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import NamedTuple

import checkout  # noqa: F401
from measured import machine, met, say
from report import aligned

from kvassfs.entry import Delivery, Entry
from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.keeping.store_names import name_store
from kvassfs.store import Store
from kvassfs.sync import messages
from kvassfs.sync.seal import Seal
from tests.support.postgres import Server, running_server
from tests.support.processes import cpu_seconds, end_process, resident_memory, start_server

KEY = bytes(range(32))
PAGE = 2000
"""Entries in a message of a push."""

ROUNDS = 4
"""Turns in which two things are measured that are compared."""

QUOTA = 20
"""Requests a second of the store that presses."""

PRESSING = 4
"""Connections on which it does."""

BURST_OVER = 2.0
"""Seconds after which the requests are used up that it may make at once."""

ENTRIES = 100
"""Entries of each of many stores."""

NUMBERS = count(1_000_000)
"""Of entries that are pushed one at a time: each once."""

NOW = 1_700_000_000_000_000
WRITER, READER = 7, 9

SCRIPT = """
local tokens = {}
for token in io.lines(os.getenv("TOKENS")) do tokens[#tokens + 1] = token end
request = function() return wrk.format("GET", os.getenv("BASE") .. "/get?q=" .. tokens[math.random(#tokens)]) end
"""


FILL = """
INSERT INTO entries (store, name, key, timestamp, counter, process_id, url_token, token, size, sequence, data)
SELECT store, sha256(convert_to(made.text, 'UTF8')), made.text, n, n, 7, convert_to(made.text, 'UTF8'),
    substr(sha256(convert_to(made.text, 'UTF8')), 1, 16), 100, n, convert_to(repeat('x', 100), 'UTF8')
FROM stores CROSS JOIN generate_series(1, %(entries)s) AS n CROSS JOIN LATERAL (SELECT store::text || n AS text) AS made
WHERE NOT EXISTS (SELECT 1 FROM entries AS e WHERE e.store = stores.store)
"""


class Hub(NamedTuple):
    """A hub that runs, and the path below which a store lies."""

    name: str
    process: subprocess.Popen[bytes] | None
    port: int
    base: str

    def post(self, connection: http.client.HTTPConnection, call: str, body: bytes) -> bytes:
        """Post a body; the response must be a success."""
        connection.request("POST", f"{self.base}/{call}", body)
        response = connection.getresponse()
        content = response.read()
        assert response.status == http.HTTPStatus.OK, content
        return content

    def cpu_seconds(self) -> float:
        """Return the processor time that its process has had."""
        assert self.process is not None
        return cpu_seconds(self.process.pid)

    def memory(self) -> int:
        """Return the bytes that its process has in memory."""
        assert self.process is not None
        return resident_memory(self.process.pid)

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)


def make(number: int, size: int = 100) -> Delivery:
    """Return an entry of ``size`` random bytes."""
    value = Random(number).randbytes(size)  # noqa: S311
    return Delivery(
        Entry(f"folder/key {number:07}", NOW + number, number + 1, WRITER, f"token{number:017}", size),
        number + 1,
        value,
    )


def start(stack: ExitStack, name: str, base: str, log: Path, *arguments: str) -> Hub:
    """Start a hub."""
    command = [sys.executable, "-m", "kvassfs_cli", "serve", "--quiet", "--bind", "127.0.0.1:0", *arguments]
    process, port = start_server(command, log)
    stack.callback(end_process, process)
    return Hub(name, process, port, base)


def push(hub: Hub, count: int) -> tuple[float, float]:
    """Push entries; return how many a second, and the hub's µs of processor time for one."""
    seal = Seal(KEY)
    bodies = [
        seal.seal(messages.encode_push([make(number) for number in range(first, min(first + PAGE, count))]))
        for first in range(0, count, PAGE)
    ]
    connection, before, begin = hub.connect(), hub.cpu_seconds(), time.monotonic()
    for body in bodies:
        hub.post(connection, "push", body)
    taken = time.monotonic() - begin
    connection.close()
    return count / taken, (hub.cpu_seconds() - before) / count * 1e6


def pull(hub: Hub, count: int) -> tuple[float, float]:
    """Pull all entries; return how many a second, and the hub's µs of processor time for one."""
    seal, connection, found, first, more = Seal(KEY), hub.connect(), 0, 1, True
    before, taken = hub.cpu_seconds(), 0.0
    while more:
        body = seal.seal(
            messages.encode_pull_request(messages.PullRequest(first, READER, messages.VERSION, max_bytes=1024 * 1024))
        )
        begin = time.monotonic()
        content = hub.post(connection, "pull", body)
        taken += time.monotonic() - begin
        response = messages.decode_pull_response(seal.unseal(content))
        found += len(response.deliveries)
        first, more = response.cursor + 1, response.more
    assert found >= count, f"{found} of {count} entries came"
    connection.close()
    return found / taken, (hub.cpu_seconds() - before) / found * 1e6


def get(hub: Hub, work: Path, count: int, seconds: int) -> float:
    """Ask for shared values over eight connections; return requests a second."""
    (work / "tokens").write_text("".join(f"token{number:017}\n" for number in range(0, count, max(count // 5000, 1))))
    (work / "client.lua").write_text(SCRIPT)
    command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "-s", str(work / "client.lua"), f"http://127.0.0.1:{hub.port}/"]
    said = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "TOKENS": str(work / "tokens"), "BASE": hub.base},
    ).stdout
    assert "Non-2xx" not in said, said
    return float(next(line for line in said.splitlines() if "Requests/sec" in line).split()[1])


def exchange(hub: Hub, base: str, times: int) -> list[float]:
    """Push one entry and pull it, again and again; return how many ms each time took."""
    seal, connection, taken = Seal(KEY), hub.connect(), []
    store = hub._replace(base=base)
    for number in islice(NUMBERS, times):
        body = seal.seal(messages.encode_push([make(number)]))
        begin = time.monotonic()
        content = store.post(connection, "push", body)
        pushed = time.monotonic() - begin
        clock = messages.decode_push_response(seal.unseal(content)).clock
        request = seal.seal(messages.encode_pull_request(messages.PullRequest(clock, READER, messages.VERSION)))
        begin = time.monotonic()
        store.post(connection, "pull", request)
        taken.append((pushed + time.monotonic() - begin) * 1000)
    connection.close()
    return taken


def compare_sizes(few: Hub, full: Hub, times: int) -> tuple[float, float]:
    """Return the medians of ``exchange`` at two hubs, by turns: what else the machine does meets both."""
    of_few, of_full = [], []
    for round_ in range(ROUNDS):
        of_few += exchange(few, f"/s/store{round_}", times // ROUNDS)
        of_full += exchange(full, f"/s/store{round_}", times // ROUNDS)
    return median(of_few), median(of_full)


def press(hub: Hub, base: str, number: int, ends: float) -> None:
    """Push and pull over one connection all the time, but for as long as the hub asks to be left alone."""
    seal, connection = Seal(KEY), hub.connect()
    while time.monotonic() < ends:
        number += 1
        body = seal.seal(messages.encode_push([make(number)]))
        request = seal.seal(messages.encode_pull_request(messages.PullRequest(1, READER, messages.VERSION)))
        for call, content in (("push", body), ("pull", request)):
            connection.request("POST", f"{base}/{call}", content)
            response = connection.getresponse()
            response.read()
            time.sleep(float(response.headers.get("Retry-After", 0)))
    connection.close()


def beside_busy(hub: Hub, database: Database, seconds: int) -> tuple[float, float]:
    """Return the 95th percentiles of ``exchange`` alone, and beside a store that presses against its quota of requests."""
    Stores(Session(database)).set_limits("store0", entries=None, size=None, requests=QUOTA)
    alone, beside = [], []
    for round_ in range(ROUNDS):
        alone += exchange(hub, "/s/store1", 40)
        ends = time.monotonic() + seconds
        pressing = [
            Process(
                target=press, args=(hub._replace(process=None), "/s/store0", 10**6 * (each + 2 + 10 * round_), ends)
            )
            for each in range(PRESSING)
        ]
        for process in pressing:
            process.start()
        time.sleep(BURST_OVER)
        while time.monotonic() < ends - 1:
            beside += exchange(hub, "/s/store2", 10)
        for process in pressing:
            process.join()
    return quantiles(alone, n=20)[-1], quantiles(beside, n=20)[-1]


def wait(hub: Hub, polls: int, bases: list[str]) -> tuple[float, float]:
    """Have pulls wait for news; return the MB by which the hub grew, and its processor seconds a minute meanwhile."""
    seal, before = Seal(KEY), hub.memory()
    opened = []
    for number in range(polls):
        body = seal.seal(
            messages.encode_pull_request(
                messages.PullRequest(ENTRIES + 1, 100 + number, messages.VERSION, 60.0, device=100 + number)
            )
        )
        connection = socket.create_connection(("127.0.0.1", hub.port))
        head = f"POST {bases[number % len(bases)]}/pull HTTP/1.1\r\nHost: hub\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        opened.append(connection)
    time.sleep(5)
    grown, spent = hub.memory() - before, hub.cpu_seconds()
    time.sleep(10)
    minute = (hub.cpu_seconds() - spent) * 6
    responded = count_responded(opened)
    for connection in opened:
        connection.close()
    assert not responded, f"{responded} of {polls} got a response"
    return grown / 1e6, minute


def count_responded(connections: list[socket.socket]) -> int:
    """Return how many connections have something to read."""
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
        return len(selector.select(0))


def fill_stores(database: Database, numbers: range, entries: int) -> None:
    """Make stores with these numbers, and as many entries each."""
    stores, session = Stores(Session(database)), Session(database)
    for number in numbers:
        stores.add(f"store{number}", "code")
        assert stores.claim(name_store(f"store{number}"), "code", KEY)
    with session.connection() as connection:
        connection.execute(FILL, {"entries": entries})
        connection.execute("UPDATE stores SET clock = %s, entries = %s WHERE clock = 0", (entries, entries))
        connection.execute("VACUUM ANALYZE")  # else the server does so while the next thing is measured
        connection.execute("CHECKPOINT")


def measure(options: argparse.Namespace) -> Iterator[list[str]]:
    """Measure, and yield the rows of the table."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(prefix="many-")))
        server = stack.enter_context(running_server())
        one, many, database = start_hubs(stack, work, server)
        for call, trial in (("push", push), ("pull", pull)):
            figures = {hub.name: trial(hub, options.entries) for hub in (one, many)}
            yield compare(
                f"{call}, {options.entries:,} x 100 B, entries/s", *(figures[hub.name] for hub in (one, many))
            )
        if shutil.which("wrk"):
            rates = [get(hub, work, options.entries, options.seconds) for hub in (one, many)]
            yield compare("get, 8 connections, requests/s", (rates[0], 0.0), (rates[1], 0.0))
        else:
            say("wrk is missing: apt install wrk")
        bases = [f"/s/store{number}" for number in range(5, 10)]
        fill_stores(database, range(options.stores), ENTRIES)
        few, full = compare_sizes(start_small(stack, work, server), many, options.times)
        yield [
            "a push and a pull, ms",
            f"{few:.2f} (10 stores)",
            f"{full:.2f} ({options.stores:,} stores)",
            f"{full / few:.2f}",
            "",
            met(full <= 1.2 * few),
        ]
        alone, beside = beside_busy(many, database, max(options.seconds, 5))
        yield [
            "p95 of that, ms, beside a store at its quota",
            f"{alone:.2f} (alone)",
            f"{beside:.2f} (beside)",
            f"{beside / alone:.2f}",
            "",
            met(beside <= 1.2 * alone),
        ]
        grown, minute = wait(many, options.polls, bases)
        yield [
            f"{options.polls:,} pulls that wait, MB",
            "",
            f"{grown:.0f}",
            "",
            f"{minute:.1f} s a minute",
            met(grown < 200),
        ]


def compare(what: str, one: tuple[float, float], many: tuple[float, float]) -> list[str]:
    """Return a row with both rates, and microseconds of processor time where they are known."""
    spent = f"{one[1]:.1f}, {many[1]:.1f} us each" if one[1] else ""
    return [what, f"{one[0]:,.0f}", f"{many[0]:,.0f}", f"{many[0] / one[0]:.2f}", spent, met(many[0] >= 0.5 * one[0])]


def start_hubs(stack: ExitStack, work: Path, server: Server) -> tuple[Hub, Hub, Database]:
    """Start the hub of one person, and the one for many with a store of the same key."""
    with Store.open(work / "one.sqlite") as store:
        store.settings.set_encryption_key(KEY)
    url = server.create_database()
    database = Database(url, connections=2)
    database.open()
    stack.callback(database.close)
    stores = Stores(Session(database))
    stores.add("family", "code")
    assert stores.claim(name_store("family"), "code", KEY)
    one = start(stack, "one", "", work / "one.log", "--db", str(work / "one.sqlite"))
    many = start(stack, "many", "/s/family", work / "many.log", "--database", url, "--per-address", "0")
    return one, many, database


def start_small(stack: ExitStack, work: Path, server: Server) -> Hub:
    """Start a hub for many that has ten stores."""
    url = server.create_database()
    database = Database(url, connections=2)
    database.open()
    stack.callback(database.close)
    fill_stores(database, range(10), ENTRIES)
    return start(stack, "small", "", work / "small.log", "--database", url, "--per-address", "0")


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="small amounts, in less than a minute")
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--stores", type=int, default=10_000)
    parser.add_argument("--polls", type=int, default=2_000)
    parser.add_argument("--seconds", type=int, default=5, help="of asking for shared values")
    parser.add_argument("--times", type=int, default=300, help="exchanges that are timed")
    options = parser.parse_args()
    if options.quick:
        options.entries, options.stores, options.polls, options.seconds, options.times = 10_000, 200, 300, 2, 50
    rows = [["", "hub of one", "hub for many", "ratio", "hub's processor", "wanted"], *measure(options)]
    print(aligned(rows))
    print(machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
