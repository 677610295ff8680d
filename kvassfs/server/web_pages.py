"""Serves files that are made once, and are the same for everybody."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from starlette.requests import Request
from starlette.types import ASGIApp

from . import pages
from .conditions import Validators, decide
from .streaming import Headers, ShortResponse, encode_headers
from .web_files import Make


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
    def _made(self) -> _Made:
        file = self._make()
        tag = file.digest[:32]
        headers = {
            **pages.PRIVATE,
            "Cache-Control": "no-cache",
            "Cross-Origin-Resource-Policy": "same-origin",
            "ETag": f'"{tag}"',
            **file.headers,
        }
        described = {"Content-Type": file.kind, "Content-Length": str(len(file.body))}
        return _Made(file.body, tag, encode_headers(headers), encode_headers(described))

    async def respond(self, request: Request) -> ASGIApp:
        """Return the response to a GET or HEAD, which has no effect, and is the same below the path of any store."""
        made = self._made
        known = {name: value for name, value in request.headers.items() if name == "if-none-match"}
        if decide(known, Validators(made.tag, 0, dated=False), len(made.body), ranges=False).status == 304:
            return ShortResponse(304, made.headers, b"")
        body = b"" if request.method == "HEAD" else made.body
        return ShortResponse(200, (*made.headers, *made.described), body)
