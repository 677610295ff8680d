"""What a file system does with the store: its semantics, without FUSE.

Every operation raises ``OSError`` or a ``KvassError``, which carries its ``errno`` as well. One thread.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ..store import DIRECTORY_MODE, INLINE_LIMIT, DirectoryRecord, Node, Store, Written
from . import attributes as extended
from . import names
from .openfile import Attributes, OpenFile, node_attributes
from .scratch import ScratchNames

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
"""Flags of renameat2(2)."""

HIDDEN = ".fuse_hidden"
"""How libfuse begins the name under which it hides a file that lost its own while open."""

SUPERSEDED = ".fuse_hidden_superseded"
"""How ``Watcher`` begins the name to which it renames an open file whose key another process changed, so
that the kernel keeps the version that was opened apart from the new one."""


EXCHANGED = ".kvass_exchange"
"""Ends the name that a directory has for a moment, inside one transaction, while two exchange theirs."""


def failure(number: int, path: str) -> OSError:
    """Return the error of a system call that failed for ``path``."""
    return OSError(number, os.strerror(number), path)


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
        self._files: dict[str, OpenFile] = {}
        self._hidden: dict[str, OpenFile] = {}
        self._handles: dict[int, _Handle] = {}
        self._listings: dict[int, list[tuple[str, Attributes]]] = {}
        self._next_handle = 0
        store.contents.register()
        store.database.relax()

    # Names

    def _locate(self, path: str) -> tuple[str, bool]:
        """Return the key that a path names, and whether it names the value of a directory's key."""
        if "%" not in path:
            return names.key_of(path), False
        *above, last = path[1:].split("/")
        prefix = ""
        for name in above:
            prefix += self._component(prefix, name) + "/"
        if last == names.VALUE_NAME:
            if len(prefix) < 2:  # the root has no key, nor has the directory of an empty component in it
                raise failure(errno.ENOENT, path)
            return prefix[:-1], True
        return prefix + self._component(prefix, last), False

    def _component(self, prefix: str, name: str) -> str:
        if not names.is_shortened(name):
            return names.component(name)
        return names.resolve(name, self._tree.siblings(prefix, names.search_prefix(name)))

    def _file(self, path: str) -> Node:
        """Return the file in the store that a path names."""
        key, is_value = self._locate(path)
        node = self._tree.file(key)
        if node is None or is_value is (self._directory(key) is None):
            raise self._missing(path)
        return node

    def _directory(self, key: str) -> DirectoryRecord | None:
        return self._tree.directory(key + "/")

    def _prefix(self, path: str) -> str:
        """Return the prefix of the directory that a path names."""
        if path == "/":
            return ""
        key, is_value = self._locate(path)
        if is_value or self._directory(key) is None:
            if is_value or self._files.get(key) or self._tree.file(key):
                raise failure(errno.ENOTDIR, path)
            raise self._missing(path)
        return key + "/"

    def _missing(self, path: str) -> OSError:
        """Return why there is nothing at ``path``: a component above it may be a file."""
        above = path.rpartition("/")[0]
        if above:
            try:
                self._prefix(above)
            except OSError as error:
                return failure(error.errno or errno.ENOENT, path)
        return failure(errno.ENOENT, path)

    def _new(self, path: str) -> str:
        """Return the key for a new name, whose directory exists and which is free."""
        self._check_writable(path)
        key, is_value = self._locate_new(path)
        if self._files.get(key) or self._tree.file(key) or (not is_value and self._directory(key)):
            raise failure(errno.EEXIST, path)
        return key

    def _locate_new(self, path: str) -> tuple[str, bool]:
        """Return what ``_locate`` does for a name that may be made, in a directory that exists."""
        above = self._prefix(path.rpartition("/")[0] or "/")
        if len(above) < 2 and path.endswith("/" + names.VALUE_NAME):
            raise failure(errno.EINVAL, path)
        return self._locate(path)

    def _check_writable(self, path: str) -> None:
        if self._read_only:
            raise failure(errno.EROFS, path)

    # Attributes

    def getattr(self, path: str, handle: int | None = None) -> Attributes:
        """Return the attributes of a file or directory."""
        if handle is not None:
            return self._handles[handle].file.attributes
        if path == "/":
            return _directory_attributes(self._tree.directory("") or _BARE)
        if HIDDEN in path and path in self._hidden:
            return self._hidden[path].attributes
        key, is_value = self._locate(path)
        record = self._directory(key)
        if record is not None and not is_value:
            return _directory_attributes(record)
        file = self._files.get(key)
        if file is not None and (file.dirty or not file.stored):
            return file.attributes
        node = self._tree.file(key)
        if node is None or (is_value and record is None):
            raise self._missing(path)
        return node_attributes(node)

    def chmod(self, path: str, mode: int, handle: int | None = None) -> None:
        """Change the permissions."""
        self._check_writable(path)
        permissions = stat.S_IMODE(mode)
        file = self._open_file(path, handle)
        if file is None and self._is_directory(path):
            prefix = self._prefix(path)
            record = self._tree.directory(prefix) or _BARE
            self._tree.set_directory(prefix, record._replace(mode=stat.S_IFDIR | permissions))
            return
        if file is not None and (file.dirty or file.key is None):
            file.mode = stat.S_IFMT(file.mode) | permissions
            file.ctime = self.now()
            return
        node = self._file(path) if file is None or file.key is None else self._tree.file(file.key)
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
        file = self._open_file(path, handle)
        if file is None and self._is_directory(path):
            self._set_directory_times(self._prefix(path), atime, mtime)
            return
        if file is not None:
            file.set_times(mtime, atime)
            if file.dirty or file.key is None:
                return
        node = self._file(path) if file is None or file.key is None else self._tree.file(file.key)
        if node is not None:
            self._tree.set_times(node, mtime, atime, file.ctime if file is not None else self.now())

    def _set_directory_times(self, prefix: str, atime: int | None, mtime: int | None) -> None:
        record = self._tree.directory(prefix) or _BARE
        if mtime is not None:
            record = record._replace(mtime=mtime)
        if atime is not None:
            record = record._replace(atime=atime)
        self._tree.set_directory(prefix, record)

    def _is_directory(self, path: str) -> bool:
        if path == "/":
            return True
        key, is_value = self._locate(path)
        return not is_value and self._directory(key) is not None

    def _open_file(self, path: str, handle: int | None = None) -> OpenFile | None:
        """Return the open file at a path, whose buffer is newer than the store or will be."""
        if handle is not None:
            return self._handles[handle].file
        if path in self._hidden:
            return self._hidden[path]
        if not self._files or path == "/":
            return None
        key, is_value = self._locate(path)
        file = self._files.get(key)
        if file is None or (not is_value and self._directory(key)):
            return None
        return file if file.dirty or self._is_current(file) else None

    def _is_current(self, file: OpenFile) -> bool:
        """Whether no other process has changed the file's key since it was opened."""
        if file.dirty:
            return True
        if file.key is None:
            return False
        node = self._tree.file(file.key)
        return node is not None and node.sequence == file.sequence

    def statfs(self) -> os.statvfs_result:
        """Return the figures of the disk that holds the database."""
        figures = list(os.statvfs(self._store.path))
        figures[9] = names.NAME_MAX
        return os.statvfs_result(figures)

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
        if self._is_directory(path) or path in self._hidden:
            return {}
        row = self._tree.entry(self._locate(path)[0])
        return {} if row is None else extended.values(row)

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
        if path == "/" or path.endswith("/" + names.VALUE_NAME):
            raise failure(errno.EEXIST if path == "/" else errno.EINVAL, path)
        self._tree.make_directory(self._new(path) + "/", stat.S_IFDIR | stat.S_IMODE(mode))

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        self._check_writable(path)
        prefix = self._prefix(path)
        if not prefix:
            raise failure(errno.EBUSY, path)
        if not self._is_empty(prefix):
            raise failure(errno.ENOTEMPTY, path)
        self._tree.remove_directory(prefix)

    def _is_empty(self, prefix: str) -> bool:
        if any(key.startswith(prefix) for key in self._files):
            # A file may be open that is not in the store yet; names that are in the store count anyway.
            unsaved = [file for key, file in self._files.items() if key.startswith(prefix) and not file.stored]
            if unsaved:
                return False
        return self._tree.is_empty(prefix)

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
        self._store.sync()

    def _list(self, path: str) -> Iterator[tuple[str, Attributes]]:
        prefix = self._prefix(path)
        yield ".", self.getattr(path)
        yield "..", self.getattr(path.rpartition("/")[0] or "/")
        found: dict[str, Attributes] = {}
        for component, node, record in self._tree.children(prefix):
            if record is not None:
                found[component] = _directory_attributes(record)
            elif node is not None:
                found[component] = node_attributes(node)
        self._add_open(prefix, found)
        for name, component in names.listed_names(found).items():
            yield name, found[component]
        if len(prefix) > 1 and self._has_value(prefix[:-1]):
            yield names.VALUE_NAME, self.getattr(f"{path}/{names.VALUE_NAME}")

    def _add_open(self, prefix: str, found: dict[str, Attributes]) -> None:
        """Add what is open below ``prefix`` and newer than the store."""
        for key, file in self._files.items():
            if (file.dirty or not file.stored) and names.parent(key) == prefix:
                component = key[len(prefix) :]
                if component not in found or not stat.S_ISDIR(found[component].mode):
                    found[component] = file.attributes

    def _has_value(self, key: str) -> bool:
        return key in self._files or self._tree.file(key) is not None

    # Files without handles

    def mknod(self, path: str, mode: int) -> None:
        """Make an empty regular file, the one kind that is supported."""
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise failure(errno.EPERM, path)
        file = OpenFile.created(self._tree, self.now, self._new(path), mode)
        self._save(file)

    def symlink(self, target: str, path: str) -> None:
        """Make a symbolic link: an entry whose value is the target."""
        key = self._new(path)
        draft = self._tree.draft()
        draft.write(0, target.encode())
        now = self.now() // 1000
        written = Written(mode=stat.S_IFLNK | 0o777)
        self._tree.save(key, draft, written, scratch=self._scratch.matches(key), now=now, amends=None)

    def readlink(self, path: str) -> str:
        """Return the target of a symbolic link."""
        node = self._file(path)
        if not stat.S_ISLNK(node.mode):
            raise failure(errno.EINVAL, path)
        return self._tree.draft(node).read(0, node.size).decode()

    def link(self, old: str, new: str) -> None:
        """Refuse a hard link: a value has one key."""
        raise failure(errno.EPERM, new)

    def unlink(self, path: str) -> None:
        """Remove a file."""
        self._check_writable(path)
        if path.rpartition("/")[2].startswith(HIDDEN):
            self._hidden.pop(path, None)
            return
        if self._is_directory(path):
            raise failure(errno.EISDIR, path)
        key, _ = self._locate(path)
        file = self._files.get(key)
        if file is None or file.stored:
            self._tree.unlink(self._file(path))
        self._detach(key)

    def _detach(self, key: str) -> OpenFile | None:
        """Take its name from an open file; its handles go on."""
        file = self._files.pop(key, None)
        if file is not None:
            file.key = None
        return file

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        """Rename a file or a directory; ``flags`` as in renameat2(2)."""
        self._check_writable(old)
        if flags not in (0, RENAME_NOREPLACE, RENAME_EXCHANGE):
            raise failure(errno.EINVAL, old)
        if new.rpartition("/")[2].startswith(HIDDEN):
            self._hide(old, new)
        elif flags == RENAME_EXCHANGE:
            self._exchange(old, new)
        elif self._is_directory(old):
            self._rename_directory(old, new, flags)
        else:
            self._rename_file(old, new, flags)

    def _hide(self, old: str, new: str) -> None:
        """Remove a file that is open, as libfuse asks for it: by a name to find it under."""
        key, _ = self._locate(old)
        file = self._files.get(key)
        if not new.rpartition("/")[2].startswith(SUPERSEDED):
            self.unlink(old)
        elif file is None or self._is_current(file):
            raise failure(errno.EBUSY, old)
        else:
            self._detach(key)
        if file is not None:
            self._hidden[new] = file

    def _rename_file(self, old: str, new: str, flags: int) -> None:
        old_key, _ = self._locate(old)
        file = self._files.get(old_key)
        node = self._file(old) if file is None or file.stored else None
        new_key, target_exists = self._target(new, flags)
        if old_key == new_key:
            return
        if target_exists:
            self._detach(new_key)
        moved = None
        if node is not None:
            moved = self._tree.rename(node, new_key, scratch=self._scratch.matches(new_key))
        if file is not None:
            del self._files[old_key]
            file.moved(new_key, moved)
            self._files[new_key] = file

    def _target(self, path: str, flags: int) -> tuple[str, bool]:
        """Return the key to rename a file to, and whether it is there already."""
        key, is_value = self._locate_new(path)
        is_directory = not is_value and self._directory(key) is not None
        exists = is_directory or self._has_value(key)
        if exists and flags == RENAME_NOREPLACE:
            raise failure(errno.EEXIST, path)
        if is_directory:
            raise failure(errno.EISDIR, path)
        return key, exists

    def _exchange(self, one: str, other: str) -> None:
        """Exchange two names, whatever they are."""
        for path in (one, other):
            self.getattr(path)
        if one == other:
            return
        if (one + "/").startswith(other + "/") or (other + "/").startswith(one + "/"):
            raise failure(errno.EINVAL, one)
        if self._is_directory(one) or self._is_directory(other):
            aside = f"{one}{EXCHANGED}"
            with self._tree.transaction:
                self.rename(one, aside)
                self.rename(other, one)
                self.rename(aside, other)
        else:
            self._exchange_files(one, other)

    def _exchange_files(self, one: str, other: str) -> None:
        for path in (one, other):
            file = self._files.get(self._locate(path)[0])
            if file is not None:
                self._save(file)
        node, other_node = self._file(one), self._file(other)
        self._tree.exchange(node, other_node, is_scratch=self._scratch.matches)
        files = {key: self._files.pop(key, None) for key in (node.key, other_node.key)}
        for key, file in ((other_node.key, files[node.key]), (node.key, files[other_node.key])):
            if file is not None:
                file.moved(key, self._tree.file(key))
                self._files[key] = file

    def _rename_directory(self, old: str, new: str, flags: int) -> None:
        old_prefix = self._prefix(old)
        if not old_prefix:
            raise failure(errno.EBUSY, old)
        key, is_value = self._locate_new(new)
        if is_value:
            raise failure(errno.EINVAL, new)
        new_prefix = key + "/"
        if new_prefix == old_prefix:
            return
        if new_prefix.startswith(old_prefix):
            raise failure(errno.EINVAL, new)
        self._check_directory_target(new, new_prefix, flags)
        self._tree.rename_directory(old_prefix, new_prefix, is_scratch=self._scratch.matches)
        self._move_open(old_prefix, new_prefix)
        for path in [path for path in self._hidden if path.startswith(old + "/")]:
            self._hidden[new + path[len(old) :]] = self._hidden.pop(path)

    def _check_directory_target(self, path: str, prefix: str, flags: int) -> None:
        is_directory = self._tree.directory(prefix) is not None
        has_value = self._has_value(prefix[:-1])
        if (is_directory or has_value) and flags == RENAME_NOREPLACE:
            raise failure(errno.EEXIST, path)
        if has_value and not is_directory:
            raise failure(errno.ENOTDIR, path)
        if is_directory and (has_value or not self._is_empty(prefix)):
            raise failure(errno.ENOTEMPTY, path)

    def _move_open(self, old: str, new: str) -> None:
        """Go on with the files open below a directory that was renamed."""
        for key in [key for key in self._files if key.startswith(old) or key == old[:-1]]:
            file = self._files.pop(key)
            moved = new[:-1] if key == old[:-1] else new + key[len(old) :]
            file.moved(moved, self._tree.file(moved) if file.stored else None)
            self._files[moved] = file

    # Open files

    def create(self, path: str, mode: int, flags: int) -> int:
        """Make and open a regular file; with ``O_EXCL`` it must not be there."""
        try:
            key = self._new(path)
        except FileExistsError:
            if flags & os.O_EXCL:
                raise
            return self.open(path, flags)
        file = OpenFile.created(self._tree, self.now, key, mode)
        self._files[key] = file
        return self._handle_of(file, flags)

    def open(self, path: str, flags: int) -> int:
        """Open a file; ``O_TRUNC`` empties it."""
        truncated = bool(flags & os.O_TRUNC)
        if truncated or flags & os.O_ACCMODE != os.O_RDONLY:
            self._check_writable(path)
        file = self._open_file(path)
        if file is None:
            file = self._open_stored(path, truncated=truncated)
        elif truncated:
            file.restart()
        return self._handle_of(file, flags)

    def is_open(self, key: str) -> bool:
        """Whether a file is open; any thread may ask."""
        return key in self._files

    def shares_cache(self, handle: int) -> bool:
        """Whether the kernel may serve reads from what it read through other handles of the file.

        Not where an older version of the key is still open.
        """
        return not self._handles[handle].file.apart

    def _open_stored(self, path: str, *, truncated: bool = False) -> OpenFile:
        node = self._file(path)
        if node.size <= INLINE_LIMIT or truncated:
            file = OpenFile.of_node(self._tree, self.now, node, truncated=truncated)
        else:
            # The version found must not go before it is pinned.
            with self._tree.transaction:
                file = OpenFile.of_node(self._tree, self.now, self._file(path))
        file.apart = node.key in self._files
        self._files[node.key] = file
        return file

    def _handle_of(self, file: OpenFile, flags: int) -> int:
        file.handles += 1
        handle = self._new_handle()
        self._handles[handle] = _Handle(file, bool(flags & os.O_APPEND))
        return handle

    def _new_handle(self) -> int:
        self._next_handle += 1
        return self._next_handle

    def read(self, handle: int, size: int, offset: int) -> bytes:
        """Return at most ``size`` bytes from ``offset``; fewer only at the end of the file."""
        return self._handles[handle].file.draft.read(offset, size)

    def write(self, handle: int, data: bytes | memoryview, offset: int) -> int:
        """Put ``data`` at ``offset``, or at the end with ``O_APPEND``; return its length."""
        file, appends = self._handles[handle]
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
        """Save what was written, as one set; comes at each ``close``, whose error it is."""
        self._save(self._handles[handle].file)

    def _save(self, file: OpenFile) -> None:
        if file.dirty and file.key is not None:
            file.save(scratch=self._scratch.matches(file.key))

    def fsync(self, handle: int) -> None:
        """Save what was written and wait until it has reached the disk."""
        self.flush(handle)
        self._store.sync()

    def release(self, handle: int) -> None:
        """End an open file; nobody hears of its errors. Shared mappings may have written since ``flush``."""
        file = self._handles.pop(handle).file
        file.handles -= 1
        try:
            self._save(file)
        finally:
            if file.handles == 0:
                self._forget(file)

    def _forget(self, file: OpenFile) -> None:
        if file.key is not None and self._files.get(file.key) is file:
            del self._files[file.key]
        for path in [path for path, hidden in self._hidden.items() if hidden is file]:
            del self._hidden[path]
        file.close()

    def close(self) -> None:
        """Save and end everything that is still open."""
        for handle in list(self._handles):
            self.release(handle)
        self._listings.clear()
        self._hidden.clear()


class _Handle(NamedTuple):
    """One open of a file."""

    file: OpenFile
    appends: bool


_BARE = DirectoryRecord(DIRECTORY_MODE, 0, 0, None)


def _directory_attributes(record: DirectoryRecord) -> Attributes:
    atime = record.mtime if record.atime is None else record.atime
    return Attributes(record.mode, 0, record.mtime, atime, record.changed, 2)
