"""A hub that is attacked by those without a key stays there for a device, and within its memory."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest

from kvassfs.server.admission import PIECES
from kvassfs.server.protocol import REST
from kvassfs.store import Store
from tests.hostile.connection_attackers import ATTACKS, Target, attack
from tests.support.certificates import make
from tests.support.hub_process import SECONDS, Server, serving
from tests.support.processes import forget_peak_memory, open_files, peak_memory, resident_memory
from tests.support.searches import LONG
from tests.support.waiting import until

DURATION = 120.0 if LONG else 2.0
"""Seconds of each attack."""

MB = 1_000_000

QUICK = {"head": 0.5, "handshake": 0.5, "refused": 0.5, "leave": 0.5, "write": 1.0}
"""Seconds that connections may take, so that no test has to wait for long."""


@contextmanager
def attacked(kind: str, target: Target, count: int) -> Iterator[Counter[str]]:
    """``with`` attackers, in a thread of their own; they stay as long as an attack lasts at least."""
    ended = Event()

    def run() -> None:
        asyncio.run(keep_attacking())

    async def keep_attacking() -> None:
        task = asyncio.create_task(attack(kind, target, count, 10 * SECONDS + DURATION))
        await asyncio.to_thread(ended.wait)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    thread = Thread(target=run)
    thread.start()
    try:
        yield target.outcomes
    finally:
        ended.set()
        thread.join()


def target_of(server: Server, **options: object) -> Target:
    return Target(int(server.url.rpartition(":")[2]), **options)  # type: ignore[arg-type]  # as the attack needs them


def answers_a_device(server: Server) -> None:
    """Push and get, each over a connection of its own."""
    device = server.device()
    assert device.post("/push", device.sealed_push("key", b"value"))[0] == 200
    with Store.open(server.database) as store:
        entry = store.entry("key")
        assert entry is not None
    connection = device.connect()
    connection.request("GET", f"/get?q={entry.url_token}")
    assert connection.getresponse().read() == b"value"
    connection.close()


def use_for(seconds: float, server: Server) -> None:
    deadline = time.monotonic() + seconds
    answers_a_device(server)
    while time.monotonic() < deadline:
        answers_a_device(server)
        time.sleep(0.05)


def wait_for(outcomes: Counter[str], *names: str) -> None:
    """Wait until each of these has come."""
    deadline = time.monotonic() + SECONDS
    while not all(outcomes[name] for name in names):
        assert time.monotonic() < deadline, outcomes
        time.sleep(0.02)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, limits=QUICK) as started:
        yield started


def exchange(server: Server, data: bytes) -> bytes:
    """Send this, and return all that is answered until the hub closes the connection."""
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), SECONDS) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


# Heads


LONG_VALUE = b"x" * 70_000
CHUNKED = b"POST /push HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
FIELDS = b"".join(b"x-%d: y\r\n" % number for number in range(300))


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        (b"GET /" + LONG_VALUE, 414),
        (b"GET /" + LONG_VALUE + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: " + LONG_VALUE, 431),
        (b"GET / HTTP/1.1\r\nHost: " + LONG_VALUE + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + LONG_VALUE, 431),
        (b"GET / HTTP/1.1\r\n" + FIELDS, 431),
        (b"\r\n" * 35_000, 431),
        (CHUNKED + b"1;" + LONG_VALUE + LONG_VALUE, 431),
        (CHUNKED + b"1\r\nx\r\n0\r\ny: " + LONG_VALUE + LONG_VALUE, 431),
        (CHUNKED + b"1\r\nx\r\n0\r\n" + FIELDS, 431),
        (b"nonsense\r\n\r\n", 400),
    ],
    ids=lambda value: value if isinstance(value, int) else f"{len(value)} bytes {value[:12]!r}",
)
def test_what_does_not_end_beside_the_body_is_refused_and_the_connection_closed(
    server: Server, request_of: bytes, status: int
) -> None:
    answer = exchange(server, request_of)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"connection: close" in head.lower()
    assert body.startswith(b"kvass: ")


def test_a_long_header_within_the_limit_is_taken(server: Server) -> None:
    answer = exchange(server, b"GET /health HTTP/1.1\r\nConnection: close\r\nx: " + b"x" * 60_000 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("chunks", "status"), [(500, b"403"), (50_000, b"413")])
def test_a_body_of_small_chunks_is_no_head_and_one_of_very_many_is_refused(
    server: Server, chunks: int, status: bytes
) -> None:
    body = b"1\r\nx\r\n" * chunks + b"0\r\ny: trailer\r\n\r\n"
    request = CHUNKED.replace(b"Host: x", b"Connection: close") + body
    assert exchange(server, request).startswith(b"HTTP/1.1 %s " % status)
    if chunks > PIECES:
        assert "the message comes in too small pieces" in server.log()


def test_what_follows_a_response_is_read_slowly(server: Server) -> None:
    """The body of a request that is refused at once: the hub reads it, lest the client loses the response, but takes its time."""
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 405"
        connection.settimeout(1.0)
        end, sent = time.monotonic() + 1.0, 0
        with suppress(OSError):
            while time.monotonic() < end:
                sent += connection.send(bytes(65536))
    assert sent < 100 * REST  # 20 of them and what the kernel takes; it was a hundred megabytes and more


def test_a_refusal_comes_behind_the_response_before_it_and_not_into_it(server: Server) -> None:
    answer = exchange(server, b"GET /health HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nx: " + LONG_VALUE)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1") <= 2


def test_a_head_that_is_late_is_answered_and_one_that_never_begins_is_not(server: Server) -> None:
    assert exchange(server, b"GET / HTTP/1.1\r\nHost: ").startswith(b"HTTP/1.1 408 ")
    assert exchange(server, b"") == b""


@pytest.mark.parametrize(
    "kind", ["url", "name", "value", "lines", "blank", "extension", "trailer", "trailers", "pipelined"]
)
def test_what_has_no_end_takes_little_memory_and_nobody_waits_for_it(server: Server, kind: str) -> None:
    answers_a_device(server)
    before = resident_memory(server.process.pid)
    forget_peak_memory(server.process.pid)
    with attacked(kind, target_of(server), 8) as outcomes:
        wait_for(outcomes, "sent")
        use_for(DURATION, server)
    assert peak_memory(server.process.pid) - before < 30 * MB, outcomes


# Connections


def limit_descriptors(number: int) -> list[str]:
    return ["prlimit", f"--nofile={number}:{number}"]


@pytest.mark.parametrize("kind", ["silent", "slow"])
def test_more_connections_than_descriptors_stop_nothing_and_are_logged(tmp_path: Path, kind: str) -> None:
    with serving(tmp_path, prefix=limit_descriptors(256)) as server, attacked(kind, target_of(server), 300) as outcomes:
        wait_for(outcomes, "connected")
        while outcomes["connected"] < 300:
            time.sleep(0.02)
        use_for(DURATION, server)
        assert len(open_files(server.process.pid)) < 200
        assert "there are 96 connections, the oldest idle ones are given up" in server.log()
        assert server.log().count("there are 96 connections") <= 2 + DURATION / 60


def test_the_soft_limit_of_descriptors_does_not_count(tmp_path: Path) -> None:
    with serving(tmp_path, prefix=["prlimit", "--nofile=64:512"]) as server:
        soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        assert (soft, hard) == (512, 512)


def test_connections_that_send_nothing_are_closed_after_a_while(server: Server) -> None:
    with ExitStack() as opened:
        held = [
            opened.enter_context(socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), SECONDS))
            for _ in range(20)
        ]
        assert [each.recv(1) for each in held] == [b""] * 20
    assert "a connection is closed, for its request did not come in time" in server.log()


def test_over_tls_too(tmp_path: Path) -> None:
    files = make(tmp_path / "tls")
    with serving(tmp_path, limits=QUICK, tls_cert=str(files.certificate), tls_key=str(files.key)) as server:
        assert exchange(server, b"") == b""
        assert exchange(server, b"\x16\x03\x01") == b""
        assert exchange(server, b"GET / HTTP/1.1\r\n\r\n")[:5] != b"HTTP/"


def test_one_address_has_its_share_and_others_are_served(tmp_path: Path) -> None:
    target = {"sources": 2, "body": bytes(100)}
    with serving(tmp_path, per_address=10) as server, attacked("silent", target_of(server, **target), 60) as outcomes:
        while outcomes["connected"] < 60:
            time.sleep(0.02)
        use_for(DURATION, server)
        assert sum("socket:" in each for each in open_files(server.process.pid)) < 40
        assert "one address has 10 connections, no more are taken (--per-address): 127.0.0.2" in server.log()


def test_an_address_whose_share_is_at_work_is_told_to_come_back(tmp_path: Path) -> None:
    with serving(tmp_path, per_address=1) as server:
        host = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        device = server.device()
        with socket.create_connection(host, SECONDS) as poll:
            body = device.sealed_pull(1, 60.0)
            poll.sendall(b"POST /pull HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            deadline = time.monotonic() + SECONDS
            while not (answer := exchange(server, b"")).startswith(b"HTTP/1.1 503 "):
                assert time.monotonic() < deadline
            assert b"retry-after: 5" in answer


# Readers, and polls


def test_readers_that_do_not_read_are_few_and_are_cut(server: Server) -> None:
    with Store.open(server.database) as store:
        store.set("large", bytes(range(256)) * 80_000)
        entry = store.entry("large")
        assert entry is not None
    answers_a_device(server)
    before = resident_memory(server.process.pid)
    forget_peak_memory(server.process.pid)
    with attacked("unread", target_of(server, path=f"/get?q={entry.url_token}"), 100) as outcomes:
        wait_for(outcomes, "200", "503")
        # The hub says so: a client whose window is full may drop the packet by which it would learn of it.
        until(lambda: "a response is broken off, for its client does not receive it" in server.log())
        use_for(DURATION, server)
    assert peak_memory(server.process.pid) - before < 80 * MB, outcomes


def test_a_download_that_was_refused_says_when_to_try_again(server: Server) -> None:
    with Store.open(server.database) as store:
        store.set("large", bytes(20 * MB))
        entry = store.entry("large")
        assert entry is not None
    with attacked("unread", target_of(server, path=f"/get?q={entry.url_token}"), 40) as outcomes:
        wait_for(outcomes, "503")
        deadline = time.monotonic() + SECONDS
        request = f"GET /get?q={entry.url_token} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        while not (answer := exchange(server, request)).startswith(b"HTTP/1.1 503 "):
            assert time.monotonic() < deadline
    assert b"retry-after: 5" in answer.lower()
    assert b"too many are downloading this right now" in answer


def test_replays_of_a_poll_do_not_wait_and_the_device_goes_on_waiting(server: Server) -> None:
    device = server.device()
    with Store.open(server.database) as store:
        body = device.sealed_pull(store.settings.config().clock + 1, 60.0, 9)
    connection = device.connect()
    connection.request("POST", "/pull", body)
    with attacked("poll", target_of(server, body=body), 100) as outcomes:
        wait_for(outcomes, "429")
        assert set(outcomes) <= {"429", "connected"}
        assert device.post("/push", device.sealed_push("key", b"value"))[0] == 200
        assert connection.getresponse().status == 200
        use_for(DURATION, server)
    connection.close()


@pytest.mark.parametrize("kind", ["unsealed", "unknown"])
def test_a_flood_of_requests_leaves_a_device_its_turn(server: Server, kind: str) -> None:
    target = target_of(server, path="/get?q=AAAAAAAAAAAAAAAAAAAAAA", body=bytes(100), sources=4)
    with attacked(kind, target, 50) as outcomes:
        wait_for(outcomes, "403" if kind == "unsealed" else "404")
        use_for(DURATION, server)


def test_every_attack_is_used_here() -> None:
    assert set(ATTACKS) == {
        *("url", "name", "value", "lines", "blank", "extension", "trailer", "trailers", "pipelined"),
        *("silent", "slow", "unread", "poll", "unsealed", "unknown"),
    }
