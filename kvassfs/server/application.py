"""The HTTP application of a hub: sealed bodies in, sealed answers out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..errors import DiskFull, KvassError, MessageError, Undecipherable
from ..hub import Hub, Pull
from ..store import Store
from .news import News, Watch
from .requestlog import RequestLog, hush
from .workers import Worker, Workers

log = logging.getLogger(__name__)

MAX_BODY: Final = 256 * 1024 * 1024
"""Bytes of the longest body taken: an original peer sends whole values, and all that wait in one body."""

WORKERS: Final = 4
"""Threads that work on the database at the same time; while one waits for the disk or a lock, others answer."""

LOOK: Final = 1.0
"""Seconds after which a request that waits looks for itself whether there is something to hand out."""

SETTLING_LOOK: Final = 0.03
"""The same while something is about to be handed out which is kept back for a moment."""

BODY_PATIENCE: Final = 60.0
"""Seconds without any progress after which the rest of a body is no longer waited for."""

PIECE: Final = 256 * 1024
"""Bytes at least that a long answer is handed on in."""

CLOSING: Final = 2.0
"""Seconds at the end that the databases have to be closed in."""

GONE: Final = 499
"""The status in the log of a request whose client has not waited for the answer; it is nginx's for that."""

_SEALED = "application/octet-stream"

_WORDS = {404: "there is nothing here", 405: "this method is not for this address"}


@contextmanager
def open_hub(path: str) -> Iterator[Hub]:
    """``with`` a hub on a store of its own; for one thread."""
    with Store.open(path) as store:
        yield Hub(store)


class Service:
    """What the requests to one application share: the hub in several threads, and the news.

    A hub that cannot be opened fails the requests for which it was needed, and is tried again for the next ones.
    """

    def __init__(
        self,
        path: str,
        *,
        max_body: int = MAX_BODY,
        body_patience: float = BODY_PATIENCE,
        look: float = LOOK,
        open_hub: Callable[[str], AbstractContextManager[Hub]] = open_hub,
    ) -> None:
        self.path = path
        self.max_body = max_body
        self.body_patience = body_patience
        self.look = look
        self.news = News()
        self.workers: Workers[Hub]
        self._open_hub = open_hub

    @asynccontextmanager
    async def running(self, _application: Starlette) -> AsyncIterator[None]:
        """``async with`` the threads that the requests need."""
        loop = asyncio.get_running_loop()
        watch = Watch(self.path, partial(loop.call_soon_threadsafe, self.news.tell))
        self.workers = Workers(WORKERS, partial(self._open_hub, self.path))
        watch.start()
        try:
            yield
        finally:
            watch.stop()
            if not await self.workers.end(CLOSING):
                log.warning("ended while the database was still being waited for")

    async def push(self, request: Request) -> Response:
        """Take entries."""
        return await self._change(request, lambda hub, body: hub.push(body))

    async def blocks(self, request: Request) -> Response:
        """Take or hand out blocks of large values."""
        return await self._change(request, lambda hub, body: hub.blocks(body))

    async def _change(self, request: Request, call: Callable[[Hub, bytes], bytes]) -> Response:
        body = await read(request, self.max_body, self.body_patience)
        answer = await self.workers.idlest().run(lambda hub: call(hub, body))
        self.news.tell()
        return Response(answer, media_type=_SEALED)

    async def pull(self, request: Request) -> Response:
        """Hand out entries; if the client will wait, when there are some."""
        body = await read(request, self.max_body, self.body_patience)
        worker = self.workers.idlest()
        pull = await worker.run(lambda hub: hub.pull(body))
        async with until_gone(request) as gone:
            return await self._awaited(request, worker, pull, gone)

    async def _awaited(self, request: Request, worker: Worker[Hub], pull: Pull, gone: asyncio.Task[None]) -> Response:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + pull.wait
        waited = False
        while not gone.done():
            ticket = self.news.ticket()
            left = 0.0 if self.news.ended else deadline - loop.time()
            answer = await ask(worker, pull, patient=left > 0)
            if answer is not None:
                if waited and left <= 0:
                    hush(request.scope)  # an idle hub answers so again and again
                if self.news.ended:
                    answer.headers["Connection"] = "close"
                return answer
            waited = True
            await first_of(ticket, gone, min(left, SETTLING_LOOK if pull.settling else self.look))
        raise ClientDisconnect


