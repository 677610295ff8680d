"""Requests of strangers wait for their turn; those of devices do not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from kvassfs.server import turns as turns_module
from kvassfs.server.turns import (
    LONGEST_PAUSE,
    REFUSALS,
    InTurn,
    Pauses,
    Standing,
    Turn,
    Turns,
    distrust,
    enter_turn,
    leave_turn,
    set_standing,
    vouch_for,
)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class App:
    """Notes who has begun, and responds once it is let."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.let = asyncio.Event()
        self.vouches = False
        self.waits = False
        self.status = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            while (await receive()).get("more_body"):
                pass
            await enter_turn(scope)
        self.begun.append(scope["client"][0])
        if self.vouches:
            vouch_for(scope)
        if self.waits:
            leave_turn(scope)
        await self.let.wait()
        await send({"type": "http.response.start", "status": self.status})


def ask(app: InTurn, address: str, *, standing: Standing | None = None, body: list[Message] | None = None) -> Any:
    """Begin a request; of a ``body`` that is exhausted the rest never comes."""
    scope: dict[str, Any] = {"type": "http", "method": "GET" if body is None else "POST", "client": (address, 1)}
    if standing is not None:
        set_standing(scope, standing)

    async def receive() -> Message:
        if body:
            return body.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(_: Message) -> None:
        pass

    return asyncio.create_task(app(scope, receive, send))


def run(talk: Callable[[App, InTurn], Awaitable[None]], *, at_once: int = 2) -> App:
    async def begin() -> App:
        app = App()
        await talk(app, InTurn(app, Turns(at_once)))
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return app

    return asyncio.run(begin())


def test_a_few_are_worked_on_and_one_address_after_the_other() -> None:
    async def talk(app: App, served: InTurn) -> None:
        for address in ("a", "a", "a", "a", "b", "c", "b"):
            ask(served, address)
        await settle()
        assert app.begun == ["a", "a"]
        app.let.set()
        await settle()

    assert run(talk).begun == ["a", "a", "a", "b", "c", "a", "b"]


def test_a_device_does_not_wait() -> None:
    async def talk(app: App, served: InTurn) -> None:
        device = Standing()
        device.vouch()
        for address in ("a", "a", "a"):
            ask(served, address)
        ask(served, "device", standing=device)
        await settle()

    assert run(talk).begun == ["device", "a", "a"] or run(talk).begun == ["a", "a", "device"]


def test_a_request_that_was_sealed_counts_no_longer_and_its_connection_is_known() -> None:
    standings = [Standing() for _ in range(5)]

    async def talk(app: App, served: InTurn) -> None:
        app.vouches = True
        for standing in standings:
            ask(served, "a", standing=standing)
        await settle()

    assert len(run(talk).begun) == 5
    assert all(standing.known for standing in standings)


def test_a_body_that_is_slow_to_come_keeps_nobody_waiting() -> None:
    async def talk(app: App, served: InTurn) -> None:
        for _ in range(5):
            ask(served, "a", body=[{"type": "http.request", "body": b"x", "more_body": True}])
        await settle()
        ask(served, "b", body=[{"type": "http.request", "body": b"x", "more_body": False}])
        await settle()

    assert run(talk).begun == ["b"]


def test_whoever_has_left_takes_no_turn() -> None:
    async def talk(app: App, served: InTurn) -> None:
        for address in ("a", "a"):
            ask(served, address)
        await settle()
        gone = ask(served, "gone")
        ask(served, "b")
        await settle()
        gone.cancel()
        await settle()
        app.let.set()
        await settle()

    assert run(talk).begun == ["a", "a", "b"]


def test_one_that_takes_long_counts_no_longer() -> None:
    async def talk() -> bool:
        now = [0.0]
        turns = Turns(1, lambda: now[0])
        await Turn(turns, "a").enter()
        now[0] = 0.6
        waiting = asyncio.create_task(Turn(turns, "b").enter())
        await settle()
        return waiting.done()

    assert asyncio.run(talk())


@pytest.mark.parametrize(("status", "pauses"), [(404, True), (429, True), (200, False), (503, False)])
def test_on_a_connection_that_only_asks_for_what_is_refused_each_request_waits(status: int, pauses: bool) -> None:
    async def talk() -> bool:
        app, standing = App(), Standing()
        app.let.set()
        app.status = status
        served = InTurn(app, pauses=Pauses(3600.0))
        for _ in range(REFUSALS):
            await ask(served, "a", standing=standing)
        another = ask(served, "a", standing=standing)
        await settle()
        waits = not another.done()
        another.cancel()
        await ask(served, "a", standing=Standing())
        return waits

    assert asyncio.run(talk()) is pauses


def test_another_response_ends_the_count_of_refusals() -> None:
    standing = Standing()
    for status in [404] * REFUSALS + [200, 404]:
        standing.note_status(status)
    assert standing.refusals == 1


def test_those_that_wait_do_so_one_after_the_other_and_not_for_ever() -> None:
    now = [100.0]
    pauses = Pauses(1.0, 0.5, lambda: now[0])
    assert [pauses.choose() for _ in range(3)] == [1.0, 1.5, 2.0]
    now[0] += 10
    assert pauses.choose() == 1.0
    assert max(pauses.choose() for _ in range(200)) == LONGEST_PAUSE


def test_who_sends_what_was_recorded_is_no_device_and_waits() -> None:
    async def talk() -> None:
        app = App()
        phases: list[tuple[bool, bool]] = []
        standing = Standing(lambda: phases.append((standing.known, standing.paused)))
        app.let.set()
        app.status = 429
        standing.vouch()
        scope: dict[str, Any] = {}
        distrust(scope)
        set_standing(scope, standing)
        distrust(scope)
        served = InTurn(app, pauses=Pauses(3600.0))
        another = ask(served, "a", standing=standing)
        await settle()
        assert (another.done(), standing.paused) == (False, True)
        app.status = 200
        await ask(served, "a", standing=standing)  # what is not refused waits for nothing
        standing.leave()
        await another
        assert phases == [(True, False), (False, False), (False, True), (False, False)]

    asyncio.run(talk())


def test_who_waits_gets_a_turn_again_and_again_however_long_others_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "LONGEST", 0.02)

    async def talk(app: App, served: InTurn) -> None:
        for number in range(6):
            ask(served, f"{number}")
        while len(app.begun) < 6:
            await asyncio.sleep(0.01)

    assert len(run(talk, at_once=1).begun) == 6


def test_a_connection_of_a_proxy_is_nobodys() -> None:
    standing = Standing()
    scope: dict[str, Any] = {"headers": [(b"x-forwarded-for", b"192.0.2.1")]}
    set_standing(scope, standing)
    vouch_for(scope)
    assert not standing.known


def test_who_waits_for_what_comes_leaves_its_turn() -> None:
    async def talk(app: App, served: InTurn) -> None:
        app.waits = True
        for address in ("a", "b", "c"):
            ask(served, address)
        await settle()

    assert run(talk, at_once=1).begun == ["a", "b", "c"]


def test_standing_is_told_once() -> None:
    told: list[bool] = []
    standing = Standing(lambda: told.append(standing.known))
    standing.vouch()
    standing.vouch()
    assert told == [True]
    vouch_for({})
