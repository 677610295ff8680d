"""What the hub is compared with: servers on the same HTTP stack, with the same settings, that have nothing to look up.

Run as a program it is one of them: `python share_peers.py NAME [FILE]`. It says its address as the hub does.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self

import checkout  # noqa: F401
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from kvassfs.server.admission import DEFAULT_LIMITS
from kvassfs.server.listen import BACKLOG, format_url, open_socket
from tests.support.processes import HERE, end_process, start_server

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

ANSWER = (b"what was asked for, or near it\n" * 64)[:1024]


async def bare(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer 1 KiB from memory, as uvicorn alone does it."""
    headers = [(b"content-length", b"%d" % len(ANSWER)), (b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


def starlette() -> ASGIApp:
    """Return the smallest application that answers 1 KiB from memory."""

    async def get(_: Request) -> Response:
        return Response(ANSWER, media_type="text/plain")

    return Starlette(routes=[Route("/get", get)])


def file(path: str) -> ASGIApp:
    """Return the smallest application that answers with a file."""

    async def get(_: Request) -> Response:
        return FileResponse(path)

    return Starlette(routes=[Route("/get", get)])


PEERS: dict[str, Callable[..., ASGIApp]] = {"uvicorn": lambda: bare, "starlette": starlette, "file": file}


def serve(application: ASGIApp) -> None:
    """Serve on the loopback with the settings of the hub, until a signal."""
    configuration = uvicorn.Config(
        application,
        http="httptools",
        ws="none",
        lifespan="off",
        workers=1,
        proxy_headers=False,
        server_header=False,
        log_config=None,
        log_level=logging.CRITICAL + 1,
        access_log=False,
        backlog=BACKLOG,
        timeout_keep_alive=round(DEFAULT_LIMITS.idle),
    )
    with open_socket("127.0.0.1:0") as opened:
        print(f"serving on {format_url(opened, secure=False)}", flush=True)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(uvicorn.Server(configuration).serve([opened]))


class Peer:
    """One of ``PEERS`` as a process of its own; a context manager."""

    def __init__(self, directory: Path, name: str, *arguments: str) -> None:
        self._log = directory / f"{name}.log"
        self._command = [sys.executable, __file__, name, *arguments]

    def __enter__(self) -> Self:
        self.process, port = start_server(self._command, self._log)
        self.address = f"{HERE}:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        end_process(self.process)


if __name__ == "__main__":
    serve(PEERS[sys.argv[1]](*sys.argv[2:]))
