"""kvassfs.pairing.device and joiner: both sides, and who stands between them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kvassfs.errors import HubFailed, HubUnreachable, NotAHub, WrongKey
from kvassfs.pairing.agreement import SHARE_BYTES, JoinerSide
from kvassfs.pairing.code import Code, make_code
from kvassfs.pairing.device import Invitation
from kvassfs.pairing.errors import (
    CannotPair,
    CodeGone,
    InvalidIntroduction,
    OtherSideGone,
    PairingError,
    PairingExpired,
    TooManyMailboxes,
    TooManyTries,
    WrongCode,
)
from kvassfs.pairing.joiner import PATIENCE, receive_handover
from kvassfs.pairing.messages import Handover
from kvassfs.pairing.post_office import LIFETIME
from kvassfs.pairing.words import WORDS
from tests.unit.pairing.desk import KEY, Desk

HANDOVER = Handover("server", bytes(range(1, 33)), "hub.example:8000", "https://example.org", ("*.swp",))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "hub.sqlite")
    yield made
    made.store.close()


def invite(desk: Desk, **options: Any) -> Invitation:
    def sleep(seconds: float) -> None:
        desk.seconds += seconds

    return Invitation(desk, KEY, clock=desk.clock, sleep=sleep, **options)


def join(desk: Desk, code: Code, name: str = "laptop") -> Handover:
    return receive_handover(desk, code, name, clock=desk.clock)


def slip(code: Code) -> Code:
    """Return the code with another second word."""
    return code._replace(words=(code.words[0], next(word for word in WORDS if word not in code.words)))


class Host:
    """The device: what it found when its turn came."""

    def __init__(self, desk: Desk, invitation: Invitation) -> None:
        self.name = ""
        self.failure: PairingError | None = None
        self.handed_over = False
        self._invitation = invitation
        desk.acts = self.act

    def act(self) -> None:
        try:
            self.name = self._invitation.wait()
            self.handed_over = True
            self._invitation.hand_over(HANDOVER)
        except PairingError as error:
            self.failure = error


# Right


def test_the_joiner_gets_what_is_handed_over_and_the_device_its_name(desk: Desk) -> None:
    with invite(desk) as invitation:
        host = Host(desk, invitation)
        assert join(desk, invitation.code) == HANDOVER
    assert (host.name, host.failure) == ("laptop", None)


def test_neither_hub_nor_network_sees_code_key_or_settings(desk: Desk) -> None:
    with invite(desk) as invitation:
        Host(desk, invitation)
        join(desk, invitation.code)
        code = invitation.code
    seen = b"\n".join(body for _, body in desk.bodies)
    in_base64 = b"".join(base64.b64decode(text) for text in seen.split(b'"') if len(text) % 4 == 0 and text.isalnum())
    for secret in (*code.words, "laptop", "server", "example.org", "*.swp"):
        assert secret.encode() not in seen + in_base64
    for secret_bytes in (HANDOVER.key, base64.b64encode(HANDOVER.key), HANDOVER.key.hex().encode()):
        assert secret_bytes not in seen + in_base64


def test_afterwards_nothing_of_it_is_in_the_mailbox(desk: Desk) -> None:
    with invite(desk) as invitation:
        Host(desk, invitation)
        join(desk, invitation.code)
    (left,) = desk.store.mailboxes.read()
    assert (left.share, left.message, left.answer, left.ended) == ("", None, None, True)


def test_the_words_are_chosen_by_the_device(desk: Desk) -> None:
    chosen = iter(["purple", "lamp"])
    with invite(desk, choose=lambda _: next(chosen)) as invitation:
        assert invitation.code.words == ("purple", "lamp")


def test_what_moves_fits_into_the_messages(desk: Desk) -> None:
    with invite(desk) as invitation:
        Host(desk, invitation)
        join(desk, invitation.code, "n" * 64)
    assert max(len(body) for call, body in desk.bodies if call.startswith("join")) <= 4096


# Wrong codes


def test_a_wrong_code_is_told_to_both_sides_and_ends_it(desk: Desk) -> None:
    with invite(desk) as invitation:
        host = Host(desk, invitation)
        with pytest.raises(WrongCode) as raised:
            join(desk, slip(invitation.code))
        assert isinstance(host.failure, WrongCode)
        assert not host.handed_over
        assert (raised.value.joining, host.failure.joining) == (True, False)
        assert raised.value.exit_code == host.failure.exit_code == 3
        with pytest.raises(CodeGone):  # not even with the right one
            join(desk, invitation.code)


def test_another_number_is_nobody_s(desk: Desk) -> None:
    with invite(desk) as invitation:
        other = invitation.code._replace(number=invitation.code.number % 99 + 1)
        with pytest.raises(CodeGone) as raised:
            join(desk, other)
        assert raised.value.exit_code == 4


def test_of_two_joiners_the_second_is_nobody(desk: Desk) -> None:
    with invite(desk) as invitation:
        second: list[Exception] = []

        def come() -> None:
            desk.acts = host.act
            with pytest.raises(CodeGone) as raised:
                join(desk, invitation.code, "second")
            second.append(raised.value)
            host.act()

        host = Host(desk, invitation)
        desk.acts = come
        assert join(desk, invitation.code, "first") == HANDOVER
        assert (len(second), host.name) == (1, "first")


# Time


def test_nobody_joins_and_the_code_ends(desk: Desk) -> None:
    with invite(desk) as invitation:
        with pytest.raises(PairingExpired) as raised:
            invitation.wait()
        assert raised.value.exit_code == 4
    assert desk.seconds == LIFETIME


def test_who_comes_too_late_finds_nobody(desk: Desk) -> None:
    with invite(desk) as invitation:
        desk.seconds = LIFETIME - 0.001
        Host(desk, invitation)
        desk.seconds = LIFETIME
        with pytest.raises(CodeGone):
            join(desk, invitation.code)


def test_a_device_that_has_left_is_noticed(desk: Desk) -> None:
    with invite(desk) as invitation, pytest.raises(OtherSideGone, match="there again") as raised:
        join(desk, invitation.code)
    assert raised.value.joining
    assert desk.seconds >= PATIENCE


def test_a_device_that_gives_up_meanwhile_is_noticed_at_once(desk: Desk) -> None:
    with invite(desk) as invitation:
        desk.acts = invitation.__exit__
        with pytest.raises(CodeGone):
            join(desk, invitation.code)


def test_a_joiner_that_does_not_fetch_is_noticed(desk: Desk) -> None:
    with invite(desk) as invitation:
        code = invitation.code
        share = json.loads(desk.post("join", b'{"Version":1,"Mailbox":%d}' % code.number))["Share"]
        message = JoinerSide(code).reply(base64.b64decode(share), b'{"Type":"introduction","Name":"x"}')
        text = json.dumps({"Version": 1, "Mailbox": code.number, "Message": base64.b64encode(message).decode()})
        desk.office.receive(text.encode())
        assert invitation.wait() == "x"
        with pytest.raises(OtherSideGone, match="it may lack what was sent"):
            invitation.hand_over(HANDOVER)


# The hub


@pytest.mark.parametrize(("failures", "has_ended"), [(0, True), (2, True), (3, False)])
def test_the_hub_is_told_of_the_end_more_than_once(desk: Desk, failures: int, has_ended: bool) -> None:
    with invite(desk) as invitation:
        desk.failures = [HubUnreachable("hub.example:8000", "cut off")] * failures
    assert invitation.has_ended is has_ended
    if has_ended:
        with pytest.raises(CodeGone):
            join(desk, invitation.code)


def test_while_the_hub_is_out_of_reach_the_device_tries_again_and_says_so_once(desk: Desk) -> None:
    said: list[str] = []
    with invite(desk, notice=said.append) as invitation:
        host = Host(desk, invitation)

        def stumble() -> None:
            desk.failures = [HubUnreachable(desk.address, "connection refused")] * 3
            host.act()

        desk.acts = stumble
        assert join(desk, invitation.code) == HANDOVER
    assert said == ["cannot reach the hub hub.example:8000: connection refused; trying again until the code ends"]


def test_a_hub_out_of_reach_at_the_beginning_is_a_failure(desk: Desk) -> None:
    desk.failures = [HubUnreachable(desk.address, "connection refused")]
    with pytest.raises(HubUnreachable):
        invite(desk)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (HubFailed("hub", 410, "gone"), CodeGone),
        (HubFailed("hub", 429, "enough"), TooManyTries),
        (HubFailed("hub", 503, "database"), HubFailed),
        (NotAHub("hub", "it answers 404 Not Found"), CannotPair),
        (WrongKey("hub"), WrongKey),
    ],
)
def test_what_the_hub_says_to_the_joiner(desk: Desk, failure: Exception, expected: type[Exception]) -> None:
    desk.failures = [failure]
    with pytest.raises(expected):
        join(desk, make_code(7))


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (HubFailed("hub", 429, "enough"), TooManyMailboxes),
        (NotAHub("hub", "it answers 404 Not Found"), CannotPair),
        (WrongKey("hub"), WrongKey),
    ],
)
def test_what_the_hub_says_to_the_device(desk: Desk, failure: Exception, expected: type[Exception]) -> None:
    desk.failures = [failure]
    with pytest.raises(expected) as raised:
        invite(desk)
    if expected is CannotPair:
        assert "`kvass config key` and `kvass config remote`" in str(raised.value)


# Somebody in between


def in_field(field: str, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Return what changes one field of a body, if it is there."""

    def changed(body: bytes) -> bytes:
        fields = json.loads(body)
        if fields.get(field):
            fields[field] = base64.b64encode(change(base64.b64decode(fields[field]))).decode()
        return json.dumps(fields).encode()

    return changed


