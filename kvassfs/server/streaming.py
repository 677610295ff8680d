"""Answers of every length: short ones in one piece, long ones in pieces that a worker makes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from typing import Any, Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from .workers import Worker

PIECE: Final = 256 * 1024
"""Bytes at least that a long answer is handed on in."""


def gathered(pieces: Iterator[bytes]) -> bytes:
    """Return the next of ``pieces``, joined to at least ``PIECE`` bytes; fewer at the end, and none after it."""
    found: list[bytes] = []
    size = 0
    while size < PIECE and (piece := next(pieces, None)) is not None:
        found.append(piece)
        size += len(piece)
    return b"".join(found)


Headers = Sequence[tuple[bytes, bytes]]
"""Header fields as ASGI has them: names in lower case."""


def raw(headers: Mapping[str, str]) -> Headers:
    """Return header fields as ASGI has them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


class ShortAnswer:
    """An answer that is there as a whole: Starlette's without all that this works out anew for each one."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self._start = {"type": "http.response.start", "status": status, "headers": headers}
        self._body = {"type": "http.response.body", "body": body}

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        await send(self._start)
        await send(self._body)


class LongAnswer(StreamingResponse):
    """An answer whose ``pieces`` are made by a worker, each while the client takes those before it."""

    def __init__(
        self,
        worker: Worker[Any],
        pieces: Iterator[bytes],
        *begun: bytes,
        status: int = 200,
        headers: Headers,
    ) -> None:
        super().__init__(self._all(), status)
        self.raw_headers = [*headers]
        self._worker = worker
        self._pieces = pieces
        self._begun = begun

    async def _all(self) -> AsyncIterator[bytes]:
        next_one = self._worker.post(lambda _: gathered(self._pieces))
        for piece in self._begun:
            yield piece
        while piece := await asyncio.wrap_future(next_one):
            next_one = self._worker.post(lambda _: gathered(self._pieces))
            yield piece

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; the pieces that nobody wants any more are let go of in the thread that makes them."""
        with self._worker.engaged():
            try:
                await super().__call__(scope, receive, send)
            finally:
                if isinstance(pieces := self._pieces, Generator):
                    self._worker.post(lambda _: pieces.close())
