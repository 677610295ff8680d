"""Blocks of large values on their way between replicas, and the lists of their hashes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..block import pair_runs
from ..errors import DamagedStore, DiskFull, InvalidMessage
from .contents import Contents
from .database import Database
from .runs import Run, find_changes, join_runs, place_run

SPARE = 4 * 1024 * 1024
"""Bytes that a disk must have room for beside the blocks: SQLite's lists of them, and its log."""

KEPT_TIME = 24 * 3600 * 1_000_000
"""Microseconds for which blocks wait for the entry that names them."""


class Blocks:
    """Takes in and hands out blocks. ``clock`` returns ns since the epoch."""

    def __init__(self, database: Database, contents: Contents, clock: Callable[[], int]) -> None:
        self._database = database
        self._contents = contents
        self._clock = clock

    def list_hashes(self, content: int) -> tuple[bytes, tuple[int, ...]]:
        """Return the hashes of the blocks of a large value, joined, and how often each comes, as in ``Delivery``."""
        runs = self._list_runs(content)
        hashes: dict[int, bytes] = dict(
            self._database.rows(
                "SELECT blocks.id, blocks.hash FROM content_segments AS list"
                " JOIN segment_blocks AS part ON part.segment = list.segment JOIN blocks ON blocks.id = part.block"
                " WHERE list.content = ?",
                (content,),
            )
        )
        if lost := {run.block for run in runs} - hashes.keys():
            raise DamagedStore(self._database.path, f"block {min(lost)} is missing")
        counts = tuple(run.times for run in runs)
        return b"".join(hashes[run.block] for run in runs), counts if max(counts, default=1) > 1 else ()

    def _list_runs(self, content: int) -> list[Run]:
        length = self._contents.sizes.segment
        rows = self._database.iterate(
            "SELECT list.position, list.count, part.position, part.count, part.block FROM content_segments AS list"
            " JOIN segment_blocks AS part ON part.segment = list.segment"
            " WHERE list.content = ? ORDER BY list.position, part.position",
            (content,),
        )
        places = ((place_run(place, length), block) for *place, block in rows)
        return list(join_runs(Run(positions.start, block, len(positions)) for positions, block in places))

    def missing(self, wanted: Iterable[bytes]) -> list[bytes]:
        """Return those of the hashes whose blocks are not here, each once."""
        return [hash_ for hash_ in dict.fromkeys(wanted) if self._find(hash_) is None]

    def _find(self, hash_: bytes) -> int | None:
        row = self._database.row("SELECT id FROM blocks WHERE hash = ?", (hash_,))
        return None if row is None else int(row[0])

    def get(self, wanted: Iterable[bytes]) -> list[bytes | None]:
        """Return blocks by their hashes; ``None`` for one that is not here."""
        rows = (self._database.row("SELECT data FROM blocks WHERE hash = ?", (hash_,)) for hash_ in wanted)
        return [None if row is None else row[0] for row in rows]

    def check_room(self, blocks: int) -> None:
        """Make sure that the disk has room for so many blocks, lest part of a value fill it up for nothing.

        Raises:
            DiskFull: it has not.
        """
        disk = os.statvfs(os.path.dirname(os.path.realpath(self._database.path)))
        if blocks and disk.f_bavail * disk.f_frsize < blocks * self._contents.sizes.block + SPARE:
            raise DiskFull(self._database.path)

    def put(self, blocks: Iterable[bytes | memoryview]) -> None:
        """Store blocks that an entry will name, and keep them for ``KEPT_TIME`` until it does."""
        now = self._clock() // 1000
        with self._database.transaction:
            self._database.transaction.stores_value = True
            for block in blocks:
                self._database.execute(
                    "INSERT OR REPLACE INTO received VALUES (?, ?)", (self._contents.add_block(block), now)
                )

    def value(self, size: int, blocks: bytes, counts: Sequence[int] = ()) -> bytes:
        """Return the bytes of a short value of blocks that are all here.

        Raises:
            InvalidMessage: they are more or less than ``size``.
        """
        runs = pair_runs(blocks, counts)
        self._check_count(size, runs)
        found = self.get(hash_ for hash_, _ in runs)
        value = b"".join(block * count for block, (_, count) in zip(found, runs, strict=True) if block is not None)
        if len(value) != size:
            raise InvalidMessage("a block of a value is shorter or longer than it must be")
        return value

    def add_value(self, size: int, blocks: bytes, counts: Sequence[int], base: int | None) -> int:
        """Make a value of blocks that are all here and return its id; belongs inside a transaction.

        Where ``base`` is a large value with many of the same blocks, the lists are shared with it.

        Raises:
            InvalidMessage: a block has another length than the value's size makes it have.
        """
        runs = pair_runs(blocks, counts)
        self._check_count(size, runs)
        old = [] if base is None else self._list_runs(base)
        changes = list(find_changes(old, self._find_runs(size, runs)))
        kept = min(old[-1].stop, self._contents.sizes.count(size)) if old else 0
        content = self._contents.add_blocks(size, base if old else None, kept, changes)
        self._database.execute_many("DELETE FROM received WHERE block = ?", [(change.block,) for change in changes])
        return content

    def _check_count(self, size: int, runs: Iterable[tuple[bytes, int]]) -> None:
        if sum(count for _, count in runs) != self._contents.sizes.count(size):
            raise InvalidMessage("the size of a value does not fit the number of its blocks")

    def _find_runs(self, size: int, runs: Iterable[tuple[bytes, int]]) -> Iterator[Run]:
        """Yield the blocks of a value that have these hashes, of the lengths that they must have."""
        position = 0
        for hash_, count in runs:
            block, length = self._database.only_row("SELECT id, length(data) FROM blocks WHERE hash = ?", (hash_,))
            run = Run(position, block, count)
            position = run.stop
            if {length} != {self._contents.sizes.length(size, at) for at in (run.position, run.stop - 1)}:
                raise InvalidMessage("a block of a value is shorter or longer than it must be")
            yield run

    def has_expired(self) -> bool:
        """Whether ``expire`` has something to give up."""
        before = self._clock() // 1000 - KEPT_TIME
        return bool(self._database.row("SELECT EXISTS (SELECT 1 FROM received WHERE arrived < ?)", (before,))[0])

    def expire(self, limit: int) -> bool:
        """Give up at most ``limit`` blocks whose entry never came; return whether more may be left."""
        blocks: Sequence[tuple[int]] = self._database.rows(
            "SELECT block FROM received WHERE arrived < ? LIMIT ?", (self._clock() // 1000 - KEPT_TIME, limit)
        )
        self._database.execute_many("DELETE FROM received WHERE block = ?", blocks)
        self._database.execute_many("INSERT OR IGNORE INTO dropped_blocks VALUES (?)", blocks)
        return len(blocks) == limit
