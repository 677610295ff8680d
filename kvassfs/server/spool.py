"""Temporary files of a server, which have no name and are gone with the process."""

from __future__ import annotations

import errno
import os
import tempfile
import weakref


class SpoolFile:
    """A file in ``directory`` without a name, for any thread; it is closed when nobody refers to it any more.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, directory: str) -> None:
        file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115  nobody knows which thread reads last
        weakref.finalize(self, file.close)
        self._descriptor = file.fileno()
        self._size = 0

    def append(self, data: bytes, spooled: int) -> None:
        """Write at the end. What is ``spooled`` on this disk in all takes at most half of what was free.

        Raises:
            OSError: it cannot.
        """
        disk = os.fstatvfs(self._descriptor)
        if disk.f_bavail * disk.f_frsize < spooled + len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, self._size)
            self._size += written
            view = view[written:]

    def read(self, start: int, size: int) -> bytes:
        """Return ``size`` bytes from ``start`` on, fewer at the end."""
        return os.pread(self._descriptor, size, start)
