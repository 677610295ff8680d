"""The application without a network: requests as its server would make them, and a hub that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import current_thread
from typing import Any, NamedTuple

from starlette.types import ASGIApp

from kvassfs.server.application import Service, build_application
from kvassfs.server.hub_requests import HubLimits
from kvassfs.store import Store
from kvassfs.sync.hub import Hub, Pull
from kvassfs.sync.seal import CheckedBody
from tests.support.services import serve_file

Message = dict[str, Any]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool


@dataclass
class Request:
    """A request on its way; ``leave`` is what a client does that loses patience."""

    task: asyncio.Task[None]
    sent: list[Message]
    gone: asyncio.Event

    def leave(self) -> None:
        self.gone.set()

    async def answer(self) -> Answer:
        await self.task
        start, *pieces = self.sent or [{"status": 0, "headers": []}]
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        complete = bool(pieces) and not pieces[-1].get("more_body", False)
        return Answer(start["status"], headers, b"".join(piece.get("body", b"") for piece in pieces), complete)


def begin(
    app: ASGIApp,
    path: str,
    *body: bytes | None,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    query: bytes = b"",
    taken: Callable[[], Awaitable[object]] | None = None,
) -> Request:
    """Begin a request whose body comes in pieces, ``None`` where no more comes.

    The client awaits ``taken`` before it takes each piece of the answer.
    """
    pieces = list(body or [b""])
    gone = asyncio.Event()
    sent: list[Message] = []

    async def receive() -> Message:
        if pieces and pieces[0] is not None:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if taken is not None and message["type"] == "http.response.body":
            await taken()
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": ("192.0.2.1", 4711),
        "server": ("192.0.2.2", 8000),
    }

    async def serve() -> None:
        await app(scope, receive, send)

    return Request(asyncio.create_task(serve()), sent, gone)


async def ask(app: ASGIApp, path: str, *body: bytes | None, **options: Any) -> Answer:
    """Make a request and return the answer to it."""
    return await begin(app, path, *body, **options).answer()


@asynccontextmanager
async def served(service: Service) -> AsyncIterator[ASGIApp]:
    """``async with`` the application of a service that runs."""
    async with service.run():
        yield build_application(service)


class StubPull(Pull):
    """Answers a pull with ``pieces`` once there are some; it notes the threads that it was asked in."""

    def __init__(self, hub: StubHub, device: int) -> None:
        self._hub = hub
        self.wait = hub.wait
        self.device = device
        self.held = hub.script.held

    def respond(self, *, patient: bool) -> Iterator[bytes] | None:
        script = self._hub.script
        script.asked.append((current_thread().name, patient))
        if script.pieces is None and patient:
            return None
        return self._all()

    def _all(self) -> Iterator[bytes]:
        script = self._hub.script
        try:
            for piece in script.pieces or []:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            script.closed.append(current_thread().name)


@dataclass
class Script:
    """What the stub hubs of a service do."""

    wait: float = 0.0
    held: bool = False
    pieces: list[bytes | Exception] | None = None
    failure: Exception | None = None
    asked: list[tuple[str, bool]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)


class StubHub(Hub):
    """A hub without a store, which answers every body by its length; ``#7`` is a pull of device 7."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.wait = script.wait

    def push(self, body: bytes | CheckedBody) -> bytes:
        self._fail()
        return b"pushed %d" % len(body)

    def _fail(self) -> None:
        if self.script.failure is not None:
            raise self.script.failure

    def serve_blocks(self, body: bytes | CheckedBody) -> bytes:
        self._fail()
        return b"blocks %d" % len(body)

    def pull(self, body: bytes) -> Pull:
        return StubPull(self, int(body[1:] or b"0") if body.startswith(b"#") else 0)


def stub_service(
    database: Path, script: Script, *, before_open: Callable[[str], object] = lambda _: None, **limits: Any
) -> Service:
    """Return a service with stub hubs, beside a real database whose commits wake it.

    ``before_open`` is called with the path before each hub is opened.
    """
    Store.open(database).close()

    def open_stub(path: str) -> AbstractContextManager[Hub]:
        before_open(path)

        @contextmanager
        def opened() -> Iterator[Hub]:
            yield StubHub(script)

        return opened()

    return serve_file(str(database), limits=HubLimits(**limits), open_hub=open_stub)
