"""kvassfs.pairing.fragment, and what the device makes of a message of who has one."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvassfs.pairing import messages
from kvassfs.pairing.agreement import DeviceSide, JoinerSide
from kvassfs.pairing.code import LARGEST_NUMBER
from kvassfs.pairing.device import Invitation
from kvassfs.pairing.errors import CodeGone, WrongCode
from kvassfs.pairing.fragment import Fragment, make_fragment
from kvassfs.pairing.messages import Handover, JoinRequest
from tests.unit.pairing.desk import Desk
from tests.unit.pairing.phone import Phone, hkdf, split_fragment
from tests.unit.pairing.test_agreement import CODE, FRAGMENT, HANDOVER, INTRODUCTION, SHARE, counting
from tests.unit.pairing.test_pairing import HANDOVER as SETTINGS
from tests.unit.pairing.test_pairing import Host, invite, join

TEXT = "BwABAgMEBQYHCAkKCwwNDg8"
"""FRAGMENT: mailbox 7, and the key 00 01 … 0f."""

MESSAGE = bytes.fromhex(
    "4624e123d7538cf7a23c8f8e6ed94b7e0f8edaf7aa4a10957583373c341fd4d1e30b2cedc9ab984de5aaf1472509d44352544770477fc6d5"
    "ab30b8f2c1a107410ab967c7cc5249454c318a7fbb0a9664b375fa1baf4f269e2b8a7e4d2eb46fd6b7efa441d2fe97d57972907f11fb59dc"
    "a93e73fb1a6374346090c2b7949bbfc033d0b9ab"
)
ANSWER = bytes.fromhex(
    "53951f6ec69c29d095eefb2bfbfe2bca30b5e0606edb6615c42fba79064a387e8973698ae20544521cd22cb32d463750ec0289a3769dfd33"
    "a148352104be9f1074b47c8208d82933b144826983b652"
)
"""Made by `Phone` and `DeviceSide` with the entropy of `counting`, from 100 and from 0."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "hub.sqlite")
    yield made
    made.store.close()


def device() -> DeviceSide:
    return DeviceSide(CODE, FRAGMENT, counting(0))


def join_phone(desk: Desk, invitation: Invitation) -> Handover:
    return Phone(str(invitation.fragment)).receive(desk, "phone")


def join_code(desk: Desk, invitation: Invitation) -> Handover:
    return join(desk, invitation.code)


def reply_of(fragment: Fragment) -> bytes:
    return Phone(str(fragment), counting(100)).reply(SHARE, INTRODUCTION)


# The text


def test_a_fragment_is_the_number_and_the_key() -> None:
    assert str(FRAGMENT) == TEXT
    assert split_fragment(TEXT) == FRAGMENT


@given(st.integers(1, LARGEST_NUMBER), st.binary(min_size=16, max_size=16))
def test_every_fragment_is_told_from_a_code_by_its_first_letter(number: int, key: bytes) -> None:
    assert re.fullmatch(r"[A-Y][A-Za-z0-9_-]{22}", str(Fragment(number, key)))
    assert split_fragment(str(Fragment(number, key))) == (number, key)


def test_each_is_another_one() -> None:
    assert make_fragment(7) != make_fragment(7)
    assert make_fragment(7, lambda size: b"x" * size) == Fragment(7, b"x" * 16)


# Vectors


def test_device_and_phone_say_what_the_vectors_say() -> None:
    side, phone = device(), Phone(TEXT, counting(100))
    assert phone.reply(side.share, INTRODUCTION) == MESSAGE
    assert side.open(MESSAGE) == INTRODUCTION
    assert side.answer(HANDOVER) == ANSWER
    assert phone.open(ANSWER) == HANDOVER


def test_no_key_is_one_that_a_code_leads_to() -> None:
    names = [f"{role} {what}" for role in ("device", "joiner") for what in ("confirmation", "key")]
    by_fragment = {Phone(TEXT).derive(name) for name in names}
    by_code = {hkdf(FRAGMENT.key, f"kvass pair 1 {name} 7".encode()) for name in names}
    assert len(by_fragment | by_code) == 2 * len(names)


