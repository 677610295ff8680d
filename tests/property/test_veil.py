"""Whatever a version is like, it comes back from behind the veil, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvassfs.block import BLOCK_SIZE, block_count, pair_runs
from kvassfs.conflict import Origin, format_seen
from kvassfs.entry import DEFAULT_MODE, MAX_RECEIVED, Delivery, Entry
from kvassfs.replica import MAX_PROCESS_ID
from kvassfs.veil.block_cipher import hash_block
from kvassfs.veil.deliveries import open_delivery, seal_delivery
from kvassfs.veil.errors import VeilError
from kvassfs.veil.keys import Outside, hide_key, hide_version
from kvassfs.veil.layout import LISTED, lay_out, pad_length
from kvassfs.veil.lists import make_lists, split_list
from kvassfs.veil.values import split_blocks
from tests.support.sealed import KEYS, Blocks, SealedHub, make_entry, make_links, open_value, seal

NUMBERS = st.integers(0, MAX_RECEIVED)
WRITERS = st.integers(1, MAX_PROCESS_ID)
VERSIONS = st.builds(Origin, WRITERS, NUMBERS)
TEXTS = st.text(st.characters(exclude_characters="\0\x01", exclude_categories=["Cs"]), min_size=1)


@st.composite
def entries(draw: st.DrawFn, size: int = 0) -> Entry:
    """A version of any key, with a value of ``size`` bytes."""
    return Entry(
        draw(TEXTS),
        draw(NUMBERS),
        draw(NUMBERS),
        draw(WRITERS),
        draw(st.text(st.characters(exclude_categories=["Cs"]))),
        size,
        draw(st.none() | st.sampled_from([DEFAULT_MODE, 0o100755])),
        draw(st.none() | st.integers(-(2**63), 2**63 - 1)),
        draw(st.none() | st.lists(VERSIONS, max_size=8).map(format_seen)),
        draw(st.none() | VERSIONS.map(str)),
    )


@given(entries(), st.binary(max_size=400), st.integers(0, 16))
def test_every_version_comes_back(entry: Entry, value: bytes, links: int) -> None:
    entry = entry._replace(size=len(value))
    sealed = seal_delivery(KEYS, Delivery(entry, 7, value), make_links(links, entry.key))
    assert sealed is not None
    assert open_delivery(KEYS, sealed, lambda _: b"") == Delivery(entry, 0, value)


@given(entries(), st.integers(0, 2**32), st.integers(1, 255))
def test_no_version_comes_back_from_a_value_with_another_byte(entry: Entry, place: int, change: int) -> None:
    outside, sealed = hide_version(KEYS, entry), bytearray(seal(entry, b""))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(VeilError):
        open_value(outside, bytes(sealed))


@given(entries(), st.integers(0, 3), entries())
def test_no_version_comes_back_in_the_place_of_another(entry: Entry, field: int, other: Entry) -> None:
    outside, there = hide_version(KEYS, entry), hide_version(KEYS, other)
    name = Outside._fields[field]
    mixed = outside._replace(**{name: getattr(there, name)})
    if mixed == outside:
        return
    with pytest.raises(VeilError):
        open_value(mixed, seal(entry, b""))


@given(st.lists(TEXTS, unique=True))
def test_no_two_keys_have_one_name(keys: list[str]) -> None:
    assert len({hide_key(KEYS, key) for key in keys}) == len(keys)


@given(st.integers(65_537, 2**26), st.integers(0, 5))
def test_sizes_are_told_by_their_padded_length_alone(size: int, less: int) -> None:
    """Beyond 16 MiB, by the number of their blocks."""
    other = max(65_537, size - less)
    step = pad_length if size <= 2**24 else block_count
    if step(size) == step(other):
        assert lay_out(size).head == lay_out(other).head


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3 * LISTED)), max_size=5))
def test_lists_have_all_blocks_in_order(runs: list[tuple[int, int]]) -> None:
    hashes = [hash_block(bytes((number,))) for number in range(3)]
    found = [
        (reference.hash, count)
        for list_, times in make_lists(KEYS, [(hashes[number], count) for number, count in runs])
        for _ in range(times)
        for reference, count in split_list(list_)
    ]
    assert join(found) == join((hashes[number], count) for number, count in runs)


def join(runs: Iterable[tuple[bytes, int]]) -> list[tuple[bytes, int]]:
    """Return runs of which no two that follow each other are of the same."""
    groups = groupby(runs, key=lambda run: run[0])
    return [(hash_, sum(count for _, count in equal)) for hash_, equal in groups]


@given(st.lists(st.integers(0, 3 * BLOCK_SIZE), max_size=4))
def test_pieces_of_any_length_become_blocks(sizes: list[int]) -> None:
    pieces = [bytes((number,)) * size for number, size in enumerate(sizes)]
    blocks = list(map(bytes, split_blocks(pieces)))
    assert b"".join(blocks) == b"".join(pieces)
    assert all(len(block) == BLOCK_SIZE for block in blocks[:-1])
    assert not blocks or blocks[-1]


PARTS = st.tuples(st.integers(0, 2), st.integers(1, 5))


@given(st.lists(PARTS, min_size=1, max_size=3), st.integers(0, BLOCK_SIZE - 1), st.integers(0, 3))
def test_large_values_come_back_by_their_blocks(parts: list[tuple[int, int]], last: int, links: int) -> None:
    blocks, hub = Blocks(), SealedHub()
    value = b"".join(bytes((number,)) * (BLOCK_SIZE * times) for number, times in parts) + b"!" * last
    delivery = Delivery(make_entry(size=len(value)), 7, None, blocks.add(value))
    sealed, _ = hub.push(delivery, blocks, make_links(links))
    opened, found = hub.pull(sealed)
    assert (opened.entry, found) == (delivery.entry, value)
    whole = b"".join(hub.blocks[hash_] * times for hash_, times in pair_runs(sealed.blocks, sealed.counts))
    assert seal(delivery.entry, value, make_links(links)) == whole
