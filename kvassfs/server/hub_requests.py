"""Requests of devices to the hub: sealed bodies in, sealed responses out, and waiting for something to hand out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..sync.hub import Hub, Pull
from ..sync.seal import CheckedBody, read_mark
from .bodies import DEFAULT_LIMITS as DEFAULT_BODY_LIMITS
from .bodies import SHORT, Bodies, Body, BodyLimits
from .failures import CLOSE
from .homes import Finder, store_of
from .polls import Polls
from .replays import Replays
from .request_log import skip_logging
from .streaming import LongResponse, encode_headers, gather
from .turns import distrust
from .wakeups import Wakeups
from .workers import Worker, Workers

log = logging.getLogger(__name__)

LONG_PUSHES: Final = 1
"""Long pushes that are merged at the same time."""

WORKERS: Final = 4
"""Threads that work on the database at the same time; while one waits for the disk or a lock, others respond."""

MAX_BODY: Final = 256 * 1024 * 1024
"""Bytes of the longest body accepted: an original peer sends whole values, and all that wait in one body."""

MAX_PULL: Final = 1024 * 1024
"""Bytes of the longest request of a pull; it names devices."""

MAX_BLOCKS: Final = SHORT
"""Bytes of the longest request about blocks; devices send a megabyte of them."""

CHECKED_APART: Final = 64 * 1024
"""Bytes from which on a body is checked by the thread for that, and comes to those of the database if it is a device's."""

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
        bodies: what those may take of which it is not yet known whose they are.
        recheck_interval: seconds after which a pull that waits reads the database again, although nothing woke it.
    """

    max_body: int = MAX_BODY
    body_timeout: float = 60.0
    bodies: BodyLimits = DEFAULT_BODY_LIMITS
    recheck_interval: float = 1.0


DEFAULT_LIMITS: Final = HubLimits()


class HubRequests:
    """Responds to the requests of devices.

    A hub that cannot be opened fails the requests for which it was needed; the next ones try again to open it.
    """

    def __init__(
        self,
        open_hubs: Callable[[], AbstractContextManager[Finder[Hub]]],
        wakeups: Wakeups,
        limits: HubLimits,
        bodies: Bodies,
    ) -> None:
        self._open_hubs = open_hubs
        self._wakeups = wakeups
        self._limits = limits
        self._bodies = bodies
        self._long_pushes = asyncio.Semaphore(LONG_PUSHES)
        self._workers: Workers[Finder[Hub]]
        self._checkers: Workers[Finder[Hub]]
        self._polls = Polls()
        self._replays = Replays()

    @asynccontextmanager
    async def run(self, timeout: float) -> AsyncIterator[None]:
        """``async with`` the threads that the requests need, which have ``timeout`` seconds to end in."""
        self._workers = Workers(WORKERS, self._open_hubs)
        self._checkers = Workers(1, self._open_hubs)
        try:
            yield
        finally:
            ended = [await self._checkers.end(timeout), await self._workers.end(timeout)]
            if not all(ended):
                log.warning("ended while the database was still being waited for")

    def count_waiting(self) -> int:
        """Return how many pulls wait for news."""
        return self._polls.count()

    async def push(self, request: Request) -> Response:
        """Merge entries."""
        async with self._receive(request, self._limits.max_body) as body:
            checked = await self._check(request, body)
            if checked is None or checked.plaintext is not None:
                return await self._change(request, body, lambda hub: hub.push(checked or body.read_all()))
            async with self._long_pushes:
                return await self._change(request, body, lambda hub: hub.push_long(checked))

    async def serve_blocks(self, request: Request) -> Response:
        """Store or hand out blocks of large values."""
        async with self._receive(request, MAX_BLOCKS) as body:
            checked = await self._check(request, body)
            response = await self._change(request, body, lambda hub: hub.serve_blocks(checked or body.read_all()))
        skip_logging(request.scope)  # a large value takes many, before the push or after the pull that is logged
        return response

    async def _change(self, request: Request, body: Body, call: Callable[[Hub], bytes]) -> Response:
        mark, store = read_mark(body), store_of(request.scope)
        content = await self._workers.choose().run(lambda find: call(find(store)))
        self._replays.vouch_if_new(request.scope, mark)
        self._wakeups.notify(store)
        return Response(content, headers=_SEALED)

    async def pull(self, request: Request) -> Response:
        """Hand out entries; where there are none, as soon as there are if the device waits."""
        async with self._receive(request, MAX_PULL) as body:
            await self._check(request, body)
            whole, mark = body.read_all(), read_mark(body)
        try:
            digest = self._polls.check(whole)
        except HTTPException:
            distrust(request.scope)
            raise
        worker = self._workers.choose()
        store = store_of(request.scope)
        pull = await worker.run(lambda find: find(store).pull(whole))
        self._replays.vouch_if_new(request.scope, mark)
        async with detect_disconnect(request) as disconnected:
            if not pull.wait:
                return await self._wait_and_respond(request, worker, pull, disconnected)
            with self._polls.wait(digest, (store, pull.device)) as ended:
                return await self._wait_and_respond(request, worker, pull, disconnected, ended)

    def _receive(self, request: Request, limit: int) -> AbstractAsyncContextManager[Body]:
        return self._bodies.receive(request, min(limit, self._limits.max_body), self._limits.body_timeout)

    async def _check(self, request: Request, body: Body) -> CheckedBody | None:
        """Return a body whose seal is valid; ``None`` for a short one, which costs a worker no time.

        Raises:
            Undecipherable: it is not.
            HTTPException: others needed its room meanwhile.
        """
        if len(body) < CHECKED_APART:
            return None
        checker = self._checkers.choose()
        check = await checker.run(lambda find: find(store_of(request.scope)).check(body))
        while (checked := await checker.run(lambda _: check.advance())) is None:
            pass
        body.check_kept()
        body.is_known = True
        return checked

    async def _wait_and_respond(
        self,
        request: Request,
        worker: Worker[Finder[Hub]],
        pull: Pull,
        disconnected: asyncio.Task[None],
        *ended: asyncio.Future[None],
    ) -> Response:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + pull.wait
        waited = False
        while not disconnected.done():
            wakeup = self._wakeups.subscribe(store_of(request.scope))
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
        skip_logging(request.scope)
        raise ClientDisconnect


async def respond_to_pull(worker: Worker[Finder[Hub]], pull: Pull, *, patient: bool) -> Response | None:
    """Return the response to a pull, ``None`` if there is nothing to hand out yet and the device is ``patient``."""

    def begin(_: Finder[Hub]) -> tuple[Iterator[bytes], bytes, bytes] | None:
        pieces = pull.respond(patient=patient)
        return None if pieces is None else (pieces, gather(pieces), gather(pieces))

    begun = await worker.run(begin)
    if begun is None:
        return None
    pieces, first, second = begun
    return LongResponse(worker, pieces, first, second, headers=_LONG) if second else Response(first, headers=_SEALED)


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
