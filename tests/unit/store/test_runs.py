"""Runs of equal blocks, compared with lists of all the blocks."""

from __future__ import annotations

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from kvassfs.store.runs import Run, find_changes, join_runs, overlay_runs, place_run, split_runs

SEGMENT = 4
BLOCKS = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 11)), max_size=6)
"""Blocks, and how often each comes."""


def runs_of(blocks: list[tuple[int, int]]) -> list[Run]:
    starts = accumulate((times for _, times in blocks), initial=0)
    return [Run(start, block, times) for start, (block, times) in zip(starts, blocks, strict=False)]


def expand(runs: list[Run]) -> dict[int, int]:
    """Return the blocks by their positions, of which none may come twice."""
    pairs = [(position, run.block) for run in runs for position in range(run.position, run.stop)]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@given(BLOCKS)
def test_joined_runs_are_the_same_blocks_and_no_two_go_together(blocks: list[tuple[int, int]]) -> None:
    runs = runs_of(blocks)
    joined = list(join_runs(runs))
    assert expand(joined) == expand(runs)
    assert all(one.block != other.block for one, other in pairwise(joined))


def test_runs_with_a_gap_between_them_stay_two() -> None:
    runs = [Run(0, 1, 2), Run(3, 1)]
    assert list(join_runs(runs)) == runs


@given(BLOCKS, st.integers(0, 9))
def test_segments_have_the_same_blocks_and_come_in_order(blocks: list[tuple[int, int]], start: int) -> None:
    runs = [run._replace(position=start + run.position) for run in join_runs(runs_of(blocks))]
    segments = list(split_runs(runs, SEGMENT))
    found = [
        Run(place.start, run.block, len(place))
        for position, times, parts in segments
        for run in parts
        for place in [place_run((position, times, run.position, run.times), SEGMENT)]
    ]
    assert expand(found) == expand(runs)
    ends = [0, *(position + times for position, times, _ in segments)]
    assert all(end <= segment.position for end, segment in zip(ends, segments, strict=False))
    assert all(times == 1 or [run.times for run in parts] == [SEGMENT] for _, times, parts in segments)


def test_a_hole_of_any_length_is_one_segment() -> None:
    assert [(position, times) for position, times, _ in split_runs([Run(2, 1, 2**45)], SEGMENT)] == [
        (0, 1),
        (1, 2**43 - 1),
        (2**43, 1),
    ]


@given(BLOCKS, st.integers(0, 20), BLOCKS)
def test_what_is_laid_over_a_segment_wins(old: list[tuple[int, int]], kept: int, new: list[tuple[int, int]]) -> None:
    base = list(expand(runs_of(old)).values())[:kept]
    changes = [run._replace(position=run.position + len(base) // 2) for run in runs_of(new)]
    expected = {**dict(enumerate(base)), **expand(changes)}
    assert expand(overlay_runs(runs_of(old), kept, changes)) == expected


@given(BLOCKS, BLOCKS)
def test_changes_are_what_differs(old: list[tuple[int, int]], new: list[tuple[int, int]]) -> None:
    before, after = expand(runs_of(old)), expand(runs_of(new))
    changes = expand(list(find_changes(list(join_runs(runs_of(old))), runs_of(new))))
    assert changes == {position: block for position, block in after.items() if before.get(position) != block}
