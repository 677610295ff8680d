"""How entries look on their way between a store and its hub: as they are, where the hub can read them.

``sealed_passage`` has the other way. Both are for the thread that has the store.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from ..entry import SEALED_NAME_LENGTH, Delivery
from ..kind import Kind
from ..share_link import ShareLink
from ..store import Outgoing, Store
from ..tuples import NamedTuple
from .block_messages import Block
from .entry_messages import estimate_size
from .errors import HubIsSealed
from .hub_client import HubClient
from .messages import PullResponse


class Packed(NamedTuple):
    """An entry to hand out, and what of it goes to the hub; ``None`` if nothing does, and it counts as pushed.

    ``links`` are those for whose holders it was sealed.
    """

    out: Outgoing
    delivery: Delivery | None
    links: Sequence[ShareLink] = ()


class Taken(NamedTuple):
    """What is to be merged of a page, and whether that is all of it; else the page is asked for again."""

    deliveries: list[Delivery]
    complete: bool


class Passage(ABC):
    """Makes what goes to the hub, and opens what comes from it."""

    @abstractmethod
    def estimate_size(self, delivery: Delivery) -> int:
        """Return about how many bytes an entry takes in a message."""

    @abstractmethod
    def pack(self, page: Sequence[Outgoing]) -> list[Packed]:
        """Return a page as it goes to the hub, without what has been replaced meanwhile."""

    @abstractmethod
    def iterate_blocks(self, packed: Packed, missing: Sequence[bytes]) -> Iterator[Block | None]:
        """Yield the blocks of a large value that the hub lacks, as it names them; ``None`` at the end if one is gone."""

    @abstractmethod
    def pack_whole(self, out: Outgoing) -> tuple[Delivery, Iterator[bytes]]:
        """Return an entry and the pieces of its large value, for a hub of the original program."""

    @abstractmethod
    def name_write(self, out: Outgoing) -> tuple[str, int, int, str]:
        """Return ``Entry.write`` as the hub has it."""

    @abstractmethod
    def check_pushed(self) -> None:
        """Raise an error if something cannot be pushed at all."""

    @abstractmethod
    def left_out(self) -> Iterable[str]:
        """Return the keys that cannot be pushed."""

    @abstractmethod
    def open(self, response: PullResponse, *, last: bool) -> Taken:
        """Return what a page of the hub says; blocks of large values are still to be fetched.

        ``last``: what is missing there is not asked for again.
        """

    @abstractmethod
    def plan(self, wanted: list[bytes]) -> Iterator[Callable[[], list[Block]]]:
        """Yield calls, for any thread, that fetch the blocks that this store wants, as far as the hub has them."""

    @abstractmethod
    def settle(self, taken: Taken, *, last: bool) -> Taken:
        """Return what can be merged of a page once blocks were fetched."""

    @abstractmethod
    def note_refused(self) -> None:
        """Note what of a page is not merged, before the rest is."""

    @abstractmethod
    def finish(self) -> None:
        """Do what follows from a page that was merged."""

    @abstractmethod
    def conclude(self) -> None:
        """Note that all that the hub has was pulled."""


class PlainPassage(Passage):
    """The way to a hub that can read what it keeps. ``at_once`` blocks go into a message."""

    def __init__(self, store: Store, client: HubClient, *, at_once: int) -> None:
        self._store = store
        self._client = client
        self._at_once = at_once
        self._is_hub = store.settings.kind() == Kind.HUB

    def estimate_size(self, delivery: Delivery) -> int:
        """Return about how many bytes an entry takes in a message."""
        return estimate_size(delivery)

    def pack(self, page: Sequence[Outgoing]) -> list[Packed]:
        """Return the page as it is."""
        return [Packed(out, out.delivery) for out in page]

    def iterate_blocks(self, packed: Packed, missing: Sequence[bytes]) -> Iterator[Block | None]:  # noqa: ARG002  the other way has a use for it
        """Yield the blocks that the hub lacks."""
        for hash_ in missing:
            (block,) = self._store.blocks.get([hash_])
            yield block
            if block is None:  # the value has been replaced and cleaned up
                return

    def pack_whole(self, out: Outgoing) -> tuple[Delivery, Iterator[bytes]]:
        """Return an entry and the pieces of its large value."""
        return out.delivery, self._store.outbox.pieces(out)

    def name_write(self, out: Outgoing) -> tuple[str, int, int, str]:
        """Return ``Entry.write``."""
        return out.delivery.entry.write

    def check_pushed(self) -> None:
        """Everything can be pushed."""

    def left_out(self) -> Iterable[str]:
        """Return no keys."""
        return ()

    def open(self, response: PullResponse, *, last: bool) -> Taken:  # noqa: ARG002  the other way has a use for it
        """Return the page as it is.

        Raises:
            HubIsSealed: it is that of a sealed store, of which this is no device.
        """
        if not self._is_hub and any(looks_sealed(delivery) for delivery in response.deliveries):
            self._store.peers.doubt_hub(epoch=self._client.epoch)
            raise HubIsSealed(self._client.address)
        return Taken(response.deliveries, complete=True)

    def plan(self, wanted: list[bytes]) -> Iterator[Callable[[], list[Block]]]:
        """Yield calls that fetch blocks."""
        for start in range(0, len(wanted), self._at_once):
            yield partial(self._client.get_blocks, wanted[start : start + self._at_once])

    def settle(self, taken: Taken, *, last: bool) -> Taken:  # noqa: ARG002  the other way has a use for it
        """Return the page, which is complete if all blocks are there."""
        return Taken(taken.deliveries, complete=not self._store.inbox.find_missing(taken.deliveries))

    def note_refused(self) -> None:
        """Everything is merged."""

    def finish(self) -> None:
        """Nothing follows."""

    def conclude(self) -> None:
        """There is nothing to note."""


def looks_sealed(delivery: Delivery) -> bool:
    """Return True for what only a device of a sealed store pushes: an opaque key, and nothing else but a value."""
    entry = delivery.entry
    if (
        not entry.key.startswith("~")
        or len(entry.key) != SEALED_NAME_LENGTH
        or not entry.size
        or entry[-4:] != (None,) * 4
    ):
        return False
    return set(entry.key[1:]) <= _URL_CHARACTERS


_URL_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