def flip(place: int) -> Callable[[bytes], bytes]:
    def flipped(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[place] ^= 1
        return bytes(changed)

    return flipped


@pytest.mark.parametrize(
    ("call", "field", "place", "is_handed_over"),
    [
        ("join answer", "Share", 0, False),
        ("join answer", "Share", 1, False),
        ("join", "Message", 0, False),
        ("join", "Message", 1, False),
        ("join", "Message", SHARE_BYTES, False),
        ("join", "Message", SHARE_BYTES + 32, False),
        ("join", "Message", -1, False),
        ("join answer", "Answer", 0, True),
        ("join answer", "Answer", 32, True),
        ("join answer", "Answer", -1, True),
    ],
)
def test_whatever_somebody_changes_nobody_learns_and_the_joiner_takes_nothing(
    desk: Desk, call: str, field: str, place: int, is_handed_over: bool
) -> None:
    change = in_field(field, flip(place))
    desk.change = lambda which, body: change(body) if which == call else body
    with invite(desk) as invitation:
        host = Host(desk, invitation)
        with pytest.raises(PairingError):
            join(desk, invitation.code)
    assert host.handed_over is is_handed_over
    if call == "join":  # a share that is none ends it before the device hears of it
        assert isinstance(host.failure, WrongCode)


def test_who_runs_a_mailbox_of_his_own_in_between_and_guesses_wrong_gets_nothing(desk: Desk) -> None:
    with invite(desk) as invitation:
        host = Host(desk, invitation)
        guess = slip(invitation.code)

        def impersonate(body: bytes) -> bytes:
            """Answer the device in place of the joiner, under a guess."""
            share = base64.b64decode(next(each.share for each in desk.store.mailboxes.read()))
            fields = json.loads(body)
            if fields["Message"]:
                message = JoinerSide(guess).reply(share, b'{"Type":"introduction","Name":"laptop"}')
                fields["Message"] = base64.b64encode(message).decode()
            return json.dumps(fields).encode()

        desk.change = lambda which, body: impersonate(body) if which == "join" else body
        with pytest.raises(WrongCode):
            join(desk, invitation.code)
        assert isinstance(host.failure, WrongCode)
        assert not host.handed_over


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b'{"Share":7}', b'{"Share":"%%"}', b"\xff" * 100])
def test_an_answer_to_the_joiner_that_is_none_is_said(desk: Desk, body: bytes) -> None:
    desk.change = lambda which, whole: body if which == "join answer" else whole
    with invite(desk) as invitation, pytest.raises(CannotPair):
        join(desk, invitation.code)


