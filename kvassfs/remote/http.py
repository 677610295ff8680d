"""The hub as seen from a device: sealed bodies are sent to it over HTTP, and responses come back.

It takes a tenth of a second to import, because of requests.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from math import inf
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import requests
import urllib3.exceptions
from requests.auth import AuthBase, HTTPBasicAuth

from .. import __version__
from ..errors import HubUnreachable, NothingShared, ShareEnded, SyncError
from ..tuples import NamedTuple
from . import diagnosis
from .address import SERVED_PORT, hide_credentials, is_loopback, may_mean_served_port, name_port, parse_base_url
from .allowance import BRISK, Allowance
from .answers import Body, read_beginning, read_body
from .dialer import Dialer, DialledAdapter, Resolve

__all__ = ["HttpRemote", "TimeLimits"]

MAX_RESPONSE = 2**31 - 1
"""Bytes that a response may have where its caller says nothing else: no more can be unsealed."""

LARGEST_DOWNLOAD = 2**50
"""Bytes of what is downloaded by its address: the disk has less."""

MAX_COMPLAINT = 64 * 1024
"""Bytes that are read of a response that is no success."""

LONGEST_PAUSE = 60.0
"""Seconds for which a hub is left alone at most because it asks for that."""

GRACE = 3.0
"""Seconds after the end of a long poll within which its response has to begin."""

Found = TypeVar("Found")

_FAILURES = (OSError, HTTPException, urllib3.exceptions.HTTPError)
_HEADERS = {
    "User-Agent": f"kvassfs/{__version__}",
    "Content-Type": "application/octet-stream",
    # What is sealed cannot be compressed.
    "Accept-Encoding": "identity",
}


class TimeLimits(NamedTuple):
    """Seconds: until connected, without a byte in either direction, and, where a person waits, for all calls together.

    To the last are added those that what has moved takes, at a brisk rate.
    """

    connect: float = 1.0
    progress: float = 10.0
    patience: float = inf

    @property
    def total(self) -> float:
        """Seconds that one call may take, beside those that its bytes take at the slowest rate."""
        return self.connect + 2 * self.progress

    def for_person(self) -> TimeLimits:
        """Return the same for a command that a person waits for, and that can do without the hub."""
        return self._replace(patience=self.connect + 3 * self.progress)


DEFAULT_TIME_LIMITS = TimeLimits()


class HttpRemote:
    """A hub over HTTP, for one thread alone, but for ``close``.

    An address that says nothing but a host means port 80; where that is refused, and somebody answers at the port of
    `kvass serve`, it is that one from then on, in ``address`` too.

    The environment of requests (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE) counts, but no proxy for a hub on this
    machine. Nor does ~/.netrc: its passwords are for other programs. ``resolve`` stands in for ``socket.getaddrinfo``; a
    response may have ``largest`` bytes.

    Raises:
        InvalidConfiguration: ``address`` is none of a hub.
    """

    def __init__(
        self,
        address: str,
        limits: TimeLimits = DEFAULT_TIME_LIMITS,
        *,
        largest: int = MAX_RESPONSE,
        resolve: Resolve = socket.getaddrinfo,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        url = parse_base_url(address)
        shown = hide_credentials(address)
        self._base, self.address = hide_credentials(url), name_port(shown)
        self._served: tuple[str, str] | None = None
        if may_mean_served_port(shown):
            self._served = name_port(self._base, SERVED_PORT), name_port(shown, SERVED_PORT)
        self._limits = limits
        self._largest = largest
        self._clock = clock
        self._patience = limits.patience
        self._dialer = Dialer(limits.connect, limits.progress, resolve=resolve, clock=clock)
        self._session = _Session()
        self._session.mount("http://", DialledAdapter(self._dialer))
        self._session.mount("https://", DialledAdapter(self._dialer))
        self._session.headers.update(_HEADERS)
        self._session.auth = _read_credentials(url)
        host = urlsplit(url).hostname or ""
        # What a proxy would reach under such a name is itself.
        self._proxies = {"no_proxy": host} if is_loopback(host) else None

    def post(self, call: str, body: bytes | Iterable[bytes], *, wait: float = 0.0, largest: int = MAX_RESPONSE) -> Body:
        """Send a sealed body to ``push``, ``pull`` or ``blocks`` and return that of the response, of ``largest`` bytes at most.

        The hub may take ``wait`` seconds longer than usual. Raises a SyncError.
        """
        if isinstance(body, Iterator):
            # It cannot be sent twice, so it goes over a new connection, which is not stale.
            self._session.close()
        with self._allowing(wait + self._limits.total, self._limit(largest)):
            return self._post(_Call(call, body, wait, self._limit(largest)))

    @contextmanager
    def _allowing(self, seconds: float, largest: int) -> Iterator[None]:
        """``with`` a call that may take so much, and takes some of the patience of a person; what has moved gives that back."""
        allowance = Allowance(seconds, largest, patience=self._patience, clock=self._clock)
        self._dialer.allow(allowance)
        try:
            yield
        finally:
            self._patience -= allowance.elapsed
        self._patience += allowance.moved / BRISK

    def download(self, token: str) -> Body:
        """Return what is shared under a token; a link that works once is used up by that.

        Raises:
            NothingShared, ShareEnded
            SyncError: the hub is not to be reached.
        """
        self._dialer.allow(Allowance(self._limits.total, LARGEST_DOWNLOAD, patience=inf, clock=self._clock))
        for method in ("GET", "POST"):
            try:
                with self._session.request(
                    method,
                    f"{self._base}/get",
                    params={"q": token},
                    timeout=self._limits.progress,
                    stream=True,
                    allow_redirects=False,
                    proxies=self._proxies,
                ) as response:
                    if method == "POST" or response.status_code != requests.codes.method_not_allowed:
                        return self._read_download(response)
            except _FAILURES as error:
                raise self._diagnose(error) from error
        raise NothingShared

    def read_file(self, path: str, largest: int) -> Body | None:
        """Return a file of ``largest`` bytes at most that the hub serves to browsers; ``None`` where it has none.

        Raises a SyncError: the hub is not to be reached, or somebody else answers.
        """
        read = partial(self._read_file, path, largest)
        with self._allowing(self._limits.total, largest):
            try:
                return read()
            except _Refused as refused:
                return self._attempt_served_port(read, refused)

    def _read_file(self, path: str, largest: int) -> Body | None:
        url = f"{self._base}{path}"
        try:
            with self._session.get(
                url, timeout=self._limits.progress, stream=True, allow_redirects=False, proxies=self._proxies
            ) as response:
                if response.status_code == requests.codes.not_found:
                    return None
                if response.status_code != requests.codes.ok:
                    raise diagnosis.diagnose_response(self.address, url, _read_refusal(response))
                return read_body(response, self.address, largest)
        except _FAILURES as error:
            raise self._diagnose(error) from error

    def _read_download(self, response: requests.Response) -> Body:
        if response.status_code == requests.codes.not_found:
            raise NothingShared
        if response.status_code == requests.codes.gone:
            raise ShareEnded
        if response.status_code != requests.codes.ok or _is_page(response):
            raise diagnosis.diagnose_response(self.address, f"{self._base}/get", _read_refusal(response))
        return read_body(response, self.address, LARGEST_DOWNLOAD)

    def _limit(self, largest: int) -> int:
        return min(largest, self._largest)

    def _post(self, call: _Call) -> Body:
        try:
            return self._attempt(call)
        except _Stale:
            self._session.close()
        except _Refused as refused:
            return self._attempt_served_port(partial(self._attempt, call), refused)
        return self._attempt(call)

    def _attempt_served_port(self, attempt: Callable[[], Found], refused: _Refused) -> Found:
        """Go on at the port of `kvass serve`, if the address may mean it. Nothing of the body was sent."""
        if self._served is None:
            raise refused
        configured = self._base, self.address
        self._base, self.address = self._served
        try:
            response = attempt()
        except HubUnreachable:
            self._base, self.address = configured
            reason = f"{refused.reason}, and nobody answers at port {SERVED_PORT}"
            raise HubUnreachable(self.address, reason) from refused
        self._served = None
        return response

    def close(self) -> None:
        """End it, from any thread."""
        self._dialer.cut()
        self._session.close()

    def _attempt(self, call: _Call) -> Body:
        url = f"{self._base}/{call.name}"
        progress = self._limits.progress
        try:
            with self._session.post(
                url,
                data=call.body if isinstance(call.body, bytes) else iter(call.body),
                timeout=(progress, call.wait + min(progress, GRACE) if call.wait else progress),
                stream=True,
                allow_redirects=False,
                proxies=self._proxies,
            ) as response:
                if response.status_code != requests.codes.ok or _is_page(response):
                    raise diagnosis.diagnose_response(self.address, url, _read_refusal(response))
                return read_body(response, self.address, call.largest)
        except _FAILURES as error:
            raise self._diagnose(error) from error

    def _diagnose(self, error: Exception) -> SyncError:
        if self._dialer.ended:
            return HubUnreachable(self.address, "the exchange was ended")
        failure = diagnosis.diagnose_exception(self.address, self._limits.progress, error)
        if isinstance(failure, HubUnreachable):
            if self._dialer.stale:
                return _Stale(self.address, failure.reason)
            if diagnosis.is_refused(error):
                return _Refused(self.address, failure.reason)
        return failure


class _Call(NamedTuple):
    """What is sent where, and how much of an answer is taken after how many seconds."""

    name: str
    body: bytes | Iterable[bytes]
    wait: float
    largest: int


class _NoPassword(AuthBase):
    """No user and password, where requests would look for one in ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Session(requests.Session):
    """A session that keeps no cookies, and leaves redirections alone.

    A hub has none to give: others on the way could fill the header of each request with them. As for redirections,
    requests reads their bodies and targets even if it may not follow.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that a response is no redirection."""


