"""What a hub responds to the sealed requests of devices, whatever carries them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from ..clocks import bound_clock
from ..entry import Delivery
from ..errors import DiskFull, KvassError, StoreBusy
from ..keeping.keeper import EntryKeeper, Outcome
from ..store import Limit, Page
from . import block_messages, messages
from .entry_messages import estimate_size
from .limits import HUB_LIMITS, MessageLimits
from .push_pages import split_push
from .seal import CheckedBody, LongBody, Seal, TagCheck, compute_mark, read_pieces

MAX_WAIT = 60.0
"""Seconds for which a pull is held back at most until there is something to hand out."""


class Hub:
    """Responds to requests from what ``keeper`` has, for the one thread that has that.

    ``clock`` returns ns since the epoch, ``random(n)`` n random bytes. The key is read at every request: it may
    be changed meanwhile. Every method raises a MessageError for a request that cannot be used, and a StoreError.
    """

    def __init__(
        self,
        keeper: EntryKeeper,
        *,
        clock: Callable[[], int] = time.time_ns,
        random: Callable[[int], bytes] = os.urandom,
        limits: MessageLimits = HUB_LIMITS,
    ) -> None:
        self._keeper = keeper
        self._clock = bound_clock(clock)
        self._random = random
        self._limits = limits

    def push(self, body: bytes | CheckedBody) -> bytes:
        """Merge the entries of a push and return the response. Then they have reached the disk."""
        seal = self._load_seal()
        plaintext, opened = seal.open(body)
        self._keeper.count_request()
        deliveries = messages.decode_push(plaintext)
        try:
            outcome = self._keeper.merge(deliveries)
        except DiskFull:
            self._keeper.merge_removals(deliveries)
            outcome = self._keeper.merge(deliveries)
        return self._respond_to_push(seal, opened, [outcome])

    def check(self, body: LongBody) -> TagCheck:
        """Return the check whether a long body is of a device."""
        return self._load_seal().check(body)

    def push_long(self, checked: CheckedBody) -> bytes:
        """Do as ``push`` with a long body, with little memory: page by page, each in a transaction of its own.

        Where something in it cannot be used, the pages before are merged.
        """
        seal = self._load_seal()
        self._keeper.count_request()
        try:
            outcomes = self._merge_pages(seal, checked)
        except DiskFull:
            for page in _read_pages(seal, checked, lambda _: None):
                self._keeper.merge_removals(page)
            outcomes = self._merge_pages(seal, checked)
        return self._respond_to_push(seal, checked.body, outcomes or [self._keeper.merge([])])

    def _merge_pages(self, seal: Seal, checked: CheckedBody) -> list[Outcome]:
        return [self._keeper.merge(page) for page in _read_pages(seal, checked, self._keeper.put_blocks)]

    def _respond_to_push(self, seal: Seal, body: LongBody, outcomes: Sequence[Outcome]) -> bytes:
        with suppress(KvassError):  # the entries are merged, whatever becomes of this
            self._keeper.tidy_briefly()
        _, process_id, clock, incarnations = outcomes[-1]
        missing = b"".join(hash_ for outcome in outcomes for hash_ in outcome.missing)
        digest = messages.compute_long_digest(read_pieces(body))
        response = messages.PushResponse(digest, clock, process_id, self._now(), missing, incarnations)
        return seal.seal(messages.encode_push_response(response))

    def pull(self, body: bytes) -> Pull:
        """Return the pull that a request asks for."""
        seal = self._load_seal()
        plaintext = seal.unseal(body)
        self._keeper.count_request()
        request = messages.decode_pull_request(plaintext, self._limits.page_bytes)
        self._keeper.note_device(request.device or request.process_id, request.names)
        return Pull(self._keeper, request, seal, messages.compute_digest(body), self._now, self._limits)

    def serve_blocks(self, body: bytes | CheckedBody) -> bytes:
        """Store the blocks of a request, and return those that it asks for."""
        seal = self._load_seal()
        plaintext, opened = seal.open(body)
        self._keeper.count_request()
        request = block_messages.decode_blocks_request(plaintext)
        if request.put:
            self._keeper.put_blocks(request.put)
        # A request that names more than fit into a page gets the first of them.
        found = self._keeper.get_blocks(request.get[: self._limits.page_blocks])
        return seal.seal_joined(block_messages.encode_blocks_response(_name_request(opened, request.version), found))

    def _load_seal(self) -> Seal:
        return Seal(self._keeper.read_key(), self._random)

    def _now(self) -> int:
        return self._clock() // 1000


def _name_request(body: LongBody, version: int) -> str:
    """Return how a response names its request to a device of a version."""
    if version >= block_messages.VERSION:
        return compute_mark(body)
    return messages.compute_long_digest(read_pieces(body))


def _read_pages(seal: Seal, checked: CheckedBody, put: Callable[[list[bytes]], None]) -> Iterator[list[Delivery]]:
    """Yield the entries of a long push, page by page; ``put`` gets the blocks of long values before."""
    return map(messages.decode_push, split_push(seal.unseal_checked(checked), put))


class Pull:
    """One pull: ``respond`` may be called again until there is a response.

    ``wait`` is how many seconds it may take, ``device`` whose it is by its process id, ``held`` whether there will be more
    in a moment by itself, since an entry is held back.
    """

    def __init__(
        self,
        keeper: EntryKeeper,
        request: messages.PullRequest,
        seal: Seal,
        digest: str,
        now: Callable[[], int],
        limits: MessageLimits,
    ) -> None:
        self._keeper = keeper
        self._request = request
        self._seal = seal
        self._digest = digest
        self._now = now
        self._limits = limits
        self.held = False
        self.device = request.device or request.process_id
        self.wait = min(request.wait, MAX_WAIT) if request.version >= messages.VERSION else 0.0

    def respond(self, *, patient: bool) -> Iterator[bytes] | None:
        """Return the sealed response in pieces.

        ``None``: there is nothing to hand out yet, and ``patient`` says that the device waits. The pieces are
        read from the store as they are asked for.
        """
        if self._request.version < messages.VERSION:
            return self._seal.seal_stream(messages.encode_array(self._read_everything(), pushed=False))
        try:
            page = self._read_page(self._request.first, self._limits.whole_bytes)
        except StoreBusy:
            if patient:  # there is something, which cannot be noted to have been sent: a moment later, perhaps
                return None
            raise
        was_set_back = page.clock < self._request.first - 1  # to a backup: the device must know at once
        if patient and not page.outgoing and not was_set_back:
            return None
        told = self._keeper.describe(page.clock, self._request.device)
        response = messages.PullResponse(
            [out.delivery for out in page.outgoing],
            max(page.cursor, self._request.first - 1),
            self._digest,
            page.more,
            page.clock,
            told.process_id,
            self._now(),
            told.incarnations,
            told.counter,
            told.names,
        )
        return iter([self._seal.seal(messages.encode_pull_response(response))])

    def _read_page(self, first: int, whole: int) -> Page:
        limit = Limit(self._request.max_bytes, whole, estimate_size)
        page = self._keeper.read_page(first, self._request.process_id, limit)
        self.held = page.held
        return page._replace(outgoing=self._keeper.mark_as_sent(page.outgoing))

    def _read_everything(self) -> Iterator[tuple[Delivery, Iterator[bytes]]]:
        """Yield the entries with their whole values, as the original program hands them out, but for too large ones."""
        first = self._request.first
        while True:
            page = self._read_page(first, 0)
            for out in page.outgoing:
                if out.value.size <= self._limits.original_bytes:
                    yield out.delivery, self._keeper.read_pieces(out)
            if not page.more:
                return
            first = page.cursor + 1
