"""Sealed bodies: what opens them and what does not, whole or in pieces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from kvassfs.errors import Undecipherable
from kvassfs.sync.seal import (
    CHECKED_TURN,
    LARGE,
    NONCE_BYTES,
    TAG_BYTES,
    UNSEALED_PIECE,
    CheckedBody,
    Seal,
    read_pieces,
)
from tests.support import golden_data
from tests.support.golden_data import GOLDEN

KEY = bytes(range(32))

NONCE = b"twelve bytes"


def steady(size: int) -> bytes:
    assert size == len(NONCE) == NONCE_BYTES
    return NONCE


def test_every_recorded_body_opens_with_the_recorded_key() -> None:
    bodies = [path.read_bytes() for path in GOLDEN.glob("*.bin")]
    assert len(bodies) == 10
    for body in bodies:
        assert Seal(golden_data.KEY).unseal(body)[:1] in (b"[", b"{")


def test_a_body_is_nonce_ciphertext_and_tag_without_associated_data() -> None:
    body = Seal(KEY, steady).seal(b"hello")
    assert body == NONCE + AESGCM(KEY).encrypt(NONCE, b"hello", None)
    assert len(body) == NONCE_BYTES + 5 + TAG_BYTES


@given(st.binary(max_size=100))
def test_what_was_sealed_opens(plaintext: bytes) -> None:
    seal = Seal(KEY)
    assert seal.unseal(seal.seal(plaintext)) == plaintext


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_a_stream_is_the_body_in_pieces(pieces: list[bytes]) -> None:
    seal = Seal(KEY, steady)
    assert b"".join(seal.seal_stream(pieces)) == seal.seal(b"".join(pieces))


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_what_is_sealed_from_pieces_is_the_body_of_them_joined(pieces: list[bytes]) -> None:
    seal = Seal(KEY, steady)
    body = seal.seal_joined([memoryview(piece) for piece in pieces])
    assert type(body) is bytes
    assert body == seal.seal(b"".join(pieces))


def test_a_stream_takes_a_piece_only_when_one_is_asked_for() -> None:
    taken = 0

    def plaintext() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(3):
            taken += 1
            yield bytes(10)

    stream = Seal(KEY).seal_stream(plaintext())
    assert len(next(stream)) == NONCE_BYTES
    assert taken == 0
    assert len(next(stream)) == 10
    assert taken == 1


def test_every_body_has_a_nonce_of_its_own_from_the_randomness_that_was_given() -> None:
    numbers = iter(range(10))
    seal = Seal(KEY, lambda size: next(numbers).to_bytes(size, "big"))
    bodies = [seal.seal(b"a"), b"".join(seal.seal_stream([b"a"])), seal.seal(b"a")]
    assert [int.from_bytes(body[:NONCE_BYTES], "big") for body in bodies] == [0, 1, 2]


def test_nonces_are_random_by_default() -> None:
    seal = Seal(KEY)
    assert len({seal.seal(b"a")[:NONCE_BYTES] for _ in range(100)}) == 100


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(Undecipherable):
        Seal(bytes(32)).unseal(Seal(KEY).seal(b"hello"))


def test_damage_to_any_byte_is_found() -> None:
    body = Seal(KEY).seal(b"hello")
    for at in range(len(body)):
        damaged = bytearray(body)
        damaged[at] ^= 1
        with pytest.raises(Undecipherable):
            Seal(KEY).unseal(bytes(damaged))


def test_a_body_that_was_cut_anywhere_or_has_more_does_not_open() -> None:
    body = Seal(KEY).seal(b"hello")
    for cut in [*(body[:end] for end in range(len(body))), body[1:], body + b"\0"]:
        with pytest.raises(Undecipherable):
            Seal(KEY).unseal(cut)


@given(st.binary(max_size=100))
def test_what_nobody_sealed_does_not_open(body: bytes) -> None:
    with pytest.raises(Undecipherable):
        Seal(KEY).unseal(body)


# Long bodies


class Held:
    """A long body, and how much of it was read."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.read_bytes = 0

    def __len__(self) -> int:
        return len(self._body)

    def read(self, start: int, size: int) -> bytes:
        self.read_bytes += size
        return self._body[start : start + size]


def check(body: bytes, key: bytes = KEY) -> CheckedBody:
    checking = Seal(key).check(Held(body))
    while (checked := checking.advance()) is None:
        pass
    return checked


SIZES = [0, 1, 15, 16, 17, UNSEALED_PIECE - 1, UNSEALED_PIECE, UNSEALED_PIECE + 1, CHECKED_TURN, 3 * CHECKED_TURN + 7]


@pytest.mark.parametrize("size", SIZES)
def test_a_long_body_that_was_checked_opens_in_pieces(size: int) -> None:
    plaintext = (bytes(range(251)) * (size // 251 + 1))[:size]
    body = Seal(KEY).seal(plaintext)
    checked = check(body)
    pieces = list(Seal(KEY).unseal_checked(checked))
    assert b"".join(pieces) == plaintext
    assert all(len(piece) <= UNSEALED_PIECE for piece in pieces)
    assert b"".join(read_pieces(checked.body)) == body


def test_a_long_body_is_checked_in_turns() -> None:
    body = Held(Seal(KEY).seal(bytes(4 * CHECKED_TURN)))
    checking = Seal(KEY).check(body)
    before = body.read_bytes
    assert checking.advance() is None
    assert body.read_bytes - before <= CHECKED_TURN + NONCE_BYTES


def test_a_long_body_of_another_key_or_damaged_is_found_by_the_check() -> None:
    body = Seal(KEY).seal(b"hello")
    damaged = [bytes([*body[:at], body[at] ^ 1, *body[at + 1 :]]) for at in range(len(body))]
    cut = [body[:end] for end in range(len(body))]
    for each in [*damaged, *cut, body[1:], body + bytes(1), Seal(bytes(32)).seal(b"hello")]:
        with pytest.raises(Undecipherable):
            check(each)


def test_nothing_is_handed_out_of_a_body_that_was_checked_with_another_key() -> None:
    checked = check(Seal(KEY).seal(b"hello"))
    with pytest.raises(Undecipherable):
        next(Seal(bytes(32)).unseal_checked(checked))
    with pytest.raises(Undecipherable):
        Seal(bytes(32)).open(checked)


@pytest.mark.parametrize("size", [size for size in SIZES if size <= LARGE])
def test_a_body_that_is_not_large_has_its_plaintext_once_it_was_checked(size: int) -> None:
    plaintext = (bytes(range(251)) * (size // 251 + 1))[:size]
    assert Seal(KEY).open(check(Seal(KEY).seal(plaintext)))[0] == plaintext


def test_of_a_large_body_no_plaintext_is_kept() -> None:
    checked = check(Seal(KEY).seal(bytes(LARGE + 1)))
    assert checked.plaintext is None
    with pytest.raises(Undecipherable):
        Seal(KEY).open(checked)


@pytest.mark.parametrize("size", [LARGE, LARGE + 1])
def test_a_large_body_that_is_damaged_does_not_open(size: int) -> None:
    body = Seal(KEY).seal(bytes(size))
    assert Seal(KEY).unseal(body) == bytes(size)
    with pytest.raises(Undecipherable):
        Seal(KEY).unseal(body[:-1] + bytes([body[-1] ^ 1]))
