"""The calls that this program makes to its own mount, and the process beside the mount that makes them.

A thread of the mount must not do it: while the mount has read a request and not answered it, who made it cannot be
killed, and it would hold the descriptor whose closing ends the wait. The same is true of a thread that notifies the
kernel, which waits for directories that are locked by other programs' requests. So the kernel is made to forget by
calls as well, which need no descriptor of the mount.

A path of the mount may be longer than a call takes, and any name on it may have become a symbolic link that leads
elsewhere. So each call is relative to the descriptor of the directory, which is opened name by name.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from .mountpoint import SERVER_PID
from .watchers import is_watched

PLACE: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
DIRECTORY: Final = PLACE | os.O_DIRECTORY
CONTENT: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a lease of somebody is not waited for

AT_SYMLINK_NOFOLLOW: Final = 0x100
AT_EMPTY_PATH: Final = 0x1000
TIMES: Final = struct.pack("@4l", 0, (1 << 30) - 2, 0, (1 << 30) - 1)  # UTIME_OMIT, UTIME_NOW
AT_STATX_FORCE_SYNC: Final = 0x2000
STATX_BASIC_STATS: Final = 0x7FF
STATX_SIZE: Final = 256
HANDLE: Final = struct.Struct("=Ii128s")
"""``struct file_handle``: the length and the type of the handle, and room for it."""

OPENAT2: Final = 437  # the number of the system call, the same on all machines that Python knows
HOW: Final = struct.Struct("=QQQ")
"""``struct open_how``: flags, mode, and how to resolve the path."""

UNKNOWN: Final = (FileNotFoundError, NotADirectoryError, BlockingIOError, PermissionError)
"""What is raised where the kernel keeps nothing of a directory above, or shows this user nothing in it."""

CACHED: Final = 0x20  # RESOLVE_CACHED: nobody is asked for a name
NEITHER: Final = frozenset({errno.EEXIST, errno.EROFS, errno.ENOENT, errno.EACCES})
"""What mkdir() fails with in the mount when it has asked for a name, whatever that is."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class Calls:
    """Makes calls to what the process ``server`` serves at ``directory``. They raise OSError: ENOTCONN where it does not."""

    def __init__(self, directory: str, server: int) -> None:
        self._directory = directory
        self._server = server
        self._mount = -1  # its number, once this has been seen to be the right one

    # Making the kernel forget

    def invalidate(self, path: str, mode: int | None, is_new: bool) -> None:
        """Make the kernel forget what it keeps of ``path``, which has ``mode`` by now, or ``None`` if it is gone.

        What it does not keep, nobody is asked for; of what ``is_new`` to the mount, there is no content to forget.
        """
        if path == "/":
            self._invalidate_root()
            return
        is_file = mode is not None and stat.S_ISREG(mode)
        open_name = open_one if is_file and not is_new else open_cached
        with suppress(*UNKNOWN), self._opened_parent(path, open_name) as (parent, name):
            is_kept = _is_kept(parent, name)
            if is_kept:
                _ask_again(parent, name)
            if is_file and (is_kept or not is_new):
                _drop_content(parent, name)

    def _invalidate_root(self) -> None:
        root = self._open_root()
        try:
            buffer = ctypes.create_string_buffer(STATX_SIZE)
            _check(_libc.statx(root, b"", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, buffer))
        finally:
            os.close(root)

    # Files that are open

    def rename(self, old: str, name: str) -> None:
        """Give a file another name in its directory."""
        with self._opened_parent(old) as (parent, old_name):
            os.rename(old_name, name, src_dir_fd=parent, dst_dir_fd=parent)

    def check_watched(self, _path: str) -> None:
        """Raise ENODATA where nobody watches anything in the mount."""
        root = self._open_root()
        try:
            device = os.fstat(root).st_dev
        finally:
            os.close(root)
        if not is_watched(device, self._mount):
            raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))

    # Events for watchers. The mount expects these calls, and changes nothing.

    def announce_created(self, path: str, mode: int) -> None:
        """Make what has been made elsewhere: CREATE; and, of a file, what follows. What is known here has changed."""
        with self._opened_parent(path) as (parent, name):
            try:
                _make(parent, name, mode)
            except FileExistsError:
                _set_time(parent, name)
            if _is_written(mode):
                _open_to_write(parent, name)

    def announce_changed(self, path: str, mode: int) -> None:
        """Set the time of what has been changed elsewhere: MODIFY; and, of a file, open it to write: CLOSE_WRITE."""
        with self._opened_parent(path) as (parent, name):
            _set_time(parent, name)
            if _is_written(mode):
                _open_to_write(parent, name)

    def announce_removed(self, path: str, mode: int) -> None:
        """Remove what has been removed elsewhere: DELETE."""
        with self._opened_parent(path) as (parent, name):
            if stat.S_ISDIR(mode):
                os.rmdir(name, dir_fd=parent)
            else:
                os.unlink(name, dir_fd=parent)

    # Directories

    @contextmanager
    def _opened_parent(
        self, path: str, open_name: Callable[[str, int], int] | None = None
    ) -> Iterator[tuple[int, str]]:
        """``with`` the descriptor of the directory that ``path`` lies in, and its last name."""
        open_name = open_name or open_one
        *above, name = path[1:].split("/")
        descriptor = self._open_root()
        try:
            for each in above:
                below = open_name(each, descriptor)
                os.close(descriptor)
                descriptor = below
            if above and _mount_of(descriptor) != self._mount:
                raise _not_connected()
            yield descriptor, name
        finally:
            os.close(descriptor)

    def _open_root(self) -> int:
        """Open the root of the mount; something else may be seen at its directory before and after it, and over it."""
        try:
            descriptor = os.open(self._directory, DIRECTORY)
        except OSError as error:
            raise _not_connected() from error
        try:
            self._check_root(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _check_root(self, descriptor: int) -> None:
        mount = _mount_of(descriptor)
        if mount == self._mount:
            return
        try:
            server = os.getxattr(f"/proc/self/fd/{descriptor}", SERVER_PID)
        except OSError as error:
            raise _not_connected() from error
        if server != b"%d" % self._server:
            raise _not_connected()
        self._mount = mount


def open_one(name: str, directory: int) -> int:
    """Open a directory below another one as a place, from which paths begin."""
    return os.open(name, DIRECTORY, dir_fd=directory)


def open_cached(name: str, directory: int) -> int:
    """Open a file or directory as a place; EAGAIN where the kernel would have to ask what the name is.

    Before Linux 5.12, it asks.
    """
    how = HOW.pack(PLACE, 0, CACHED)
    descriptor: int = _libc.syscall(OPENAT2, directory, os.fsencode(name), how, len(how))
    if descriptor < 0 and ctypes.get_errno() in {errno.ENOSYS, errno.EINVAL, errno.EPERM}:
        return os.open(name, PLACE, dir_fd=directory)
    return _check(descriptor)


def _is_kept(parent: int, name: str) -> bool:
    """Tell whether the kernel keeps what a name is. That it is nothing, it does not keep for long."""
    try:
        os.close(open_cached(name, parent))
    except (FileNotFoundError, BlockingIOError):
        return False
    return True


def _ask_again(parent: int, name: str) -> None:
    """Have the kernel ask the mount what a name is, and give it up if that is nothing or something else."""
    try:
        os.mkdir(name, dir_fd=parent)  # before it would make one, it asks; and the mount makes none
    except OSError as error:
        if error.errno not in NEITHER:
            raise


def _drop_content(parent: int, name: str) -> None:
    """Have the kernel drop what it keeps of a file's content: the mount does not say that it may go on with that."""
    with suppress(PermissionError, FileNotFoundError, BlockingIOError):  # nobody reads it
        os.close(os.open(name, CONTENT, dir_fd=parent))


def _make(parent: int, name: str, mode: int) -> None:
    if stat.S_ISDIR(mode):
        os.mkdir(name, dir_fd=parent)
    elif stat.S_ISLNK(mode):
        os.symlink(".", name, dir_fd=parent)
    else:
        os.mknod(name, mode, dir_fd=parent)


def _set_time(parent: int, name: str) -> None:
    """Set the time of modification alone: with that of access, it would be a change of attributes."""
    if _mount_of(parent, name) == _mount_of(parent):
        _check(_libc.utimensat(parent, os.fsencode(name), TIMES, AT_SYMLINK_NOFOLLOW))


def _is_written(mode: int) -> bool:
    """Whether a file is one that programs write, and not one that is executed, which that would keep from being."""
    return stat.S_ISREG(mode) and mode & 0o311 == 0o200


def _open_to_write(parent: int, name: str) -> None:
    os.close(os.open(name, CONTENT | os.O_WRONLY, dir_fd=parent))


def _mount_of(directory: int, name: str = "") -> int:
    """Return the number of the mount of a descriptor, for which nobody is asked, or of a name in that directory."""
    handle = ctypes.create_string_buffer(HANDLE.pack(128, 0, b""), HANDLE.size)
    mount = ctypes.c_int()
    flags = 0 if name else AT_EMPTY_PATH
    _check(_libc.name_to_handle_at(directory, os.fsencode(name), handle, ctypes.byref(mount), flags))
    return mount.value


def _check(result: int) -> int:
    """Return what a function of the C library returned, or raise its error."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _not_connected() -> OSError:
    return OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))


def main(directory: str, server: str) -> None:
    """Be that process: answer each line of standard input, the name and the arguments of a call, with an errno, until it ends."""
    calls = Calls(directory, int(server))
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        with suppress(OSError):  # nobody listens any more; standard input will end as well
            os.write(sys.stdout.fileno(), b"%d\n" % _call(calls, name, arguments))


def _call(calls: Calls, name: str, arguments: list[Any]) -> int:
    """Make a call; return its errno, 0 if it succeeded."""
    try:
        getattr(calls, name)(*arguments)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


if __name__ == "__main__":
    main(*sys.argv[1:])
