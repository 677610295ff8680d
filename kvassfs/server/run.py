"""Serving a hub until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import uvicorn
import uvloop
from starlette.types import ASGIApp

from ..errors import InvalidConfiguration, KvassError
from ..keeping.errors import ObjectsUnreachable
from ..keeping.objects import ObjectStore
from ..kind import Kind
from ..store import Store
from ..store_errors import ReadOnlyStore
from ..supervisor import NOBODY, Supervisor
from ..sync.hub import MAX_WAIT
from .admission import DEFAULT_LIMITS, ConnectionLimits
from .application import CALLS, Service, build_application
from .bodies import DISK, MEMORY, BodyLimits
from .connections import Connections, bound_buffers, find_capacity
from .homes import FileHome, Home
from .hub_requests import MAX_BODY, HubLimits
from .listen import BACKLOG, format_url, inherit_sockets, load_tls, open_socket, parse_bind
from .processes import keep_processes
from .protocol import Doorway, HubProtocol
from .request_log import Note, format_line, format_object, log_line

log = logging.getLogger(__name__)

SWITCH_INTERVAL: Final = 0.0005
"""Seconds after which a thread that computes lets another one go on; in its usual 5 ms the event loop responds to several requests."""

SHUTDOWN_TIMEOUT: Final = 5
"""Seconds in which requests have to finish when the server ends."""


@dataclass(frozen=True)
class ServeOptions:
    """What to serve, and where.

    Attributes:
        database: path of the store, made if it is missing.
        bind: ``HOST:PORT``; without a host on all addresses, and port 0 is any free one.
        tls_cert: PEM file of the certificate and its chain; with it, only TLS is accepted.
        tls_key: PEM file of its key, if that is not in the same file.
        max_body: bytes of the longest message accepted.
        body_memory: bytes of all messages that are kept in memory before it is known whose they are.
        per_address: connections of one client address, 0 for any number; ``None``: as ``ConnectionLimits`` says.
        inherited: sockets that a service manager has handed over, which are served in place of ``bind``.
        stores: URL of the PostgreSQL database that keeps any number of stores, which are served in place of ``database``.
        processes: how many serve these.
        blocks: where their blocks go, ``s3://BUCKET/PREFIX``; "": into the PostgreSQL database.
        blocks_endpoint: URL of the object store; "": as boto3 finds it.
        log_format: of what is written of requests: ``text``, or ``json`` for an object without the time.
        app: serve the page that makes a browser a device.
        metrics: ``HOST:PORT`` where numbers for Prometheus are served, each further process at the next port; "" = nowhere.
    """

    database: str
    bind: str = "0.0.0.0:8000"
    tls_cert: str | None = None
    tls_key: str | None = None
    max_body: int = MAX_BODY
    body_memory: int = MEMORY
    per_address: int | None = None
    inherited: int = 0
    stores: str = ""
    processes: int = 1
    metrics: str = ""
    blocks: str = ""
    blocks_endpoint: str = ""
    log_format: str = "text"
    app: bool = True


def serve(
    options: ServeOptions,
    *,
    listening: Callable[[str], None],
    notice: Callable[[str], None] = lambda _: None,
    write: Callable[[str], None] = log_line,
    supervisor: Supervisor = NOBODY,
    limits: ConnectionLimits = DEFAULT_LIMITS,
) -> None:
    """Serve a hub until SIGTERM, SIGINT or SIGHUP; a SIGINT after that ends the process at once. For the main thread.

    ``listening`` is called with each URL once requests are served, ``notice`` with what the store reports in one line,
    and ``write`` with a line for each request. ``supervisor`` is told how the server does. ``limits`` says how long connections
    may take; how many there may be follows from the options, and from how many descriptors the process may have.

    Raises:
        CannotListen: the address cannot be served.
        StoreError: the database cannot be used.
    """
    context = _load_tls(options)
    with ExitStack() as stack:
        limits = replace(limits, capacity=min(limits.capacity, find_capacity()), per_address=options.per_address)
        sockets = stack.enter_context(_open_sockets(options, limits))
        urls = [format_url(opened, secure=context is not None) for opened in sockets]
        report = partial(_report, urls, listening, supervisor)
        run = partial(_serve_on, sockets, options, context=context, limits=limits, write=write)
        if not options.stores:
            run(_open_file(options, notice, urls), report, supervisor)
        elif options.processes == 1:
            run(stack.enter_context(_open_many(options)), report, supervisor)
        else:
            with _open_many(options):
                report()  # the sockets listen already
            keep_processes(options.processes, partial(_serve_as_one, options, run), supervisor)


@contextmanager
def _open_sockets(options: ServeOptions, limits: ConnectionLimits) -> Iterator[list[socket.socket]]:
    """``with`` the sockets that are served."""
    with ExitStack() as stack:
        sockets = inherit_sockets(options.inherited) or [open_socket(options.bind)]
        for opened in sockets:
            stack.enter_context(opened)
            bound_buffers(opened, limits.write)
        yield sockets


def _serve_as_one(options: ServeOptions, run: Callable[..., None], number: int) -> None:
    """Serve as one of several processes, in which nothing was opened before."""
    with _open_many(options) as home:
        run(home, lambda: None, NOBODY, number)


def _serve_on(
    sockets: list[socket.socket],
    options: ServeOptions,
    home: Home,
    ready: Callable[[], None],
    supervisor: Supervisor,
    number: int = 0,
    *,
    context: ssl.SSLContext | None,
    limits: ConnectionLimits,
    write: Callable[[str], None],
) -> None:
    """Serve the stores of ``home`` in this process, the one with a ``number`` of those that do."""
    service = Service(home, limits=_choose_limits(options), app=options.app)
    with _open_metrics(options, service, number) as note:
        describe = format_object if options.log_format == "json" else format_line
        application = build_application(service, write, note, describe)
        server = _Server(application, service, context, Connections(limits), ready, supervisor)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve(sockets))


@contextmanager
def _open_metrics(options: ServeOptions, service: Service, number: int) -> Iterator[Note | None]:
    """``with`` what notes requests for Prometheus, if that is asked for: each process at a port of its own."""
    if not options.metrics:
        yield None
        return
    from .metrics import Metrics  # noqa: PLC0415  others need no prometheus_client

    host, port = parse_bind(options.metrics)
    metrics = Metrics(CALLS, service.read_numbers)
    with metrics.serve(host, port + number if port else 0):
        yield metrics.note


@contextmanager
def _open_many(options: ServeOptions) -> Iterator[Home]:
    """``with`` the home of many stores; what is wrong with the database is reported at once."""
    from ..keeping.postgres.database import ANSWER_TIME, open_database  # noqa: PLC0415  others need no psycopg
    from .postgres_home import PostgresHome  # noqa: PLC0415

    with open_database(options.stores, answer_time=ANSWER_TIME) as database:
        yield PostgresHome(database, _open_objects(options))


def _open_objects(options: ServeOptions) -> ObjectStore | None:
    """Return where blocks go. What is wrong with it is logged at once: all that needs no blocks works without."""
    if not options.blocks:
        return None
    from ..keeping.s3 import open_objects  # noqa: PLC0415  others need no boto3

    objects = open_objects(options.blocks, options.blocks_endpoint)
    try:
        objects.check()
    except ObjectsUnreachable as error:
        log.warning("%s; blocks are refused until it can be used", error)
    return objects


def _open_file(options: ServeOptions, notice: Callable[[str], None], urls: list[str]) -> Home:
    _check_store(options.database, notice)  # reports at once what is wrong with it
    _note_served(options.database, urls)
    return FileHome(options.database)


def _choose_limits(options: ServeOptions) -> HubLimits:
    bodies = BodyLimits(memory=options.body_memory, disk=max(DISK, 2 * options.max_body))
    limits = HubLimits(max_body=options.max_body, bodies=bodies)
    # Of many stores, one query a second looks after all that are waited for.
    return replace(limits, recheck_interval=MAX_WAIT) if options.stores else limits


def _check_store(database: str, notice: Callable[[str], None]) -> None:
    with Store.open(database, notice=notice) as store:
        if store.obstacle:
            raise ReadOnlyStore(store.path, store.obstacle)
        if store.settings.kind() == Kind.DEVICE:
            raise InvalidConfiguration(
                "this store is sealed, and no hub may have its key; give what `kvass config access-key` prints to a new store,"
                " by `kvass --db FILE config key`, and serve that"
            )


def _report(urls: list[str], listening: Callable[[str], None], supervisor: Supervisor) -> None:
    for url in urls:
        listening(url)
    supervisor.tell_ready(f"serving on {', '.join(urls)}")


def _note_served(database: str, urls: list[str]) -> None:
    """Have the store know where it is served, so that `kvass pair` can name it."""
    with suppress(KvassError), Store.open(database) as store:
        store.processes.note_served(urls[-1])


def _load_tls(options: ServeOptions) -> ssl.SSLContext | None:
    if options.tls_cert is None:
        return None
    return load_tls(options.bind, options.tls_cert, options.tls_key)


class _Server(uvicorn.Server):
    """Uvicorn with its own handling of signals; ``ready`` is called once requests are served.

    ``supervisor`` is told, by the event loop, that this is alive, and then that it ends.
    """

    def __init__(
        self,
        served: ASGIApp,
        service: Service,
        context: ssl.SSLContext | None,
        connections: Connections,
        ready: Callable[[], None],
        supervisor: Supervisor,
    ) -> None:
        super().__init__(_configure(served, partial(_build_protocol, context, connections)))
        self.servers = []  # a signal may come before there are any
        self._connections = connections
        self._service = service
        self._ready = ready
        self._supervisor = supervisor

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal."""
        with _switching_quickly(), self._connections.watch():
            await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve requests."""
        await super().startup(sockets)
        self._ready()
        self._tell_alive()

    def _tell_alive(self) -> None:
        """Tell the supervisor now and again and again, as long as the event loop turns."""
        if self._supervisor.interval is not None:
            self._supervisor.tell_alive()
            asyncio.get_running_loop().call_later(self._supervisor.interval, self._tell_alive)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End by SIGTERM, and by SIGINT and SIGHUP unless they were ignored from the start, as with `nohup`."""
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
        """Accept no more requests, respond to those that wait, and let the others finish."""
        if interruptible:  # first of all: a second interrupt may come at once
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        self.should_exit = True
        self._supervisor.tell_stopping()
        for listener in self.servers:  # before uvicorn does: devices that waited would connect again
            listener.close()
        self._service.wakeups.end_waits()
        self._connections.end()


@contextmanager
def _switching_quickly() -> Iterator[None]:
    """``with`` threads that do not keep the event loop waiting for long."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _build_protocol(context: ssl.SSLContext | None, connections: Connections, **of_uvicorn: Any) -> asyncio.Protocol:
    """Return what speaks HTTP on a new connection, and TLS before it if there is a ``context``."""
    build = partial(HubProtocol, connections=connections, **of_uvicorn)
    return build() if context is None else Doorway(build, context, connections)


def _configure(served: ASGIApp, build_protocol: Callable[..., asyncio.Protocol]) -> uvicorn.Config:
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
        timeout_keep_alive=round(DEFAULT_LIMITS.idle),
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
    )
    configuration.load()
    configuration.http_protocol_class = build_protocol  # type: ignore[assignment]  # uvicorn only calls it
    return configuration
