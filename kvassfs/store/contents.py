"""Values on disk: short ones inline, long ones as shared blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..errors import DamagedStore
from .database import Database
from .prefetch import BLOCK_QUERY, Prefetcher, digest
from .sizes import SIZES, Sizes

if TYPE_CHECKING:
    from concurrent.futures import Future


class Change(NamedTuple):
    """One block of a new value that differs from the value it derives from."""

    position: int
    block: int


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

    def read_block(self, content: int, position: int) -> bytes:
        """Return block ``position`` of a value that is a list of blocks."""
        segment_position, block_position = divmod(position, self.sizes.segment)
        row = self._database.row(BLOCK_QUERY, (block_position, content, segment_position))
        if row is None:
            raise DamagedStore(self._database.path, f"block {position} of value {content} is missing")
        data: bytes = row[0]
        return data

    def prefetch_block(self, content: int, position: int) -> Future[bytes | None]:
        """Begin to read a block of a value that is pinned; ``None`` leaves it to ``read_block``."""
        return self.prefetcher.read(content, *divmod(position, self.sizes.segment))

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
        for position in range(start // self.sizes.block, self.sizes.count(stop)):
            block = self.read_block(content, position)
            begin = position * self.sizes.block
            if begin < start or begin + len(block) > stop:
                block = block[max(start - begin, 0) : stop - begin]
            yield block

    # Making

    def add_inline(self, data: bytes | bytearray | memoryview) -> int:
        """Store a value of at most ``sizes.inline`` bytes and return its id."""
        cursor = self._database.execute("INSERT INTO contents (size, data) VALUES (?, ?)", (len(data), data))
        return int(cursor.lastrowid or 0)

    def add_block(self, data: bytes | bytearray | memoryview, hashed: bytes | None = None) -> int:
        """Store a block, unless it is there already, and return its id. ``hashed`` is its ``digest``."""
        hashed = hashed or digest(data)
        row = self._database.row("SELECT id FROM blocks WHERE hash = ?", (hashed,))
        if row is not None:
            return int(row[0])
        cursor = self._database.execute("INSERT INTO blocks (hash, data) VALUES (?, ?)", (hashed, data))
        return int(cursor.lastrowid or 0)

    def add_blocks(self, size: int, base: int | None, base_blocks: int, changes: Sequence[Change]) -> int:
        """Store a value of ``size`` bytes as a list of blocks and return its id.

        Its blocks are the first ``base_blocks`` of the value ``base`` with ``changes`` on top, which
        are in order of position; together they cover the value.
        """
        cursor = self._database.execute("INSERT INTO contents (size, data) VALUES (?, NULL)", (size,))
        content = int(cursor.lastrowid or 0)
        changed: dict[int, list[Change]] = {}
        for change in changes:
            changed.setdefault(change.position // self.sizes.segment, []).append(change)
        kept = min(base_blocks, self.sizes.count(size))
        for position in range(-(-self.sizes.count(size) // self.sizes.segment)):
            from_base = min(kept - position * self.sizes.segment, self.sizes.segment)
            segment = self._segment(base, position, from_base, changed.get(position, []))
            self._database.execute("INSERT INTO content_segments VALUES (?, ?, ?)", (content, position, segment))
        return content

    def add(self, data: bytes) -> int:
        """Store a value that is in memory and return its id."""
        return self.add_inline(data) if len(data) <= self.sizes.inline else self.add_large(data)

    def add_large(self, data: bytes) -> int:
        """Store a value that is in memory as a list of blocks and return its id."""
        view = memoryview(data)
        blocks = (
            self.add_block(view[position * self.sizes.block : (position + 1) * self.sizes.block])
            for position in range(self.sizes.count(len(data)))
        )
        return self.add_blocks(len(data), None, 0, [Change(position, block) for position, block in enumerate(blocks)])

    def _segment(self, base: int | None, position: int, from_base: int, changes: Sequence[Change]) -> int:
        """Return a segment of the base's first ``from_base`` blocks there and ``changes``."""
        old = None
        if base is not None and from_base > 0:
            (old,) = self._database.row(
                "SELECT segment FROM content_segments WHERE content = ? AND position = ?", (base, position)
            )
            if not changes and self._segment_length(old) == from_base:
                return int(old)
        (segment,) = self._database.row("SELECT ifnull(max(segment), 0) + 1 FROM segment_blocks")
        if old is not None:
            self._database.execute(
                "INSERT INTO segment_blocks SELECT ?, position, block FROM segment_blocks "
                "WHERE segment = ? AND position < ?",
                (segment, old, from_base),
            )
        self._database.execute_many(
            "INSERT OR REPLACE INTO segment_blocks VALUES (?, ?, ?)",
            ((segment, change.position % self.sizes.segment, change.block) for change in changes),
        )
        return int(segment)

    def _segment_length(self, segment: int) -> int:
        (length,) = self._database.row("SELECT count(*) FROM segment_blocks WHERE segment = ?", (segment,))
        return int(length)

    def copy(self, content: int) -> int:
        """Return the id of a second value with the same bytes."""
        cursor = self._database.execute(
            "INSERT INTO contents (size, data) SELECT size, data FROM contents WHERE id = ?", (content,)
        )
        copied = int(cursor.lastrowid or 0)
        self._database.execute(
            "INSERT INTO content_segments SELECT ?, position, segment FROM content_segments WHERE content = ?",
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
        """Remove at most ``limit`` blocks that nothing uses; return whether more may be left."""
        content = self._database.row(
            "SELECT content FROM dropped_contents WHERE content NOT IN (SELECT content FROM pins) LIMIT 1"
        )
        if content is not None:
            self._remove_lists(content[0])
        blocks = self._database.rows("SELECT block FROM dropped_blocks LIMIT ?", (limit,))
        self._database.execute_many(
            "DELETE FROM blocks WHERE id = ? "
            "AND NOT EXISTS (SELECT 1 FROM staged WHERE block = blocks.id) "
            "AND NOT EXISTS (SELECT 1 FROM received WHERE block = blocks.id) "
            "AND NOT EXISTS (SELECT 1 FROM segment_blocks WHERE block = blocks.id)",
            blocks,
        )
        self._database.execute_many("DELETE FROM dropped_blocks WHERE block = ?", blocks)
        return content is not None or len(blocks) == limit

    def _remove_lists(self, content: int) -> None:
        """Remove a value's lists and note the blocks that no other list has."""
        segments = self._database.rows("SELECT segment FROM content_segments WHERE content = ?", (content,))
        self._database.execute("DELETE FROM content_segments WHERE content = ?", (content,))
        for (segment,) in segments:
            if self._database.row("SELECT 1 FROM content_segments WHERE segment = ? LIMIT 1", (segment,)):
                continue
            blocks = self._database.rows("SELECT DISTINCT block FROM segment_blocks WHERE segment = ?", (segment,))
            self._database.execute("DELETE FROM segment_blocks WHERE segment = ?", (segment,))
            self._database.execute_many(
                "INSERT OR IGNORE INTO dropped_blocks SELECT id FROM blocks "
                "WHERE id = ? AND NOT EXISTS (SELECT 1 FROM segment_blocks WHERE block = blocks.id)",
                blocks,
            )
        self._database.execute("DELETE FROM contents WHERE id = ?", (content,))
        self._database.execute("DELETE FROM dropped_contents WHERE content = ?", (content,))
