"""What a hub responds to the sealed requests of devices, whatever carries them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from ..clocks import bound_clock
from ..entry import Delivery
from ..errors import DiskFull, KvassError, StoreBusy
from ..replica import Incarnation
from ..store import Config, Limit, Merged, Page, Store
from . import block_messages, messages
from .entry_messages import estimate_size
from .limits import HUB_LIMITS, MessageLimits
from .push_pages import split_push
from .seal import CheckedBody, LongBody, Seal, TagCheck, compute_mark, read_pieces

MAX_WAIT = 60.0
"""Seconds for which a pull is held back at most until there is something to hand out."""


class Hub:
    """Responds to requests from ``store``, for the one thread that has it.

    ``clock`` returns ns since the epoch, ``random(n)`` n random bytes. The key is read at every request: it may
    be changed meanwhile. Every method raises a MessageError for a request that cannot be used, and a StoreError.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], int] = time.time_ns,
        random: Callable[[int], bytes] = os.urandom,
        limits: MessageLimits = HUB_LIMITS,
    ) -> None:
        self._store = store
        self._clock = bound_clock(clock)
        self._random = random
        self._limits = limits

    def push(self, body: bytes | CheckedBody) -> bytes:
        """Merge the entries of a push and return the response. Then they have reached the disk."""
        seal = self._load_seal()
        plaintext, opened = seal.open(body)
        deliveries = messages.decode_push(plaintext)
        try:
            merged = self._merge(deliveries)
        except DiskFull:
            self._store.inbox.merge_removals(deliveries)
            merged = self._merge(deliveries)
        return self._respond_to_push(seal, opened, [merged])

    def check(self, body: LongBody) -> TagCheck:
        """Return the check whether a long body is of a device."""
        return self._load_seal().check(body)

    def push_long(self, checked: CheckedBody) -> bytes:
        """Do as ``push`` with a long body, with little memory: page by page, each in a transaction of its own.

        Where something in it cannot be used, the pages before are merged.
        """
        seal = self._load_seal()
        try:
            merged = [self._merge(page) for page in _read_pages(seal, checked, self._put_blocks)]
        except DiskFull:
            for page in _read_pages(seal, checked, lambda _: None):
                self._store.inbox.merge_removals(page)
            merged = [self._merge(page) for page in _read_pages(seal, checked, self._put_blocks)]
        return self._respond_to_push(seal, checked.body, merged or [self._merge([])])

    def _put_blocks(self, blocks: Sequence[bytes | memoryview]) -> None:
        # The push that names them, or its page, waits for the disk, with all that was written before.
        with self._store.bulk():
            self._store.blocks.put(blocks)

    def _respond_to_push(
        self, seal: Seal, body: LongBody, pages: Sequence[tuple[Merged, Config, list[Incarnation]]]
    ) -> bytes:
        with suppress(KvassError):  # the entries are merged, whatever becomes of this
            self._store.upkeep.tidy_briefly()
        _, config, incarnations = pages[-1]
        missing = b"".join(hash_ for merged, _, _ in pages for hash_ in merged.missing)
        digest = messages.compute_long_digest(read_pieces(body))
        response = messages.PushResponse(digest, config.clock, config.process_id, self._now(), missing, incarnations)
        return seal.seal(messages.encode_push_response(response))

    def _merge(self, deliveries: Sequence[Delivery]) -> tuple[Merged, Config, list[Incarnation]]:
        with self._store.transaction:
            merged = self._store.inbox.merge_pushed(deliveries)
            self._store.peers.note_counters(_find_counters(deliveries))
            config = self._store.settings.config()
            return merged, config, self._store.peers.announce_clock(config.clock)

    def pull(self, body: bytes) -> Pull:
        """Return the pull that a request asks for."""
        seal = self._load_seal()
        request = messages.decode_pull_request(seal.unseal(body), self._limits.page_bytes)
        device = request.device or request.process_id
        self._store.peers.note_device(device)
        self._store.peers.note_names(request.names, of=device)
        return Pull(self._store, request, seal, messages.compute_digest(body), self._now, self._limits)

    def serve_blocks(self, body: bytes | CheckedBody) -> bytes:
        """Store the blocks of a request, and return those that it asks for."""
        seal = self._load_seal()
        plaintext, opened = seal.open(body)
        request = block_messages.decode_blocks_request(plaintext)
        if request.put:
            self._put_blocks(request.put)
        # A request that names more than fit into a page gets the first of them.
        found = self._store.blocks.get(request.get[: self._limits.page_blocks])
        return seal.seal_joined(block_messages.encode_blocks_response(_name_request(opened, request.version), found))

    def _load_seal(self) -> Seal:
        return Seal(self._store.settings.config().encryption_key, self._random)

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


def _find_counters(deliveries: Iterable[Delivery]) -> dict[int, int]:
    """Return the greatest counter of each writer, by process id."""
    counters: dict[int, int] = {}
    for entry, *_ in deliveries:
        if entry.counter > counters.get(entry.process_id, -1):
            counters[entry.process_id] = entry.counter
    return counters


class Pull:
    """One pull: ``respond`` may be called again until there is a response.

    ``wait`` is how many seconds it may take, ``device`` whose it is by its process id, ``held`` whether there will be more
    in a moment by itself, since an entry is held back.
    """

    def __init__(
        self,
        store: Store,
        request: messages.PullRequest,
        seal: Seal,
        digest: str,
        now: Callable[[], int],
        limits: MessageLimits,
    ) -> None:
        self._store = store
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
        config = self._store.settings.config()
        response = messages.PullResponse(
            [out.delivery for out in page.outgoing],
            max(page.cursor, self._request.first - 1),
            self._digest,
            page.more,
            page.clock,
            config.process_id,
            self._now(),
            self._store.peers.announce_clock(page.clock),
            self._store.peers.counter_of(self._request.device),
            self._store.settings.names(),
        )
        return iter([self._seal.seal(messages.encode_pull_response(response))])

    def _read_page(self, first: int, whole: int) -> Page:
        limit = Limit(self._request.max_bytes, whole, estimate_size)
        page = self._store.outbox.read_since(first, self._request.process_id, limit)
        self.held = page.held
        return page._replace(outgoing=self._store.outbox.mark_as_sent(page.outgoing))

    def _read_everything(self) -> Iterator[tuple[Delivery, Iterator[bytes]]]:
        """Yield the entries with their whole values, as the original program hands them out, but for too large ones."""
        first = self._request.first
        while True:
            page = self._read_page(first, 0)
            for out in page.outgoing:
                if out.value.size <= self._limits.original_bytes:
                    yield out.delivery, self._store.outbox.pieces(out)
            if not page.more:
                return
            first = page.cursor + 1
