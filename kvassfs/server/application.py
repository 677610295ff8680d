"""The HTTP application of a hub: sealed bodies in, sealed answers out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ..store import HUB, Store
from ..sync.hub import Hub, Pull
from .failures import CLOSE, HANDLERS
from .request_log import RequestLog, hush, log_line
from .share_requests import PATH, Shares, ShortWay
from .streaming import LongAnswer, gathered, raw
from .wakeups import News, Watch
from .workers import Worker, Workers

log = logging.getLogger(__name__)

MAX_BODY: Final = 256 * 1024 * 1024
"""Bytes of the longest body taken: an original peer sends whole values, and all that wait in one body."""

WORKERS: Final = 4
"""Threads that work on the database at the same time; while one waits for the disk or a lock, others answer."""

LOOK: Final = 1.0
"""Seconds after which a request that waits looks for itself whether there is something to hand out."""

HELD_LOOK: Final = 0.03
"""The same while something is about to be handed out which is kept back for a moment."""

BODY_PATIENCE: Final = 60.0
"""Seconds without any progress after which the rest of a body is no longer waited for."""

CLOSING: Final = 2.0
"""Seconds at the end that the databases have to be closed in."""

_SEALED = {"Content-Type": "application/octet-stream"}
_LONG = raw(_SEALED)


@contextmanager
def open_hub(path: str) -> Iterator[Hub]:
    """``with`` a hub on a store of its own; for one thread."""
    with Store.open(path, profile=HUB) as store:
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
        self.shares = Shares(path, self.news.tell)
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
            async with self.shares.running(CLOSING):
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
        return await self._change(request, lambda hub, body: hub.serve_blocks(body))

    async def _change(self, request: Request, call: Callable[[Hub, bytes], bytes]) -> Response:
        body = await read(request, self.max_body, self.body_patience)
        answer = await self.workers.idlest().run(lambda hub: call(hub, body))
        self.news.tell()
        return Response(answer, headers=_SEALED)

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
                    answer.headers.update(CLOSE)
                return answer
            waited = True
            await first_of(ticket, gone, min(left, HELD_LOOK if pull.held else self.look))
        raise ClientDisconnect


def application(service: Service, write: Callable[[str], None] = log_line) -> Starlette:
    """Return the application of ``service``; its lifespan must be run. ``write`` is told a line for each request."""
    made = Starlette(
        routes=[
            Route("/push", service.push, methods=["POST"]),
            Route("/pull", service.pull, methods=["POST"]),
            Route("/blocks", service.blocks, methods=["POST"]),
            Route(PATH, service.shares.get, methods=["GET", "POST"]),
            Route("/", service.shares.about, methods=["GET"]),
            Route("/health", service.shares.health, methods=["GET"]),
        ],
        middleware=[Middleware(RequestLog, write), Middleware(ShortWay, service.shares)],
        exception_handlers=HANDLERS,
        lifespan=service.running,
    )
    made.router.redirect_slashes = False
    return made


# Requests


async def read(request: Request, limit: int, patience: float) -> bytes:
    """Return the body of a request.

    The rest of a body that is too long is received and thrown away, up to another ``limit``: clients, and proxies even
    more, lose an answer that comes while they still send.

    Raises:
        HTTPException: it is longer than ``limit`` bytes, or nothing more of it comes for ``patience`` seconds.
        ClientDisconnect: the client has gone.
    """
    too_long = HTTPException(413, f"the message is longer than the {limit} bytes that this hub takes")
    announced = int(request.headers.get("content-length", 0))
    if announced > 2 * limit:
        raise too_long
    pieces: list[bytes] = []
    size = 0
    more = True
    while more:
        piece, more = await _next_piece(request, patience)
        size += len(piece)
        if max(size, announced) <= limit:
            pieces.append(piece)
        else:
            pieces.clear()
        if size > 2 * limit:
            raise too_long
    if size > limit:
        raise too_long
    return b"".join(pieces)


async def _next_piece(request: Request, patience: float) -> tuple[bytes, bool]:
    """Return the next piece of the body, and whether there are more."""
    try:
        async with asyncio.timeout(patience):
            message = await request.receive()
    except TimeoutError:
        raise HTTPException(408, "the rest of the message did not arrive", CLOSE) from None
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
        pieces = pull.respond(patient=patient)
        return None if pieces is None else (pieces, gathered(pieces), gathered(pieces))

    begun = await worker.run(begin)
    if begun is None:
        return None
    pieces, first, second = begun
    return LongAnswer(worker, pieces, first, second, headers=_LONG) if second else Response(first, headers=_SEALED)
