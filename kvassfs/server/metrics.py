"""What a hub counts for Prometheus: requests, what they take, who waits, connections to the database, sizes of stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric

from ..errors import CannotListen
from .listen import explain_failure

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the classes of latencies."""

OTHER: Final = "other"
"""The call of a request for what there is not: paths may hold anything."""


class Metrics:
    """Counts what the requests to one process take. ``read`` returns further numbers by name, asked when somebody looks."""

    def __init__(self, calls: Iterable[str], read: Callable[[], Mapping[str, float]] = dict) -> None:
        self._calls = frozenset(calls)
        self._registry = CollectorRegistry()
        self._requests = Counter("kvassfs_requests", "Requests.", ["call", "status"], registry=self._registry)
        self._seconds = Histogram(
            "kvassfs_request_seconds",
            "Seconds until a request was responded to; pulls that wait for news among them.",
            ["call"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._received = Counter("kvassfs_received_bytes", "Bytes of bodies of requests.", registry=self._registry)
        self._sent = Counter("kvassfs_sent_bytes", "Bytes of bodies of responses.", registry=self._registry)
        self._registry.register(_Asked(read))

    def note(self, path: str, status: int, seconds: float, received: int, sent: int) -> None:
        """Note a request that has ended."""
        call = path if path in self._calls else OTHER
        self._requests.labels(call, str(status)).inc()
        self._seconds.labels(call).observe(seconds)
        self._received.inc(received)
        self._sent.inc(sent)

    @contextmanager
    def serve(self, host: str, port: int) -> Iterator[int]:
        """``with`` a thread that serves the numbers at an address, on ``/metrics``; the value is the port.

        Raises:
            CannotListen
        """
        server, thread = self._start(host, port)
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _start(self, host: str, port: int) -> tuple[WSGIServer, Thread]:
        try:
            return start_http_server(port, host or "0.0.0.0", self._registry)  # noqa: S104  asked for
        except OSError as error:
            raise CannotListen(f"{host}:{port}", explain_failure(error, host, port)) from error


class _Asked:
    """Numbers that are read when somebody looks."""

    def __init__(self, read: Callable[[], Mapping[str, float]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        for name, value in self._read().items():
            yield GaugeMetricFamily(f"kvassfs_{name}", name.replace("_", " ").capitalize() + ".", value=value)
