"""A directory as a source: what is in it, without leaving it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import partial
from typing import NamedTuple, Self

from ..clocks import clamp_time
from ..transfer_errors import SourceUnreadable
from .items import BLOCK, LINK_MODE, Entry, Item, LeftOut, Piece, Reason, Siblings, whole
from .naming import LIST_NAME, MOST_LIST, KeyFinder, decode_list
from .target import FileId

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _Level(NamedTuple):
    """A directory while it is walked through: its descriptor, its path and the names that are still to come."""

    descriptor: int
    path: str
    names: list[str]


class DirectorySource:
    """The files below ``directory``; a ``with`` opens it.

    Symbolic links are taken as such and never followed, and each name is looked up in the directory that was opened
    before, so that nobody who changes the tree meanwhile leads out of it. ``never_open`` are files of the store: closing
    one of them would end the locks of this process.
    """

    has_file_names = True

    def __init__(self, directory: str, never_open: Collection[FileId] = ()) -> None:
        self._directory = directory
        self._never_open = never_open
        self._keys = KeyFinder()
        self._levels: list[_Level] = []
        self._file = -1
        self._read = 0
        self._total: int | None = None

    def __enter__(self) -> Self:
        try:
            self._open_level(os.open(self._directory, _DIRECTORY), "")
        except OSError as error:
            raise SourceUnreadable(self._directory, _reason(error)) from error
        self._keys.shortened = self._read_list()
        return self

    def __exit__(self, *_: object) -> None:
        self._close_file()
        while self._levels:
            os.close(self._levels.pop().descriptor)

    def resolve_with(self, siblings: Siblings) -> None:
        """Have shortened names stand for keys of the store."""
        self._keys.siblings = siblings

    def position(self) -> tuple[int, int]:
        """Return the bytes read, and those of all files, which are counted when this is first called."""
        if self._total is None:
            self._total = sum(_count_sizes(self._directory))
        return self._read, self._total

    def items(self) -> Iterator[Entry]:
        """Yield files, symbolic links and directories, a directory before what is in it."""
        while self._levels:
            self._close_file()
            level = self._levels[-1]
            if not level.names:
                os.close(self._levels.pop().descriptor)
            else:
                name = level.names.pop()
                if level.path or name != LIST_NAME:
                    yield self._take(level, name)

    def _take(self, level: _Level, name: str) -> Entry:
        path = level.path + name
        try:
            status = os.stat(name, dir_fd=level.descriptor, follow_symlinks=False)
            if (status.st_dev, status.st_ino) in self._never_open:
                return LeftOut(path, Reason.DATABASE)
            is_directory = stat.S_ISDIR(status.st_mode)
            key = self._keys.find(path, is_directory=is_directory)
            if isinstance(key, LeftOut):
                return key
            if is_directory:
                self._open_level(os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=level.descriptor), f"{path}/")
                return Item(key, status.st_mode, clamp_time(status.st_mtime_ns), 0, whole(b""))
            return self._take_file(level, name, key, status)
        except OSError as error:
            return LeftOut(path, Reason.REFUSED, _reason(error))

    def _take_file(self, level: _Level, name: str, key: str, status: os.stat_result) -> Entry:
        mtime = clamp_time(status.st_mtime_ns)
        if stat.S_ISLNK(status.st_mode):
            target = os.fsencode(os.readlink(name, dir_fd=level.descriptor))
            return Item(key, LINK_MODE, mtime, len(target), whole(target))
        if not stat.S_ISREG(status.st_mode):
            return LeftOut(level.path + name, Reason.SPECIAL)
        self._file = os.open(name, _FILE, dir_fd=level.descriptor)
        opened = os.fstat(self._file)
        if (opened.st_dev, opened.st_ino) != (status.st_dev, status.st_ino):
            return LeftOut(level.path + name, Reason.REFUSED, "it was replaced just now; import it once more")
        return Item(key, status.st_mode, mtime, opened.st_size, partial(self._read_file, opened, level.path + name))

    def _read_file(self, status: os.stat_result, path: str) -> Iterator[Piece]:
        """Yield the bytes that a file had when it was opened, holes as their lengths."""
        try:
            for piece in read_pieces(self._file, status):
                self._read += piece if isinstance(piece, int) else len(piece)
                yield piece
        except OSError as error:
            raise SourceUnreadable(os.path.join(self._directory, path), _reason(error)) from error

    def _close_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open_level(self, descriptor: int, path: str) -> None:
        names = sorted(os.listdir(descriptor), reverse=True)
        self._levels.append(_Level(descriptor, path, names))

    def _read_list(self) -> dict[str, str]:
        """Return the shortened names that an export left here."""
        with suppress(OSError), open(os.open(LIST_NAME, _FILE, dir_fd=self._levels[0].descriptor), "rb") as file:
            return decode_list(file.read(MOST_LIST)) or {}
        return {}


def read_pieces(file: int, status: os.stat_result) -> Iterator[Piece]:
    """Yield the bytes of an open file of which ``status`` was found; holes as their lengths, where it has some."""
    offset, end = 0, status.st_size
    has_holes = status.st_blocks * 512 < end
    while offset < end:
        start, stop = _find_data(file, offset, end) if has_holes else (offset, end)
        if start > offset:
            yield start - offset
        offset = start
        while offset < stop:
            data = os.pread(file, min(BLOCK, stop - offset), offset)
            if not data:  # it became shorter
                return
            yield data
            offset += len(data)


def _find_data(file: int, offset: int, end: int) -> tuple[int, int]:
    """Return where the next data begin and end, from ``offset`` on and up to ``end``."""
    try:
        start = os.lseek(file, offset, os.SEEK_DATA)
        return min(start, end), min(os.lseek(file, start, os.SEEK_HOLE), end)
    except OSError as error:
        return (end, end) if error.errno == errno.ENXIO else (offset, end)  # no more; or the file system does not tell


def _count_sizes(directory: str) -> Iterator[int]:
    for _, _, files, descriptor in os.fwalk(directory):
        for name in files:
            with suppress(OSError):
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                yield status.st_size if stat.S_ISREG(status.st_mode) else 0


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
