"""The HTTP application of a hub: its routes, what its requests share, and its start and end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from . import app_files, open_page, pages
from .bodies import Bodies
from .claim_requests import ClaimRequests
from .homes import Home
from .housekeeping import INTERVAL, Housekeeping
from .hub_requests import DEFAULT_LIMITS, HubLimits, HubRequests
from .pair_requests import PairRequests
from .request_log import Describe, Note, RequestLog, format_line, log_line, skip_logging
from .routing import Route, RouteTable
from .share_requests import ShareRequests
from .store_paths import StorePaths
from .turns import InTurn
from .wakeups import Wakeups
from .web_pages import WebPage

CLOSE_TIMEOUT: Final = 2.0
"""Seconds at the end in which the databases have to be closed."""


CALLS: Final = (
    *("/", "/blocks", "/claim", "/get", "/health", "/join", open_page.PATH, "/pair", "/pull", "/push", "/ready"),
    *(app_files.ADDRESS, app_files.SHARE, *app_files.PATHS),
)
"""The paths that there can be."""


class Service:
    """What the requests to one application share, for the stores of ``home``; without ``app``, there is no page ``/app``."""

    def __init__(
        self,
        home: Home,
        *,
        limits: HubLimits = DEFAULT_LIMITS,
        upkeep_interval: float = INTERVAL,
        app: bool = True,
    ) -> None:
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
        self.open_page = WebPage(open_page.make_open_page)
        self.app = {path: WebPage(make) for path, make in app_files.list_app_files().items()} if app else {}
        """The files of the page that is a device of its own, by their paths."""
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


def _route_beside(service: Service) -> dict[str, Route]:
    """Return the routes that are not of a store."""
    return {
        "/": Route.of(service.describe, "GET"),
        "/health": Route.of(service.check_health, "GET"),
        "/ready": Route.of(service.check_ready, "GET"),
    }


def _route_store(service: Service) -> dict[str, Route]:
    """Return the routes of a store."""
    routes = {
        "/blocks": Route.of(service.hub.serve_blocks, "POST"),
        "/get": Route.of(service.shares.respond, "GET", "POST"),
        "/join": Route.of(service.pairs.join, "POST"),
        open_page.PATH: Route.of(service.open_page.respond, "GET"),
        "/pair": Route.of(service.pairs.pair, "POST"),
        "/pull": Route.of(service.hub.pull, "POST"),
        "/push": Route.of(service.hub.push, "POST"),
    }
    claims = {} if service.claims is None else {"/claim": Route.of(service.claims.claim, "POST")}
    return routes | claims | _route_app(service.app)


def _route_app(files: Mapping[str, WebPage]) -> dict[str, Route]:
    """Return the routes of the page that is a device of its own; none if it is left out."""
    if not files:
        return {}
    return {
        app_files.ADDRESS: Route.of(_lead_to_app, "GET"),
        app_files.SHARE: Route.of(_lose_share, "POST"),
        **{path: Route.of(page.respond, "GET") for path, page in files.items()},
    }


async def _lead_to_app(_: Request) -> Response:
    """Send a browser on, by an address that is right below any path of a proxy, and to what is behind its ``#``."""
    return _send_on(307, "app/")


async def _lose_share(_: Request) -> Response:
    """Say on the page that what was shared is lost: the worker that would have kept it is not there. Nothing of it is read."""
    return _send_on(303, "./#share-lost")


def _send_on(status: int, location: str) -> Response:
    return Response(status_code=status, headers={**pages.NEVER_KEPT, **pages.PRIVATE, "Location": location})


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
    beside, of_store = _route_beside(service), _route_store(service)
    routes = beside | of_store
    if service.claims is None:
        table: ASGIApp = RouteTable(routes, service.run)
    else:
        # What stands beside the stores runs the lifespan.
        table = StorePaths(RouteTable(routes, service.run), RouteTable(beside, service.run))
    return InTurn(RequestLog(table, routes, write, note=note, describe=describe))
