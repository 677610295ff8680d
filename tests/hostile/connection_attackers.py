"""Attackers of a hub that have no key: what they send around bodies, and how they hold connections.

Run as a program it is one of ``ATTACKS`` for some seconds, with so many connections at once, each of which is made anew
once the hub has closed it; then it prints what became of them:

    python -m tests.hostile.connection_attackers silent 127.0.0.1:8000 --count 1000 --seconds 10
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial

PIECE = 64 * 1024

NO_END = b"x" * PIECE

ESTABLISHED = 1
"""What Linux calls the state of a connection that neither side has closed."""


@dataclass
class Target:
    """The hub that is attacked, from where, with what, and what became of it."""

    port: int
    host: str = "127.0.0.1"
    sources: int = 1
    """Addresses of the loopback, from 127.0.0.2 on, that connections are made from in turns."""
    path: str = "/"
    body: bytes = b""
    largest: int = 1 << 40
    """Bytes after which one connection has sent enough."""
    outcomes: Counter[str] = field(default_factory=Counter)

    async def connect(self, number: int) -> socket.socket:
        """Return a new connection."""
        opened = socket.socket()
        opened.setblocking(False)
        try:
            if self.sources > 1:
                opened.bind((f"127.0.0.{2 + number % self.sources}", 0))
            await asyncio.get_running_loop().sock_connect(opened, (self.host, self.port))
        except BaseException:
            opened.close()
            raise
        self.outcomes["connected"] += 1
        return opened


Attack = Callable[[Target, socket.socket], Awaitable[None]]
"""What is done on one connection; it returns, or raises an OSError, once the hub has closed it."""


async def send(connection: socket.socket, data: bytes) -> None:
    """Send all of it."""
    await asyncio.get_running_loop().sock_sendall(connection, data)


async def note_answer(target: Target, connection: socket.socket) -> None:
    """Note the status of the answer, or that there is none, and wait until the connection is closed."""
    loop = asyncio.get_running_loop()
    answer = await loop.sock_recv(connection, PIECE)
    target.outcomes[answer[9:12].decode("latin-1") or "closed"] += 1
    while answer:
        answer = await loop.sock_recv(connection, PIECE)


async def without_end(target: Target, connection: socket.socket, *, head: bytes, part: bytes) -> None:
    """Begin a request, and then send the same again and again."""
    sent = 0
    try:
        await send(connection, head)
        while sent < target.largest:
            await send(connection, part)
            sent += len(part)
    except OSError:
        target.outcomes["cut"] += 1
    target.outcomes["sent"] += sent
    await note_answer(target, connection)


def lines(size: int = PIECE) -> bytes:
    """Return header lines of ``size`` bytes or so."""
    return b"".join(b"x-%06d: y\r\n" % number for number in range(size // 13))


async def silent(target: Target, connection: socket.socket) -> None:
    """Send nothing."""
    await note_answer(target, connection)


async def slow(target: Target, connection: socket.socket) -> None:
    """Send a byte of a header each second."""
    await send(connection, b"GET / HTTP/1.1\r\nHost: ")
    for _ in range(10**6):
        await asyncio.sleep(1)
        await send(connection, b"x")


async def unread(target: Target, connection: socket.socket) -> None:
    """Ask for something long and read none of it, but that it has begun."""
    loop = asyncio.get_running_loop()
    await send(connection, b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % target.path.encode())
    answer = await loop.sock_recv(connection, 12)
    target.outcomes[answer[9:12].decode("latin-1") or "closed"] += 1
    while is_open(connection):  # a look takes nothing from the connection, so the hub cannot send more
        await asyncio.sleep(0.2)
    target.outcomes["ended"] += 1


def is_open(connection: socket.socket) -> bool:
    """Tell whether neither side has closed a connection (of Linux)."""
    (state,) = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return state == ESTABLISHED


async def again(target: Target, connection: socket.socket, *, request: Callable[[Target], bytes]) -> None:
    """Send a request again and again, each after the answer to the one before."""
    loop = asyncio.get_running_loop()
    data = request(target)
    while True:
        await send(connection, data)
        answer = await loop.sock_recv(connection, PIECE)
        while answer and not answer.startswith(b"HTTP/"):  # the body of the one before came by itself
            answer = await loop.sock_recv(connection, PIECE)
        if not answer:
            return
        target.outcomes[answer[9:12].decode("latin-1")] += 1


def post(target: Target, path: str = "/pull") -> bytes:
    """Return the request with the body of the target."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(target.body)}\r\n\r\n"
    return head.encode() + target.body


def get(target: Target) -> bytes:
    """Return the request for the path of the target."""
    return f"GET {target.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def pipelined(target: Target, connection: socket.socket) -> None:
    """Send requests without waiting for answers, and read none."""
    await without_end(target, connection, head=b"", part=b"GET / HTTP/1.1\r\n\r\n" * 3000)


CHUNKED = b"POST /push HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

ATTACKS: dict[str, Attack] = {
    "silent": silent,
    "slow": slow,
    "url": partial(without_end, head=b"GET /", part=NO_END),
    "name": partial(without_end, head=b"GET / HTTP/1.1\r\n", part=NO_END),
    "value": partial(without_end, head=b"GET / HTTP/1.1\r\nHost: ", part=NO_END),
    "lines": partial(without_end, head=b"GET / HTTP/1.1\r\n", part=lines()),
    "blank": partial(without_end, head=b"", part=b"\r\n" * (PIECE // 2)),
    "extension": partial(without_end, head=CHUNKED + b"1;", part=NO_END),
    "trailer": partial(without_end, head=CHUNKED + b"1\r\nx\r\n0\r\ny: ", part=NO_END),
    "trailers": partial(without_end, head=CHUNKED + b"1\r\nx\r\n0\r\n", part=lines()),
    "pipelined": pipelined,
    "unread": unread,
    "poll": partial(again, request=post),
    "unsealed": partial(again, request=partial(post, path="/push")),
    "unknown": partial(again, request=get),
}


async def attack(kind: str, target: Target, count: int, seconds: float) -> Counter[str]:
    """Attack with so many connections for some seconds; return what became of them."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(keep(ATTACKS[kind], target, number) for number in range(count)))
    return target.outcomes


async def keep(attack: Attack, target: Target, number: int) -> None:
    """Attack on a connection, and on another one once that is closed."""
    while True:
        try:
            with closing(await target.connect(number)) as connection:
                await attack(target, connection)
        except OSError as error:
            target.outcomes[type(error).__name__] += 1
            await asyncio.sleep(0.05)


def main() -> None:
    """Attack as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("kind", choices=[*ATTACKS])
    parser.add_argument("hub", help="ADDRESS:PORT")
    parser.add_argument("--count", type=int, default=1, help="connections at once")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--sources", type=int, default=1, help="addresses of the loopback that they come from")
    parser.add_argument("--path", default="/")
    parser.add_argument("--body", type=bytes.fromhex, default=b"", help="in hexadecimal digits")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    host, _, port = options.hub.rpartition(":")
    target = Target(int(port), host, options.sources, options.path, options.body)
    outcomes = asyncio.run(attack(options.kind, target, options.count, options.seconds))
    sys.stdout.write(json.dumps(outcomes) + "\n")


if __name__ == "__main__":
    main()
