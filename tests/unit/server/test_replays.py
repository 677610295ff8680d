"""kvassfs.server.replays: a message shows that a device is there, once."""

from __future__ import annotations

from typing import Any

from kvassfs.server.bodies import Body
from kvassfs.server.replays import Replays
from kvassfs.server.turns import Standing, set_standing
from kvassfs.sync.seal import Seal, read_mark
from tests.support.replicas import KEY


def vouched(replays: Replays, mark: bytes) -> bool:
    standing = Standing()
    scope: dict[str, Any] = {}
    set_standing(scope, standing)
    replays.vouch_if_new(scope, mark)
    return standing.known


def test_a_message_that_comes_again_vouches_for_nobody() -> None:
    replays = Replays()
    assert [vouched(replays, mark) for mark in (b"one", b"one", b"two", b"one")] == [True, False, True, False]


def test_the_latest_ones_are_known() -> None:
    replays = Replays(remembered=2)
    assert all(vouched(replays, mark) for mark in (b"1", b"2", b"3", b"1"))
    assert not vouched(replays, b"3")


def test_each_message_has_a_mark_of_its_own() -> None:
    def mark(data: bytes) -> bytes:
        body = Body("place")
        body.received = len(data)
        body.take_back(data)
        return read_mark(body)

    sealed = Seal(KEY).seal(b"message")
    assert mark(sealed) == mark(sealed) == sealed[:12] + sealed[-16:]
    assert mark(Seal(KEY).seal(b"message")) != mark(sealed)
    assert len(mark(b"")) == 0
