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

from ..errors import ShareError, StoreError, ValueReplaced
from ..sharing.address import is_token
from ..sharing.offers import Offer, Sharing
from ..store import SEARCHES, SHARING, Profile, Store
from . import media, pages
from .conditions import Validators, decide
from .failures import not_shared, told
from .request_log import hush
from .streaming import Headers, LongAnswer, ShortAnswer, gathered, raw
from .workers import Worker, Workers

PATH: Final = "/get"
"""Where values are."""

WORKERS: Final = 2
"""Threads that read large values and use up links, beside those for the devices."""

TRIES: Final = 3
"""How often an entry may change while its answer is prepared."""

_POLICY: Final = b"sandbox"
"""For documents: no scripts, and an origin of their own."""

_PLAYER_POLICY: Final = b"sandbox allow-same-origin"
"""For what is played: still no scripts, but Chromium's player asks for its parts from the origin of its page. (Not for
documents: one that has an origin may tell other sites its address.)"""

_FIXED: Final = (*raw(pages.PRIVATE), (b"accept-ranges", b"bytes"))

_KEPT: Final = (b"cache-control", b"private, no-cache")

_NEVER_KEPT: Final = (b"cache-control", b"no-store")

_CALENDAR: Final = range(253_402_300_800)
"""Seconds since the epoch that HTTP has dates for: up to the year 9999."""

_ONCE_WORDS: Final = "this link works once: fetch it with POST, as `curl -d '' 'ADDRESS'` does, or in a browser"


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
        if not (query.startswith("q=") and is_token(token)):
            token = parse_qs(query).get("q", [""])[0]
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return cls(scope["method"], token, headers)


class Prepared(NamedTuple):
    """An answer as a worker has prepared it; ``pieces`` are the rest of the body, ``None`` if there is none.

    ``once``: it is not the value, but a link that works once leads to it.
    """

    status: int
    headers: Headers
    body: bytes = b""
    pieces: Iterator[bytes] | None = None
    once: Offer | None = None


@contextmanager
def open_sharing(path: str, profile: Profile = SHARING) -> Iterator[Sharing]:
    """``with`` what is shared of a store; for one thread."""
    with Store.open(path, profile=profile) as store:
        yield Sharing(store)


class Shares:
    """Answers requests for what is shared of the store at ``path``. ``used`` is called when a link was used up.

    What is short is read in the thread of the event loop: that takes less time than handing the request to another one
    and back. Who reads the database waits for nobody (it has a write-ahead log); should one have to all the same, a
    worker does in its place.
    """

    def __init__(
        self,
        path: str,
        used: Callable[[], object],
        *,
        open_sharing: Callable[[str, Profile], AbstractContextManager[Sharing]] = open_sharing,
    ) -> None:
        self._path = path
        self._used = used
        self._open_sharing = open_sharing
        self._workers: Workers[Sharing]
        self._at_hand: Sharing | None = None

    @asynccontextmanager
    async def running(self, patience: float) -> AsyncIterator[None]:
        """``async with`` the threads that the requests need, which have ``patience`` seconds to end in."""
        self._workers = Workers(WORKERS, lambda: self._open_sharing(self._path, SHARING))
        with ExitStack() as opened:
            with suppress(StoreError):  # then the workers answer, and try again to open it
                self._at_hand = opened.enter_context(self._open_sharing(self._path, SEARCHES))
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
        if not self._is_readable():
            await self._workers.idlest().run(lambda sharing: sharing.check())
        hush(request.scope)
        return PlainTextResponse("ok\n", headers=pages.NEVER_KEPT)

    def _is_readable(self) -> bool:
        if self._at_hand is None:
            return False
        with suppress(StoreError):
            self._at_hand.check()
            return True
        return False

    def at_once(self, scope: Scope) -> ASGIApp | None:
        """Return the answer to a GET or HEAD if it takes no more than looking up what is short."""
        if self._at_hand is None:
            return None
        asked = Asked.of(scope)
        try:
            offer = self._at_hand.offer(asked.token)
            prepared = None if offer.value.is_large else prepared_for(self._at_hand, asked, offer)
        except ShareError as error:
            return not_shared(Request(scope), error)
        except StoreError:
            return None
        return None if prepared is None else _answer(scope, prepared)

    async def get(self, request: Request) -> ASGIApp:
        """Answer a request for what the token in its query leads to."""
        asked = Asked.of(request.scope)
        worker = self._workers.idlest()
        prepared = await worker.run(partial(prepare, asked=asked))
        if asked.method == "POST":
            self._used()
        return _answer(request.scope, prepared, worker)


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


