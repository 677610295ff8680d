"""Serving a hub until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import uvicorn
import uvloop
from starlette.applications import Starlette

from ..store import Store
from .application import MAX_BODY, Service, application
from .listen import BACKLOG, listening_socket, tls, url
from .request_log import log_line

PATIENCE: Final = 5
"""Seconds that requests have to finish in when the server ends."""

KEEP_ALIVE: Final = 75
"""Seconds that a connection is kept for the next request."""


@dataclass(frozen=True)
class ServeOptions:
    """What to serve where.

    Attributes:
        database: path of the store, made if it is missing.
        bind: ``HOST:PORT``; without a host on all addresses, and port 0 is any free one.
        tls_cert: file in PEM of the certificate and its chain; with it, TLS is spoken and nothing else.
        tls_key: file in PEM of its key, if that is not in the same file.
        max_body: bytes of the longest message taken.
    """

    database: str
    bind: str = "0.0.0.0:8000"
    tls_cert: str | None = None
    tls_key: str | None = None
    max_body: int = MAX_BODY


def serve(
    options: ServeOptions,
    *,
    listening: Callable[[str], None],
    notice: Callable[[str], None] = lambda _: None,
    write: Callable[[str], None] = log_line,
) -> None:
    """Serve a hub until SIGTERM, SIGINT or SIGHUP; a SIGINT after that ends the process at once. For the main thread.

    ``listening`` is told the URL once requests are answered, ``notice`` in a line what the store has to say, and
    ``write`` a line for each request.

    Raises:
        CannotListen: the address cannot be served.
        StoreError: the database cannot be used.
    """
    context = _context(options)
    with listening_socket(options.bind) as opened:
        Store.open(options.database, notice=notice).close()  # whatever is wrong with it is said here and now
        service = Service(options.database, max_body=options.max_body)
        server = _Server(
            application(service, write), service, context, partial(listening, url(opened, secure=context is not None))
        )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve([opened]))


def _context(options: ServeOptions) -> ssl.SSLContext | None:
    if options.tls_cert is None:
        return None
    return tls(options.bind, options.tls_cert, options.tls_key)


class _Server(uvicorn.Server):
    """Uvicorn with signals of our own; ``ready`` is called once requests are answered."""

    def __init__(
        self, served: Starlette, service: Service, context: ssl.SSLContext | None, ready: Callable[[], None]
    ) -> None:
        super().__init__(_configuration(served, context))
        self.servers = []  # a signal may come before there are any
        self._service = service
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End by SIGTERM, and by SIGINT and SIGHUP unless they were ignored from the start.

        So they are in a shell's background, and with `nohup`.
        """
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        ending = [number for number in before if number is signal.SIGTERM or before[number] is not signal.SIG_IGN]
        for number in ending:
            loop.add_signal_handler(number, self._end, signal.SIGINT in ending)
        try:
            yield
        finally:
            for number in ending:
                loop.remove_signal_handler(number)
                signal.signal(number, before[number])

    def _end(self, interruptible: bool) -> None:
        """Take no more requests, answer those that wait, and let the others finish."""
        self.should_exit = True
        for listener in self.servers:  # uvicorn would get to it a moment later, when who waited has asked again
            listener.close()
        self._service.news.end()
        if interruptible:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _configuration(served: Starlette, context: ssl.SSLContext | None) -> uvicorn.Config:
    configuration = uvicorn.Config(
        served,
        http="httptools",
        ws="none",
        lifespan="on",
        workers=1,  # uvicorn would look for it in the environment, as for the addresses of proxies
        proxy_headers=False,
        forwarded_allow_ips=[],
        server_header=False,
        date_header=True,
        log_config=None,
        log_level=logging.CRITICAL + 1,  # RequestLog says what there is to say
        access_log=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=PATIENCE,
    )
    configuration.load()
    configuration.ssl = context
    return configuration
