"""Bodies of requests as long as nobody knows whose they are: little in memory, the rest in files, and all of it bounded."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from .admission import find_place
from .failures import CLOSE
from .pace import FREE, Pace, Turns
from .spool import SpoolFile
from .turns import enter_turn, is_known
from .workers import Worker

log = logging.getLogger(__name__)

MEMORY: Final = 64 * 1024 * 1024
"""Bytes of all bodies together that are in memory before it is known whose they are."""

DISK: Final = 1024 * 1024 * 1024
"""Bytes of all of them that are in temporary files."""

SHORT: Final = 2 * 1024 * 1024
"""Bytes of the longest body that stays in memory: pages of devices are shorter."""

GATHERED: Final = 256 * 1024
"""Bytes that go to a file in one write, where they come in small pieces."""

RETRY_AFTER: Final = 10
"""Seconds after which a client may try again that found no room."""


@dataclass(frozen=True)
class BodyLimits:
    """What bodies may take, all of them together, and how long one may.

    Attributes:
        memory: bytes in memory.
        disk: bytes in temporary files; never more than half of what was free there.
        least_rate: bytes a second that must come in the long run.
        total_time: seconds that one may take.
    """

    memory: int = MEMORY
    disk: int = DISK
    least_rate: float = 1024.0
    total_time: float = 3600.0


DEFAULT_LIMITS: Final = BodyLimits()


class Body:
    """The body of one request: complete, of ``len`` bytes, once it is handed out. ``place`` is where it comes from.

    Any thread may read it. It may be refused meanwhile, because others need the room.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.received = 0
        self.in_memory = 0
        self.on_disk = 0
        self.takes_turns = False
        """It is long, and goes on when it is its turn."""
        self.is_known = False
        """It is known to be from a device, and keeps its room."""
        self.refusal: HTTPException | None = None
        self._memory = bytearray()
        self._file: SpoolFile | None = None

    def __len__(self) -> int:
        """Return its length in bytes."""
        return self.received

    def read(self, start: int, size: int) -> bytes:
        """Return ``size`` bytes of it from ``start`` on; fewer at the end.

        Raises:
            HTTPException: it was refused.
        """
        file, memory = self._file, self._memory
        data = bytes(memoryview(memory)[start : start + size]) if file is None else file.read(start, size)
        self.check_kept()  # afterwards: what is there goes any time, but the refusal is noted before
        return data

    def read_all(self) -> bytes:
        """Return all of it, as ``read`` does."""
        return self.read(0, self.received)

    def check_kept(self) -> None:
        """Return if it is still there.

        Raises:
            HTTPException: it was refused, and why.
        """
        if self.refusal is not None:
            raise self.refusal

    @property
    def room(self) -> int:
        """How many bytes it takes."""
        return self.in_memory + self.on_disk

    @property
    def is_in_file(self) -> bool:
        """Whether it is in a file, but for what has come since the last write."""
        return self._file is not None

    def gather(self, piece: bytes) -> None:
        """Add a piece in memory."""
        self._memory += piece
        self.in_memory += len(piece)

    def take_gathered(self) -> bytes:
        """Return what is in memory, which is to be written; it counts as being there until it is."""
        gathered, self._memory = bytes(self._memory), bytearray()
        return gathered

    def take_back(self, data: bytes) -> None:
        """Keep in memory what could not be written."""
        self._memory += data

    def note_written(self, file: SpoolFile, size: int) -> None:
        """Note that so many bytes went from memory to the file."""
        self._file = file
        self.in_memory -= size

    def let_go(self) -> SpoolFile | None:
        """Take no room any more, and return the file, which closes with the last reference to it."""
        file, self._file = self._file, None
        self._memory = bytearray()
        self.in_memory = self.on_disk = 0
        return file

    def spool_to(self, directory: str, data: bytes, spooled: int) -> SpoolFile:
        """Write at the end of its file, which is made if there is none; for the thread that writes."""
        file = self._file or SpoolFile(directory)
        file.append(data, spooled)
        return file


def choose_victim(bodies: Iterable[Body]) -> Body | None:
    """Return the body that has to give its room to others: of the place whose bodies take the most, the oldest.

    ``bodies`` are in the order in which they began. ``None``: no body that takes room is of somebody unknown.
    """
    unknown = [body for body in bodies if body.room and not body.is_known]
    taken: Counter[str] = Counter()
    for body in unknown:
        taken[body.place] += body.room
    return max(unknown, key=lambda body: taken[body.place], default=None)


def _no_room() -> HTTPException:
    return HTTPException(503, "too much is being sent to this hub; try again soon", {"Retry-After": str(RETRY_AFTER)})


