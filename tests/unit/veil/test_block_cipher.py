"""Blocks as the hub has them."""

from __future__ import annotations

import pytest

from kvassfs.block import BLOCK_SIZE
from kvassfs.veil.block_cipher import hash_block, is_zero, open_block, refer, seal_block, seal_last
from kvassfs.veil.errors import Spoiled
from tests.support.sealed import KEYS, OTHER_KEYS, random_bytes

BLOCK = random_bytes(BLOCK_SIZE)
REFERENCE = refer(KEYS, hash_block(BLOCK))


def test_equal_blocks_of_a_store_meet_and_those_of_two_stores_do_not() -> None:
    assert seal_block(KEYS, BLOCK) == seal_block(KEYS, memoryview(BLOCK), hash_block(BLOCK))
    assert seal_block(KEYS, BLOCK) != seal_block(OTHER_KEYS, BLOCK)


def test_a_block_comes_back() -> None:
    assert open_block(REFERENCE, seal_block(KEYS, BLOCK), BLOCK_SIZE) == BLOCK


def test_two_blocks_that_differ_in_a_byte_have_nothing_in_common() -> None:
    one, other = seal_block(KEYS, BLOCK), seal_block(KEYS, BLOCK[:-1] + b"!")
    assert sum(a == b for a, b in zip(one, other, strict=True)) < BLOCK_SIZE / 100


@pytest.mark.parametrize("place", [0, 1, BLOCK_SIZE - 1])
def test_a_block_with_another_bit_is_refused(place: int) -> None:
    sealed = bytearray(seal_block(KEYS, BLOCK))
    sealed[place] ^= 1
    with pytest.raises(Spoiled, match="not the one"):
        open_block(REFERENCE, bytes(sealed), BLOCK_SIZE)


@pytest.mark.parametrize("sealed", [b"", seal_block(KEYS, BLOCK)[:-1], seal_block(KEYS, bytes(BLOCK_SIZE))])
def test_a_block_that_is_missing_shorter_or_another_one_is_refused(sealed: bytes) -> None:
    with pytest.raises(Spoiled, match="missing, or is not"):
        open_block(REFERENCE, sealed, BLOCK_SIZE)


def test_padding_begins_as_the_block_alone_does_and_is_checked() -> None:
    block = BLOCK[:1000]
    hash_ = hash_block(block)
    sealed = seal_last(KEYS, block, hash_, 1024)
    assert sealed[:1000] == seal_block(KEYS, block)
    assert open_block(refer(KEYS, hash_), sealed, 1000) == block
    for place in range(1000, 1024):
        changed = bytearray(sealed)
        changed[place] ^= 0x80
        with pytest.raises(Spoiled, match="else than zeros"):
            open_block(refer(KEYS, hash_), bytes(changed), 1000)


@pytest.mark.parametrize(("data", "expected"), [(b"", True), (bytes(9), True), (b"\0\1", False), (b"\1\0", False)])
def test_zeros_are_told_from_others(data: bytes, expected: bool) -> None:
    assert is_zero(data) is expected
