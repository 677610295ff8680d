"""How entries of a sealed store look on their way: sealed on the way to the hub, opened and checked on the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice

from ..block import HASH_BYTES, split_hashes
from ..entry import SEALED_NAME_LENGTH, Delivery
from ..share_link import ShareLink, parse_record
from ..store import Outgoing, Store
from ..tuples import NamedTuple
from ..veil.block_cipher import Data, hash_block, seal_block
from ..veil.deliveries import (
    Fetch,
    Opened,
    Refused,
    Source,
    find_missing_wraps,
    find_sources,
    make_blocks,
    open_page,
    open_source,
    seal_delivery,
    seal_pieces,
)
from ..veil.errors import PartMissing, Spoiled, VeilError
from ..veil.keys import Keys, hide_key, hide_version
from ..veil.layout import pad_body
from ..veil.links import is_proven
from .block_messages import Block
from .entry_messages import estimate_parts, estimate_size
from .errors import HubNotEmpty, TooLargeToSeal
from .hub_client import HubClient
from .messages import PullResponse
from .passage import Packed, Passage, Taken

NOTED_AT_ONCE = 64
"""Blocks whose names at the hub are noted together: 16 MiB are sealed meanwhile."""

EXPIRY_MARGIN = 86_400 * 1_000_000
"""Microseconds for which a link that has expired by the clock here is sealed for: that of the hub ends it."""

_BODY_BYTES, _AROUND_BYTES = 72, 78
"""Bytes of the body of a head beside key, value and what was seen, and of a sealed value around that, without links."""


class _BlockGone(Exception):
    """A block is no longer here: its value has been replaced and cleaned up."""


class _Blocks:
    """The blocks of a store, and what they are called at the hub."""

    def __init__(self, keys: Keys, store: Store) -> None:
        self._keys = keys
        self._store = store
        self._found: dict[bytes, bytes] = {}

    def read(self, hash_: bytes) -> bytes:
        """Return a block."""
        (block,) = self._store.blocks.get([hash_])
        if block is None:
            raise _BlockGone
        return block

    def find_sealed(self, hash_: bytes) -> bytes:
        """Return the hash of a full block as the hub has it."""
        sealed = self._found.get(hash_) or self._store.sealed.find_block(hash_)
        if sealed is None:
            sealed = self._found[hash_] = hash_block(seal_block(self._keys, self.read(hash_), hash_))
            if len(self._found) == NOTED_AT_ONCE:
                self.note()
        return sealed

    def note(self) -> None:
        """Keep what was found, so that it is not sealed again only to know that."""
        found, self._found = self._found, {}
        if found:
            self._store.sealed.note_blocks(found)


class _Page(NamedTuple):
    """A page that is being taken: what was opened of it, what was refused, and tokens of versions whose wraps are missing."""

    opened: list[Opened]
    refused: list[Refused]
    unwrapped: list[str]


class SealedPassage(Passage):
    """The way to a hub that cannot read what it keeps. ``at_once`` blocks go into a message."""

    def __init__(self, store: Store, client: HubClient, keys: Keys, *, at_once: int) -> None:
        self._store = store
        self._client = client
        self._keys = keys
        self._at_once = at_once
        self._blocks = _Blocks(keys, store)
        self._too_large: set[str] = set()
        self._page = _Page([], [], [])
        self._failed: dict[bytes, VeilError] = {}
        self._tried: set[Source] = set()

    # To the hub

    def estimate_size(self, delivery: Delivery) -> int:
        """Return about how many bytes an entry takes in a message, with padding and head."""
        if delivery.value is None:
            return estimate_size(delivery)
        entry = delivery.entry
        length = _BODY_BYTES + len(entry.key) + len(entry.seen or "") + len(delivery.value)
        return estimate_parts(SEALED_NAME_LENGTH, _AROUND_BYTES + pad_body(length))

    def pack(self, page: Sequence[Outgoing]) -> list[Packed]:
        """Seal a page."""
        links = self._find_links()
        packed: list[Packed] = []
        for out in page:
            live = self._choose_links(out, links)
            try:
                packed.append(Packed(out, seal_delivery(self._keys, out.delivery, live, self._blocks), live))
            except _BlockGone:  # the key has another version by now, which is pushed in its turn
                continue
            except ValueError:
                self._too_large.add(out.delivery.entry.key)
        self._blocks.note()
        return packed

    def _find_links(self) -> dict[str, list[ShareLink]]:
        """Return the live links that this store has, by the names of their keys at the hub."""
        before = self._store.hub_time.now() - EXPIRY_MARGIN
        found: dict[str, list[ShareLink]] = {}
        for link in self._store.share_links.list_all():
            if not link.has_expired(before) and is_proven(self._keys, link):
                found.setdefault(link.key, []).append(link)
        return found

    def _choose_links(self, out: Outgoing, links: dict[str, list[ShareLink]]) -> list[ShareLink]:
        return links.get(hide_key(self._keys, out.delivery.entry.key), []) if links else []

    def iterate_blocks(self, packed: Packed, missing: Sequence[bytes]) -> Iterator[Block | None]:
        """Seal the blocks that the hub lacks."""
        wanted = frozenset(missing)
        blocks = make_blocks(self._keys, packed.out.delivery, packed.links, self._blocks, wanted)
        try:
            yield from islice(blocks, len(wanted))
        except _BlockGone:
            yield None

    def pack_whole(self, out: Outgoing) -> tuple[Delivery, Iterator[bytes]]:
        """Return an entry and the pieces of its sealed value."""
        links = self._choose_links(out, self._find_links())
        return seal_pieces(self._keys, out.delivery, links, self._store.outbox.pieces(out))

    def name_write(self, out: Outgoing) -> tuple[str, int, int, str]:
        """Return ``Entry.write`` as the hub has it."""
        entry = out.delivery.entry
        if parse_record(entry.key) is not None:
            return entry.write
        name, token, timestamp, process_id = hide_version(self._keys, entry)
        return (name, timestamp, process_id, token)

    def check_pushed(self) -> None:
        """Raise an error if something cannot be sealed."""
        if self._too_large:
            raise TooLargeToSeal(self._client.address, min(self._too_large))

    def left_out(self) -> Iterable[str]:
        """Return the keys that cannot be sealed."""
        return self._too_large

    # From the hub

    def open(self, response: PullResponse, *, last: bool) -> Taken:
        """Open the entries of a page.

        Raises:
            HubNotEmpty: the store was sealed just now, and the hub has something else.
        """
        self._page = page = _Page([], [], [])
        self._failed, self._tried = {}, set()
        page.refused.extend(Refused(name, Spoiled("it is no entry that can be read")) for name in response.unreadable)
        links = self._find_links()
        for part in self._split(response.deliveries):
            fetch = self._fetch_ends(part)
            opened, refused = open_page(self._keys, part, fetch)
            page.opened.extend(opened)
            page.refused.extend(refused)
            page.unwrapped.extend(self._find_unwrapped(opened, links, fetch))
        if page.refused and self._store.sealed.is_anew():
            self._store.peers.doubt_hub(epoch=self._client.epoch)
            raise HubNotEmpty(self._client.address, page.refused[0].name)
        return Taken([plain for _, plain in page.opened], self._put_off(last=last))

    def _split(self, deliveries: Iterable[Delivery]) -> Iterator[list[Delivery]]:
        """Yield deliveries in parts, of which each has as many large values as blocks go into a message."""
        part: list[Delivery] = []
        large = 0
        for delivery in deliveries:
            part.append(delivery)
            large += delivery.value is None
            if large == self._at_once:
                yield part
                part, large = [], 0
        if part:
            yield part

    def _fetch_ends(self, part: Sequence[Delivery]) -> Fetch:
        """Fetch the last blocks of large values, in which their heads are; return what finds these, and fetches others."""
        wanted = list(dict.fromkeys(delivery.blocks[-HASH_BYTES:] for delivery in part if delivery.value is None))
        found: dict[bytes, Data] = {}
        if wanted:
            found = {hash_: block or b"" for hash_, block in self._client.find_blocks(wanted)}

        def fetch(hash_: bytes) -> Data:
            return found[hash_] if hash_ in found else dict(self._client.find_blocks([hash_]))[hash_] or b""

        return fetch

    def _find_unwrapped(
        self, opened: Iterable[Opened], links: dict[str, list[ShareLink]], fetch: Fetch
    ) -> Iterator[str]:
        """Yield the tokens of versions that the holder of a live link cannot open: they are to be saved anew."""
        for sealed, plain in opened:
            live = links.get(sealed.entry.key)
            if live and plain.entry.is_file:
                with suppress(VeilError):
                    if find_missing_wraps(self._keys, sealed, live, fetch):
                        yield plain.entry.url_token

    def _put_off(self, *, last: bool) -> bool:
        """Leave out what may be there when it is asked for again; return whether there is nothing of that kind."""
        if last:
            return True
        kept = [refused for refused in self._page.refused if not isinstance(refused.error, PartMissing)]
        is_complete = len(kept) == len(self._page.refused)
        self._page.refused[:] = kept
        return is_complete

    def plan(self, wanted: list[bytes]) -> Iterator[Callable[[], list[Block]]]:
        """Yield calls that fetch blocks and open them; why one cannot be is noted."""
        sources = self._find_sources(set(wanted))
        while batch := list(islice(sources, self._at_once)):
            yield partial(self._fetch_sources, batch)

    def _find_sources(self, wanted: set[bytes]) -> Iterator[Source]:
        for opened in self._page.opened:
            if opened.plain.value is None:
                for source in find_sources(opened, wanted):
                    wanted.discard(source.hash)
                    yield source

    def _fetch_sources(self, batch: Sequence[Source]) -> list[Block]:
        blocks = dict(self._client.find_blocks([source.sealed for source in batch]))
        found: list[Block] = []
        for source in batch:
            try:
                found.append(open_source(self._keys, source, blocks[source.sealed] or b""))
                self._failed.pop(source.hash, None)
            except VeilError as error:
                self._failed[source.hash] = error
                self._tried.add(source)
        return found

    def _fetch_elsewhere(self) -> None:
        """Fetch what was wrong from where another entry of the page has it: one that is spoiled holds up no other."""
        for opened in self._page.opened if self._failed else ():
            if opened.plain.value is None:
                sources = (source for source in find_sources(opened, dict(self._failed)) if source not in self._tried)
                while batch := list(islice(sources, self._at_once)):
                    self._store.blocks.put(self._fetch_sources(batch))

    def settle(self, taken: Taken, *, last: bool) -> Taken:
        """Return what can be merged: what has a block that is wrong is refused, or asked for again where it is missing."""
        self._fetch_elsewhere()
        merged: list[Opened] = []
        for opened in self._page.opened:
            if opened.plain.value is None and self._store.inbox.find_missing([opened.plain]):
                self._page.refused.append(Refused(opened.sealed.entry.key, self._find_failure(opened.plain)))
            else:
                merged.append(opened)
        self._page.opened[:] = merged
        is_complete = self._put_off(last=last)
        return Taken([plain for _, plain in merged], taken.complete and is_complete)

    def _find_failure(self, delivery: Delivery) -> VeilError:
        errors = [self._failed[hash_] for hash_ in split_hashes(delivery.blocks) if hash_ in self._failed]
        return next((error for error in errors if not isinstance(error, PartMissing)), PartMissing())

    def note_refused(self) -> None:
        """Note what is refused, and why."""
        page = self._page
        self._store.sealed.note_pulled(
            (sealed.entry.key for sealed, _ in page.opened), ((name, str(error)) for name, error in page.refused)
        )

    def finish(self) -> None:
        """Save anew what holders of links cannot open."""
        for token in self._page.unwrapped:
            self._store.share_links.renew_token(token)

    def conclude(self) -> None:
        """Note that the hub has nothing else."""
        self._store.sealed.note_looked()
