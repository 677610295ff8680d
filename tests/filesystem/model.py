"""A model of a POSIX directory: a tree of plain objects with Linux's answers, errnos included.

It is what the state machine holds every file system against, and a plain directory of the disk proves it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from tests.filesystem.driver import RENAME_EXCHANGE, RENAME_NOREPLACE, Times
from tests.filesystem.walk import Found, Tree, fail, walk

VALUE_NAME = "%@"
EMPTY = "%"
"""The name of the empty component."""
UMASK = 0o022


@dataclass(eq=False)
class Node:
    """A file, directory or link.

    `mtime` is the time that utimens gave it, or None for a time of its own; then `observed` is the time that was
    first seen after the last change, which must not change by itself. `unsettled` lets one change more pass.
    """

    type: int
    permissions: int
    content: bytearray = field(default_factory=bytearray)
    entries: dict[str, Node] = field(default_factory=dict)
    mtime: int | None = None
    observed: int | None = None
    unsettled: bool = False

    def touch(self) -> None:
        self.mtime = self.observed = None


@dataclass(eq=False)
class Description:
    """An open file description."""

    node: Node
    flags: int
    offset: int = 0


class ModelHandle:
    """A descriptor of the model."""

    def __init__(self, model: Model, description: Description) -> None:
        self._model = model
        self._file = description

    @property
    def node(self) -> Node:
        return self._file.node

    def pread(self, size: int, offset: int) -> bytes:
        if self._file.flags & os.O_ACCMODE == os.O_WRONLY:
            raise fail(errno.EBADF)
        return bytes(self.node.content[offset : offset + size])

    def pwrite(self, data: bytes, offset: int) -> int:
        if self._file.flags & os.O_ACCMODE == os.O_RDONLY:
            raise fail(errno.EBADF)
        content = self.node.content
        if self._file.flags & os.O_APPEND:
            offset = len(content)
        if data:
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(data)] = data
            self.node.touch()
        return len(data)

    def read(self, size: int) -> bytes:
        data = self.pread(size, self._file.offset)
        self._file.offset += len(data)
        return data

    def write(self, data: bytes) -> int:
        if self._file.flags & os.O_APPEND:
            self._file.offset = len(self.node.content)
        written = self.pwrite(data, self._file.offset)
        self._file.offset += written
        return written

    def seek(self, offset: int) -> None:
        self._file.offset = offset

    def truncate(self, length: int) -> None:
        if self._file.flags & os.O_ACCMODE == os.O_RDONLY:
            raise fail(errno.EINVAL)
        self._model.resize(self.node, length)

    def fsync(self) -> None:
        self._settle()

    def chmod(self, mode: int) -> None:
        self.node.permissions = mode

    def utime(self, times: Times) -> None:
        _set_time(self.node, times)

    def dup(self) -> ModelHandle:
        return ModelHandle(self._model, self._file)

    def close(self) -> None:
        self._settle()

    def _settle(self) -> None:
        """Let the time of the directory change that the file is in, if this is the first save of a new file."""
        self._model.settle(self.node)


class Model:
    """The directory, with the ways in which kvassfs differs from a plain one if `kvassfs`.

    The name `%@` is for a directory's own value, which is a file or link; its key belongs to the directory
    above, so either's time may change with it. In the `root` of kvassfs there is none, and `%` is the name of the
    empty key: it may be a directory, but not have a value. A new file enters the store when it is first saved, so
    the time of its directory may change then, as well as at its creation or instead. Cutting a file to the
    length that it has is no change, and an exchange, which leaves the names in both directories as they are,
    need not change their times.
    """

    def __init__(self, *, kvassfs: bool, root: bool = False) -> None:
        self.root = Node(stat.S_IFDIR, 0o755)
        self._kvassfs = kvassfs
        self._keyless = {(EMPTY,), (VALUE_NAME,), (EMPTY, VALUE_NAME)} if root else set()
        self._unsaved: set[Node] = set()
        self._tree = Tree(self._type_of, self._target_of)

    # Walking

    def _node(self, parts: tuple[str, ...]) -> Node | None:
        node: Node | None = self.root
        for name in parts:
            node = node.entries.get(name) if node else None
        return node

    def _type_of(self, parts: tuple[str, ...]) -> int | None:
        node = self._node(parts)
        return node.type if node else None

    def _target_of(self, parts: tuple[str, ...]) -> str:
        return cast("Node", self._node(parts)).content.decode()

    def _find(self, path: str, *, follow: bool = False) -> Place:
        found = walk(self._tree, path, follow=follow)
        return Place(found, cast("Node", self._node(found.parts[:-1])), self._node(found.parts))

    def _existing(self, path: str, *, follow: bool = False) -> Node:
        node = self._find(path, follow=follow).node
        if node is None:
            raise fail(errno.ENOENT)
        return node

    def _check_name(self, place: Place, node: Node) -> None:
        """Refuse what would be a directory named `%@`, or a file whose key is empty."""
        if not self._kvassfs:
            return
        parts = place.found.parts
        file = parts if node.type != stat.S_IFDIR else (*parts, VALUE_NAME)
        if place.name == VALUE_NAME and file != parts:
            raise fail(errno.EINVAL)
        if file in self._keyless and (file == parts or VALUE_NAME in node.entries):
            raise fail(errno.EINVAL)

    def _add(self, place: Place, node: Node, *, settled: bool = True) -> None:
        if place.node is not None:
            raise fail(errno.EEXIST)
        self._check_name(place, node)
        place.parent.entries[place.name] = node
        if settled:
            self._changed(place)
        else:
            self._unsettle(place)

    def _changed(self, place: Place) -> None:
        """Change the time of the directory that a name came to or went from."""
        if self._kvassfs and place.name == VALUE_NAME:
            self._unsettle(place)
        else:
            place.parent.touch()

    # Calls

    def type_of(self, path: str) -> int | None:
        """The type of what the path leads to; None for nothing or an error."""
        try:
            return walk(self._tree, path, follow=True).type
        except OSError:
            return None

    def paths(self, type_: int | None = None) -> list[str]:
        """The paths of all nodes, or of all of one type; the directory itself is not among them."""
        return list(_paths(self.root, "", type_))

    def settle(self, node: Node) -> None:
        """Let the time of a directory change in which a new file is saved for the first time."""
        if self._kvassfs and node in self._unsaved:
            self._unsaved.remove(node)
            for path in self.paths():
                place = self._find(path)
                if place.node is node:
                    self._unsettle(place)

    def _unsettle(self, place: Place) -> None:
        place.parent.unsettled = True
        if place.name == VALUE_NAME:
            cast("Node", self._node(place.found.parts[:-2])).unsettled = True

    def open(self, path: str, flags: int, mode: int = 0o644) -> ModelHandle:
        exclusive = flags & os.O_CREAT and flags & os.O_EXCL
        place = self._find(path, follow=not exclusive)
        node = place.node
        if node is None:
            if not flags & os.O_CREAT:
                raise fail(errno.ENOENT)
            node = Node(stat.S_IFREG, mode & ~UMASK)
            self._add(place, node, settled=not self._kvassfs)
            self._unsaved.add(node)
        elif exclusive:
            raise fail(errno.EEXIST)
        elif node.type == stat.S_IFDIR:
            raise fail(errno.EISDIR)
        elif flags & os.O_TRUNC:
            node.content.clear()
            node.touch()
        return ModelHandle(self, Description(node, flags))

    def mkdir(self, path: str, mode: int = 0o755) -> None:
        self._add(self._find(path), Node(stat.S_IFDIR, mode & ~UMASK))

    def symlink(self, target: str, path: str) -> None:
        self._add(self._find(path), Node(stat.S_IFLNK, 0o777, bytearray(target.encode())))

    def readlink(self, path: str) -> str:
        node = self._existing(path)
        if node.type != stat.S_IFLNK:
            raise fail(errno.EINVAL)
        return node.content.decode()

    def rmdir(self, path: str) -> None:
        place = self._find(path)
        if place.node is None:
            raise fail(errno.ENOENT)
        if place.node.type != stat.S_IFDIR:
            raise fail(errno.ENOTDIR)
        if place.node.entries:
            raise fail(errno.ENOTEMPTY)
        self._remove(place)

    def unlink(self, path: str) -> None:
        place = self._find(path)
        if place.node is None:
            raise fail(errno.ENOENT)
        if place.node.type == stat.S_IFDIR:
            raise fail(errno.EISDIR)
        self._remove(place)

    def _remove(self, place: Place) -> None:
        del place.parent.entries[place.name]
        self._changed(place)

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        source, target = self._find(old), self._find(new)
        if source.node is None:
            raise fail(errno.ENOENT)
        if flags & RENAME_NOREPLACE and target.node is not None:
            raise fail(errno.EEXIST)
        if flags & RENAME_EXCHANGE and target.node is None:
            raise fail(errno.ENOENT)
        if target.found.is_below(source.found):
            raise fail(errno.EINVAL)
        if source.found.is_below(target.found):
            raise fail(errno.EINVAL if flags & RENAME_EXCHANGE else errno.ENOTEMPTY)
        if source.node is target.node:
            return
        if flags & RENAME_EXCHANGE:
            self._exchange(source, source.node, target, cast("Node", target.node))
        else:
            self._move(source, source.node, target)

    def _move(self, source: Place, node: Node, target: Place) -> None:
        if target.node is not None:
            _check_types(node, target.node)
        self._check_name(target, node)
        if target.node is not None and target.node.entries:
            raise fail(errno.ENOTEMPTY)
        del source.parent.entries[source.name]
        target.parent.entries[target.name] = node
        self._changed(source)
        self._changed(target)

    def _exchange(self, source: Place, one: Node, target: Place, other: Node) -> None:
        self._check_name(target, one)
        self._check_name(source, other)
        source.parent.entries[source.name] = other
        target.parent.entries[target.name] = one
        for place in (source, target):
            if self._kvassfs:
                self._unsettle(place)
            else:
                self._changed(place)

    def chmod(self, path: str, mode: int) -> None:
        self._existing(path, follow=True).permissions = mode

    def utime(self, path: str, times: Times, *, follow: bool = True) -> None:
        _set_time(self._existing(path, follow=follow), times)

    def truncate(self, path: str, length: int) -> None:
        node = self._existing(path, follow=True)
        if node.type == stat.S_IFDIR:
            raise fail(errno.EISDIR)
        self.resize(node, length)

    def resize(self, node: Node, length: int) -> None:
        if self._kvassfs and length == len(node.content):
            return
        del node.content[length:]
        node.content.extend(bytes(length - len(node.content)))
        node.touch()

    def names(self, path: str = "") -> list[str]:
        node = self._existing(path, follow=True)
        if node.type != stat.S_IFDIR:
            raise fail(errno.ENOTDIR)
        return sorted(node.entries)


@dataclass(frozen=True)
class Place:
    """Where a path leads: a name in a directory, and what stands there."""

    found: Found
    parent: Node
    node: Node | None

    @property
    def name(self) -> str:
        return self.found.parts[-1]


def _paths(node: Node, above: str, type_: int | None) -> Iterator[str]:
    for name, child in node.entries.items():
        if type_ is None or child.type == type_:
            yield above + name
        yield from _paths(child, f"{above}{name}/", type_)


def _check_types(node: Node, replaced: Node) -> None:
    is_directory, was_directory = node.type == stat.S_IFDIR, replaced.type == stat.S_IFDIR
    if is_directory != was_directory:
        raise fail(errno.ENOTDIR if is_directory else errno.EISDIR)


def _set_time(node: Node, times: Times) -> None:
    if times.mtime_now:
        node.touch()
    elif times.mtime is not None:
        node.mtime = times.mtime
