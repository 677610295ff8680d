"""Tar archives as sources and sinks (POSIX.1-2001, "pax"), plain or compressed."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, BinaryIO, cast

from ..clocks import clamp_time
from ..transfer_errors import SourceDamaged
from .base_sources import NamedSource
from .items import (
    BLOCK,
    LINK_MODE,
    PERMISSIONS,
    Entry,
    Item,
    LeftOut,
    Piece,
    Reason,
    format_seconds,
    parse_seconds,
    whole,
)
from .naming import LIST_NAME, MOST_LIST, decode_list
from .streams import (
    ArchiveError,
    CheckedWriter,
    Compressor,
    CountingReader,
    ForwardReader,
    PieceReader,
    Readable,
    compress,
    decompress,
    list_decompression_errors,
    read_blocks,
)

_DAMAGED: tuple[type[Exception], ...] = (tarfile.TarError, RecursionError, *list_decompression_errors())
_SECOND = 10**9


class TarSource(NamedSource):
    """The members of an archive that is read from ``file`` once, from its beginning to its end; ``size`` is its own."""

    def __init__(self, file: Readable, name: str, size: int = 0) -> None:
        super().__init__()
        self._counter = CountingReader(file, name)
        self._name = name
        self._size = size

    def position(self) -> tuple[int, int]:
        """Return the bytes of the archive that were read, and of how many."""
        return self._counter.count, self._size

    def items(self) -> Iterator[Entry]:
        """Yield the members.

        Raises:
            SourceDamaged: it is no archive, or cut off.
        """
        with self._translating():
            yield from self._read_members()

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGED as error:
            raise SourceDamaged(self._name, "tar archive", str(error) or type(error).__name__) from error

    def _read(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[Piece]:
        with self._translating():
            yield from _read(archive, member)

    def _read_members(self) -> Iterator[Entry]:
        reader = ForwardReader(decompress(self._counter))
        archive = tarfile.TarFile(self._name, "r", cast("IO[bytes]", reader), encoding="utf-8")
        while (member := archive.next()) is not None:
            cast("Any", archive).members.clear()  # otherwise it remembers them all
            if member.isreg() and member.name.removeprefix("./") == LIST_NAME:
                self._keys.shortened = self._read_list(archive, member)
            elif (entry := self._take(archive, member)) is not None:
                yield entry
        if reader.last.strip(b"\0") or not reader.last:  # tarfile takes this for the end as well
            raise ArchiveError("its end is missing")
        while reader.read(BLOCK):  # what compresses has a checksum at its end
            pass

    @staticmethod
    def _read_list(archive: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, str]:
        content = b"".join(piece for piece in _read(archive, member) if isinstance(piece, bytes))
        return decode_list(content) or {} if member.size <= MOST_LIST else {}

    def _take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> Entry | None:
        key = self._keys.find(member.name, is_directory=member.isdir())
        if isinstance(key, LeftOut):
            return key
        if not key and member.isdir():  # the directory that was archived
            return None
        mtime = _read_time(member)
        if member.isdir():
            return Item(key, stat.S_IFDIR | member.mode & PERMISSIONS, mtime, 0, whole(b""))
        if member.issym():
            target = member.linkname.encode("utf-8", "surrogateescape")
            return Item(key, LINK_MODE, mtime, len(target), whole(target))
        mode = stat.S_IFREG | member.mode & PERMISSIONS
        if member.islnk():
            other = self._keys.find(member.linkname, is_directory=False)
            return other if isinstance(other, LeftOut) else Item(key, mode, mtime, 0, whole(b""), same_as=other)
        if not member.isreg():
            return LeftOut(member.name, Reason.SPECIAL)
        return Item(key, mode, mtime, member.size, partial(self._read, archive, member))


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[Piece]:
    """Yield the content of a member, and its holes as their lengths."""
    file = archive.extractfile(member)
    if file is None:
        return
    parts: list[tuple[int, int]] | None = getattr(member, "sparse", None)
    if parts is None:
        yield from read_blocks(file)
        return
    at = 0
    for start, length in parts:
        if not length:  # what fills the last header up
            continue
        if not 0 <= at <= start <= start + length <= member.size:
            raise tarfile.ReadError("a map of holes that is none")
        if start > at:
            yield start - at
        file.seek(start)
        at = start
        while at < start + length and (data := file.read(min(BLOCK, start + length - at))):
            yield data
            at += len(data)
    if at < member.size:
        yield member.size - at


def _read_time(member: tarfile.TarInfo) -> int:
    """Return the time of a member: the extended header has it to the nanosecond."""
    exact = parse_seconds(member.pax_headers.get("mtime", ""))
    if exact is not None:
        return exact
    try:
        return clamp_time(int(member.mtime) * _SECOND)
    except (OverflowError, ValueError):
        return 0


class TarSink:
    """Writes an archive to ``file``, called ``name``, compressed as ``form`` says."""

    def __init__(self, file: BinaryIO, name: str, form: str = "") -> None:
        self._writer = CheckedWriter(file, name)
        self._stream = compress(self._writer, form)
        self._archive = tarfile.TarFile(
            name, "w", cast("IO[bytes]", _Positioned(self._stream)), encoding="utf-8", format=tarfile.PAX_FORMAT
        )

    def add(self, item: Item, path: str) -> bool | LeftOut:
        """Write an item."""
        mode = stat.S_IFREG | 0o600 if item.mode is None else item.mode
        member = tarfile.TarInfo(path.rstrip("/"))
        member.mode = stat.S_IMODE(mode)
        member.uid, member.gid = os.getuid(), os.getgid()
        mtime = item.mtime or 0
        member.mtime = mtime // _SECOND
        if mtime % _SECOND:
            member.pax_headers = {"mtime": format_seconds(mtime)}
        if stat.S_ISDIR(mode):
            member.type = tarfile.DIRTYPE
            self._archive.addfile(member)
        elif stat.S_ISLNK(mode):
            member.type = tarfile.SYMTYPE
            member.linkname = PieceReader(item.read()).read(item.size).decode("utf-8", "surrogateescape")
            self._archive.addfile(member)
        else:
            member.size = item.size
            self._archive.addfile(member, cast("IO[bytes]", PieceReader(item.read())))
        cast("Any", self._archive).members.clear()
        return True

    def finish(self) -> None:
        """Write the end of the archive."""
        self._archive.close()
        self._stream.close()

    def abandon(self) -> None:
        """Write nothing more, not even when this goes."""
        self._writer.is_abandoned = True
        self._stream.close()


class _Positioned:
    """What ``tarfile`` needs of a file that is written: bytes go to ``stream``, and are counted."""

    def __init__(self, stream: Compressor) -> None:
        self._stream = stream
        self._position = 0

    def write(self, data: bytes) -> int:
        self._position += len(data)
        return self._stream.write(data)

    def tell(self) -> int:
        return self._position
