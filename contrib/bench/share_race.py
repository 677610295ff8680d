"""ShareLinks that work once or end at a time, asked for by two clients at the same moment."""

from __future__ import annotations

import argparse
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import checkout  # noqa: F401
from report import aligned
from share_stores import text_of

from kvassfs.share_link import ShareLink
from tests.support.devices import Hub

STEP = 0.01
"""Seconds between the ends of two links."""

BEFORE, AFTER = 0.003, 0.002
"""Seconds around its end for which a link is asked for."""

KEY = "secret.txt"
VALUE = text_of(0)


@dataclass
class Findings:
    """What came of one arrangement: how often which statuses came together, and what was wrong."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--links", type=int, default=1000, help="for each arrangement (default: 1,000)")


def main(options: argparse.Namespace) -> str:
    """Race, and return the counts; ValueError if anything is wrong."""
    findings = []
    for hubs in (1, 2):
        with arrangement(options.directory, hubs) as (hub, clients):
            findings.append(once(hub, clients, options.links, f"once, {hubs} hub" + "s" * (hubs > 1)))
            findings.append(expiring(hub, clients, options.links, f"expiring, {hubs} hub" + "s" * (hubs > 1)))
    rows = [["", "links", "what happened how often", "wrong"]]
    for found in findings:
        counts = ", ".join(f"{name}: {count}" for name, count in sorted(found.counts.items()))
        rows.append([found.name, str(options.links), counts, str(len(found.wrong))])
    wrong = [line for found in findings for line in found.wrong]
    if wrong:
        raise ValueError("\n".join([aligned(rows), *wrong[:20]]))
    return aligned(rows)


@contextmanager
def arrangement(directory: Path | None, hubs: int) -> Iterator[tuple[Hub, list[Client]]]:
    """``with`` a database that has a key, hubs that serve it, and two clients, each of its own hub if there are two."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(prefix="share-", dir=directory)))
        running = []
        for number in range(hubs):
            hub = Hub(work / "race.sqlite")
            hub.log = work / f"{number}.log"
            running.append(stack.enter_context(hub))
        with running[0].store() as store:
            store.set(KEY, VALUE)
        yield running[0], [stack.enter_context(Client(running[number % hubs].place)) for number in range(2)]


class Client:
    """One connection; a context manager."""

    def __init__(self, place: tuple[str, int]) -> None:
        self._connection = socket.create_connection(place)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def prepare(self, method: str, token: str) -> None:
        """Send all of a request but its last byte."""
        length = "Content-Length: 0\r\n" if method == "POST" else ""
        self._connection.sendall(f"{method} /get?q={token} HTTP/1.1\r\nHost: hub\r\n{length}\r".encode())

    def ask(self) -> None:
        """Send the last byte."""
        self._connection.send(b"\n")

    def answer(self) -> tuple[int, bytes]:
        """Return status and body."""
        answer = HTTPResponse(self._connection)
        answer.begin()
        return answer.status, answer.read()


def made(hub: Hub, count: int, *, once: bool, ends: Sequence[int] = ()) -> list[ShareLink]:
    """Make links to the key."""
    with hub.store() as store, store.bulk(), store.transaction:
        return [
            store.share_links.create(KEY, once=once, expires=ends[number] if ends else 0) for number in range(count)
        ]


def once(hub: Hub, clients: list[Client], count: int, name: str) -> Findings:
    """Have both clients POST for each of the links at the same moment: one gets the value, the other 410."""
    findings = Findings(name)
    for number, link in enumerate(made(hub, count, once=True)):
        order = clients if number % 2 else clients[::-1]
        for client in order:
            client.prepare("POST", link.token)
        time.sleep(0.0005)
        for client in order:
            client.ask()
        answers = sorted(client.answer() for client in order)
        statuses = [status for status, _ in answers]
        findings.counts[" and ".join(map(str, statuses))] += 1
        if statuses != [200, 410] or answers[0][1] != VALUE:
            findings.wrong.append(f"{name}: link {number} was answered with {statuses}")
    return findings


def expiring(hub: Hub, clients: list[Client], count: int, name: str) -> Findings:
    """Ask for each of the links again and again around its end, by turns with both clients.

    What is sent after its end is answered with 410, what is answered before it with 200; in between it is the hub's to
    say. Clients and hubs have the same clock.
    """
    findings = Findings(name)
    begin = time.time() + 1 + count / 1000
    ends = [int((begin + number * STEP) * 1e6) for number in range(count)]
    for link in made(hub, count, once=False, ends=ends):
        time.sleep(max(0.0, link.expires / 1e6 - BEFORE - time.time()))
        turn = 0
        while time.time() < link.expires / 1e6 + AFTER:
            client = clients[turn % 2]
            turn += 1
            client.prepare("GET", link.token)
            asked = time.time_ns() // 1000
            client.ask()
            status, body = client.answer()
            judge(findings, link, status, body, asked)
    return findings


def judge(findings: Findings, link: ShareLink, status: int, body: bytes, asked: int) -> None:
    """Count an answer to what was asked at a time in µs, and note whether it is wrong."""
    answered = time.time_ns() // 1000
    if asked >= link.expires:
        when, allowed = "asked after the end", {410}
    elif answered < link.expires:
        when, allowed = "answered before the end", {200}
    else:
        when, allowed = "across the end", {200, 410}
    findings.counts[f"{when} {status}"] += 1
    if status not in allowed or (status == 200 and body != VALUE):
        findings.wrong.append(f"{findings.name}: {when}, at {asked - link.expires} us: {status}, {len(body)} bytes")