class _Stale(HubUnreachable):
    """The hub had closed, meanwhile, the connection that was kept from the last call."""


class _Refused(HubUnreachable):
    """Nobody listens at the port of the hub."""


def _read_credentials(url: str) -> AuthBase:
    """Return what a URL says of a user, to which requests would prefer what ~/.netrc says."""
    split = urlsplit(url)
    if split.username is None:
        return _NoPassword()
    return HTTPBasicAuth(unquote(split.username).encode(), unquote(split.password or "").encode())


def _is_page(response: requests.Response) -> bool:
    return response.headers.get("Content-Type", "").lower().startswith("text/html")


def _read_refusal(response: requests.Response) -> diagnosis.Refusal:
    body = b"" if response.status_code == requests.codes.ok else read_beginning(response, MAX_COMPLAINT)
    location = response.headers.get("Location", "")
    return diagnosis.Refusal(
        response.status_code,
        response.reason or "",
        _is_page(response),
        location,
        body,
        _read_pause(response.headers.get("Retry-After", "")),
    )


def _read_pause(text: str) -> float:
    """Return the seconds that a header ``Retry-After`` names, at most ``LONGEST_PAUSE``; 0 for a date, which no hub sends."""
    return min(float(text), LONGEST_PAUSE) if text.isascii() and text.isdecimal() else 0.0
