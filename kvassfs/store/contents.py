"""Values on disk: short ones inline, long ones as shared blocks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import zip_longest

from ..errors import DamagedStore
from .database import Database
from .prefetch import BlockRun, Prefetcher, digest, read_run
from .runs import Run, join_runs, overlay_runs, place_run, split_runs
from .sizes import SIZES, Sizes

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from concurrent.futures import Future


class Contents:
    """Makes, reads and drops values. Every method that writes belongs inside a transaction."""

    def __init__(self, database: Database, sizes: Sizes = SIZES) -> None:
        self._database = database
        self.sizes = sizes
        self.prefetcher = Prefetcher(os.path.abspath(database.path))

    # Reading

    def read_inline(self, content: int) -> bytes | None:
        """Return an inline value; ``None`` if it is a list of blocks."""
        row = self._database.row("SELECT data FROM contents WHERE id = ?", (content,))
        if row is None:
            raise DamagedStore(self._database.path, f"value {content} is missing")
        data: bytes | None = row[0]
        return data

    def read_run(self, content: int, position: int) -> BlockRun:
        """Return block ``position`` of a value that is a list of blocks, and how far the value goes on with it."""
        run = read_run(self._database.row, content, position, self.sizes.segment)
        if run is None:
            raise DamagedStore(self._database.path, f"block {position} of value {content} is missing")
        return run

    def prefetch_run(self, content: int, position: int) -> Future[BlockRun | None]:
        """Begin to read a block of a value that is pinned; ``None`` leaves it to ``read_run``."""
        return self.prefetcher.read(None if self._database.obstacle else content, position, self.sizes.segment)

    def read_stored_block(self, block: int) -> bytes:
        """Return the block with the id ``block``."""
        row = self._database.row("SELECT data FROM blocks WHERE id = ?", (block,))
        if row is None:
            raise DamagedStore(self._database.path, f"block {block} is missing")
        data: bytes = row[0]
        return data

    def read_all(self, content: int | None, size: int) -> Iterator[bytes]:
        """Yield the bytes of a value in order, at most ``sizes.block`` at a time."""
        if content is None:
            return
        data = self.read_inline(content)
        if data is not None:
            yield data
            return
        yield from self.read_range(content, 0, size)

    def read_range(self, content: int, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` to ``stop`` of a value that is a list of blocks, at most ``sizes.block`` at a time."""
        position, end = start // self.sizes.block, self.sizes.count(stop)
        while position < end:
            block, after = self.read_run(content, position)
            for at in range(position, min(after, end)):
                begin = at * self.sizes.block
                is_cut = begin < start or begin + len(block) > stop
                yield block[max(start - begin, 0) : stop - begin] if is_cut else block
            position = after

    def are_equal(self, one: int | None, other: int | None) -> bool:
        """Return True if two values, each ``None`` where it is empty, are known to have the same bytes."""
        if one is None or other is None:
            return one is other
        pair = (one, other)
        (first, second) = (
            self._database.only_row("SELECT size, data FROM contents WHERE id = ?", (id_,)) for id_ in pair
        )
        if first[0] != second[0] or first[1] is not None or second[1] is not None:
            return bool(first == second)
        lists = (
            "SELECT list.position, list.count, part.position, part.block, part.count FROM content_segments AS list"
            " JOIN segment_blocks AS part ON part.segment = list.segment WHERE list.content = ?"
            " ORDER BY list.position, part.position"
        )
        found, expected = (self._database.iterate(lists, (id_,)) for id_ in pair)
        return all(row == same for row, same in zip_longest(found, expected))

    def find_room(self, content: int) -> int:
        """Return how many bytes of a value take room, as they are in other blocks than whole ones of zeros."""
        return int(self._database.only_row("SELECT size - holes FROM contents WHERE id = ?", (content,))[0])

    def find_kind(self, content: int, position: int, *, zeros: bool) -> int | None:
        """Return the first position from ``position`` on of a block that is whole and ``zeros``, or of one that is not."""
        block = self._find_zeros()
        if block is None:
            return None if zeros else position
        rows = self._database.iterate(
            "SELECT list.position, list.count, part.position, part.count FROM content_segments AS list"
            " JOIN segment_blocks AS part ON part.segment = list.segment WHERE list.content = ? AND list.position >= ("
            " SELECT max(position) FROM content_segments WHERE content = ? AND position <= ?)"
            f" AND {'list.holes > 0 AND part.block = ?' if zeros else 'part.block <> ?'}"
            " ORDER BY list.position, part.position",
            (content, content, position // self.sizes.segment, block),
        )
        places = (place_run(row, self.sizes.segment) for row in rows)
        return next((max(place.start, position) for place in places if place.stop > position), None)

    # Making

    def add_inline(self, data: bytes | bytearray | memoryview) -> int:
        """Store a value of at most ``sizes.inline`` bytes and return its id."""
        cursor = self._database.execute("INSERT INTO contents (size, data) VALUES (?, ?)", (len(data), data))
        return int(cursor.lastrowid or 0)

    def add_short(self, values: Sequence[bytes]) -> list[int]:
        """Store values of at most ``sizes.inline`` bytes and return their ids."""
        if not values:
            return []
        self._database.transaction.stores_value = True
        (last,) = self._database.row("SELECT ifnull(max(id), 0) FROM contents")
        ids = list(range(last + 1, last + 1 + len(values)))
        self._database.execute_many(
            "INSERT INTO contents (id, size, data) VALUES (?, ?, ?)",
            [(id_, len(value), value) for id_, value in zip(ids, values, strict=True)],
        )
        return ids

    def add_block(self, data: bytes | bytearray | memoryview, hashed: bytes | None = None) -> int:
        """Store a block, unless it is there already, and return its id. ``hashed`` is its ``digest``."""
        hashed = hashed or digest(data)
        row = self._database.row("SELECT id FROM blocks WHERE hash = ?", (hashed,))
        if row is not None:
            return int(row[0])
        cursor = self._database.execute("INSERT INTO blocks (hash, data) VALUES (?, ?)", (hashed, data))
        return int(cursor.lastrowid or 0)

    def add_zeros(self) -> int:
        """Store a whole block of zeros, unless it is there already, and return its id."""
        return self.add_block(make_zeros(self.sizes.block), _digest_zeros(self.sizes.block))

    def _find_zeros(self) -> int | None:
        row = self._database.row("SELECT id FROM blocks WHERE hash = ?", (_digest_zeros(self.sizes.block),))
        return None if row is None else int(row[0])

    def add_blocks(self, size: int, base: int | None, base_blocks: int, changes: Iterable[Run]) -> int:
        """Store a value of ``size`` bytes as a list of blocks and return its id.

        Its blocks are the first ``base_blocks`` of the value ``base`` with ``changes`` on top, which
        are in order of position; together they cover the value.
        """
        cursor = self._database.execute("INSERT INTO contents (size, data) VALUES (?, NULL)", (size,))
        content = int(cursor.lastrowid or 0)
        kept, length = min(base_blocks, self.sizes.count(size)), self.sizes.segment
        done = 0
        for position, times, runs in split_runs(join_runs(changes), length):
            self._share_segments(content, base, range(done, position), kept)
            from_base = max(0, min(kept - position * length, length)) if times == 1 else 0
            old = self._read_segment(base, position) if from_base else []
            self._add_segment(content, position, times, overlay_runs(old, from_base, runs))
            done = position + times
        self._share_segments(content, base, range(done, -(-self.sizes.count(size) // length)), kept)
        self._database.execute(
            "UPDATE contents SET holes = ? * (SELECT sum(count * holes) FROM content_segments WHERE content = id)"
            " WHERE id = ?",
            (self.sizes.block, content),
        )
        return content

    def add(self, data: bytes) -> int:
        """Store a value that is in memory and return its id."""
        self._database.transaction.stores_value = True
        return self.add_inline(data) if len(data) <= self.sizes.inline else self.add_large(data)

    def add_large(self, data: bytes) -> int:
        """Store a value that is in memory as a list of blocks and return its id."""
        view = memoryview(data)
        blocks = (
            self.add_block(view[position * self.sizes.block : (position + 1) * self.sizes.block])
            for position in range(self.sizes.count(len(data)))
        )
        return self.add_blocks(len(data), None, 0, [Run(position, block) for position, block in enumerate(blocks)])

    def _share_segments(self, content: int, base: int | None, positions: range, kept: int) -> None:
        """Give a value the segments of ``base`` at ``positions``, as far as they are among its first ``kept`` blocks."""
        if not positions:
            return
        whole, rest = divmod(kept, self.sizes.segment)
        last = self._read_segment(base, whole) if rest and positions.stop > whole else []
        is_cut = bool(last) and last[-1].stop > rest
        self._copy_rows(content, base, positions.start, positions.stop - is_cut)
        if is_cut:
            self._add_segment(content, whole, 1, overlay_runs(last, rest, ()))

    def _copy_rows(self, content: int, base: int | None, start: int, stop: int) -> None:
        if start == stop:
            return
        self._database.execute(
            "INSERT INTO content_segments (content, position, segment, count, holes)"
            " SELECT ?, max(position, ?), segment, min(position + count, ?) - max(position, ?), holes"
            " FROM content_segments WHERE content = ? AND position < ?"
            " AND position >= (SELECT max(position) FROM content_segments WHERE content = ? AND position <= ?)",
            (content, start, stop, start, base, stop, base, start),
        )

    def _read_segment(self, content: int | None, position: int) -> list[Run]:
        """Return the blocks of one segment of a value."""
        rows = self._database.rows(
            "SELECT position, block, count FROM segment_blocks WHERE segment = ("
            " SELECT segment FROM content_segments WHERE content = ? AND position <= ? ORDER BY position DESC LIMIT 1)"
            " ORDER BY position",
            (content, position),
        )
        return [Run._make(row) for row in rows]

    def _add_segment(self, content: int, position: int, times: int, runs: Sequence[Run]) -> None:
        """Give a value a new segment, ``times`` one after another."""
        (segment,) = self._database.row("SELECT ifnull(max(segment), 0) + 1 FROM segment_blocks")
        self._database.execute_many(
            "INSERT INTO segment_blocks (segment, position, block, count) VALUES (?, ?, ?, ?)",
            ((segment, *run) for run in runs),
        )
        zeros = self._find_zeros()
        holes = sum(run.times for run in runs if run.block == zeros)
        self._database.execute(
            "INSERT INTO content_segments (content, position, segment, count, holes) VALUES (?, ?, ?, ?, ?)",
            (content, position, segment, times, holes),
        )

    def copy(self, content: int) -> int:
        """Return the id of a second value with the same bytes."""
        cursor = self._database.execute(
            "INSERT INTO contents (size, data, holes) SELECT size, data, holes FROM contents WHERE id = ?", (content,)
        )
        copied = int(cursor.lastrowid or 0)
        self._database.execute(
            "INSERT INTO content_segments (content, position, segment, count, holes)"
            " SELECT ?, position, segment, count, holes FROM content_segments WHERE content = ?",
            (copied, content),
        )
        return copied

    # Dropping

    def drop(self, content: int | None) -> None:
        """Forget a value: at once if it is short, else by the next ``clean``."""
        if content is None:
            return
        gone = self._database.execute("DELETE FROM contents WHERE id = ? AND data IS NOT NULL", (content,))
        if gone.rowcount == 0:
            self._database.execute("INSERT OR IGNORE INTO dropped_contents VALUES (?)", (content,))

    def has_dropped(self) -> bool:
        """Whether a ``clean`` has something to look at."""
        return bool(
            self._database.row(
                "SELECT EXISTS (SELECT 1 FROM dropped_contents) OR EXISTS (SELECT 1 FROM dropped_blocks)"
            )[0]
        )

    def clean(self, limit: int) -> bool:
        """Remove at most ``limit`` blocks that nothing uses, and lists of them; return whether more may be left."""
        content = self._database.row(
            "SELECT content FROM dropped_contents WHERE content NOT IN (SELECT content FROM pins) LIMIT 1"
        )
        if content is not None:
            self._remove_lists(content[0], limit)
        blocks = self._database.rows("SELECT block FROM dropped_blocks LIMIT ?", (limit,))
        self._database.execute_many(
            "DELETE FROM blocks WHERE id = ? "
            "AND NOT EXISTS (SELECT 1 FROM staged WHERE block = blocks.id) "
            "AND NOT EXISTS (SELECT 1 FROM received WHERE block = blocks.id) "
            "AND NOT EXISTS (SELECT 1 FROM segment_blocks WHERE block = blocks.id)",
            blocks,
        )
        self._database.execute_many(
            "DELETE FROM sealed_blocks WHERE block = ?1 AND NOT EXISTS (SELECT 1 FROM blocks WHERE id = ?1)", blocks
        )
        self._database.execute_many("DELETE FROM dropped_blocks WHERE block = ?", blocks)
        return content is not None or len(blocks) == limit

    def _remove_lists(self, content: int, limit: int) -> None:
        """Remove at most ``limit`` of a value's lists, or the value, and note the blocks that no other list has."""
        listed = self._database.rows(
            "SELECT position, segment FROM content_segments WHERE content = ? LIMIT ?", (content, limit)
        )
        self._database.execute_many(
            "DELETE FROM content_segments WHERE content = ? AND position = ?",
            [(content, position) for position, _ in listed],
        )
        for _, segment in listed:
            if self._database.row("SELECT 1 FROM content_segments WHERE segment = ? LIMIT 1", (segment,)):
                continue
            blocks = self._database.rows("SELECT DISTINCT block FROM segment_blocks WHERE segment = ?", (segment,))
            self._database.execute("DELETE FROM segment_blocks WHERE segment = ?", (segment,))
            self._database.execute_many(
                "INSERT OR IGNORE INTO dropped_blocks SELECT id FROM blocks "
                "WHERE id = ? AND NOT EXISTS (SELECT 1 FROM segment_blocks WHERE block = blocks.id)",
                blocks,
            )
        if len(listed) < limit:
            self._database.execute("DELETE FROM contents WHERE id = ?", (content,))
            self._database.execute("DELETE FROM dropped_contents WHERE content = ?", (content,))


@cache
def make_zeros(size: int) -> bytes:
    """Return so many zeros, which are made once."""
    return bytes(size)


@cache
def _digest_zeros(size: int) -> bytes:
    return digest(make_zeros(size))