def test_the_shortest_message_is_one_that_hubs_take() -> None:
    shortest = Phone(TEXT).reply(SHARE, messages.encode_introduction(""))
    request = JoinRequest(7, shortest)
    assert messages.decode_join_request(messages.encode_join_request(request)) == request


# One mailbox for both


def test_who_has_the_fragment_gets_what_is_handed_over(desk: Desk) -> None:
    with invite(desk) as invitation:
        host = Host(desk, invitation)
        assert Phone(str(invitation.fragment)).receive(desk, "phone") == SETTINGS
    assert (host.name, host.failure) == ("phone", None)


@pytest.mark.parametrize("phone_first", [True, False])
def test_whoever_comes_first_is_the_only_one(desk: Desk, phone_first: bool) -> None:
    with invite(desk) as invitation:
        Host(desk, invitation)
        first, second = (join_phone, join_code) if phone_first else (join_code, join_phone)
        assert first(desk, invitation) == SETTINGS
        with pytest.raises(CodeGone):
            second(desk, invitation)


def test_the_hub_sees_nothing_of_the_fragment(desk: Desk) -> None:
    with invite(desk) as invitation:
        Host(desk, invitation)
        fragment = invitation.fragment
        Phone(str(fragment)).receive(desk, "phone")
    seen = b"".join(body for _, body in desk.bodies)
    in_base64 = b"".join(base64.b64decode(text) for text in seen.split(b'"') if len(text) % 4 == 0 and text.isalnum())
    for secret in (str(fragment).encode(), fragment.key, base64.b64encode(fragment.key)):
        assert secret not in seen + in_base64


def test_a_wrong_fragment_ends_it_for_both(desk: Desk) -> None:
    with invite(desk) as invitation:
        host = Host(desk, invitation)
        fragment = invitation.fragment
        assert Phone(str(fragment._replace(key=bytes(16)))).send(desk, "phone") == b""
        assert isinstance(host.failure, WrongCode)
        assert host.failure.exit_code == 3
        assert not host.handed_over
        for joins in (join_code, join_phone):
            with pytest.raises(CodeGone):
                joins(desk, invitation)


# What must not work


@given(st.binary(min_size=16, max_size=16).filter(lambda key: key != FRAGMENT.key))
def test_another_key_opens_nothing(key: bytes) -> None:
    with pytest.raises(WrongCode):
        device().open(reply_of(Fragment(7, key)))


def test_a_fragment_is_for_its_own_mailbox_alone() -> None:
    with pytest.raises(WrongCode):
        device().open(reply_of(Fragment(8, FRAGMENT.key)))


@pytest.mark.parametrize("place", range(len(MESSAGE)))
def test_a_message_that_was_changed_anywhere_is_refused(place: int) -> None:
    changed = bytearray(MESSAGE)
    changed[place] ^= 1
    with pytest.raises(WrongCode):
        device().open(bytes(changed))


@given(st.integers(0, len(MESSAGE) - 1))
def test_a_message_that_was_cut_is_refused(end: int) -> None:
    with pytest.raises(WrongCode):
        device().open(MESSAGE[:end])


@given(st.binary(max_size=200))
def test_a_message_of_anything_is_refused(rest: bytes) -> None:
    with pytest.raises(WrongCode):
        device().open(b"F" + rest)


def test_a_message_says_nothing_in_another_pairing() -> None:
    with pytest.raises(WrongCode):
        DeviceSide(CODE, FRAGMENT).open(MESSAGE)
    with pytest.raises(WrongCode):
        DeviceSide(CODE, make_fragment(7), counting(0)).open(MESSAGE)


def test_the_code_does_not_stand_in_for_the_fragment() -> None:
    side = device()
    reply = JoinerSide(CODE).reply(side.share, INTRODUCTION)
    with pytest.raises(WrongCode):
        side.open(b"F" + reply[1:])
    other = device()
    with pytest.raises(WrongCode):
        other.open(b"B" + MESSAGE[1:])
