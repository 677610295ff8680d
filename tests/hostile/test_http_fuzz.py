"""Bytes that are no request, or nearly one, come to a whole hub: each connection is answered with HTTP, or closed, and ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httptools
import pytest
import uvicorn
from uvicorn.server import ServerState

from kvassfs.server.admission import Phase
from kvassfs.server.application import build_application
from kvassfs.server.connections import Connections
from kvassfs.server.protocol import HubProtocol
from kvassfs.store import Store
from kvassfs.sync import messages
from kvassfs.sync.seal import Seal
from tests.hostile.spoiling import SEED, inputs, spoil_bytes
from tests.support.replicas import KEY
from tests.support.searches import examples, tell
from tests.support.services import serve_file

COUNT = examples(3_000, long=100_000)

SECONDS = 30.0
"""For one connection; each is given far less by the hub."""

MOMENT = 0.0002
"""Seconds between two looks; without any, the threads that work on requests would hardly get a turn."""

LARGE = b"a value of several pieces " * 40_000

TOKENS = ("text", "large", "once", "unknown")


class Wire(asyncio.Transport):
    """A connection without a network. What is written is kept; the other side takes some of it only ``slowly``."""

    def __init__(self, slowly: bool) -> None:
        super().__init__({"peername": ("192.0.2.1", 4711), "sockname": ("192.0.2.2", 8000)})
        self.sent = bytearray()
        self.reading = True
        self.open = True
        self.ended = False
        self.aborted = False
        self._slowly = slowly
        self._protocol: HubProtocol
        self._loop = asyncio.get_running_loop()

    def begin(self, protocol: HubProtocol) -> None:
        self._protocol = protocol
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.ended and not self.aborted:
            self.sent += data
            if self._slowly and self.open:
                self._protocol.pause_writing()
                self._loop.call_soon(self._protocol.resume_writing)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return not self.open

    def close(self) -> None:
        if self.open:
            self.open = False
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.aborted = True
        self.close()


class Watched(Connections):
    """The connections of a hub, which also say whether a request is worked on."""

    def is_busy(self) -> bool:
        return bool(self._since[Phase.SERVING])


class Reader:
    """What a client makes of the responses on a connection."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.parser = httptools.HttpResponseParser(self)

    def on_headers_complete(self) -> None:
        self.statuses.append(self.parser.get_status_code())


def read_responses(received: bytes, *, only_one: bool) -> list[int]:
    """Return the status of each response, or of the first; raise ``httptools.HttpParserError`` for what is none.

    The parser does not know which response is one to HEAD, behind which it would look for a body.
    """
    reader = Reader()
    head, found, rest = received.partition(b"\r\n\r\n")
    reader.parser.feed_data(head + found + (b"" if only_one else rest))
    return reader.statuses


def build_requests(links: dict[str, str]) -> list[bytes]:
    """Return requests of all kinds as they should be, some of them several on one connection."""
    seal = Seal(KEY)
    push = seal.seal(messages.encode_push([]))
    pull = seal.seal(messages.encode_pull_request(messages.PullRequest(4, 7, 2, 0.0, 1000, 7)))
    sealed = [
        format_post(path, body) for path in ("/push", "/pull", "/blocks", "/pair", "/join") for body in (push, pull)
    ]
    addresses = [f"/get?q={token}" for token in links.values()]
    return [
        *sealed,
        *(format_request("GET", address) for address in [*addresses, "/", "/health", "/nowhere"]),
        *(format_request("HEAD", address, "Range: bytes=1-70000", "If-None-Match: *") for address in addresses),
        *(format_request("GET", address, "Range: bytes=5-, 1-2", "Accept: text/html") for address in addresses),
        *(format_request("GET", address, "Range: bytes=1-70000") for address in addresses),
        *(format_post(address, b"q=" + links["once"].encode()) for address in addresses),
        format_request("POST", "/push", "Transfer-Encoding: chunked", "Trailer: A")
        + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (push[:7], push[7:]))
        + b"0\r\nA: b\r\n\r\n",
        format_request("POST", "/push", "Expect: 100-continue", f"Content-Length: {len(push)}") + push,
        format_request("GET", "/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        format_request("GET", "/get?q=" + "x" * 70_000),
        format_request("GET", "/", *(f"X-{number}: y" for number in range(300))),
        format_request("GET", "/health") * 12,
        format_post("/pull", pull) + format_request("GET", addresses[0]) + format_post("/push", push),
    ]  # fmt: skip


def format_request(method: str, address: str, *fields: str) -> bytes:
    return "\r\n".join([f"{method} {address} HTTP/1.1", "Host: hub", *fields, "", ""]).encode()


def format_post(address: str, body: bytes) -> bytes:
    return format_request("POST", address, f"Content-Length: {len(body)}") + body


