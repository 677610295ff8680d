"""How values are cut up, how much is done at a time, and what is kept; a test makes stores with small sizes."""

from __future__ import annotations

from ..block import BLOCK_SIZE, LARGEST_SIZE
from ..tuples import NamedTuple

INLINE_LIMIT = 64 * 1024
"""Greatest size of a value that is kept as one column of one row."""

KEPT_REVISIONS = 10
"""Revisions that are kept of each key."""

DAY = 24 * 3600 * 1_000_000
"""Microseconds."""

KEPT_TIME = 30 * DAY
"""Microseconds for which a revision is kept."""


class Sizes(NamedTuple):
    """The sizes of one store. ``block``, ``inline`` and ``segment`` must be those that it was written with.

    Attributes:
        block: bytes in a block of a large value; only the last one of a value is shorter.
        inline: greatest size of a value that is kept as one column of one row.
        segment: blocks in a segment; only the last segment of a value has fewer.
        memory: changed blocks that a draft keeps in memory before it stores the complete ones (8 MiB).
        clean: blocks and revisions that one step of the clean-up removes (16 MiB).
        read: bytes read at a time from a stream.
        revisions: revisions that are kept of each key.
        kept_time: microseconds for which a revision is kept.
        largest: bytes of the largest value.
    """

    block: int = BLOCK_SIZE
    inline: int = INLINE_LIMIT
    segment: int = 256
    memory: int = 32
    clean: int = 64
    read: int = 1024 * 1024
    revisions: int = KEPT_REVISIONS
    kept_time: int = KEPT_TIME
    largest: int = LARGEST_SIZE

    def count(self, size: int) -> int:
        """Return the number of blocks of a value of ``size`` bytes."""
        return -(-size // self.block)

    def length(self, size: int, position: int) -> int:
        """Return the number of bytes in one block of a value of ``size`` bytes."""
        return min(self.block, size - position * self.block)


SIZES = Sizes()
