"""Clients without a key, which keep a hub busy with bodies: a program of its own, and ``attacking``, which starts it.

::

    python tests/hostile/body_attackers.py hold|trickle|finish URL CLIENTS BYTES

Each client sends requests to ``/push`` that announce ``BYTES``: *hold* sends all but the last byte and waits, *trickle*
goes on byte by byte, *finish* sends them all and begins again with the next one. Who is cut off connects anew. It ends with
its standard input, and prints how often which status came (0: cut off without one).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

PIECE = bytes(256 * 1024)

BETWEEN_BYTES = 0.1
"""Seconds between two bytes of one that trickles."""

PAUSE = 0.05
"""Seconds until one that was cut off connects again."""


class Attacker:
    """One client; ``answers`` counts statuses for all."""

    def __init__(self, mode: str, url: str, size: int, answers: Counter[int]) -> None:
        self._send_end = {"hold": self._hold, "trickle": self._trickle, "finish": self._finish}[mode]
        self._begun = 1024 if mode == "trickle" else size - 1
        self._parts = urlsplit(url)
        self._size = size
        self._answers = answers

    async def run(self) -> None:
        """Attack for ever."""
        while True:
            with suppress(OSError):
                await self._connect()
            await asyncio.sleep(PAUSE)

    async def _connect(self) -> None:
        reader, writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        try:
            while await self._attack(reader, writer):
                pass
        finally:
            writer.close()

    async def _attack(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Make a request; return True if the connection can take another one."""
        writer.write(b"POST /push HTTP/1.1\r\nHost: hub\r\nContent-Length: %d\r\n\r\n" % self._size)
        sending = asyncio.create_task(self._send(writer))
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await sending
        except (OSError, asyncio.IncompleteReadError):
            self._answers[0] += 1
            return False
        finally:
            sending.cancel()
            with suppress(OSError, asyncio.CancelledError):
                await sending
        self._answers[int(head.split()[1])] += 1
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split()[1]))
        return b"connection: close" not in head.lower()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        left = self._begun
        while left:
            piece = PIECE[:left]
            writer.write(piece)
            await writer.drain()
            left -= len(piece)
        await self._send_end(writer)

    async def _hold(self, _: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def _trickle(self, writer: asyncio.StreamWriter) -> None:
        for _ in range(self._size - self._begun):
            writer.write(b"\0")
            await writer.drain()
            await asyncio.sleep(BETWEEN_BYTES)

    async def _finish(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\0")
        await writer.drain()


async def attack(mode: str, url: str, clients: int, size: int) -> Counter[int]:
    """Attack until standard input ends."""
    answers: Counter[int] = Counter()
    tasks = [asyncio.create_task(Attacker(mode, url, size, answers).run()) for _ in range(clients)]
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return answers


@contextmanager
def attacking(mode: str, url: str, clients: int, size: int) -> Iterator[Counter[int]]:
    """``with`` such clients at work, in a process of their own; the statuses are there afterwards."""
    command = [sys.executable, str(Path(__file__)), mode, url, str(clients), str(size)]
    answers: Counter[int] = Counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield answers
            said, _ = process.communicate(timeout=60)
            answers.update({int(status): count for status, count in json.loads(said).items()})
        finally:
            process.kill()


if __name__ == "__main__":
    json.dump(asyncio.run(attack(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))), sys.stdout)
