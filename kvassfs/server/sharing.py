"""Sharing by address: a token is answered with the value that it leads to, and nothing else is to be had."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from email.utils import formatdate
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ..sharing import Offer, Sharing
from ..store import Store
from . import media, pages
from .conditions import Decision, Validators, decide
from .requestlog import hush
from .streaming import LongAnswer, gathered
from .workers import Workers

WORKERS: Final = 2
"""Threads that look up what is shared, beside those for the devices: a merge does not hold up a reader."""

TRIES: Final = 3
"""How often an entry may change while its answer is prepared."""

_HEADERS: Final = {
    **pages.PRIVATE,
    # A document of a stranger's, as far as this address is concerned: no scripts, and an origin of its own.
    "Content-Security-Policy": "sandbox",
    "Accept-Ranges": "bytes",
}

_KEPT: Final = {"Cache-Control": "private, no-cache"}

_ONCE_WORDS: Final = "this link works once: fetch it with POST, as `curl -d '' ADDRESS` does, or in a browser"


class Prepared(NamedTuple):
    """An answer as a worker has prepared it; ``pieces`` are the rest of the body, ``None`` if there is none.

    ``once``: it is not the value, but a link that works once leads to it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    pieces: Iterator[bytes] | None = None
    once: Offer | None = None


@contextmanager
def open_sharing(path: str) -> Iterator[Sharing]:
    """``with`` what is shared of a store; for one thread."""
    with Store.open(path) as store:
        yield Sharing(store)


class Shares:
    """Answers requests for what is shared of the store at ``path``. ``used`` is called when a link was used up."""

    def __init__(
        self,
        path: str,
        used: Callable[[], object],
        *,
        open_sharing: Callable[[str], AbstractContextManager[Sharing]] = open_sharing,
    ) -> None:
        self._path = path
        self._used = used
        self._open_sharing = open_sharing
        self._workers: Workers[Sharing]

    @asynccontextmanager
    async def running(self, patience: float) -> AsyncIterator[None]:
        """``async with`` the threads that the requests need, which have ``patience`` seconds to end in."""
        self._workers = Workers(WORKERS, lambda: self._open_sharing(self._path))
        try:
            yield
        finally:
            await self._workers.end(patience)

    async def about(self, request: Request) -> Response:
        """Say what this is."""
        return pages.about(request)

    async def health(self, request: Request) -> Response:
        """Say that requests can be answered, for a load balancer."""
        await self._workers.idlest().run(lambda sharing: sharing.check())
        hush(request.scope)
        return PlainTextResponse("ok\n", headers=pages.NEVER_KEPT)

    async def get(self, request: Request) -> Response:
        """Answer with what the token in the query leads to."""
        token = request.query_params.get("q", "")
        worker = self._workers.idlest()
        if request.method == "POST":
            prepared = await worker.run(lambda sharing: taken(sharing, token))
            self._used()
        else:
            method, headers = request.method, request.headers
            prepared = await worker.run(lambda sharing: prepare(sharing, token, method, headers))
        if prepared.once is not None:
            return _button(request, prepared.once)
        if prepared.pieces is None:
            return Response(prepared.body, prepared.status, prepared.headers)
        return LongAnswer(worker, prepared.pieces, prepared.body, status=prepared.status, headers=prepared.headers)


def _button(request: Request, offer: Offer) -> Response:
    """Answer a GET of a link that works once, which does not use it up: previews make such requests too."""
    if pages.is_wanted(request):
        return pages.once(media.file_name(offer.entry.key), offer.entry.size)
    raise HTTPException(405, _ONCE_WORDS, {"Allow": "POST"})


def prepare(sharing: Sharing, token: str, method: str, headers: Mapping[str, str]) -> Prepared:
    """Return the answer to a GET or HEAD.

    Raises:
        NothingShared, ShareEnded
    """
    for _ in range(TRIES):
        offer = sharing.offer(token)
        if offer.link is not None and offer.link.once:
            return Prepared(200, {}, once=offer)
        size = offer.entry.size
        decision = decide(headers, _validators(offer), size, ranges=method == "GET")
        described = {**_described(sharing, offer), **_KEPT}
        if decision.status in {200, 206}:
            described.update(_length(decision, size))
        elif decision.status == 416:
            return Prepared(416, {**_HEADERS, "Content-Range": f"bytes */{size}"})
        if method == "HEAD" or decision.status in {304, 412}:
            return Prepared(decision.status, described)
        pieces = sharing.read(token, offer, decision.start, decision.stop)
        if pieces is not None:
            return _begun(decision.status, described, pieces, decision.stop - decision.start)
    raise HTTPException(503, "what is shared here changes too fast; try again", {"Retry-After": "1"})


def taken(sharing: Sharing, token: str) -> Prepared:
    """Use up a link that works once, and return the answer.

    Raises:
        NothingShared, ShareEnded
    """
    offer = sharing.offer(token)
    if offer.link is None or not offer.link.once:
        raise HTTPException(405, headers={"Allow": "GET, HEAD"})
    offer, pieces = sharing.take(token)
    size = offer.entry.size
    described = {**_described(sharing, offer), **pages.NEVER_KEPT, **_length(Decision(200, 0, size), size)}
    return _begun(200, described, pieces, size)


def _begun(status: int, headers: Mapping[str, str], pieces: Iterator[bytes], size: int) -> Prepared:
    first = gathered(pieces)
    if len(first) < size:
        return Prepared(status, headers, first, pieces)
    if isinstance(pieces, Generator):
        pieces.close()
    return Prepared(status, headers, first)


def _validators(offer: Offer) -> Validators:
    # The address of a version never leads to another one; what a link leads to may change twice in a second.
    return Validators(offer.tag, offer.entry.timestamp // 1_000_000, offer.link is None)


def _described(sharing: Sharing, offer: Offer) -> dict[str, str]:
    """Return what an answer says of the value."""
    entry = offer.entry
    guess = media.guessed(entry.key, entry.mode)
    head = sharing.head(offer) if media.needs_head(guess) else b""
    return {
        **_HEADERS,
        "Content-Type": media.content_type(guess, head, entry.size),
        "Content-Disposition": media.disposition(entry.key),
        "ETag": f'"{offer.tag}"',
        "Last-Modified": formatdate(entry.timestamp // 1_000_000, usegmt=True),
    }


def _length(decision: Decision, size: int) -> dict[str, str]:
    length = {"Content-Length": str(decision.stop - decision.start)}
    if decision.status == 206:
        length["Content-Range"] = f"bytes {decision.start}-{decision.stop - 1}/{size}"
    return length
