"""Requests of devices to the hub: sealed bodies in, sealed responses out, and waiting for something to hand out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..store import HUB, Store
from ..sync.hub import Hub, Pull
from .failures import CLOSE
from .polls import Polls
from .request_log import skip_logging
from .streaming import LongResponse, encode_headers, gather
from .turns import vouch_for
from .wakeups import Wakeups
from .workers import Worker, Workers

log = logging.getLogger(__name__)

WORKERS: Final = 4
"""Threads that work on the database at the same time; while one waits for the disk or a lock, others respond."""

MAX_BODY: Final = 256 * 1024 * 1024
"""Bytes of the longest body accepted: an original peer sends whole values, and all that wait in one body."""

HELD_INTERVAL: Final = 0.03
"""``HubLimits.recheck_interval`` while something is held back that will be handed out in a moment."""

_SEALED = {"Content-Type": "application/octet-stream"}
_LONG = encode_headers(_SEALED)


@dataclass(frozen=True)
class HubLimits:
    """How much, and for how long, requests of devices may take.

    Attributes:
        max_body: bytes of the longest body accepted.
        body_timeout: seconds without any progress after which the rest of a body is no longer waited for.
        recheck_interval: seconds after which a pull that waits reads the database again, although nothing woke it.
    """

    max_body: int = MAX_BODY
    body_timeout: float = 60.0
    recheck_interval: float = 1.0


DEFAULT_LIMITS: Final = HubLimits()


@contextmanager
def open_hub(path: str) -> Iterator[Hub]:
    """``with`` a hub on a store of its own; for one thread."""
    with Store.open(path, profile=HUB) as store:
        yield Hub(store)


class HubRequests:
    """Responds to the requests of devices.

    A hub that cannot be opened fails the requests for which it was needed; the next ones try again to open it.
    """

    def __init__(
        self, open_hub: Callable[[], AbstractContextManager[Hub]], wakeups: Wakeups, limits: HubLimits
    ) -> None:
        self._open_hub = open_hub
        self._wakeups = wakeups
        self._limits = limits
        self._workers: Workers[Hub]
        self._polls = Polls()

    @asynccontextmanager
    async def run(self, timeout: float) -> AsyncIterator[None]:
        """``async with`` the threads that the requests need, which have ``timeout`` seconds to end in."""
        self._workers = Workers(WORKERS, self._open_hub)
        try:
            yield
        finally:
            if not await self._workers.end(timeout):
                log.warning("ended while the database was still being waited for")

    async def push(self, request: Request) -> Response:
        """Merge entries."""
        return await self._change(request, lambda hub, body: hub.push(body))

    async def serve_blocks(self, request: Request) -> Response:
        """Store or hand out blocks of large values."""
        response = await self._change(request, lambda hub, body: hub.serve_blocks(body))
        skip_logging(request.scope)  # a large value takes many, before the push or after the pull that is logged
        return response

    async def _change(self, request: Request, call: Callable[[Hub, bytes], bytes]) -> Response:
        body = await self._read_body(request)
        content = await self._workers.choose().run(lambda hub: call(hub, body))
        vouch_for(request.scope)
        self._wakeups.notify()
        return Response(content, headers=_SEALED)

    async def pull(self, request: Request) -> Response:
        """Hand out entries; where there are none, as soon as there are if the device waits."""
        body = await self._read_body(request)
        digest = self._polls.check(body)
        worker = self._workers.choose()
        pull = await worker.run(lambda hub: hub.pull(body))
        vouch_for(request.scope)
        async with detect_disconnect(request) as disconnected:
            if not pull.wait:
                return await self._wait_and_respond(request, worker, pull, disconnected)
            with self._polls.wait(digest, pull.device) as ended:
                return await self._wait_and_respond(request, worker, pull, disconnected, ended)

    async def _read_body(self, request: Request) -> bytes:
        return await read_body(request, self._limits.max_body, self._limits.body_timeout)

    async def _wait_and_respond(
        self,
        request: Request,
        worker: Worker[Hub],
        pull: Pull,
        disconnected: asyncio.Task[None],
        *ended: asyncio.Future[None],
    ) -> Response:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + pull.wait
        waited = False
        while not disconnected.done():
            wakeup = self._wakeups.subscribe()
            left = 0.0 if self._wakeups.ended or any(each.done() for each in ended) else deadline - loop.time()
            response = await respond_to_pull(worker, pull, patient=left > 0)
            if response is not None:
                if waited and left <= 0:
                    skip_logging(request.scope)  # an idle device asks again and again
                if self._wakeups.ended:
                    response.headers.update(CLOSE)
                return response
            waited = True
            interval = HELD_INTERVAL if pull.held else self._limits.recheck_interval
            await wait_for_first(wakeup, min(left, interval), disconnected, *ended)
        raise ClientDisconnect


async def respond_to_pull(worker: Worker[Hub], pull: Pull, *, patient: bool) -> Response | None:
    """Return the response to a pull, ``None`` if there is nothing to hand out yet and the device is ``patient``."""

    def begin(_: Hub) -> tuple[Iterator[bytes], bytes, bytes] | None:
        pieces = pull.respond(patient=patient)
        return None if pieces is None else (pieces, gather(pieces), gather(pieces))

    begun = await worker.run(begin)
    if begun is None:
        return None
    pieces, first, second = begun
    return LongResponse(worker, pieces, first, second, headers=_LONG) if second else Response(first, headers=_SEALED)


# Bodies


async def read_body(request: Request, limit: int, timeout: float) -> bytes:
    """Return the body of a request.

    The rest of a body that is too long is received and thrown away, up to another ``limit``: clients, and proxies even
    more, lose a response that comes while they still send.

    Raises:
        HTTPException: it is longer than ``limit`` bytes, or nothing more of it comes for ``timeout`` seconds.
        ClientDisconnect: the client has closed the connection.
    """
    too_long = HTTPException(413, f"the message is longer than the {limit} bytes that this hub takes")
    announced = int(request.headers.get("content-length", 0))
    if announced > 2 * limit:
        raise too_long
    pieces: list[bytes] = []
    size = 0
    more = True
    while more:
        piece, more = await _receive_piece(request, timeout)
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


async def _receive_piece(request: Request, timeout: float) -> tuple[bytes, bool]:
    """Return the next piece of the body, and whether there are more."""
    try:
        async with asyncio.timeout(timeout):
            message = await request.receive()
    except TimeoutError:
        raise HTTPException(408, "the rest of the message did not arrive", CLOSE) from None
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


# Waiting


@asynccontextmanager
async def detect_disconnect(request: Request) -> AsyncIterator[asyncio.Task[None]]:
    """``async with`` a task that ends when the client closes the connection; for a request whose body was read."""

    async def wait() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    task = asyncio.create_task(wait())
    try:
        yield task
    finally:
        task.cancel()


async def wait_for_first(event: asyncio.Event, timeout: float, *ends: asyncio.Future[None]) -> None:
    """Wait until ``event`` is set, one of ``ends`` is done or ``timeout`` seconds have passed."""
    set_event = asyncio.create_task(event.wait())
    try:
        awaited: set[asyncio.Future[Any]] = {set_event, *ends}
        await asyncio.wait(awaited, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        set_event.cancel()