def application(service: Service) -> Starlette:
    """Return the application of ``service``; its lifespan must be run."""
    made = Starlette(
        routes=[
            Route("/push", service.push, methods=["POST"]),
            Route("/pull", service.pull, methods=["POST"]),
            Route("/blocks", service.blocks, methods=["POST"]),
        ],
        middleware=[Middleware(RequestLog)],
        exception_handlers={KvassError: _failed, HTTPException: _refused, ClientDisconnect: _left},
        lifespan=service.running,
    )
    made.router.redirect_slashes = False
    return made


# Requests


async def read(request: Request, limit: int, patience: float) -> bytes:
    """Return the body of a request.

    Raises:
        HTTPException: it is longer than ``limit`` bytes, or nothing more of it comes for ``patience`` seconds.
        ClientDisconnect: the client has gone.
    """
    too_long = HTTPException(413, f"the message is longer than the {limit} bytes that this hub takes")
    if int(request.headers.get("content-length", 0)) > limit:
        raise too_long
    pieces: list[bytes] = []
    size = 0
    more = True
    while more:
        piece, more = await _next_piece(request, patience)
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise too_long
    return b"".join(pieces)


async def _next_piece(request: Request, patience: float) -> tuple[bytes, bool]:
    """Return the next piece of the body, and whether there are more."""
    try:
        async with asyncio.timeout(patience):
            message = await request.receive()
    except TimeoutError:
        raise HTTPException(408, "the rest of the message did not arrive", {"Connection": "close"}) from None
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


@asynccontextmanager
async def until_gone(request: Request) -> AsyncIterator[asyncio.Task[None]]:
    """``async with`` a task that ends when the client of a request goes, after its body was read."""

    async def wait() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    task = asyncio.create_task(wait())
    try:
        yield task
    finally:
        task.cancel()


async def first_of(event: asyncio.Event, task: asyncio.Task[None], timeout: float) -> None:
    """Wait until ``event`` is set, ``task`` ends or ``timeout`` seconds have passed."""
    happening = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({happening, task}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        happening.cancel()


# Answers


async def ask(worker: Worker[Hub], pull: Pull, *, patient: bool) -> Response | None:
    """Return the answer to a pull, ``None`` if there is nothing yet for a ``patient`` one."""

    def begin(_: Hub) -> tuple[Iterator[bytes], bytes, bytes] | None:
        pieces = pull.answer(patient=patient)
        return None if pieces is None else (pieces, gathered(pieces), gathered(pieces))

    begun = await worker.run(begin)
    if begun is None:
        return None
    pieces, first, second = begun
    return LongAnswer(worker, pieces, first, second) if second else Response(first, media_type=_SEALED)


def gathered(pieces: Iterator[bytes]) -> bytes:
    """Return the next of ``pieces``, joined to at least ``PIECE`` bytes; fewer at the end, and none after it."""
    found: list[bytes] = []
    size = 0
    while size < PIECE and (piece := next(pieces, None)) is not None:
        found.append(piece)
        size += len(piece)
    return b"".join(found)


class LongAnswer(StreamingResponse):
    """An answer whose ``pieces`` are made by a worker, each when the client has taken those before it."""

    def __init__(self, worker: Worker[Hub], pieces: Iterator[bytes], *begun: bytes) -> None:
        super().__init__(self._all(), media_type=_SEALED)
        self._worker = worker
        self._pieces = pieces
        self._begun = begun

    async def _all(self) -> AsyncIterator[bytes]:
        for piece in self._begun:
            yield piece
        while piece := await self._worker.run(lambda _: gathered(self._pieces)):
            yield piece

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; the pieces that nobody wants any more are let go of in the thread that makes them."""
        with self._worker.engaged():
            try:
                await super().__call__(scope, receive, send)
            finally:
                if isinstance(pieces := self._pieces, Generator):
                    self._worker.post(lambda _: pieces.close())


# Failures


async def _failed(_request: Request, error: Exception) -> Response:
    """Answer an expected failure. What is wrong with the database is for the log alone."""
    if isinstance(error, Undecipherable):
        return _told(403, "cannot decrypt the message")
    if isinstance(error, MessageError):
        return _told(400, str(error))
    log.error("%s", error)
    if isinstance(error, DiskFull):
        return _told(507, "no space left on the disk of the hub")
    return _told(503, "the hub cannot use its database; its log says why")


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _told(error.status_code, _WORDS.get(error.status_code, error.detail))
    response.headers.update(error.headers or {})
    return response


async def _left(request: Request, _error: Exception) -> Response:
    """Answer nobody."""
    hush(request.scope)
    return Response(status_code=GONE)


def _told(status: int, words: str) -> Response:
    return PlainTextResponse(f"kvass: {words}\n", status)
