"""The application: which answer a request gets, when, and what is logged of it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.errors import DiskFull, InvalidMessage, StoreBusy, StoreUnavailable, Undecipherable
from kvassfs.server.application import Service, build_application
from kvassfs.server.bodies import SHORT, BodyLimits
from kvassfs.server.hub_requests import CHECKED_APART, MAX_BLOCKS, MAX_PULL, HubLimits
from kvassfs.server.request_log import format_object
from kvassfs.server.streaming import PIECE
from kvassfs.store import Limit, Store
from kvassfs.sync import messages
from kvassfs.sync.entry_messages import estimate_size
from kvassfs.sync.limits import HUB_LIMITS
from kvassfs.sync.seal import Seal
from tests.support.services import serve_file
from tests.support.stores import free_room, keep_room, rows
from tests.unit.server.driver import Answer, Script, ask, begin, served, stub_service

SECONDS = 60.0
"""Until what hangs is a failure: far more than anything takes on a busy machine."""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "db.sqlite"


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(SECONDS):
            return await coroutine

    return asyncio.run(limited())


def answer_to(service: Service, path: str, *body: bytes | None, **options: Any) -> Answer:
    async def talk() -> Answer:
        async with served(service) as app:
            return await ask(app, path, *body, **options)

    answer = run(talk())
    assert isinstance(answer, Answer)
    return answer


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


# Calls


@pytest.mark.parametrize("call", ["push", "blocks"])
def test_a_body_is_answered_whole(database: Path, call: str) -> None:
    answer = answer_to(stub_service(database, Script()), f"/{call}", b"a" * 10, b"", b"b" * 20)
    assert (answer.status, answer.body) == (200, f"{call}ed 30".encode() if call == "push" else b"blocks 30")
    assert answer.headers == {"content-length": "9", "content-type": "application/octet-stream"}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/push/"), ("POST", "/push/"), ("GET", "/nothing"), ("POST", "/nothing")]
)
def test_nothing_is_elsewhere(database: Path, method: str, path: str) -> None:
    answer = answer_to(stub_service(database, Script()), path, method=method)
    assert (answer.status, answer.body) == (404, b"kvass: there is nothing here\n")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
@pytest.mark.parametrize("path", ["/push", "/pull", "/blocks"])
def test_the_calls_are_posts(database: Path, method: str, path: str) -> None:
    answer = answer_to(stub_service(database, Script()), path, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert answer.body.startswith(b"kvass: ")


@pytest.mark.parametrize(
    ("failure", "status", "words"),
    [
        (Undecipherable(), 403, "kvass: cannot decrypt the message\n"),
        (InvalidMessage("it is no JSON"), 400, "kvass: a message cannot be understood: it is no JSON\n"),
        (DiskFull("/db"), 507, "kvass: no space left on the disk of the hub\n"),
        (StoreBusy("/db"), 503, "kvass: the hub cannot use its database; its log says why\n"),
        (ValueError("secret"), 500, "kvass: a failure inside the hub; its log shows it\n"),
    ],
)
def test_a_failure_has_its_status_and_words(database: Path, failure: Exception, status: int, words: str) -> None:
    answer = answer_to(stub_service(database, Script(failure=failure)), "/push", b"body")
    assert (answer.status, answer.body.decode()) == (status, words)
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_hub_that_cannot_be_opened_is_tried_again(database: Path) -> None:
    attempts: list[str] = []

    def fail_once(path: str) -> None:
        attempts.append(path)
        if len(attempts) == 1:
            raise StoreUnavailable(path, "not yet")

    service = stub_service(database, Script(), before_open=fail_once)

    async def talk() -> list[int]:
        async with served(service) as app:
            return [(await ask(app, "/push", b"body")).status for _ in range(3)]

    assert run(talk()) == [503, 200, 200]
    assert attempts == [str(database)] * 2


# Limits


TOO_LONG = (413, b"kvass: the message is longer than the 10 bytes that this hub takes\n")


@pytest.mark.parametrize("announced", [{}, {"Content-Length": "20"}], ids=["chunked", "announced"])
def test_a_body_that_is_too_long_is_refused_when_the_rest_has_come(database: Path, announced: dict[str, str]) -> None:
    service = stub_service(database, Script(), max_body=10, body_timeout=0.05)
    whole = answer_to(service, "/pull", b"12345", b"67890", b"12345", b"67890", headers=announced)
    assert (whole.status, whole.body) == TOO_LONG
    assert answer_to(service, "/pull", b"12345", b"67890", b"12345", None, headers=announced).status == 408


def test_no_more_is_read_than_twice_of_what_is_taken(database: Path) -> None:
    service = stub_service(database, Script(), max_body=10, body_timeout=0.05)
    announced = answer_to(service, "/push", None, headers={"Content-Length": "21"})
    assert (announced.status, announced.body) == TOO_LONG
    chunked = answer_to(service, "/push", b"12345", b"67890", b"12345", b"678901", None)
    assert (chunked.status, chunked.body) == TOO_LONG


def test_who_was_refused_after_asking_whether_to_send_has_to_connect_again(database: Path) -> None:
    answer = answer_to(stub_service(database, Script()), "/", b"", headers={"Expect": "100-continue"})
    assert (answer.status, answer.headers["connection"]) == (405, "close")


def test_a_body_at_the_limit_is_taken(database: Path) -> None:
    assert answer_to(stub_service(database, Script(), max_body=10), "/push", b"12345", b"67890").status == 200


def test_a_body_that_does_not_come_is_given_up(database: Path) -> None:
    answer = answer_to(stub_service(database, Script(), body_timeout=0.05), "/push", b"begun", None)
    assert (answer.status, answer.headers["connection"]) == (408, "close")


def test_a_client_that_goes_before_its_body_is_whole_has_changed_nothing(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kvassfs")
    script = Script(failure=ValueError("asked for"))

    async def talk() -> None:
        async with served(stub_service(database, script)) as app:
            lost = begin(app, "/push", b"begun", None)
            lost.leave()
            await lost.answer()

    run(talk())
    (record,) = caplog.records
    assert "/push 499" in record.getMessage()


# Bodies without a seal, and long ones


KEY = bytes(range(32))


@pytest.fixture
def service(database: Path) -> Service:
    with Store.open(database) as store:
        store.settings.set_encryption_key(KEY)
    return serve_file(str(database))


def pieces_of(body: bytes) -> list[bytes]:
    return [body[start : start + 500_000] for start in range(0, len(body), 500_000)]


def pushed(key: str, value: bytes) -> Delivery:
    return Delivery(Entry(key, 5, 3, 9, "token", len(value)), 3, value)


@pytest.mark.parametrize("size", [10, CHECKED_APART, SHORT, 2 * SHORT])
def test_a_body_of_any_length_without_a_seal_is_refused(service: Service, size: int) -> None:
    answer = answer_to(service, "/push", *pieces_of(bytes(size)))
    assert (answer.status, answer.body) == (403, b"kvass: cannot decrypt the message\n")


@pytest.mark.parametrize("size", [10, 2 * CHECKED_APART, 1_000_000, 3_000_000])
def test_a_push_of_any_length_is_merged_and_answered(service: Service, database: Path, size: int) -> None:
    value = bytes(range(250)) * (size // 250 + 1)
    body = Seal(KEY).seal(messages.encode_push([pushed("key", value)]))
    answer = answer_to(service, "/push", *pieces_of(body))
    assert answer.status == 200
    assert messages.decode_push_response(Seal(KEY).unseal(answer.body)).digest == messages.compute_digest(body)
    with Store.open(database) as store:
        assert store.get("key").read() == value


@pytest.mark.parametrize(("path", "limit"), [("/pull", MAX_PULL), ("/blocks", MAX_BLOCKS)])
def test_requests_that_are_short_by_nature_have_a_limit_of_their_own(service: Service, path: str, limit: int) -> None:
    assert answer_to(service, path, *pieces_of(bytes(limit))).status == 403
    answer = answer_to(service, path, *pieces_of(bytes(limit + 1)))
    assert answer.status == 413
    assert str(limit).encode() in answer.body


def test_where_there_is_no_room_a_client_is_told_when_to_come_again(database: Path) -> None:
    service = stub_service(database, Script(), bodies=BodyLimits(memory=10, disk=10))
    answer = answer_to(service, "/push", bytes(20))
    assert (answer.status, answer.headers["retry-after"]) == (503, "10")
    assert answer.body == b"kvass: too much is being sent to this hub; try again soon\n"


# Long polls


def test_a_patient_pull_is_answered_at_the_end_of_its_wait(database: Path) -> None:
    script = Script(wait=0.2)
    begun = time.monotonic()
    assert answer_to(stub_service(database, script), "/pull").status == 200
    assert time.monotonic() - begun >= 0.2
    patience = [patient for _, patient in script.asked]
    assert patience[0] is True
    assert patience[-1] is False
    assert len(patience) >= 2


def test_a_pull_that_does_not_wait_is_asked_once(database: Path) -> None:
    script = Script()
    assert answer_to(stub_service(database, script), "/pull").status == 200
    assert [patient for _, patient in script.asked] == [False]


def test_a_pull_that_waits_stays_with_one_thread(database: Path) -> None:
    script = Script(wait=0.5)

    async def talk() -> None:
        async with served(stub_service(database, script)) as app:
            poll = begin(app, "/pull")
            await until(lambda: bool(script.asked))
            for _ in range(5):
                await ask(app, "/push", b"news")
            await poll.answer()

    run(talk())
    assert len(script.asked) >= 3
    assert len({thread for thread, _ in script.asked}) == 1


def test_a_push_here_ends_the_wait_of_others_at_once(database: Path) -> None:
    script = Script(wait=60.0)

    async def talk() -> list[bytes]:
        async with served(stub_service(database, script)) as app:
            polls = [begin(app, "/pull", b"#%d" % number) for number in range(20)]
            await until(lambda: len(script.asked) >= 20)
            script.pieces = [b"news"]
            await ask(app, "/push", b"body")
            return [(await poll.answer()).body for poll in polls]

    assert run(talk()) == [b"news"] * 20


def test_a_pull_that_waits_looks_for_itself_too(database: Path) -> None:
    script = Script(wait=60.0)

    async def talk() -> bytes:
        async with served(stub_service(database, script, recheck_interval=0.05)) as app:
            poll = begin(app, "/pull")
            await until(lambda: len(script.asked) >= 3)
            script.pieces = [b"found"]
            return (await poll.answer()).body

    assert run(talk()) == b"found"


def test_what_is_kept_back_for_a_moment_is_looked_for_soon(database: Path) -> None:
    script = Script(wait=60.0, held=True)

    async def talk() -> bytes:
        async with served(stub_service(database, script, recheck_interval=60.0)) as app:
            poll = begin(app, "/pull")
            await until(lambda: len(script.asked) >= 3)
            script.pieces = [b"settled"]
            return (await poll.answer()).body

    assert run(talk()) == b"settled"


def test_the_end_of_the_server_answers_who_waits(database: Path) -> None:
    script = Script(wait=60.0)
    service = stub_service(database, script)

    async def talk() -> tuple[Answer, Answer]:
        async with served(service) as app:
            poll = begin(app, "/pull")
            await until(lambda: bool(script.asked))
            service.wakeups.end_waits()
            return await poll.answer(), await ask(app, "/pull", b"another")

    waited, late = run(talk())
    assert waited.status == late.status == 200
    assert waited.headers["connection"] == late.headers["connection"] == "close"


def test_nobody_looks_any_more_for_a_client_that_has_gone(database: Path) -> None:
    script = Script(wait=60.0)

    async def talk() -> int:
        async with served(stub_service(database, script)) as app:
            poll = begin(app, "/pull")
            await until(lambda: bool(script.asked))
            poll.leave()
            await poll.answer()
            asked = len(script.asked)
            await ask(app, "/push", b"news")
            return len(script.asked) - asked

    assert run(talk()) == 0


# Long answers


def test_small_pieces_are_one_answer_with_its_length(database: Path) -> None:
    answer = answer_to(stub_service(database, Script(pieces=[b"a", b"bc", b"", b"d"])), "/pull")
    assert (answer.body, answer.headers["content-length"]) == (b"abcd", "4")


def test_one_large_piece_is_one_answer_with_its_length(database: Path) -> None:
    answer = answer_to(stub_service(database, Script(pieces=[bytes(5 * PIECE)])), "/pull")
    assert answer.headers["content-length"] == str(5 * PIECE)
    assert answer.body == bytes(5 * PIECE)


def test_a_long_answer_comes_whole_and_in_order(database: Path) -> None:
    pieces = [bytes([number]) * 100_000 for number in range(100)]
    script = Script(pieces=[*pieces])
    answer = answer_to(stub_service(database, script), "/pull")
    assert answer.body == b"".join(pieces)
    assert answer.complete
    assert "content-length" not in answer.headers


class Drawn(list[bytes | Exception]):
    """Pieces that are counted as they are made."""

    made = 0

    def __iter__(self) -> Iterator[bytes | Exception]:
        for piece in super().__iter__():
            self.made += 1
            yield piece


def test_a_slow_client_holds_up_nobody_and_no_more_is_made_than_it_takes(database: Path) -> None:
    pieces = Drawn([bytes(PIECE)] * 100)

    async def talk() -> None:
        async with served(stub_service(database, Script(pieces=pieces))) as app:
            slow = begin(app, "/pull", taken=asyncio.Event().wait)
            await until(lambda: bool(slow.sent))
            for _ in range(20):
                assert (await ask(app, "/push", b"body")).status == 200
            slow.leave()
            await slow.answer()

    run(talk())
    assert pieces.made <= 3


def test_pieces_that_nobody_takes_are_let_go_of_in_the_thread_that_made_them(database: Path) -> None:
    script = Script(pieces=[bytes(PIECE)] * 100)

    async def talk() -> None:
        async with served(stub_service(database, script)) as app:
            slow = begin(app, "/pull", taken=asyncio.Event().wait)
            await until(lambda: bool(slow.sent))
            slow.leave()
            await slow.answer()
            await until(lambda: bool(script.closed))

    run(talk())
    assert script.closed == [script.asked[0][0]]


def test_pieces_of_an_answer_that_the_end_cuts_off_are_let_go_of_too(database: Path) -> None:
    script = Script(pieces=[bytes(PIECE)] * 100)

    async def talk() -> None:
        async with served(stub_service(database, script)) as app:
            slow = begin(app, "/pull", taken=asyncio.Event().wait)
            await until(lambda: bool(slow.sent))
            slow.task.cancel()

    run(talk())
    assert script.closed == [script.asked[0][0]]


def test_others_are_served_by_another_thread_than_a_long_answer(database: Path) -> None:
    script = Script(pieces=[bytes(PIECE)] * 100)

    async def talk() -> None:
        async with served(stub_service(database, script)) as app:
            slow = [begin(app, "/pull", taken=asyncio.Event().wait) for _ in range(2)]
            for one in slow:
                await until(lambda one=one: bool(one.sent))  # type: ignore[misc]
            for one in slow:
                one.leave()
                await one.answer()

    run(talk())
    assert len({thread for thread, _ in script.asked}) == 2


def test_a_failure_in_the_middle_breaks_the_answer_off(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    answer = answer_to(stub_service(database, Script(pieces=[bytes(PIECE), bytes(PIECE), StoreBusy("/db")])), "/pull")
    assert answer.status == 200
    assert not answer.complete
    assert "an answer was broken off: the database /db is locked" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_failure_at_the_beginning_has_a_status(database: Path) -> None:
    assert answer_to(stub_service(database, Script(pieces=[b"begun", StoreBusy("/db")])), "/pull").status == 503


# The log


def test_a_request_can_be_logged_as_an_object(database: Path) -> None:
    lines: list[str] = []

    async def talk() -> None:
        service = serve_file(str(database))
        async with service.run():
            app = build_application(service, lines.append, describe=format_object)
            await ask(app, "/get/TOKEN", method="GET", query=b"q=TOKEN")

    asyncio.run(talk())
    found = json.loads(lines[0])
    assert isinstance(found.pop("ms"), float)
    assert found.pop("sent") > 0
    assert found == {
        "address": "192.0.2.1",
        "method": "GET",
        "call": "/get… (10 characters)",
        "status": 404,
        "received": 0,
    }


def test_a_request_is_logged_without_its_query(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kvassfs")
    answer_to(stub_service(database, Script()), "/push", b"1234", query=b"q=SECRET")
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert record.getMessage().startswith("192.0.2.1 POST /push 200 4 in 8 out ")
    assert record.getMessage().endswith(" ms")


TOKEN = "Zx9-k_Qw3rTy5uIoPa1sDg"


@pytest.mark.parametrize(
    ("path", "query", "shown"),
    [
        ("/get", f"q={TOKEN}", "/get"),
        (f"/get?q={TOKEN}", "", "/get… (29 characters)"),  # as GET /get%3Fq=TOKEN is decoded
        (f"/get;q={TOKEN}", "", "/get… (29 characters)"),
        (f"/get/{TOKEN}", "", "/get… (27 characters)"),
        (f"/get&q={TOKEN}", "", "/get… (29 characters)"),
        (f"/get={TOKEN}", "", "/get… (27 characters)"),
        ("//get", f"q={TOKEN}", "/…/get (5 characters)"),
        (f"/{TOKEN}", "", "/… (23 characters)"),
        (f"/{TOKEN}/get", "", "/…/get (27 characters)"),
        (f"{TOKEN}", "", "/… (22 characters)"),
        (f"http://hub/get?q={TOKEN}", "", "/… (39 characters)"),
        (f"/get\n\x1b[2J{TOKEN}", "", "/get… (31 characters)"),
        ("/kvass/push", "", "/…/push (11 characters)"),
        ("", "", "/… (0 characters)"),
    ],
)
def test_a_token_in_a_mangled_address_is_not_logged(
    database: Path, caplog: pytest.LogCaptureFixture, path: str, query: str, shown: str
) -> None:
    caplog.set_level(logging.DEBUG, "kvassfs")
    headers = {"referer": f"https://hub/get?q={TOKEN}"}
    answer_to(stub_service(database, Script()), path, method="GET", query=query.encode(), headers=headers)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"192.0.2.1 GET {shown} 4")
    assert TOKEN[:6] not in caplog.text


def test_a_method_that_is_none_is_not_logged(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kvassfs")
    answer_to(stub_service(database, Script()), "/get", method=TOKEN)
    assert caplog.records[-1].getMessage().startswith("192.0.2.1 ? /get 405 ")
    assert TOKEN not in caplog.text


def test_only_a_poll_without_news_is_no_news(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kvassfs")
    script = Script(wait=0.1)

    async def talk() -> None:
        async with served(stub_service(database, script)) as app:
            await ask(app, "/pull")
            script.wait = 60.0
            script.pieces = [b"news"]
            await ask(app, "/pull")

    run(talk())
    assert [record.levelno for record in caplog.records] == [logging.DEBUG, logging.INFO]


@pytest.mark.parametrize(
    ("script", "level"), [(Script(), logging.DEBUG), (Script(failure=DiskFull("/db")), logging.INFO)]
)
def test_a_block_is_no_news_unless_it_fails(
    database: Path, caplog: pytest.LogCaptureFixture, script: Script, level: int
) -> None:
    caplog.set_level(logging.DEBUG, "kvassfs")
    answer_to(stub_service(database, script), "/blocks", b"1234")
    assert [record.levelno for record in caplog.records if "POST /blocks" in record.getMessage()] == [level]


def test_a_poll_whose_client_has_gone_is_no_news(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kvassfs")
    script = Script(wait=60.0)

    async def talk() -> None:
        async with served(stub_service(database, script)) as app:
            poll = begin(app, "/pull")
            await until(lambda: bool(script.asked))
            poll.leave()
            await poll.answer()

    run(talk())
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert "POST /pull 499 " in record.getMessage()


def test_a_bug_is_logged_with_its_traceback(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    answer_to(stub_service(database, Script(failure=ValueError("a bug"))), "/push")
    assert "Traceback" in caplog.text
    assert "ValueError: a bug" in caplog.text


def test_what_is_wrong_with_the_database_is_logged_in_a_line(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    answer_to(stub_service(database, Script(failure=StoreBusy("/db"))), "/push")
    assert "the database /db is locked by another process" in caplog.text
    assert "Traceback" not in caplog.text


# The database while nobody asks


def test_the_log_is_emptied_when_nothing_changes_any_more(database: Path) -> None:
    with Store.open(database) as store:
        store.set("key", b"value")

        async def talk() -> None:
            async with served(serve_file(str(database), idle=0.05)):
                await until(lambda: pages_in_log(store) == 0)

        assert pages_in_log(store)
        run(talk())


def test_a_small_database_from_before_is_written_anew_then(database: Path) -> None:
    Store.open(database).close()
    keep_room(database)
    with Store.open(database) as store:

        async def talk() -> None:
            async with served(serve_file(str(database), idle=0.05)):
                await until(store.upkeep.gives_back)

        run(talk())


def test_what_is_free_goes_back_to_the_disk(database: Path) -> None:
    with Store.open(database) as store:
        free_room(store, 12_000_000)
        assert database.stat().st_size > 12_000_000

        async def talk() -> None:
            async with served(serve_file(str(database), upkeep_interval=0.05)):
                await until(lambda: database.stat().st_size < 6_000_000)

        run(talk())


def pages_in_log(store: Store) -> int:
    """Return how many pages the write-ahead log has."""
    ((_, pages, _),) = rows(store, "PRAGMA wal_checkpoint(PASSIVE)")
    return int(pages)


def test_a_commit_by_others_wakes_the_requests_that_wait(database: Path) -> None:
    async def talk() -> None:
        with Store.open(database) as store:
            async with served(serve_file(str(database), limits=HubLimits(recheck_interval=60.0))) as app:
                seal = Seal(store.settings.config().encryption_key)
                request = messages.PullRequest(1, 7, messages.VERSION, 60.0)
                poll = begin(app, "/pull", seal.seal(messages.encode_pull_request(request)))
                await asyncio.sleep(0.5)
                assert not poll.task.done()
                store.set("key", b"value")
                assert (await poll.answer()).status == 200

    run(talk())


# With a real hub


def test_two_devices_exchange_an_entry_through_a_real_hub(database: Path, tmp_path: Path) -> None:
    with Store.open(database) as hub:
        seal = Seal(hub.settings.config().encryption_key)
    with Store.open(tmp_path / "device.sqlite") as device:
        device.set("key", b"value")
        (outgoing,) = device.outbox.read_dirty(Limit(HUB_LIMITS.page_bytes, HUB_LIMITS.whole_bytes, estimate_size))
        pushed = seal.seal(messages.encode_push([outgoing.delivery]))

    async def talk() -> tuple[Answer, Answer]:
        async with served(serve_file(str(database))) as app:
            poll = begin(
                app,
                "/pull",
                seal.seal(messages.encode_pull_request(messages.PullRequest(1, 7, messages.VERSION, 60.0))),
            )
            await asyncio.sleep(0.1)
            return await ask(app, "/push", pushed), await poll.answer()

    push, pull = run(talk())
    assert messages.decode_push_response(seal.unseal(push.body)).digest == messages.compute_digest(pushed)
    (delivery,) = messages.decode_pull_response(seal.unseal(pull.body)).deliveries
    assert (delivery.entry.key, delivery.value) == ("key", b"value")


def test_another_key_is_a_403(database: Path) -> None:
    Store.open(database).close()
    assert answer_to(serve_file(str(database)), "/pull", Seal(bytes(32)).seal(b"{}")).status == 403
