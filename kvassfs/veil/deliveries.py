"""Entries on their way between a device and a hub that cannot read: sealed on the way there, opened on the way back.

To the hub all is a delivery as any other, of an opaque key. What a large value is made of there follows from the blocks
that a store has, again and again the same, so nothing of it need be kept until it has arrived.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Iterator
from itertools import accumulate, groupby, repeat
from typing import Protocol

from ..block import BLOCK_SIZE, HASH_BYTES, block_count, block_length
from ..echo import is_echo
from ..entry import Delivery, Entry
from ..entry_fields import check_numbers
from ..errors import OutOfRange
from ..share_link import RESERVED, ShareLink, parse_record
from ..tuples import NamedTuple
from .block_cipher import Data, hash_block, open_block, refer, seal_block
from .errors import Forged, NotSealed, PartMissing, Spoiled, VeilError
from .head import find_unwrapped, open_head
from .keys import Keys, Outside, hide_version, is_name, is_outer_token
from .layout import INLINE_LIMIT, Layout, lay_out
from .links import is_proven
from .values import check_length, cut_head, read_head, read_references, read_value, seal_short, seal_stream, seal_tail

Fetch = Callable[[bytes], Data]
"""Returns the block with a hash as the hub has it; empty if it has none."""


_BARE = (None, None, None, None)
"""Mode, times, and what was seen, of an entry at the hub."""


class PlainBlocks(Protocol):
    """The blocks of a store that is sealed."""

    def read(self, hash_: bytes) -> bytes:
        """Return a block."""

    def find_sealed(self, hash_: bytes) -> bytes:
        """Return the hash of a full block as the hub has it, which is kept, as computing it takes as long as sealing it."""


class Source(NamedTuple):
    """Where a block is to be had: ``size`` bytes under ``hash`` here, ``padded`` ones of the block ``sealed`` at the hub."""

    hash: bytes
    size: int
    sealed: bytes
    padded: int


class Opened(NamedTuple):
    """An entry as the hub has it, and as this store merges it."""

    sealed: Delivery
    plain: Delivery


class Refused(NamedTuple):
    """An entry of the hub that is not merged, by its name there, and why."""

    name: str
    error: VeilError


# To the hub


def seal_delivery(
    keys: Keys, delivery: Delivery, links: Iterable[ShareLink] = (), blocks: PlainBlocks | None = None
) -> Delivery | None:
    """Return what of an entry goes to the hub; ``None`` if nothing may: a link that was made before the store was sealed.

    ``links`` are the live ones of the key. ``blocks`` must be there for a value that travels in blocks.

    Raises:
        ValueError: it is longer than what can be sealed.
    """
    entry = delivery.entry
    if entry.key.startswith(RESERVED):
        if is_echo(entry.key):
            return delivery
        if (link := parse_record(entry.key)) is not None:
            return delivery if link.record == entry.key and is_proven(keys, link) else None
    outside = hide_version(keys, entry)
    if delivery.value is None:
        assert blocks is not None, "they are needed for a large value"
        return _seal_large(keys, outside, delivery, links, blocks)
    if len(delivery.value) <= INLINE_LIMIT:
        sealed = seal_short(keys, outside, entry, delivery.value, links)
    else:
        sealed = b"".join(seal_stream(keys, outside, entry, (delivery.value,), links))
    return Delivery(_make_outer(outside, entry, len(sealed)), delivery.sequence, sealed)


def seal_pieces(
    keys: Keys, delivery: Delivery, links: Iterable[ShareLink], pieces: Iterable[bytes]
) -> tuple[Delivery, Iterator[bytes]]:
    """Return an entry and the pieces of its sealed value, for a hub of the original program, which takes values whole.

    The entry says nothing of the length, which is not known before the end.
    """
    outside = hide_version(keys, delivery.entry)
    outer = Delivery(_make_outer(outside, delivery.entry, 0), delivery.sequence, None)
    return outer, seal_stream(keys, outside, delivery.entry, pieces, links)


def _make_outer(outside: Outside, entry: Entry, size: int) -> Entry:
    return Entry(outside.name, entry.timestamp, entry.counter, entry.process_id, outside.token, size)


def _seal_large(
    keys: Keys, outside: Outside, delivery: Delivery, links: Iterable[ShareLink], blocks: PlainBlocks
) -> Delivery:
    layout = lay_out(delivery.entry.size)
    size = layout.first_list

    def list_runs() -> Iterator[tuple[bytes, int]]:
        nonlocal size
        for hash_, times in _find_full(delivery, layout):
            yield blocks.find_sealed(hash_), times
        for piece, times in _make_tail(keys, outside, delivery, links, blocks):
            size += len(piece) * times
            yield hash_block(piece), times

    hashes, counts = _join_runs(list_runs())
    return Delivery(_make_outer(outside, delivery.entry, size), delivery.sequence, None, hashes, counts)


def make_blocks(
    keys: Keys, delivery: Delivery, links: Iterable[ShareLink], blocks: PlainBlocks, wanted: Container[bytes]
) -> Iterator[bytes]:
    """Yield the blocks with the hashes ``wanted`` of a large value, as ``seal_delivery`` lists them, each once, in order."""
    outside, layout = hide_version(keys, delivery.entry), lay_out(delivery.entry.size)
    done: set[bytes] = set()
    for hash_, _ in _find_full(delivery, layout):
        if (sealed := blocks.find_sealed(hash_)) in wanted and sealed not in done:
            done.add(sealed)
            yield seal_block(keys, blocks.read(hash_), hash_)
    for piece, _ in _make_tail(keys, outside, delivery, links, blocks):
        if (sealed := hash_block(piece)) in wanted and sealed not in done:
            done.add(sealed)
            yield bytes(piece)


def _find_full(delivery: Delivery, layout: Layout) -> Iterator[tuple[bytes, int]]:
    """Yield the hashes of the full blocks of a value, and how often each comes."""
    left = layout.blocks
    for hash_, times in _iterate_runs(delivery):
        if left:
            yield hash_, min(left, times)
            left -= min(left, times)
    if left:
        raise ValueError("a value has fewer blocks than its size makes")


def _make_tail(
    keys: Keys, outside: Outside, delivery: Delivery, links: Iterable[ShareLink], blocks: PlainBlocks
) -> Iterator[tuple[Data, int]]:
    """Yield what follows the full blocks of a value, as blocks of the hub, and how often each comes."""
    last = blocks.read(delivery.blocks[-HASH_BYTES:]) if lay_out(delivery.entry.size).last else b""
    for piece, times in seal_tail(keys, outside, delivery.entry, _iterate_runs(delivery), last, links):
        view = memoryview(piece)
        for start in range(0, len(piece), BLOCK_SIZE):
            yield view[start : start + BLOCK_SIZE], times


def _iterate_runs(delivery: Delivery) -> Iterator[tuple[bytes, int]]:
    """Yield the hashes of the blocks of a delivery, each with how often its block comes: millions, maybe, and never a list."""
    starts = range(0, len(delivery.blocks), HASH_BYTES)
    for start, times in zip(starts, delivery.counts or repeat(1, len(starts)), strict=True):
        yield delivery.blocks[start : start + HASH_BYTES], times


def _join_runs(runs: Iterable[tuple[bytes, int]]) -> tuple[bytes, tuple[int, ...]]:
    """Return hashes and counts as a delivery has them."""
    hashes, counts = bytearray(), []
    for hash_, equal in groupby(runs, key=lambda run: run[0]):
        hashes += hash_
        counts.append(sum(times for _, times in equal))
    return bytes(hashes), tuple(counts) if max(counts, default=1) > 1 else ()


# From the hub


def open_delivery(keys: Keys, delivery: Delivery, fetch: Fetch) -> Delivery:
    """Return an entry of the hub as this store merges it, once everything about it was checked but the blocks of a large value.

    Its sequence is 0, for what the hub counts moves the cursor alone. Of a value in blocks ``fetch`` is asked for what has
    its head and lists; ``find_sources`` says where its blocks are.

    Raises:
        NotSealed, NewerForm, Forged, Spoiled: it is not to be merged; PartMissing: nor is it as long as a block is missing.
    """
    entry = delivery.entry
    _check_numbers(entry)
    if entry.key.startswith(RESERVED):
        return _open_reserved(keys, delivery)
    outside = find_outside(entry)
    if delivery.value is not None:
        return _open_whole(keys, outside, delivery.value)
    hub = HubBlocks(delivery)
    reader = _Reader(hub, fetch)
    head = open_head(keys, outside, read_head(reader.read, entry.size))
    check_length(head, entry.size)
    if head.value is not None:
        return Delivery(head.entry, 0, head.value)
    runs = ((reference.hash, times) for reference, times in read_references(head, reader.read))
    return Delivery(head.entry, 0, None, *_join_runs(runs))


def open_page(keys: Keys, deliveries: Iterable[Delivery], fetch: Fetch) -> tuple[list[Opened], list[Refused]]:
    """Return the entries of a page, opened, and those that are refused: one that is wrong holds up no other."""
    opened: list[Opened] = []
    refused: list[Refused] = []
    for delivery in deliveries:
        try:
            opened.append(Opened(delivery, open_delivery(keys, delivery, fetch)))
        except VeilError as error:
            refused.append(Refused(delivery.entry.key, error))
    return opened, refused


def find_missing_wraps(keys: Keys, delivery: Delivery, links: Iterable[ShareLink], fetch: Fetch) -> list[ShareLink]:
    """Return those of the live links of a key whose holders cannot open an entry of the hub, and should.

    Raises:
        VeilError: it cannot be opened at all.
    """
    if delivery.value is None:
        head = read_head(_Reader(HubBlocks(delivery), fetch).read, delivery.entry.size)
    else:
        head = cut_head(delivery.value)
    return find_unwrapped(keys, open_head(keys, find_outside(delivery.entry), head), links)


def find_outside(entry: Entry) -> Outside:
    """Return what an entry of the hub shows of a version.

    Raises:
        NotSealed: it is none of a sealed store.
    """
    if not is_name(entry.key):
        raise NotSealed("its key is in the clear")
    if not is_outer_token(entry.url_token):
        raise NotSealed("its token is none of a sealed store")
    if entry[-len(_BARE) :] != _BARE:
        raise NotSealed("mode or times are in the clear")
    return Outside(entry.key, entry.url_token, entry.timestamp, entry.process_id)


def _check_numbers(entry: Entry) -> None:
    try:
        check_numbers(entry.key, entry.timestamp, entry.process_id, entry.counter, entry.counter)
    except (OutOfRange, TypeError) as error:
        raise Spoiled("its numbers are out of range") from error


def _open_reserved(keys: Keys, delivery: Delivery) -> Delivery:
    """Return an echo, or the record of a link or of its end, whose terms a device has made; its counter says nothing."""
    if is_echo(delivery.entry.key):
        return delivery
    link = parse_record(delivery.entry.key)
    if link is None:
        raise NotSealed("its key is in the clear")
    if link.record != delivery.entry.key or not is_proven(keys, link):
        raise Forged
    if delivery.value != b"":
        raise NotSealed("it is a link with a value")
    return Delivery(delivery.entry._replace(counter=0), 0, b"")


def _open_whole(keys: Keys, outside: Outside, sealed: bytes) -> Delivery:
    head = open_head(keys, outside, cut_head(sealed))
    check_length(head, len(sealed))
    value = head.value
    if value is None:
        view = memoryview(sealed)
        value = b"".join(read_value(head, lambda start, size: view[start : start + size]))
    return Delivery(head.entry, 0, value)


class HubBlocks:
    """The blocks that a large value has at the hub, by their positions.

    Raises:
        Spoiled: there are more or fewer than its size makes.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._blocks = delivery.blocks
        self._ends = list(accumulate(delivery.counts))
        self.size = delivery.entry.size
        count = self._ends[-1] if self._ends else len(self._blocks) // HASH_BYTES
        if count != block_count(self.size):
            raise Spoiled("it has more or fewer blocks than its size makes")

    def find(self, position: int) -> bytes:
        """Return the hash of the block at a position."""
        index = bisect_right(self._ends, position) if self._ends else position
        return self._blocks[index * HASH_BYTES : (index + 1) * HASH_BYTES]


