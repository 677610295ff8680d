"""Requests of first devices, which claim a store that the host has added, and give it its key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from ..pairing.claim import MAX_CLAIM, decode_claim, encode_claim_response
from ..pairing.errors import ClaimRefused
from . import pages
from .bodies import Bodies
from .homes import ClaimedStores, store_of
from .pair_requests import JOIN_TIMEOUT, TryLimit
from .workers import Workers

_HEADERS: Final = {"Content-Type": "application/octet-stream", **pages.NEVER_KEPT}


class ClaimRequests:
    """Responds to claims, by one thread."""

    def __init__(
        self,
        open_stores: Callable[[], AbstractContextManager[ClaimedStores]],
        bodies: Bodies,
        tries: TryLimit | None = None,
    ) -> None:
        self._open_stores = open_stores
        self._bodies = bodies
        self._tries = tries or TryLimit()
        self._workers: Workers[ClaimedStores]

    @asynccontextmanager
    async def run(self, timeout: float) -> AsyncIterator[None]:
        """``async with`` the thread that the requests need, which has ``timeout`` seconds to end in."""
        self._workers = Workers(1, self._open_stores)
        try:
            yield
        finally:
            await self._workers.end(timeout)

    async def claim(self, request: Request) -> Response:
        """Give a store its key."""
        address = request.client.host if request.client else ""
        self._tries.check(address)
        async with self._bodies.receive(request, MAX_CLAIM, JOIN_TIMEOUT) as body:
            whole = body.read_all()
        claim, store = decode_claim(whole), UUID(store_of(request.scope))
        with self._tries.trying(address):
            if not await self._workers.choose().run(lambda stores: stores.claim(store, claim.code, claim.key)):
                raise ClaimRefused
        return Response(encode_claim_response(whole, claim.key), headers=_HEADERS)
