"""kvassfs/server/web/pairing: it joins as kvassfs/pairing does, says the same bytes, and takes nothing that is spoiled."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from spake2 import ed25519_basic as group
from spake2.spake2 import DefaultParams

from kvassfs.errors import InvalidMessage
from kvassfs.pairing import messages
from kvassfs.pairing.agreement import DeviceSide, JoinerSide
from kvassfs.pairing.code import Code, make_code, parse_code
from kvassfs.pairing.errors import InvalidCode
from kvassfs.pairing.fragment import Fragment, make_fragment
from kvassfs.pairing.messages import Handover, JoinRequest, JoinResponse
from kvassfs.pairing.words import WORDS
from tests.support.node import run_module
from tests.support.searches import examples
from tests.unit.pairing import test_agreement, test_fragment
from tests.unit.pairing.phone import Phone
from tests.unit.pairing.test_agreement import CODE, FRAGMENT, SHARE, counting

HERE = Path(__file__).parent / "web"

HANDOVER = Handover(
    "server", bytes(range(1, 33)), "hub.example:8000", "https://example.org", ("*.swp", "ä"), sealed=True
)
BARE = Handover("", bytes(32), "", "")

Responses = Callable[[bytes], list[bytes]]


class Case(NamedTuple):
    """A joiner: what it has, and what it gets from the hub, one after another."""

    shown: str
    responses: list[bytes]
    start: int | None = 100
    name: str = "laptop"


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def run_all(folder: Path, cases: Iterable[Case] = (), codes: Iterable[str] = ()) -> dict[str, Any]:
    """Return what the modules of the page say of joiners and codes."""
    described = [
        {
            "shown": case.shown,
            "name": case.name,
            "draws": None if case.start is None else draw(case.start),
            "responses": [encode(response) for response in case.responses],
        }
        for case in cases
    ]
    (folder / "cases").write_text(json.dumps({"cases": described, "codes": list(codes)}))
    found: dict[str, Any] = run_module(HERE / "join.mjs", folder / "cases")
    return found


def draw(start: int) -> list[str]:
    """Return what entropy of ``counting`` yields in its first calls; fewer bytes begin with the same ones."""
    entropy = counting(start)
    return [encode(entropy(64)) for _ in range(3)]


def respond(share: bytes, answer: bytes | None = None) -> bytes:
    return messages.encode_join_response(JoinResponse(share, answer))


def describe(handover: Handover) -> dict[str, Any]:
    """Return a handover as the page has it."""
    return {
        "name": handover.name,
        "key": encode(handover.key),
        "remote": handover.remote,
        "publicUrl": handover.public_url,
        "scratch": None if handover.scratch is None else list(handover.scratch),
        "sealed": handover.sealed,
    }


class Meeting(NamedTuple):
    """A device, and the message that a joiner with the entropy of ``counting(100)`` sends to it."""

    shown: str
    side: DeviceSide
    message: bytes

    def answer(self, handover: bytes) -> Case:
        assert self.side.open(self.message) == messages.encode_introduction("laptop")
        return self.take(self.side.answer(handover))

    def take(self, answer: bytes) -> Case:
        return Case(self.shown, [respond(self.side.share), respond(self.side.share, answer)])


def meet_by_code(code: Code = CODE) -> Meeting:
    side = DeviceSide(code, FRAGMENT, counting(0))
    message = JoinerSide(code, counting(100)).reply(side.share, messages.encode_introduction("laptop"))
    return Meeting(str(code), side, message)


def meet_by_fragment(fragment: Fragment = FRAGMENT) -> Meeting:
    side = DeviceSide(Code(fragment.number, CODE.words), fragment, counting(0))
    message = Phone(str(fragment), counting(100)).reply(side.share, messages.encode_introduction("laptop"))
    return Meeting(str(fragment), side, message)


MEETINGS = pytest.mark.parametrize("meet", [meet_by_code, meet_by_fragment])


# Right


def test_the_vectors_are_what_it_sends_and_opens(tmp_path: Path) -> None:
    by_code = test_agreement.MESSAGE, Case(str(CODE), [respond(SHARE), respond(SHARE, test_agreement.ANSWER)])
    by_fragment = (
        test_fragment.MESSAGE,
        Case(test_fragment.TEXT, [respond(SHARE), respond(SHARE, test_fragment.ANSWER)]),
    )
    found = run_all(tmp_path, [by_code[1], by_fragment[1]])["joined"]
    for (message, _), each in zip([by_code, by_fragment], found, strict=True):
        assert [call for call, _ in each["requests"]] == ["join", "join"]
        sent = [messages.decode_join_request(base64.b64decode(body)) for _, body in each["requests"]]
        assert sent == [JoinRequest(7), JoinRequest(7, message)]
        assert each["error"] == "OtherProtocol"  # what the vectors hand over has no key


@MEETINGS
def test_what_is_handed_over_is_what_it_gets(tmp_path: Path, meet: Callable[[], Meeting]) -> None:
    handovers = [HANDOVER, BARE, HANDOVER._replace(scratch=(), sealed=False)]
    found = run_all(tmp_path, [meet().answer(messages.encode_handover(each)) for each in handovers])["joined"]
    assert [each.get("result") for each in found] == [describe(each) for each in handovers]


def test_with_any_code_both_sides_agree(tmp_path: Path) -> None:
    """The device here has random shares, and so has the joiner; the message is known once it was sent."""
    random = Random(1)
    codes = [make_code(random.randrange(1, 100), random.choice) for _ in range(examples(20, long=1000))]
    sides = [DeviceSide(code, make_fragment(code.number)) for code in codes]
    cases = [Case(str(code), [respond(side.share)] * 2, start=None) for code, side in zip(codes, sides, strict=True)]
    for side, each in zip(sides, run_all(tmp_path, cases)["joined"], strict=True):
        sent = messages.decode_join_request(base64.b64decode(each["requests"][1][1]))
        assert sent.message is not None
        assert side.open(sent.message) == messages.encode_introduction("laptop")


def test_it_asks_again_as_long_as_there_is_no_answer(tmp_path: Path) -> None:
    meeting = meet_by_fragment()
    case = meeting.answer(messages.encode_handover(HANDOVER))
    waiting = case._replace(responses=[case.responses[0], respond(SHARE), respond(SHARE), case.responses[1]])
    (found,) = run_all(tmp_path, [waiting])["joined"]
    assert found["result"] == describe(HANDOVER)
    assert [body for _, body in found["requests"][1:]] == [found["requests"][1][1]] * 3


def test_a_name_that_no_device_takes_is_made_one(tmp_path: Path) -> None:
    side = DeviceSide(CODE, FRAGMENT)
    names = ["n" * 65, "\U0001f600" * 70, "a\ud800b", ""]
    cases = [Case(str(FRAGMENT), [respond(side.share)] * 2, start=None, name=name) for name in names]
    found = []
    for each in run_all(tmp_path, cases)["joined"]:
        sent = messages.decode_join_request(base64.b64decode(each["requests"][1][1]))
        assert sent.message is not None
        found.append(messages.decode_introduction(side.open(sent.message)))
    assert found == ["n" * 64, "\U0001f600" * 64, "ab", ""]


# Wrong


@MEETINGS
def test_an_answer_that_was_changed_or_cut_hands_nothing_over(tmp_path: Path, meet: Callable[[], Meeting]) -> None:
    meeting = meet()
    meeting.side.open(meeting.message)
    answer = meeting.side.answer(messages.encode_handover(HANDOVER))
    spoiled = [b"", answer + b"x", meeting.message]
    spoiled += [answer[:at] + bytes((answer[at] ^ 1,)) + answer[at + 1 :] for at in range(0, len(answer), 5)]
    spoiled += [answer[:end] for end in range(0, len(answer), 20)]
    found = run_all(tmp_path, [meeting.take(each) for each in spoiled])["joined"]
    assert {each.get("error") for each in found} == {"WrongCode"}


@MEETINGS
def test_an_answer_of_another_pairing_hands_nothing_over(tmp_path: Path, meet: Callable[[], Meeting]) -> None:
    case = meet().answer(messages.encode_handover(HANDOVER))
    (found,) = run_all(tmp_path, [case._replace(start=50)])["joined"]
    assert (found["error"], "result" in found) == ("WrongCode", False)


def test_without_what_the_device_has_nothing_is_handed_over(tmp_path: Path) -> None:
    answers = [meet_by_code(), meet_by_fragment()]
    sealed = [meeting.answer(messages.encode_handover(HANDOVER)) for meeting in answers]
    others = ["7-purple-onion", "7-lamp-purple", "8-purple-lamp", str(make_fragment(7)), str(Fragment(8, FRAGMENT.key))]
    cases = [case._replace(shown=other) for case in sealed for other in others]
    assert {each.get("error") for each in run_all(tmp_path, cases)["joined"]} == {"WrongCode"}


ZERO = b"\x01" + bytes(31)
"""The neutral element."""


def test_what_is_no_share_is_refused_before_anything_is_said(tmp_path: Path) -> None:
    reflected = JoinerSide(CODE, counting(100)).share
    twisted = b"A" + (2).to_bytes(32, "little")
    shares = [b"", b"A", SHARE[:-1], b"A" + ZERO, b"A" + b"\xff" * 32, b"A" + bytes(32), b"S" + SHARE[1:], twisted]
    shares += [b"A" + ZERO[:-1] + b"\x80", reflected, b"A" + reflected[1:], b"F" + SHARE[1:]]
    found = run_all(tmp_path, [Case(str(CODE), [respond(share)]) for share in shares])["joined"]
    assert [(each.get("error"), len(each["requests"])) for each in found] == [("WrongCode", 1)] * len(shares)


@pytest.mark.parametrize(
    "response",
    [
        *[b"", b"\xff", b"[]", b"null", b"7", b"[" * 4000, b'{"Share": 7}', b'{"Share": "QQ"}', b" " * 4097],
        *[b'{"Share": "QQ==", "Answer": 7}', b'{"Share": "QQ==", "Answer": "%"}', respond(SHARE, bytes(2901))],
        b'{"Share": "' + base64.b64encode(bytes(34)) + b'"}',
    ],
)
def test_what_is_no_response_of_a_hub_is_said(tmp_path: Path, response: bytes) -> None:
    (found,) = run_all(tmp_path, [Case(str(CODE), [response])])["joined"]
    assert found["error"] == "CannotPair"


FIELDS: dict[str, list[Any]] = {
    "Key": ["QQ==", None, encode(bytes(33)), 7],
    "Type": ["introduction", None],
    "Scratch": ["*", [7], {}, None, []],
    "Remote": [None, "hub\udcff", 7],
    "PublicUrl": ["x" * 1500, []],
    "Name": ["x" * 65, "\U0001f600" * 64, "a\x1b[2J\nb猫\u2003\u200d c", False],
    "Sealed": ["yes", 1, True],
    "More": [1],
}
"""What somebody may put there."""


def test_of_what_is_handed_over_it_takes_what_a_device_takes(tmp_path: Path) -> None:
    whole = {"Type": "handover", "Name": "x", "Key": encode(bytes(32)), "Remote": "hub"}
    changes = [{field: value} for field, values in FIELDS.items() for value in values]
    texts = [json.dumps(whole | change).encode() for change in changes] + [b"[]", b"null", b"{", b"\xff", b"7"]
    found = run_all(tmp_path, [meet_by_fragment().answer(text) for text in texts])["joined"]
    for text, each in zip(texts, found, strict=True):
        try:
            expected: dict[str, Any] = {"result": describe(messages.decode_handover(text))}
        except InvalidMessage:
            expected = {"error": "OtherProtocol"}
        assert {name: each.get(name) for name in expected} == expected, (text, each)
    assert {each.get("error") for each in found} == {None, "OtherProtocol"}


# Codes and fragments


def test_it_has_the_words(tmp_path: Path) -> None:
    assert tuple(run_all(tmp_path)["words"]) == WORDS


def test_of_what_is_typed_it_says_what_a_device_says(tmp_path: Path) -> None:
    typed = ["7-purple-lamp", " 07 Purple, LAMP ", "99.zodiac_acorn", "0-purple-lamp", "100-purple-lamp", "7 purple"]
    typed += [
        "",
        "lamp",
        "7-purpel-lamp",
        "7-purple-xylophone",
        "x-purple-lamp",
        "7--purple--lamp",
        "7-purple-lamp-",
        "٧-purple-lamp",
    ]
    for text, found in zip(typed, run_all(tmp_path, codes=typed)["codes"], strict=True):
        try:
            code = parse_code(text)
        except InvalidCode:
            assert found["error"] == "InvalidCode", text
        else:
            assert found["result"] == {"number": code.number, "text": str(code)}


def test_a_slip_that_can_be_told_is_shown_and_costs_nothing(tmp_path: Path) -> None:
    texts = ["7-purpel-lamp", "7-purple-lam", "not a code", "Z" + "A" * 22, "AAAAAAAAAAAAAAAAAAAAAAA"]
    found = run_all(tmp_path, [Case(text, []) for text in texts])["joined"]
    assert [each["error"] for each in found] == ["InvalidCode"] * 4 + ["InvalidFragment"]
    assert [each["requests"] for each in found] == [[]] * len(texts)
    assert "is it purple?" in found[0]["message"]


# The group


def compute(folder: Path, points: list[bytes], products: list[tuple[bytes, int]]) -> dict[str, Any]:
    described = {
        "points": [point.hex() for point in points],
        "products": [(point.hex(), f"{scalar:x}") for point, scalar in products],
    }
    (folder / "group").write_text(json.dumps(described))
    found: dict[str, Any] = run_module(HERE / "group.mjs", folder / "group")
    return found


def find_point(data: bytes) -> str | None:
    """Return what the package makes of the bytes of a point, as far as it writes it in one way alone."""
    try:
        element = group.bytes_to_element(data)
    except (ValueError, group.NotOnCurve):
        return None
    return data.hex() if element.to_bytes() == data else None


def test_points_are_those_of_the_package(tmp_path: Path) -> None:
    random = Random(2)
    count = examples(100, long=3000)
    points = [random.randbytes(32) for _ in range(count)]
    points += [group.Base.scalarmult(random.randrange(group.L)).to_bytes() for _ in range(count)]
    points += [y.to_bytes(32, "little") for near in (0, group.Q, 2**255) for y in range(max(0, near - 4), near + 4)]
    low = group.xrecover(0)
    points += [group.encodepoint([low, 0]), group.encodepoint([group.Q - low, 0])]
    found = compute(tmp_path, points, [])
    assert found["points"] == [find_point(point) for point in points]
    doubled = [None if find_point(each) is None else group.bytes_to_element(each).scalarmult(2) for each in points]
    assert found["doubled"] == [each and each.to_bytes().hex() for each in doubled]


def test_products_are_those_of_the_package(tmp_path: Path) -> None:
    random = Random(3)
    elements = [group.Base, DefaultParams.M, DefaultParams.N]
    scalars = [0, 1, 2, group.L - 1, *(random.randrange(group.L) for _ in range(examples(20, long=1000)))]
    products = [(element, scalar) for element in elements for scalar in scalars]
    found = compute(tmp_path, [], [(element.to_bytes(), scalar) for element, scalar in products])
    assert found["products"] == [element.scalarmult(scalar).to_bytes().hex() for element, scalar in products]
