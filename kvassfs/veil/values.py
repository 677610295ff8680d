"""Sealed values: made from blocks one after another, and opened from anywhere in them, with the memory of a block and a list.

What is read of the hub comes from a function ``read(start, size)``, which returns so many bytes of the sealed value, or fewer
where there are no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, repeat

from ..block import BLOCK_SIZE, HASH_BYTES
from ..entry import Entry
from ..share_link import ShareLink
from .block_cipher import Data, Reference, apply_stream, hash_block, open_block, refer, seal_block, seal_last
from .errors import Spoiled
from .head import Head, seal_head
from .keys import Keys, Outside
from .layout import INLINE_LIMIT, LARGEST_SEALED_SIZE, LENGTH_BYTES, LISTED, LONGEST_HEAD, lay_out
from .lists import ListRun, make_lists, pack_runs, split_list

Read = Callable[[int, int], Data]
"""Returns bytes of a sealed value, from a start on."""

Runs = Iterable[tuple[bytes, int]]
"""The hashes of the blocks of a value, each with how often its block comes one after another."""


# Making: ``outside`` is what ``hide_version`` makes of ``entry``


def seal_short(keys: Keys, outside: Outside, entry: Entry, value: bytes, links: Iterable[ShareLink] = ()) -> bytes:
    """Return the sealed value of a version that has a short one, or none."""
    return _close(seal_head(keys, outside, entry, value, links))


def seal_value(keys: Keys, outside: Outside, entry: Entry, value: bytes, links: Iterable[ShareLink] = ()) -> bytes:
    """Return the sealed value of a version. ``links`` are the live ones of its key.

    Raises:
        ValueError: the value has another size than the version.
    """
    return b"".join(seal_stream(keys, outside, entry, (value,), links))


def seal_stream(
    keys: Keys, outside: Outside, entry: Entry, pieces: Iterable[bytes], links: Iterable[ShareLink] = ()
) -> Iterator[bytes]:
    """Yield the sealed value of a version piece by piece. It takes memory for a few blocks, and 32 bytes for each block.

    Raises:
        ValueError: the pieces are of another size than the version.
    """
    if entry.size <= INLINE_LIMIT:
        value = b"".join(pieces)
        _check_size(entry, len(value))
        yield seal_short(keys, outside, entry, value, links)
        return
    hashes, count, last = bytearray(), 0, b""
    for block in split_blocks(pieces):
        hash_ = hash_block(block)
        hashes += hash_
        if len(block) == BLOCK_SIZE:
            yield seal_block(keys, block, hash_)
            count += 1
        else:
            last = bytes(block)
    _check_size(entry, count * BLOCK_SIZE + len(last))
    for piece, times in seal_tail(keys, outside, entry, _find_runs(hashes), last, links):
        yield from repeat(piece, times)


def _find_runs(hashes: bytearray) -> Iterator[tuple[bytes, int]]:
    starts = range(0, len(hashes), HASH_BYTES)
    for hash_, equal in groupby(bytes(hashes[start : start + HASH_BYTES]) for start in starts):
        yield hash_, sum(1 for _ in equal)


def _check_size(entry: Entry, size: int) -> None:
    if size != entry.size:
        raise ValueError(f"a value has {size} bytes, and its version says {entry.size}")


def split_blocks(pieces: Iterable[bytes]) -> Iterator[Data]:
    """Yield the bytes of ``pieces`` as blocks, of which the last one may be shorter; without a copy where pieces are blocks."""
    waiting = bytearray()
    for piece in pieces:
        view = memoryview(piece)
        if waiting:
            taken = min(BLOCK_SIZE - len(waiting), len(view))
            waiting += view[:taken]
            view = view[taken:]
            if len(waiting) < BLOCK_SIZE:
                continue
            yield bytes(waiting)
            waiting = bytearray()
        whole = len(view) - len(view) % BLOCK_SIZE
        yield from (view[start : start + BLOCK_SIZE] for start in range(0, whole, BLOCK_SIZE))
        waiting += view[whole:]
    if waiting:
        yield bytes(waiting)


def seal_tail(
    keys: Keys, outside: Outside, entry: Entry, runs: Runs, last: bytes, links: Iterable[ShareLink] = ()
) -> Iterator[tuple[bytes, int]]:
    """Yield what follows the full blocks of a large value: full lists, each with how often it comes, and the rest.

    ``runs`` has all blocks, ``last`` is the last one if that is not full.

    Raises:
        ValueError: the value is larger than any that can be sealed.
    """
    layout = lay_out(entry.size)
    if entry.size > LARGEST_SEALED_SIZE:
        raise ValueError("the value is too large to be sealed")
    found: list[ListRun] = []
    rest = seal_last(keys, last, hash_block(last), layout.padded) if last else b""
    for list_, times in make_lists(keys, runs):
        reference = refer(keys, hash_block(list_))
        sealed = apply_stream(reference.key, list_)
        found.append(ListRun(reference, times))
        if len(list_) == BLOCK_SIZE:
            yield sealed, times
        else:
            rest += sealed
    yield rest + _close(seal_head(keys, outside, entry, pack_runs(found), links)), 1


def _close(head: bytes) -> bytes:
    return head + len(head).to_bytes(LENGTH_BYTES)


# Opening


def read_head(read: Read, size: int) -> bytes:
    """Return the head of a sealed value of ``size`` bytes, of which nothing is known yet.

    Raises:
        Spoiled: it has none.
    """
    ending = bytes(read(max(0, size - LENGTH_BYTES), LENGTH_BYTES))
    length = _read_length(ending, size)
    head = bytes(read(size - LENGTH_BYTES - length, length))
    if len(head) < length:
        raise Spoiled("its head is too short")
    return head


def cut_head(sealed: bytes) -> bytes:
    """Return the head of a sealed value that is at hand. Raises what ``read_head`` does."""
    length = _read_length(sealed[-LENGTH_BYTES:], len(sealed))
    return sealed[-LENGTH_BYTES - length : -LENGTH_BYTES]


def _read_length(ending: bytes, size: int) -> int:
    length = int.from_bytes(ending)
    if len(ending) < LENGTH_BYTES or not 0 < length <= min(LONGEST_HEAD, size - LENGTH_BYTES):
        raise Spoiled("it has no head")
    return length


def check_length(head: Head, size: int) -> None:
    """Raise an error unless a sealed value of ``size`` bytes is as long as its head says.

    Raises:
        Spoiled: it is not.
    """
    before = 0 if head.value is not None else head.layout.head
    if before + head.length + LENGTH_BYTES != size:
        raise Spoiled("it has another length than its head says")


def read_references(head: Head, read: Read, first: int = 0) -> Iterator[tuple[Reference, int]]:
    """Yield the references of the blocks of a large value, from the list number ``first`` on, and how often each comes.

    A list that comes more than once is read once, in its first place.

    Raises:
        Spoiled: a list is missing, damaged, or another one.
    """
    number = 0
    for reference, times in head.lists:
        left = number + times - max(number, first)
        if left > 0:
            start, size = head.layout.place_list(max(number, first))
            references = split_list(open_block(reference, read(start, size), size))
            if len(references) == 1:
                references, left = [(references[0][0], references[0][1] * left)], 1
            for _ in range(left):
                yield from references
        number += times


def read_value(head: Head, read: Read, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Yield the bytes of a value from ``start`` to ``stop`` (default: the end), at most a block at a time, each one checked.

    Raises:
        Spoiled: a list or block is missing, damaged, or another one.
    """
    stop = head.entry.size if stop is None else min(stop, head.entry.size)
    if head.value is not None:
        yield head.value[start:stop]
    elif start < stop:
        yield from _read_blocks(head, read, start, stop)


def _read_blocks(head: Head, read: Read, start: int, stop: int) -> Iterator[bytes]:
    layout = head.layout
    first = start // BLOCK_SIZE
    position = first // LISTED * LISTED
    for reference, times in read_references(head, read, first // LISTED):
        block = b""
        for number in range(max(position, first), position + times):
            begin = number * BLOCK_SIZE
            if begin >= stop:
                return
            place, length, size = layout.place_block(number)
            if len(block) != size:  # of a run, only the first one is read
                block = open_block(reference, read(place, length), size)
            yield block[max(0, start - begin) : stop - begin]
        position += times
