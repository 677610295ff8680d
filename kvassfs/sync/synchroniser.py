"""Exchanges with the hub: what to pull and push, and in which order."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import NamedTuple

from ..block import BLOCK_SIZE, split_hashes
from ..entry import Delivery, Entry
from ..errors import InvalidMessage, StoreError
from ..replica import NOBODY
from ..store import HubState, Limit, Merged, Outgoing, Store
from . import block_messages, messages
from .entry_messages import estimate_size
from .hub_client import TRIES, Link, Moved, PullReply, Remote
from .limits import DEVICE_LIMITS, MessageLimits

LEASE_INTERVAL = 0.02
"""Seconds between two looks whether another process has finished pushing."""

LEASE_PATIENCE = 3.0
"""Seconds for which to wait for another process that pushes; what waits is then left to it."""

_NOT_KEPT = "it does not keep what is sent to it"

_BEYOND = 2**61
"""A sequence that no hub reaches."""


class Probe(NamedTuple):
    """What a hub says of itself: the version of its protocol, and its clock minus ours (µs) if it tells."""

    version: int
    difference: int | None


class _Ahead:
    """Asks for the next page while the one before is merged."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._begun: tuple[messages.PullRequest, HubState, Future[PullReply]] | None = None

    def begin(self, request: messages.PullRequest, hub: HubState) -> None:
        """Ask in a thread. ``hub`` is what is known of the hub by now."""
        future: Future[PullReply] = Future()
        self._begun = (request, hub, future)
        threading.Thread(target=self._ask, args=(request, future), name="kvassfs-ahead", daemon=True).start()

    def _ask(self, request: messages.PullRequest, future: Future[PullReply]) -> None:
        try:
            future.set_result(self._link.pull(request))
        except BaseException as error:  # noqa: BLE001  raised again in pull()
            future.set_exception(error)

    def pull(self, request: messages.PullRequest, hub: HubState) -> tuple[PullReply, HubState]:
        """Return the reply to a request, which may have been made ahead, and what was known of the hub by then."""
        begun, self._begun = self._begun, None
        if begun is not None:
            asked, known, future = begun
            reply = future.result()  # also where it is of no use: one call at a time
            if asked == request:
                return reply, known
        return self._link.pull(request), hub


