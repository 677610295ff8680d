"""Room on the disk that is kept in reserve, so that what removes and tidies can be done on a full one."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

RESERVE = 1024 * 1024
"""Bytes kept in reserve, beside those that the database will grow by once the write-ahead log is copied into it."""

STEP = 64 * 1024
"""Bytes by which the reserve is restored or given up where not all of it is to be had or needed."""

AHEAD = 512 * 1024
"""Bytes by which it is longer than a transaction needs, where there is plenty: allocating takes longer than a commit."""

PLENTY = 64 * 1024 * 1024
"""Bytes of room that a disk has left, beside that."""

FULL = {errno.ENOSPC, errno.EDQUOT}
"""What a system call says when the disk is full: for everybody, or for this user."""


class Reserve:
    """A file beside the database, of nothing but room: shortened, it makes room for others of this disk.

    Where a file system cannot allocate room in advance, there is none, and all goes well until the disk is full.
    """

    def __init__(self, database: str) -> None:
        database = os.path.realpath(database)
        self._database = database
        self._directory = os.path.dirname(database)
        self._path = f"{database}-reserve"
        self._found_full = False

    def size(self) -> int:
        """Return its size in bytes."""
        try:
            return os.stat(self._path).st_size
        except OSError:
            return 0

    def is_short(self) -> bool:
        """Whether the disk has, beside it, less room left than is kept in reserve."""
        return self._has_less(RESERVE)

    def _has_less(self, size: int) -> bool:
        """Whether the disk is known to have less room left than that."""
        try:
            disk = os.statvfs(self._directory)
        except OSError:
            return False
        return disk.f_bavail * disk.f_frsize < size

    def note_full(self) -> None:
        """Note that something has found the disk full."""
        self._found_full = True

    def is_needed(self) -> bool:
        """Whether there is no other room: the disk was found full and still is, or has little left."""
        if self._found_full:
            self._found_full = not self.can_extend()
        return self._found_full or self.is_short()

    def cover(self, growth: int, spare: int) -> bool:
        """Have room for ``growth``, if there is any, and ``spare`` bytes; return False if the disk has not as much.

        What it is longer than that by far is given back.
        """
        size = self.size()
        if growth and size < growth + spare and not self.extend_ahead(growth + spare):
            return False
        if size > growth + 2 * RESERVE:
            self.shorten(growth + RESERVE)
        return True

    def extend(self, size: int) -> bool:
        """Make it ``size`` bytes long if it is shorter; return False, and leave it, if the disk has no room for that."""
        return self._extend(size) not in FULL

    def extend_ahead(self, size: int) -> bool:
        """Do so, and with room for the transactions to come if the disk has plenty."""
        return self.extend(size if self._has_less(size + PLENTY) else size + AHEAD)

    def _extend(self, size: int) -> int:
        """Do so, and return 0 or the errno of what the system refused."""
        before = self.size()
        if before >= size:
            return 0
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            return error.errno or 0
        try:
            self._share_owner(file)
            os.posix_fallocate(file, 0, size)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(file, before)
            return error.errno or 0
        finally:
            os.close(file)
        return 0

    def _share_owner(self, file: int) -> None:
        """Give a file that root makes to the owner of the database, who could not use it, as SQLite does with its own."""
        if os.geteuid() == 0:
            with suppress(OSError):
                owner = os.stat(self._database)
                os.fchown(file, owner.st_uid, owner.st_gid)

    def shorten(self, size: int) -> bool:
        """Make it ``size`` bytes long if it is longer; return whether that gave any room to others."""
        if self.size() <= size:
            return False
        with suppress(OSError):
            os.truncate(self._path, size)
            return True
        return False

    def restore(self, size: int) -> None:
        """Make it up to ``size`` bytes long, as far as there is room."""
        if not self.extend(size):
            for part in range(self.size() + STEP, size, STEP):
                if not self.extend(part):
                    return

    def fit(self, size: int) -> None:
        """Make it ``size`` bytes long, as far as there is room."""
        self.shorten(size)
        self.restore(size)

    def can_extend(self) -> bool:
        """Return whether the disk has some room left; unlike ``is_short`` it knows of quotas and costs writes."""
        return self.probe() not in FULL

    def probe(self) -> int:
        """Make it longer and shorter again; return 0, or the errno of what the system refuses."""
        was_there, before = os.path.exists(self._path), self.size()
        number = self._extend(before + STEP)
        self.shorten(before)
        if not was_there:  # nor is it left beside what may be no store
            with suppress(OSError):
                os.unlink(self._path)
        return number


class NoReserve(Reserve):
    """None: of a database that is only read, whose files are left as they are."""

    def size(self) -> int:
        """Return 0."""
        return 0

    def is_short(self) -> bool:
        """Return False: no room is needed."""
        return False

    def _extend(self, _size: int) -> int:
        """Make none; return 0, as no disk is full for that."""
        return 0

    def shorten(self, _size: int) -> bool:
        """Return False: there is no room to give."""
        return False
