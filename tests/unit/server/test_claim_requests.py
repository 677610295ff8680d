"""kvassfs.server.claim_requests: a first device gives a store its key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from kvassfs.errors import StoreError
from kvassfs.keeping.store_names import name_store
from kvassfs.pairing.claim import MAX_CLAIM, MAX_CODE, Claim, encode_claim
from kvassfs.server.application import Service
from kvassfs.server.homes import FileHome
from kvassfs.server.pair_requests import TRIES_OF_ONE
from kvassfs.store import Store
from kvassfs.sync.messages import compute_digest
from kvassfs.sync.seal import Seal
from tests.unit.server.driver import Answer, ask, served

SECONDS = 60.0
KEY = bytes(range(32))
PATH = "/s/family/claim"


class Home(FileHome):
    """A home whose store ``family`` the code ``code`` claims."""

    failure: Exception | None = None

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.asked: list[tuple[UUID, str]] = []
        self.key = b""

    @contextmanager
    def open_stores(self) -> Iterator[Home]:  # type: ignore[override]
        yield self

    def claim(self, store: UUID, code: str, key: bytes) -> bool:
        self.asked.append((store, code))
        if self.failure is not None:
            raise self.failure
        if store != name_store("family") or code != "code" or self.key not in {b"", key}:
            return False
        self.key = key
        return True


@pytest.fixture
def home(tmp_path: Path) -> Home:
    with Store.open(tmp_path / "db.sqlite"):
        pass
    return Home(str(tmp_path / "db.sqlite"))


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(SECONDS):
            return await coroutine

    return asyncio.run(limited())


def posted(home: Home, *bodies: bytes, path: str = PATH, **options: Any) -> list[Answer]:
    """Return the answers to requests, one after another."""

    async def post() -> list[Answer]:
        async with served(Service(home)) as app:
            return [await ask(app, path, body, **options) for body in bodies]

    answers: list[Answer] = run(post())
    return answers


def claim(code: str = "code", key: bytes = KEY) -> bytes:
    return encode_claim(Claim(code, key))


def test_a_claim_gives_the_store_its_key(home: Home) -> None:
    body = claim()
    (answer,) = posted(home, body)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "no-store"
    assert json.loads(Seal(KEY).unseal(answer.body)) == {"Type": "claim response", "Request": compute_digest(body)}
    assert (home.asked, home.key) == ([(name_store("family"), "code")], KEY)


def test_again_with_the_same_key_is_answered_alike(home: Home) -> None:
    assert [answer.status for answer in posted(home, claim(), claim(), claim(key=KEY[::-1]))] == [200, 200, 410]


def test_a_wrong_code_is_answered_as_a_store_that_is_not_there(home: Home) -> None:
    (wrong,) = posted(home, claim("wrong"))
    (elsewhere,) = posted(home, claim(), path="/s/other/claim")
    assert wrong.status == 410
    assert wrong == elsewhere


def test_whoever_tries_many_codes_has_to_wait(home: Home) -> None:
    answers = posted(home, *[claim(f"wrong {number}") for number in range(TRIES_OF_ONE)], claim())
    assert {answer.status for answer in answers[:-1]} == {410}
    assert answers[-1].status == 429
    assert home.key == b""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        claim().replace(b'"claim"', b'"other"'),
        claim(key=KEY[:-1]),
        claim("c" * (MAX_CODE + 1)),
        claim().replace(b'"code"', b'"\\ud800"'),  # no text that can be encoded
        claim().replace(b'"code"', b"17"),
        claim().replace(b'"code"', b"null"),
    ],
    ids=["empty", "array", "no fields", "kind", "short key", "long code", "surrogate", "number", "null"],
)
def test_what_is_no_claim_is_refused_before_anything_is_asked(home: Home, body: bytes) -> None:
    (answer,) = posted(home, body)
    assert answer.status == 400
    assert home.asked == []


def test_a_claim_has_a_length(home: Home) -> None:
    (answer,) = posted(home, claim() + b" " * MAX_CLAIM)
    assert (answer.status, home.asked) == (413, [])


def test_a_database_that_fails_is_told_without_what_was_sent(home: Home) -> None:
    home.failure = StoreError("postgresql://db/kvass", "the database fails")
    (answer,) = posted(home, claim())
    assert answer.status == 503
    assert b"postgresql" not in answer.body
    assert home.key == b""


def test_claims_are_posted(home: Home) -> None:
    (answer,) = posted(home, b"", method="GET")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_there_is_nothing_to_claim_beside_the_stores_or_where_there_is_but_one(home: Home, tmp_path: Path) -> None:
    (beside,) = posted(home, claim(), path="/claim")

    async def only() -> Answer:
        async with served(Service(FileHome(str(tmp_path / "db.sqlite")))) as app:
            return await ask(app, "/claim", claim())

    assert beside.status == run(only()).status == 404
    assert home.asked == []
