"""kvassfs.pairing.agreement, with vectors of both sides.

The vectors were made by this module with the entropy of ``counting``; the secret is what the package spake2 0.9 finds, and the
rest is checked here against HKDF (RFC 5869) and HMAC as the standard library has them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import pytest

from kvassfs.pairing.agreement import CONFIRMATION_BYTES, SHARE_BYTES, DeviceSide, JoinerSide
from kvassfs.pairing.code import Code
from kvassfs.pairing.errors import WrongCode
from kvassfs.pairing.fragment import Fragment
from kvassfs.sync.seal import Seal

CODE = Code(7, ("purple", "lamp"))
FRAGMENT = Fragment(7, bytes(range(16)))
INTRODUCTION = b'{"Type":"introduction","Name":"laptop"}'
HANDOVER = b'{"Type":"handover"}'

SHARE = bytes.fromhex("4105ed4cd957b61881cdeb0c31a35b18fb9a26949d13496e3f3deddbbf6069c65a")
MESSAGE = bytes.fromhex(
    "426f796a19029a7a2a56fc5d1db3a8f0ab1b98d3364b8a163dd7afc381d3b7cd1f"
    "ffbd01772fcc0e59e1d534ad4a2537379e2327058e9344afb4c110f6142f03c4"
    "b967c7cc5249454c318a7fbb76d1e08820809173a4e929a5c9c7b346982cd0edee35173b830d19b406b91a37d853ea594a56d987c846a709e8"
    "af5e1bf0ae2014883c5d"
)
ANSWER = bytes.fromhex(
    "5c0cc990d1ef587ec389c3e4701bc85e5a36b072275a00247acec71e8654041c"
    "8973698ae20544521cd22cb3e5a73f6d7db80787bd98ac1154ff9fda2c560fb686ca02c9d40b34c1a331963b753759"
)
SECRET = bytes.fromhex("69def45302c72f9cef5fb189e38ab7885b85e589ee2a3824590c4b8c37d8370c")
KEYS = {
    "device confirmation": "dc110c259224e5e70473837a039d07ec493e837daa081ff5853116de57087d01",
    "joiner confirmation": "8b81427594570daf6a4d2075930ca43533d5c812a0fd7a3d17eb0bf15ef9bca2",
    "device key": "75972a6dda4eea34c2a8147c1eb29a54e42c68b5fa8617fd4aaca8217bf70c95",
    "joiner key": "391c8b0319f45cc52dcc54770d1a0c88579f94c5edcd92d18204d299b297a5f5",
}


def counting(start: int) -> Callable[[int], bytes]:
    """Return entropy that is the same each time."""
    calls = [start]

    def entropy(size: int) -> bytes:
        calls[0] += 1
        return hashlib.shake_256(bytes(calls)).digest(size)

    return entropy


def device(code: Code = CODE) -> DeviceSide:
    return DeviceSide(code, FRAGMENT, counting(0))


def joiner(code: Code = CODE) -> JoinerSide:
    return JoinerSide(code, counting(100))


def hkdf(secret: bytes, info: bytes) -> bytes:
    """HKDF-SHA-256 without salt, for one block."""
    return hmac.digest(hmac.digest(bytes(32), secret, "sha256"), info + b"\1", "sha256")


# Vectors


def test_the_device_sends_and_opens_what_the_vectors_say() -> None:
    side = device()
    assert side.share == SHARE
    assert side.open(MESSAGE) == INTRODUCTION
    assert side.answer(HANDOVER) == ANSWER


def test_the_joiner_sends_and_opens_what_the_vectors_say() -> None:
    side = joiner()
    assert side.reply(SHARE, INTRODUCTION) == MESSAGE
    assert side.open(ANSWER) == HANDOVER


@pytest.mark.parametrize(("purpose", "key"), KEYS.items())
def test_the_keys_follow_from_the_secret_as_the_protocol_says(purpose: str, key: str) -> None:
    assert hkdf(SECRET, f"kvass pair 1 {purpose} 7".encode()).hex() == key


def test_confirmations_are_of_both_shares() -> None:
    shares = SHARE + MESSAGE[:SHARE_BYTES]
    ours = hmac.digest(bytes.fromhex(KEYS["device confirmation"]), shares, "sha256")
    theirs = hmac.digest(bytes.fromhex(KEYS["joiner confirmation"]), shares, "sha256")
    assert ANSWER[:CONFIRMATION_BYTES] == ours
    assert MESSAGE[SHARE_BYTES : SHARE_BYTES + CONFIRMATION_BYTES] == theirs


def test_what_is_sealed_is_sealed_as_any_body() -> None:
    introduction = Seal(bytes.fromhex(KEYS["joiner key"])).unseal(MESSAGE[SHARE_BYTES + CONFIRMATION_BYTES :])
    assert introduction == INTRODUCTION
    assert Seal(bytes.fromhex(KEYS["device key"])).unseal(ANSWER[CONFIRMATION_BYTES:]) == HANDOVER


# What must not work


@pytest.mark.parametrize("code", [Code(7, ("purple", "onion")), Code(7, ("lamp", "purple")), Code(8, CODE.words)])
def test_with_another_code_neither_side_says_anything(code: Code) -> None:
    side = device()
    message = joiner(code).reply(side.share, INTRODUCTION)
    with pytest.raises(WrongCode) as raised:
        side.open(message)
    assert not raised.value.joining
    guesser = DeviceSide(code, FRAGMENT, counting(50))
    asker = joiner()
    asker.reply(guesser.share, INTRODUCTION)
    with pytest.raises(WrongCode) as raised:
        asker.open(ANSWER)
    assert raised.value.joining


@pytest.mark.parametrize("place", range(0, len(MESSAGE), 7))
def test_a_message_that_was_changed_anywhere_is_refused(place: int) -> None:
    changed = bytearray(MESSAGE)
    changed[place] ^= 1
    with pytest.raises(WrongCode):
        device().open(bytes(changed))


@pytest.mark.parametrize("place", [0, CONFIRMATION_BYTES - 1, CONFIRMATION_BYTES, len(ANSWER) - 1])
def test_an_answer_that_was_changed_is_refused(place: int) -> None:
    changed = bytearray(ANSWER)
    changed[place] ^= 0x80
    side = joiner()
    side.reply(SHARE, INTRODUCTION)
    with pytest.raises(WrongCode):
        side.open(bytes(changed))


@pytest.mark.parametrize("answer", [b"", ANSWER[:CONFIRMATION_BYTES], ANSWER[:-1], MESSAGE, MESSAGE[SHARE_BYTES:]])
def test_an_answer_that_is_none_is_refused(answer: bytes) -> None:
    side = joiner()
    side.reply(SHARE, INTRODUCTION)
    with pytest.raises(WrongCode):
        side.open(answer)


ZERO = b"\x01" + bytes(31)
"""The neutral element."""


@pytest.mark.parametrize(
    "share", [b"", b"A", SHARE[:-1], SHARE + b"x", b"A" + ZERO, b"A" + b"\xff" * 32, b"A" + bytes(32), b"S" + SHARE[1:]]
)
def test_what_is_no_share_is_refused(share: bytes) -> None:
    with pytest.raises(WrongCode):
        joiner().reply(share, INTRODUCTION)


def test_a_share_that_comes_back_is_refused() -> None:
    side = device()
    with pytest.raises(WrongCode):
        side.open(side.share + MESSAGE[SHARE_BYTES:])
    with pytest.raises(WrongCode):
        device().open(b"B" + side.share[1:] + MESSAGE[SHARE_BYTES:])


def test_each_pairing_has_other_keys() -> None:
    first, second = DeviceSide(CODE, FRAGMENT), DeviceSide(CODE, FRAGMENT)
    assert first.share != second.share
    with pytest.raises(WrongCode):
        second.open(JoinerSide(CODE).reply(first.share, INTRODUCTION))
