"""A network to trouble: a TCP proxy on the loopback that stands between devices and a hub.

It runs in a thread of its own; every method and attribute is for any other thread.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Self, TypeVar

PIECE = 64 * 1024

PAGE = b"<!DOCTYPE html><title>Welcome</title><p>Please log in to use this network."

HALF_OPEN_SECONDS = 0.1
"""How long a connection on the loopback may take; later, the queue of the listening socket is full."""

_Result = TypeVar("_Result")


class Mode(Enum):
    """What becomes of connections."""

    PASS = auto()
    """They are forwarded."""

    REFUSE = auto()
    """There is nobody: new ones are refused, the existing ones are closed."""

    BLACK_HOLE = auto()
    """They are accepted and kept, and nothing is forwarded. Those that lost something, or are new, are closed
    at the end of this mode."""

    UNANSWERED = auto()
    """The same, but new ones are not accepted either: connecting takes for ever."""

    PAGE = auto()
    """Any request is answered with status 200 and a page of HTML; the existing ones are closed."""


class Direction(Enum):
    """Where bytes go."""

    TO_HUB = auto()
    TO_DEVICE = auto()


Tap = Callable[[int, Direction, bytes], None]
"""Is given the number of a connection and bytes that are forwarded; in the thread of the proxy."""


class Proxy:
    """Stands before the hub at ``hub``, which may be changed; a context manager.

    Whatever is set counts from now on, for existing connections as well. ``rate``: bytes per second in each
    direction, all connections together. ``crossed`` counts bytes that were forwarded, ``connections`` what was
    accepted (in any mode), ``cuts`` connections that were closed here before their end.
    """

    def __init__(self, hub: tuple[str, int], *, tap: Tap | None = None) -> None:
        self.hub = hub
        self.rate: float | None = None
        self.crossed = dict.fromkeys(Direction, 0)
        self.connections = 0
        self.cuts = 0
        self._tap = tap
        self._mode = Mode.PASS
        self._delay = 0.0
        self._changed = asyncio.Event()
        self._fuses: dict[Direction, _Fuse] = {}
        self._free = dict.fromkeys(Direction, 0.0)
        self._open: set[asyncio.Task[None]] = set()
        self._fillers = ExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._enter(Mode.REFUSE))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def mode(self) -> Mode:
        """What becomes of connections; it can be set."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._run(self._enter(mode))

    @property
    def delay(self) -> float:
        """Seconds for which each answer is held back; it can be set, also for those that are being held back."""
        return self._delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        self._delay = seconds
        self._run(self._tell())

    def cut(self) -> int:
        """Close all connections there are; return how many."""
        return self._run(self._cut())

    def cut_after(self, count: int, direction: Direction, *, again: bool = False) -> None:
        """Close a connection in the middle: the one on which the byte is forwarded that makes ``count`` from now on.

        0: the one on which the next bytes come, before any of them is forwarded. Happens once, or ``again`` and
        again, always after so many bytes more, until ``spare``.
        """
        self._fuses[direction] = _Fuse(count, count, again)

    def spare(self) -> None:
        """Order no cuts any more."""
        self._fuses.clear()

    @property
    def armed(self) -> bool:
        """Whether a cut that was ordered with ``cut_after`` is still to come."""
        return bool(self._fuses)

    def _run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    # Modes

    async def _enter(self, mode: Mode) -> None:
        before, self._mode = self._mode, mode
        if before is mode:
            return
        self._fillers.close()
        await self._tell()
        if mode in {Mode.REFUSE, Mode.UNANSWERED}:
            await self._stop_listening(close=mode is Mode.REFUSE)
        else:
            await self._listen()
        if mode in {Mode.REFUSE, Mode.PAGE}:
            await self._cut()
        if mode is Mode.UNANSWERED:
            self._fill_queue()

    async def _tell(self) -> None:
        """Wake up what waits for a change of what is set."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _listen(self) -> None:
        if self._listener.fileno() < 0:
            self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listener.setblocking(False)
        self._listener.listen()
        self._loop.add_reader(self._listener, self._accept)

    async def _stop_listening(self, *, close: bool) -> None:
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)
        if close:
            self._listener.close()

    def _fill_queue(self) -> None:
        """Take the places in the queue of the listening socket, so that the kernel drops further attempts."""
        self._listener.listen(0)
        while True:
            filler = self._fillers.enter_context(socket.socket())
            filler.settimeout(HALF_OPEN_SECONDS)
            try:
                filler.connect(("127.0.0.1", self.port))
            except TimeoutError:
                return

    async def _cut(self) -> int:
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self.cuts += len(tasks)
        return len(tasks)

    # Connections

    def _accept(self) -> None:
        try:
            device, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self.connections += 1
        pair = _Pair(self.connections, device)
        task = self._loop.create_task(self._serve(pair))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        task.add_done_callback(pair.__exit__)  # it may have been cancelled before it began

    async def _serve(self, pair: _Pair) -> None:
        with pair, suppress(OSError):
            if self._is_black():
                await self._black_hole()
            elif self._mode is Mode.PAGE:
                await self._show_page(pair.device)
            else:
                await self._forward(pair)

    def _is_black(self) -> bool:
        return self._mode in {Mode.BLACK_HOLE, Mode.UNANSWERED}

    async def _black_hole(self) -> None:
        while self._is_black():
            await self._changed.wait()

    async def _forward(self, pair: _Pair) -> None:
        """Forward both ways until both sides have ended, or one breaks off."""
        await self._loop.sock_connect(pair.hub, self.hub)
        pumps = {asyncio.create_task(self._pump(pair, direction)) for direction in Direction}
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, pair: _Pair, direction: Direction) -> None:
        """Forward one way to the end. Raises ``ConnectionError`` to have the connection closed."""
        source, target = pair.ends(direction)
        while data := await self._loop.sock_recv(source, PIECE):
            if self._is_black():
                break
            await self._hold(pair, direction)
            data, is_cut = self._fused(data, direction)
            if data:
                await self._loop.sock_sendall(target, data)
                self._count(pair, direction, data)
            if is_cut:
                self.cuts += 1
                raise ConnectionAbortedError
            await self._pace(direction, len(data))
        if self._is_black():
            await self._black_hole()
            raise ConnectionAbortedError
        target.shutdown(socket.SHUT_WR)

    async def _hold(self, pair: _Pair, direction: Direction) -> None:
        """Hold back the first bytes of an answer, until the time is over or the mode or delay is set."""
        if direction is Direction.TO_HUB:
            pair.is_asked = True
        elif pair.is_asked:
            pair.is_asked = False
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._delay)

    def _fused(self, data: bytes, direction: Direction) -> tuple[bytes, bool]:
        """Return what of the bytes may still be forwarded, and whether the connection is to be cut then."""
        fuse = self._fuses.get(direction)
        if fuse is None:
            return data, False
        if fuse.left > len(data):
            fuse.left -= len(data)
            return data, False
        data = data[: fuse.left]
        fuse.left = fuse.count
        if not fuse.again:
            del self._fuses[direction]
        return data, True

    def _count(self, pair: _Pair, direction: Direction, data: bytes) -> None:
        self.crossed[direction] += len(data)
        if self._tap is not None:
            self._tap(pair.number, direction, data)

    async def _pace(self, direction: Direction, size: int) -> None:
        if self.rate is not None:
            now = self._loop.time()
            self._free[direction] = max(self._free[direction], now) + size / self.rate
            await asyncio.sleep(self._free[direction] - now)

    async def _show_page(self, device: socket.socket) -> None:
        """Read one request, whose body may be chunked, and answer it."""
        request = b""
        while not is_complete(request):
            data = await self._loop.sock_recv(device, PIECE)
            if not data:
                return
            request += data
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(PAGE)}\r\nConnection: close\r\n\r\n"
        await self._loop.sock_sendall(device, head.encode() + PAGE)


@dataclass
class _Fuse:
    """How many bytes may pass before a cut: still, and each time."""

    left: int
    count: int
    again: bool


class _Pair:
    """A connection of a device and the one to the hub; a context manager that closes both."""

    def __init__(self, number: int, device: socket.socket) -> None:
        self.number = number
        self.device = device
        self.hub = socket.socket()
        self.is_asked = False
        for end in (self.device, self.hub):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.device.close()
        self.hub.close()

    def ends(self, direction: Direction) -> tuple[socket.socket, socket.socket]:
        """Return where bytes that go there come from, and where they go."""
        return (self.device, self.hub) if direction is Direction.TO_HUB else (self.hub, self.device)


def is_complete(request: bytes) -> bool:
    """Tell whether a request over HTTP/1.1 has come to its end."""
    head, end, body = request.partition(b"\r\n\r\n")
    if not end:
        return False
    if re.search(rb"(?i)^transfer-encoding:.*chunked", head, re.MULTILINE):
        return body.endswith(b"0\r\n\r\n")
    length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
    return len(body) >= (int(length[1]) if length else 0)
