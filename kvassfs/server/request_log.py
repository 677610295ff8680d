"""The log of requests, and the response to one that fails unexpectedly."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import KvassError

log = logging.getLogger(__name__)

_METHODS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})

_SKIPPED = "kvass.skip_logging"

_CLOSED: Final = "the handler is closed"  # what uvloop says; asyncio's own loop ignores it


def skip_logging(scope: Scope) -> None:
    """Log the request of ``scope`` for debugging only."""
    scope[_SKIPPED] = True


@dataclass
class Traffic:
    """What was sent for a request: bytes of bodies, and the status, which is 0 before the response."""

    status: int = 0
    received: int = 0
    sent: int = 0


Note = Callable[[str, int, float, int, int], None]
"""Notes a request that has ended: its path, status, seconds, and the bytes of the bodies that were received and sent."""


Describe = Callable[[Scope, Collection[str], Traffic, float], str]
"""Returns what is written of a request to an application that has certain paths, what was sent for it, and its seconds."""


def log_line(text: str) -> None:
    """Log a line about a request."""
    log.info("%s", text)


def format_line(scope: Scope, paths: Collection[str], traffic: Traffic, seconds: float) -> str:
    """Return the line about a request to an application that has ``paths``."""
    address, method, path = _name_request(scope, paths)
    return (
        f"{address} {method} {path} {traffic.status or '-'}"
        f" {traffic.received} in {traffic.sent} out {seconds * 1000:.0f} ms"
    )


def format_object(scope: Scope, paths: Collection[str], traffic: Traffic, seconds: float) -> str:
    """Return the same as a JSON object, in one line; ``status`` is ``null`` where there was no response."""
    address, method, path = _name_request(scope, paths)
    return json.dumps(
        {
            "address": address,
            "method": method,
            "call": path,
            "status": traffic.status or None,
            "received": traffic.received,
            "sent": traffic.sent,
            "ms": round(seconds * 1000, 1),
        }
    )


def _name_request(scope: Scope, paths: Collection[str]) -> tuple[str, str, str]:
    """Return the address, method and path of a request, without what may be secret."""
    client = scope["client"][0] if scope.get("client") else "-"
    method = scope["method"] if scope["method"] in _METHODS else "?"
    return client, method, redact_path(scope["path"], paths)


class RequestLog:
    """Calls ``write`` with a line about each request to ``app``, which has ``paths`` and neither its query nor its body.

    Of any other path it has no more than what tells how it came about: see ``redact_path``.

    ``note`` is told of each. An exception is logged too; the client gets status 500, or a response that breaks off if it has begun.
    """

    def __init__(
        self,
        app: ASGIApp,
        paths: Collection[str],
        write: Callable[[str], None] = log_line,
        clock: Callable[[], float] = time.monotonic,
        note: Note | None = None,
        describe: Describe = format_line,
    ) -> None:
        self._app = app
        self._paths = frozenset(paths)
        self._write = write
        self._clock = clock
        self._note = note
        self._describe = describe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        traffic = Traffic()
        begin = self._clock()
        try:
            await self._serve(scope, _count_received(receive, traffic), _count_sent(send, traffic), traffic)
        finally:
            seconds = self._clock() - begin
            text = self._describe(scope, self._paths, traffic, seconds)
            if self._note is not None:
                self._note(scope["path"], traffic.status, seconds, traffic.received, traffic.sent)
            if _SKIPPED in scope:
                log.debug("%s", text)
            else:
                self._write(text)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, traffic: Traffic) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            if is_disconnect(error):
                skip_logging(scope)
                return
            if isinstance(error, KvassError):
                log.error("an answer was broken off: %s", error)  # noqa: TRY400  expected
            else:
                log.exception("a request failed")
            if not traffic.status:
                failure = PlainTextResponse("kvass: a failure inside the hub; its log shows it\n", 500)
                await failure(scope, receive, send)


def is_disconnect(error: Exception) -> bool:
    """Return True if sending a response failed because the client has closed the connection."""
    return isinstance(error, RuntimeError) and _CLOSED in str(error)


def redact_path(path: str, paths: Collection[str]) -> str:
    """Return a path as it is logged: itself if it is one of ``paths``, else what it has of them, and its length.

    What is left out may be a token, of an address that was mangled on its way: ``/get%3Fq=TOKEN``, ``/get/TOKEN``.
    """
    if path in paths:
        return path
    known = sorted((each for each in paths if each != "/"), key=len, reverse=True)
    begin = next((each for each in known if path.startswith(each)), "/")
    end = next((each for each in known if path.endswith(each)), "")
    return f"{begin}…{end} ({len(path)} characters)"


def _count_received(receive: Receive, traffic: Traffic) -> Receive:
    async def counted() -> Message:
        message = await receive()
        traffic.received += len(message.get("body", b""))
        return message

    return counted


def _count_sent(send: Send, traffic: Traffic) -> Send:
    async def counted(message: Message) -> None:
        if message["type"] == "http.response.start":
            traffic.status = message["status"]
        traffic.sent += len(message.get("body", b""))
        await send(message)

    return counted
