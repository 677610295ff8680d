"""kvassfs.pairing.post_office: mailboxes as lists, and in a store."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.errors import InvalidMessage, Undecipherable
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.pairing import messages, post_office
from kvassfs.pairing.calls import OwnOffice
from kvassfs.pairing.errors import CodeGone, TooManyMailboxes
from kvassfs.pairing.messages import JoinRequest, PairRequest, PairResponse
from kvassfs.pairing.post_office import LIFETIME, MAX_ENDED, MAX_OPEN, PostOffice
from kvassfs.store import Mailbox, Store
from kvassfs.sync import messages as sync_messages
from kvassfs.sync.messages import PullRequest
from kvassfs.sync.seal import Seal
from tests.unit.pairing.desk import KEY, Desk

NOW = 1_800_000_000_000_000
MESSAGE = bytes(80)
SHARE = b"A" + bytes(32)


def ticket(number: int) -> str:
    return f"{number:022}"


def mailbox(number: int = 7, **fields: object) -> Mailbox:
    made = Mailbox(number, ticket(number), NOW + LIFETIME * 1_000_000, share="U0hBUkU=")
    return made._replace(**fields)  # type: ignore[arg-type]


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


# Lists


@pytest.mark.parametrize(
    ("left", "stays"), [(1, True), (0, False), (-1, False), (LIFETIME, True), (LIFETIME + 1, False)]
)
def test_a_mailbox_stays_for_ten_minutes_whatever_becomes_of_the_clock(left: int, stays: bool) -> None:
    boxes = [mailbox(expires=NOW + left * 1_000_000)]
    assert post_office.drop_expired(boxes, NOW) == (boxes if stays else [])


def test_a_new_mailbox_has_the_next_free_number() -> None:
    boxes = [mailbox(98), mailbox(99), mailbox(1, ended=True)]
    assert post_office.open_mailbox(boxes, ticket(5), NOW, 98)[-1] == Mailbox(2, ticket(5), NOW + LIFETIME * 1_000_000)


@pytest.mark.parametrize("ended", [False, True])
def test_a_ticket_is_good_for_one_mailbox(ended: bool) -> None:
    boxes = [mailbox(7, ended=ended)]
    assert post_office.open_mailbox(boxes, ticket(7), NOW, 8) == boxes


def test_only_a_few_are_open_at_a_time() -> None:
    boxes = [mailbox(number) for number in range(1, MAX_OPEN + 1)]
    with pytest.raises(TooManyMailboxes):
        post_office.open_mailbox(boxes, ticket(50), NOW, 50)
    boxes = post_office.end_mailbox(boxes, ticket(3))
    assert post_office.open_mailbox(boxes, ticket(50), NOW, 50)[-1].number == 50


def test_a_few_that_have_ended_are_remembered_with_nothing_in_them() -> None:
    boxes: list[Mailbox] = []
    for number in range(1, 60):
        boxes = post_office.open_mailbox(boxes, ticket(number), NOW, number)
        boxes = post_office.end_mailbox(boxes, ticket(number))
    assert [each.number for each in boxes] == [*range(60 - MAX_ENDED, 60)]
    assert all(each.share == "" for each in boxes)


@pytest.mark.parametrize(
    "box",
    [
        mailbox(8),
        mailbox(share=""),
        mailbox(ended=True),
        mailbox(message=text_of(bytes(70))),
        mailbox(message=text_of(bytes(70)), answer="QQ==", fetched=True),
    ],
)
@pytest.mark.parametrize("message", [None, MESSAGE])
def test_a_number_that_nobody_has_and_one_that_is_used_are_the_same(box: Mailbox, message: bytes | None) -> None:
    with pytest.raises(CodeGone):
        post_office.find_for_joiner([box], JoinRequest(7, message))


def test_the_joiner_itself_finds_its_mailbox_again() -> None:
    box = mailbox(message=text_of(MESSAGE))
    assert post_office.find_for_joiner([box], JoinRequest(7, MESSAGE)) == box
    with pytest.raises(CodeGone):
        post_office.find_for_joiner([box], JoinRequest(7))


# The store


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "hub.sqlite")
    yield made
    made.store.close()


def ask(office: PostOffice, request: PairRequest, key: bytes = KEY) -> PairResponse:
    answer = office.serve(Seal(key).seal(messages.encode_pair_request(request))).respond(patient=False)
    assert answer is not None
    return messages.decode_pair_response(Seal(key).unseal(answer))


def leave(office: PostOffice, number: int, message: bytes = MESSAGE) -> None:
    office.receive(messages.encode_join_request(JoinRequest(number, message)))


def test_a_request_may_be_repeated(desk: Desk) -> None:
    first = ask(desk.office, PairRequest(ticket(1)))
    assert ask(desk.office, PairRequest(ticket(1))).mailbox == first.mailbox
    assert len(desk.store.mailboxes.read()) == 1
    ask(desk.office, PairRequest(ticket(1), SHARE))
    ask(desk.office, PairRequest(ticket(1), b"B" + SHARE[1:]))
    assert desk.store.mailboxes.read()[0].share == text_of(SHARE)  # the first one counts


def test_an_answer_waits_for_a_message_and_never_changes(desk: Desk) -> None:
    number = ask(desk.office, PairRequest(ticket(1), SHARE)).mailbox
    assert number == 0  # a share opens none
    number = ask(desk.office, PairRequest(ticket(1))).mailbox
    ask(desk.office, PairRequest(ticket(1), SHARE))
    ask(desk.office, PairRequest(ticket(1), SHARE, b"too early"))
    assert desk.store.mailboxes.read()[0].answer is None
    leave(desk.office, number)
    ask(desk.office, PairRequest(ticket(1), SHARE, b"first"))
    ask(desk.office, PairRequest(ticket(1), SHARE, b"second"))
    assert desk.store.mailboxes.read()[0].answer == text_of(b"first")


def test_another_key_opens_nothing(desk: Desk) -> None:
    with pytest.raises(Undecipherable):
        ask(desk.office, PairRequest(ticket(1)), bytes(32))
    assert desk.store.mailboxes.read() == []


def test_what_was_recorded_of_another_call_opens_nothing(desk: Desk) -> None:
    pull = Seal(KEY).seal(sync_messages.encode_pull_request(PullRequest(0, 1)))
    with pytest.raises(InvalidMessage):
        desk.office.serve(pull)
    with pytest.raises(InvalidMessage):
        sync_messages.decode_pull_request(messages.encode_pair_request(PairRequest(ticket(1))))


def test_a_recorded_request_opens_no_mailbox_after_its_end(desk: Desk) -> None:
    recorded = Seal(KEY).seal(messages.encode_pair_request(PairRequest(ticket(1))))
    desk.office.serve(recorded)
    ask(desk.office, PairRequest(ticket(1), end=True))
    desk.office.serve(recorded)
    assert [each.ended for each in desk.store.mailboxes.read()] == [True]


def test_guesses_of_strangers_write_nothing(desk: Desk, tmp_path: Path) -> None:
    ask(desk.office, PairRequest(ticket(1)))
    before = desk.store.upkeep.log_size()
    for number in range(100):
        with pytest.raises(CodeGone):
            leave(desk.office, number)
    assert desk.store.upkeep.log_size() == before


def test_the_numbers_come_from_the_random_source(tmp_path: Path) -> None:
    with Store.open(tmp_path / "hub.sqlite") as store:
        store.settings.set_encryption_key(KEY)
        office = PostOffice(StoreKeeper(store), random=lambda size: bytes([41]) * size)
        assert [ask(office, PairRequest(ticket(each))).mailbox for each in (1, 2)] == [42, 43]


def test_what_waits_in_the_mailboxes_is_bounded(desk: Desk) -> None:
    for number in range(40):
        box = ask(desk.office, PairRequest(ticket(number))).mailbox
        ask(desk.office, PairRequest(ticket(number), SHARE))
        leave(desk.office, box, os.urandom(messages.MAX_SECRET))
        ask(desk.office, PairRequest(ticket(number), SHARE, bytes(messages.MAX_SECRET)))
        if number >= MAX_OPEN - 1:
            ask(desk.office, PairRequest(ticket(number), end=True))
    assert len(str(desk.store.mailboxes.read())) < 2 * MAX_OPEN * 4096 + MAX_ENDED * 200


def test_after_ten_minutes_the_store_forgets_them(desk: Desk) -> None:
    ask(desk.office, PairRequest(ticket(1)))
    desk.seconds = LIFETIME
    ask(desk.office, PairRequest(ticket(2)))
    assert [each.ticket for each in desk.store.mailboxes.read()] == [ticket(2)]


def test_writing_none_leaves_no_row(desk: Desk) -> None:
    ask(desk.office, PairRequest(ticket(1)))
    desk.store.mailboxes.write([])
    assert desk.store.mailboxes.read() == []


# The hub's own device


def test_the_hub_itself_looks_until_a_joiner_comes(desk: Desk) -> None:
    clock = iter(range(100))
    number: list[int] = []
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            leave(PostOffice(StoreKeeper(desk.store)), number[0])

    own = OwnOffice(desk.store, sleep=sleep, clock=lambda: next(clock))
    number.append(_post(own, PairRequest(ticket(1))).mailbox)
    assert _post(own, PairRequest(ticket(1), SHARE, wait=50)).message == MESSAGE
    assert len(slept) == 3
    assert _post(own, PairRequest(ticket(1), SHARE, b"answer", wait=5)).fetched is False


def _post(own: OwnOffice, request: PairRequest) -> PairResponse:
    sealed = own.post("pair", Seal(KEY).seal(messages.encode_pair_request(request)), wait=request.wait)
    return messages.decode_pair_response(Seal(KEY).unseal(sealed))
