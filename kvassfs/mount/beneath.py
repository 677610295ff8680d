"""The directory beneath a mount, which is closed to writing while a store is mounted on it.

A mount whose process was killed stays, and answers that it is not connected, so that nothing is written beside the
store. Who unmounts it by hand, or restarts the machine, is left with the directory: there nobody but root writes, until
the next mount or `kvass umount` gives it back the mode that it had. An attribute of the directory keeps that mode;
where there are no attributes, or the directory belongs to somebody else, it stays as it is.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from contextlib import suppress
from typing import Final, NamedTuple, Self

RECORD: Final = "user.kvass.closed"
"""Attribute of a directory that is closed: the mode that it had, in octal, and which mount has closed it."""

WRITABLE: Final = 0o222


class Record(NamedTuple):
    """What is known of a directory that was closed; ``owner`` is the random name of the mount that did it."""

    mode: int
    owner: str

    def to_bytes(self) -> bytes:
        """Return the value of the attribute."""
        return f"{self.mode:o} {self.owner}".encode()


def parse_record(value: bytes) -> Record | None:
    """Return what an attribute says; ``None`` if it is none of ours."""
    found = re.fullmatch(rb"([0-7]{1,4}) ([0-9a-f]+)", value)
    return Record(int(found[1], 8), found[2].decode()) if found else None


def decide_mode(mode: int, record: Record) -> int:
    """Return the mode that a closed directory is to have again: its own, unless somebody has given it another since."""
    return record.mode if mode == record.mode & ~WRITABLE else mode


def can_close(status: os.stat_result, user: int, groups: frozenset[int]) -> bool:
    """Tell whether closing a directory changes nothing but that: the kernel takes setgid away from who is not of the group."""
    keeps_group = not status.st_mode & stat.S_ISGID or user == 0 or status.st_gid in groups
    return bool(status.st_mode & WRITABLE) and user in {0, status.st_uid} and keeps_group


class Beneath:
    """A directory by a descriptor, which leads beneath what is mounted on it later. A context manager.

    Raises OSError where it cannot be opened.
    """

    def __init__(self, directory: str) -> None:
        self._descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._owner = os.urandom(8).hex()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def close(self) -> bool:
        """Close it to writing, where that can be taken back; return whether it was."""
        status = os.fstat(self._descriptor)
        if not can_close(status, os.geteuid(), frozenset({os.getegid(), *os.getgroups()})):
            return False
        mode = stat.S_IMODE(status.st_mode)
        with suppress(OSError):
            # The record comes first: who finds it, and the mode that it tells, has nothing to do.
            os.setxattr(self._descriptor, RECORD, Record(mode, self._owner).to_bytes())
            os.fchmod(self._descriptor, mode & ~WRITABLE)
            return True
        with suppress(OSError):
            os.removexattr(self._descriptor, RECORD)
        return False

    def reopen(self, *, own: bool = False) -> bool:
        """Give it back the mode that it had, if it is closed, with ``own`` only by this object; return whether it was."""
        record = self.record()
        if record is None or (own and record.owner != self._owner):
            return False
        mode = stat.S_IMODE(os.fstat(self._descriptor).st_mode)
        wanted = decide_mode(mode, record)
        with suppress(OSError):  # it is somebody else's
            if wanted != mode:
                os.fchmod(self._descriptor, wanted)
            os.removexattr(self._descriptor, RECORD)  # which takes the permission to write
            return wanted != mode
        return False

    def record(self) -> Record | None:
        """Return what is known of it if it is closed."""
        try:
            return parse_record(os.getxattr(self._descriptor, RECORD))
        except OSError:
            return None

    def claim(self) -> bool:
        """Keep others from mounting on it and reopening it; return ``False`` if somebody is about to mount there."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def names(self) -> list[str]:
        """Return what is in it."""
        try:
            return sorted(os.listdir(self._descriptor))
        except OSError:
            return []
