"""The driver that asks the kernel: a plain directory of the disk, or a mounted file system."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

from tests.filesystem.driver import UTIME_NOW, UTIME_OMIT, Capabilities, Driver, Handle, Status, Times

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100

_libc = ctypes.CDLL(None, use_errno=True)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


def _status(result: os.stat_result) -> Status:
    return Status(result.st_mode, result.st_size, result.st_mtime_ns, result.st_nlink, result.st_blocks, result.st_ino)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _timespec(value: int | None, now: bool) -> _Timespec:
    if now:
        return _Timespec(0, UTIME_NOW)
    if value is None:
        return _Timespec(0, UTIME_OMIT)
    return _Timespec(*divmod(value, 1_000_000_000))


def _timespecs(times: Times) -> ctypes.Array[_Timespec]:
    return (_Timespec * 2)(_timespec(times.atime, times.atime_now), _timespec(times.mtime, times.mtime_now))


class OsHandle(Handle):
    """A file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor: int | None = descriptor

    def fileno(self) -> int:
        assert self.descriptor is not None, "the handle is closed"
        return self.descriptor

    def pread(self, size: int, offset: int) -> bytes:
        return os.pread(self.fileno(), size, offset)

    def pwrite(self, data: bytes, offset: int) -> int:
        return os.pwrite(self.fileno(), data, offset)

    def read(self, size: int) -> bytes:
        return os.read(self.fileno(), size)

    def write(self, data: bytes) -> int:
        return os.write(self.fileno(), data)

    def seek(self, offset: int) -> None:
        os.lseek(self.fileno(), offset, os.SEEK_SET)

    def truncate(self, length: int) -> None:
        os.ftruncate(self.fileno(), length)

    def fsync(self) -> None:
        os.fsync(self.fileno())

    def stat(self) -> Status:
        return _status(os.fstat(self.fileno()))

    def chmod(self, mode: int) -> None:
        os.fchmod(self.fileno(), mode)

    def utime(self, times: Times) -> None:
        _check(_libc.futimens(self.fileno(), _timespecs(times)))

    def dup(self) -> OsHandle:
        return OsHandle(os.dup(self.fileno()))

    def close(self) -> None:
        if self.descriptor is not None:
            descriptor, self.descriptor = self.descriptor, None
            os.close(descriptor)


class OsDriver(Driver):
    """System calls below `root`."""

    def __init__(self, root: Path, capabilities: Capabilities) -> None:
        self.root = root
        self.capabilities = capabilities

    def path(self, path: str) -> str:
        return os.path.join(self.root, path) if path else str(self.root)

    def stat(self, path: str) -> Status:
        return _status(os.stat(self.path(path)))

    def lstat(self, path: str) -> Status:
        return _status(os.lstat(self.path(path)))

    def open(self, path: str, flags: int, mode: int = 0o644) -> OsHandle:
        return OsHandle(os.open(self.path(path), flags, mode))

    def mkdir(self, path: str, mode: int = 0o755) -> None:
        os.mkdir(self.path(path), mode)

    def mknod(self, path: str, mode: int) -> None:
        os.mknod(self.path(path), mode)

    def rmdir(self, path: str) -> None:
        os.rmdir(self.path(path))

    def unlink(self, path: str) -> None:
        os.unlink(self.path(path))

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        if flags == 0:
            os.rename(self.path(old), self.path(new))
        else:
            source, target = os.fsencode(self.path(old)), os.fsencode(self.path(new))
            _check(_libc.renameat2(AT_FDCWD, source, AT_FDCWD, target, flags))

    def link(self, old: str, new: str) -> None:
        os.link(self.path(old), self.path(new))

    def symlink(self, target: str, path: str) -> None:
        os.symlink(target, self.path(path))

    def readlink(self, path: str) -> str:
        return os.readlink(self.path(path))

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(self.path(path), mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        os.chown(self.path(path), uid, gid)

    def utime(self, path: str, times: Times, *, follow: bool = True) -> None:
        flags = 0 if follow else AT_SYMLINK_NOFOLLOW
        _check(_libc.utimensat(AT_FDCWD, os.fsencode(self.path(path)), _timespecs(times), flags))

    def truncate(self, path: str, length: int) -> None:
        os.truncate(self.path(path), length)

    def scan(self, path: str) -> Iterator[str]:
        with os.scandir(self.path(path)) as entries:
            for entry in entries:
                yield entry.name

    def entries(self, path: str) -> list[tuple[str, Status]]:
        with os.scandir(self.path(path)) as entries:
            return [(entry.name, _status(entry.stat(follow_symlinks=False))) for entry in entries]

    def sync_directory(self, path: str) -> None:
        descriptor = os.open(self.path(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def statvfs(self, path: str) -> os.statvfs_result:
        return os.statvfs(self.path(path))

    def listxattr(self, path: str) -> list[str]:
        return os.listxattr(self.path(path))

    def getxattr(self, path: str, name: str) -> bytes:
        return os.getxattr(self.path(path), name)

    def setxattr(self, path: str, name: str, value: bytes, flags: int = 0) -> None:
        os.setxattr(self.path(path), name, value, flags)

    def removexattr(self, path: str, name: str) -> None:
        os.removexattr(self.path(path), name)
