"""What a hub gives to whoever has the token of an entry or a link, whatever carries it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

from ..entry import Entry
from ..errors import NothingShared, ShareEnded
from ..share_link import ShareLink
from ..store import Reader, Shared, Store, StoredValue
from .address import is_token

HEAD_BYTES = 64 * 1024
"""Bytes at the beginning of a value by which text is told from other things."""


class Offer(NamedTuple):
    """What can be had at an address.

    ``link`` is the link that led there, if it was one. ``tag`` tells this value from all others, and nobody the token
    of the entry.
    """

    entry: Entry
    value: StoredValue
    link: ShareLink | None
    tag: str


class Sharing:
    """Looks up what is shared in ``store``, for the one thread that has it. ``clock`` returns ns since the epoch."""

    def __init__(self, store: Store, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._clock = clock

    def check(self) -> None:
        """Make sure that the database can be read, or raise a StoreError."""
        self._store.settings.config()

    def offer(self, token: str) -> Offer:
        """Return what the token leads to.

        Raises:
            NothingShared: it never led to anything, as far as is known here.
            ShareEnded: it did.
        """
        if not is_token(token):
            raise NothingShared
        found = self._store.links.find(token)
        if isinstance(found, ShareLink):
            found = self._follow(found)
        if found is not None:
            return Offer(*found, tag_of(found.entry.url_token))
        if self._store.links.has_ended(token):
            raise ShareEnded("what was shared here has been removed, replaced or used up")
        raise NothingShared

    def _follow(self, link: ShareLink) -> Shared:
        if link.has_expired(self._clock() // 1000):
            raise ShareEnded("this link has expired")
        found = self._store.links.follow(link)
        if found is None:
            raise ShareEnded("what this link leads to has been removed")
        return found

    def head(self, offer: Offer) -> bytes:
        """Return the first ``HEAD_BYTES`` of the value, or all of a shorter one."""
        return self._store.values.head(offer.value, HEAD_BYTES)

    def read(self, token: str, offer: Offer, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` to ``stop`` of what was offered, in pieces and whatever becomes of its entry.

        Ask for the first piece at once, and then run the iterator to its end or close it: until then a large value is
        kept.

        Raises:
            ValueReplaced: with the first piece: the token leads to something else by now.
        """
        with self._store.values.held(offer.value, lambda: self.offer(token) == offer) as reader:
            yield from reader.pieces(start, stop)

    def consume_link(self, token: str) -> tuple[Offer, Iterator[bytes]]:
        """Use up a link that works once, and return what it leads to and its bytes, as ``read`` does.

        Of several that try, one succeeds, and then it has reached the disk that nobody else will.

        Raises:
            NothingShared, ShareEnded
        """
        with ExitStack() as holding:
            with self._store.durably(), self._store.transaction:
                offer = self.offer(token)
                if offer.link is None or not self._store.links.end(offer.link):
                    raise NothingShared
                reader = holding.enter_context(self._store.values.held(offer.value))
            return offer, _until_end(reader, holding.pop_all())


def _until_end(reader: Reader, holding: ExitStack) -> Iterator[bytes]:
    """Yield the bytes of a value that is held by ``holding``, and end that afterwards."""
    with holding:
        yield from reader.pieces()


def tag_of(token: str) -> str:
    """Return what tells the version with ``token`` from all others, and nobody the token."""
    return hashlib.sha256(b"tag:" + token.encode()).hexdigest()[:32]
