"""How long the parts of a sealed value are, and how much lengths tell."""

from __future__ import annotations

from ..block import BLOCK_SIZE, LARGEST_SIZE
from ..tuples import NamedTuple

INLINE_LIMIT = 64 * 1024
"""Bytes of the largest value that stands in its head: below, a list of blocks would only add to it. As stores have it."""

LISTED = 4096
"""References in a full list: with 64 bytes each it is as long as a block."""

REFERENCE_BYTES = 64
"""Bytes that a list has for a block: its hash and its key."""

SHORTEST_BODY = 256
"""Bytes of the shortest body of a head: tombstones, directories and values of a line or two look alike."""

LONGEST_HEAD = 16 * 1024 * 1024
"""Bytes of the longest head, which is read before anything is known of it: of the longest key, or a value of 200 TiB without holes."""

LENGTH_BYTES = 4
"""Bytes that say how long a head is, at the end of a sealed value."""

LARGEST_SEALED_SIZE = LARGEST_SIZE - 2**42
"""Bytes of the largest value that can be sealed: with lists and head, too, no more than a hub takes."""


class Layout(NamedTuple):
    """The parts of a sealed value of ``size`` bytes; all but the last two are in bytes or counted.

    Attributes:
        blocks: full blocks.
        last: bytes of the last block; 0 if there is none.
        padded: bytes that this takes at the hub.
        lists: full lists.
        left: references in the last list; 0 if there is none.
    """

    size: int
    blocks: int
    last: int
    padded: int
    lists: int
    left: int

    @property
    def first_list(self) -> int:
        """Where the full lists begin."""
        return self.blocks * BLOCK_SIZE

    @property
    def rest(self) -> int:
        """Where the rest begins, with the last block."""
        return (self.blocks + self.lists) * BLOCK_SIZE

    @property
    def last_list(self) -> int:
        """Where the last list begins."""
        return self.rest + self.padded

    @property
    def head(self) -> int:
        """Where the head begins."""
        return self.last_list + self.left * REFERENCE_BYTES

    @property
    def all_lists(self) -> int:
        """The number of lists, with the last one."""
        return self.lists + (self.left > 0)

    def place_list(self, number: int) -> tuple[int, int]:
        """Return where the list with a number from 0 on begins, and its length."""
        if number < self.lists:
            return self.first_list + number * BLOCK_SIZE, BLOCK_SIZE
        return self.last_list, self.left * REFERENCE_BYTES

    def place_block(self, number: int) -> tuple[int, int, int]:
        """Return where the block with a number from 0 on begins, its length there, and its length in the value."""
        if number < self.blocks:
            return number * BLOCK_SIZE, BLOCK_SIZE, BLOCK_SIZE
        return self.rest, self.padded, self.last


def lay_out(size: int) -> Layout:
    """Return the parts of a sealed value of ``size`` bytes."""
    if size <= INLINE_LIMIT:
        return Layout(size, 0, 0, 0, 0, 0)
    blocks, last = divmod(size, BLOCK_SIZE)
    lists, left = divmod(blocks + (last > 0), LISTED)
    return Layout(size, blocks, last, _pad_last(size, last), lists, left)


def _pad_last(size: int, last: int) -> int:
    """Return the length of the last block with its padding: up to the padded length of the value, or the end of the block.

    Up to 16 MiB that is the same or less, as the steps of Padmé are no longer than a block and divide it.
    """
    return min(BLOCK_SIZE, last + pad_length(size) - size) if last else 0


def pad_length(length: int) -> int:
    """Return the length to which so many bytes are padded: Padmé, of which the binary digits at the end are zeros.

    From "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs" (PETS 2019), section 4.2: it lets an
    observer know a length of up to n bytes by O(log log n) bits, for 12% more at most.
    """
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-length // step) * step


def pad_body(length: int) -> int:
    """Return the length to which the body of a head is padded."""
    return SHORTEST_BODY if length <= SHORTEST_BODY else pad_length(length)
