"""What a hub gives to whoever has the token of an entry or a link, whatever carries it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .entry import Entry
from .errors import NothingShared, ShareEnded
from .share import ShareLink, is_token
from .store import Shared, Store

HEAD_BYTES = 64 * 1024
"""Bytes at the beginning of a value by which text is told from other things."""


class Offer(NamedTuple):
    """What can be had at an address.

    ``data`` is the whole value, ``None`` if that is large. ``link`` is the link that led there, if it was one.
    ``tag`` tells this value from all others, and nobody the token of the entry.
    """

    entry: Entry
    content: int | None
    data: bytes | None
    link: ShareLink | None
    tag: str

    @property
    def is_large(self) -> bool:
        """Whether the value is to be read in pieces."""
        return self.data is None and self.content is not None


class Sharing:
    """Looks up what is shared in ``store``, for the one thread that has it. ``clock`` returns ns since the epoch."""

    def __init__(self, store: Store, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._clock = clock
        # What is noted while a large value is read need not outlive this process.
        store.database.set_durable(False)

    def be_quick(self) -> None:
        """Raise a StoreBusy from now on rather than wait for another process, and keep more in memory."""
        self._store.database.expect_searches()

    def check(self) -> None:
        """Make sure that the database can be read, or raise a StoreError."""
        self._store.config()

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
        if offer.data is not None or offer.content is None:
            return (offer.data or b"")[:HEAD_BYTES]
        return self._store.contents.read_block(offer.content, 0)[:HEAD_BYTES]

    def read(self, token: str, offer: Offer, start: int, stop: int) -> Iterator[bytes] | None:
        """Return the bytes from ``start`` to ``stop`` of what was offered, in pieces and whatever becomes of its entry.

        ``None``: the token leads to something else by now. Ask for the first piece at once, and then run the iterator
        to its end or close it: until then a large value is kept.
        """
        if not offer.is_large:
            return iter([(offer.data or b"")[start:stop]])
        self._store.contents.register()
        return self._store.database.insisting(
            lambda: self._kept(offer, start, stop) if self.offer(token) == offer else None
        )

    def take(self, token: str) -> tuple[Offer, Iterator[bytes]]:
        """Use up a link that works once, and return what it leads to and its bytes, as ``read`` does.

        Of several that try, one succeeds, and then it has reached the disk that nobody else will.

        Raises:
            NothingShared, ShareEnded
        """
        self._store.contents.register()
        with self._store.database.durably(), self._store.database.transaction:
            offer = self.offer(token)
            if offer.link is None or not self._store.links.end(offer.link):
                raise NothingShared
            if offer.is_large:
                return offer, self._kept(offer, 0, offer.entry.size)
        return offer, iter([offer.data or b""])

    def _kept(self, offer: Offer, start: int, stop: int) -> Iterator[bytes]:
        assert offer.content is not None
        self._store.contents.pin(offer.content)
        return self._pieces(offer.content, start, stop)

    def _pieces(self, content: int, start: int, stop: int) -> Iterator[bytes]:
        try:
            yield from self._store.contents.read_range(content, start, stop)
        finally:
            self._store.contents.let_go(content)


def tag_of(token: str) -> str:
    """Return what tells the version with ``token`` from all others, and nobody the token."""
    return hashlib.sha256(b"tag:" + token.encode()).hexdigest()[:32]