PIECES = (
    *(b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b" ", b":", b",", b"%", b"\xff\xfe", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9"),
    *(b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"Content-Length: 99999999999999999999\r\n", b"Content-Length: 0x5\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding : chunked\r\n"),
    *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n", b"Expect: wonders\r\n"),
    *(b"Range: bytes=-1\r\n", b"Range: bytes=99999999999999999999-\r\n", b'If-Range: "x"\r\n', b"If-Modified-Since: never\r\n"),
    *(b"Host: \r\n", b"Host: a b\r\n", b"X-Forwarded-For: 1.2.3.4\r\n", b"Content-Type: multipart/form-data\r\n", b" folded\r\n"),
    *(b"GET", b"CONNECT", b"OPTIONS *", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01", b"/get?q=", b"%2fget", b"/../", b"//"),
    *(b"?q=a&q=b", b"ffffffffffffffff\r\n", b"0\r\n\r\n", b"5;ext=1\r\n", b"http://other/get", b"A: " + b"x" * 9_000 + b"\r\n"),
)  # fmt: skip


LINES = [piece for piece in PIECES if piece.endswith(b"\r\n") and b": " in piece]


def spoil_request(random: Random, request: bytes) -> bytes:
    """Spoil the bytes of a request, or put parts of others into it where lines and words begin."""
    if random.random() < 0.3:
        return spoil_bytes(random, request)
    for _ in range(random.choice((1, 1, 2, 4))):
        kept = random.random() < 0.5  # then it is often one that can be read
        places = [at + 1 for at, byte in enumerate(request[:2000]) if byte in (b"\n" if kept else b"\n /:")] or [0]
        at = random.choice(places)
        piece = random.choice(LINES if kept else PIECES)
        request = request[:at] + piece + request[at + (0 if kept else random.choice((0, 0, 1, 5, 30))) :]
    return request


@asynccontextmanager
async def serve(database: Path) -> AsyncIterator[Callable[[Wire], tuple[HubProtocol, Watched]]]:
    """``async with`` what begins the hub's side of a connection."""
    service = serve_file(str(database))
    async with service.run():
        configuration = uvicorn.Config(build_application(service), http="httptools", ws="none", log_config=None)
        configuration.load()
        state = ServerState()

        def connect(wire: Wire) -> tuple[HubProtocol, Watched]:
            connections = Watched()
            protocol = HubProtocol(connections=connections, config=configuration, server_state=state, app_state={})
            wire.begin(protocol)
            return protocol, connections

        yield connect
        async with asyncio.timeout(SECONDS):
            while state.tasks or state.connections:
                await asyncio.sleep(0.01)


async def converse(connect: Callable[[Wire], tuple[HubProtocol, Watched]], random: Random, sent: bytes) -> bytes:
    """Send bytes in parts, wait until all that is a request has been worked on, leave, and return what came."""
    wire = Wire(random.random() < 0.2)
    protocol, connections = connect(wire)
    hasty = random.random() < 0.1
    at = 0
    while at < len(sent) and not wire.is_closing():
        size = random.choice((1, 20, 500, 70_000))
        protocol.data_received(sent[at : at + size])
        at += size
        while not (hasty or wire.reading or wire.is_closing()):
            await asyncio.sleep(MOMENT)
        if random.random() < 0.1:
            await asyncio.sleep(0)
    while not hasty and connections.is_busy():
        await asyncio.sleep(MOMENT)
    protocol.eof_received()
    wire.close()
    while len(connections):
        await asyncio.sleep(MOMENT)
    return b"" if wire.aborted else bytes(wire.sent)


def test_each_connection_gets_http_or_nothing_and_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Store.open(tmp_path / "hub") as store:
        store.settings.set_encryption_key(KEY)
        links = {"unknown": "A" * 22}
        for key, value in (("text", b"text"), ("large", LARGE)):
            links[key] = store.set(key, value).url_token
        links["once"] = store.share_links.create("text", once=True).token
    requests = build_requests(links)
    failures: list[dict[str, Any]] = []
    counts: dict[int, int] = {}

    async def talk() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        async with serve(tmp_path / "hub") as connect:
            for random in inputs("http", COUNT):
                sent = spoil_request(random, random.choice(requests))
                with caplog.at_level(logging.WARNING):
                    async with asyncio.timeout(SECONDS):
                        received = await converse(connect, random, sent)
                described = f"{sent[:3000]!r}, seed {SEED}: {received[:500]!r}"
                try:
                    statuses = read_responses(received, only_one=b"HEAD" in sent)
                except httptools.HttpParserError as error:
                    raise AssertionError(described) from error
                assert all(status < 500 for status in statuses), described
                assert not failures, (described, failures)
                assert not [record for record in caplog.records if record.exc_info], described
                for status in statuses:
                    counts[status] = counts.get(status, 0) + 1

    asyncio.run(talk())
    tell(f"{COUNT:,} connections: {sum(counts.values()):,} responses, {dict(sorted(counts.items()))}")
    assert {200, 206, 400, 404} <= set(counts)
