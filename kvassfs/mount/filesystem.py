"""What a file system does with the store: its semantics, without FUSE.

Every operation raises ``OSError`` or a ``KvassError``, which carries its ``errno`` as well. One thread.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ..errors import KvassError
from ..sharing.address import choose_base_url
from ..store import DIRECTORY_MODE, DirectoryRecord, Node, Store, Written
from . import paths
from . import xattrs as extended
from .namespace import HIDDEN, Namespace, failure, last_name, parent
from .openfile import Attributes, OpenFile, node_attributes
from .renaming import Renaming
from .scratch import ScratchNames

log = logging.getLogger(__name__)

__all__ = ["Attributes", "Filesystem"]


class Filesystem:
    """Shows the keys of ``store`` as files.

    ``scratch`` tells the names that stay on this machine, ``clock`` returns ns since the epoch, ``uid``
    and ``gid`` own every file. Paths are absolute, as the kernel shows them.
    """

    def __init__(
        self,
        store: Store,
        *,
        scratch: ScratchNames,
        clock: Callable[[], int],
        uid: int,
        gid: int,
        read_only: bool = False,
    ) -> None:
        self.uid = uid
        self.gid = gid
        self.now = clock
        self._store = store
        self._tree = store.tree
        self._scratch = scratch
        self._read_only = read_only
        self._names = Namespace(store.tree)
        self._renaming = Renaming(
            store.tree, self._names, is_scratch=self._is_scratch, unlink=self.unlink, save=self._save
        )
        self._handles: dict[int, _Handle] = {}
        self._listings: dict[int, list[tuple[str, Attributes]]] = {}
        self._next_handle = 0
        self._absent = ""

    def use_scratch(self, scratch: ScratchNames) -> None:
        """Tell scratch names by other patterns from now on; any thread may say so."""
        self._scratch = scratch

    def _is_scratch(self, key: str) -> bool:
        return self._scratch.matches(key)

    def _check_writable(self, path: str) -> None:
        self._absent = ""
        if self._read_only:
            raise failure(errno.EROFS, path)

    # Attributes

    def getattr(self, path: str, handle: int | None = None) -> Attributes:
        """Return the attributes of a file or directory."""
        if handle is not None:
            return self._handles[handle].file.attributes
        if path == "/":
            return _directory_attributes(self._tree.directory("") or _BARE)
        if HIDDEN in path and path in self._names.hidden:
            return self._names.hidden[path].attributes
        key, is_value = self._names.locate(path)
        record = self._names.directory(key)
        if record is not None and not is_value:
            return _directory_attributes(record)
        file = self._names.files.get(key)
        if file is not None:
            # Even where another process has replaced this version: the kernel has one inode for both, until
            # the watcher sets this one apart.
            return file.attributes
        node = self._tree.file(key)
        if node is None or (is_value and record is None):
            self._absent = path
            raise self._names.missing(path)
        return node_attributes(node)

    def chmod(self, path: str, mode: int, handle: int | None = None) -> None:
        """Change the permissions."""
        self._check_writable(path)
        permissions = stat.S_IMODE(mode)
        file = self._open_file(path, handle)
        if file is None and self._names.is_directory(path):
            prefix = self._names.prefix(path)
            record = self._tree.directory(prefix) or _BARE
            self._tree.set_directory(prefix, record._replace(mode=stat.S_IFDIR | permissions))
            return
        if file is not None and (file.dirty or file.key is None):
            file.mode = stat.S_IFMT(file.mode) | permissions
            file.ctime = self.now()
            return
        node = self._stored_node(path, file)
        if node is not None and node.mode != stat.S_IFMT(node.mode) | permissions:
            node = self._tree.set_mode(node, stat.S_IFMT(node.mode) | permissions)
            if node is not None and file is not None:
                file.renewed(node)

    def chown(self, path: str, uid: int, gid: int, handle: int | None = None) -> None:
        """Refuse another owner; every file belongs to the user of the mount."""
        self._check_writable(path)
        self.getattr(path, handle)
        if uid not in (-1, self.uid) or gid not in (-1, self.gid):
            raise failure(errno.EPERM, path)

    def utimens(self, path: str, atime: int | None, mtime: int | None, handle: int | None = None) -> None:
        """Set the times (ns since the epoch); ``None`` leaves one as it is."""
        self._check_writable(path)
        atime, mtime = _storable(atime), _storable(mtime)
        file = self._open_file(path, handle)
        if file is None and self._names.is_directory(path):
            self._set_directory_times(self._names.prefix(path), atime, mtime)
            return
        if file is not None:
            file.set_times(mtime, atime)
            if file.dirty or file.key is None:
                return
        node = self._stored_node(path, file)
        if node is not None:
            self._tree.set_times(node, mtime, atime, file.ctime if file is not None else self.now())

    def _open_file(self, path: str, handle: int | None) -> OpenFile | None:
        return self._names.open_file(path) if handle is None else self._handles[handle].file

    def _stored_node(self, path: str, file: OpenFile | None) -> Node | None:
        """Return what the store has of a file, which may be open under another key than ``path`` says."""
        if file is None or file.key is None:
            return self._names.file(path)
        return self._tree.file(file.key)

    def _set_directory_times(self, prefix: str, atime: int | None, mtime: int | None) -> None:
        record = self._tree.directory(prefix) or _BARE
        if mtime is not None:
            record = record._replace(mtime=mtime)
        if atime is not None:
            record = record._replace(atime=atime)
        self._tree.set_directory(prefix, record)

    def statfs(self) -> os.statvfs_result:
        """Return the figures of the disk that holds the database."""
        figures = os.statvfs(self._store.path)
        return os.statvfs_result((*figures[:9], paths.NAME_MAX, figures.f_fsid))

    def getxattr(self, path: str, name: str) -> bytes:
        """Return an extended attribute; see ``attributes``."""
        if not name.startswith(extended.PREFIX):
            raise failure(errno.ENODATA, path)
        values = self._extended(path)
        if name not in values:
            raise failure(errno.ENODATA, path)
        return values[name]

    def listxattr(self, path: str) -> list[str]:
        """Return the names of the extended attributes."""
        return list(self._extended(path))

    def _extended(self, path: str) -> dict[str, bytes]:
        if self._names.is_directory(path) or path in self._names.hidden:
            return {}
        row = self._tree.entry(self._names.locate(path)[0])
        if row is None:
            return {}
        return extended.values(
            row, choose_base_url(self._store.settings.public_url(), self._store.settings.config().remote)
        )

    def setxattr(self, path: str, name: str, value: bytes, flags: int) -> None:
        """Refuse: the attributes are read-only, and there are no others."""
        raise failure(errno.ENOTSUP, path)

    def removexattr(self, path: str, name: str) -> None:
        """Refuse, as ``setxattr``."""
        raise failure(errno.ENOTSUP, path)

    # Directories

    def mkdir(self, path: str, mode: int) -> None:
        """Make a directory."""
        self._check_writable(path)
        if path == "/":
            raise failure(errno.EEXIST, path)
        key = self._names.new(path, directory=True)
        self._tree.make_directory(key + "/", stat.S_IFDIR | stat.S_IMODE(mode))

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        self._check_writable(path)
        prefix = self._names.prefix(path)
        if not prefix:
            raise failure(errno.EBUSY, path)
        if not self._names.is_empty(prefix):
            raise failure(errno.ENOTEMPTY, path)
        self._tree.remove_directory(prefix)

    def opendir(self, path: str) -> int:
        """Open a directory and return a handle to a snapshot of it."""
        listing = list(self._list(path))
        handle = self._new_handle()
        self._listings[handle] = listing
        return handle

    def readdir(self, handle: int) -> Sequence[tuple[str, Attributes]]:
        """Return names and attributes in the snapshot, ``.`` and ``..`` among them."""
        return self._listings[handle]

    def releasedir(self, handle: int) -> None:
        """End an open directory."""
        self._listings.pop(handle, None)

    def fsyncdir(self, handle: int) -> None:
        """Wait until what was changed has reached the disk."""
        self._store.flush()

    def _list(self, path: str) -> Iterator[tuple[str, Attributes]]:
        prefix = self._names.prefix(path)
        yield ".", self.getattr(path)
        yield "..", self.getattr(parent(path))
        found: dict[str, Attributes] = {}
        for component, node, record in self._tree.children(prefix):
            if record is not None:
                found[component] = _directory_attributes(record)
            elif node is not None:
                found[component] = node_attributes(node)
        self._add_open(prefix, found)
        if any(paths.is_shortened(component) for component in found):
            yield from ((name, found[component]) for name, component in paths.listed_names(found).items())
        else:
            yield from ((paths.file_name(component), attributes) for component, attributes in found.items())
        if len(prefix) > 1 and self._names.has_value(prefix[:-1]):
            yield paths.VALUE_NAME, self.getattr(f"{path}/{paths.VALUE_NAME}")

    def _add_open(self, prefix: str, found: dict[str, Attributes]) -> None:
        """Add what is open below ``prefix`` and newer than the store."""
        for key, file in self._names.files.items():
            if (file.dirty or not file.stored) and paths.parent(key) == prefix:
                component = key[len(prefix) :]
                if component not in found or not stat.S_ISDIR(found[component].mode):
                    found[component] = file.attributes

    # Files without handles

    def mknod(self, path: str, mode: int) -> None:
        """Make an empty regular file, the one kind that is supported."""
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise failure(errno.EPERM, path)
        self._check_writable(path)
        file = OpenFile.created(self._tree, self.now, self._names.new(path), mode)
        self._save(file)

    def symlink(self, target: str, path: str) -> None:
        """Make a symbolic link: an entry whose value is the target."""
        self._check_writable(path)
        key = self._names.new(path)
        draft = self._tree.draft()
        draft.write(0, target.encode())
        now = self.now() // 1000
        written = Written(mode=stat.S_IFLNK | 0o777)
        self._tree.save(key, draft, written, scratch=self._is_scratch(key), now=now, amends=None)

    def readlink(self, path: str) -> str:
        """Return the target of a symbolic link; ESTALE for what is one no more."""
        node = self._names.file(path)
        if not stat.S_ISLNK(node.mode):
            # The kernel asks for this of links alone: it was one when it looked. By this errno it looks anew.
            raise failure(errno.ESTALE, path)
        _, draft = self._tree.open(node.key)
        return draft.read(0, draft.size).decode()

    def link(self, old: str, new: str) -> None:
        """Refuse a hard link: a value has one key."""
        raise failure(errno.EPERM, new)

    def unlink(self, path: str) -> None:
        """Remove a file."""
        self._check_writable(path)
        if last_name(path).startswith(HIDDEN):
            self._names.hidden.pop(path, None)
            return
        if self._names.is_directory(path):
            raise failure(errno.EISDIR, path)
        key, _ = self._names.locate(path)
        # One that is open but not saved yet may have taken the name of one that is stored.
        if key not in self._names.files or self._tree.file(key) is not None:
            self._tree.unlink(self._names.file(path))
        self._names.detach(key)

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        """Rename a file or a directory; ``flags`` as in renameat2(2)."""
        self._check_writable(old)
        self._renaming.rename(old, new, flags)

    # Open files

    def create(self, path: str, mode: int, flags: int) -> int:
        """Make and open a regular file; with ``O_EXCL`` it must not be there."""
        # The kernel has looked the name up a moment ago: what was not there need not be looked up again.
        absent = path == self._absent
        self._check_writable(path)
        try:
            key = self._names.locate_new(path)[0] if absent else self._names.new(path)
        except FileExistsError:
            if flags & os.O_EXCL:
                raise
            return self.open(path, flags)
        file = OpenFile.created(self._tree, self.now, key, mode)
        self._names.files[key] = file
        return self._handle_of(file, flags)

    def open(self, path: str, flags: int) -> int:
        """Open a file; ``O_TRUNC`` empties it."""
        truncated = bool(flags & os.O_TRUNC)
        if truncated or flags & os.O_ACCMODE != os.O_RDONLY:
            self._check_writable(path)
        file = self._names.open_file(path)
        if file is not None and self._read_only and not self._names.is_current(file):
            file = None  # the watcher cannot set it apart
        if file is None:
            file = self._open_stored(path, truncated=truncated)
        elif truncated:
            file.restart()
        return self._handle_of(file, flags)

    def is_open(self, key: str) -> bool:
        """Whether a file is open; any thread may ask."""
        return key in self._names.files

    def shares_cache(self, handle: int) -> bool:
        """Whether the kernel may serve reads from what it read through other handles of the file.

        Not where an older version of the key is still open.
        """
        return not self._handles[handle].file.apart

    def _open_stored(self, path: str, *, truncated: bool) -> OpenFile:
        key, is_value = self._names.locate(path)
        if is_value and self._names.directory(key) is None:
            raise self._names.missing(path)
        file = OpenFile.of_key(self._tree, self.now, key, truncated=truncated)
        file.apart = key in self._names.files
        self._names.files[key] = file
        return file

    def _handle_of(self, file: OpenFile, flags: int) -> int:
        file.handles += 1
        handle = self._new_handle()
        writes = flags & os.O_ACCMODE != os.O_RDONLY
        self._handles[handle] = _Handle(file, writes, bool(flags & os.O_APPEND))
        return handle

    def _new_handle(self) -> int:
        self._next_handle += 1
        return self._next_handle

    def read(self, handle: int, size: int, offset: int) -> bytes:
        """Return at most ``size`` bytes from ``offset``; fewer only at the end of the file."""
        return self._handles[handle].file.draft.read(offset, size)

    def write(self, handle: int, data: bytes | memoryview, offset: int) -> int:
        """Put ``data`` at ``offset``, or at the end with ``O_APPEND``; return its length."""
        file, _, appends = self._handles[handle]
        file.write(file.draft.size if appends else offset, data)
        return len(data)

    def truncate(self, path: str, length: int, handle: int | None = None) -> None:
        """Cut or extend a file to ``length`` bytes."""
        self._check_writable(path)
        file = self._open_file(path, handle)
        if file is not None:
            clean = not file.dirty
            file.truncate(length)
            if handle is None and clean:
                self._save(file)
            return
        handle = self.open(path, os.O_RDWR)
        try:
            self._handles[handle].file.truncate(length)
            self.flush(handle)
        finally:
            self.release(handle)

    def flush(self, handle: int) -> None:
        """Save what was written, as one set; comes at each ``close``, whose error it is.

        Not yet saved is a file that was emptied and not written to: the shell closes a descriptor of the
        file of ``>`` before the command writes to another. ``release`` comes when the last one is closed.
        """
        file, writes, _ = self._handles[handle]
        if writes and not file.emptied:
            self._save(file)

    def _save(self, file: OpenFile) -> None:
        key = file.target
        if not file.dirty or key is None:
            return
        newer = self._tree.file(key)
        base = file.sequence
        file.save(scratch=self._is_scratch(key))
        if newer is not None and newer.sequence != base:
            log.warning("%r changed elsewhere while it was open here: this save wins, the other is a revision", key)
        if file.key is None:
            # The kernel has another inode under the name, for the version that was replaced now.
            self._store.feed.disown(key)

    def fsync(self, handle: int) -> None:
        """Save what was written and wait until it has reached the disk."""
        self._save(self._handles[handle].file)
        self._store.flush()

    def release(self, handle: int) -> None:
        """End an open file; nobody hears of its errors.

        Shared mappings may have written since ``flush``. What ``flush`` reported as failed stays so.
        """
        file, writes, _ = self._handles.pop(handle)
        file.handles -= 1
        try:
            if (writes or file.handles == 0) and not file.refused:
                self._save(file)
        finally:
            if file.handles == 0:
                self._names.forget(file)
                file.close()

    def close(self) -> None:
        """Save and end everything that is still open, one file's failure notwithstanding."""
        for handle in list(self._handles):
            try:
                self.release(handle)
            except (OSError, KvassError):
                log.exception("a file could not be saved at the end of the mount")
        self._listings.clear()
        self._names.hidden.clear()


class _Handle(NamedTuple):
    """One open of a file."""

    file: OpenFile
    writes: bool
    appends: bool


_BARE = DirectoryRecord(DIRECTORY_MODE, 0, 0, None)


def _directory_attributes(record: DirectoryRecord) -> Attributes:
    atime = record.mtime if record.atime is None else record.atime
    return Attributes(record.mode, 0, record.mtime, atime, record.changed, 2)


def _storable(time: int | None) -> int | None:
    """Return the nearest time that the store can hold: the years 1677 to 2262."""
    return None if time is None else max(-(2**63), min(time, 2**63 - 1))