@pytest.mark.parametrize("kind", ["echo", "plain", "recorded"])
def test_the_device_believes_only_an_answer_to_its_own_request(desk: Desk, kind: str) -> None:
    recorded: list[bytes] = []

    def change(which: str, body: bytes) -> bytes:
        if which == "pair":
            recorded.append(body)
        if which != "pair answer":
            return body
        if kind == "echo":
            return recorded[-1]
        recorded.append(body)
        return b"ok" if kind == "plain" else recorded[1]

    desk.change = change
    if kind == "recorded":
        with pytest.raises(NotAHub, match="another request"):
            invite(desk)
        return
    with pytest.raises(NotAHub, match="cannot be opened"):
        invite(desk)


def test_a_device_with_another_protocol_is_said(desk: Desk) -> None:
    with invite(desk) as invitation:
        code = invitation.code

        host = Host(desk, invitation)
        share = base64.b64decode(json.loads(desk.post("join", b'{"Version":1,"Mailbox":%d}' % code.number))["Share"])
        message = JoinerSide(code).reply(share, b'{"Type":"something else"}')
        fields = {"Version": 1, "Mailbox": code.number, "Message": base64.b64encode(message).decode()}
        desk.post("join", json.dumps(fields).encode())
    assert isinstance(host.failure, InvalidIntroduction)
