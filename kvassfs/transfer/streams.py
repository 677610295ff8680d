"""Streams of bytes of archives: read forward, decompressed by what they begin with, and written forward."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol, cast

from ..transfer_errors import SourceUnreadable, TargetUnwritable
from .items import BLOCK, Piece

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"

MOST_AT_ONCE = 16 * 1024 * 1024
"""Bytes that are read at once at most: more than any header of an archive has that means well."""


class ArchiveError(Exception):
    """What was read is no sound archive; the text says why."""


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none only at the end."""


class CountingReader:
    """Reads ``file``, called ``name``, and counts: what it has read can be told from any thread.

    Raises SourceUnreadable where reading fails.
    """

    def __init__(self, file: Readable, name: str) -> None:
        self._file = file
        self._name = name
        self._head = b""
        self.count = 0

    def peek(self, size: int) -> bytes:
        """Return the next bytes, which stay to be read; fewer only at the end."""
        while len(self._head) < size and (piece := self._read(size - len(self._head))):
            self._head += piece
        return self._head

    def read(self, size: int = BLOCK, /) -> bytes:
        """Return at most ``size`` bytes; none only at the end."""
        size = BLOCK if size < 0 else size
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        return self._read(size)

    def _read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except OSError as error:
            raise SourceUnreadable(self._name, (error.strerror or str(error)).lower()) from error
        self.count += len(data)
        return data


class ForwardReader:
    """Reads decompressed bytes, skips forward, and knows where it is: what ``tarfile`` needs of a file.

    A header that pretends to be huge is refused instead of being read into memory.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._position = 0
        self.last = b""
        """What was read last."""

    def tell(self) -> int:
        """Return how many bytes have been read."""
        return self._position

    @staticmethod
    def seekable() -> bool:
        """Return True: forward, which is what is needed."""
        return True

    def seek(self, position: int) -> None:
        """Skip to a position that lies ahead."""
        if position < self._position:
            raise ArchiveError("its members overlap")
        while self._position < position and self.read(min(BLOCK, position - self._position)):
            pass

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes; fewer only at the end."""
        if size > MOST_AT_ONCE:
            raise ArchiveError(f"a header of {size:,} bytes")
        data = bytearray()
        while len(data) < size and (piece := self._stream.read(size - len(data))):
            data += piece
        self._position += len(data)
        self.last = bytes(data)
        return self.last


def decompress(source: CountingReader) -> Readable:
    """Return what reads ``source`` decompressed, if it begins as gzip or Zstandard do."""
    head = source.peek(len(ZSTD))
    if head.startswith(GZIP):
        return gzip.GzipFile(fileobj=cast("BinaryIO", source), mode="rb")
    if head.startswith(ZSTD):
        import zstandard  # noqa: PLC0415  for these alone

        return zstandard.ZstdDecompressor().stream_reader(cast("BinaryIO", source), read_across_frames=True)
    return source


def list_decompression_errors() -> tuple[type[Exception], ...]:
    """Return what decompressing raises where the data are damaged or cut off."""
    import zstandard  # noqa: PLC0415

    return (ArchiveError, EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)


class Compressor(Protocol):
    """What is written to, and closed at the end."""

    def write(self, data: bytes, /) -> int:
        """Write bytes."""

    def close(self) -> None:
        """Write what comes last; what is beneath stays open."""


class CheckedWriter:
    """Writes to ``file``, called ``name``, and counts. Raises TargetUnwritable where that fails."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self.count = 0
        self.is_abandoned = False
        """Whether nothing is written any more: what writes to it ends in good order all the same."""

    def write(self, data: bytes | memoryview) -> int:
        """Write all of ``data``."""
        if self.is_abandoned:
            return len(data)
        try:
            self._file.write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise TargetUnwritable(self._name, (error.strerror or str(error)).lower()) from error
        self.count += len(data)
        return len(data)

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self.count

    def flush(self) -> None:
        """Do nothing: who opened the file flushes it."""

    def close(self) -> None:
        """Do nothing: who opened the file closes it."""


def compress(target: CheckedWriter, form: str) -> Compressor:
    """Return what writes to ``target`` compressed as ``form`` says: ``gz``, ``zst``, or not at all."""
    if form == "gz":
        return gzip.GzipFile(filename="", fileobj=cast("BinaryIO", target), mode="wb", compresslevel=6)
    if form == "zst":
        import zstandard  # noqa: PLC0415

        return cast("Compressor", zstandard.ZstdCompressor().stream_writer(cast("BinaryIO", target), closefd=False))
    return target


class PieceReader:
    """Reads pieces of a value as a file, holes as zeros; no more and no fewer than ``size`` bytes."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self._rest: Piece = b""

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes; fewer only at the end."""
        data = bytearray()
        while len(data) < size:
            if not self._rest:
                self._rest = next(self._pieces, b"")
                if not self._rest:
                    break
            data += self._take(size - len(data))
        return bytes(data)

    def _take(self, size: int) -> bytes:
        if isinstance(self._rest, int):
            length = min(size, self._rest)
            self._rest -= length
            return bytes(length)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def read_blocks(stream: Readable) -> Iterator[Piece]:
    """Yield all that a stream has."""
    while data := stream.read(BLOCK):
        yield data


def file_size(file: BinaryIO) -> int:
    """Return the size of a regular file; 0 of what has none."""
    try:
        return os.fstat(file.fileno()).st_size
    except (OSError, ValueError):
        return 0