class Bodies:
    """Receives bodies; those that do not fit into memory go to files in ``directory``. For the event loop's thread."""

    def __init__(self, directory: str, limits: BodyLimits = DEFAULT_LIMITS, turns: Turns | None = None) -> None:
        self._directory = directory
        self._limits = limits
        self._turns = turns or Turns()
        self._bodies: dict[Body, None] = {}
        self.in_memory = 0
        """Bytes of all bodies in memory."""
        self.on_disk = 0
        """Bytes of all of them in files."""
        self._writer: Worker[None]

    @asynccontextmanager
    async def run(self, timeout: float) -> AsyncIterator[None]:
        """``async with`` the thread that writes the files, which has ``timeout`` seconds to end in."""
        self._writer = Worker(nullcontext)
        try:
            yield
        finally:
            self._writer.end()
            await asyncio.to_thread(self._writer.join, timeout)

    @asynccontextmanager
    async def receive(self, request: Request, limit: int, timeout: float) -> AsyncIterator[Body]:
        """``async with`` the body of a request, whose room is free again afterwards.

        The rest of a body that is refused is received and thrown away, of one that is too long up to another ``limit``:
        clients, and proxies even more, lose a response that comes while they still send.

        Raises:
            HTTPException: it is longer than ``limit`` bytes, comes too slowly, not for ``timeout`` seconds, or there is no
                room for it.
            ClientDisconnect: the client has closed the connection.
        """
        body = Body(find_place(request.client.host if request.client else ""))
        self._bodies[body] = None
        try:
            await self._fill(body, request, limit, timeout)
            yield body
        finally:
            del self._bodies[body]
            self._turns.bodies -= body.takes_turns
            self._let_go(body)

    async def _fill(self, body: Body, request: Request, limit: int, timeout: float) -> None:
        too_long = HTTPException(413, f"the message is longer than the {limit} bytes that this hub takes")
        announced = int(request.headers.get("content-length", 0))
        if announced > 2 * limit:
            raise too_long
        loop = asyncio.get_running_loop()
        limits = self._limits
        pace = Pace(loop.time(), timeout=timeout, least_rate=limits.least_rate, total=limits.total_time)
        more = True
        while more:
            piece, more = await _receive_piece(request, pace.deadline)
            begun = loop.time()
            pace.note(len(piece), begun)
            body.received += len(piece)
            if body.received > 2 * limit:
                raise too_long
            if max(body.received, announced) > limit:
                self._refuse(body, too_long)
            await self._add(body, piece)
            if body.received > FREE and not is_known(request.scope):
                self._note_long(body)
                await self._turns.wait(body.received, len(piece))
            pace.excuse(loop.time() - begun)
        if body.is_in_file and body.in_memory:
            await self._spool(body)
        body.check_kept()
        await enter_turn(request.scope)
        body.check_kept()

    def _note_long(self, body: Body) -> None:
        if not body.takes_turns:
            body.takes_turns = True
            self._turns.bodies += 1

    async def _add(self, body: Body, piece: bytes) -> None:
        """Keep a piece of a body that is not refused; it may be so then."""
        if body.refusal is not None or not piece:
            return
        stays = body.in_memory + len(piece) <= GATHERED if body.is_in_file else body.received <= SHORT
        fits = self.in_memory + len(piece) <= self._limits.memory
        body.gather(piece)
        self.in_memory += len(piece)
        if not (stays and fits):
            await self._spool(body)

    async def _spool(self, body: Body) -> None:
        """Write what is in memory of a body to its file; a short one stays there if that cannot be written."""
        data = body.take_gathered()
        if not self._make_room(body, on_disk=len(data)):
            self._refuse(body, _no_room())
            return
        self.on_disk += len(data)
        body.on_disk += len(data)
        try:
            file = await self._writer.run(lambda _: body.spool_to(self._directory, data, self.on_disk))
        except OSError as error:
            log.warning("what is sent to the hub cannot be kept in %s: %s", self._directory, error.strerror)
            self._keep_in_memory(body, data)
            return
        if body.refusal is None:
            body.note_written(file, len(data))
            self.in_memory -= len(data)

    def _keep_in_memory(self, body: Body, data: bytes) -> None:
        if body.refusal is not None:
            return
        self.on_disk -= len(data)
        body.on_disk -= len(data)
        if body.is_in_file or body.received > SHORT or not self._make_room(body):
            self._refuse(body, _no_room())
        else:
            body.take_back(data)

    def _make_room(self, body: Body, *, on_disk: int = 0) -> bool:
        """Refuse others until there is room for a body in memory, or ``on_disk``; return False if it has to go itself."""
        while self.on_disk + on_disk > self._limits.disk if on_disk else self.in_memory > self._limits.memory:
            victim = choose_victim(self._bodies)
            if victim is None or victim is body:
                return False
            self._refuse(victim, _no_room())
        return True

    def _refuse(self, body: Body, refusal: HTTPException) -> None:
        """Have what is there of a body, and what is still to come, thrown away."""
        body.refusal = body.refusal or refusal
        self._let_go(body)

    def _let_go(self, body: Body) -> None:
        self.in_memory -= body.in_memory
        self.on_disk -= body.on_disk
        file = body.let_go()
        if file is not None:
            # To give back a long file takes a while: the thread that writes does it, unless another one still reads.
            self._writer.submit(partial(_forget, [file]))
            del file


def _forget(files: list[SpoolFile], _: None) -> None:
    files.clear()


async def _receive_piece(request: Request, deadline: float) -> tuple[bytes, bool]:
    """Return the next piece of the body, and whether there are more."""
    try:
        async with asyncio.timeout_at(deadline):
            message = await request.receive()
    except TimeoutError:
        raise HTTPException(408, "the rest of the message did not arrive", CLOSE) from None
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)
