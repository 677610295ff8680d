"""Requests for shared values: each gives a token and gets the value that it leads to, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack, asynccontextmanager, suppress
from email.utils import formatdate
from functools import lru_cache, partial
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from ..errors import StoreError, ValueReplaced
from ..sharing.address import is_token
from ..sharing.offers import HeldPieces, Offer, Offers
from . import media, pages
from .conditions import Decision, Validators, decide
from .downloads import Downloads
from .failures import error_response
from .homes import Finder, FindShort, store_of
from .streaming import Headers, LongResponse, ShortResponse, encode_headers, gather
from .turns import enter_turn
from .workers import Worker, Workers

WORKERS: Final = 2
"""Threads that read large values and use up links, beside those for the devices."""

TRIES: Final = 3
"""How often what a token leads to may change while the response is prepared."""

_POLICY: Final = b"sandbox"
"""For documents: no scripts, and an origin of their own."""

_PLAYER_POLICY: Final = b"sandbox allow-same-origin"
"""For what is played: still no scripts, but Chromium's player asks for its parts from the origin of its page. (Not for
documents: one that has an origin may tell other sites its address.)"""

_FIXED: Final = (*encode_headers(pages.PRIVATE), (b"accept-ranges", b"bytes"))

_KEPT: Final = (b"cache-control", b"private, no-cache")

_NEVER_KEPT: Final = (b"cache-control", b"no-store")

_CALENDAR: Final = range(253_402_300_800)
"""Seconds since the epoch that HTTP has dates for: up to the year 9999."""

_CODE: Final = frozenset(
    {"audioworklet", "paintworklet", "script", "serviceworker", "sharedworker", "style", "worker", "xslt"}
)
"""What a browser says that it would use a response as, where it would run in the page that asks, or change it."""

_CODE_WORDS: Final = "what is shared is never code for a page; open its address, or save it"

LONGEST_QUERY: Final = 512
"""Bytes of a query that are looked at; a token takes a few."""

_ONCE_WORDS: Final = "this link works once: fetch it with POST, as `curl -d '' 'ADDRESS'` does, or in a browser"


class ShareRequest(NamedTuple):
    """A request for what ``token`` leads to; ``headers`` have names in lower case."""

    method: str
    token: str
    headers: Mapping[str, str]

    @classmethod
    def from_scope(cls, scope: Scope) -> Self:
        """Read a request."""
        query: str = scope["query_string"][:LONGEST_QUERY].decode("latin-1")
        token = query[2:]
        if not (query.startswith("q=") and is_token(token)):
            token = parse_qs(query).get("q", [""])[0]
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return cls(scope["method"], token, headers)


class PreparedResponse(NamedTuple):
    """A response, of which ``pieces`` are the rest of the body, ``None`` if there is none.

    With ``once``, it is the page about a link that works once, which led to that offer.
    """

    status: int
    headers: Headers
    body: bytes = b""
    pieces: HeldPieces | None = None
    once: Offer | None = None


class ShareRequests:
    """Responds to requests for shared values. ``notify`` is called with the store when a link was used up.

    Short values are read in the thread of the event loop: that takes less time than handing the request to another
    thread and back. What ``open_at_hand`` opens for that waits for nobody; where it would have to, a worker reads. Where
    a server has the values, what ``run_short_reads`` runs asks it for them.
    """

    def __init__(
        self,
        open_offers: Callable[[], AbstractContextManager[Finder[Offers]]],
        open_at_hand: Callable[[], AbstractContextManager[Finder[Offers]] | None],
        run_short_reads: Callable[[], AbstractAsyncContextManager[FindShort | None]],
        notify: Callable[[str], object],
    ) -> None:
        self._open_offers = open_offers
        self._open_at_hand = open_at_hand
        self._run_short_reads = run_short_reads
        self._notify = notify
        self._find_short: FindShort | None = None
        self._workers: Workers[Finder[Offers]]
        self._downloads = Downloads()
        self._at_hand: Finder[Offers] | None = None
        """For the thread of the event loop; ``None`` if it could not be opened."""

    @asynccontextmanager
    async def run(self, timeout: float) -> AsyncIterator[None]:
        """``async with`` the threads that the requests need, which have ``timeout`` seconds to end in."""
        self._workers = Workers(WORKERS, self._open_offers)
        with ExitStack() as opened:
            with suppress(StoreError):  # the workers will try again
                at_hand = self._open_at_hand()
                self._at_hand = None if at_hand is None else opened.enter_context(at_hand)
            try:
                async with self._run_short_reads() as self._find_short:
                    yield
            finally:
                self._at_hand = None
                await self._workers.end(timeout)

    async def check(self) -> None:
        """Raise a StoreError if the database cannot be read."""
        if not self._can_read_at_once():
            await self._workers.choose().run(lambda find: find("").check())

    def _can_read_at_once(self) -> bool:
        if self._at_hand is None:
            return False
        try:
            self._at_hand("").check()
        except StoreError:
            return False
        return True

    async def respond(self, http_request: Request) -> ASGIApp:
        """Return the response to a request for what the token in its query leads to.

        Raises:
            NothingShared, ShareEnded, StoreError, HTTPException
        """
        request = ShareRequest.from_scope(http_request.scope)
        _refuse_code(request.headers)
        return (
            self._respond_at_once(http_request, request)
            or await self._respond_soon(http_request, request)
            or await self._respond_by_worker(http_request, request)
        )

    def _respond_at_once(self, http_request: Request, request: ShareRequest) -> ASGIApp | None:
        """Return the response to a request that reads a short value at most, ``None`` if a worker has to."""
        if self._at_hand is None or request.method == "POST":
            return None
        try:
            offers = self._at_hand(store_of(http_request.scope))
            offer = offers.find_offer(request.token)
            if offer.value.is_large:
                return None
            return build_response(http_request, prepare_value(offers, request, offer))
        except StoreError:
            return None

    async def _respond_soon(self, http_request: Request, request: ShareRequest) -> ASGIApp | None:
        """Return the response to a request for a short value that a server has, ``None`` if a worker has to look."""
        if self._find_short is None or request.method == "POST" or not is_token(request.token):
            return None
        found = await self._find_short(store_of(http_request.scope), request.token)
        if found is None:
            return None
        offers, offer = found
        return build_response(http_request, prepare_value(offers, request, offer))

    async def _respond_by_worker(self, http_request: Request, request: ShareRequest) -> ASGIApp:
        with ExitStack() as leaving:
            if request.method == "GET":  # a link that works once must not be used up in vain
                leaving.callback(self._downloads.enter(request.token))
            if request.method == "POST":
                await enter_turn(http_request.scope)
                if await http_request.is_disconnected():  # it would be used up for nobody
                    raise ClientDisconnect
            worker = self._workers.choose()
            store = store_of(http_request.scope)
            prepared = await worker.run(lambda find: prepare_response(find(store), request))
            if request.method == "POST":
                self._notify(store)
            on_end = leaving.pop_all().close if prepared.pieces is not None else None
            return build_response(http_request, prepared, worker, on_end)


def _refuse_code(headers: Mapping[str, str]) -> None:
    """Refuse a request for code: pages of the hub have this origin too, and what somebody has stored must not run there.

    Raises:
        HTTPException
    """
    if headers.get("sec-fetch-dest") in _CODE or "service-worker" in headers:
        raise HTTPException(403, _CODE_WORDS)


def build_response(
    request: Request,
    prepared: PreparedResponse,
    worker: Worker[Finder[Offers]] | None = None,
    on_end: Callable[[], object] | None = None,
) -> ASGIApp:
    """Return what sends a response that ``worker``, or else this thread, has prepared; ``on_end`` is called at its end."""
    if prepared.once is not None:
        return _build_once_response(request, prepared.once)
    if prepared.pieces is None:
        return ShortResponse(prepared.status, prepared.headers, prepared.body)
    assert worker is not None, "only workers hold values"
    first = prepared.body
    return LongResponse(worker, prepared.pieces, first, status=prepared.status, headers=prepared.headers, on_end=on_end)


def _build_once_response(request: Request, offer: Offer) -> Response:
    """Respond to a GET of a link that works once, which does not use it up: previews make such requests too."""
    if pages.wants_page(request):
        return pages.render_once_page(media.file_name(offer.entry.key), offer.entry.size)
    response = error_response(request, 405, _ONCE_WORDS)
    response.headers["Allow"] = "POST"
    return response


def prepare_response(offers: Offers, request: ShareRequest) -> PreparedResponse:
    """Return the response to a request.

    Raises:
        NothingShared, ShareEnded, TooManyRequests
    """
    for tried in range(TRIES):
        with suppress(ValueReplaced):
            offer = offers.find_offer(request.token)
            if not tried:
                offers.count_request()
            if request.method == "POST":
                return consume_link(offers, request, offer)
            return prepare_value(offers, request, offer)
    raise HTTPException(503, "what is shared here changes too fast; try again", {"Retry-After": "1"})


def prepare_value(offers: Offers, request: ShareRequest, offer: Offer) -> PreparedResponse:
    """Return the response to a GET or HEAD of what is offered.

    Raises:
        NothingShared, ShareEnded
        ValueReplaced: the token leads to something else by now.
    """
    if offer.link is not None and offer.link.once:
        return PreparedResponse(200, (), once=offer)
    # The address of a version never leads to another one; what a link leads to may change twice in a second.
    validators = Validators(offer.tag, offer.entry.timestamp // 1_000_000, offer.link is None)
    decision = decide(request.headers, validators, offer.entry.size, ranges=request.method == "GET")
    status, start, stop = decision
    if status in {304, 412}:
        return PreparedResponse(status, (*_FIXED, _format_tag(offer), _KEPT))
    if status == 416:
        return PreparedResponse(416, (*_FIXED, (b"content-range", b"bytes */%d" % offer.entry.size)))
    build_headers = partial(_build_headers, offers, offer, decision)
    if request.method == "HEAD":
        return PreparedResponse(status, build_headers())
    if (data := offer.value.data) is not None:  # holding it, as below, would take 20 µs more, a fifth of a request
        return PreparedResponse(status, build_headers(), data[start:stop])
    return _begin(status, build_headers, offers.hold_pieces(request.token, offer, start, stop), stop - start)


def consume_link(offers: Offers, request: ShareRequest, offer: Offer) -> PreparedResponse:
    """Use up a link that works once, and return the response to the POST that does so.

    Raises:
        NothingShared, ShareEnded
        ValueReplaced: the token leads to something else by now; the link is not used up.
    """
    if offer.link is None or not offer.link.once:
        raise HTTPException(405, headers={"Allow": "GET, HEAD"})
    consumed, pieces = offers.consume_link(request.token)
    return _begin(200, partial(_build_once_headers, offers, consumed), pieces, consumed.entry.size)


def _begin(status: int, build_headers: Callable[[], Headers], pieces: HeldPieces, size: int) -> PreparedResponse:
    """Return a response with the first of ``pieces``, which are closed unless some of their ``size`` bytes are left."""
    with ExitStack() as closing:
        closing.callback(pieces.close)
        headers = build_headers()  # now that the value is held, as it is read for them
        first = gather(pieces)
        if len(first) == size:
            return PreparedResponse(status, headers, first)
        closing.pop_all()
        return PreparedResponse(status, headers, first, pieces)


# Header fields


def _build_headers(offers: Offers, offer: Offer, decision: Decision) -> Headers:
    """Return the header fields of a response with a value, or a part of it."""
    status, start, stop = decision
    length = (b"content-length", b"%d" % (stop - start))
    headers = [*_FIXED, *_describe(offers, offer), _format_tag(offer), _KEPT, length]
    if status == 206:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, offer.entry.size)))
    return headers


def _build_once_headers(offers: Offers, offer: Offer) -> Headers:
    """Return the header fields of a response with a value whose link is used up."""
    length = (b"content-length", b"%d" % offer.entry.size)
    return [*_FIXED, *_describe(offers, offer, once=True), _NEVER_KEPT, length]


def _describe(offers: Offers, offer: Offer, *, once: bool = False) -> Headers:
    """Return the header fields about a value.

    A browser would make more requests to play what it gets, or to save what it shows. ``once`` there can be no more:
    all but text is to be saved then.
    """
    entry = offer.entry
    guess = media.guess_type(entry.key, entry.mode)
    head = offers.read_head(offer) if media.needs_head(guess) else b""
    kind = media.decide_type(guess, head, entry.size)
    save = once and not media.is_text(kind)
    headers = [
        (b"content-type", kind.encode()),
        (b"content-disposition", media.format_disposition(entry.key, save=save).encode()),
        (b"content-security-policy", _PLAYER_POLICY if media.is_played(kind) else _POLICY),
    ]
    if (second := entry.timestamp // 1_000_000) in _CALENDAR:
        headers.append((b"last-modified", _format_date(second)))
    return headers


def _format_tag(offer: Offer) -> tuple[bytes, bytes]:
    return b"etag", f'"{offer.tag}"'.encode()


@lru_cache(1024)
def _format_date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
