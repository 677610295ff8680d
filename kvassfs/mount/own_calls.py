"""What the mount answers to the calls that this program makes to it; see ``calls``. They change nothing.

The mount knows such a call by its process and by the path that is expected at the moment. Nobody else calls within
that process, and a path alone costs next to nothing to compare.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .operations import Operations, callbacks_of

if TYPE_CHECKING:
    from .filesystem import Filesystem
    from .structures import Layout

NO_FILE: Final = 0
"""The handle of what such a call has opened: nothing. Handles of files begin at 1."""


class Expected:
    """Which call is expected. Set by the thread that has it made, before and after it; read by the one that serves.

    Attributes:
        path: what it is about; ``None`` if there is none.
        pid: the process that makes it; 0 if there is none.
    """

    def __init__(self) -> None:
        self.path: bytes | None = None
        self.pid = 0


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

    def _is_own(self, path: bytes) -> bool:
        return path == self._expected.path and self._caller() == self._expected.pid

    def mkdir(self, path: bytes, mode: int) -> int:
        """Make a directory; but the call is there to have the kernel look the name up."""
        return -errno.EEXIST if self._is_own(path) else super().mkdir(path, mode)

    def open(self, path: bytes, info: int) -> int:
        """Open a file; but the call is there to have the kernel drop the content that it keeps."""
        return self._open_nothing(info) if self._is_own(path) else super().open(path, info)

    def _open_nothing(self, info: int) -> int:
        self._words[info + self._handle >> 3] = NO_FILE
        return 0

    def flush(self, path: bytes, info: int) -> int:
        """Save an open file."""
        return super().flush(path, info) if self._handle_at(info) else 0

    def release(self, path: bytes, info: int) -> int:
        """End an open file."""
        return super().release(path, info) if self._handle_at(info) else 0
