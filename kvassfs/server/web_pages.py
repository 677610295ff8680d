"""Serves files that are made once, and are the same for everybody."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.types import ASGIApp

from . import pages
from .conditions import Validators, decide
from .streaming import Headers, ShortResponse, encode_headers
from .web_files import Make, WebFile

GAIN: Final = 0.8
"""How long a body is at most, compressed, of what it was; pictures are no shorter than they were."""


class _Made(NamedTuple):
    body: bytes
    tag: str
    headers: Headers
    described: Headers


class WebPage:
    """A file that ``make`` makes when somebody first asks for it."""

    def __init__(self, make: Make) -> None:
        self._make = make

    @cached_property
    def _file(self) -> WebFile:
        return self._make()

    @cached_property
    def _plain(self) -> _Made:
        return self._describe(self._file.body, self._file.digest[:32], {})

    @cached_property
    def _compressed(self) -> _Made:
        """The same for a browser that takes gzip; nothing secret is in it that its length could tell."""
        body = gzip.compress(self._file.body, mtime=0)
        if len(body) > GAIN * len(self._file.body):
            return self._plain
        return self._describe(body, f"{self._file.digest[:32]}-gzip", {"Content-Encoding": "gzip"})

    def _describe(self, body: bytes, tag: str, coding: Mapping[str, str]) -> _Made:
        headers = {
            **pages.PRIVATE,
            "Cache-Control": "no-cache",
            "Cross-Origin-Resource-Policy": "same-origin",
            "ETag": f'"{tag}"',
            "Vary": "Accept-Encoding",
            **self._file.headers,
        }
        described = {"Content-Type": self._file.kind, "Content-Length": str(len(body)), **coding}
        return _Made(body, tag, encode_headers(headers), encode_headers(described))

    async def respond(self, request: Request) -> ASGIApp:
        """Return the response to a GET or HEAD, which has no effect, and is the same below the path of any store."""
        made = self._compressed if takes_gzip(request.headers.get("accept-encoding", "")) else self._plain
        known = {name: value for name, value in request.headers.items() if name == "if-none-match"}
        if decide(known, Validators(made.tag, 0, dated=False), len(made.body), ranges=False).status == 304:
            return ShortResponse(304, made.headers, b"")
        body = b"" if request.method == "HEAD" else made.body
        return ShortResponse(200, (*made.headers, *made.described), body)


def takes_gzip(accepted: str) -> bool:
    """Return True if the field ``Accept-Encoding`` has gzip (RFC 9110, section 12.5.3), not with a weight of 0."""
    for coding in accepted.lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() in {"gzip", "x-gzip"}:
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False
