"""Work done ahead in a second thread, while the first one serves: hashing and reading whole blocks."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

BLOCK_QUERY = """
    SELECT data FROM blocks WHERE id = (
        SELECT block FROM segment_blocks WHERE position = ? AND segment = (
            SELECT segment FROM content_segments WHERE content = ? AND position = ?))
"""
"""The block at a position in a segment, of a content, at the segment's position."""


def digest(data: bytes | bytearray | memoryview) -> bytes:
    """Return the hash that names a block."""
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

    def read(self, content: int, segment: int, position: int) -> Future[bytes | None]:
        """Begin to read a block; the result is ``None`` if it is not found."""
        return self._thread().submit(self._read, (position, content, segment))

    def _read(self, parameters: tuple[int, int, int]) -> bytes | None:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            row = self._connection.execute(BLOCK_QUERY, parameters).fetchone()
        except sqlite3.Error:
            return None  # whoever waits reads it again, and reports the error
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        """Wait for the thread and end it."""
        if self._executor is not None:
            self._executor.shutdown()
        if self._connection is not None:
            self._connection.close()
