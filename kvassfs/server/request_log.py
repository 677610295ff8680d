"""The log of requests, and what becomes of one that fails in a way nobody expected."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import KvassError

log = logging.getLogger(__name__)

PATH_LENGTH: Final = 100
"""Characters of a path that are logged."""

_HUSHED = "kvass.hushed"

_CLOSED: Final = "the handler is closed"  # uvloop's words, where asyncio's own loop says nothing


def hush(scope: Scope) -> None:
    """Have the request of ``scope`` logged for debugging only."""
    scope[_HUSHED] = True


@dataclass
class Passed:
    """What a request let through; ``status`` is 0 before the answer."""

    status: int = 0
    received: int = 0
    sent: int = 0


def log_line(text: str) -> None:
    """Log the line about a request."""
    log.info("%s", text)


class RequestLog:
    """Tells ``write`` a line for each request to ``application``: never a query or a body.

    An exception is logged too, and answered with status 500, or by breaking off an answer that has begun.
    """

    def __init__(
        self, app: ASGIApp, write: Callable[[str], None] = log_line, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._write = write
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        passed = Passed()
        begin = self._clock()
        try:
            await self._serve(scope, _counted_in(receive, passed), _counted_out(send, passed), passed)
        finally:
            text = line(scope, passed, self._clock() - begin)
            if _HUSHED in scope:
                log.debug("%s", text)
            else:
                self._write(text)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, passed: Passed) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            if has_gone(error):
                hush(scope)
                return
            if isinstance(error.__cause__, KvassError):
                log.error("an answer was broken off: %s", error.__cause__)  # noqa: TRY400  expected
            else:
                log.exception("a request failed")
            if not passed.status:
                failure = PlainTextResponse("kvass: a failure inside the hub; its log shows it\n", 500)
                await failure(scope, receive, send)


def has_gone(error: Exception) -> bool:
    """Whether what failed is the sending of an answer, because the client has closed the connection."""
    return isinstance(error, RuntimeError) and _CLOSED in str(error)


def line(scope: Scope, passed: Passed, seconds: float) -> str:
    """Return the line for a request."""
    client = scope["client"][0] if scope.get("client") else "-"
    path = (scope.get("raw_path") or b"").partition(b"?")[0].decode("ascii", "backslashreplace")
    return (
        f"{client} {scope['method']} {path[:PATH_LENGTH]} {passed.status or '-'}"
        f" {passed.received} in {passed.sent} out {seconds * 1000:.0f} ms"
    )


def _counted_in(receive: Receive, passed: Passed) -> Receive:
    async def counted() -> Message:
        message = await receive()
        passed.received += len(message.get("body", b""))
        return message

    return counted


def _counted_out(send: Send, passed: Passed) -> Send:
    async def counted(message: Message) -> None:
        if message["type"] == "http.response.start":
            passed.status = message["status"]
        passed.sent += len(message.get("body", b""))
        await send(message)

    return counted
