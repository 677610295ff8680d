"""Lists of blocks, and runs of equal ones."""

from __future__ import annotations

import pytest

from kvassfs.veil.block_cipher import hash_block, refer
from kvassfs.veil.errors import Spoiled
from kvassfs.veil.layout import LISTED, REFERENCE_BYTES
from kvassfs.veil.lists import ListRun, make_lists, pack_runs, split_list, unpack_runs
from tests.support.sealed import KEYS

A, B, C = (hash_block(name) for name in (b"a", b"b", b"c"))


def lengths(runs: list[tuple[bytes, int]]) -> list[tuple[int, int]]:
    """Return how many references each list has, and how often it comes."""
    return [(len(list_) // REFERENCE_BYTES, times) for list_, times in make_lists(KEYS, runs)]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([], []),
        ([(A, 1)], [(1, 1)]),
        ([(A, 1), (B, 2)], [(3, 1)]),
        ([(A, LISTED)], [(LISTED, 1)]),
        ([(A, LISTED + 1)], [(LISTED, 1), (1, 1)]),
        ([(A, 1024 * LISTED)], [(LISTED, 1024)]),
        ([(B, 1), (A, 3 * LISTED)], [(LISTED, 1), (LISTED, 2), (1, 1)]),
        ([(A, LISTED), (A, 2 * LISTED)], [(LISTED, 3)]),
        ([(A, 2 * LISTED), (B, 1)], [(LISTED, 2), (1, 1)]),
        ([(A, 1), (B, LISTED - 1)] * 3, [(LISTED, 3)]),
    ],
)
def test_lists_are_full_but_for_the_last_and_equal_ones_are_one(
    runs: list[tuple[bytes, int]], expected: list[tuple[int, int]]
) -> None:
    assert lengths(runs) == expected


def test_a_list_has_hash_and_key_of_each_block_in_order() -> None:
    ((list_, _),) = make_lists(KEYS, [(A, 1), (B, 2)])
    assert split_list(list_) == [(refer(KEYS, hash_), 1) for hash_ in (A, B, B)]


def test_a_list_of_equal_blocks_is_one_run() -> None:
    ((list_, _),) = make_lists(KEYS, [(A, 1000)])
    assert split_list(list_) == [(refer(KEYS, A), 1000)]


def test_the_longest_hole_takes_a_moment_and_no_memory() -> None:
    assert lengths([(A, 2**35)]) == [(LISTED, 2**23)]


RUNS = [ListRun(refer(KEYS, A), 1), ListRun(refer(KEYS, B), 1024), ListRun(refer(KEYS, C), 1)]


def test_runs_come_back_and_what_follows_is_not_read() -> None:
    assert unpack_runs(pack_runs(RUNS) + bytes(100), 1026) == RUNS


@pytest.mark.parametrize("lists", [2, 1024, 1027])
def test_runs_that_do_not_make_up_the_lists_are_refused(lists: int) -> None:
    with pytest.raises(Spoiled, match="do not fit its size"):
        unpack_runs(pack_runs(RUNS), lists)


def test_a_run_of_none_is_refused() -> None:
    with pytest.raises(Spoiled, match="do not fit its size"):
        unpack_runs(pack_runs([ListRun(refer(KEYS, A), 0)]), 1)
