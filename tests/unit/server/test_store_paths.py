"""kvassfs.server.store_paths: which store a request is for, by its path."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from kvassfs.keeping.store_names import is_store_name, name_store
from kvassfs.server.homes import store_of
from kvassfs.server.store_paths import StorePaths, split_path

LONGEST = "n" * 64


@pytest.mark.parametrize(
    ("path", "name", "rest"),
    [
        ("/s/family/push", "family", "/push"),
        ("/s/family/", "family", "/"),
        ("/s/family//get", "family", "//get"),
        ("/s/family/s/other/get", "family", "/s/other/get"),
        ("/s/A.b_c~d-1/get", "A.b_c~d-1", "/get"),
        (f"/s/{LONGEST}/get", LONGEST, "/get"),
        ("/s/family", None, "/s/family"),
        ("/s/", None, "/s/"),
        ("/s//get", None, "/s//get"),
        ("/s/../get", None, "/s/../get"),
        ("/s/./get", None, "/s/./get"),
        ("/s/-family/get", None, "/s/-family/get"),
        ("/s/fa mily/get", None, "/s/fa mily/get"),
        ("/s/famíly/get", None, "/s/famíly/get"),
        ("/s/family\n/get", None, "/s/family\n/get"),
        (f"/s/{LONGEST}n/get", None, f"/s/{LONGEST}n/get"),
        ("/S/family/get", None, "/S/family/get"),
        ("s/family/get", None, "s/family/get"),
        ("/push", None, "/push"),
        ("", None, ""),
    ],
)
def test_paths_are_split(path: str, name: str | None, rest: str) -> None:
    assert split_path(path) == (name, rest)


def test_names_that_differ_are_different_stores() -> None:
    names = ["family", "Family", "family.", "family-", LONGEST, LONGEST[:-1]]
    assert all(map(is_store_name, names))
    assert len({name_store(name) for name in names}) == len(names)


def respond(scope: dict[str, Any]) -> tuple[str, str, str]:
    """Return which application got a request, with which path and store."""
    got: list[tuple[str, str, str]] = []

    def application(name: str) -> Any:
        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            got.append((name, scope.get("path", ""), store_of(scope)))

        return run

    async def nothing(*_: object) -> Any:
        return {}

    asyncio.run(StorePaths(application("store"), application("beside"))(scope, nothing, nothing))
    ((name, path, store),) = got
    return name, path, store


def test_a_request_below_a_store_gets_there_with_its_name() -> None:
    assert respond({"type": "http", "path": "/s/family/push"}) == ("store", "/push", str(name_store("family")))


def test_other_requests_stay_as_they_are() -> None:
    assert respond({"type": "http", "path": "/health"}) == ("beside", "/health", "")
    assert respond({"type": "http", "path": "/s/family"}) == ("beside", "/s/family", "")
    assert respond({"type": "lifespan"}) == ("beside", "", "")
