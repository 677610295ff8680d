"""HTTP on one connection of a hub: uvicorn's protocol within bounds, and TLS before it."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import ssl
import struct
import termios
from collections.abc import Callable, Coroutine
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import get_remote_addr

from .admission import HEAD, PIPELINED, Gauge, Phase, Progress, decide_phase, find_place
from .connections import Connections
from .turns import Standing, set_standing

_URL: Final = (414, "the address is too long")
_HEAD: Final = (431, "the header or trailer is too long")
_LATE: Final = (408, "the rest of the request did not arrive")
_FULL: Final = (503, "too many connections; try again in a moment")
_PIECES: Final = (413, "the message comes in too small pieces")
_INVALID: Final = (400, "this is no request of HTTP")

DISCARDED: Final = 1024 * 1024
"""Bytes behind a refusal that are read, so that the client gets it."""

REST: Final = 256 * 1024
"""The same of a body that was responded to before its end; there it is not known yet that it will be too much."""

DISCARD_INTERVAL: Final = 0.05
"""Seconds between two parts of them, each as long as a head may be; so who sends without end takes little time."""

_DISCARD: Final = struct.pack("ii", 1, 0)


class _OutOfBounds(Exception):
    """A request goes on in a way that is refused, or not read any further."""


class HubProtocol(HttpToolsProtocol):
    """A connection that is one of ``connections``, and whose requests are bounded beside their bodies."""

    def __init__(self, *, connections: Connections, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._all = connections
        self._gauge = Gauge()
        self._refusal = _INVALID
        self._fresh = True
        self._standing = Standing(self._note_phase)
        self._discarded = 0
        self._begun = False
        self._in_body = False
        self._deaf = False
        self._refused = False

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin."""
        super().connection_made(transport)
        place = find_place(self.client[0]) if self.client else ""
        if not self._all.admit(self, place, Phase.HEAD):
            self._deaf = True
            transport.write(format_refusal(*_FULL))
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if isinstance(exc, TimeoutError):  # the kernel was first
            self._all.note_broken_off()
        self._all.remove(self)
        self._standing.leave()
        self.pipeline.clear()  # nobody waits for the responses
        super().connection_lost(exc)

    def expire(self, phase: Phase) -> None:
        """End, as it was in a phase for too long; say so to a client that has begun a request."""
        if phase is Phase.HEAD and self._begun and not self._deaf:
            self._respond_and_close(_LATE)
        elif phase in {Phase.HEAD, Phase.IDLE, Phase.KEPT} and not self.transport.get_write_buffer_size():
            self.transport.close()
        else:
            self.cut()

    def cut(self) -> None:
        """End at once, with nothing of what is written."""
        discard_unsent(self.transport)
        self.transport.abort()

    def count_unsent(self) -> int:
        """Return how many bytes of what is written the client has not received yet."""
        return self.transport.get_write_buffer_size() + count_in_kernel(self.transport)

    def pause_writing(self) -> None:
        """Have the response wait for its client."""
        super().pause_writing()
        self._all.note_waiting(self)

    def resume_writing(self) -> None:
        """Have the response go on."""
        super().resume_writing()
        self._all.note_received(self)

    # What comes

    def data_received(self, data: bytes) -> None:
        """Take what the client has sent, in parts of which none is longer than a head may be."""
        if len(data) <= HEAD:
            self._take(data)
        else:
            view = memoryview(data)
            for begin in range(0, len(data), HEAD):
                self._take(bytes(view[begin : begin + HEAD]))
        self._note_phase()

    def _take(self, data: bytes) -> None:
        if self._deaf:
            self._discard(len(data))
            return
        self._begun = self._begun or not self._in_body
        super().data_received(data)
        if self._in_body and self._has_responded() and not self._deaf:
            self._take_slowly(len(data), REST)  # the client may not look at the response before the end of its body
        if not self._gauge.count_received(len(data)) and not self._deaf:
            self._refuse(_HEAD)

    def _discard(self, size: int) -> None:
        """Throw away what comes behind a refusal, unless that is so much that it is no client that waits for it."""
        self._take_slowly(size, HEAD)
        if self._discarded > DISCARDED:
            self.cut()

    def _take_slowly(self, size: int, part: int) -> None:
        """Count what is thrown away, and read on a moment later where another ``part`` of it is full."""
        parts = self._discarded // part
        self._discarded += size
        if self._discarded // part > parts:
            self.flow.pause_reading()
            self.loop.call_later(DISCARD_INTERVAL, self._discard_more)

    def _discard_more(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._gauge.begin()
        self._begun = True
        self._fresh = False
        set_standing(self.scope, self._standing)  # type: ignore[arg-type]  # it is a mapping of texts

    def on_url(self, url: bytes) -> None:
        """Take some more of the URL."""
        if not self._gauge.count_url(len(url)):
            self._refusal = _URL
            raise _OutOfBounds
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the header; one of a trailer is not for the application."""
        if not self._gauge.count_field(len(name) + len(value)):
            self._refusal = _HEAD
            raise _OutOfBounds
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Have the request worked on."""
        self._gauge.turn()
        super().on_headers_complete()
        self._in_body = True
        if len(self.pipeline) >= PIPELINED:
            self.cycle.keep_alive = False
            self._deaf = True
            raise _OutOfBounds

    def on_body(self, body: bytes) -> None:
        """Take some of the body."""
        if not self._gauge.count_body(len(body)):
            self._refusal = _PIECES
            raise _OutOfBounds
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._gauge.turn()
        self._in_body = self._begun = False
        self._discarded = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for it."""
        super().on_response_complete()
        self._note_phase()

    def _find_cycle(self) -> RequestResponseCycle | None:
        """Return the request that came last, and its response."""
        return self.cycle  # uvicorn does not say that there is none at first

    def _has_responded(self) -> bool:
        """Whether nothing is left to be said to what came last."""
        cycle = self._find_cycle()
        return cycle is None or cycle.response_complete

    def _note_phase(self) -> None:
        standing = self._standing
        progress = Progress(
            refused=self._refused,
            closing=self.transport.is_closing(),
            busy=not self._has_responded(),
            body_complete=not self._in_body,
            begun=self._begun,
            fresh=self._fresh,
            known=standing.known,
            paused=standing.paused,
        )
        self._all.move(self, decide_phase(progress))

    # Refusals

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's words
        """Refuse what cannot be read, or not any further; uvicorn calls this for whatever the parser raises."""
        if not self._deaf:
            self._refuse(self._refusal)

    def _refuse(self, refusal: tuple[int, str]) -> None:
        """Read no further, and say why, unless that would come between the parts of another response."""
        self._all.note_refused(refusal[1])
        cycle = self._find_cycle()
        if cycle is None or cycle.response_complete:
            self._respond_and_close(refusal)
        elif self.pipeline:
            self.cut()
        elif self._in_body and not cycle.response_started:
            cycle.disconnected = True
            cycle.message_event.set()
            self._respond_and_close(refusal)
        else:  # it is closed once that has been sent
            cycle.keep_alive = False
        self._deaf = True

    def _respond_and_close(self, refusal: tuple[int, str]) -> None:
        """Send a refusal; what still comes is thrown away for a moment, lest the client loses the response by it."""
        self._deaf = self._refused = True
        self.transport.write(format_refusal(*refusal))
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
            self._all.move(self, Phase.REFUSED)
        else:
            self.transport.close()


class Doorway(asyncio.Protocol):
    """A connection on which TLS is not spoken yet, counted from its start; then it is that of what ``build`` returns."""

    def __init__(
        self, build: Callable[[], asyncio.Protocol], context: ssl.SSLContext, connections: Connections
    ) -> None:
        self._build = build
        self._context = context
        self._all = connections
        self._transport: asyncio.Transport
        self._handshake: Coroutine[Any, Any, asyncio.Transport | None] | None = None
        self._received: list[bytes] = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to speak TLS."""
        self._transport = transport
        client = get_remote_addr(transport)
        if not self._all.admit(self, find_place(client[0]) if client else "", Phase.HANDSHAKE):
            transport.abort()
            return
        self._handshake = asyncio.get_running_loop().start_tls(
            transport, self, self._context, server_side=True, ssl_handshake_timeout=self._all.limits.handshake
        )
        # It begins here and now, and not as a task in a moment, before which something might come.
        self._handshake.send(None).add_done_callback(self._enter)

    def data_received(self, data: bytes) -> None:
        """Keep what comes right behind the handshake."""
        self._received.append(data)

    def _enter(self, _: asyncio.Future[None]) -> None:
        assert self._handshake is not None
        self._all.remove(self)
        try:
            self._handshake.send(None)
        except StopIteration as complete:
            self._speak(complete.value)
        except (OSError, RuntimeError):  # this is not TLS, or its client does not trust the certificate; or it was cut
            self._transport.abort()

    def _speak(self, transport: asyncio.Transport) -> None:
        """Have HTTP spoken over TLS from now on."""
        if transport.is_closing():
            return
        protocol = self._build()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        for data in self._received:
            protocol.data_received(data)

    def expire(self, _: Phase) -> None:
        """End, as it has taken too long."""
        self.cut()

    def cut(self) -> None:
        """End at once."""
        if self._handshake is not None:
            self._handshake.close()
        self._transport.abort()

    def count_unsent(self) -> int:
        """Return 0: nothing of a response is written."""
        return 0


def format_refusal(status: int, words: str) -> bytes:
    """Return a whole response, the last one on its connection."""
    body = f"kvass: {words}\n"
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "content-type: text/plain; charset=utf-8",
        f"content-length: {len(body)}",
        *(["retry-after: 5"] if status == HTTPStatus.SERVICE_UNAVAILABLE else []),
        "connection: close",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


# The socket


def count_in_kernel(transport: asyncio.Transport) -> int:
    """Return how many bytes the kernel has of what was written to a transport and its client has not acknowledged."""
    opened = transport.get_extra_info("socket")
    if opened is None or opened.fileno() < 0:
        return 0
    with suppress(OSError):
        (size,) = struct.unpack("i", fcntl.ioctl(opened.fileno(), termios.TIOCOUTQ, bytes(4)))
        return int(size)
    return 0


def discard_unsent(transport: asyncio.Transport) -> None:
    """Have the kernel forget what was written to a transport, once that is closed, rather than keep it for the client."""
    opened = transport.get_extra_info("socket")
    if opened is not None:
        with suppress(OSError):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD)
