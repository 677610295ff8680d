"""Files as they are opened, read, written and saved."""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Callable

from ..block import block_count
from ..clocks import WARNED_AHEAD, describe_ahead
from ..errors import KvassError
from ..store import Store, Written, new_inode
from .namespace import Namespace, make_error, read_target
from .open_files import OpenFiles
from .openfile import CLEAN, EMPTIED, OpenFile

log = logging.getLogger(__name__)

KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE in linux/falloc.h


class FileIO:
    """Opens, reads, writes and saves files, and makes those that are not opened.

    The methods are as those of ``Filesystem``, where all may be changed. ``is_scratch`` tells keys that stay on this
    machine, ``clock`` returns ns since the epoch. ``read_only``: files are only ever opened for reading.
    """

    def __init__(
        self,
        store: Store,
        names: Namespace,
        open_files: OpenFiles,
        *,
        is_scratch: Callable[[str], bool],
        clock: Callable[[], int],
        read_only: bool,
    ) -> None:
        self._store = store
        self._tree = store.tree
        self._names = names
        self._open_files = open_files
        self._is_scratch = is_scratch
        self._clock = clock
        self._read_only = read_only

    # Without handles

    def mknod(self, path: str, mode: int) -> None:
        """Make an empty regular file."""
        self.save(OpenFile.created(self._tree, self._clock, self._names.locate_free(path), mode))

    def symlink(self, target: str, path: str) -> None:
        """Make a symbolic link: an entry whose value is the target."""
        key = self._names.locate_free(path)
        draft = self._tree.draft()
        draft.write(0, target.encode())
        now = self._clock() // 1000
        written = Written(mode=stat.S_IFLNK | 0o777, inode=new_inode())
        self._tree.save(key, draft, written, scratch=self._is_scratch(key), now=now, amends=None)

    def readlink(self, path: str) -> str:
        """Return the target of a symbolic link; ESTALE for what is one no more, EIO if it has none that there can be."""
        node = self._names.file(path)
        if not stat.S_ISLNK(node.mode):
            # The kernel asks for this of links alone: it was one when it looked. By this errno it looks anew.
            raise make_error(errno.ESTALE, path)
        _, draft = self._tree.open(node.key)
        try:
            return read_target(draft, path)
        finally:
            draft.close()

    def truncate(self, path: str, length: int, handle: int | None = None) -> None:
        """Cut or extend a file to ``length`` bytes."""
        file = self._names.open_file(path) if handle is None else self._open_files.handles[handle].file
        if file is None:
            self._truncate_stored(path, length)
            return
        was_dirty = file.is_dirty
        file.truncate(length)
        if handle is None and not was_dirty:
            self.save(file)

    def _truncate_stored(self, path: str, length: int) -> None:
        handle = self.open(path, os.O_RDWR)
        try:
            self._open_files.handles[handle].file.truncate(length)
            self.flush(handle)
        finally:
            self.release(handle)

    # With handles

    def create(self, path: str, mode: int, flags: int, *, absent: bool) -> int:
        """Make and open a regular file; with ``O_EXCL`` it must not be there. ``absent``: it is not."""
        try:
            key = self._names.locate_new(path)[0] if absent else self._names.locate_free(path)
        except FileExistsError:
            if flags & os.O_EXCL:
                raise
            return self.open(path, flags)
        file = OpenFile.created(self._tree, self._clock, key, mode)
        self._open_files.attach(file)
        return self._open_files.open(file, flags)

    def open(self, path: str, flags: int) -> int:
        """Open a file; ``O_TRUNC`` empties it."""
        truncated = bool(flags & os.O_TRUNC)
        file = self._names.open_file(path)
        if file is not None and self._read_only and not file.is_current():
            file = None  # the invalidation cannot set it apart
        if file is None:
            file = self._open_stored(path, truncated=truncated)
        elif truncated:
            file.restart()
        if flags & os.O_ACCMODE != os.O_RDONLY:
            file.begin()
        return self._open_files.open(file, flags)

    def _open_stored(self, path: str, *, truncated: bool) -> OpenFile:
        key, is_value = self._names.locate(path)
        if is_value and self._names.directory(key) is None:
            raise self._names.explain_missing(path)
        file = OpenFile.of_key(self._tree, self._clock, key, truncated=truncated)
        self._open_files.attach(file)
        return file

    def read(self, handle: int, size: int, offset: int) -> bytes:
        """Return at most ``size`` bytes from ``offset``; fewer only at the end of the file."""
        return self._open_files.handles[handle].file.draft.read(offset, size)

    def write(self, handle: int, data: bytes | memoryview, offset: int) -> int:
        """Put ``data`` at ``offset``, or at the end with ``O_APPEND``; return its length."""
        file, _, appends = self._open_files.handles[handle]
        file.write(file.draft.size if appends else offset, data)
        return len(data)

    def fallocate(self, handle: int, mode: int, offset: int, length: int) -> None:
        """Extend a file to have ``length`` bytes from ``offset`` on, if the disk has room for what is added.

        The room is not reserved, as blocks may be shared with other files.
        """
        if mode & ~KEEP_SIZE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        file = self._open_files.handles[handle].file
        end = offset + length
        file.draft.check_size(end)
        self._store.blocks.check_room(block_count(max(0, end - file.draft.size)))
        if not mode and end > file.draft.size:
            file.truncate(end)

    def lseek(self, handle: int, offset: int, whence: int) -> int:
        """Return where the next data or the next hole is from ``offset`` on; ENXIO at the end."""
        draft = self._open_files.handles[handle].file.draft
        if 0 <= offset < draft.size:
            found = draft.find_data(offset) if whence == os.SEEK_DATA else draft.find_hole(offset)
            if found is not None:
                return found
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))

    def flush(self, handle: int) -> None:
        """Save what was written, as one set; comes at each ``close``, whose error it is.

        Not yet saved is a file that was emptied and not written to: the shell closes a descriptor of the
        file of ``>`` before the command writes to another. ``release`` comes when the last one is closed.
        """
        file, writes, _ = self._open_files.handles[handle]
        if writes and file.state is not EMPTIED:
            self.save(file)

    def save(self, file: OpenFile) -> None:
        """Save what was written to a file, if it has a name to be saved under."""
        key = file.target
        if file.state is CLEAN or key is None:
            return
        if file.save(scratch=self._is_scratch(key)):
            log.warning("%r changed elsewhere while it was open here: this save wins, the other is a revision", key)
        if file.dated > self._clock() // 1000 + WARNED_AHEAD:
            warning = describe_ahead(key, file.dated, self._store.hub_time.now())
            if warning is not None:
                log.warning("%s", warning)

    def fsync(self, handle: int) -> None:
        """Save what was written and wait until it has reached the disk."""
        self.save(self._open_files.handles[handle].file)
        self._store.flush()

    def release(self, handle: int) -> None:
        """End an open file; nobody hears of its errors.

        Shared mappings may have written since ``flush``. What ``flush`` reported as failed stays so.
        """
        file, writes, _ = self._open_files.release(handle)
        try:
            if (writes or file.handles == 0) and file.refusal is None:
                self.save(file)
        finally:
            if file.handles == 0:
                self._open_files.forget(file)

    def close(self) -> None:
        """Save and end everything that is still open, one file's failure notwithstanding."""
        for handle in list(self._open_files.handles):
            try:
                self.release(handle)
            except (OSError, KvassError):
                log.exception("a file could not be saved at the end of the mount")
