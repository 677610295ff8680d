"""What the mount answers to the calls that this program makes to it; see ``calls``. They change nothing.

The mount knows such a call by its process, which makes no others, and what it is for by the path that is expected at the
moment. A look-up, of which there are many, is first told by its path, which costs next to nothing to compare.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..store import Event
from .operations import Operations, callbacks_of
from .stat import Attributes

if TYPE_CHECKING:
    from .filesystem import Filesystem
    from .structures import Layout

NO_FILE: Final = 0
"""The handle of what such a call has opened: nothing. Handles of files begin at 1."""


class Expected:
    """Which call is expected. Set by the thread that has it made, before and after it; read by the one that serves.

    Attributes:
        path: what it is about; ``None`` if there is none.
        pid: the process that makes such calls; -1 if there is none.
        event: what it announces; ``None`` if it is for something else.
        mode: the ``st_mode`` of what was removed.
        is_missing: whether the path is to be missing once, as it was before it was created.
    """

    def __init__(self) -> None:
        self.path: bytes | None = None
        self.pid = -1
        self.event: Event | None = None
        self.mode = 0
        self.is_missing = False

    def begin(self, path: str, pid: int, event: Event | None, mode: int) -> None:
        """Expect a call."""
        self.pid, self.event, self.mode = pid, event, mode
        self.is_missing = event is Event.CREATED
        self.path = path.encode()

    def end(self) -> None:
        """Expect no call any more."""
        self.path = None


def make_callbacks(
    filesystem: Filesystem, layout: Layout, expected: Expected, caller: Callable[[], int]
) -> dict[str, Callable[..., int]]:
    """Return libfuse's callbacks; ``caller`` returns the process whose call the one in progress answers."""
    return callbacks_of(OwnCallOperations(filesystem, layout, expected, caller))


class OwnCallOperations(Operations):
    """Operations that answer an expected call themselves."""

    def __init__(self, filesystem: Filesystem, layout: Layout, expected: Expected, caller: Callable[[], int]) -> None:
        super().__init__(filesystem, layout)
        self._expected = expected
        self._caller = caller

    def _is_own(self, path: bytes | None) -> bool:
        # Without a path, it is a file that lost its name.
        return path is not None and path == self._expected.path and self._calls_itself()

    def _calls_itself(self) -> bool:
        return self._caller() == self._expected.pid

    def _announces(self, path: bytes, event: Event) -> bool:
        return path == self._expected.path and self._expected.event is event

    def getattr(self, path: bytes, stat: int, info: int = 0) -> int:
        """Fill in a ``struct stat``: of what was, where an event is announced that has come already."""
        if not self._is_own(path):
            return super().getattr(path, stat, info)
        if self._expected.is_missing:
            self._expected.is_missing = False
            return -errno.ENOENT
        try:
            return super().getattr(path, stat)
        except FileNotFoundError:
            if self._expected.event is not Event.REMOVED:
                raise
            self._put_stat(stat, Attributes(self._expected.mode, 0, 0, 0, 0, 0))
            return 0

    fgetattr = getattr

    # No call of that process changes anything, whatever its path has become meanwhile.

    def utimens(self, path: bytes, times: int, info: int = 0) -> int:
        """Set times; but an own call is there to announce a change."""
        return 0 if self._calls_itself() else super().utimens(path, times, info)

    def mkdir(self, path: bytes, mode: int) -> int:
        """Make a directory; but an own call is there to announce one, or to have the kernel look the name up."""
        if not self._calls_itself():
            return super().mkdir(path, mode)
        return 0 if self._announces(path, Event.CREATED) else -errno.EEXIST

    def create(self, path: bytes, mode: int, info: int) -> int:
        """Make and open a file, as libfuse does at mknod(); but an own call is there to announce one."""
        if not self._calls_itself():
            return super().create(path, mode, info)
        return self._open_nothing(info) if self._announces(path, Event.CREATED) else -errno.EEXIST

    def symlink(self, target: bytes, path: bytes) -> int:
        """Make a symbolic link; but an own call is there to announce one."""
        if not self._calls_itself():
            return super().symlink(target, path)
        return 0 if self._announces(path, Event.CREATED) else -errno.EEXIST

    def unlink(self, path: bytes) -> int:
        """Remove a file; but an own call is there to announce that."""
        return self._confirm_removal(path) if self._calls_itself() else super().unlink(path)

    def rmdir(self, path: bytes) -> int:
        """Remove a directory; but an own call is there to announce that."""
        return self._confirm_removal(path) if self._calls_itself() else super().rmdir(path)

    def _confirm_removal(self, path: bytes) -> int:
        """Refuse to announce a removal where something has come to the name since."""
        if not self._announces(path, Event.REMOVED):
            return -errno.EBUSY
        try:
            self._filesystem.getattr(path.decode())
        except FileNotFoundError:
            return 0
        return -errno.EBUSY

    def rename(self, old: bytes, target: bytes, flags: int = 0) -> int:
        """Rename a file; but not where libfuse would hide one that is open, whose removal is announced."""
        if self._calls_itself() and (self._expected.event is not None or old != self._expected.path):
            return -errno.EBUSY
        return super().rename(old, target, flags)

    def open(self, path: bytes, info: int) -> int:
        """Open a file; but an own call is there to announce that, or to have the kernel drop the content that it keeps."""
        return self._open_nothing(info) if self._calls_itself() else super().open(path, info)

    def _open_nothing(self, info: int) -> int:
        self._words[info + self._handle >> 3] = NO_FILE
        return 0

    def flush(self, path: bytes, info: int) -> int:
        """Save an open file."""
        return super().flush(path, info) if self._handle_at(info) else 0

    def release(self, path: bytes, info: int) -> int:
        """End an open file."""
        return super().release(path, info) if self._handle_at(info) else 0
