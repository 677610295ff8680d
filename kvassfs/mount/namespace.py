"""Names of the mount: what a path stands for, among what is stored and what is open."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable

from .. import paths
from ..entry import MAX_TARGET, is_target
from ..share_link import check_new_key
from ..store import DirectoryRecord, Draft, Node, Tree
from .open_files import OpenFiles
from .openfile import OpenFile

HIDDEN = ".fuse_hidden"
"""How libfuse begins the name under which it hides a file that lost its own while open."""


def make_error(number: int, path: str) -> OSError:
    """Return the error of a system call that failed for ``path``."""
    return OSError(number, os.strerror(number), path)


def read_target(link: Draft, path: str) -> str:
    """Return where the symbolic link at ``path`` leads, whose value is ``link``; EIO if no link can lead there.

    Programs of before took such values from others.
    """
    target = link.read(0, min(link.size, MAX_TARGET + 1))
    if not is_target(target):
        raise make_error(errno.EIO, path)
    return target.decode()


def parent(path: str) -> str:
    """Return the path of the directory that a path lies in."""
    return path.rpartition("/")[0] or "/"


def last_name(path: str) -> str:
    """Return the last file name of a path."""
    return path.rpartition("/")[2]


def find_prefix(names: Iterable[str], siblings: Callable[[str, str], Iterable[str]]) -> str:
    """Return the prefix of the directory that file names lead to from the root, whether it is there or not.

    ``siblings`` returns the components below a prefix that begin as it is told. Raises InvalidName.
    """
    prefix = ""
    for name in names:
        prefix += _find_component(prefix, name, siblings) + "/"
    return prefix


def _find_component(prefix: str, name: str, siblings: Callable[[str, str], Iterable[str]]) -> str:
    if not paths.is_shortened(name):
        return paths.component(name, in_root=not prefix)
    return paths.resolve(name, siblings(prefix, paths.search_prefix(name)), in_root=not prefix)


class Namespace:
    """Finds keys, files and directories by path; changes nothing."""

    def __init__(self, tree: Tree, open_files: OpenFiles) -> None:
        self._tree = tree
        self._open_files = open_files

    def locate(self, path: str) -> tuple[str, bool]:
        """Return the key that a path names, and whether it names the value of a directory's key."""
        if "%" not in path:
            return paths.key_of(path), False
        *above, last = path[1:].split("/")
        prefix = find_prefix(above, self._tree.siblings)
        if last == paths.VALUE_NAME:
            if len(prefix) < 2:  # the root has no key, nor has the directory of an empty component in it
                raise make_error(errno.ENOENT, path)
            return prefix[:-1], True
        return prefix + _find_component(prefix, last, self._tree.siblings), False

    def file(self, path: str) -> Node:
        """Return the file in the store that a path names."""
        key, is_value = self.locate(path)
        node = self._tree.file(key)
        if node is None or is_value is (self.directory(key) is None):
            raise self.explain_missing(path)
        return node

    def directory(self, key: str) -> DirectoryRecord | None:
        """Return the directory that lists the keys below ``key``, if there is one."""
        return self._tree.directory(key + "/")

    def prefix(self, path: str) -> str:
        """Return the prefix of the directory that a path names."""
        if path == "/":
            return ""
        key, is_value = self.locate(path)
        if is_value or self.directory(key) is None:
            if is_value or self.has_value(key):
                raise make_error(errno.ENOTDIR, path)
            raise self.explain_missing(path)
        return key + "/"

    def explain_missing(self, path: str) -> OSError:
        """Return why there is nothing at ``path``: a component above it may be a file."""
        above = path.rpartition("/")[0]
        if above:
            try:
                self.prefix(above)
            except OSError as error:
                return make_error(error.errno or errno.ENOENT, path)
        return make_error(errno.ENOENT, path)

    def locate_free(self, path: str, *, directory: bool = False) -> str:
        """Return the key for a new name, whose directory exists and which is free."""
        key, is_value = self.locate_new(path, directory=directory)
        if self.has_value(key) or (not is_value and self.directory(key)):
            raise make_error(errno.EEXIST, path)
        return key

    def locate_new(self, path: str, *, directory: bool = False) -> tuple[str, bool]:
        """Return what ``locate`` does for a name that may be made, in a directory that exists.

        Not every name can be made: neither the root nor the directory of the empty component in it has
        a value, and the file of that component would be that of no key.
        """
        above = self.prefix(parent(path))
        if path.endswith("/" + paths.VALUE_NAME) and (directory or len(above) < 2):
            raise make_error(errno.EINVAL, path)
        key, is_value = self.locate(path)
        if not key and not directory:
            raise make_error(errno.EINVAL, path)
        if key:
            check_new_key(f"{key}/" if directory else key)
        return key, is_value

    def is_directory(self, path: str) -> bool:
        """Whether there is a directory at ``path``."""
        if path == "/":
            return True
        key, is_value = self.locate(path)
        return not is_value and self.directory(key) is not None

    def has_value(self, key: str) -> bool:
        """Whether there is a file with the value of ``key``."""
        return key in self._open_files or self._tree.file(key) is not None

    def is_empty(self, prefix: str) -> bool:
        """Whether a directory is empty, counting files that are open but not in the store yet."""
        return not self._open_files.any_unsaved_below(prefix) and self._tree.is_empty(prefix)

    def open_file(self, path: str) -> OpenFile | None:
        """Return the open file at ``path``."""
        hidden = self._open_files.hidden(path)
        if hidden is not None:
            return hidden
        if not self._open_files.handles or path == "/":
            return None
        key, is_value = self.locate(path)
        file = self._open_files.get(key)
        if file is None or (not is_value and self.directory(key)):
            return None
        return file
