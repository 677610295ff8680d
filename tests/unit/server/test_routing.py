"""The route table: one handler for each path, and a response to every failure before the first byte is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp

from kvassfs.errors import StoreBusy
from kvassfs.server.routing import Route, RouteTable
from tests.unit.server.driver import Answer, ask


@asynccontextmanager
async def nothing(_: object) -> AsyncIterator[None]:
    yield


async def name_path(request: Request) -> ASGIApp:
    return PlainTextResponse(request.url.path)


async def fail(_: Request) -> ASGIApp:
    raise StoreBusy("/db")


async def fail_unexpectedly(_: Request) -> ASGIApp:
    raise ValueError("a bug")


async def fail_while_sending(_: Request) -> ASGIApp:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"begun"
        raise StoreBusy("/db")

    return StreamingResponse(pieces())


TABLE = RouteTable(
    {
        "/one": Route.of(name_path, "GET"),
        "/other": Route.of(name_path, "GET", "POST"),
        "/failing": Route.of(fail, "POST"),
        "/broken": Route.of(fail_unexpectedly, "POST"),
        "/breaking-off": Route.of(fail_while_sending, "POST"),
    },
    nothing,
)


def request(path: str, method: str) -> Answer:
    return asyncio.run(ask(TABLE, path, method=method))


@pytest.mark.parametrize(("path", "method"), [("/one", "GET"), ("/one", "HEAD"), ("/other", "GET"), ("/other", "POST")])
def test_a_request_goes_to_the_handler_of_its_path(path: str, method: str) -> None:
    answer = request(path, method)
    assert (answer.status, answer.body) == (200, path.encode())


@pytest.mark.parametrize("path", ["", "/", "/on", "/one/", "/ONE", "/one\n", "//one"])
def test_other_paths_have_no_handler(path: str) -> None:
    assert request(path, "GET").status == 404


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [("/one", "POST", "GET, HEAD"), ("/other", "PUT", "GET, HEAD, POST"), ("/failing", "HEAD", "POST")],
)
def test_another_method_is_told_those_that_there_are(path: str, method: str, allowed: str) -> None:
    answer = request(path, method)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


def test_an_expected_failure_has_a_response() -> None:
    assert request("/failing", "POST").status == 503


def test_an_unexpected_failure_is_raised() -> None:
    with pytest.raises(ValueError, match="a bug"):
        request("/broken", "POST")


def test_a_failure_while_a_response_is_sent_is_raised() -> None:
    with pytest.raises(StoreBusy):
        request("/breaking-off", "POST")
