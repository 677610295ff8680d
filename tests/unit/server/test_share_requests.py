"""Sharing by address: what each request for a token, and for the few other pages, is answered with."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from kvassfs.errors import StoreBusy, StoreUnavailable, ValueReplaced
from kvassfs.keeping.postgres.database import Database, open_database
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.server.homes import open_offers
from kvassfs.server.hub_requests import HubLimits
from kvassfs.server.share_requests import ShareRequest, prepare_response
from kvassfs.sharing.offers import HeldPieces, Offer, Offers
from kvassfs.store import SEARCHES, Profile, Store
from tests.support.golden_data import GOLDEN
from tests.support.postgres import Server
from tests.support.postgres_fixtures import server
from tests.support.postgres_shares import SharingHub
from tests.support.services import serve_file
from tests.support.stores import count, is_scratch
from tests.unit.server.driver import Answer, ask, begin, served

__all__ = ["server"]

SECONDS = 30.0

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}

LARGE = b"".join(bytes([number]) * 1000 for number in range(1, 251)) * 12  # three million bytes


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "db.sqlite"


HUBS: dict[str, SharingHub] = {}
"""The hubs for many of the stores that have one, by their paths."""

alone = pytest.mark.parametrize("store", ["alone"], indirect=True)
"""For what is about the file of the hub of one person."""


@pytest.fixture(params=["alone", "at a hub for many"])
def store(request: pytest.FixtureRequest, database: Path) -> Iterator[Store]:
    """A store that is served itself, or from PostgreSQL by its hub, which has the same."""
    with Store.open(database) as opened:
        if request.param != "alone":
            HUBS[opened.path] = SharingHub(request.getfixturevalue("in_postgres"), opened)
        yield opened
        HUBS.pop(opened.path, None)


@pytest.fixture
def in_postgres(server: Server) -> Iterator[Database]:
    with open_database(server.create_database()) as opened:
        yield opened


def serving(store: Store) -> AbstractAsyncContextManager[Any]:
    """``async with`` the application that has the store."""
    return HUBS[store.path].served() if store.path in HUBS else served(serve_file(store.path))


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(SECONDS):
            return await coroutine

    return asyncio.run(limited())


def answers(store: Store, *requests: tuple[str, str, dict[str, str]]) -> list[Answer]:
    """Return the answers to requests: method, path and query, headers."""

    async def talk() -> list[Answer]:
        async with serving(store) as app:
            found = []
            for method, target, headers in requests:
                path, _, query = target.partition("?")
                found.append(await ask(app, path, method=method, query=query.encode(), headers=headers))
            return found

    made: list[Answer] = run(talk())
    return made


def get(store: Store, token: str, method: str = "GET", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answers(store, (method, f"/get?q={token}", named))[0]


# Values


def test_a_value_comes_with_all_that_a_browser_should_know(store: Store) -> None:
    entry = store.set("notes/grüß dich.txt", "grüß dich".encode())
    answer = get(store, entry.url_token)
    assert (answer.status, answer.body.decode(), answer.complete) == (200, "grüß dich", True)
    assert re.fullmatch(r'"[0-9a-f]{32}"', answer.headers.pop("etag"))
    assert answer.headers.pop("last-modified").endswith(" GMT")
    assert answer.headers == {
        "content-type": "text/plain; charset=utf-8",
        "content-length": "11",
        "content-disposition": "inline; filename=\"gr__ dich.txt\"; filename*=UTF-8''gr%C3%BC%C3%9F%20dich.txt",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox",
        "referrer-policy": "no-referrer",
        "x-robots-tag": "noindex",
        "cache-control": "private, no-cache",
        "accept-ranges": "bytes",
    }


@pytest.mark.parametrize("value", [b"value", LARGE])
def test_head_tells_the_same_without_the_value(store: Store, value: bytes) -> None:
    token = store.set("key", value).url_token
    full, head = get(store, token), get(store, token, "HEAD")
    assert (full.status, full.body) == (200, value)
    assert (head.status, head.headers, head.body) == (200, full.headers, b"")


@pytest.mark.parametrize("value", [b"0123456789" * 10, LARGE])
@pytest.mark.parametrize("wanted", ["0-0", "10-19", "50-", "-7"])
def test_a_part_is_sent_alone(store: Store, value: bytes, wanted: str) -> None:
    answer = get(store, store.set("key", value).url_token, Range=f"bytes={wanted}")
    first, last = {
        "0-0": (0, 0),
        "10-19": (10, 19),
        "50-": (50, len(value) - 1),
        "-7": (len(value) - 7, len(value) - 1),
    }[wanted]
    assert (answer.status, answer.body) == (206, value[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(value)}"
    assert answer.headers["content-length"] == str(last + 1 - first)


def test_a_part_that_is_not_there_is_refused_with_the_size(store: Store) -> None:
    answer = get(store, store.set("key", b"value").url_token, Range="bytes=5-")
    assert (answer.status, answer.headers["content-range"], answer.body) == (416, "bytes */5", b"")


def test_what_the_client_has_is_not_sent_again(store: Store) -> None:
    token = store.set("key", b"value").url_token
    tag = get(store, token).headers["etag"]
    answer = get(store, token, If_None_Match=tag)
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
    assert answer.headers["cache-control"] == "private, no-cache"
    assert not {"content-type", "content-length", "content-disposition"} & answer.headers.keys()
    assert get(store, token, If_Match='"other"').status == 412


def test_fields_that_come_in_several_lines_are_one_list(store: Store) -> None:
    token = store.set("key", b"value").url_token
    tag = get(store, token).headers["etag"]
    lines = [(b"if-none-match", tag.encode()), (b"if-none-match", b'"other"')]
    scope = {"method": "GET", "query_string": f"q={token}".encode(), "headers": lines}
    assert ShareRequest.from_scope(scope).headers == {"if-none-match": f'{tag}, "other"'}


@alone
@pytest.mark.parametrize("timestamp", [-(2**62), -1, 300_000 * 10**12, 2**62])
def test_a_time_that_http_cannot_tell_is_not_told(store: Store, timestamp: int) -> None:
    token = store.set("key", b"value").url_token
    store._database.execute("UPDATE entries SET timestamp = ?", (timestamp,))
    answer = get(store, token)
    assert (answer.status, answer.body) == (200, b"value")
    assert "last-modified" not in answer.headers


@alone  # a rename is pushed a moment later
def test_a_renamed_value_keeps_its_tag_and_address(store: Store) -> None:
    token = store.set("key.txt", b"value").url_token
    before = get(store, token)
    node = store.tree.file("key.txt")
    assert node is not None
    store.tree.rename(node, "other.html", is_scratch=is_scratch)
    after = get(store, token)
    assert after.headers["etag"] == before.headers["etag"]
    assert after.headers["content-type"] == "text/html; charset=utf-8"


def test_the_addresses_of_the_original_lead_to_the_same_values_and_those_of_deleted_keys_are_gone(
    tmp_path: Path,
) -> None:
    database = tmp_path / "golden.sqlite"
    database.write_bytes((GOLDEN / "hub-9009.sqlite").read_bytes())
    with closing(sqlite3.connect(database)) as original:
        entries = original.execute("SELECT urltoken, value FROM entries").fetchall()
    with Store.open(database) as store:
        found = answers(store, *(("GET", f"/get?q={token}", {}) for token, _ in entries))
    assert [answer.body for answer in found if answer.status == 200] == [value for _, value in entries if value]
    assert [answer.status for answer in found] == [200 if value else 410 for _, value in entries]
    assert len({answer.status for answer in found}) == 2


# Failures


@pytest.mark.parametrize("query", ["", "?", "?q=", "?q=unknown", "?p=x", "?q=%00", "?q=%ff", "?q=" + "x" * 5000])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_what_is_no_token_leads_to_nothing(store: Store, method: str, query: str) -> None:
    store.set("key", b"value")
    (answer,) = answers(store, (method, f"/get{query}", {}))
    assert answer.status == 404
    assert b"value" not in answer.body


@alone
def test_a_removed_value_is_gone(store: Store) -> None:
    token = store.set("key", b"value").url_token
    store.delete("key")
    answer = get(store, token)
    assert (answer.status, answer.headers["content-type"]) == (410, "text/plain; charset=utf-8")
    assert answer.body.startswith(b"kvass: what was shared here has been removed")


@alone
@pytest.mark.parametrize(("token", "status"), [("unknown", 404), (None, 410)])
def test_a_browser_gets_a_page_about_it(store: Store, token: str | None, status: int) -> None:
    removed = store.set("key", b"value").url_token
    store.delete("key")
    answer = get(store, token or removed, **BROWSER)
    assert (answer.status, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert b"<h1>" in answer.body
    assert removed.encode() not in answer.body


@pytest.mark.parametrize("value", [b"value", LARGE])
def test_what_is_shared_is_no_code_for_a_page_of_this_origin(store: Store, value: bytes) -> None:
    target = f"/get?q={store.set('evil.js', value).url_token}"
    uses = ("script", "worker", "sharedworker", "serviceworker", "audioworklet", "paintworklet", "style", "xslt")
    asked = [{"Sec-Fetch-Dest": use} for use in uses]
    asked += [{"Service-Worker": "script"}, {"Sec-Fetch-Dest": "script", "If-None-Match": "*"}]
    found = answers(store, *((method, target, headers) for method in ("GET", "HEAD") for headers in asked))
    assert {answer.status for answer in found} == {403}
    assert {answer.body for answer in found} == {
        b"kvass: what is shared is never code for a page; open its address, or save it\n"
    }


def test_a_link_that_works_once_is_not_used_up_by_what_would_run_it(store: Store) -> None:
    store.set("key", b"value")
    target = f"/get?q={store.share_links.create('key', expires=0, once=True).token}"
    refused, taken = answers(store, ("POST", target, {"Sec-Fetch-Dest": "script"}), ("POST", target, {}))
    assert (refused.status, taken.status, taken.body) == (403, 200, b"value")


@pytest.mark.parametrize("use", ["document", "iframe", "image", "video", "audio", "empty", "object", "track"])
def test_what_is_shared_is_anything_else(store: Store, use: str) -> None:
    assert get(store, store.set("key", b"value").url_token, Sec_Fetch_Dest=use).status == 200


def test_other_methods_are_refused(store: Store) -> None:
    token = store.set("key", b"value").url_token
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert get(store, token, method).status == 405
    answer = get(store, token, "POST")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.body == b"kvass: this method is not for this address\n"


def test_what_changes_all_the_time_is_given_up(store: Store, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = store.set("key", LARGE).url_token

    def replaced(*_: object) -> HeldPieces:
        raise ValueReplaced

    with Store.open(database) as other, monkeypatch.context() as patch:
        patch.setattr(Offers, "hold_pieces", replaced)
        with pytest.raises(HTTPException) as raised:
            prepare_response(Offers(StoreKeeper(other)), ShareRequest("GET", token, {}))
    assert raised.value.status_code == 503


@alone
def test_a_database_that_cannot_be_read_is_said_so(store: Store) -> None:
    def failing(path: str, _profile: Profile) -> AbstractContextManager[Offers]:
        raise StoreUnavailable(path, "gone")

    async def talk() -> Answer:
        async with served(serve_file(store.path, open_offers=failing)) as app:
            return await ask(app, "/health", method="GET")

    answer = run(talk())
    assert (answer.status, answer.body) == (503, b"kvass: the hub cannot use its database; its log says why\n")


# ShareLinks


def test_a_link_shows_what_its_key_holds_by_now(store: Store) -> None:
    store.set("key", b"one")
    link = store.share_links.create("key")
    first = get(store, link.token)
    store.set("key", b"two")
    second = get(store, link.token, If_None_Match=first.headers["etag"])
    assert (first.body, second.body) == (b"one", b"two")


def test_an_expired_link_is_gone(store: Store) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key", expires=1)
    answer = get(store, link.token)
    assert (answer.status, b"expired" in answer.body) == (410, True)


def test_looking_at_a_link_that_works_once_does_not_use_it_up(store: Store) -> None:
    store.set("notes/<b>secret</b>", b"value")
    link = store.share_links.create("notes/<b>secret</b>", once=True)
    target = f"/get?q={link.token}"
    looks = answers(
        store, ("HEAD", target, {}), ("GET", target, {}), ("HEAD", target, BROWSER), ("GET", target, BROWSER)
    )
    assert [look.status for look in looks] == [405, 405, 200, 200]
    assert all(b"value" not in look.body for look in looks)
    assert b"fetch it with POST" in looks[1].body
    assert looks[1].headers["allow"] == "POST"
    page = looks[3].body.decode()
    assert '<form method="post"><button>' in page
    assert "b&gt;</span><br>5 bytes" in page
    assert "secret" not in page.partition("<body>")[0]
    assert store.share_links.list_all() == [link]


@pytest.mark.parametrize("value", [b"value", LARGE])
def test_a_post_uses_it_up(store: Store, value: bytes) -> None:
    store.set("key", value)
    link = store.share_links.create("key", once=True)
    target = f"/get?q={link.token}"
    first, second, look = answers(store, ("POST", target, BROWSER), ("POST", target, {}), ("GET", target, {}))
    assert (first.status, first.body, first.complete) == (200, value, True)
    assert first.headers["cache-control"] == "no-store"
    assert (second.status, look.status) == (410, 410)
    assert store.share_links.list_all() == []


@alone
def test_a_post_whose_client_has_left_uses_nothing_up(store: Store) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key", once=True)

    async def talk() -> None:
        async with served(serve_file(store.path)) as app:
            request = begin(app, "/get", None, query=f"q={link.token}".encode())
            request.leave()
            await request.task

    run(talk())
    assert store.share_links.list_all() == [link]


def test_a_post_gets_what_the_link_leads_to_by_then(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key", once=True)
    consume = Offers.consume_link
    replaced: list[str] = []

    def replaced_once(offers: Offers, token: str) -> tuple[Offer, HeldPieces]:
        if not replaced:
            replaced.append(token)
            raise ValueReplaced
        return consume(offers, token)

    monkeypatch.setattr(Offers, "consume_link", replaced_once)
    assert get(store, link.token, "POST").body == b"value"
    assert replaced == [link.token]


@alone
def test_a_failure_after_a_link_was_used_up_lets_go_of_the_value(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.set("key", LARGE)
    link = store.share_links.create("key", once=True)

    def busy(_: Offers, __: Offer) -> bytes:
        raise StoreBusy(store.path)

    monkeypatch.setattr(Offers, "read_head", busy)

    async def talk() -> int:
        async with served(serve_file(store.path)) as app:
            answer = await ask(app, "/get", query=f"q={link.token}".encode())
            assert count(store, "pins") == 0
            return answer.status

    assert run(talk()) == 503


@pytest.mark.parametrize(
    ("key", "kind"), [("key.txt", "inline"), ("key.html", "inline"), ("key.png", "attachment"), ("é.mp4", "attachment")]
)
def test_what_is_no_text_is_saved_when_it_can_be_had_once(store: Store, key: str, kind: str) -> None:
    store.set(key, b"value")
    answer = get(store, store.share_links.create(key, once=True).token, "POST")
    assert answer.headers["content-disposition"].startswith(f"{kind}; filename=")


@pytest.mark.parametrize(
    ("key", "policy"),
    [("a.mp4", "sandbox allow-same-origin"), ("a.ogg", "sandbox allow-same-origin"), ("a.svg", "sandbox")],
)
def test_what_is_played_has_an_origin_and_documents_have_none(store: Store, key: str, policy: str) -> None:
    answer = get(store, store.set(key, b"value").url_token)
    assert answer.headers["content-security-policy"] == policy


def test_a_post_sends_the_whole_value_whatever_its_conditions(store: Store) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key", once=True)
    assert get(store, link.token, "POST", Range="bytes=0-0", If_None_Match="*").body == b"value"


@alone
def test_devices_that_wait_learn_of_a_link_that_was_used_up(store: Store) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key", once=True)

    async def talk() -> bool:
        service = serve_file(store.path, limits=HubLimits(recheck_interval=60))
        async with served(service) as app:
            wakeup = service.wakeups.subscribe()
            await ask(app, "/get", query=f"q={link.token}".encode())
            return wakeup.is_set()

    assert run(talk())


# Long values


@alone
def test_a_reader_that_leaves_lets_go_of_the_value(store: Store) -> None:
    token = store.set("key", LARGE).url_token

    async def talk() -> None:
        async with served(serve_file(store.path)) as app:
            taken = asyncio.Event()

            async def slowly() -> None:
                taken.set()
                await asyncio.sleep(0.01)

            request = begin(app, "/get", method="GET", query=f"q={token}".encode(), taken=slowly)
            await taken.wait()
            request.leave()
            await request.task
            while store._database.row("SELECT count(*) FROM pins")[0]:
                await asyncio.sleep(0.01)

    run(talk())


@alone
def test_a_value_that_is_replaced_while_it_is_sent_arrives_as_it_was(store: Store) -> None:
    token = store.set("key", LARGE).url_token

    async def talk() -> Answer:
        async with served(serve_file(store.path)) as app:

            async def meanwhile() -> None:
                store.set("key", b"other")
                store._database.execute("UPDATE revisions SET replaced = 0")
                while store.upkeep.clean():
                    pass

            return await ask(app, "/get", method="GET", query=f"q={token}".encode(), taken=meanwhile)

    assert run(talk()).body == LARGE


@pytest.mark.parametrize("query", ["q={}&x=1", "x=1&q={}", "q={}&q=other", "q={}#part"])
def test_the_token_is_found_among_other_parameters(store: Store, query: str) -> None:
    token = store.set("key", b"value").url_token
    (answer,) = answers(store, ("GET", f"/get?{query.format(token)}", {}))
    assert (answer.status, answer.body) == ((404, answer.body) if "#" in query else (200, b"value"))


@pytest.mark.parametrize("value", [b"value", LARGE])
@alone
def test_a_connection_that_is_closed_under_an_answer_is_no_trouble(
    store: Store, caplog: pytest.LogCaptureFixture, value: bytes
) -> None:
    token = store.set("key", value).url_token

    async def talk() -> None:
        async with served(serve_file(store.path)) as app:

            async def closed() -> None:
                raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

            await begin(app, "/get", method="GET", query=f"q={token}".encode(), taken=closed).task
            while store._database.row("SELECT count(*) FROM pins")[0]:
                await asyncio.sleep(0.01)

    run(talk())
    assert not caplog.records


# The rest


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_first_page_says_what_this_is(store: Store, method: str) -> None:
    store.set("secret-key", b"value")
    text, page = answers(store, (method, "/", {}), (method, "/", BROWSER))
    assert (text.status, text.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"secret-key" not in text.body + page.body
    if method == "GET":
        assert text.body.startswith(b"This is the hub of somebody's personal key-value store.")
        assert b"hub of somebody" in page.body


def test_health_answers(store: Store) -> None:
    (answer,) = answers(store, ("GET", "/health", {}))
    assert (answer.status, answer.body, answer.headers["cache-control"]) == (200, b"ok\n", "no-store")


@pytest.mark.parametrize("path", ["/get/", "/list", "/get/x", "/entries", "/favicon.ico", "/robots.txt", "//"])
def test_nothing_else_is_there(store: Store, path: str) -> None:
    assert answers(store, ("GET", path, {}))[0].status == 404


def test_no_token_is_logged(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = store.set("key", b"value").url_token
    link = store.share_links.create("key", once=True)
    answers(
        store,
        ("GET", f"/get?q={token}", {}),
        ("GET", f"/get?q={link.token}", BROWSER),
        ("POST", f"/get?q={link.token}", {}),
        ("POST", f"/get?q={link.token}", {}),
        ("GET", f"/get?q={token}x", {}),
    )
    assert "GET /get 200" in caplog.text
    assert token not in caplog.text
    assert link.token not in caplog.text


# Who looks


@alone
def test_what_is_short_is_looked_up_at_once_and_what_is_long_by_a_worker(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = store.set("short", b"value").url_token, store.set("long", LARGE).url_token
    looked: list[tuple[str, str]] = []
    offer = Offers.find_offer

    def noted(offers: Offers, token: str) -> Offer:
        looked.append((token, threading.current_thread().name))
        return offer(offers, token)

    monkeypatch.setattr(Offers, "find_offer", noted)
    get(store, short)
    get(store, long)
    here = threading.current_thread().name
    assert [thread == here for token, thread in looked if token == short] == [True]
    assert [thread == here for token, thread in looked if token == long] == [True, False, False]


def test_where_the_database_is_locked_a_worker_waits_for_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    token = store.set("key", b"value").url_token
    here = threading.current_thread()
    offer = Offers.find_offer

    def locked_here(offers: Offers, asked: str) -> Offer:
        if threading.current_thread() is here:
            raise StoreBusy(store.path)
        return offer(offers, asked)

    monkeypatch.setattr(Offers, "find_offer", locked_here)
    assert get(store, token).body == b"value"


def test_who_looks_at_once_does_not_wait(store: Store) -> None:
    with Store.open(store.path, profile=SEARCHES) as other, store.transaction, pytest.raises(StoreBusy):
        other.set("key", b"value")


@alone
def test_a_database_that_could_not_be_opened_at_first_is_tried_again(store: Store) -> None:
    token = store.set("key", b"value").url_token
    attempts: list[str] = []

    def failing_first(path: str, profile: Profile) -> AbstractContextManager[Offers]:
        attempts.append(path)
        if len(attempts) == 1:
            raise StoreUnavailable(path, "gone")
        return open_offers(path, profile)

    async def talk() -> Answer:
        async with served(serve_file(store.path, open_offers=failing_first)) as app:
            return await ask(app, "/get", method="GET", query=f"q={token}".encode())

    assert run(talk()).body == b"value"
