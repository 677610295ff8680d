"""The FUSE adapter: libfuse's callbacks, each translated into one call of :class:`Filesystem`.

libfuse calls the methods of :class:`Operations` with integers for pointers and with bytes for names. What lies
behind a pointer is read and written through ``structures.Layout``, so nothing here depends on the binding or the
version of libfuse; where versions 2 and 3 differ, version 3's further arguments have a default.

Nothing but an ``int`` ever goes back: a result, or the negative errno that ``find_errno`` makes of any exception.

Names are decoded by ``decode_existing`` and ``decode_new``, handles read by ``_handle_at``. Such a call takes 0.05 µs of the
20 µs and more that an operation takes with libfuse and the kernel, so no callback has a copy of its own.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import KeyMissing
from . import mountpoint
from .callbacks import guard
from .dot_paths import DOT_PATH
from .listing import Listing

if TYPE_CHECKING:
    from .filesystem import Filesystem
    from .stat import Attributes
    from .structures import Layout

NAME_MAX = 255
UTIME_NOW = (1 << 30) - 1
UTIME_OMIT = (1 << 30) - 2
NOBODY = (1 << 32) - 1  # uid_t and gid_t of -1: leave as it is
SECOND = 1_000_000_000
BLOCK_SIZE = 128 * 1024
"""``st_blksize``: programs take it as the size of their buffers, and it is the largest write of libfuse 2."""

LINKS = 1
"""``st_nlink``: a file has one name. Of a directory it says, as on btrfs, that its subdirectories are not counted; 2
would say that there are none, and ``fts`` would look for none."""

READDIR_PLUS = 1
FILL_DIR_PLUS = 2

CHANGING = os.O_ACCMODE | os.O_TRUNC  # with none of these bits, there is nothing to save at close()

SERVER_PID = mountpoint.SERVER_PID.encode()

DOT = DOT_PATH.encode()


def make_callbacks(filesystem: Filesystem, layout: Layout) -> dict[str, Callable[..., int]]:
    """Return the callbacks over ``filesystem`` by their field of ``struct fuse_operations``."""
    return callbacks_of(Operations(filesystem, layout))


def callbacks_of(operations: Operations) -> dict[str, Callable[..., int]]:
    """Return the methods of ``operations`` that are callbacks, by their field of ``struct fuse_operations``."""
    names = [name for name in vars(Operations) if not name.startswith("_")]
    return {name: guard(getattr(operations, name)) for name in names}


def decode_existing(name: bytes) -> str:
    """Return a path, or another name, to look up. One that is not UTF-8 does not exist: raise ENOENT."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise _error(errno.ENOENT) from None


