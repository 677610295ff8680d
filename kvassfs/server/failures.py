"""Responses to requests that fail: a status and the reason in words, on a page for a browser."""

from __future__ import annotations

import logging
from http import HTTPStatus
from math import ceil
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from ..errors import DiskFull, KvassError, MessageError, NothingShared, ShareError, Undecipherable
from ..keeping.errors import QuotaReached, TooManyRequests
from ..pairing.errors import ClaimRefused, CodeGone, PairingRefused
from . import pages

log = logging.getLogger(__name__)

GONE: Final = 499
"""The status in the log of a request whose client has not waited for the response; nginx uses it so."""

CLOSE: Final = {"Connection": "close"}
"""The header of the last response on its connection."""

_WORDS: Final = {404: "there is nothing here", 405: "this method is not for this address"}


def error_response(request: Request, status: int, words: str) -> Response:
    """Return the response that says ``words``: one line, or a page for a browser."""
    if request.method in {"GET", "HEAD", "POST"} and pages.wants_page(request):
        return pages.render_page(pages.TITLES.get(status, "This did not work"), words, status=status)
    headers = {**pages.NEVER_KEPT, **pages.BY_ACCEPT, **pages.PRIVATE} if request.method in {"GET", "HEAD"} else None
    return PlainTextResponse(f"kvass: {words}\n", status, headers)


def share_error_response(request: Request, error: ShareError) -> Response:
    """Return the response to a request for what is not shared, or not any more."""
    return error_response(request, 404 if isinstance(error, NothingShared) else 410, str(error))


def failure_response(request: Request, error: Exception) -> Response:
    """Return the response to a request whose handler raised ``error``; raise it again if it was not expected."""
    if isinstance(error, KvassError):
        return _explain_failure(request, error)
    if isinstance(error, HTTPException):
        return _explain_refusal(request, error)
    if isinstance(error, ClientDisconnect):
        return Response(status_code=GONE)  # for the log: the client does not receive it
    raise error


def _explain_failure(request: Request, error: KvassError) -> Response:
    """Return the response to an expected failure. What is wrong with the database is for the log alone."""
    if isinstance(error, Undecipherable):
        return error_response(request, 403, "cannot decrypt the message")
    if isinstance(error, MessageError):
        return error_response(request, 400, str(error))
    if isinstance(error, CodeGone | ClaimRefused | PairingRefused):
        return error_response(request, 429 if isinstance(error, PairingRefused) else 410, str(error))
    if isinstance(error, ShareError):
        return share_error_response(request, error)
    if isinstance(error, TooManyRequests):
        response = error_response(request, 429, str(error))
        response.headers["Retry-After"] = str(ceil(error.wait))
        return response
    if isinstance(error, QuotaReached):
        return error_response(request, 507, error.words)
    log.error("%s", error)
    if isinstance(error, DiskFull):
        return error_response(request, 507, "no space left on the disk of the hub")
    return error_response(request, 503, "the hub cannot use its database; its log says why")


def _explain_refusal(request: Request, error: HTTPException) -> Response:
    """Return the response to a request that the route table or a handler has refused."""
    unexplained = error.detail == HTTPStatus(error.status_code).phrase
    words = _WORDS.get(error.status_code, error.detail) if unexplained else error.detail
    response = error_response(request, error.status_code, words)
    response.headers.update(error.headers or {})
    if "expect" in request.headers:
        response.headers.update(CLOSE)  # it is unknown whether the body that was announced follows
    return response
