"""Work done ahead in a second thread, while the first one serves: hashing and reading whole blocks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from ..tuples import NamedTuple
from .runs import place_run

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor
    from typing import Any

BLOCK_QUERY = """
    SELECT list.position, list.count, part.position, part.count, blocks.data
    FROM content_segments AS list JOIN segment_blocks AS part ON part.segment = list.segment
    JOIN blocks ON blocks.id = part.block
    WHERE list.content = ? AND list.position = (
        SELECT max(position) FROM content_segments WHERE content = ? AND position <= ?)
    AND part.position = (
        SELECT max(position) FROM segment_blocks WHERE segment = list.segment AND position <= ?)
"""
"""The runs of a content, at the segment's position, that may have the block at a position in it: where they begin, and
how long they are."""


class BlockRun(NamedTuple):
    """A block, and the position up to which the value has it again and again."""

    data: bytes
    stop: int


def read_run(find: Callable[[str, tuple[int, ...]], Any], content: int, position: int, length: int) -> BlockRun | None:
    """Return the block at ``position`` of a content that has segments of ``length`` blocks; ``None`` if it is missing.

    ``find`` returns the first row of a query.
    """
    segment, within = divmod(position, length)
    row = find(BLOCK_QUERY, (content, content, segment, within))
    if row is None:
        return None
    *place, data = row
    positions = place_run(place, length)
    return BlockRun(data, positions.stop) if position in positions else None


def digest(data: bytes | bytearray | memoryview) -> bytes:
    """Return the hash that names a block."""
    import hashlib  # noqa: PLC0415  most values have no blocks

    return hashlib.sha256(data).digest()


class Prefetcher:
    """Hashes and reads blocks of the database at ``path`` in a thread that starts at first use.

    Both let go of the interpreter's lock, so the work is done on another processor. The connection is only
    for reading values that are committed and pinned.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._executor: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None

    def _thread(self) -> ThreadPoolExecutor:
        if self._executor is None:
            # Only large values need it, and it would double what starting takes.
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

            self._executor = ThreadPoolExecutor(1, "kvassfs-prefetch")
        return self._executor

    def digest(self, data: bytes) -> Future[bytes]:
        """Begin to hash a block."""
        return self._thread().submit(digest, data)

    def read(self, content: int | None, position: int, length: int) -> Future[BlockRun | None]:
        """Begin to read a block, as ``read_run`` does; with ``None`` as content, of a database only read, leave it."""
        return self._thread().submit(self._read, content, position, length)

    def _read(self, content: int | None, position: int, length: int) -> BlockRun | None:
        if content is None:
            return None
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            return read_run(self._find, content, position, length)
        except sqlite3.Error:
            return None  # whoever waits reads it again, and reports the error

    def _find(self, sql: str, parameters: tuple[int, ...]) -> Any:
        assert self._connection is not None
        return self._connection.execute(sql, parameters).fetchone()

    def close(self) -> None:
        """Wait for the thread and end it."""
        if self._executor is not None:
            self._executor.shutdown()
        if self._connection is not None:
            self._connection.close()
