"""The driver that asks the file-system layer in process, doing what the kernel and libfuse do above it.

The kernel walks paths and follows links, keeps offsets, refuses reads on write-only descriptors, and sends
one flush for each close and one release at the end. libfuse keeps the path of every open file up to date and hides
an open file that is removed or replaced behind a `.fuse_hidden…` name until its last close. What a call needs
to be there, or not to be, or to be of one type, the kernel looks up before.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from kvassfs.errors import KvassError
from kvassfs.mount.filesystem import Filesystem
from kvassfs.mount.operations import LINKS
from kvassfs.mount.stat import Attributes
from kvassfs.scratch import ScratchNames
from kvassfs.store import Store
from tests.filesystem.driver import RENAME_EXCHANGE, RENAME_NOREPLACE, Capabilities, Driver, Handle, Status, Times
from tests.filesystem.walk import Found, Tree, fail, walk

UMASK = 0o022
BLOCK = 512

CAPABILITIES = Capabilities(kvassfs=True, kernel=False, exchange=True, noreplace=True, holes=True)


class _Adapted:
    """A `Filesystem` whose errors are all OSErrors, as those that the adapter hands to the kernel."""

    def __init__(self, filesystem: Filesystem) -> None:
        self._filesystem = filesystem

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._filesystem, name)

        def call(*arguments: Any) -> Any:
            try:
                return method(*arguments)
            except KvassError as error:
                raise fail(error.errno) from error

        return call


def _status(attributes: Attributes) -> Status:
    blocks = -(-(attributes.size - attributes.holes) // BLOCK)
    return Status(attributes.mode, attributes.size, attributes.mtime, LINKS, blocks, attributes.inode)


@dataclass
class _Description:
    """An open file description, as the kernel and libfuse know it."""

    path: str
    number: int
    flags: int
    descriptors: int = 1
    is_hidden: bool = False
    offset: int = 0


class DirectHandle(Handle):
    """A descriptor: one of possibly several of an open file description."""

    def __init__(self, driver: DirectDriver, description: _Description) -> None:
        self._driver = driver
        self._description = description
        self._open = True

    @property
    def _file(self) -> _Description:
        if not self._open:
            raise fail(errno.EBADF)
        return self._description

    def pread(self, size: int, offset: int) -> bytes:
        file = self._file
        if file.flags & os.O_ACCMODE == os.O_WRONLY:
            raise fail(errno.EBADF)
        return bytes(self._driver.filesystem.read(file.number, size, offset))

    def pwrite(self, data: bytes, offset: int) -> int:
        file = self._file
        if file.flags & os.O_ACCMODE == os.O_RDONLY:
            raise fail(errno.EBADF)
        if not data:
            return 0
        if file.flags & os.O_APPEND:
            offset = self.stat().size
        buffer = bytearray(data)
        written = self._driver.filesystem.write(file.number, memoryview(buffer), offset)
        buffer[:] = b"\xee" * len(buffer)  # libfuse uses its buffer again
        return written

    def read(self, size: int) -> bytes:
        data = self.pread(size, self._file.offset)
        self._file.offset += len(data)
        return data

    def write(self, data: bytes) -> int:
        if self._file.flags & os.O_APPEND:
            self._file.offset = self.stat().size
        written = self.pwrite(data, self._file.offset)
        self._file.offset += written
        return written

    def seek(self, offset: int) -> None:
        self._file.offset = offset

    def truncate(self, length: int) -> None:
        file = self._file
        if file.flags & os.O_ACCMODE == os.O_RDONLY or length < 0:
            raise fail(errno.EINVAL)
        self._driver.filesystem.truncate(file.path, length, file.number)

    def fsync(self) -> None:
        self._driver.filesystem.fsync(self._file.number)

    def stat(self) -> Status:
        return _status(self._driver.filesystem.getattr(self._file.path, self._file.number))

    def chmod(self, mode: int) -> None:
        self._driver.filesystem.chmod(self._file.path, mode, self._file.number)

    def utime(self, times: Times) -> None:
        self._driver.set_times(self._file.path, times, self._file.number)

    def dup(self) -> DirectHandle:
        self._file.descriptors += 1
        return DirectHandle(self._driver, self._file)

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        try:
            self._driver.filesystem.flush(self._description.number)
        finally:
            self._description.descriptors -= 1
            if self._description.descriptors == 0:
                self._driver.release(self._description)


class DirectDriver(Driver):
    """Calls of a `Filesystem` on a store; O_TRUNC arrives in the flags of open, as both libraries are told."""

    def __init__(self, database: Path, *, directory: str = "") -> None:
        """Work in `directory`, such as "/test", which is made; "" is the root."""
        self.capabilities = CAPABILITIES
        self._database = database
        self._directory = directory
        self._open: list[_Description] = []
        self._hidden = itertools.count(1)
        self._tree = Tree(self._type_of, self._target_of)
        self.mount()
        if directory:
            self.filesystem.mkdir(directory, 0o755)

    # Life

    def mount(self) -> None:
        self.store = Store.open(self._database)
        filesystem = Filesystem(
            self.store, scratch=ScratchNames(), clock=time.time_ns, uid=os.getuid(), gid=os.getgid()
        )
        self.filesystem = cast("Filesystem", _Adapted(filesystem))

    def at_root(self) -> DirectDriver:
        """Return a driver for the root of the same file system."""
        driver = copy(self)
        driver._directory = ""
        driver._tree = Tree(driver._type_of, driver._target_of)
        return driver

    def unmount(self) -> None:
        """Write what is dirty, as libfuse's destroy does; the handles are gone."""
        self.filesystem.close()
        self.store.close()
        self._open.clear()

    # Walking

    def _type_of(self, parts: tuple[str, ...]) -> int | None:
        try:
            return stat.S_IFMT(self.filesystem.getattr(self._join(parts)).mode)
        except FileNotFoundError:
            return None

    def _target_of(self, parts: tuple[str, ...]) -> str:
        return self.filesystem.readlink(self._join(parts))

    def _join(self, parts: tuple[str, ...]) -> str:
        return "/".join([self._directory, *parts]) or "/"

    def _walk(self, path: str, *, follow: bool = False) -> Found:
        return walk(self._tree, path, follow=follow)

    def _resolve(self, path: str, *, follow: bool = False) -> str:
        return self._join(self._walk(path, follow=follow).parts)

    def _existing(self, path: str, *, follow: bool = False, not_a: dict[int, int] | None = None) -> str:
        """Resolve a path to something that is there; `not_a` maps types that it may not have to errnos."""
        found = self._walk(path, follow=follow)
        if found.type is None:
            raise fail(errno.ENOENT)
        if not_a and found.type in not_a:
            raise fail(not_a[found.type])
        return self._join(found.parts)

    def _free(self, path: str) -> str:
        found = self._walk(path)
        if found.type is not None:
            raise fail(errno.EEXIST)
        return self._join(found.parts)

    # Nodes

    def stat(self, path: str) -> Status:
        return _status(self.filesystem.getattr(self._resolve(path, follow=True)))

    def lstat(self, path: str) -> Status:
        return _status(self.filesystem.getattr(self._resolve(path)))

    def mkdir(self, path: str, mode: int = 0o755) -> None:
        self.filesystem.mkdir(self._free(path), mode & ~UMASK)

    def mknod(self, path: str, mode: int) -> None:
        self.filesystem.mknod(self._free(path), mode & ~UMASK)

    def rmdir(self, path: str) -> None:
        self.filesystem.rmdir(self._existing(path))

    def unlink(self, path: str) -> None:
        resolved = self._existing(path)
        if self._is_open(resolved):
            self._hide(resolved)
        else:
            self.filesystem.unlink(resolved)

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        source, target = self._walk(old), self._walk(new)
        before, after = self._join(source.parts), self._join(target.parts)
        if not _may_rename(source, target, flags):
            return
        if flags == 0 and self._is_open(after) and source.type != stat.S_IFDIR:
            self._hide(after)
        self.filesystem.rename(before, after, flags)
        self._moved({before: after, after: before} if flags & RENAME_EXCHANGE else {before: after})

    def link(self, old: str, new: str) -> None:
        self.filesystem.link(self._existing(old), self._free(new))

    def symlink(self, target: str, path: str) -> None:
        self.filesystem.symlink(target, self._free(path))

    def readlink(self, path: str) -> str:
        no_links = {stat.S_IFREG: errno.EINVAL, stat.S_IFDIR: errno.EINVAL}
        return self.filesystem.readlink(self._existing(path, not_a=no_links))

    def chmod(self, path: str, mode: int) -> None:
        self.filesystem.chmod(self._existing(path, follow=True), mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        self.filesystem.chown(self._existing(path, follow=True), uid, gid)

    def utime(self, path: str, times: Times, *, follow: bool = True) -> None:
        self.set_times(self._existing(path, follow=follow), times, None)

    def set_times(self, path: str, times: Times, number: int | None) -> None:
        now = self.filesystem.now()
        atime = now if times.atime_now else times.atime
        mtime = now if times.mtime_now else times.mtime
        self.filesystem.utimens(path, atime, mtime, number)

    def truncate(self, path: str, length: int) -> None:
        self.filesystem.truncate(self._existing(path, follow=True, not_a={stat.S_IFDIR: errno.EISDIR}), length)

    # Open files

    def open(self, path: str, flags: int, mode: int = 0o644) -> DirectHandle:
        exclusive = flags & os.O_CREAT and flags & os.O_EXCL
        found = self._walk(path, follow=not exclusive and not flags & os.O_NOFOLLOW)
        resolved = self._join(found.parts)
        if found.type is not None and exclusive:
            raise fail(errno.EEXIST)
        if found.type == stat.S_IFLNK:
            raise fail(errno.ELOOP)
        if found.type == stat.S_IFDIR:
            raise fail(errno.EISDIR)
        if found.type is None and flags & os.O_CREAT:
            number = self.filesystem.create(resolved, stat.S_IFREG | mode & ~UMASK, flags)
        else:
            number = self.filesystem.open(resolved, flags & ~(os.O_CREAT | os.O_EXCL))
        description = _Description(resolved, number, flags)
        self._open.append(description)
        return DirectHandle(self, description)

    def release(self, description: _Description) -> None:
        """Do what libfuse does at the last close: release, then remove the hidden name."""
        self.filesystem.release(description.number)
        self._open.remove(description)
        if description.is_hidden and not self._is_open(description.path):
            with suppress(FileNotFoundError):  # which libfuse does not look at
                self.filesystem.unlink(description.path)

    def _is_open(self, path: str) -> bool:
        return any(description.path == path for description in self._open)

    def _hide(self, path: str) -> None:
        directory = path.rpartition("/")[0]
        hidden = f"{directory}/.fuse_hidden{len(self._open):08x}{next(self._hidden):08x}"
        self.filesystem.rename(path, hidden)
        for description in self._open:
            description.is_hidden |= description.path == path
        self._moved({path: hidden})

    def _moved(self, moves: dict[str, str]) -> None:
        for description in self._open:
            for before, after in moves.items():
                if description.path == before or description.path.startswith(before + "/"):
                    description.path = after + description.path[len(before) :]
                    break

    # Directories

    def scan(self, path: str) -> Iterator[str]:
        for name, _ in self._snapshot(self._resolve(path, follow=True)):
            yield name

    def entries(self, path: str) -> list[tuple[str, Status]]:
        """Check on the way that a listing says of each entry what a lookup says.

        Left out is what no program relies on: atime, and ctime while files are open.
        """
        directory = self._resolve(path, follow=True)
        snapshot = self._snapshot(directory)
        for name, attributes in snapshot:
            looked_up = self.filesystem.getattr(f"{directory.rstrip('/')}/{name}")
            ignored = {"atime": 0, "ctime": 0} if self._open else {"atime": 0}
            same = attributes._replace(**ignored) == looked_up._replace(**ignored)
            assert same, f"listed as {attributes}, looked up as {looked_up}: {name!r}"
        return [(name, _status(attributes)) for name, attributes in snapshot]

    def _snapshot(self, directory: str) -> list[tuple[str, Attributes]]:
        entries = list(self.filesystem.listdir(directory))
        assert [name for name, _ in entries[:2]] == [".", ".."]
        return entries[2:]

    def sync_directory(self, path: str) -> None:
        next(self.filesystem.listdir(self._resolve(path, follow=True)))
        self.filesystem.fsyncdir()

    def statvfs(self, path: str) -> os.statvfs_result:
        self.filesystem.getattr(self._resolve(path, follow=True))
        return self.filesystem.statfs()

    # Extended attributes

    def listxattr(self, path: str) -> list[str]:
        return [os.fsdecode(name) for name in self.filesystem.listxattr(self._existing(path, follow=True))]

    def getxattr(self, path: str, name: str) -> bytes:
        return self.filesystem.getxattr(self._existing(path, follow=True), os.fsencode(name))

    def setxattr(self, path: str, name: str, value: bytes, flags: int = 0) -> None:
        self.filesystem.setxattr(self._existing(path, follow=True), os.fsencode(name), value, flags)

    def removexattr(self, path: str, name: str) -> None:
        self.filesystem.removexattr(self._existing(path, follow=True), os.fsencode(name))


def _may_rename(source: Found, target: Found, flags: int) -> bool:
    """Make the checks that VFS makes before it asks a file system to rename; return whether it asks."""
    if source.type is None:
        raise fail(errno.ENOENT)
    if flags == RENAME_NOREPLACE and target.type is not None:
        raise fail(errno.EEXIST)
    if flags == RENAME_EXCHANGE and target.type is None:
        raise fail(errno.ENOENT)
    if target.is_below(source):
        raise fail(errno.EINVAL)
    if source.is_below(target):
        raise fail(errno.EINVAL if flags & RENAME_EXCHANGE else errno.ENOTEMPTY)
    types = {source.type, target.type}
    if flags == 0 and len(types) == 2 and stat.S_IFDIR in types and None not in types:
        raise fail(errno.ENOTDIR if source.type == stat.S_IFDIR else errno.EISDIR)
    return source.parts != target.parts
