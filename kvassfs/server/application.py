"""The HTTP application of a hub: its routes, what its requests share, and its start and end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from . import pages
from .bodies import Bodies
from .claim_requests import ClaimRequests
from .homes import Home
from .housekeeping import INTERVAL, Housekeeping
from .hub_requests import DEFAULT_LIMITS, HubLimits, HubRequests
from .open_page import OpenPage
from .pair_requests import PairRequests
from .request_log import Describe, Note, RequestLog, format_line, log_line, skip_logging
from .routing import Route, RouteTable
from .share_requests import ShareRequests
from .store_paths import StorePaths
from .turns import InTurn
from .wakeups import Wakeups

CLOSE_TIMEOUT: Final = 2.0
"""Seconds at the end in which the databases have to be closed."""


CALLS: Final = ("/", "/blocks", "/claim", "/get", "/health", "/join", "/open", "/pair", "/pull", "/push", "/ready")
"""The paths that there can be."""


class Service:
    """What the requests to one application share, for the stores of ``home``."""

    def __init__(self, home: Home, *, limits: HubLimits = DEFAULT_LIMITS, upkeep_interval: float = INTERVAL) -> None:
        self._home = home
        self.wakeups = Wakeups()
        self._bodies = Bodies(home.spool, limits.bodies)
        self.hub = HubRequests(home.open_hubs, self.wakeups, limits, self._bodies)
        self.pairs = PairRequests(home.open_offices, self.wakeups, limits, self._bodies)
        self.shares = ShareRequests(
            home.open_offers, home.open_offers_at_hand, home.run_short_reads, self.wakeups.notify
        )
        self.claims = None if home.open_stores is None else ClaimRequests(home.open_stores, self._bodies)
        """``None`` where there is but one store."""
        self.open_page = OpenPage()
        self._housekeeping = Housekeeping(home.open_upkeep, upkeep_interval)

    @asynccontextmanager
    async def run(self, _: object = None) -> AsyncIterator[None]:
        """``async with`` the threads that the requests need."""
        async with (
            self._bodies.run(CLOSE_TIMEOUT),
            self.hub.run(CLOSE_TIMEOUT),
            self.pairs.run(CLOSE_TIMEOUT),
            self.shares.run(CLOSE_TIMEOUT),
            nullcontext() if self.claims is None else self.claims.run(CLOSE_TIMEOUT),
            self._home.run(self.wakeups, CLOSE_TIMEOUT),
            self._housekeeping.run(CLOSE_TIMEOUT),
        ):
            yield

    async def describe(self, request: Request) -> Response:
        """Say what this server is."""
        return pages.render_about(request)

    async def check_health(self, request: Request) -> Response:
        """Say that this process is alive: the hub of one person is where its database can be read."""
        return await self.check_ready(request) if self.claims is None else _say_ok(request)

    async def check_ready(self, request: Request) -> Response:
        """Say that requests can be served, for a load balancer."""
        await self.shares.check()
        return _say_ok(request)

    def read_numbers(self) -> dict[str, float]:
        """Return numbers of this moment, for whoever watches over the hub; for any thread."""
        return {"waiting_pulls": self.hub.count_waiting(), **self._home.read_numbers()}


def _say_ok(request: Request) -> Response:
    skip_logging(request.scope)
    return PlainTextResponse("ok\n", headers=pages.NEVER_KEPT)


def build_application(
    service: Service,
    write: Callable[[str], None] = log_line,
    note: Note | None = None,
    describe: Describe = format_line,
) -> ASGIApp:
    """Return the application of ``service``; its lifespan must be run.

    ``write`` gets a line for each request, as ``describe`` makes it, and ``note`` is told of it.

    Where there can be many stores, each lies below its own path.
    """
    beside = {
        "/": Route.of(service.describe, "GET"),
        "/health": Route.of(service.check_health, "GET"),
        "/ready": Route.of(service.check_ready, "GET"),
    }
    of_store = {
        "/blocks": Route.of(service.hub.serve_blocks, "POST"),
        "/get": Route.of(service.shares.respond, "GET", "POST"),
        "/join": Route.of(service.pairs.join, "POST"),
        "/open": Route.of(service.open_page.respond, "GET"),
        "/pair": Route.of(service.pairs.pair, "POST"),
        "/pull": Route.of(service.hub.pull, "POST"),
        "/push": Route.of(service.hub.push, "POST"),
    }
    if service.claims is None:
        routes = beside | of_store
        table: ASGIApp = RouteTable(routes, service.run)
    else:
        routes = beside | of_store | {"/claim": Route.of(service.claims.claim, "POST")}
        # What stands beside the stores runs the lifespan.
        table = StorePaths(RouteTable(routes, service.run), RouteTable(beside, service.run))
    return InTurn(RequestLog(table, routes, write, note=note, describe=describe))