class _Reader:
    """Reads what the hub has of a large value, and keeps the last block."""

    def __init__(self, blocks: HubBlocks, fetch: Fetch) -> None:
        self._blocks = blocks
        self._fetch = fetch
        self._position = -1
        self._block: Data = b""

    def read(self, start: int, size: int) -> bytes:
        """Return bytes of the sealed value."""
        stop = min(start + size, self._blocks.size)
        positions = range(start // BLOCK_SIZE, block_count(stop))
        return b"".join(
            self._read_block(at)[max(0, start - at * BLOCK_SIZE) : stop - at * BLOCK_SIZE] for at in positions
        )

    def _read_block(self, position: int) -> Data:
        if position != self._position:
            block = self._fetch(self._blocks.find(position))
            if not block:
                raise PartMissing
            if len(block) != block_length(self._blocks.size, position):
                raise Spoiled("a block has another length")
            self._position, self._block = position, block
        return self._block


def find_sources(opened: Opened, wanted: Container[bytes]) -> Iterator[Source]:
    """Yield where the hub has those blocks of a large value that are ``wanted``, by their hashes, each once."""
    sealed, plain = opened
    hub, layout = HubBlocks(sealed), lay_out(plain.entry.size)
    position = 0
    done: set[bytes] = set()
    for hash_, times in _iterate_runs(plain):
        if hash_ in wanted and hash_ not in done:
            done.add(hash_)
            place, padded, size = layout.place_block(position)
            yield Source(hash_, size, hub.find(place // BLOCK_SIZE), padded)
        position += times


def open_source(keys: Keys, source: Source, sealed: Data) -> bytes:
    """Return a block that was fetched from the hub.

    Raises:
        PartMissing: the hub has none; Spoiled: it is another one, or damaged.
    """
    if not sealed:
        raise PartMissing
    return open_block(refer(keys, source.hash), sealed[: source.padded], source.size)
