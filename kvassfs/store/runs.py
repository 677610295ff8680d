"""Lists of blocks as runs of equal ones, so that a hole of any length is one item: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..tuples import NamedTuple


class Run(NamedTuple):
    """The block with the id ``block`` ``times`` one after another, from ``position`` on."""

    position: int
    block: int
    times: int = 1

    @property
    def stop(self) -> int:
        """The position behind the run."""
        return self.position + self.times


class SegmentRun(NamedTuple):
    """A segment ``times`` one after another, from the segment's ``position`` on; ``runs`` count from its start."""

    position: int
    times: int
    runs: list[Run]


def join_runs(runs: Iterable[Run]) -> Iterator[Run]:
    """Yield ``runs``, which are in order, with those that continue another one joined to it."""
    last: Run | None = None
    for run in runs:
        if last is not None and (last.block, last.stop) == (run.block, run.position):
            last = last._replace(times=last.times + run.times)
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
    for run in runs:
        for position, times, piece in _split_run(run, length):
            if part.runs and (position != part.position or times > 1):
                yield part
                part = SegmentRun(position, 1, [])
            if piece.times == length:
                yield SegmentRun(position, times, [piece])
            else:
                part = part._replace(position=position)
                part.runs.append(piece)
    if part.runs:
        yield part


def _split_run(run: Run, length: int) -> Iterator[tuple[int, int, Run]]:
    """Yield the parts of a run: the position of a segment, how many are alike from there on, and what is in them."""
    at = run.position
    while at < run.stop:
        segment, start = divmod(at, length)
        whole = 0 if start else (run.stop - at) // length
        taken = length if whole else min(run.stop - at, length - start)
        yield segment, max(whole, 1), Run(start, run.block, taken)
        at += taken * max(whole, 1)


def overlay_runs(old: Iterable[Run], kept: int, changes: Iterable[Run]) -> list[Run]:
    """Return the first ``kept`` blocks of a segment with ``changes``, which are in order, on top."""
    blocks = [block for _, block, times in old for _ in range(times)][:kept]
    for position, block, times in changes:
        blocks[position : position + times] = [block] * times
    return list(join_runs(Run(position, block) for position, block in enumerate(blocks)))


def find_changes(old: Sequence[Run], new: Iterable[Run]) -> Iterator[Run]:
    """Yield the runs, or parts of them, of ``new`` that differ from ``old``; both begin at 0 and have no gaps."""
    index = 0
    for run in new:
        at = run.position
        while at < run.stop:
            while index < len(old) and old[index].stop <= at:
                index += 1
            end = run.stop if index == len(old) else min(run.stop, old[index].stop)
            if index == len(old) or old[index].block != run.block:
                yield Run(at, run.block, end - at)
            at = end


def place_run(place: Sequence[int], length: int) -> range:
    """Return the positions that a run has in a value whose segments have ``length`` blocks.

    ``place`` is the position and number of the segment, and those of the run in it. Of a segment that comes more than
    once, the one run has all of it.
    """
    first, segments, start, blocks = place
    begin = first * length + start
    return range(begin, begin + (blocks if segments == 1 else segments * length))


class StoredBlock(NamedTuple):
    """A block that is in the store already, and its length in bytes."""

    block: int
    length: int


class CachedBlock(NamedTuple):
    """A block that was read, and the positions that have it."""

    start: int
    stop: int
    data: bytes
