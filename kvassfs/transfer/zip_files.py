"""Zip archives as sources and sinks, with modes and times as other programs know them, and to the nanosecond."""

from __future__ import annotations

import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import BinaryIO, cast

from ..clocks import clamp_time
from ..transfer_errors import SourceDamaged, SourceUnreadable
from .base_sources import NamedSource
from .items import (
    LINK_MODE,
    Entry,
    Item,
    LeftOut,
    Piece,
    Reason,
    keep_permissions,
    whole,
)
from .naming import LIST_NAME, MOST_LIST, decode_list
from .streams import CheckedWriter, PieceReader, file_size, read_blocks

EXACT_TIME = 0x564B
"""Kind of an extra field of this program: the time in ns since the epoch, 8 bytes, signed. No other has this number."""

NTFS_TIME = 0x000A
UNIX_TIME = 0x5455
"""Kinds of the extra fields of PKWARE and Info-ZIP: 100 ns since 1601, and seconds since the epoch."""

MOST_NAME = 65_535
"""Bytes of the longest name."""

_UNIX = 3  # the system that made it
_MS_DOS_DIRECTORY = 0x10
_ENCRYPTED = 0x1
_SECOND = 10**9
_1601 = 11_644_473_600  # seconds from there to the epoch
_DOS_YEARS = (1980, 2107)
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, ValueError, RecursionError)


class ZipSource(NamedSource):
    """The members of an archive in ``file``, which can be read anywhere in it."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        super().__init__()
        self._file = file
        self._name = name
        self._total = file_size(file)
        self._done = 0

    def position(self) -> tuple[int, int]:
        """Return the bytes of the archive that were read, and of how many, about."""
        return self._done, self._total

    def items(self) -> Iterator[Entry]:
        """Yield the members.

        Raises:
            SourceDamaged: it is no archive, or damaged.
        """
        with self._translating(), zipfile.ZipFile(self._file) as archive:
            for member in archive.infolist():
                if member.filename == LIST_NAME:
                    self._keys.shortened = self._read_list(archive, member)
                elif (entry := self._take(archive, member)) is not None:
                    yield entry
                self._done += member.compress_size

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGED as error:
            raise SourceDamaged(self._name, "zip archive", str(error) or type(error).__name__) from error
        except OSError as error:
            raise SourceUnreadable(self._name, (error.strerror or str(error)).lower()) from error

    def _read(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[Piece]:
        with self._translating(), archive.open(member) as file:
            yield from read_blocks(file)

    @staticmethod
    def _read_list(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> dict[str, str]:
        with archive.open(member) as file:
            return decode_list(file.read(MOST_LIST)) or {}

    def _take(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Entry | None:
        mode = keep_permissions(member.external_attr >> 16) if member.create_system == _UNIX else 0
        is_directory = member.filename.endswith("/") or stat.S_ISDIR(mode)
        key = self._keys.find(member.filename, is_directory=is_directory)
        if isinstance(key, LeftOut):
            return key
        if not key and is_directory:
            return None
        mtime = _read_time(member)
        if is_directory:
            return Item(key, stat.S_IFDIR | (stat.S_IMODE(mode) or 0o700), mtime, 0, whole(b""))
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFLNK}:
            return LeftOut(member.filename, Reason.SPECIAL)
        if member.flag_bits & _ENCRYPTED:
            return LeftOut(member.filename, Reason.ENCRYPTED)
        if stat.S_ISLNK(mode):
            return Item(key, LINK_MODE, mtime, member.file_size, partial(self._read, archive, member))
        given = stat.S_IFREG | stat.S_IMODE(mode) if mode else None
        return Item(key, given, mtime, member.file_size, partial(self._read, archive, member))


def _read_time(member: zipfile.ZipInfo) -> int:
    """Return the time of a member, from the most exact field that it has."""
    fields = _split_extra(member.extra)
    exact, ntfs, unix = (fields.get(kind, b"") for kind in (EXACT_TIME, NTFS_TIME, UNIX_TIME))
    if len(exact) == 8:
        return int(struct.unpack("<q", exact)[0])
    if len(ntfs) >= 16 and ntfs[4:8] == b"\x01\0\x18\0":
        return clamp_time(struct.unpack("<Q", ntfs[8:16])[0] * 100 - _1601 * _SECOND)
    if len(unix) >= 5 and unix[0] & 1:
        return int(struct.unpack("<i", unix[1:5])[0]) * _SECOND
    with suppress(OverflowError, ValueError):
        return int(time.mktime((*member.date_time, 0, 0, -1))) * _SECOND
    return 0


def _split_extra(extra: bytes) -> dict[int, bytes]:
    """Return the extra fields by their kinds."""
    fields = {}
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        fields[kind] = extra[4 : 4 + length]
        extra = extra[4 + length :]
    return fields


class ZipSink:
    """Writes an archive to ``file``, called ``name``, which may be a pipe."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._writer = CheckedWriter(file, name)
        self._archive = zipfile.ZipFile(cast("BinaryIO", self._writer), "w", zipfile.ZIP_DEFLATED)

    def add(self, item: Item, path: str) -> bool | LeftOut:
        """Write an item."""
        if len(path.encode()) > MOST_NAME:
            return LeftOut(path, Reason.REFUSED, f"a name in a zip archive has at most {MOST_NAME:,} bytes")
        mode = stat.S_IFREG | 0o600 if item.mode is None else item.mode
        mtime = item.mtime or 0
        member = zipfile.ZipInfo(path, _make_dos_time(mtime // _SECOND))
        member.create_system = _UNIX
        member.external_attr = mode << 16 | (_MS_DOS_DIRECTORY if item.is_directory else 0)
        member.compress_type = zipfile.ZIP_STORED if item.is_directory else zipfile.ZIP_DEFLATED
        member.extra = _make_extra(mtime)
        with self._archive.open(member, "w", force_zip64=item.size >= 1 << 30) as file:
            reader = PieceReader(iter(()) if item.is_directory else item.read())
            for piece in read_blocks(reader):
                file.write(cast("bytes", piece))
        return True

    def finish(self) -> None:
        """Write the list of the members."""
        self._archive.close()

    def abandon(self) -> None:
        """Write nothing more, not even when this goes."""
        self._writer.is_abandoned = True
        self._archive.close()


def _make_dos_time(seconds: int) -> tuple[int, int, int, int, int, int]:
    """Return the time where we are, in the years that the format has."""
    first, last = _DOS_YEARS
    try:
        local = time.localtime(seconds)
    except (OverflowError, ValueError, OSError):
        return (last, 12, 31, 23, 59, 58) if seconds > 0 else (first, 1, 1, 0, 0, 0)
    if local.tm_year > last:
        return (last, 12, 31, 23, 59, 58)
    return (first, 1, 1, 0, 0, 0) if local.tm_year < first else (*local[:5], min(local.tm_sec, 59))


def _make_extra(mtime: int) -> bytes:
    """Return the time in ns, and for others in seconds where these fit."""
    exact = struct.pack("<HHq", EXACT_TIME, 8, mtime)
    seconds = mtime // _SECOND
    if not -(1 << 31) <= seconds < 1 << 31:
        return exact
    return struct.pack("<HHBi", UNIX_TIME, 5, 1, seconds) + exact
