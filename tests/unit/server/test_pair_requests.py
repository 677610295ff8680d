"""kvassfs.server.pair_requests: mailboxes over HTTP, for devices and strangers."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from kvassfs.keeping.postgres.database import Database
from kvassfs.pairing import messages, post_office
from kvassfs.pairing.errors import CodeGone, TooManyTries
from kvassfs.pairing.messages import MAX_JOIN, JoinRequest, PairRequest, PairResponse
from kvassfs.server.application import Service
from kvassfs.server.pair_requests import TRIES_OF_ALL, TRIES_OF_ONE, WINDOW, TryLimit
from kvassfs.server.postgres_home import PostgresHome
from kvassfs.store import Store
from kvassfs.sync.seal import Seal
from tests.support.postgres_fixtures import database, server
from tests.support.postgres_shares import claim_for, served_below
from tests.support.services import serve_file
from tests.unit.server.driver import Answer, ask, begin, served

__all__ = ["database", "server"]

SECONDS = 60.0
KEY = bytes(range(32))
TICKET = "a" * 22
SHARE = b"A" + bytes(32)
MESSAGE = bytes(range(80))


@pytest.fixture(params=["a hub of one person", "a hub for many"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Service:
    with Store.open(tmp_path / "db.sqlite") as store:
        store.settings.set_encryption_key(KEY)
        if request.param == "a hub for many":
            database: Database = request.getfixturevalue("database")
            claim_for(database, store)
            return Service(PostgresHome(database))
    return serve_file(str(tmp_path / "db.sqlite"))


def serving(service: Service) -> AbstractAsyncContextManager[ASGIApp]:
    """``async with`` the application of a service, the store at the same place in each."""
    return served(service) if service.claims is None else served_below(service)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(SECONDS):
            return await coroutine

    return asyncio.run(limited())


def sealed(request: PairRequest) -> bytes:
    return Seal(KEY).seal(messages.encode_pair_request(request))


def opened(answer: Answer) -> PairResponse:
    assert answer.status == 200, answer
    return messages.decode_pair_response(Seal(KEY).unseal(answer.body))


def joining(number: int, message: bytes | None = None) -> bytes:
    return messages.encode_join_request(JoinRequest(number, message))


async def open_box(app: Any, ticket: str = TICKET) -> int:
    number = opened(await ask(app, "/pair", sealed(PairRequest(ticket)))).mailbox
    await ask(app, "/pair", sealed(PairRequest(ticket, SHARE)))
    return number


def test_messages_cross_in_both_directions_and_both_sides_wait_for_them(service: Service) -> None:
    async def talk() -> None:
        async with serving(service) as app:
            number = await open_box(app)
            waiting = begin(app, "/pair", sealed(PairRequest(TICKET, SHARE, wait=50)))
            found = await ask(app, "/join", joining(number))
            assert messages.decode_join_response(found.body).share == SHARE
            assert found.headers["content-type"] == "application/json"
            assert found.headers["cache-control"] == "no-store"
            joiner = begin(app, "/join", joining(number, MESSAGE))
            assert opened(await waiting.answer()).message == MESSAGE
            answering = begin(app, "/pair", sealed(PairRequest(TICKET, SHARE, b"answer", wait=50)))
            assert messages.decode_join_response((await joiner.answer()).body).answer == b"answer"
            assert opened(await answering.answer()).fetched

    run(talk())


@pytest.mark.parametrize("service", ["a hub of one person"], indirect=True)
def test_two_servers_of_one_store_have_the_same_mailboxes(service: Service, tmp_path: Path) -> None:
    async def talk() -> None:
        other = serve_file(str(tmp_path / "db.sqlite"))
        async with serving(service) as app, served(other) as other_app:
            number = await open_box(app)
            waiting = begin(app, "/pair", sealed(PairRequest(TICKET, SHARE, wait=50)))
            joiner = begin(other_app, "/join", joining(number, MESSAGE))
            assert opened(await waiting.answer()).message == MESSAGE
            await ask(app, "/pair", sealed(PairRequest(TICKET, SHARE, b"answer", wait=50)))
            assert messages.decode_join_response((await joiner.answer()).body).answer == b"answer"

    run(talk())


def test_of_two_joiners_at_once_one_is_heard(service: Service) -> None:
    async def talk() -> None:
        async with serving(service) as app:
            number = await open_box(app)
            first = begin(app, "/join", joining(number, MESSAGE))
            second = begin(app, "/join", joining(number, MESSAGE[::-1]))
            heard = opened(await ask(app, "/pair", sealed(PairRequest(TICKET, SHARE, wait=50)))).message
            await ask(app, "/pair", sealed(PairRequest(TICKET, SHARE, b"answer", wait=50)))
            answers = [await first.answer(), await second.answer()]
            assert sorted(answer.status for answer in answers) == [200, 410]
            assert heard == (MESSAGE if answers[0].status == 200 else MESSAGE[::-1])

    run(talk())


def test_unknown_used_ended_and_empty_mailboxes_answer_alike(service: Service) -> None:
    async def talk() -> None:
        async with serving(service) as app:
            used = await open_box(app)
            begin(app, "/join", joining(used, MESSAGE))
            await ask(app, "/pair", sealed(PairRequest(TICKET, SHARE, wait=50)))
            ended = await open_box(app, "b" * 22)
            await ask(app, "/pair", sealed(PairRequest("b" * 22, end=True)))
            empty = opened(await ask(app, "/pair", sealed(PairRequest("c" * 22)))).mailbox
            unknown = next(each for each in range(1, 99) if each not in {used, ended, empty})
            answers = [
                await ask(app, "/join", joining(number, message))
                for number in (unknown, used, ended, empty)
                for message in (None, bytes(80))
            ]
            assert answers == [answers[0]] * 8
            assert answers[0].status == 410
            assert answers[0].body == f"kvass: {CodeGone()}\n".encode()

    run(talk())


def test_guessing_numbers_is_soon_refused_and_a_right_one_as_well(service: Service) -> None:
    async def talk() -> None:
        async with serving(service) as app:
            number = await open_box(app)
            wrong = number % 99 + 1
            for _ in range(TRIES_OF_ONE):
                assert (await ask(app, "/join", joining(wrong))).status == 410
            refused = await ask(app, "/join", joining(number))
            assert (refused.status, refused.body) == (429, f"kvass: {TooManyTries()}\n".encode())

    run(talk())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"no JSON", 400),
        (b"{}", 400),
        (json.dumps({"Version": 1, "Mailbox": 7, "Message": "QQ=="}).encode(), 400),
        (json.dumps({"Version": 1, "Mailbox": 7, "Message": base64.b64encode(bytes(3000)).decode()}).encode(), 400),
        (b" " * (MAX_JOIN + 1), 413),
        (b" " * (3 * MAX_JOIN), 413),
    ],
)
def test_what_a_stranger_may_not_send(service: Service, body: bytes, status: int) -> None:
    async def talk() -> int:
        async with serving(service) as app:
            return (await ask(app, "/join", body)).status

    assert run(talk()) == status


def test_a_mailbox_needs_the_key(service: Service) -> None:
    async def talk() -> None:
        async with serving(service) as app:
            body = Seal(bytes(32)).seal(messages.encode_pair_request(PairRequest(TICKET)))
            assert (await ask(app, "/pair", body)).status == 403

    run(talk())


def test_there_are_only_a_few_mailboxes(service: Service) -> None:
    async def talk() -> None:
        async with serving(service) as app:
            for number in range(post_office.MAX_OPEN):
                await open_box(app, f"{number:022}")
            assert (await ask(app, "/pair", sealed(PairRequest(TICKET)))).status == 429

    run(talk())


def test_a_joiner_that_leaves_is_not_waited_for(service: Service) -> None:
    async def talk() -> None:
        async with serving(service) as app:
            number = await open_box(app)
            joiner = begin(app, "/join", joining(number, MESSAGE))
            await ask(app, "/pair", sealed(PairRequest(TICKET, SHARE, wait=50)))
            joiner.leave()
            assert (await joiner.answer()).status == 499

    run(talk())


def test_the_end_of_the_server_ends_the_waiting(service: Service) -> None:
    async def talk() -> None:
        async with serving(service) as app:
            await open_box(app)
            waiting = begin(app, "/pair", sealed(PairRequest(TICKET, SHARE, wait=50)))
            await asyncio.sleep(0.1)
            service.wakeups.end_waits()
            assert opened(await waiting.answer()).message is None

    run(talk())


# Tries


def fail(limit: TryLimit, address: str) -> None:
    with pytest.raises(CodeGone), limit.trying(address):
        raise CodeGone


def test_tries_that_are_not_over_yet_count_and_those_that_succeed_do_not_any_more() -> None:
    limit = TryLimit(lambda: 0.0)
    with ExitStack() as begun:
        for _ in range(TRIES_OF_ONE):
            begun.enter_context(limit.trying("10.0.0.1"))
        with pytest.raises(TooManyTries), limit.trying("10.0.0.1"):
            raise AssertionError
    limit.check("10.0.0.1")


def test_tries_are_counted_by_address_for_a_minute() -> None:
    now = [0.0]
    limit = TryLimit(lambda: now[0])
    for _ in range(TRIES_OF_ONE):
        fail(limit, "10.0.0.1")
    with pytest.raises(TooManyTries):
        limit.check("10.0.0.1")
    with pytest.raises(TooManyTries):
        limit.check("::ffff:10.0.0.1")
    limit.check("10.0.0.2")
    now[0] = WINDOW
    limit.check("10.0.0.1")


def test_addresses_of_one_network_of_ipv6_are_one() -> None:
    limit = TryLimit(lambda: 0.0)
    for number in range(TRIES_OF_ONE):
        fail(limit, f"2001:db8::{number:x}%eth0")
    with pytest.raises(TooManyTries):
        limit.check("2001:db8::ffff")
    limit.check("2001:db8:0:1::1")
    limit.check("no address")


def test_many_addresses_do_not_need_much_memory() -> None:
    limit = TryLimit(lambda: 0.0)
    for number in range(TRIES_OF_ALL):
        fail(limit, f"10.0.1.{number}")
    with pytest.raises(TooManyTries):
        limit.check("10.0.2.1")
