"""Another site, which sees who sends a visitor to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Asked(NamedTuple):
    """A request as it arrived."""

    path: str
    referer: str | None


class Neighbour(ThreadingHTTPServer):
    """A site at a free port of this machine. ``pages`` are what it has by path; the rest is empty."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.pages: dict[str, str] = {}
        self.asked: list[Asked] = []

    def paths(self) -> set[str]:
        """Return what was asked for."""
        return {asked.path for asked in self.asked}


class _Handler(BaseHTTPRequestHandler):
    server: Neighbour

    def do_GET(self) -> None:
        self.server.asked.append(Asked(self.path, self.headers.get("Referer")))
        body = self.server.pages.get(self.path, "").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def at_home() -> Iterator[Neighbour]:
    """``with`` a neighbour that answers."""
    with Neighbour() as neighbour:
        thread = threading.Thread(target=neighbour.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield neighbour
        finally:
            neighbour.shutdown()
            thread.join()
