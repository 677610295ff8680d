"""The lists of the blocks of a large value, with runs of equal ones kept together: a hole of a TiB is one list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..block import BLOCK_SIZE
from ..tuples import NamedTuple
from .block_cipher import Reference, refer, split_reference
from .errors import Spoiled
from .keys import Keys
from .layout import LISTED, REFERENCE_BYTES

_TIMES_BYTES = 4

RUN_BYTES = _TIMES_BYTES + REFERENCE_BYTES
"""Bytes that the head has for a list, or a run of equal ones."""


class ListRun(NamedTuple):
    """A list that stands in a value ``times`` one after another."""

    reference: Reference
    times: int


def make_lists(keys: Keys, runs: Iterable[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    """Yield the lists of a value whose blocks have these hashes, each so many times, and how often each list comes.

    All but the last one are full. Only one is in memory at a time.
    """
    last: bytes | None = None
    count = 0
    for list_, times in _fill_lists(keys, runs):
        if list_ == last:
            count += times
            continue
        if last is not None:
            yield last, count
        last, count = list_, times
    if last is not None:
        yield last, count


def _fill_lists(keys: Keys, runs: Iterable[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    filled = bytearray()
    for hash_, times in runs:
        reference = b"".join(refer(keys, hash_))
        left = times
        while left:
            if not filled and left >= LISTED:
                yield reference * LISTED, left // LISTED
                left %= LISTED
                continue
            taken = min(left, LISTED - len(filled) // REFERENCE_BYTES)
            filled += reference * taken
            left -= taken
            if len(filled) == BLOCK_SIZE:
                yield bytes(filled), 1
                filled.clear()
    if filled:
        yield bytes(filled), 1


def split_list(list_: bytes) -> list[tuple[Reference, int]]:
    """Return the references of a list, and how often each comes one after another."""
    first = list_[:REFERENCE_BYTES]
    if list_ == first * (len(list_) // REFERENCE_BYTES):  # of a hole
        return [(split_reference(first), len(list_) // REFERENCE_BYTES)]
    starts = range(0, len(list_), REFERENCE_BYTES)
    return [(split_reference(list_[start : start + REFERENCE_BYTES]), 1) for start in starts]


def pack_runs(runs: Iterable[ListRun]) -> bytes:
    """Return the lists of a value as they stand in its head."""
    return b"".join(run.times.to_bytes(_TIMES_BYTES) + b"".join(run.reference) for run in runs)


def unpack_runs(content: bytes, lists: int) -> list[ListRun]:
    """Return the runs at the beginning of the content of a head that make up so many lists.

    Raises:
        Spoiled: there are none.
    """
    runs: list[ListRun] = []
    at = 0
    while lists > 0:
        times = int.from_bytes(content[at : at + _TIMES_BYTES])
        reference = content[at + _TIMES_BYTES : at + RUN_BYTES]
        if len(reference) < REFERENCE_BYTES or not 0 < times <= lists:
            raise Spoiled("the lists of its blocks do not fit its size")
        runs.append(ListRun(split_reference(reference), times))
        lists -= times
        at += RUN_BYTES
    return runs
