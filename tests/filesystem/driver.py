"""The calls that the file-system tests use, whatever they run on.

A `Driver` offers POSIX calls on paths relative to the directory that a test owns. `OsDriver` asks the
kernel (a plain directory of the disk, or a mount), `DirectDriver` asks the file-system layer in process. All
raise OSError with the errno that a program on Linux sees, so a test states its claim once.
"""

from __future__ import annotations

import errno
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

UTIME_NOW = (1 << 30) - 1
UTIME_OMIT = (1 << 30) - 2

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2

NAME_MAX = 255


class Status(NamedTuple):
    """What stat() says of a node; times in nanoseconds since the epoch."""

    mode: int
    size: int
    mtime: int
    nlink: int
    blocks: int
    inode: int

    @property
    def permissions(self) -> int:
        return stat.S_IMODE(self.mode)

    @property
    def type(self) -> int:
        return stat.S_IFMT(self.mode)


class Times(NamedTuple):
    """Arguments of utimensat: nanoseconds since the epoch, or "now", or "leave as it is"."""

    atime: int | None = None
    mtime: int | None = None
    atime_now: bool = False
    mtime_now: bool = False


@dataclass(frozen=True)
class Capabilities:
    """What a driver can do that not all can; tests of the rest run only where it holds."""

    kvassfs: bool
    """Rules of kvassfs's own: no hard links, names must be UTF-8, `%@` is special, attributes user.kvass.*"""
    kernel: bool
    """Calls go through the kernel: mmap, locks, descriptors, duplicated descriptors in other processes."""
    exchange: bool
    """RENAME_EXCHANGE works (libfuse 2 passes no flags: EINVAL)."""
    noreplace: bool
    """RENAME_NOREPLACE to a free name works (libfuse 2 passes no flags: EINVAL)."""
    holes: bool
    """lseek tells where holes are (libfuse 2 does not ask: all counts as data)."""


class Handle(ABC):
    """An open file: a file description with an offset, closed at the end of a `with` block."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def pread(self, size: int, offset: int) -> bytes: ...

    @abstractmethod
    def pwrite(self, data: bytes, offset: int) -> int: ...

    @abstractmethod
    def read(self, size: int) -> bytes: ...

    @abstractmethod
    def write(self, data: bytes) -> int: ...

    @abstractmethod
    def seek(self, offset: int) -> None: ...

    @abstractmethod
    def truncate(self, length: int) -> None: ...

    @abstractmethod
    def fsync(self) -> None: ...

    @abstractmethod
    def stat(self) -> Status: ...

    @abstractmethod
    def chmod(self, mode: int) -> None: ...

    @abstractmethod
    def utime(self, times: Times) -> None: ...

    @abstractmethod
    def dup(self) -> Handle:
        """Another descriptor of the same file description: closing one of them flushes, the last one releases."""

    @abstractmethod
    def close(self) -> None:
        """Raise what a failing flush says; a second call does nothing."""


class Driver(ABC):
    """POSIX calls on paths relative to one directory ("" is the directory itself)."""

    capabilities: Capabilities

    @abstractmethod
    def stat(self, path: str) -> Status: ...

    @abstractmethod
    def lstat(self, path: str) -> Status: ...

    @abstractmethod
    def open(self, path: str, flags: int, mode: int = 0o644) -> Handle: ...

    @abstractmethod
    def mkdir(self, path: str, mode: int = 0o755) -> None: ...

    @abstractmethod
    def mknod(self, path: str, mode: int) -> None: ...

    @abstractmethod
    def rmdir(self, path: str) -> None: ...

    @abstractmethod
    def unlink(self, path: str) -> None: ...

    @abstractmethod
    def rename(self, old: str, new: str, flags: int = 0) -> None: ...

    @abstractmethod
    def link(self, old: str, new: str) -> None: ...

    @abstractmethod
    def symlink(self, target: str, path: str) -> None: ...

    @abstractmethod
    def readlink(self, path: str) -> str: ...

    @abstractmethod
    def chmod(self, path: str, mode: int) -> None: ...

    @abstractmethod
    def chown(self, path: str, uid: int, gid: int) -> None: ...

    @abstractmethod
    def utime(self, path: str, times: Times, *, follow: bool = True) -> None: ...

    @abstractmethod
    def truncate(self, path: str, length: int) -> None: ...

    @abstractmethod
    def scan(self, path: str) -> Iterator[str]:
        """Yield the names of one opendir as they are read, without `.` and `..`."""

    @abstractmethod
    def entries(self, path: str) -> list[tuple[str, Status]]:
        """Return the names of a directory with their status, as `ls -l` sees them."""

    @abstractmethod
    def sync_directory(self, path: str) -> None: ...

    @abstractmethod
    def statvfs(self, path: str) -> os.statvfs_result: ...

    @abstractmethod
    def listxattr(self, path: str) -> list[str]: ...

    @abstractmethod
    def getxattr(self, path: str, name: str) -> bytes: ...

    @abstractmethod
    def setxattr(self, path: str, name: str, value: bytes, flags: int = 0) -> None: ...

    @abstractmethod
    def removexattr(self, path: str, name: str) -> None: ...

    # What every test needs, made of the calls above.

    def listdir(self, path: str = "") -> dict[str, Status]:
        """Return name -> status of a directory, checking that no name comes twice."""
        entries = self.entries(path)
        assert len(entries) == len(dict(entries)), f"names listed twice in {path!r}: {entries}"
        return dict(entries)

    def names(self, path: str = "") -> list[str]:
        return sorted(self.listdir(path))

    def write_file(self, path: str, content: bytes = b"", mode: int = 0o644) -> None:
        """Do as the shell's `>` does."""
        with self.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode) as handle:
            write_all(handle, content)

    def read_file(self, path: str) -> bytes:
        with self.open(path, os.O_RDONLY) as handle:
            return read_all(handle)

    def exists(self, path: str) -> bool:
        try:
            self.lstat(path)
        except FileNotFoundError:
            return False
        return True


def write_all(handle: Handle, content: bytes, piece: int = 128 * 1024) -> None:
    """Write `content` at the handle's offset, `piece` bytes at a time."""
    view = memoryview(content)
    while view:
        view = view[handle.write(bytes(view[:piece])) :]


def read_all(handle: Handle, piece: int = 128 * 1024) -> bytes:
    """Read from the handle's offset to the end, `piece` bytes at a time."""
    pieces = []
    while part := handle.read(piece):
        pieces.append(part)
    return b"".join(pieces)


@contextmanager
def raises(*expected: int) -> Iterator[None]:
    """Expect an OSError with one of these errnos, and name the errno that came instead."""
    try:
        yield
    except OSError as error:
        came = errno.errorcode.get(error.errno or 0, str(error.errno))
        wanted = " or ".join(errno.errorcode[number] for number in expected)
        if error.errno not in expected:
            raise AssertionError(f"expected {wanted}, not {came}") from error
    else:
        wanted = " or ".join(errno.errorcode[number] for number in expected)
        raise AssertionError(f"expected {wanted}, but the call succeeded")
