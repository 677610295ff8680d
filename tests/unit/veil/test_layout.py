"""How long the parts of a sealed value are."""

from __future__ import annotations

import pytest

from kvassfs.block import BLOCK_SIZE, LARGEST_SIZE
from kvassfs.veil.layout import (
    INLINE_LIMIT,
    LARGEST_SEALED_SIZE,
    LISTED,
    LONGEST_HEAD,
    REFERENCE_BYTES,
    Layout,
    lay_out,
    pad_body,
    pad_length,
)

MIB = 1024 * 1024
GIB = 1024 * MIB


def test_a_full_list_is_as_long_as_a_block() -> None:
    assert LISTED * REFERENCE_BYTES == BLOCK_SIZE


@pytest.mark.parametrize(
    ("length", "padded"),
    [
        (0, 0),
        (1, 1),
        (2, 2),
        (3, 3),
        (8, 8),
        (9, 10),
        (15, 16),
        (100, 104),
        (1000, 1024),
        (10**6, 1_015_808),
        (MIB, MIB),
    ],
)
def test_lengths_are_padded_as_padme_says(length: int, padded: int) -> None:
    assert pad_length(length) == padded


def test_padding_costs_at_most_12_percent() -> None:
    assert max(pad_length(length) / length for length in range(1, 100_000)) <= 1.12


def test_few_lengths_are_left() -> None:
    assert len({pad_length(length) for length in range(65_537, 131_073)}) == 32


@pytest.mark.parametrize(("length", "padded"), [(0, 256), (1, 256), (256, 256), (257, 272), (65_600, 67_584)])
def test_short_bodies_all_look_alike(length: int, padded: int) -> None:
    assert pad_body(length) == padded


@pytest.mark.parametrize(
    ("size", "layout"),
    [
        (0, Layout(0, 0, 0, 0, 0, 0)),
        (INLINE_LIMIT, Layout(INLINE_LIMIT, 0, 0, 0, 0, 0)),
        (INLINE_LIMIT + 1, Layout(INLINE_LIMIT + 1, 0, INLINE_LIMIT + 1, 67_584, 0, 1)),
        (BLOCK_SIZE, Layout(BLOCK_SIZE, 1, 0, 0, 0, 1)),
        (BLOCK_SIZE + 1, Layout(BLOCK_SIZE + 1, 1, 1, 8192, 0, 2)),
        (GIB, Layout(GIB, 4096, 0, 0, 1, 0)),
        (GIB - 1, Layout(GIB - 1, 4095, BLOCK_SIZE - 1, BLOCK_SIZE, 1, 0)),
        (GIB + 4096, Layout(GIB + 4096, 4096, 4096, BLOCK_SIZE, 1, 1)),
        (1024 * GIB, Layout(1024 * GIB, 4_194_304, 0, 0, 1024, 0)),
    ],
)
def test_the_parts_of_a_value(size: int, layout: Layout) -> None:
    assert lay_out(size) == layout


@pytest.mark.parametrize("size", [65_537, 100_000, 300_000, 5 * BLOCK_SIZE - 1, 8 * MIB + 1, 16 * MIB - 1, 16 * MIB])
def test_up_to_16_mib_all_blocks_have_the_padded_length_together(size: int) -> None:
    layout = lay_out(size)
    assert layout.blocks * BLOCK_SIZE + layout.padded == pad_length(size)


@pytest.mark.parametrize("size", [16 * MIB + 1, 100 * MIB + 5, GIB + 1])
def test_beyond_the_last_block_is_full(size: int) -> None:
    assert lay_out(size).padded == BLOCK_SIZE


def test_the_parts_follow_each_other() -> None:
    layout = lay_out(GIB + 5000)
    assert layout.first_list == 4096 * BLOCK_SIZE
    assert layout.place_list(0) == (4096 * BLOCK_SIZE, BLOCK_SIZE)
    assert layout.rest == 4097 * BLOCK_SIZE
    assert layout.place_block(4095) == (4095 * BLOCK_SIZE, BLOCK_SIZE, BLOCK_SIZE)
    assert layout.place_block(4096) == (layout.rest, BLOCK_SIZE, 5000)
    assert layout.place_list(1) == (layout.rest + BLOCK_SIZE, 64)
    assert layout.head == layout.rest + BLOCK_SIZE + 64
    assert layout.all_lists == 2


def test_the_largest_value_fits_into_the_largest_of_a_hub() -> None:
    assert lay_out(LARGEST_SEALED_SIZE).head + LONGEST_HEAD < LARGEST_SIZE