def decode_new(name: bytes) -> str:
    """Return a path to make something at, or what is to be kept. What is not UTF-8 cannot be: raise EILSEQ."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise _error(errno.EILSEQ) from None


def decode_open(path: bytes | None) -> str:
    """Return the path of a file that may be open, where it has one still: its directory may be gone."""
    return "" if path is None else decode_existing(path)


def check_length(path: bytes) -> None:
    """Raise ENAMETOOLONG where the last name of ``path`` is too long; the kernel looked up the others before."""
    if len(path) > NAME_MAX and len(path) - path.rindex(b"/") - 1 > NAME_MAX:
        raise _error(errno.ENAMETOOLONG)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Operations:
    """libfuse's callbacks over ``filesystem``: one method for each, named as its field of ``struct fuse_operations``.

    Called from libfuse's only thread. Where ``info`` of an open file comes with a path, its handle counts, and the
    path may be missing. Callbacks that are not here are answered by libfuse or the kernel as for an ordinary file
    system: locks are local, ``access`` follows the permission bits, unknown ``ioctl`` are ENOTTY.
    """

    def __init__(self, filesystem: Filesystem, layout: Layout) -> None:
        self._filesystem = filesystem
        self._layout = layout
        self._memory = layout.memory
        self._words = layout.words
        self._handle = layout.handle
        self._pack_stat = layout.stat.pack_into
        self._mode_first = layout.mode_first
        self._entry_stat = layout.entry_stat
        self._cache_times = layout.cache_times
        self._uid = filesystem.uid
        self._gid = filesystem.gid
        self._last_listing = 0
        self._listings: dict[int, Listing] = {}

    # Attributes

    def getattr(self, path: bytes, stat: int, info: int = 0) -> int:
        """Fill in a ``struct stat``."""
        if info:
            self._choose_cache_times(path)
            attributes = self._filesystem.getattr(decode_open(path), self._handle_at(info))
        else:
            if self._cache_times.suspended or path.startswith(DOT):
                self._choose_cache_times(path)
            check_length(path)
            attributes = self._filesystem.getattr(decode_existing(path))
        self._put_stat(stat, attributes)
        return 0

    fgetattr = getattr

    def _choose_cache_times(self, path: bytes | None) -> None:
        """Have the kernel keep nothing of what it is told next, if that is in the dot directory: it changes by itself."""
        if path is not None and path.startswith(DOT):  # or a name that begins so, which costs time alone
            self._cache_times.suspend()
        elif self._cache_times.suspended:
            self._cache_times.resume()

    def _put_stat(self, address: int, attributes: Attributes) -> None:
        mode, size, mtime, atime, ctime, inode, holes = attributes
        first, second = (mode, LINKS) if self._mode_first else (LINKS, mode)
        self._pack_stat(
            self._memory,
            address,
            inode,
            first,
            second,
            self._uid,
            self._gid,
            size,
            BLOCK_SIZE,
            size - holes + 511 >> 9,
            atime // SECOND,
            atime % SECOND,
            mtime // SECOND,
            mtime % SECOND,
            ctime // SECOND,
            ctime % SECOND,
        )

    def chmod(self, path: bytes, mode: int, info: int = 0) -> int:
        """Change the permission bits."""
        self._filesystem.chmod(decode_open(path), mode, self._handle_if(info))
        return 0

    def chown(self, path: bytes, uid: int, gid: int, info: int = 0) -> int:
        """Change owner and group."""
        owner, group = (-1 if number == NOBODY else number for number in (uid, gid))
        self._filesystem.chown(decode_open(path), owner, group, self._handle_if(info))
        return 0

    def utimens(self, path: bytes, times: int, info: int = 0) -> int:
        """Set the times of access and modification; ``times`` points to two ``struct timespec``, or is 0 for now."""
        atime, mtime = self._times(times)
        self._filesystem.utimens(decode_open(path), atime, mtime, self._handle_if(info))
        return 0

    def _times(self, address: int) -> tuple[int | None, int | None]:
        now = self._filesystem.now()
        if not address:
            return now, now
        atime, atime_part, mtime, mtime_part = self._layout.timespecs.unpack_from(self._memory, address)
        return _time(atime, atime_part, now), _time(mtime, mtime_part, now)

    # Names

    def mknod(self, path: bytes, mode: int, _device: int) -> int:
        """Make a regular file."""
        check_length(path)
        self._filesystem.mknod(decode_new(path), mode)
        return 0

    def mkdir(self, path: bytes, mode: int) -> int:
        """Make a directory."""
        check_length(path)
        self._filesystem.mkdir(decode_new(path), mode)
        return 0

    def unlink(self, path: bytes) -> int:
        """Remove a file."""
        self._filesystem.unlink(decode_existing(path))
        return 0

    def rmdir(self, path: bytes) -> int:
        """Remove an empty directory."""
        self._filesystem.rmdir(decode_existing(path))
        return 0

    def symlink(self, target: bytes, path: bytes) -> int:
        """Make a symbolic link at ``path``."""
        check_length(path)
        self._filesystem.symlink(decode_new(target), decode_new(path))
        return 0

    def readlink(self, path: bytes, buffer: int, size: int) -> int:
        """Fill in a symbolic link's target, cut to ``size`` bytes including the NUL at its end."""
        target = self._filesystem.readlink(decode_existing(path)).encode()[: size - 1] + b"\0"
        self._memory[buffer : buffer + len(target)] = target
        return 0

    def rename(self, old: bytes, target: bytes, flags: int = 0) -> int:
        """Rename a file or a directory; ``flags`` are those of renameat2()."""
        check_length(target)
        self._filesystem.rename(decode_existing(old), decode_new(target), flags)
        return 0

    def link(self, old: bytes, target: bytes) -> int:
        """Make a hard link."""
        check_length(target)
        self._filesystem.link(decode_existing(old), decode_new(target))
        return 0

    # Open files

    def create(self, path: bytes, mode: int, info: int) -> int:
        """Make and open a regular file."""
        check_length(path)
        flags = self._layout.flags(info)
        return self._opened(info, self._filesystem.create(decode_new(path), mode, flags), flags)

    def open(self, path: bytes, info: int) -> int:
        """Open a file; ``O_TRUNC`` comes in its flags and not as a truncate().

        The kernel has found it by a look-up. Where it has gone since, as another process removed it, the kernel looks
        anew by this errno, and makes the file where the program wants that.
        """
        flags = self._layout.flags(info)
        try:
            handle = self._filesystem.open(decode_existing(path), flags)
        except (FileNotFoundError, KeyMissing) as error:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE)) from error
        return self._opened(info, handle, flags)

    def _opened(self, info: int, handle: int, flags: int) -> int:
        self._words[info + self._handle >> 3] = handle
        self._layout.opened(info, shared=self._filesystem.shares_cache(handle), flush=flags & CHANGING != 0)
        return 0

    def read(self, _path: bytes, buffer: int, size: int, offset: int, info: int) -> int:
        """Fill in up to ``size`` bytes of an open file."""
        data = self._filesystem.read(self._handle_at(info), size, offset)
        length = len(data)
        if length > size:
            raise BufferError(f"{length} bytes read where {size} were asked for")
        self._memory[buffer : buffer + length] = data
        return length

    def write(self, _path: bytes, buffer: int, size: int, offset: int, info: int) -> int:
        """Write ``size`` bytes to an open file, which takes them from a view of libfuse's buffer."""
        handle = self._handle_at(info)
        return self._filesystem.write(handle, self._memory[buffer : buffer + size], offset)

    def truncate(self, path: bytes, length: int, info: int = 0) -> int:
        """Cut or lengthen a file."""
        self._filesystem.truncate(decode_open(path), length, self._handle_if(info))
        return 0

    ftruncate = truncate

    def fallocate(self, _path: bytes, mode: int, offset: int, length: int, info: int) -> int:
        """Have room for ``length`` bytes of an open file from ``offset`` on."""
        self._filesystem.fallocate(self._handle_at(info), mode, offset, length)
        return 0

    def lseek(self, _path: bytes, offset: int, whence: int, info: int) -> int:
        """Return where the next data or the next hole of an open file is; the kernel asks for nothing else."""
        return self._filesystem.lseek(self._handle_at(info), offset, whence)

    def flush(self, _path: bytes, info: int) -> int:
        """Save an open file, at each close() of one of its descriptors."""
        self._filesystem.flush(self._handle_at(info))
        return 0

    def fsync(self, _path: bytes, _data_only: int, info: int) -> int:
        """Save an open file on the disk."""
        self._filesystem.fsync(self._handle_at(info))
        return 0

    def release(self, _path: bytes, info: int) -> int:
        """End an open file; nobody sees the answer."""
        self._filesystem.release(self._handle_at(info))
        return 0

    def _handle_at(self, info: int) -> int:
        """Return the handle in a ``struct fuse_file_info``."""
        handle: int = self._words[info + self._handle >> 3]
        return handle

    def _handle_if(self, info: int) -> int | None:
        return self._handle_at(info) if info else None

    # Directories

    def opendir(self, _path: bytes, info: int) -> int:
        """Open a directory; what it holds is looked at when it is listed."""
        self._last_listing += 1
        self._words[info + self._handle >> 3] = self._last_listing
        return 0

    def readdir(self, path: bytes, buffer: int, filler: int, offset: int, info: int, flags: int = 0) -> int:
        """List a directory from entry ``offset`` on until libfuse's buffer is full."""
        self._choose_cache_times(path)
        handle = self._handle_at(info)
        listing = self._listings.pop(handle, None)
        if not offset or listing is None or not listing.has(offset):
            listing = Listing(self._filesystem.listdir(decode_existing(path)))
        self._fill(listing, buffer, filler, offset, plus=bool(flags & READDIR_PLUS))
        self._listings[handle] = listing  # unless it failed: then it begins anew
        return 0

    def _fill(self, listing: Listing, buffer: int, filler: int, start: int, *, plus: bool) -> None:
        """Call libfuse's ``filler``; with ``plus`` the kernel keeps the attributes and does not ask for them again."""
        fill, stat, put_stat = self._layout.filler(filler), self._entry_stat, self._put_stat
        more = (FILL_DIR_PLUS if plus else 0,)[: self._layout.filler_flags]
        for offset, (name, attributes) in enumerate(listing.read(start), start + 1):
            put_stat(stat, attributes)
            if fill(buffer, name.encode(), stat, offset, *more):
                return

    def releasedir(self, _path: bytes, info: int) -> int:
        """End an open directory."""
        self._listings.pop(self._handle_at(info), None)
        return 0

    def fsyncdir(self, _path: bytes, _data_only: int, _info: int) -> int:
        """Save a directory on the disk."""
        self._filesystem.fsyncdir()
        return 0

    # The file system and extended attributes

    def statfs(self, _path: bytes, statvfs: int) -> int:
        """Fill in a ``struct statvfs``."""
        values = self._filesystem.statfs()
        numbers = [getattr(values, name) or 0 for name in self._layout.statvfs_fields]
        self._layout.statvfs.pack_into(self._memory, statvfs, *numbers)
        return 0

    def getxattr(self, path: bytes, name: bytes, value: int, size: int) -> int:
        """Fill in an extended attribute, or return its length if ``size`` is 0."""
        if name == b"security.capability":  # the kernel asks for it before each write
            return -errno.ENODATA
        if name == SERVER_PID and path == b"/":
            return self._put_bytes(b"%d" % os.getpid(), value, size)
        return self._put_bytes(self._filesystem.getxattr(decode_existing(path), name), value, size)

    def listxattr(self, path: bytes, names: int, size: int) -> int:
        """Fill in the names of the extended attributes, each with a NUL, or return their length if ``size`` is 0."""
        found = b"".join(name + b"\0" for name in self._filesystem.listxattr(decode_existing(path)))
        return self._put_bytes(found, names, size)

    def _put_bytes(self, data: bytes, address: int, size: int) -> int:
        length = len(data)
        if size and length > size:
            return -errno.ERANGE
        if size:
            self._memory[address : address + length] = data
        return length

    def setxattr(self, path: bytes, name: bytes, value: int, size: int, flags: int) -> int:
        """Set an extended attribute."""
        data = bytes(self._memory[value : value + size])
        self._filesystem.setxattr(decode_existing(path), name, data, flags)
        return 0

    def removexattr(self, path: bytes, name: bytes) -> int:
        """Remove an extended attribute."""
        self._filesystem.removexattr(decode_existing(path), name)
        return 0


def _time(seconds: int, part: int, now: int) -> int | None:
    """Return the nanoseconds of a ``struct timespec`` given to utimensat(); None leaves the time as it is."""
    if part == UTIME_OMIT:
        return None
    return now if part == UTIME_NOW else seconds * SECOND + part
