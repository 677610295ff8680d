"""kvassfs.server.bodies: what is received before it is known whose it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from kvassfs.server import bodies as bodies_module
from kvassfs.server.bodies import SHORT, Bodies, Body, BodyLimits, choose_victim
from kvassfs.server.pace import Turns
from kvassfs.server.turns import InTurn
from kvassfs.server.turns import Turns as RequestTurns

SECONDS = 60.0
PIECE = bytes(range(256)) * 256
LIMIT = 64 * SHORT


def body(place: str, *, memory: int = 0, disk: int = 0, known: bool = False) -> Body:
    made = Body(place)
    made.in_memory, made.on_disk, made.is_known = memory, disk, known
    return made


@pytest.mark.parametrize(
    ("bodies", "victim"),
    [
        ([], None),
        ([body("a")], None),
        ([body("a", memory=1), body("a", memory=9)], 0),  # of one place the oldest, not the largest
        ([body("a", memory=5), body("b", memory=3), body("b", disk=3)], 1),  # of the place that takes the most
        ([body("a"), body("a", disk=1)], 1),
        ([body("a", disk=9, known=True), body("b", disk=1)], 1),  # what is a device's stays
        ([body("a", disk=9, known=True)], None),
    ],
)
def test_the_place_that_takes_the_most_gives_up_its_oldest(bodies: list[Body], victim: int | None) -> None:
    assert choose_victim(bodies) is (None if victim is None else bodies[victim])


class Sender:
    """A request whose body comes as it is told to."""

    def __init__(self, place: str = "192.0.2.1", **headers: str) -> None:
        self._pieces: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.request = Request(
            {
                "type": "http",
                "client": (place, 4711),
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            },
            self._pieces.get,
        )

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._pieces.put_nowait({"type": "http.request", "body": piece, "more_body": True})

    def end(self, *pieces: bytes) -> None:
        self.send(*pieces)
        self.end_with(b"")

    def end_with(self, piece: bytes) -> None:
        self._pieces.put_nowait({"type": "http.request", "body": piece, "more_body": False})


@asynccontextmanager
async def receiving(folder: Path, **limits: Any) -> AsyncIterator[Bodies]:
    bodies = Bodies(str(folder), BodyLimits(**limits))
    async with bodies.run(SECONDS):
        yield bodies


async def receive(bodies: Bodies, sender: Sender, *, timeout: float = SECONDS) -> bytes:
    async with bodies.receive(sender.request, LIMIT, timeout) as received:
        assert len(received) == received.received
        return received.read_all()


async def status(task: Awaitable[bytes]) -> int:
    try:
        await task
    except HTTPException as refusal:
        return refusal.status_code
    return 200


def run(talk: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(SECONDS):
            await talk()

    asyncio.run(limited())


async def settle(bodies: Bodies, room: tuple[int, int]) -> None:
    """Wait until so many bytes are in memory and on the disk."""
    while (bodies.in_memory, bodies.on_disk) != room:
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("size", [0, 1, SHORT, SHORT + 1, 3 * SHORT])
def test_a_body_of_any_length_is_what_was_sent_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    sent = (PIECE * (size // len(PIECE) + 1))[:size]

    async def talk() -> None:
        async with receiving(tmp_path) as bodies:
            sender = Sender()
            sender.end(*(sent[start : start + 50_000] for start in range(0, size, 50_000)))
            async with bodies.receive(sender.request, LIMIT, SECONDS) as received:
                assert received.read_all() == sent
                assert (bodies.in_memory, bodies.on_disk) == ((size, 0) if size <= SHORT else (0, size))
            assert (bodies.in_memory, bodies.on_disk) == (0, 0)

    run(talk)
    assert not list(tmp_path.iterdir())


def test_what_finds_no_room_in_memory_waits_in_a_file(tmp_path: Path) -> None:
    async def talk() -> None:
        async with receiving(tmp_path, memory=100_000) as bodies:
            first, second = Sender(), Sender()
            first.send(PIECE)
            held = asyncio.create_task(receive(bodies, first))
            await settle(bodies, (len(PIECE), 0))
            second.send(PIECE)
            spooled = asyncio.create_task(receive(bodies, second))
            await settle(bodies, (len(PIECE), len(PIECE)))
            second.end(b"end")
            assert await spooled == PIECE + b"end"
            first.end()
            assert await held == PIECE

    run(talk)


def test_a_long_body_takes_a_turn_among_requests_only_once_it_is_complete(tmp_path: Path) -> None:
    """While its last piece waits behind those of other bodies, shorter requests are worked on."""

    async def talk() -> None:
        begun: list[str] = []
        turns = RequestTurns(1, lambda: 0.0)
        slow = Turns(rate=1, burst=0)

        async def app(scope: Scope, receive: Receive, _: Send) -> None:
            async with bodies.receive(Request(scope, receive), LIMIT, SECONDS):
                begun.append(scope["client"][0])

        async def send(_: Message) -> None:
            raise AssertionError

        bodies = Bodies(str(tmp_path), turns=slow)
        async with bodies.run(SECONDS):
            served = InTurn(app, turns)
            longs = [asyncio.create_task(served(*sent(f"long {number}", PIECE + b"x"), send)) for number in range(3)]
            while slow.bodies < len(longs) - 1:
                await asyncio.sleep(0.001)
            await served(*sent("short", b"x"), send)
            assert begun[-1] == "short"
            for task in longs:
                task.cancel()
            await asyncio.gather(*longs, return_exceptions=True)

    def sent(place: str, body: bytes) -> tuple[Scope, Receive]:
        sender = Sender(place)
        sender.end_with(body)
        return {**sender.request.scope, "method": "POST"}, sender.request.receive

    run(talk)


def test_the_oldest_is_refused_where_there_is_no_room_in_files(tmp_path: Path) -> None:
    async def talk() -> None:
        async with receiving(tmp_path, memory=0, disk=2 * len(PIECE)) as bodies:
            oldest, old, new = Sender(), Sender(), Sender()
            tasks = []
            for number, sender in enumerate((oldest, old), 1):
                sender.send(PIECE)
                tasks.append(asyncio.create_task(receive(bodies, sender)))
                await settle(bodies, (0, number * len(PIECE)))
            new.end(PIECE)
            assert await receive(bodies, new) == PIECE
            assert not tasks[0].done()  # its client reads no answer before it has sent everything
            oldest.end(PIECE)
            assert await status(tasks[0]) == 503
            old.end()
            assert await status(tasks[1]) == 200

    run(talk)


def test_a_body_alone_that_is_too_much_is_refused_and_when_to_come_again(tmp_path: Path) -> None:
    async def talk() -> None:
        async with receiving(tmp_path, memory=0, disk=10) as bodies:
            sender = Sender()
            sender.end(PIECE)
            with pytest.raises(HTTPException, match="try again soon") as refused:
                await receive(bodies, sender)
            assert refused.value.status_code == 503
            assert refused.value.headers == {"Retry-After": "10"}
            assert (bodies.in_memory, bodies.on_disk) == (0, 0)

    run(talk)


def test_on_a_full_disk_short_bodies_go_on_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bodies_module, "SpoolFile", fail)

    async def talk() -> None:
        async with receiving(tmp_path, memory=100_000) as bodies:
            held, short, long = Sender(), Sender(), Sender()
            held.send(PIECE)
            holder = asyncio.create_task(receive(bodies, held))
            await settle(bodies, (len(PIECE), 0))
            short.end(PIECE)
            assert await receive(bodies, short) == PIECE
            held.end()
            assert await status(holder) == 503
            long.end(*[PIECE] * (SHORT // len(PIECE) + 1))
            assert await status(receive(bodies, long)) == 503
            assert (bodies.in_memory, bodies.on_disk) == (0, 0)

    with caplog.at_level(logging.WARNING, "kvassfs"):
        run(talk)
    assert caplog.messages[0] == f"what is sent to the hub cannot be kept in {tmp_path}: No space left on device"


def test_what_others_took_the_room_of_is_not_read_any_more(tmp_path: Path) -> None:
    async def talk() -> None:
        async with receiving(tmp_path, memory=0, disk=len(PIECE)) as bodies:
            complete, new = Sender(), Sender()
            complete.end(PIECE)
            async with bodies.receive(complete.request, LIMIT, SECONDS) as waiting:
                new.end(PIECE)
                assert await receive(bodies, new) == PIECE
                with pytest.raises(HTTPException, match="try again soon"):
                    waiting.read(0, 10)

    run(talk)


def test_what_is_known_to_be_a_devices_keeps_its_room(tmp_path: Path) -> None:
    async def talk() -> None:
        async with receiving(tmp_path, memory=0, disk=len(PIECE)) as bodies:
            known, new = Sender(), Sender()
            known.end(PIECE)
            async with bodies.receive(known.request, LIMIT, SECONDS) as kept:
                kept.is_known = True
                new.end(PIECE)
                assert await status(receive(bodies, new)) == 503
                assert kept.read_all() == PIECE

    run(talk)


def test_long_bodies_take_turns_as_long_as_they_are_there(tmp_path: Path) -> None:
    async def talk() -> None:
        turns = Turns()
        bodies = Bodies(str(tmp_path), turns=turns)
        async with bodies.run(SECONDS):
            short, long = Sender(), Sender()
            short.end(PIECE[:100])
            long.end(PIECE, PIECE)
            async with (
                bodies.receive(short.request, LIMIT, SECONDS),
                bodies.receive(long.request, LIMIT, SECONDS),
            ):
                assert turns.bodies == 1
            assert turns.bodies == 0

    run(talk)


@pytest.mark.parametrize("limits", [{"least_rate": 1e6}, {"total_time": 0.05}], ids=["slow", "long"])
def test_who_sends_too_slowly_or_too_long_is_given_up(tmp_path: Path, limits: dict[str, float]) -> None:
    async def talk() -> None:
        async with receiving(tmp_path, **limits) as bodies:
            sender = Sender()

            async def trickle() -> None:
                while True:
                    sender.send(b"x")
                    await asyncio.sleep(0.005)

            trickling = asyncio.create_task(trickle())
            timeout = 0.05 if "least_rate" in limits else SECONDS
            assert await status(receive(bodies, sender, timeout=timeout)) == 408
            trickling.cancel()

    run(talk)
