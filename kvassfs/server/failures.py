"""What a request gets that fails: its status and the reason in words, on a page where a browser asks."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import HTTPExceptionHandler

from ..errors import DiskFull, KvassError, MessageError, NothingShared, ShareError, Undecipherable
from . import pages
from .request_log import hush

log = logging.getLogger(__name__)

GONE: Final = 499
"""The status in the log of a request whose client has not waited for the answer; it is nginx's for that."""

CLOSE: Final = {"Connection": "close"}
"""The header of an answer that is the last one on its connection."""

_WORDS: Final = {404: "there is nothing here", 405: "this method is not for this address"}


def told(request: Request, status: int, words: str) -> Response:
    """Return the answer that says ``words``: one line, or a page for a browser."""
    if request.method in {"GET", "HEAD", "POST"} and pages.is_wanted(request):
        return pages.page(pages.TITLES.get(status, "This did not work"), words, status=status)
    headers = {**pages.NEVER_KEPT, **pages.BY_ACCEPT, **pages.PRIVATE} if request.method in {"GET", "HEAD"} else None
    return PlainTextResponse(f"kvass: {words}\n", status, headers)


def not_shared(request: Request, error: ShareError) -> Response:
    """Return the answer to a request for what is not shared, or not any more."""
    return told(request, 404 if isinstance(error, NothingShared) else 410, str(error))


async def _failed(request: Request, error: Exception) -> Response:
    """Answer an expected failure. What is wrong with the database is for the log alone."""
    if isinstance(error, Undecipherable):
        return told(request, 403, "cannot decrypt the message")
    if isinstance(error, MessageError):
        return told(request, 400, str(error))
    if isinstance(error, ShareError):
        return not_shared(request, error)
    log.error("%s", error)
    if isinstance(error, DiskFull):
        return told(request, 507, "no space left on the disk of the hub")
    return told(request, 503, "the hub cannot use its database; its log says why")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    unexplained = error.detail == HTTPStatus(error.status_code).phrase
    words = _WORDS.get(error.status_code, error.detail) if unexplained else error.detail
    response = told(request, error.status_code, words)
    response.headers.update(error.headers or {})
    if "expect" in request.headers:
        response.headers.update(CLOSE)  # nobody can tell whether the body comes that was asked about
    return response


async def _left(request: Request, _error: Exception) -> Response:
    """Answer nobody."""
    hush(request.scope)
    return Response(status_code=GONE)


HANDLERS: Final[dict[type[Exception], HTTPExceptionHandler]] = {
    KvassError: _failed,
    HTTPException: _refused,
    ClientDisconnect: _left,
}
"""What answers which exception."""
