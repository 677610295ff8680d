"""What the kernel keeps of a mount, made to be forgotten when the store changes underneath.

We write the kernel's notifications ourselves. libfuse has functions for them, but they use structures that it
frees before it says that the mount ended; with libfuse 2, they also want an inode, which nothing there tells.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Final

ROOT_INODE: Final = 1  # FUSE_ROOT_ID

# A message of the kernel's FUSE protocol (linux/fuse.h): its length, what it is about, zero; then the body.
HEADER: Final = struct.Struct("=IiQ")
INVAL_INODE: Final = 2  # fuse_notify_code
INVAL_ENTRY: Final = 3
INODE_BODY: Final = struct.Struct("=Qqq")  # inode, and offset and length of the contents: 0 is all
ENTRY_BODY: Final = struct.Struct("=QII")  # inode of the directory, length of the name, flags; then the name

ENDING: Final = frozenset({errno.ENOTCONN, errno.ENODEV, errno.EPERM, errno.EBADF})
"""What calls of the mount, and notifications, fail with while the mount ends."""

UNKNOWN: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
"""What a notification fails with of an inode or a name that the kernel does not keep."""


class KernelCache:
    """The names, attributes and contents that the kernel keeps of the mount at ``directory``.

    For threads other than the one that serves, which must hold nothing that a callback may wait for: the mount
    itself is asked for inodes, and the kernel waits for other callers of the file system. Where the kernel may not
    have forgotten something, OSError is raised.
    """

    def __init__(self, directory: str) -> None:
        self._directory = os.fsencode(directory)
        self._device = -1
        self._kind = -1

    def attach(self, device: int) -> None:
        """Begin to notify the kernel, through the descriptor by which libfuse serves."""
        self._device = device
        self._kind = os.fstat(device).st_rdev

    def detach(self) -> None:
        """End the notifications."""
        self._device = -1

    def invalidate(self, path: str, mode: int | None = None) -> None:
        """Make the kernel forget attributes and contents of ``path``, which changed or appeared behind it.

        Where it believes that nothing is there, it forgets that; with ``mode``, what is there by now, also that it was
        a file of another type.
        """
        if path == "/":
            self._invalidate_inode(ROOT_INODE)
            return
        with _suppressed(ENDING):
            known = self._ask(path)
            if known is None or (mode is not None and stat.S_IFMT(mode) != stat.S_IFMT(known.st_mode)):
                self.invalidate_entry(*_split(path))
            else:
                self._invalidate_inode(known.st_ino)
                # The attributes are fetched here, as it fails with EIO if the file has got another type meanwhile.
                self._ask(path)

    def _ask(self, path: str) -> os.stat_result | None:
        """Like ``_known``, but where that fails, the kernel forgets what it knew and is asked again.

        It fails with EIO for an inode whose type was another one, and from then on for everybody.
        """
        try:
            return self._known(path)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self.invalidate_entry(*_split(path))
            return self._known(path)

    def _invalidate_inode(self, inode: int) -> None:
        self._notify(INVAL_INODE, INODE_BODY.pack(inode, 0, 0))

    def invalidate_entry(self, parent: str, name: str) -> None:
        """Make the kernel forget whether ``name`` exists in the directory ``parent``, and what it is.

        Where it believes that ``parent`` does not exist, or is no directory, it forgets that instead.
        """
        with _suppressed(ENDING):
            inode = ROOT_INODE if parent == "/" else self._directory_inode(parent)
            if inode is None:
                self.invalidate_entry(*_split(parent))
                return
            encoded = name.encode()
            self._notify(INVAL_ENTRY, ENTRY_BODY.pack(inode, len(encoded), 0) + encoded + b"\0")

    def _directory_inode(self, path: str) -> int | None:
        known = self._known(path)
        return known.st_ino if known is not None and stat.S_ISDIR(known.st_mode) else None

    def _known(self, path: str) -> os.stat_result | None:
        """Return what the kernel knows of ``path``: nothing, perhaps."""
        try:
            return os.lstat(self._directory + path.encode())
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _notify(self, code: int, body: bytes) -> None:
        """Send a notification, unless libfuse has closed the descriptor, which may be another file's by now."""
        with _suppressed(ENDING | UNKNOWN):
            if os.fstat(self._device).st_rdev == self._kind:
                os.write(self._device, HEADER.pack(HEADER.size + len(body), code, 0) + body)


@contextmanager
def _suppressed(numbers: Container[int | None]) -> Iterator[None]:
    """``with`` what may fail with these errnos, which then ends it."""
    try:
        yield
    except OSError as error:
        if error.errno not in numbers:
            raise


def _split(path: str) -> tuple[str, str]:
    parent, _, name = path.rpartition("/")
    return parent or "/", name
