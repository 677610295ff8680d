"""kvassfs.server.protocol: how connections end, without a network; tests/hostile has the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

from kvassfs.server.admission import ConnectionLimits, Phase
from kvassfs.server.connections import Connections
from kvassfs.server.protocol import DISCARDED, HubProtocol
from tests.hostile.test_http_fuzz import Wire

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def talk(conversation: Callable[[HubProtocol, Wire], Awaitable[None]], **limits: Any) -> Wire:
    """Have a conversation on a new connection, which is answered with one word."""

    async def run() -> Wire:
        configuration = uvicorn.Config(PlainTextResponse("word"), http="httptools", ws="none", log_config=None)
        configuration.load()
        connections = Connections(ConnectionLimits(**limits))
        protocol = HubProtocol(connections=connections, config=configuration, server_state=ServerState(), app_state={})
        wire = Wire(slowly=False)
        wire.begin(protocol)
        await conversation(protocol, wire)
        wire.close()
        await asyncio.sleep(0)
        return wire

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("sent", "phase", "said", "aborted"),
    [
        (b"GET /", Phase.HEAD, b"HTTP/1.1 408 ", False),
        (b"", Phase.HEAD, b"", False),
        (b"", Phase.IDLE, b"", False),
        (b"", Phase.LEAVING, b"", True),
    ],
)
def test_who_takes_too_long_is_told_where_a_request_has_begun(
    sent: bytes, phase: Phase, said: bytes, aborted: bool
) -> None:
    async def expire(protocol: HubProtocol, _: Wire) -> None:
        if sent:
            protocol.data_received(sent)
        protocol.expire(phase)

    wire = talk(expire)
    assert bytes(wire.sent[: len(said)]) == said
    assert bool(wire.sent) == bool(said)
    assert wire.aborted is aborted


def test_a_connection_too_many_is_told_so() -> None:
    async def send(protocol: HubProtocol, wire: Wire) -> None:
        assert wire.is_closing()
        protocol.data_received(REQUEST)  # it has not been closed yet

    assert talk(send, per_address=1, capacity=0).sent.startswith(b"HTTP/1.1 503 ")


def test_what_follows_a_refusal_is_thrown_away_and_then_cut() -> None:
    async def send(protocol: HubProtocol, wire: Wire) -> None:
        protocol.data_received(b"\0\0\0\0\r\n\r\n")
        while not wire.is_closing():
            protocol.data_received(bytes(DISCARDED // 4))

    wire = talk(send)
    assert wire.sent.startswith(b"HTTP/1.1 400 ")
    assert wire.aborted


def test_a_request_is_answered_and_nothing_is_unsent() -> None:
    async def send(protocol: HubProtocol, wire: Wire) -> None:
        protocol.data_received(REQUEST)
        while b"word" not in wire.sent:
            await asyncio.sleep(0)
        assert protocol.count_unsent() == 0
        protocol.pause_writing()
        protocol.resume_writing()

    assert talk(send).sent.startswith(b"HTTP/1.1 200 ")
