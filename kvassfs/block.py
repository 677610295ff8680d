"""Blocks of large values: their size, their hashes, and how many a value has."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

HASH_BYTES = 32
"""Bytes in the hash that names a block (SHA-256)."""

BLOCK_SIZE = 256 * 1024
"""Bytes in a block of a large value; only the last one of a value is shorter."""

LARGEST_SIZE = 2**53 - 1
"""Bytes of the largest value, 8 PiB: the greatest size that JavaScript, too, reads exactly in a message."""


def split_hashes(blocks: bytes) -> list[bytes]:
    """Return the hashes that are joined in ``blocks``."""
    return [blocks[at : at + HASH_BYTES] for at in range(0, len(blocks), HASH_BYTES)]


def pair_runs(blocks: bytes, counts: Sequence[int]) -> list[tuple[bytes, int]]:
    """Return the hashes that are joined in ``blocks``, each with how often its block comes; without ``counts``, once."""
    hashes = split_hashes(blocks)
    return list(zip(hashes, counts or repeat(1, len(hashes)), strict=True))


def block_count(size: int) -> int:
    """Return the number of blocks of a value of ``size`` bytes."""
    return -(-size // BLOCK_SIZE)


def block_length(size: int, position: int) -> int:
    """Return the number of bytes in one block of a value of ``size`` bytes."""
    return min(BLOCK_SIZE, size - position * BLOCK_SIZE)
