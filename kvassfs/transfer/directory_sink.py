"""A directory as a sink: files with modes and times, each complete as soon as it has its name."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import NamedTuple, Self

from ..transfer_errors import TargetUnwritable
from .items import BLOCK, Item, LeftOut, Piece, Reason
from .target import FileId

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_OF_ONE = {
    errno.EACCES, errno.EEXIST, errno.EILSEQ, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT,
    errno.ENOTDIR, errno.ENOTEMPTY, errno.EPERM,
}  # fmt: skip
"""Errors that concern one name alone; after others nothing can be written any more."""

_DIFFERS = "another file is there (--force replaces it)"


class _Open(NamedTuple):
    descriptor: int
    path: str


class DirectorySink:
    """Writes items below ``directory``, made if it is missing; a ``with`` opens it.

    What is there already with the same content is left alone, so that an export that was ended can be run again; what
    is there with another is replaced with ``force`` only. Nothing is written through a symbolic link. ``never_open`` is
    as that of ``DirectorySource``. ``random(n)`` returns n random bytes.
    """

    def __init__(
        self,
        directory: str,
        *,
        force: bool = False,
        never_open: Collection[FileId] = (),
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._directory = directory
        self._force = force
        self._never_open = never_open
        self._temporary = f".kvass-export-{random(8).hex()}"
        self._open: list[_Open] = []
        self._directories: list[tuple[str, Item]] = []
        self._made = False

    def __enter__(self) -> Self:
        try:
            with suppress(FileExistsError):
                os.mkdir(self._directory, 0o700)
            descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise TargetUnwritable(self._directory, _reason(error)) from error
        self._open.append(_Open(descriptor, ""))
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            os.close(self._open.pop().descriptor)

    def add(self, item: Item, path: str) -> bool | LeftOut:
        """Write an item, whose attributes follow in ``finish`` if it is a directory; return whether it was not there."""
        try:
            if item.is_directory:
                self._directories.append((path, item))
                self._made = False
                self._enter(path)
                return self._made
            above, _, name = path.rpartition("/")
            return self._write(self._enter(f"{above}/" if above else ""), name, item, path)
        except OSError as error:
            if error.errno in _OF_ONE:
                return LeftOut(path, Reason.REFUSED, _reason(error))
            raise TargetUnwritable(os.path.join(self._directory, path), _reason(error)) from error

    def abandon(self) -> None:
        """Leave what is there: it is complete."""

    def finish(self) -> None:
        """Give the directories their modes and times, those inside first."""
        for path, item in reversed(self._directories):
            try:
                descriptor = self._enter(path)
                os.utime(descriptor, ns=_times(item, os.fstat(descriptor)))
                os.fchmod(descriptor, stat.S_IMODE(item.mode or 0o700))
            except OSError as error:
                if error.errno not in _OF_ONE:
                    raise TargetUnwritable(os.path.join(self._directory, path), _reason(error)) from error

    def _enter(self, path: str) -> int:
        """Return the descriptor of a directory, made if it is missing; ``path`` ends in ``/`` or is empty."""
        while not path.startswith(self._open[-1].path):
            os.close(self._open.pop().descriptor)
        above = self._open[-1]
        while above.path != path:
            name = path[len(above.path) :].partition("/")[0]
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=above.descriptor)
                self._made = True
            descriptor = os.open(name, _DIRECTORY, dir_fd=above.descriptor)
            above = _Open(descriptor, f"{above.path}{name}/")
            self._open.append(above)
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            if mode & 0o700 != 0o700:  # of an export that was ended; it is set at the end
                os.fchmod(descriptor, mode | 0o700)
        return above.descriptor

    def _write(self, above: int, name: str, item: Item, path: str) -> bool | LeftOut:
        try:
            status = os.stat(name, dir_fd=above, follow_symlinks=False)
        except FileNotFoundError:
            return self._make(above, name, item)
        if (status.st_dev, status.st_ino) in self._never_open:
            return LeftOut(path, Reason.REFUSED, "the database itself is there")
        if stat.S_ISDIR(status.st_mode):
            return LeftOut(path, Reason.REFUSED, "a directory is there")
        if self._has_content(above, name, item, status):
            return self._adjust(above, name, item, status)
        return self._make(above, name, item) if self._force else LeftOut(path, Reason.REFUSED, _DIFFERS)

    def _has_content(self, above: int, name: str, item: Item, status: os.stat_result) -> bool:
        """Return whether a file has the content of an item."""
        mode = item.mode or stat.S_IFREG
        if stat.S_IFMT(status.st_mode) != stat.S_IFMT(mode) or status.st_size != item.size:
            return False
        if stat.S_ISLNK(mode):
            return os.fsencode(os.readlink(name, dir_fd=above)) == b"".join(_make_bytes(item.read()))
        file = os.open(name, _OLD, dir_fd=above)
        try:
            return all(os.read(file, len(piece)) == piece for piece in _make_bytes(item.read()))
        finally:
            os.close(file)

    @staticmethod
    def _adjust(above: int, name: str, item: Item, status: os.stat_result) -> bool:
        """Give a file that has the content the mode and the time; return whether it had others."""
        mode = stat.S_IMODE(item.mode or 0o600)
        is_link = stat.S_ISLNK(status.st_mode)
        has_mode = is_link or stat.S_IMODE(status.st_mode) == mode
        if not has_mode:
            os.chmod(name, mode, dir_fd=above)
        has_time = item.mtime in {None, status.st_mtime_ns}
        if not has_time:
            os.utime(name, ns=_times(item, status), dir_fd=above, follow_symlinks=False)
        return not (has_mode and has_time)

    def _make(self, above: int, name: str, item: Item) -> bool:
        """Write a file under a name of its own, and give it its name when it is complete."""
        try:
            if item.mode is not None and stat.S_ISLNK(item.mode):
                os.symlink(b"".join(_make_bytes(item.read())), self._temporary, dir_fd=above)
            else:
                self._make_file(above, item)
            status = os.stat(self._temporary, dir_fd=above, follow_symlinks=False)
            os.utime(self._temporary, ns=_times(item, status), dir_fd=above, follow_symlinks=False)
            os.rename(self._temporary, name, src_dir_fd=above, dst_dir_fd=above)
        except BaseException:
            with suppress(OSError):
                os.unlink(self._temporary, dir_fd=above)
            raise
        return True

    def _make_file(self, above: int, item: Item) -> None:
        file = os.open(self._temporary, _NEW, 0o600, dir_fd=above)
        try:
            offset = 0
            for piece in item.read():
                if isinstance(piece, int):
                    offset += piece
                    continue
                rest = memoryview(piece)
                while rest:
                    written = os.pwrite(file, rest, offset)
                    rest, offset = rest[written:], offset + written
            os.ftruncate(file, offset)
            os.fchmod(file, stat.S_IMODE(item.mode or 0o600))
        finally:
            os.close(file)


def _make_bytes(pieces: Iterator[Piece]) -> Iterator[bytes]:
    """Yield pieces of which no hole is longer than a block."""
    for piece in pieces:
        if isinstance(piece, int):
            for at in range(0, piece, BLOCK):
                yield bytes(min(BLOCK, piece - at))
        else:
            yield piece


def _times(item: Item, status: os.stat_result) -> tuple[int, int]:
    mtime = status.st_mtime_ns if item.mtime is None else item.mtime
    return mtime, mtime


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