class Synchroniser:
    """Exchanges entries between ``store`` and the hub behind ``remote``. For the thread that has the store.

    ``clock`` returns ns since the epoch, ``random(n)`` n random bytes, ``sleep`` waits for seconds, ``watch`` is
    told what has moved after every message. ``ahead``: where there are many pages, ask for the next one in a thread
    while one is merged, so ``remote`` and ``watch`` are called from there too. Every method raises a SyncError where the hub fails and a StoreError
    where the store does; what was moved before stays moved.
    """

    def __init__(
        self,
        store: Store,
        remote: Remote,
        *,
        clock: Callable[[], int] = time.time_ns,
        random: Callable[[int], bytes] = os.urandom,
        sleep: Callable[[float], None] = time.sleep,
        watch: Callable[[Moved], None] = lambda _: None,
        ahead: bool = False,
        limits: MessageLimits = DEVICE_LIMITS,
    ) -> None:
        self._store = store
        self._limits = limits
        self._link = Link(store, remote, clock=clock, random=random, watch=watch)
        self._sleep = sleep
        self._ahead = ahead

    def exchange(self) -> Moved:
        """Pull, then push; return what moved."""
        self._link.moved = Moved()
        self.pull()
        self.push()
        return self._link.moved

    def probe(self) -> Probe:
        """Ask the hub what it is, without moving anything."""
        reply = self._link.pull(messages.PullRequest(_BEYOND, self._link.process_id, messages.VERSION))
        return Probe(1 if reply.answer.digest is None else messages.VERSION, reply.difference)

    # Pulling

    def pull(self, *, wait: float = 0.0) -> int:
        """Merge what the hub has; return how many keys changed. It may ``wait`` seconds until it has something."""
        # What comes from the hub can be had again, and what it has need not be remembered: no waiting for the disk.
        with self._store.bulk():
            return self._pull(wait)

    def _pull(self, wait: float = 0.0, *, arrived: Sequence[Outgoing] = ()) -> int:
        """Pull; what ``arrived`` at a hub of version 1 is acknowledged where that very version comes back."""
        changed = incomplete = 0
        ahead = _Ahead(self._link)
        while self._link.is_current:
            hub = self._store.peers.hub()
            (answer, difference), known = ahead.pull(self._request(hub, hub.cursor, wait), hub)
            wait = 0.0
            if not self._link.recognise(known, answer):
                continue
            if answer.digest is None:
                # Not where only the key is: something older may have come to the hub in its place.
                there = {delivery.entry.write for delivery in answer.deliveries}
                self._acknowledge([out for out in arrived if out.delivery.entry.write in there])
            arrived = ()
            wanted = self._store.inbox.find_missing(answer.deliveries)
            if wanted:
                changed += self._merge_small(answer.deliveries)
            complete = self._fetch(wanted, answer.deliveries)
            if complete and answer.more and self._ahead:
                ahead.begin(self._request(hub, answer.cursor), hub)
            merged = self._merge(hub, answer, complete=complete)
            changed += merged.changed
            complete = complete and not merged.missing
            if complete and not answer.more:
                self._store.peers.note_exchange(difference, epoch=self._link.epoch)
                break
            incomplete = 0 if complete else incomplete + 1
            if incomplete == TRIES:
                raise self._link.failure("parts of its entries are missing")
        return changed

    def _request(self, hub: HubState, cursor: int, wait: float = 0.0) -> messages.PullRequest:
        first = cursor + 1 if cursor else 0
        # The first time, what this replica itself wrote is asked for as well: it may have been set back to a backup.
        # A hub of version 1 may hold an older version than what was written here, brought by another device.
        writer = self._link.process_id if hub.reached and hub.version == messages.VERSION else NOBODY
        return messages.PullRequest(
            first, writer, messages.VERSION, wait, self._limits.page_bytes, self._link.process_id
        )

    def _merge_small(self, deliveries: list[Delivery]) -> int:
        """Merge what need not wait for the blocks of large values; they may take long, or find no room."""
        small = [delivery for delivery in deliveries if delivery.value is not None]
        return self._store.inbox.merge_pulled(small, cursor=None, epoch=self._link.epoch).changed

    def _fetch(self, wanted: list[bytes], deliveries: list[Delivery]) -> bool:
        """Fetch the blocks that are missing here; return whether none is any more."""
        self._store.blocks.check_room(len(wanted))
        self._link.moved = self._link.moved._replace(left=len(wanted) * BLOCK_SIZE)
        for start in range(0, len(wanted), self._limits.page_blocks):
            blocks = self._link.blocks(
                block_messages.BlocksRequest(wanted[start : start + self._limits.page_blocks], [])
            )
            self._store.blocks.put([block for block in blocks if block is not None])
        return not wanted or not self._store.inbox.find_missing(deliveries)

    def _merge(self, hub: HubState, answer: messages.PullResponse, *, complete: bool) -> Merged:
        """Merge a page; where it is not complete, what is left out is asked for again."""
        cursor = max(hub.cursor, answer.cursor) if complete else hub.cursor
        if not answer.deliveries and cursor == hub.cursor:
            return Merged(0, [])
        try:
            merged = self._store.inbox.merge_pulled(answer.deliveries, cursor=cursor, epoch=self._link.epoch)
        except InvalidMessage as error:
            raise self._link.failure(error.reason) from error
        with suppress(StoreError):  # the entries are merged, whatever becomes of this
            self._store.upkeep.tidy()
        self._link.moved = self._link.moved._replace(to_pull=max(0, answer.clock - cursor))
        # A hub of version 1 hands out what was pushed to it, too.
        pulled = merged.changed if answer.digest is None else len(answer.deliveries)
        self._link.note(pulled=pulled if complete else 0)
        return merged

    # Pushing

    def push(self) -> int:
        """Push what the hub has not acknowledged; return how many entries it has now.

        If another process is doing so, wait for that, or leave it to it if it takes long.
        """
        if not self._store.outbox.has_ready():
            return 0
        with self._store.bulk():
            return self._push()

    def _push(self) -> int:
        if self._store.peers.hub().version == 0:
            self._pull()
        if not self._begin_push():
            return 0
        try:
            before = self._link.moved.pushed
            entries, size = self._store.outbox.count_dirty()
            self._link.moved = self._link.moved._replace(to_push=entries, left=size)
            if self._store.peers.hub().version == 1:
                self._push_whole()
            else:
                self._push_pages()
            return self._link.moved.pushed - before
        finally:
            with suppress(StoreError):  # it ends with this process at the latest
                self._store.processes.end_push()

    def _begin_push(self) -> bool:
        waited = 0.0
        last = self._store.settings.config().clock  # what is written while this waits is for others to push
        while not self._store.processes.begin_push():
            if waited >= LEASE_PATIENCE or not self._store.outbox.has_ready(last):
                return False
            self._sleep(LEASE_INTERVAL)
            waited += LEASE_INTERVAL
        return True

    def _push_pages(self) -> None:
        """Push to a hub of version 2; between the blocks of large values, what was written meanwhile goes first."""
        limit = Limit(self._limits.page_bytes, self._limits.whole_bytes, estimate_size)
        uploads: dict[str, list[bytes]] = {}
        tries: Counter[Entry] = Counter()
        while self._link.is_current:
            page = self._store.outbox.read_dirty(limit, without=uploads)
            if page:
                incomplete = self._push_page(page)
                tries.update(list(incomplete))
                if incomplete and max(tries.values()) > TRIES:
                    raise self._link.failure(_NOT_KEPT)
                uploads.update({entry.key: missing for entry, missing in incomplete.items()})
            if uploads:
                self._upload(uploads)
            elif not page:
                return

    def _push_page(self, page: list[Outgoing]) -> dict[Entry, list[bytes]]:
        """Push a page; return the entries that the hub could not merge, with the hashes of the blocks it lacks."""
        hub = self._store.peers.hub()
        page = self._prepare(page)
        if not page:
            return {}
        answer = self._link.push(messages.encode_push(out.delivery for out in page))
        if not self._link.recognise(hub, answer) or answer is None:
            return {}
        lacking = frozenset(split_hashes(answer.missing))
        incomplete: dict[Entry, list[bytes]] = {}
        for out in page:
            missing = [hash_ for hash_ in dict.fromkeys(split_hashes(out.delivery.blocks)) if hash_ in lacking]
            if missing:
                incomplete[out.delivery.entry] = missing
        self._acknowledge([out for out in page if out.delivery.entry not in incomplete])
        return incomplete

    def _upload(self, uploads: dict[str, list[bytes]]) -> None:
        """Send one message of blocks; where none of an entry is left, the entry is pushed once more."""
        key, missing = next(iter(uploads.items()))
        blocks = self._store.blocks.get(missing[: self._limits.page_blocks])
        if None not in blocks:  # or the value has been replaced and cleaned up
            self._link.blocks(block_messages.BlocksRequest([], [block for block in blocks if block is not None]))
            del missing[: self._limits.page_blocks]
        if not missing or None in blocks:
            del uploads[key]

    def _push_whole(self) -> None:
        """Push to a hub of version 1, which takes what arrives last for the newest: so pull before.

        An empty answer can come from anybody; only a pull after it shows that it was the hub.
        """
        limit = Limit(self._limits.page_bytes, self._limits.whole_bytes, estimate_size)
        futile = 0
        self._pull()
        while self._link.is_current and self._store.peers.hub().version == 1:
            page = self._store.outbox.read_dirty(limit)
            if not page:
                return
            page = self._prepare(page)
            pushed = self._link.moved.pushed
            small = [out.delivery for out in page if out.delivery.value is not None]
            if small and self._link.push(messages.encode_push(small)) is not None:
                self._pull()  # it has been upgraded just now
                break
            for out in page:
                if out.delivery.value is None:
                    pieces = self._store.outbox.pieces(out)
                    self._link.push_stream(messages.encode_array([(out.delivery, pieces)], pushed=True))
            self._pull(arrived=page)
            futile = 0 if self._link.moved.pushed > pushed else futile + 1
            if futile == TRIES:
                raise self._link.failure(_NOT_KEPT)
        self._push_pages()

    def _prepare(self, page: list[Outgoing]) -> list[Outgoing]:
        """Return what of a page is still there to be pushed, and see to it that it is on disk first."""
        page = self._store.outbox.mark_as_sent(page)
        self._store.flush()
        return page

    def _acknowledge(self, page: Sequence[Outgoing]) -> None:
        self._store.outbox.acknowledge((out.delivery.entry for out in page), epoch=self._link.epoch)
        self._link.note(pushed=len(page))
