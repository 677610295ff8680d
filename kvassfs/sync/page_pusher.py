"""Pushing to a hub of version 2: page by page, with the blocks of large values between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice

from ..block import split_hashes
from ..entry import Entry
from ..errors import HubFailed
from ..replica import HubState
from ..store import Limit, Outgoing, Store
from ..tuples import NamedTuple
from .ahead import Ahead
from .block_messages import Block
from .hub_client import TRIES, HubClient, Timed
from .limits import MessageLimits
from .messages import VERSION, PushResponse, encode_push
from .passage import Packed, Passage

NOT_KEPT = "it does not keep what is sent to it"


class _Sent(NamedTuple):
    """A page that is under way, and what was known of the hub by then."""

    page: list[Packed]
    hub: HubState


class PagePusher:
    """Pushes from ``store`` through ``client``; the ``passage`` says how. The parameters are those of ``Synchroniser``.

    While the hub works on one message, the next one is made; each is sent once the one before was responded to.
    ``note_upload`` is called after each.
    """

    def __init__(
        self,
        store: Store,
        client: HubClient,
        passage: Passage,
        *,
        ahead: bool,
        limits: MessageLimits,
        note_upload: Callable[[], None],
    ) -> None:
        self._store = store
        self._client = client
        self._passage = passage
        self._apart = ahead
        self._limits = limits
        self._note_upload = note_upload
        self._ahead: Ahead[Timed[PushResponse | None] | None]
        self._sent: _Sent | None
        self._uploads: dict[str, Iterator[Block | None]]
        self._tries: Counter[Entry]

    def read(self, *, without: Iterable[str] = (), after: int = 0) -> list[Outgoing]:
        """Return a page of what is dirty, but for the keys ``without``, and of what comes ``after`` a sequence."""
        limit = Limit(self._limits.page_bytes, self._limits.whole_bytes, self._passage.estimate_size)
        return self._store.outbox.read_dirty(limit, without={*without, *self._passage.left_out()}, after=after)

    def prepare(self, page: list[Outgoing]) -> list[Packed]:
        """Return what of a page is still there to be pushed as it goes to the hub, and see to it that it is on disk first."""
        page = self._store.outbox.mark_as_sent(page)
        self._store.flush()
        # What was written after the key was changed is not sent under the one before, nor in its form.
        return self._passage.pack(page) if self._client.is_current else []

    def push(self) -> None:
        """Push page by page; between the blocks of large values, what was written meanwhile goes first."""
        self._sent, self._uploads, self._tries = None, {}, Counter()
        with Ahead(apart=self._apart) as self._ahead:
            while self._client.is_current:
                page = self.read(without=self._uploads, after=self._find_last())
                if page:
                    self._push_page(page)
                if self._uploads:
                    self._upload()
                elif not page:
                    if not self._ahead.is_busy:
                        self._passage.check_pushed()
                        return
                    self._client.acknowledge(self._finish())

    def _find_last(self) -> int:
        """Return the greatest sequence that is under way: what is not dirty beyond it will be looked at again."""
        return 0 if self._sent is None else max(out.delivery.sequence for out, *_ in self._sent.page)

    def _push_page(self, page: list[Outgoing]) -> None:
        packed = self.prepare(page)
        deliveries = [delivery for _, delivery, _ in packed if delivery is not None]
        if not deliveries:
            self._client.acknowledge([out for out, *_ in packed])
            return
        message = encode_push(deliveries)
        arrived = self._finish()
        self._sent = _Sent(packed, self._store.peers.hub())
        # What one save makes is all that there is, mostly.
        is_last = len(message) < self._limits.page_bytes // 2 and not self._uploads
        self._ahead.begin(partial(self._client.push, message), last=is_last)
        self._client.acknowledge(arrived)
        if is_last:  # it has been responded to
            self._client.acknowledge(self._finish())

    def _upload(self) -> None:
        """Send one message of blocks; where none of an entry is left, the entry is pushed once more."""
        key, left = next(iter(self._uploads.items()))
        found = list(islice(left, self._limits.page_blocks))
        blocks = [block for block in found if block is not None]
        if blocks and len(blocks) == len(found):  # else the value has been replaced and cleaned up
            call = self._client.prepare_blocks(blocks)
            arrived = self._finish()
            self._ahead.begin(call)
            self._client.acknowledge(arrived)
        if len(blocks) < self._limits.page_blocks:
            del self._uploads[key]

    def _finish(self) -> list[Outgoing]:
        """Wait for the response to what is under way; return what the hub has now, and note the blocks that it lacks."""
        if not self._ahead.is_busy:
            return []
        sent, self._sent = self._sent, None
        timed = self._ahead.finish()
        self._note_upload()
        if sent is None or timed is None:
            return []
        response = timed.response
        if response is None and sent.hub.version != VERSION:  # it proves nothing in that way
            raise self.make_failure()
        if not self._client.accept(sent.hub, timed) or response is None:
            return []
        lacking = frozenset(split_hashes(response.missing))
        arrived = []
        for packed in sent.page:
            hashes = b"" if packed.delivery is None else packed.delivery.blocks
            missing = [hash_ for hash_ in dict.fromkeys(split_hashes(hashes)) if hash_ in lacking]
            if missing:
                self._note_missing(packed, missing)
            else:
                arrived.append(packed.out)
        return arrived

    def _note_missing(self, packed: Packed, missing: list[bytes]) -> None:
        entry = packed.out.delivery.entry
        self._tries[entry] += 1
        if self._tries[entry] > TRIES:
            raise self.make_failure()
        self._uploads[entry.key] = self._passage.iterate_blocks(packed, missing)

    def make_failure(self) -> HubFailed:
        """Return the error that the hub does not keep what it gets."""
        return self._client.make_failure(NOT_KEPT)
