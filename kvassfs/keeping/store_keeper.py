"""The keeper of the hub of one person: the store of this program, in one SQLite file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from ..entry import Delivery
from ..errors import ValueReplaced
from ..share_link import ShareLink
from ..store import Limit, Mailbox, Outgoing, Page, Reader, Shared, Store, StoredValue
from .counters import find_counters
from .keeper import Description, Keeper, Outcome


class StoreKeeper(Keeper):
    """Keeps ``store`` for a hub, as ``Keeper`` says; for the one thread that has it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read_key(self) -> bytes:
        """Return the key."""
        return self._store.settings.config().encryption_key

    def count_request(self) -> None:
        """Count nothing: nobody else is kept waiting."""

    # Entries

    def merge(self, deliveries: Sequence[Delivery]) -> Outcome:
        """Merge what a device has pushed; a value that loses is a revision afterwards."""
        store = self._store
        with store.transaction:
            merged = store.inbox.merge_pushed(deliveries)
            store.peers.note_counters(find_counters(deliveries))
            config = store.settings.config()
            incarnations = store.peers.announce_clock(config.clock)
        return Outcome(merged.missing, config.process_id, config.clock, incarnations)

    def merge_removals(self, deliveries: Iterable[Delivery]) -> None:
        """Merge the tombstones alone."""
        self._store.inbox.merge_removals(deliveries)

    def put_blocks(self, blocks: Sequence[bytes | memoryview]) -> None:
        """Keep blocks until an entry names them."""
        # The push that names them, or its page, waits for the disk, with all that was written before.
        with self._store.bulk():
            self._store.blocks.put(blocks)

    def get_blocks(self, wanted: Sequence[bytes]) -> list[bytes | None]:
        """Return blocks by their hashes."""
        return self._store.blocks.get(wanted)

    def tidy_briefly(self) -> None:
        """Clean up for a moment."""
        self._store.upkeep.tidy_briefly()

    def note_device(self, process_id: int, names: Mapping[int, str]) -> None:
        """Note that a device asks."""
        self._store.peers.note_device(process_id)
        self._store.peers.note_names(names, of=process_id)

    def read_page(self, first: int, not_from: int, limit: Limit) -> Page:
        """Return a page of entries."""
        return self._store.outbox.read_since(first, not_from, limit)

    def mark_as_sent(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Note that versions of this store's own, too, are known to others."""
        return self._store.outbox.mark_as_sent(outgoing)

    def read_pieces(self, out: Outgoing) -> Iterator[bytes]:
        """Yield the value of an entry."""
        return self._store.outbox.pieces(out)

    def describe(self, clock: int, device: int) -> Description:
        """Return what a device is told."""
        store = self._store
        process_id = store.settings.config().process_id
        incarnations = store.peers.announce_clock(clock)
        return Description(process_id, incarnations, store.peers.counter_of(device), store.settings.names())

    # What is shared

    def check(self) -> None:
        """Return if the database can be read."""
        self._store.settings.config()

    def find_shared(self, token: str) -> Shared | ShareLink | None:
        """Return what a token is of."""
        return self._store.share_links.find(token)

    def resolve_link(self, link: ShareLink) -> Shared | None:
        """Return what a link leads to."""
        return self._store.share_links.resolve(link)

    def has_ended(self, token: str) -> bool:
        """Whether a token once led to something: revisions remember theirs."""
        return self._store.share_links.has_ended(token)

    def read_head(self, value: StoredValue, length: int) -> bytes:
        """Return the first bytes of a value."""
        return self._store.values.head(value, length)

    def hold(self, value: StoredValue, still: Callable[[], bool]) -> AbstractContextManager[Reader]:
        """``with`` a value that stays; not inside a transaction."""
        return self._store.values.held(value, still)

    def end_link(self, link: ShareLink, still: Callable[[], bool]) -> bool:
        """End a link for good."""
        with self._store.durably(), self._store.transaction:
            if not still():
                raise ValueReplaced
            return self._store.share_links.end(link)

    # Mailboxes

    def read_mailboxes(self) -> list[Mailbox]:
        """Return all mailboxes."""
        return self._store.mailboxes.read()

    def change_mailboxes(self, change: Callable[[list[Mailbox]], list[Mailbox]]) -> None:
        """Change the mailboxes in one transaction; what stays as it was is not written."""
        with self._store.transaction:
            before = self._store.mailboxes.read()
            after = change(before)
            if after != before:
                self._store.mailboxes.write(after)
