"""Requests about mailboxes: sealed ones of a device that has the key, and those of strangers who want to join."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..pairing.errors import ClaimRefused, CodeGone, TooManyTries
from ..pairing.messages import MAX_JOIN
from ..pairing.post_office import DeviceErrand, JoinerErrand, PostOffice
from ..sync.seal import read_mark
from . import pages
from .admission import find_place
from .bodies import Bodies
from .homes import Finder, store_of
from .hub_requests import HubLimits, detect_disconnect, wait_for_first
from .replays import Replays
from .request_log import skip_logging
from .turns import leave_turn
from .wakeups import Wakeups
from .workers import Workers

MAX_PAIR: Final = 64 * 1024
"""Bytes of a sealed request about a mailbox."""

JOIN_TIMEOUT: Final = 10.0
"""Seconds without any progress after which the rest of a stranger's request is no longer waited for."""

WINDOW: Final = 60.0
"""Seconds for which a try with a number that nobody has counts."""

TRIES_OF_ONE: Final = 10
"""Such tries from one address within the window."""

TRIES_OF_ALL: Final = 100
"""Such tries from all addresses within the window; so no more than this many are remembered."""

_SEALED = {"Content-Type": "application/octet-stream"}
_OPEN = {"Content-Type": "application/json", **pages.NEVER_KEPT}


class TryLimit:
    """Counts tries with numbers that nobody has, by the address that they come from. ``clock`` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: deque[tuple[float, str]] = deque()

    def check(self, address: str) -> None:
        """Return if another try may be made from there.

        Raises:
            TooManyTries: it may not.
        """
        now = self._clock()
        while self._tries and self._tries[0][0] <= now - WINDOW:
            self._tries.popleft()
        place = find_place(address)
        own = sum(where == place for _, where in self._tries)
        if own >= TRIES_OF_ONE or len(self._tries) >= TRIES_OF_ALL:
            raise TooManyTries

    @contextmanager
    def trying(self, address: str) -> Iterator[None]:
        """``with`` a try, which counts from its beginning on; not any more if the code was right.

        Raises:
            TooManyTries: no other may be made from there.
        """
        self.check(address)
        trial = (self._clock(), find_place(address))
        self._tries.append(trial)
        try:
            yield
        except (CodeGone, ClaimRefused):
            raise
        except BaseException:
            self._forget(trial)
            raise
        self._forget(trial)

    def _forget(self, trial: tuple[float, str]) -> None:
        with suppress(ValueError):  # its time is over
            self._tries.remove(trial)


def _respond_to(errand: DeviceErrand | JoinerErrand, patient: bool, _: Finder[PostOffice]) -> bytes | None:
    return errand.respond(patient=patient)


class PairRequests:
    """Responds to requests about mailboxes, by one thread with a store of its own."""

    def __init__(
        self,
        open_offices: Callable[[], AbstractContextManager[Finder[PostOffice]]],
        wakeups: Wakeups,
        limits: HubLimits,
        bodies: Bodies,
        tries: TryLimit | None = None,
    ) -> None:
        self._open_offices = open_offices
        self._wakeups = wakeups
        self._limits = limits
        self._bodies = bodies
        self._tries = tries or TryLimit()
        self._replays = Replays()
        self._workers: Workers[Finder[PostOffice]]

    @asynccontextmanager
    async def run(self, timeout: float) -> AsyncIterator[None]:
        """``async with`` the thread that the requests need, which has ``timeout`` seconds to end in."""
        self._workers = Workers(1, self._open_offices)
        try:
            yield
        finally:
            await self._workers.end(timeout)

    async def pair(self, request: Request) -> Response:
        """Do what a device asks of its mailbox."""
        async with self._bodies.receive(request, MAX_PAIR, self._limits.body_timeout) as body:
            mark = read_mark(body)
            store = store_of(request.scope)
            errand = await self._workers.choose().run(lambda find: find(store).serve(body.read_all()))
        self._replays.vouch_if_new(request.scope, mark)
        self._wakeups.notify(store)
        return Response(await self._respond(request, errand), headers=_SEALED)

    async def join(self, request: Request) -> Response:
        """Do what a stranger asks of a mailbox."""
        address = request.client.host if request.client else ""
        self._tries.check(address)
        timeout = min(self._limits.body_timeout, JOIN_TIMEOUT)
        async with self._bodies.receive(request, MAX_JOIN, timeout) as body:
            whole = body.read_all()
        with self._tries.trying(address):
            store = store_of(request.scope)
            errand = await self._workers.choose().run(lambda find: find(store).receive(whole))
            if errand.wait:  # it has left a message; else nobody is to be woken by strangers
                self._wakeups.notify(store)
            return Response(await self._respond(request, errand), headers=_OPEN)

    async def _respond(self, request: Request, errand: DeviceErrand | JoinerErrand) -> bytes:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + errand.wait
        if errand.wait:
            leave_turn(request.scope)
        async with detect_disconnect(request) as disconnected:
            while not disconnected.done():
                wakeup = self._wakeups.subscribe(store_of(request.scope))
                left = 0.0 if self._wakeups.ended else deadline - loop.time()
                job = partial(_respond_to, errand, left > 0)
                response = await self._workers.choose().run(job)
                if response is not None:
                    if errand.wait:
                        self._wakeups.notify(store_of(request.scope))
                    return response
                await wait_for_first(wakeup, min(left, self._limits.recheck_interval), disconnected)
        skip_logging(request.scope)
        raise ClientDisconnect
