"""What a file system does with the store: its semantics, without FUSE.

Every operation raises ``OSError`` or a ``KvassError``, which carries its ``errno`` as well. One thread.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping

from .. import paths
from ..clocks import bound_clock
from ..scratch import ScratchNames
from ..store import Store
from .directories import Directories
from .dot_directory import Describe, DotDirectory
from .dot_paths import DOT_PATH, is_dotted
from .file_io import FileIO
from .metadata import Metadata
from .namespace import Namespace, make_error
from .open_files import OpenFiles
from .renaming import Renaming, make_superseded_prefix
from .stat import Attributes
from .xattrs import FileXattrs

__all__ = ["Attributes", "Filesystem"]


class Filesystem:
    """Shows the keys of ``store`` as files.

    ``scratch`` tells the names that stay on this machine, ``clock`` returns ns since the epoch, ``uid``
    and ``gid`` own every file; ``texts`` has those of the dot directory, by name. Paths are absolute, as the kernel shows
    them.

    There is one method for each operation of a file system, so there are more than 25. Each decides only whether
    the operation is allowed, and whether it is for the dot directory; what it does is in ``Metadata``, ``FileXattrs``,
    ``Directories``, ``FileIO``, ``Renaming`` and ``DotDirectory``.
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
        texts: Mapping[str, Describe] | None = None,
    ) -> None:
        clock = bound_clock(clock)
        self.uid, self.gid, self.now = uid, gid, clock
        self.superseded = make_superseded_prefix()
        self._store, self._scratch, self._read_only = store, scratch, read_only
        self._absent = ""
        self._open_files = OpenFiles()
        names = Namespace(store.tree, self._open_files)
        self._metadata = Metadata(store, names, self._open_files, is_scratch=self._is_scratch, clock=clock)
        self._xattrs = FileXattrs(store, names, clock)
        self._directories = Directories(store.tree, names, self._open_files, self._is_scratch, self._metadata.getattr)
        self._files = FileIO(
            store, names, self._open_files, is_scratch=self._is_scratch, clock=clock, read_only=read_only
        )
        self._renaming = Renaming(
            store,
            names,
            self._open_files,
            is_scratch=self._is_scratch,
            in_trash=self._in_trash,
            save=self._files.save,
            superseded=self.superseded,
        )
        self._dot = DotDirectory(store, self._open_files, texts=texts or {}, clock=clock)

    def publish_directories(self) -> None:
        """Have directories that stayed on this machine travel, as far as their names do not say that they stay."""
        self._store.tree.directories.publish(is_scratch=self._is_scratch)

    def use_scratch(self, scratch: ScratchNames) -> None:
        """Tell scratch names by other patterns from now on; any thread may say so."""
        self._scratch = scratch

    def _is_scratch(self, key: str) -> bool:
        return self._scratch.matches(key)

    def _in_trash(self, key: str) -> bool:
        return self._scratch.in_trash(key)

    def _begin_change(self, path: str) -> None:
        self._absent = ""
        if self._read_only or is_dotted(path):
            raise make_error(errno.EROFS, path)

    # Attributes

    def getattr(self, path: str, handle: int | None = None) -> Attributes:
        """Return the attributes of a file or directory."""
        if path.startswith(DOT_PATH) and handle is None and is_dotted(path):
            return self._dot.getattr(path)
        try:
            return self._metadata.getattr(path, handle)
        except FileNotFoundError:
            self._absent = path
            raise

    def chmod(self, path: str, mode: int, handle: int | None = None) -> None:
        """Change the permissions."""
        self._begin_change(path)
        self._metadata.chmod(path, mode, handle)

    def chown(self, path: str, uid: int, gid: int, handle: int | None = None) -> None:
        """Leave owner and group as they are, those of the mount's user, whoever is asked for.

        That is no error, as where file systems know no owners, so that programs that copy files go on.
        """
        self._begin_change(path)
        is_file = stat.S_ISREG(self.getattr(path, handle).mode)
        is_foreign = uid not in (-1, self.uid) or gid not in (-1, self.gid)
        if is_file and (is_foreign or (uid, gid) == (self.uid, self.gid)):
            self._metadata.note_owner(path, handle, is_foreign=is_foreign)

    def utimens(self, path: str, atime: int | None, mtime: int | None, handle: int | None = None) -> None:
        """Set the times (ns since the epoch); ``None`` leaves one as it is."""
        self._begin_change(path)
        self._metadata.utimens(path, atime, mtime, handle)

    def statfs(self) -> os.statvfs_result:
        """Return the figures of the disk that holds the database."""
        figures = os.statvfs(self._store.path)
        return os.statvfs_result((*figures[:9], paths.NAME_MAX, figures.f_fsid))

    def getxattr(self, path: str, name: bytes) -> bytes:
        """Return an extended attribute."""
        if is_dotted(path):
            raise make_error(errno.ENODATA, path)
        return self._xattrs.get(path, name)

    def listxattr(self, path: str) -> list[bytes]:
        """Return the names of the extended attributes that were set."""
        return [] if is_dotted(path) else self._xattrs.list(path)

    def setxattr(self, path: str, name: bytes, value: bytes, flags: int) -> None:
        """Set an extended attribute; ``flags`` are XATTR_CREATE and XATTR_REPLACE."""
        self._begin_change(path)
        self._xattrs.set(path, name, value, flags)

    def removexattr(self, path: str, name: bytes) -> None:
        """Remove an extended attribute."""
        self._begin_change(path)
        self._xattrs.remove(path, name)

    # Directories

    def mkdir(self, path: str, mode: int) -> None:
        """Make a directory."""
        self._begin_change(path)
        self._directories.mkdir(path, mode)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        self._begin_change(path)
        self._directories.rmdir(path)

    def listdir(self, path: str) -> Iterator[tuple[str, Attributes]]:
        """Yield names and attributes of what is in a directory, ``.`` and ``..`` first.

        It may be changed, and anything else be called, before the last is yielded.
        """
        if is_dotted(path):
            return iter(list(self._dot.listdir(path, self.getattr)))
        return self._directories.list(path)

    def fsyncdir(self) -> None:
        """Wait until what was changed in directories has reached the disk."""
        self._store.flush()

    # Names

    def mknod(self, path: str, mode: int) -> None:
        """Make an empty regular file, the one kind that is supported."""
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise make_error(errno.EPERM, path)
        self._begin_change(path)
        self._files.mknod(path, mode)

    def symlink(self, target: str, path: str) -> None:
        """Make a symbolic link: an entry whose value is the target."""
        self._begin_change(path)
        self._files.symlink(target, path)

    def readlink(self, path: str) -> str:
        """Return the target of a symbolic link; ESTALE for what is one no more."""
        if is_dotted(path):
            return self._dot.readlink(path)
        return self._files.readlink(path)

    def link(self, old: str, new: str) -> None:
        """Refuse a hard link: a value has one key."""
        raise make_error(errno.EROFS if is_dotted(old) or is_dotted(new) else errno.EPERM, new)

    def unlink(self, path: str) -> None:
        """Remove a file."""
        self._begin_change(path)
        self._renaming.unlink(path)

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        """Rename a file or a directory; ``flags`` as in renameat2(2)."""
        self._begin_change(old)
        self._begin_change(new)
        self._renaming.rename(old, new, flags)

    # Open files

    def create(self, path: str, mode: int, flags: int) -> int:
        """Make and open a regular file, and return a handle; with ``O_EXCL`` it must not be there."""
        # The kernel has looked the name up a moment ago: what was not there need not be looked up again.
        absent = path == self._absent
        self._begin_change(path)
        return self._files.create(path, mode, flags, absent=absent)

    def open(self, path: str, flags: int) -> int:
        """Open a file and return a handle; ``O_TRUNC`` empties it."""
        if flags & os.O_TRUNC or flags & os.O_ACCMODE != os.O_RDONLY:
            self._begin_change(path)
        if path.startswith(DOT_PATH) and is_dotted(path):
            return self._dot.open(path, flags)
        return self._files.open(path, flags)

    def is_open(self, key: str) -> bool:
        """Whether a file is open; any thread may ask."""
        return key in self._open_files

    def shares_cache(self, handle: int) -> bool:
        """Whether the kernel may serve reads from what it read through other handles of the file.

        Not where an older version of the key is still open, nor where there may be another value at the path next time.
        """
        return not self._open_files.handles[handle].file.apart

    def read(self, handle: int, size: int, offset: int) -> bytes:
        """Return at most ``size`` bytes from ``offset``; fewer only at the end of the file."""
        return self._files.read(handle, size, offset)

    def write(self, handle: int, data: bytes | memoryview, offset: int) -> int:
        """Put ``data`` at ``offset``, or at the end with ``O_APPEND``; return its length."""
        return self._files.write(handle, data, offset)

    def truncate(self, path: str, length: int, handle: int | None = None) -> None:
        """Cut or extend a file to ``length`` bytes."""
        self._begin_change(path)
        self._files.truncate(path, length, handle)

    def fallocate(self, handle: int, mode: int, offset: int, length: int) -> None:
        """Have room for ``length`` bytes from ``offset`` on; of the flags, only ``FALLOC_FL_KEEP_SIZE`` is supported."""
        self._files.fallocate(handle, mode, offset, length)

    def lseek(self, handle: int, offset: int, whence: int) -> int:
        """Return where the next data, or the next hole, is from ``offset`` on; ENXIO at the end."""
        return self._files.lseek(handle, offset, whence)

    def flush(self, handle: int) -> None:
        """Save what was written, as one set; comes at each ``close``, whose error it is."""
        self._files.flush(handle)

    def fsync(self, handle: int) -> None:
        """Save what was written and wait until it has reached the disk."""
        self._files.fsync(handle)

    def release(self, handle: int) -> None:
        """End an open file; nobody hears of its errors."""
        self._files.release(handle)

    def close(self) -> None:
        """Save and end everything that is still open, one file's failure notwithstanding."""
        self._files.close()
