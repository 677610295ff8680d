"""How much goes into one message."""

from __future__ import annotations

from ..tuples import NamedTuple


class MessageLimits(NamedTuple):
    """How much goes into one message.

    A page holds up to ``page_bytes``, except that an entry larger than that is a page of its own. A value up to
    ``whole_bytes`` travels in its entry; a larger one travels in blocks between replicas of version 2,
    ``page_blocks`` to a message: what a cut connection may lose is at most these. A value of more than
    ``original_bytes`` is not sent to the original program, which has to keep it in one column: SQLite's limit.
    """

    page_bytes: int
    whole_bytes: int = 1024 * 1024
    page_blocks: int = 4
    original_bytes: int = 10**9


HUB_LIMITS = MessageLimits(page_bytes=8 * 1024 * 1024)
"""The pages that a hub hands out at most, whatever it is asked for."""

DEVICE_LIMITS = MessageLimits(page_bytes=1024 * 1024)
"""The pages that a device sends and asks for: their number costs little, and merging one, during which others cannot
write to the store, is soon done."""

LARGEST_PAGE = 256 * 1024 * 1024
"""Bytes of the largest answer of a hub of version 2: a page, or a single entry, which came to it in a message of no more."""

LARGEST_ANSWER = 2**31 - 1
"""Bytes of the largest answer at all, of a hub of the original program: it has no pages, and AES-GCM here opens no more."""

SMALL_ANSWER = 1024 * 1024
"""Bytes of an answer, beside what was asked for."""
