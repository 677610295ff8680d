"""One store of a hub for many never sees another, and one that is not there answers as one whose key one does not have."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import quote

import pytest
from starlette.types import ASGIApp

from kvassfs.entry import Delivery, Entry
from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.keeping.rates import BURST
from kvassfs.keeping.store_names import name_store
from kvassfs.pairing.claim import Claim, encode_claim
from kvassfs.pairing.messages import (
    JoinRequest,
    PairRequest,
    decode_pair_response,
    encode_join_request,
    encode_pair_request,
)
from kvassfs.server.application import Service
from kvassfs.server.postgres_home import PostgresHome
from kvassfs.share_link import ShareLink
from kvassfs.sync import block_messages, messages
from kvassfs.sync.block_messages import BlocksRequest
from kvassfs.sync.seal import Seal
from tests.unit.server.driver import Answer, ask, served

SECONDS = 60.0

KEYS = {"family": bytes(range(32)), "other": bytes(range(32, 64)), "nowhere": bytes(range(64, 96))}
"""Of two stores that are there, and of one that is not; each has its device."""

BLOCK = bytes(256 * 1024)
"""A block that `family` has, and nobody else."""

TICKETS = {"family": "f" * 22, "other": "o" * 22}

Asked = TypeVar("Asked")


class Hub:
    """A hub with two stores that runs, reached without a network."""

    def __init__(self, database: Database, runner: asyncio.Runner, app: ASGIApp) -> None:
        self._runner = runner
        self._app = app
        self.stores = Stores(Session(database))
        for name in ("family", "other"):
            self.stores.add(name, f"code of {name}")
            assert self.stores.claim(name_store(name), f"code of {name}", KEYS[name])

    def ask_all(self, requests: dict[Asked, dict[str, Any]]) -> dict[Asked, Answer]:
        """Return the answers to requests, one after another."""

        async def talk() -> dict[Asked, Answer]:
            async with asyncio.timeout(SECONDS):
                return {
                    asked: await ask(self._app, options.pop("path"), options.pop("body", b""), **options)
                    for asked, options in requests.items()
                }

        return self._runner.run(talk())

    def ask(self, name: str, call: str, body: bytes = b"", **options: Any) -> Answer:
        """Return the answer to a request below the path of a store."""
        return self.ask_all({0: {"path": f"/s/{name}{call}", "body": body, **options}})[0]


@pytest.fixture
def hub(database: Database) -> Iterator[Hub]:
    service = served(Service(PostgresHome(database)))
    with asyncio.Runner() as runner:
        made = Hub(database, runner, runner.run(service.__aenter__()))
        push(made, "family", entry("mine", b"of the family", token="family-token"), in_blocks("film"))
        push(made, "family", entry(link.record, b"", token=link.token), entry("gone", b"x", token="gone-token"))
        push(made, "family", entry("gone", b"", token="nothing"))
        push(made, "other", entry("theirs", b"of the others", token="other-token"))
        yield made
        runner.run(service.__aexit__(None, None, None))


link = ShareLink("once-token", "mine", once=True)


def seal(name: str, message: bytes) -> bytes:
    return Seal(KEYS[name]).seal(message)


def entry(key: str, value: bytes, *, token: str, writer: int = 7) -> Delivery:
    now = time.time_ns() // 1000
    made = Entry(key, now, now % 2**40, writer, token, len(value))
    return Delivery(made, made.counter, value)


def in_blocks(key: str) -> Delivery:
    plain = entry(key, b"", token=f"{key}-token")
    return Delivery(plain.entry._replace(size=len(BLOCK)), plain.sequence, None, sha256(BLOCK).digest())


def blocks(name: str, request: BlocksRequest) -> bytes:
    return Seal(KEYS[name]).seal_joined(block_messages.encode_blocks_request(request))


def push(hub: Hub, name: str, *deliveries: Delivery) -> messages.PushResponse:
    """Push entries, and the block that they name."""
    assert (
        hub.ask(name, "/blocks", blocks(name, BlocksRequest([], [BLOCK] if deliveries[-1].blocks else []))).status
        == 200
    )
    answer = hub.ask(name, "/push", seal(name, messages.encode_push(list(deliveries))))
    assert answer.status == 200, answer
    response = messages.decode_push_response(Seal(KEYS[name]).unseal(answer.body))
    assert response is not None
    return response


def pull_request(name: str, first: int = 1) -> bytes:
    return seal(name, messages.encode_pull_request(messages.PullRequest(first, 99, messages.VERSION, 0.0)))


def pull(hub: Hub, name: str, first: int = 1) -> messages.PullResponse:
    answer = hub.ask(name, "/pull", pull_request(name, first))
    assert answer.status == 200, answer
    return messages.decode_pull_response(Seal(KEYS[name]).unseal(answer.body))


def keys(hub: Hub, name: str, first: int = 1) -> list[str]:
    return [delivery.entry.key for delivery in pull(hub, name, first).deliveries]


# What a device of another store gets


@pytest.mark.parametrize("call", ["/push", "/pull", "/blocks", "/pair"])
def test_the_key_of_one_store_opens_no_other(hub: Hub, call: str) -> None:
    body = {
        "/push": seal("other", messages.encode_push([entry("smuggled", b"x", token="t")])),
        "/pull": pull_request("other"),
        "/blocks": blocks("other", BlocksRequest([sha256(BLOCK).digest()], [])),
        "/pair": seal("other", encode_pair_request(PairRequest("t" * 22))),
    }[call]
    assert hub.ask("other", call, body).status == 200
    refused, nowhere = hub.ask("family", call, body), hub.ask("nowhere", call, body)
    assert refused.status == 403
    assert refused == nowhere
    assert "smuggled" not in keys(hub, "family")


def test_a_device_sees_the_entries_of_its_store_from_whatever_cursor(hub: Hub) -> None:
    for first in (0, 1, pull(hub, "family").clock, 2**40):
        assert set(keys(hub, "other", first)) <= {"theirs"}
    assert {"mine", "film", "gone", link.record} == set(keys(hub, "family"))


def test_a_device_is_told_of_its_store_alone(hub: Hub) -> None:
    family, other = pull(hub, "family"), pull(hub, "other")
    assert family.process_id != other.process_id
    assert {each.mark for each in family.incarnations or ()}.isdisjoint(
        {each.mark for each in other.incarnations or ()}
    )
    assert not {"laptop"} & set(other.names.values())


def test_blocks_of_another_store_are_not_there(hub: Hub) -> None:
    def wanted(name: str) -> list[Any]:
        answer = hub.ask(name, "/blocks", blocks(name, BlocksRequest([sha256(BLOCK).digest()], [])))
        return block_messages.decode_blocks_response(Seal(KEYS[name]).unseal(answer.body))[1]

    assert wanted("other") == [None]
    assert [bytes(block) for block in wanted("family")] == [BLOCK]


def test_an_entry_cannot_name_blocks_of_another_store(hub: Hub) -> None:
    answer = hub.ask("other", "/push", seal("other", messages.encode_push([in_blocks("stolen")])))
    response = messages.decode_push_response(Seal(KEYS["other"]).unseal(answer.body))
    assert response is not None
    assert response.missing == sha256(BLOCK).digest()
    assert "stolen" not in keys(hub, "other")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    ("token", "status"),
    [("family-token", 200), ("film-token", 200), ("once-token", 405), ("gone-token", 410), ("nothing", 410)],
)
def test_a_token_leads_to_something_in_its_store_alone(hub: Hub, token: str, status: int, method: str) -> None:
    query = f"q={quote(token)}".encode()
    other, nowhere = (hub.ask(name, "/get", method=method, query=query) for name in ("other", "nowhere"))
    assert other.status == 404
    assert other == nowhere
    assert b"family" not in other.body
    assert hub.ask("family", "/get", method="GET", query=query).status == status


def test_a_mailbox_is_found_in_its_store_alone(hub: Hub) -> None:
    ticket = TICKETS["family"]
    opened = hub.ask("family", "/pair", seal("family", encode_pair_request(PairRequest(ticket))))
    number = decode_pair_response(Seal(KEYS["family"]).unseal(opened.body)).mailbox
    hub.ask("family", "/pair", seal("family", encode_pair_request(PairRequest(ticket, b"A" + bytes(32)))))
    body = encode_join_request(JoinRequest(number, None))
    assert hub.ask("family", "/join", body).status == 200
    other, nowhere = hub.ask("other", "/join", body), hub.ask("nowhere", "/join", body)
    assert other.status == 410
    assert other == nowhere
    # A ticket of another store opens a mailbox of one's own.
    mine = hub.ask("other", "/pair", seal("other", encode_pair_request(PairRequest(ticket))))
    assert decode_pair_response(Seal(KEYS["other"]).unseal(mine.body)).mailbox
    assert hub.ask("family", "/join", body).status == 200


def test_a_code_claims_no_other_store(hub: Hub) -> None:
    hub.stores.add("waiting", "its code")
    bodies = [encode_claim(Claim(code, KEYS["other"])) for code in ("its code", "code of family", "none")]
    answers = {(name, hub.ask(name, "/claim", body).status) for name in ("family", "nowhere") for body in bodies}
    assert answers == {("family", 410), ("nowhere", 410)}
    assert hub.ask("waiting", "/claim", encode_claim(Claim("code of family", KEYS["other"]))).status == 410


# A store that is not there


ROUTES = ("/", "/health", "/push", "/pull", "/blocks", "/pair", "/join", "/get", "/claim", "/nothing")
METHODS = ("GET", "HEAD", "POST", "PUT", "OPTIONS")
BODIES = {
    "none": b"",
    "garbage": b"garbage" * 10,
    "sealed with another key": Seal(bytes(32)).seal(b"{}"),
    "long": Seal(bytes(32)).seal(bytes(200_000)),
    "join": encode_join_request(JoinRequest(5, None)),
    "claim": encode_claim(Claim("wrong", KEYS["other"])),
    "claim with a code that is no text": encode_claim(Claim("wrong", bytes(32))).replace(b'"wrong"', b'"\\ud800"'),
}


@pytest.mark.parametrize("route", ROUTES)
def test_a_store_that_is_not_there_answers_as_one_with_another_key(hub: Hub, route: str) -> None:
    """For each route, method and body: status, headers and body are the same, with a name that waits to be claimed as well."""
    hub.stores.add("waiting", "its code")

    accept = {"Accept": "text/html"}
    answers = hub.ask_all(
        {
            (name, method, kind): {
                "path": f"/s/{name}{route}",
                "body": body,
                "method": method,
                "query": b"q=unknown",
                "headers": accept if method == "GET" else {},
            }
            for name in ("family", "waiting", "nowhere")
            for method in METHODS
            for kind, body in BODIES.items()
        }
    )
    for (name, method, kind), answer in answers.items():
        assert answer.status not in {0, 500, 503}, (method, kind, answer)
        assert answer == answers["nowhere", method, kind], (name, method, kind)


@pytest.mark.parametrize("path", ["/s/family", "/s/nowhere", "/s//push", "/s/../push", "/push", "/get", "/claim", "/s"])
def test_beside_the_stores_there_is_none(hub: Hub, path: str) -> None:
    answers = hub.ask_all({method: {"path": path, "method": method} for method in METHODS})
    assert {answer.status for answer in answers.values()} == {404}


def test_no_log_tells_names_tokens_or_codes(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "kvassfs")
    for name in ("family", "nowhere"):
        hub.ask(name, "/get", method="GET", query=b"q=family-token")
        hub.ask(name, "/claim", encode_claim(Claim("code of family", KEYS["other"])))
        hub.ask(name, "/pull", pull_request("family"))
        hub.ask(name, "", method="GET")
        hub.ask(name, "/nothing", method="GET")
    assert "/pull" in caplog.text
    for secret in ("family", "nowhere", "family-token", "code of", str(name_store("family"))):
        assert secret not in caplog.text


# Shares


def test_a_store_at_its_share_says_so_and_others_go_on(hub: Hub) -> None:
    hub.stores.set_limits("family", entries=None, size=1)
    full = hub.ask("family", "/push", seal("family", messages.encode_push([entry("more", b"xx", token="t")])))
    assert (full.status, full.body) == (
        507,
        b"kvass: of this store it keeps 0 MB at most\n",
    )
    uploaded = hub.ask("family", "/blocks", blocks("family", BlocksRequest([], [b"another block"])))
    assert uploaded.status == 507
    push(hub, "other", entry("more", b"xx", token="t"))
    assert keys(hub, "other") == ["theirs", "more"]
    hub.stores.set_limits("family", entries=3, size=None)
    full = hub.ask("family", "/push", seal("family", messages.encode_push([entry("more", b"xx", token="t")])))
    assert (full.status, full.body) == (
        507,
        b"kvass: of this store it keeps 3 keys at most, those of removed ones among them\n",
    )


def test_removals_go_at_the_share_and_make_room(hub: Hub) -> None:
    hub.stores.set_limits("family", entries=None, size=1)
    both = messages.encode_push([entry("more", bytes(100), token="t"), entry("mine", b"", token="u")])
    assert hub.ask("family", "/push", seal("family", both)).status == 507
    found = {delivery.entry.key: delivery.entry for delivery in pull(hub, "family").deliveries}
    assert found["mine"].deleted
    assert "more" not in found
    push(hub, "family", entry("film", b"", token="v"))


def test_pulls_go_on_at_the_share(hub: Hub) -> None:
    hub.stores.set_limits("family", entries=0, size=0)
    assert "mine" in keys(hub, "family")
    assert hub.ask("family", "/get", method="GET", query=b"q=family-token").body == b"of the family"


def test_a_store_with_too_many_requests_waits_and_others_do_not(hub: Hub) -> None:
    hub.stores.set_limits("family", entries=None, size=None, requests=1)
    statuses = [hub.ask("family", "/pull", pull_request("family")).status for _ in range(int(BURST) + 1)]
    assert statuses == [200] * int(BURST) + [429]
    refused = hub.ask("family", "/push", seal("family", messages.encode_push([])))
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert refused.body == b"kvass: this store makes too many requests; the hub takes 1 a second of it\n"
    assert hub.ask("family", "/blocks", blocks("family", BlocksRequest([], []))).status == 429
    for token in (b"family-token", b"film-token"):
        assert hub.ask("family", "/get", method="GET", query=b"q=" + token).status == 429
    assert hub.ask("family", "/get", query=b"q=once-token").status == 429
    assert hub.ask("family", "/get", method="GET", query=b"q=guessed").status == 404
    assert keys(hub, "other") == ["theirs"]
    hub.stores.set_limits("family", entries=None, size=None)
    assert "mine" in keys(hub, "family")


def test_who_has_no_key_uses_up_nobodys_requests_and_learns_of_no_limit(hub: Hub) -> None:
    hub.stores.set_limits("family", entries=None, size=None, requests=1)
    answers = {
        hub.ask(name, "/pull", pull_request("other")).status for name in ("family", "nowhere") for _ in range(20)
    }
    assert answers == {403}
    answers = {hub.ask("family", "/get", method="GET", query=b"q=guessed").status for _ in range(20)}
    assert answers == {404}
    assert "mine" in keys(hub, "family")


def test_what_the_device_is_told_can_be_read(hub: Hub) -> None:
    """A message of a store is JSON of its own, whatever the names of others are."""
    answer = hub.ask("other", "/pull", pull_request("other"))
    text = Seal(KEYS["other"]).unseal(answer.body)
    assert b"family" not in text
    assert json.loads(text)
