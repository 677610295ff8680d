"""Attributes of files and directories: what is shown of them, and changing it."""

from __future__ import annotations

import stat
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from ..clocks import clamp_time
from ..store import ROOT_INODE, Node, Store
from .namespace import HIDDEN, Namespace
from .open_files import OpenFiles
from .openfile import OpenFile
from .stat import DEFAULT_DIRECTORY, Attributes, directory_attributes, file_attributes

OWNERS = stat.S_ISUID | stat.S_ISGID
"""Permissions by which a file runs as its owner or group."""

REMEMBERED = 1000
"""Files of which is remembered that they were to have another owner; their permissions come next."""


class Metadata:
    """Shows and changes attributes, of an open file by its handle where there is one.

    ``clock`` returns ns since the epoch. The methods are as those of ``Filesystem``, where all may be changed.
    """

    def __init__(
        self,
        store: Store,
        names: Namespace,
        open_files: OpenFiles,
        *,
        is_scratch: Callable[[str], bool],
        clock: Callable[[], int],
    ) -> None:
        self._tree = store.tree
        self._names = names
        self._open_files = open_files
        self._is_scratch = is_scratch
        self._clock = clock
        self._foreign: deque[str] = deque(maxlen=REMEMBERED)

    def getattr(self, path: str, handle: int | None = None) -> Attributes:
        """Return the attributes of a file or directory."""
        if handle is not None:
            return self._open_files.handles[handle].file.attributes
        if path == "/":
            return directory_attributes(self._tree.directory("") or DEFAULT_DIRECTORY, ROOT_INODE)
        if HIDDEN in path and (hidden := self._open_files.hidden(path)) is not None:
            return hidden.attributes
        key, is_value = self._names.locate(path)
        record = self._names.directory(key)
        if record is not None and not is_value:
            return directory_attributes(record, self._tree.directory_inode(key + "/"))
        file = self._open_files.get(key)
        if file is not None:
            # Even where another process has replaced this version: the kernel has one inode for both, until
            # the invalidation sets this one apart.
            return file.attributes
        node = self._tree.file(key)
        if node is None or (is_value and record is None):
            raise self._names.explain_missing(path)
        return file_attributes(node)

    def chmod(self, path: str, mode: int, handle: int | None = None) -> None:
        """Change the permissions."""
        permissions = stat.S_IMODE(mode)
        file = self._open_file(path, handle)
        if file is None and self._names.is_directory(path):
            mode = stat.S_IFDIR | permissions
            self._tree.directories.set(self._names.prefix(path), mode=mode, is_scratch=self._is_scratch)
            return
        if permissions & OWNERS and self._key(path, file) in self._foreign:
            permissions &= ~OWNERS
        if file is not None and (file.is_dirty or not file.is_attached):
            file.set_permissions(permissions)
        else:
            self._chmod_stored(self._stored_node(path, file), permissions, file)

    def note_owner(self, path: str, handle: int | None = None, *, is_foreign: bool) -> None:
        """Note that somebody gave a file to the mount's user, or with ``is_foreign`` to another, who does not get it.

        What copies another's file gives it its permissions next. Those by which it runs as its owner are refused then:
        it would run as the wrong one.
        """
        key = self._key(path, self._open_file(path, handle))
        with suppress(ValueError):
            self._foreign.remove(key)
        if is_foreign:
            self._foreign.append(key)

    def _chmod_stored(self, node: Node | None, permissions: int, file: OpenFile | None) -> None:
        if node is None or node.mode == stat.S_IFMT(node.mode) | permissions:
            return
        changed = self._tree.set_mode(node, stat.S_IFMT(node.mode) | permissions)
        if changed is not None and file is not None:
            file.follow(changed)

    def utimens(self, path: str, atime: int | None, mtime: int | None, handle: int | None = None) -> None:
        """Set the times (ns since the epoch); ``None`` leaves one as it is."""
        atime, mtime = _clamp(atime), _clamp(mtime)
        file = self._open_file(path, handle)
        if file is None and self._names.is_directory(path):
            prefix = self._names.prefix(path)
            self._tree.directories.set(prefix, mtime=mtime, atime=atime, is_scratch=self._is_scratch)
            return
        if file is not None:
            file.set_times(mtime, atime)
            if file.is_dirty or not file.is_attached:
                return
        node = self._stored_node(path, file)
        if node is not None:
            changed = self._tree.set_times(node, mtime, atime, file.ctime if file is not None else self._clock())
            if changed is not None and file is not None:
                file.follow(changed)

    def _key(self, path: str, file: OpenFile | None) -> str:
        return self._names.locate(path)[0] if file is None else file.place.key

    def _open_file(self, path: str, handle: int | None) -> OpenFile | None:
        return self._names.open_file(path) if handle is None else self._open_files.handles[handle].file

    def _stored_node(self, path: str, file: OpenFile | None) -> Node | None:
        """Return what the store has of a file, which may be open under another key than ``path`` says."""
        return self._names.file(path) if file is None else self._tree.file(file.place.key)


def _clamp(time: int | None) -> int | None:
    return None if time is None else clamp_time(time)