def _answer(scope: Scope, prepared: Prepared, worker: Worker[Sharing] | None = None) -> ASGIApp:
    if prepared.once is not None:
        return _button(Request(scope), prepared.once)
    if prepared.pieces is None:
        return ShortAnswer(prepared.status, prepared.headers, prepared.body)
    assert worker is not None, "only a worker makes pieces"
    return LongAnswer(worker, prepared.pieces, prepared.body, status=prepared.status, headers=prepared.headers)


def _button(request: Request, offer: Offer) -> Response:
    """Answer a GET of a link that works once, which does not use it up: previews make such requests too."""
    if pages.is_wanted(request):
        return pages.once(media.file_name(offer.entry.key), offer.entry.size)
    response = told(request, 405, _ONCE_WORDS)
    response.headers["Allow"] = "POST"
    return response


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
        return Prepared(200, (), once=offer)
    size = offer.entry.size
    # The address of a version never leads to another one; what a link leads to may change twice in a second.
    validators = Validators(offer.tag, offer.entry.timestamp // 1_000_000, offer.link is None)
    status, start, stop = decide(asked.headers, validators, size, ranges=asked.method == "GET")
    tag = (b"etag", f'"{offer.tag}"'.encode())
    if status in {304, 412}:
        return Prepared(status, (*_FIXED, tag, _KEPT))
    if status == 416:
        return Prepared(416, (*_FIXED, (b"content-range", b"bytes */%d" % size)))
    headers = [*_FIXED, *_description(sharing, offer), tag, _KEPT, (b"content-length", b"%d" % (stop - start))]
    if status == 206:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, size)))
    if asked.method == "HEAD":
        return Prepared(status, headers)
    try:
        return _begun(status, headers, sharing.read(asked.token, offer, start, stop), stop - start)
    except ValueReplaced:
        return None


def taken(sharing: Sharing, token: str) -> Prepared:
    """Use up a link that works once, and return the answer.

    Raises:
        NothingShared, ShareEnded
    """
    offer = sharing.offer(token)
    if offer.link is None or not offer.link.once:
        raise HTTPException(405, headers={"Allow": "GET, HEAD"})
    offer, pieces = sharing.consume_link(token)
    size = offer.entry.size
    headers = [*_FIXED, *_description(sharing, offer, once=True), _NEVER_KEPT, (b"content-length", b"%d" % size)]
    return _begun(200, headers, pieces, size)


def _begun(status: int, headers: Headers, pieces: Iterator[bytes], size: int) -> Prepared:
    first = gathered(pieces)
    if len(first) < size:
        return Prepared(status, headers, first, pieces)
    if isinstance(pieces, Generator):
        pieces.close()
    return Prepared(status, headers, first)


def _description(sharing: Sharing, offer: Offer, *, once: bool = False) -> Headers:
    """Return what an answer says of the value.

    To play it, or to save what is shown, a browser would ask ``once`` more: so all but text is to be saved then.
    """
    entry = offer.entry
    guess = media.guessed(entry.key, entry.mode)
    head = sharing.head(offer) if media.needs_head(guess) else b""
    kind = media.content_type(guess, head, entry.size)
    headers = [
        (b"content-type", kind.encode()),
        (b"content-disposition", media.disposition(entry.key, save=once and not media.is_text(kind)).encode()),
        (b"content-security-policy", _PLAYER_POLICY if media.is_played(kind) else _POLICY),
    ]
    if (second := entry.timestamp // 1_000_000) in _CALENDAR:
        headers.append((b"last-modified", _date(second)))
    return headers


@lru_cache(1024)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
