"""Responses of any length: short ones in one piece, long ones in pieces that a worker reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from .workers import Worker

PIECE: Final = 256 * 1024
"""Bytes in a piece of a long response, at least; the last one may be shorter."""

Headers = Sequence[tuple[bytes, bytes]]
"""Header fields as ASGI has them: names in lower case."""


@runtime_checkable
class Closable(Protocol):
    """What holds something until it is closed, as generators and held values do."""

    def close(self) -> None:
        """Release it."""


def gather(pieces: Iterator[bytes]) -> bytes:
    """Return the next of ``pieces``, joined to at least ``PIECE`` bytes; fewer at the end, and none after it."""
    found: list[bytes] = []
    size = 0
    while size < PIECE and (piece := next(pieces, None)) is not None:
        found.append(piece)
        size += len(piece)
    return b"".join(found)


def close_pieces(pieces: Iterator[bytes]) -> None:
    """Release what ``pieces`` hold, in the thread that iterates over them."""
    if isinstance(pieces, Closable):
        pieces.close()


def encode_headers(headers: Mapping[str, str]) -> Headers:
    """Return header fields as ASGI has them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


class ShortResponse:
    """A response whose body is complete: Starlette's without the work that it repeats for each one."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self._start = {"type": "http.response.start", "status": status, "headers": headers}
        self._body = {"type": "http.response.body", "body": body}

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        await send(self._start)
        await send(self._body)


class LongResponse(StreamingResponse):
    """A response whose ``pieces`` a worker reads, each while the client receives those before it.

    ``first`` are the pieces that have been read already; ``on_end`` is called when it is sent, or will not be. Beside the
    piece that is being sent there is one in memory that was read ahead.
    """

    def __init__(
        self,
        worker: Worker[Any],
        pieces: Iterator[bytes],
        *first: bytes,
        status: int = 200,
        headers: Headers,
        on_end: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(self._read_pieces(), status)
        self.raw_headers = [*headers]
        self._worker = worker
        self._pieces = pieces
        self._first = [*reversed(first)]
        self._on_end = on_end

    async def _read_pieces(self) -> AsyncIterator[bytes]:
        following = self._worker.submit(lambda _: gather(self._pieces))
        while self._first:
            yield self._first.pop()
        while piece := await asyncio.wrap_future(following):
            following = self._worker.submit(lambda _: gather(self._pieces))
            yield piece

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and close the pieces, also where the client has left, in the thread that reads them."""
        with self._worker.engage():
            try:
                await super().__call__(scope, receive, send)
            finally:
                self._worker.submit(lambda _: close_pieces(self._pieces))
                if self._on_end is not None:
                    self._on_end()
