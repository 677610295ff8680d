"""What inotify tells of a directory or file."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EVENTS = {
    0x2: "MODIFY",
    0x8: "CLOSE_WRITE",
    0x40: "MOVED_FROM",
    0x80: "MOVED_TO",
    0x100: "CREATE",
    0x200: "DELETE",
    0x400: "DELETE_SELF",
}
EVENT = struct.Struct("iIII")

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """The events of one path so far, each as "NAME file", in their order."""

    def __init__(self, path: Path) -> None:
        self.descriptor: int = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if _libc.inotify_add_watch(self.descriptor, os.fsencode(path), sum(EVENTS)) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
        self._seen: list[str] = []

    def seen(self) -> list[str]:
        """Return what there was until now."""
        try:
            data = os.read(self.descriptor, 1 << 20)
        except BlockingIOError:
            return self._seen
        while data:
            _, mask, _, length = EVENT.unpack_from(data)
            name = data[EVENT.size : EVENT.size + length].rstrip(b"\0").decode()
            self._seen += [f"{event} {name}".rstrip() for bit, event in EVENTS.items() if mask & bit]
            data = data[EVENT.size + length :]
        return self._seen


@contextmanager
def watching(path: Path) -> Iterator[Watch]:
    """`with` a watch of a directory or file."""
    watch = Watch(path)
    try:
        yield watch
    finally:
        os.close(watch.descriptor)
