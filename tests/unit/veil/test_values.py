"""Whole values as the hub has them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from itertools import repeat

import pytest

from kvassfs.block import BLOCK_SIZE
from kvassfs.veil.block_cipher import hash_block, seal_block
from kvassfs.veil.errors import Spoiled, VeilError
from kvassfs.veil.head import Head, open_by_link_key, open_head
from kvassfs.veil.keys import hide_version
from kvassfs.veil.layout import INLINE_LIMIT, LARGEST_SEALED_SIZE, LISTED, LONGEST_HEAD, lay_out
from kvassfs.veil.links import derive_link_key
from kvassfs.veil.values import (
    Read,
    check_length,
    cut_head,
    read_head,
    read_references,
    read_value,
    seal_stream,
    seal_tail,
    split_blocks,
)
from tests.support.sealed import KEYS, make_entry, make_links, open_value, random_bytes, read_from, seal

SIZES = [
    0,
    1,
    INLINE_LIMIT,
    INLINE_LIMIT + 1,
    BLOCK_SIZE - 1,
    BLOCK_SIZE,
    BLOCK_SIZE + 1,
    3 * BLOCK_SIZE,
    3 * BLOCK_SIZE + 70_000,
]

GIB = LISTED * BLOCK_SIZE


@pytest.mark.parametrize("size", SIZES)
def test_a_value_of_any_length_comes_back(size: int) -> None:
    value, entry = random_bytes(size), make_entry(size=size)
    head, found = open_value(hide_version(KEYS, entry), seal(entry, value))
    assert (head.entry, found) == (entry, value)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_is_as_long_as_its_layout_says_and_the_same_each_time(size: int) -> None:
    value, entry = random_bytes(size), make_entry(size=size)
    sealed = seal(entry, value)
    length = int.from_bytes(sealed[-4:])
    assert len(sealed) == lay_out(size).head + length + 4
    assert sealed == seal(entry, value)


@pytest.mark.parametrize("piece", [1000, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 10 * BLOCK_SIZE])
def test_it_does_not_matter_in_which_pieces_a_value_comes(piece: int) -> None:
    value, entry = random_bytes(3 * BLOCK_SIZE + 5), make_entry(size=3 * BLOCK_SIZE + 5)
    pieces = (value[start : start + piece] for start in range(0, len(value), piece))
    outside = hide_version(KEYS, entry)
    assert b"".join(seal_stream(KEYS, outside, entry, pieces)) == seal(entry, value)


def test_blocks_that_come_as_pieces_are_not_copied() -> None:
    pieces = [bytes(BLOCK_SIZE), b"end"]
    views = list(split_blocks(pieces))
    assert isinstance(views[0], memoryview)
    assert views[0].obj is pieces[0]
    assert [bytes(view) for view in views] == pieces


@pytest.mark.parametrize("size", [5, INLINE_LIMIT + 5, 2 * BLOCK_SIZE])
def test_a_value_of_another_length_than_its_version_says_is_refused(size: int) -> None:
    for others in (size - 1, size + 1):
        entry = make_entry(size=size)
        with pytest.raises(ValueError, match="its version says"):
            seal(entry, bytes(others))


def test_a_value_larger_than_any_that_can_be_sealed_is_refused() -> None:
    entry = make_entry(size=LARGEST_SEALED_SIZE + 1)
    with pytest.raises(ValueError, match="too large"):
        list(seal_tail(KEYS, hide_version(KEYS, entry), entry, [], b"x"))


# Blocks at the hub


def blocks_of(sealed: bytes) -> list[bytes]:
    return [hash_block(sealed[start : start + BLOCK_SIZE]) for start in range(0, len(sealed), BLOCK_SIZE)]


def test_equal_blocks_meet_and_only_these() -> None:
    common = random_bytes(2 * BLOCK_SIZE)
    one, other = (common + random_bytes(1000, seed) for seed in (1, 2))
    found = [blocks_of(seal(make_entry(key, len(value)), value)) for key, value in (("a", one), ("b", other))]
    assert found[0][:2] == found[1][:2]
    assert not set(found[0][2:]) & set(found[1][2:])


def test_equal_large_values_share_all_blocks_but_the_rest() -> None:
    value = random_bytes(3 * BLOCK_SIZE)
    found = [blocks_of(seal(make_entry(size=len(value), counter=counter), value)) for counter in (1, 2)]
    assert found[0][:3] == found[1][:3]
    assert found[0][3] != found[1][3]


def test_4_kib_appended_to_a_gib_cross_in_less_than_a_mib() -> None:
    """The list of the first GiB is full, and the same before and after."""
    hashes = [hash_block(number.to_bytes(4)) for number in range(LISTED)]
    before, after = make_entry(size=GIB, counter=1), make_entry(size=GIB + 4096, counter=2)
    extra = random_bytes(4096)
    sent = [
        list(seal_tail(KEYS, hide_version(KEYS, entry), entry, runs, last))
        for entry, runs, last in (
            (before, [(hash_, 1) for hash_ in hashes], b""),
            (after, [(hash_, 1) for hash_ in (*hashes, hash_block(extra))], extra),
        )
    ]
    assert sent[0][0] == sent[1][0]
    assert len(sent[1][0][0]) == BLOCK_SIZE
    assert sum(len(piece) for piece, _ in sent[1][1:]) < 300_000


def test_a_hole_of_a_tib_is_a_few_pieces() -> None:
    entry = make_entry(size=1024 * GIB)
    zeros = hash_block(bytes(BLOCK_SIZE))
    tracemalloc.start()
    sealed = list(seal_tail(KEYS, hide_version(KEYS, entry), entry, [(zeros, 1024 * LISTED)], b""))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(len(piece), times) for piece, times in sealed] == [(BLOCK_SIZE, 1024), (334, 1)]
    assert peak < 2_000_000
    read = hole_reader(entry.size, sealed)
    head = open_sparse(read, sealed, entry.size)
    assert [(reference.hash, times) for reference, times in read_references(head, read)] == [(zeros, 1024 * LISTED)]
    assert next(read_value(head, read, 1023 * GIB + 5)) == bytes(BLOCK_SIZE - 5)


def hole_reader(size: int, sealed: list[tuple[bytes, int]]) -> Read:
    """Return what reads a sealed value of zeros, of which only what is different is kept."""
    layout = lay_out(size)
    zeros = seal_block(KEYS, bytes(BLOCK_SIZE))

    def read(start: int, length: int) -> bytes:
        if start < layout.first_list:
            return zeros[:length]
        if start < layout.rest:
            return sealed[0][0][:length]
        return sealed[-1][0][start - layout.rest : start - layout.rest + length]

    return read


def open_sparse(read: Read, sealed: list[tuple[bytes, int]], size: int) -> Head:
    whole = lay_out(size).rest + len(sealed[-1][0])
    head = open_head(KEYS, hide_version(KEYS, make_entry(size=size)), read_head(read, whole))
    check_length(head, whole)
    return head


# Reading


VALUE = random_bytes(3 * BLOCK_SIZE + 70_000)
ENTRY = make_entry(size=len(VALUE))
OUTSIDE = hide_version(KEYS, ENTRY)
LINKS = make_links(2)
SEALED = seal(ENTRY, VALUE, LINKS)


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        (0, 0),
        (0, 1),
        (5, 10),
        (BLOCK_SIZE - 1, BLOCK_SIZE + 1),
        (BLOCK_SIZE, 2 * BLOCK_SIZE),
        (700_000, None),
        (9**9, None),
        (0, 9**9),
    ],
)
def test_any_range_is_read_of_the_blocks_that_it_needs(start: int, stop: int | None) -> None:
    places: list[int] = []

    def read(place: int, size: int) -> bytes:
        places.append(place)
        return SEALED[place : place + size]

    head = open_head(KEYS, OUTSIDE, read_head(read_from(SEALED), len(SEALED)))
    found = b"".join(read_value(head, read, start, stop))
    assert found == VALUE[start:stop]
    assert len(places) <= 2 + len(found) // BLOCK_SIZE + (len(found) > 0)


def test_a_short_value_is_read_in_ranges_too() -> None:
    entry = make_entry(size=10)
    head, _ = open_value(hide_version(KEYS, entry), seal(entry, b"0123456789"))
    assert b"".join(read_value(head, read_from(b""), 3, 5)) == b"34"


def test_a_range_of_a_value_with_many_lists_reads_one_of_them() -> None:
    blocks = {hash_block(data): data for data in (bytes(BLOCK_SIZE), random_bytes(BLOCK_SIZE))}
    zeros, other = blocks
    runs = [(zeros, 1), (other, 1)] * LISTED + [(zeros, 3 * LISTED), (other, 1)]
    entry = make_entry(size=sum(times for _, times in runs) * BLOCK_SIZE)
    layout = lay_out(entry.size)
    tail = list(seal_tail(KEYS, hide_version(KEYS, entry), entry, runs, b""))
    lists = [piece for piece, times in tail[:-1] for _ in range(times)]
    reads: list[int] = []

    def read(start: int, size: int) -> bytes:
        reads.append(start)
        if start >= layout.rest:
            return tail[-1][0][start - layout.rest :][:size]
        if start >= layout.first_list:
            return lists[(start - layout.first_list) // BLOCK_SIZE][:size]
        number = start // BLOCK_SIZE
        is_zero = number < 5 * LISTED and (number >= 2 * LISTED or number % 2 == 0)
        return seal_block(KEYS, blocks[zeros if is_zero else other])

    head = open_head(KEYS, hide_version(KEYS, entry), cut_head(tail[-1][0]))
    assert [run.times for run in head.lists] == [2, 3, 1]
    assert sum(times for _, times in read_references(head, read)) == 5 * LISTED + 1
    for position, expected in (
        (1, other),
        (LISTED, zeros),
        (LISTED + 1, other),
        (4 * LISTED, zeros),
        (5 * LISTED, other),
    ):
        reads.clear()
        (found,) = read_value(head, read, position * BLOCK_SIZE, position * BLOCK_SIZE + 9)
        assert found == blocks[expected][:9]
        assert len(reads) == 2


def test_who_has_a_link_reads_all_and_checks_all() -> None:
    read = read_from(SEALED)
    head = open_by_link_key(derive_link_key(KEYS, LINKS[1].token), read_head(read, len(SEALED)))
    check_length(head, len(SEALED))
    assert b"".join(read_value(head, read)) == VALUE
    damaged = bytearray(SEALED)
    damaged[2 * BLOCK_SIZE + 7] ^= 1
    with pytest.raises(Spoiled):
        list(read_value(head, read_from(bytes(damaged))))


# What is damaged


def places() -> Iterator[int]:
    """Yield places of the rest that lie close, and some of each block."""
    layout = lay_out(len(VALUE))
    yield from range(0, layout.rest, 10_007)
    yield from range(layout.rest, layout.last_list, 1009)
    yield from range(layout.rest + layout.last, layout.last_list, 61)  # the padding
    yield from range(layout.last_list, len(SEALED))


def test_whatever_byte_is_changed_it_is_refused() -> None:
    data = bytearray(SEALED)
    for place in places():
        data[place] ^= 0x10
        with pytest.raises(VeilError):
            open_value(OUTSIDE, bytes(data))
        data[place] ^= 0x10
    assert open_value(OUTSIDE, bytes(data))[1] == VALUE


def exchange(data: bytes, one: int, other: int) -> bytes:
    blocks = [data[start : start + BLOCK_SIZE] for start in range(0, len(data), BLOCK_SIZE)]
    blocks[one], blocks[other] = blocks[other], blocks[one]
    return b"".join(blocks)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "blocks exchanged": lambda data: exchange(data, 0, 1),
    "a block twice": lambda data: data[:BLOCK_SIZE] + data[:BLOCK_SIZE] + data[2 * BLOCK_SIZE :],
    "a block cut out": lambda data: data[BLOCK_SIZE:],
    "a block more": lambda data: bytes(BLOCK_SIZE) + data,
    "the beginning cut off": lambda data: data[1:],
    "the end cut off": lambda data: data[:-1],
    "something behind it": lambda data: data + b"\0",
    "nothing": lambda _: b"",
    "three bytes": lambda _: b"\0\0\1",
    "the length alone": lambda data: data[-4:],
    "the head alone": lambda data: data[-4 - int.from_bytes(data[-4:]) :],
    "zeros": lambda data: bytes(len(data)),
    "a head longer than all": lambda data: data[:-4] + (len(data)).to_bytes(4),
    "a head longer than any": lambda data: bytes(LONGEST_HEAD) + data[:-4] + (LONGEST_HEAD + 1).to_bytes(4),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_cut_or_put_together_is_refused(change: str) -> None:
    with pytest.raises(VeilError):
        open_value(OUTSIDE, CHANGES[change](SEALED))


def test_a_hub_that_ends_in_the_middle_of_a_head_is_refused() -> None:
    with pytest.raises(Spoiled, match="too short"):
        read_head(lambda start, size: SEALED[start : start + size][: 5 if size > 4 else 4], len(SEALED))


def test_the_blocks_of_one_version_with_the_rest_of_another_are_refused() -> None:
    other = random_bytes(len(VALUE), 5)
    mixed = seal(ENTRY._replace(counter=9), other)[: 3 * BLOCK_SIZE] + SEALED[3 * BLOCK_SIZE :]
    with pytest.raises(Spoiled):
        open_value(OUTSIDE, mixed)


# Memory


def test_sealing_and_reading_take_the_memory_of_a_few_blocks() -> None:
    count = 100
    entry = make_entry(size=count * BLOCK_SIZE)
    block = random_bytes(BLOCK_SIZE)
    ends: list[bytes] = []
    tracemalloc.start()
    for piece in seal_stream(KEYS, hide_version(KEYS, entry), entry, repeat(block, count)):
        ends = [*ends[-1:], piece]
    _, peak = tracemalloc.get_traced_memory()
    assert peak < 8 * BLOCK_SIZE
    rest, sealed = ends[-1], seal_block(KEYS, block)

    def read(start: int, size: int) -> bytes:
        return sealed if start < count * BLOCK_SIZE else rest[start - count * BLOCK_SIZE :][:size]

    head = open_head(KEYS, hide_version(KEYS, entry), read_head(read, count * BLOCK_SIZE + len(rest)))
    tracemalloc.reset_peak()
    assert sum(map(len, read_value(head, read))) == entry.size
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * BLOCK_SIZE
