"""Sharing by address: a token is answered with the value that it leads to, and nothing else is to be had."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, suppress
from email.utils import formatdate
from functools import lru_cache, partial
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import ShareError, StoreError
from ..sharing import Offer, Sharing
from ..store import Store
from . import media, pages
from .conditions import Decision, Validators, decide
from .requestlog import hush
from .streaming import LongAnswer, gathered
from .workers import Worker, Workers

PATH: Final = "/get"
"""Where values are."""

WORKERS: Final = 2
"""Threads that look up what is shared, beside those for the devices: a merge does not hold up a reader."""

TRIES: Final = 3
"""How often an entry may change while its answer is prepared."""

_HEADERS: Final = {**pages.PRIVATE, "Accept-Ranges": "bytes"}

_POLICY: Final = "sandbox"
"""For documents: no scripts, and an origin of their own."""

_PLAYER_POLICY: Final = "sandbox allow-same-origin"
"""For what is played: still no scripts, but Chromium's player asks for its parts from the origin of its page. (Not for
documents: one that has an origin may tell other sites its address.)"""

_KEPT: Final = {"Cache-Control": "private, no-cache"}

_ONCE_WORDS: Final = "this link works once: fetch it with POST, as `curl -d '' ADDRESS` does, or in a browser"


class Asked(NamedTuple):
    """What is asked for; ``headers`` have names in lower case."""

    method: str
    token: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """Return what a request asks for."""
        query: str = scope["query_string"].decode("latin-1")
        token = query[2:]
        if not (query.startswith("q=") and token.isascii() and token.replace("-", "_").isidentifier()):
            token = parse_qs(query).get("q", [""])[0]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        return cls(scope["method"], token, headers)


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
    """Answers requests for what is shared of the store at ``path``. ``used`` is called when a link was used up.

    What is short is read in the thread of the event loop: that takes a tenth of the time of handing the request to
    another one and back. Who reads the database waits for nobody (it has a write-ahead log); should one have to all
    the same, a worker does in its place.
    """

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
        self._at_hand: Sharing | None = None

    @asynccontextmanager
    async def running(self, patience: float) -> AsyncIterator[None]:
        """``async with`` the threads that the requests need, which have ``patience`` seconds to end in."""
        self._workers = Workers(WORKERS, lambda: self._open_sharing(self._path))
        with ExitStack() as opened:
            with suppress(StoreError):  # then the workers answer, and try again to open it
                self._at_hand = opened.enter_context(self._open_sharing(self._path))
                self._at_hand.be_quick()
            try:
                yield
            finally:
                self._at_hand = None
                await self._workers.end(patience)

    async def about(self, request: Request) -> Response:
        """Say what this is."""
        return pages.about(request)

    async def health(self, request: Request) -> Response:
        """Say that requests can be answered, for a load balancer."""
        await self._workers.idlest().run(lambda sharing: sharing.check())
        hush(request.scope)
        return PlainTextResponse("ok\n", headers=pages.NEVER_KEPT)

    def at_once(self, scope: Scope) -> Response | None:
        """Return the answer to a GET or HEAD if it takes no more than looking up what is short."""
        if self._at_hand is None:
            return None
        asked = Asked.of(scope)
        try:
            offer = self._at_hand.offer(asked.token)
            prepared = None if offer.is_large else prepared_for(self._at_hand, asked, offer)
        except (StoreError, ShareError):
            return None
        return None if prepared is None or prepared.once else _answer(prepared)

    async def get(self, request: Request) -> Response:
        """Answer a request for what the token in its query leads to."""
        asked = Asked.of(request.scope)
        worker = self._workers.idlest()
        prepared = await worker.run(partial(prepare, asked=asked))
        if asked.method == "POST":
            self._used()
        if prepared.once is not None:
            return _button(request, prepared.once)
        return _answer(prepared, worker)


class ShortWay:
    """Answers what ``shares`` can answer at once, and leaves the rest to ``app``."""

    def __init__(self, app: ASGIApp, shares: Shares) -> None:
        self._app = app
        self._shares = shares

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        answer = None
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] in {"GET", "HEAD"}:
            answer = self._shares.at_once(scope)
        await (answer or self._app)(scope, receive, send)


def _answer(prepared: Prepared, worker: Worker[Sharing] | None = None) -> Response:
    if prepared.pieces is None:
        return Response(prepared.body, prepared.status, prepared.headers)
    assert worker is not None, "only a worker makes pieces"
    return LongAnswer(worker, prepared.pieces, prepared.body, status=prepared.status, headers=prepared.headers)


def _button(request: Request, offer: Offer) -> Response:
    """Answer a GET of a link that works once, which does not use it up: previews make such requests too."""
    if pages.is_wanted(request):
        return pages.once(media.file_name(offer.entry.key), offer.entry.size)
    raise HTTPException(405, _ONCE_WORDS, {"Allow": "POST"})


def prepare(sharing: Sharing, asked: Asked) -> Prepared:
    """Return the answer to a request.

    Raises:
        NothingShared, ShareEnded
    """
    if asked.method == "POST":
        return taken(sharing, asked.token)
    for _ in range(TRIES):
        prepared = prepared_for(sharing, asked, sharing.offer(asked.token))
        if prepared is not None:
            return prepared
    raise HTTPException(503, "what is shared here changes too fast; try again", {"Retry-After": "1"})


def prepared_for(sharing: Sharing, asked: Asked, offer: Offer) -> Prepared | None:
    """Return the answer to a GET or HEAD of what is offered, ``None`` if that is another thing by now."""
    if offer.link is not None and offer.link.once:
        return Prepared(200, {}, once=offer)
    size = offer.entry.size
    # The address of a version never leads to another one; what a link leads to may change twice in a second.
    validators = Validators(offer.tag, offer.entry.timestamp // 1_000_000, offer.link is None)
    decision = decide(asked.headers, validators, size, ranges=asked.method == "GET")
    if decision.status == 416:
        return Prepared(416, {**_HEADERS, "Content-Range": f"bytes */{size}"})
    headers = {**_description(sharing, offer), **_KEPT}
    if decision.status in {200, 206}:
        headers.update(_length(decision, size))
    if asked.method == "HEAD" or decision.status in {304, 412}:
        return Prepared(decision.status, headers)
    pieces = sharing.read(asked.token, offer, decision.start, decision.stop)
    return None if pieces is None else _begun(decision.status, headers, pieces, decision.stop - decision.start)


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
    headers = {**_description(sharing, offer), **pages.NEVER_KEPT, **_length(Decision(200, 0, size), size)}
    if not media.is_text(headers["Content-Type"]):
        # To play it or to save what is shown, a browser would ask once more.
        headers["Content-Disposition"] = media.disposition(offer.entry.key, save=True)
    return _begun(200, headers, pieces, size)


def _begun(status: int, headers: Mapping[str, str], pieces: Iterator[bytes], size: int) -> Prepared:
    first = gathered(pieces)
    if len(first) < size:
        return Prepared(status, headers, first, pieces)
    if isinstance(pieces, Generator):
        pieces.close()
    return Prepared(status, headers, first)


def _description(sharing: Sharing, offer: Offer) -> dict[str, str]:
    """Return what an answer says of the value."""
    entry = offer.entry
    guess = media.guessed(entry.key, entry.mode)
    head = sharing.head(offer) if media.needs_head(guess) else b""
    kind = media.content_type(guess, head, entry.size)
    return {
        **_HEADERS,
        "Content-Security-Policy": _PLAYER_POLICY if media.is_played(kind) else _POLICY,
        "Content-Type": kind,
        "Content-Disposition": media.disposition(entry.key),
        "ETag": f'"{offer.tag}"',
        "Last-Modified": _date(entry.timestamp // 1_000_000),
    }


@lru_cache(1024)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _length(decision: Decision, size: int) -> dict[str, str]:
    length = {"Content-Length": str(decision.stop - decision.start)}
    if decision.status == 206:
        length["Content-Range"] = f"bytes {decision.start}-{decision.stop - 1}/{size}"
    return length
