"""The HTTP application of a hub: its routes, what its requests share, and its start and end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from ..errors import KvassError
from ..sharing.offers import Offers
from ..store import Profile, Store
from ..store.commits import IDLE, CommitThread
from ..sync.hub import Hub
from . import pages
from .bodies import Bodies
from .housekeeping import INTERVAL, Housekeeping, open_store
from .hub_requests import DEFAULT_LIMITS, HubLimits, HubRequests, open_hub
from .pair_requests import PairRequests, open_office
from .request_log import RequestLog, log_line, skip_logging
from .routing import Route, RouteTable
from .share_requests import ShareRequests, open_offers
from .turns import InTurn
from .wakeups import Wakeups

CLOSE_TIMEOUT: Final = 2.0
"""Seconds at the end in which the databases have to be closed."""


class Service:
    """What the requests to one application share, for the database at ``path``, which must exist.

    When nobody has committed for ``idle`` seconds the write-ahead log is emptied, and a small database from before becomes
    one that gives room back.
    """

    def __init__(
        self,
        path: str,
        *,
        limits: HubLimits = DEFAULT_LIMITS,
        idle: float = IDLE,
        upkeep_interval: float = INTERVAL,
        open_hub: Callable[[str], AbstractContextManager[Hub]] = open_hub,
        open_offers: Callable[[str, Profile], AbstractContextManager[Offers]] = open_offers,
    ) -> None:
        self._path = path
        self._idle = idle
        self.wakeups = Wakeups()
        self._bodies = Bodies(os.path.dirname(os.path.realpath(path)), limits.bodies)
        self.hub = HubRequests(partial(open_hub, path), self.wakeups, limits, self._bodies)
        self.pairs = PairRequests(partial(open_office, path), self.wakeups, limits, self._bodies)
        self.shares = ShareRequests(partial(open_offers, path), self.wakeups.notify)
        self._housekeeping = Housekeeping(partial(open_store, path), upkeep_interval)

    @asynccontextmanager
    async def run(self, _: object = None) -> AsyncIterator[None]:
        """``async with`` the threads that the requests need."""
        notify = partial(asyncio.get_running_loop().call_soon_threadsafe, self.wakeups.notify)
        commit_thread = CommitThread(self._path, notify, on_idle=self._tidy_when_idle, idle=self._idle)
        async with (
            self._bodies.run(CLOSE_TIMEOUT),
            self.hub.run(CLOSE_TIMEOUT),
            self.pairs.run(CLOSE_TIMEOUT),
            self.shares.run(CLOSE_TIMEOUT),
        ):
            commit_thread.start()
            try:
                async with self._housekeeping.run(CLOSE_TIMEOUT):
                    yield
            finally:
                commit_thread.stop()

    def _tidy_when_idle(self) -> None:
        with suppress(KvassError), Store.open(self._path) as store:
            store.upkeep.rewrite_small()
            store.upkeep.checkpoint()

    async def describe(self, request: Request) -> Response:
        """Say what this server is."""
        return pages.render_about(request)

    async def check_health(self, request: Request) -> Response:
        """Say that requests can be served, for a load balancer."""
        await self.shares.check()
        skip_logging(request.scope)
        return PlainTextResponse("ok\n", headers=pages.NEVER_KEPT)


def build_application(service: Service, write: Callable[[str], None] = log_line) -> ASGIApp:
    """Return the application of ``service``; its lifespan must be run. ``write`` gets a line for each request."""
    routes = {
        "/": Route.of(service.describe, "GET"),
        "/blocks": Route.of(service.hub.serve_blocks, "POST"),
        "/get": Route.of(service.shares.respond, "GET", "POST"),
        "/health": Route.of(service.check_health, "GET"),
        "/join": Route.of(service.pairs.join, "POST"),
        "/pair": Route.of(service.pairs.pair, "POST"),
        "/pull": Route.of(service.hub.pull, "POST"),
        "/push": Route.of(service.hub.push, "POST"),
    }
    return InTurn(RequestLog(RouteTable(routes, service.run), routes, write))
