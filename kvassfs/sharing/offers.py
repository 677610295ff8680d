"""What a hub offers to the holder of a token of an entry or a share link; knows no HTTP."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import NamedTuple, Self

from ..entry import Entry
from ..errors import NothingShared, ShareEnded
from ..keeping.keeper import Pieces, ShareKeeper
from ..share_link import ShareLink
from ..store import Shared, StoredValue
from .address import is_token

HEAD_BYTES = 64 * 1024
"""Bytes at the beginning of a value by which text is told from other things."""


class Offer(NamedTuple):
    """What a token leads to.

    ``link`` is the share link with that token, ``None`` for the token of an entry. ``tag`` identifies the value without
    revealing the token of its entry.
    """

    entry: Entry
    value: StoredValue
    link: ShareLink | None
    tag: str


class HeldPieces:
    """Iterates over the bytes of a value, which is held until the iteration ends, fails or is closed.

    The value is held from the start, so close it also where it was never iterated over. Use it in the thread that has
    the store; at the latest closing the store releases the value, and after a crash the next clean-up does.

    Raises:
        what entering ``holding`` raises.
    """

    def __init__(self, holding: AbstractContextManager[Pieces], start: int = 0, stop: int | None = None) -> None:
        self._holding = ExitStack()
        self._pieces = self._holding.enter_context(holding).pieces(start, stop)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:  # also StopIteration
            self.close()
            raise

    def close(self) -> None:
        """Release the value; again is no error."""
        self._holding.close()


class Offers:
    """Finds and reads what is shared in a store, for the thread that has it. ``clock`` returns ns since the epoch."""

    def __init__(self, keeper: ShareKeeper, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._keeper = keeper
        self._clock = clock

    def check(self) -> None:
        """Raise a StoreError if the database cannot be read."""
        self._keeper.check()

    def find_offer(self, token: str) -> Offer:
        """Return what the token leads to.

        Raises:
            NothingShared: it never led to anything, as far as this store knows.
            ShareEnded: it did, and does no longer.
        """
        if not is_token(token):
            raise NothingShared
        found = self._keeper.find_shared(token)
        if isinstance(found, ShareLink):
            found = self._follow_link(found)
        if found is not None:
            return make_offer(found)
        if self._keeper.has_ended(token):
            raise ShareEnded
        raise NothingShared

    def count_request(self) -> None:
        """Count a request for what was found.

        Raises:
            TooManyRequests: the store has too many.
        """
        self._keeper.count_request()

    def _follow_link(self, link: ShareLink) -> Shared:
        if link.has_expired(self._clock() // 1000):
            raise ShareEnded("this link has expired")
        found = self._keeper.resolve_link(link)
        if found is None:
            raise ShareEnded("what this link leads to has been removed")
        return found

    def read_head(self, offer: Offer) -> bytes:
        """Return the first ``HEAD_BYTES`` of the value, or all of a shorter one."""
        return self._keeper.read_head(offer.value, HEAD_BYTES)

    def hold_pieces(self, token: str, offer: Offer, start: int = 0, stop: int | None = None) -> HeldPieces:
        """Hold the value of an offer and return its bytes from ``start`` to ``stop`` (default: the end), in pieces.

        A value without blocks is in ``offer`` already and needs no look at the database. Not inside a transaction.

        Raises:
            ValueReplaced: the token leads to something else by now.
            NothingShared, ShareEnded: it leads to nothing any more.
        """
        holding = self._keeper.hold(offer.value, lambda: self.find_offer(token) == offer)
        return HeldPieces(holding, start, stop)

    def consume_link(self, token: str) -> tuple[Offer, HeldPieces]:
        """Use up a link that works once; return what it led to and its bytes, as ``hold_pieces`` does.

        Of several calls with one token, also in other processes, one succeeds. On return the link's end has reached
        the disk.

        Raises:
            NothingShared, ShareEnded
            ValueReplaced: the link leads to something else than a moment ago, and is not used up.
        """
        offer = self.find_offer(token)
        if offer.link is None or not offer.link.once:
            raise NothingShared
        # The value is held before, in a transaction of its own: a hold that is rolled back with the link's end could
        # not be told from that of another reader of the same value, which would be released in its place.
        pieces = self.hold_pieces(token, offer)
        try:
            if not self._keeper.end_link(offer.link, lambda: self.find_offer(token) == offer):
                raise NothingShared
        except BaseException:
            pieces.close()
            raise
        return offer, pieces


def make_offer(found: Shared) -> Offer:
    """Return the offer of what was found."""
    return Offer(*found, derive_tag(found.entry.url_token))


def derive_tag(token: str) -> str:
    """Return what identifies the version with ``token`` without revealing the token."""
    return hashlib.sha256(b"tag:" + token.encode()).hexdigest()[:32]
