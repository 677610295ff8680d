"""kvassfs.pairing.messages: what is refused on the way in. The examples of the protocol are in tests/unit/test_docs.py."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from kvassfs.errors import InvalidMessage
from kvassfs.pairing import messages
from kvassfs.pairing.messages import Handover, JoinRequest, JoinResponse, PairRequest, PairResponse

TICKET = "Yk1Zr0bT3m0cJw2nQ8u4xQ"
LONG = base64.b64encode(bytes(messages.MAX_SECRET + 1)).decode()
SHORT = base64.b64encode(bytes(64)).decode()

PAIR: dict[str, Any] = {"Type": "pair", "Version": 1, "Ticket": TICKET}
ANSWER: dict[str, Any] = {"Type": "pair answer", "Request": "d", "Mailbox": 7}
JOIN: dict[str, Any] = {"Version": 1, "Mailbox": 7}
INTRODUCTION: dict[str, Any] = {"Type": "introduction", "Name": "x"}
HANDOVER: dict[str, Any] = {"Type": "handover", "Name": "x", "Key": base64.b64encode(bytes(32)).decode()}


def encode(fields: object) -> bytes:
    return json.dumps(fields).encode()


def test_fields_that_are_absent_have_a_meaning_and_unknown_ones_none() -> None:
    assert messages.decode_pair_request(encode(PAIR | {"More": 1})) == PairRequest(TICKET)
    assert messages.decode_pair_response(encode(ANSWER | {"More": 1})) == PairResponse("d", 7)
    assert messages.decode_join_request(encode(JOIN | {"More": 1})) == JoinRequest(7)
    assert messages.decode_join_response(b'{"More": 1}') == JoinResponse(b"")
    assert messages.decode_introduction(encode({"Type": "introduction"})) == ""
    assert messages.decode_handover(encode(HANDOVER | {"More": 1})) == Handover("x", bytes(32), "", "")


def test_a_name_is_shown_without_control_characters() -> None:
    assert messages.decode_introduction(encode(INTRODUCTION | {"Name": "a\x1b[2J\nb猫"})) == "a[2Jb猫"


@pytest.mark.parametrize(
    ("decode", "whole", "changes"),
    [
        (messages.decode_pair_request, PAIR, {"Type": "pull"}),
        (messages.decode_pair_request, PAIR, {"Type": "pair answer"}),
        (messages.decode_pair_request, PAIR, {"Version": 2}),
        (messages.decode_pair_request, PAIR, {"Version": "1"}),
        (messages.decode_pair_request, PAIR, {"Ticket": "short"}),
        (messages.decode_pair_request, PAIR, {"Ticket": "/" * 22}),
        (messages.decode_pair_request, PAIR, {"Ticket": 7}),
        (messages.decode_pair_request, PAIR, {"Share": SHORT}),
        (messages.decode_pair_request, PAIR, {"Share": "QQ=="}),
        (messages.decode_pair_request, PAIR, {"Answer": LONG}),
        (messages.decode_pair_request, PAIR, {"Answer": "%"}),
        (messages.decode_pair_request, PAIR, {"Wait": -1}),
        (messages.decode_pair_request, PAIR, {"Wait": "1"}),
        (messages.decode_pair_request, PAIR, {"Wait": True}),
        (messages.decode_pair_response, ANSWER, {"Mailbox": 100}),
        (messages.decode_pair_response, ANSWER, {"Mailbox": -1}),
        (messages.decode_pair_response, ANSWER, {"Message": 7}),
        (messages.decode_join_request, JOIN, {"Version": 2}),
        (messages.decode_join_request, JOIN, {"Mailbox": "7"}),
        (messages.decode_join_request, JOIN, {"Message": SHORT}),
        (messages.decode_join_request, JOIN, {"Message": LONG}),
        (messages.decode_join_request, JOIN, {"Message": ["QQ=="]}),
        (messages.decode_introduction, INTRODUCTION, {"Name": "x" * 65}),
        (messages.decode_introduction, INTRODUCTION, {"Name": 7}),
        (messages.decode_introduction, INTRODUCTION, {"Type": "handover"}),
        (messages.decode_handover, HANDOVER, {"Key": "QQ=="}),
        (messages.decode_handover, HANDOVER, {"Key": None}),
        (messages.decode_handover, HANDOVER, {"Scratch": "*"}),
        (messages.decode_handover, HANDOVER, {"Scratch": [7]}),
        (messages.decode_handover, HANDOVER, {"Remote": None}),
        (messages.decode_handover, HANDOVER, {"Remote": "hub\udcff"}),
    ],
)
def test_a_message_that_does_not_fit_is_refused_whole(
    decode: Callable[[bytes], Any], whole: dict[str, Any], changes: dict[str, Any]
) -> None:
    decode(encode(whole))
    with pytest.raises(InvalidMessage):
        decode(encode(whole | changes))


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"null", b"7", b"[" * 4000])
@pytest.mark.parametrize("decode", [messages.decode_pair_request, messages.decode_join_request])
def test_what_is_no_object_is_refused(decode: Callable[[bytes], Any], body: bytes) -> None:
    with pytest.raises(InvalidMessage):
        decode(body)
