"""Pulls that wait: none twice, and at most a few of one device."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest
from starlette.exceptions import HTTPException

from kvassfs.server.polls import Polls


async def wait_for(polls: Polls, stack: ExitStack, body: bytes, device: int) -> asyncio.Future[None]:
    return stack.enter_context(polls.wait(polls.check(body), ("", device)))


def test_a_pull_that_waited_is_refused_when_it_comes_again() -> None:
    async def talk() -> None:
        polls = Polls()
        digest = polls.check(b"body")
        assert polls.check(b"body") == digest  # it has not waited
        with polls.wait(digest, ("", 1)), pytest.raises(HTTPException) as raised:
            polls.check(b"body")
        assert (raised.value.status_code, raised.value.headers) == (429, {"Retry-After": "1"})
        with pytest.raises(HTTPException):
            polls.check(b"body")
        with pytest.raises(HTTPException), polls.wait(digest, ("", 1)):  # both were checked before either waited
            pass
        polls.check(b"another")

    asyncio.run(talk())


def test_the_oldest_of_one_device_ends_early_and_no_other() -> None:
    async def talk() -> list[bool]:
        polls = Polls(of_one_device=2)
        with ExitStack() as stack:
            ended = [
                await wait_for(polls, stack, b"%d" % number, device) for number, device in enumerate((1, 2, 1, 1, 2))
            ]
            return [each.done() for each in ended]

    assert asyncio.run(talk()) == [True, False, False, False, False]


def test_one_that_has_ended_makes_room() -> None:
    async def talk() -> bool:
        polls = Polls(of_one_device=1)
        for number in range(3):
            with polls.wait(polls.check(b"%d" % number), ("", 1)) as ended:
                if ended.done():
                    return True
        return False

    assert not asyncio.run(talk())


def test_no_more_are_remembered_than_there_is_room_for() -> None:
    async def talk() -> None:
        polls = Polls(remembered=2)
        for body in (b"1", b"2", b"3"):
            with polls.wait(polls.check(body), ("", 1)):
                pass
        polls.check(b"1")
        with pytest.raises(HTTPException):
            polls.check(b"2")

    asyncio.run(talk())
