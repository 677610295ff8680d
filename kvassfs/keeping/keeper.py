"""What a hub needs of a store: small protocols, which each keeper of stores fulfils. They know neither HTTP nor SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from ..entry import Delivery
from ..replica import Incarnation
from ..share_link import ShareLink
from ..store import Limit, Mailbox, Outgoing, Page, Shared, StoredValue


class Outcome(NamedTuple):
    """What became of deliveries: hashes of blocks that are missing; and what the hub is called and has counted since."""

    missing: list[bytes]
    process_id: int
    clock: int
    incarnations: list[Incarnation]


class Description(NamedTuple):
    """What a device is told beside entries.

    The hub's ``process_id`` and ``incarnations``, the greatest ``counter`` of the device's own entries that were pushed, and
    what other devices are called, by their process ids.
    """

    process_id: int
    incarnations: list[Incarnation]
    counter: int
    names: Mapping[int, str]


class Pieces(Protocol):
    """A value that is held."""

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield its bytes from ``start`` to ``stop`` (default: the end), at most a block at a time."""


class KeyKeeper(Protocol):
    """Has the key of a store."""

    def read_key(self) -> bytes:
        """Return the key that messages are sealed with, as it is now."""

    def count_request(self) -> None:
        """Count a request that was sealed with the key that was read.

        Raises:
            TooManyRequests: the store has made too many.
        """


class EntryKeeper(KeyKeeper, Protocol):
    """Merges what devices push, and hands it out. For one thread; every method raises a StoreError."""

    def merge(self, deliveries: Sequence[Delivery]) -> Outcome:
        """Merge what a device has pushed, all or nothing. Then it has reached the disk.

        The winner of a lost push gets a new sequence, so that the sender learns of it. Entries whose blocks are
        missing are left out. The greatest counters of their writers are noted.

        Raises:
            DiskFull: there is no room, or this store has reached its quota.
        """

    def merge_removals(self, deliveries: Iterable[Delivery]) -> None:
        """Merge the tombstones alone, which go where the rest has no room."""

    def put_blocks(self, blocks: Sequence[bytes | memoryview]) -> None:
        """Keep blocks for a day, until an entry names them. They need not reach the disk before that."""

    def get_blocks(self, wanted: Sequence[bytes]) -> list[bytes | None]:
        """Return blocks by their hashes; ``None`` for one that is not here."""

    def tidy_briefly(self) -> None:
        """Give up a little of what is no longer needed, in a moment."""

    def note_device(self, process_id: int, names: Mapping[int, str]) -> None:
        """Note that a device asks, and what it says that replicas are called. Nobody waits for that."""

    def read_page(self, first: int, not_from: int, limit: Limit) -> Page:
        """Return a page of entries from the sequence ``first`` on that ``not_from`` did not write."""

    def mark_as_sent(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Note that other devices know these versions from now on; return what is to be sent, as it is to be."""

    def read_pieces(self, out: Outgoing) -> Iterator[bytes]:
        """Yield the value of an entry, of the version that was read; run it to its end or close it.

        Raises:
            ValueReplaced: the key has another version by now.
        """

    def describe(self, clock: int, device: int) -> Description:
        """Return what a device is told with the Lamport clock ``clock``; it is noted that it is told that."""


class ShareKeeper(Protocol):
    """Finds what tokens lead to. For one thread; every method raises a StoreError."""

    def check(self) -> None:
        """Return if the database can be read."""

    def find_shared(self, token: str) -> Shared | ShareLink | None:
        """Return the version that a token is of, or the link; ``None`` if there is no such thing (any more)."""

    def count_request(self) -> None:
        """Count a request for what was found.

        Raises:
            TooManyRequests: the store has too many.
        """

    def resolve_link(self, link: ShareLink) -> Shared | None:
        """Return what a link leads to, ``None`` if the key has gone."""

    def has_ended(self, token: str) -> bool:
        """Whether a token once led to something, as far as that is remembered."""

    def read_head(self, value: StoredValue, length: int) -> bytes:
        """Return the first ``length`` bytes, at most a block, of a value that is current or held."""

    def hold(self, value: StoredValue, still: Callable[[], bool]) -> AbstractContextManager[Pieces]:
        """``with`` a value that stays until the end of the block, whatever becomes of its key.

        ``still`` is asked whether it is yet the one that was found, in the transaction that holds it. A short value is in
        memory already, and nothing is asked.

        Raises:
            ValueReplaced: it is not.
        """

    def end_link(self, link: ShareLink, still: Callable[[], bool]) -> bool:
        """End a link for good, in one transaction; return ``False`` if another has been quicker.

        Then it has reached the disk. ``still`` is asked inside, as with ``hold``, and nothing ends if it is not.

        Raises:
            ValueReplaced
        """


class MailboxKeeper(KeyKeeper, Protocol):
    """Keeps mailboxes of pairings. For one thread; every method raises a StoreError."""

    def read_mailboxes(self) -> list[Mailbox]:
        """Return all of them, also those whose time is over."""

    def change_mailboxes(self, change: Callable[[list[Mailbox]], list[Mailbox]]) -> None:
        """Have the mailboxes that ``change`` returns for those that there are, in one transaction, or raise what it raises."""


class Keeper(EntryKeeper, ShareKeeper, MailboxKeeper, Protocol):
    """Keeps one store for a hub."""
