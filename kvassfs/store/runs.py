"""Lists of blocks as runs of equal ones, so that a hole of any length is one item: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple


class Run(NamedTuple):
    """``count`` times the block with the id ``block``, from ``position`` on."""

    position: int
    block: int
    count: int = 1

    @property
    def stop(self) -> int:
        """The position behind the run."""
        return self.position + self.count


class SegmentRun(NamedTuple):
    """``count`` times a segment, from the segment's ``position`` on; positions in ``blocks`` count from its start."""

    position: int
    count: int
    blocks: list[Run]


def join_runs(runs: Iterable[Run]) -> Iterator[Run]:
    """Yield ``runs``, which are in order, with those that continue another one joined to it."""
    last: Run | None = None
    for run in runs:
        if last is not None and (last.block, last.stop) == (run.block, run.position):
            last = last._replace(count=last.count + run.count)
            continue
        if last is not None:
            yield last
        last = run
    if last is not None:
        yield last


def split_runs(runs: Iterable[Run], length: int) -> Iterator[SegmentRun]:
    """Yield what ``runs``, which are in order, have in each segment of ``length`` blocks.

    Whole segments of one block come as one item, however many they are.
    """
    part = SegmentRun(0, 1, [])
    for position, block, count in runs:
        stop = position + count
        while position < stop:
            segment, start = divmod(position, length)
            if part.blocks and segment != part.position:
                yield part
                part = SegmentRun(segment, 1, [])
            whole = (stop - position) // length
            if start == 0 and whole:
                yield SegmentRun(segment, whole, [Run(0, block, length)])
                position += whole * length
                continue
            taken = min(stop - position, length - start)
            part = part._replace(position=segment)
            part.blocks.append(Run(start, block, taken))
            position += taken
    if part.blocks:
        yield part


def overlay_runs(old: Iterable[Run], kept: int, changes: Iterable[Run]) -> list[Run]:
    """Return the first ``kept`` blocks of a segment with ``changes``, which are in order, on top."""
    blocks = [block for _, block, count in old for _ in range(count)][:kept]
    for position, block, count in changes:
        blocks[position : position + count] = [block] * count
    return list(join_runs(Run(position, block) for position, block in enumerate(blocks)))


def find_changes(old: Sequence[Run], new: Iterable[Run]) -> Iterator[Run]:
    """Yield the runs, or parts of them, of ``new`` that differ from ``old``; both begin at 0 and have no gaps."""
    index = 0
    for position, block, count in new:
        stop = position + count
        while position < stop:
            while index < len(old) and old[index].stop <= position:
                index += 1
            end = stop if index == len(old) else min(stop, old[index].stop)
            if index == len(old) or old[index].block != block:
                yield Run(position, block, end - position)
            position = end
