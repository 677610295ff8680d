"""An in-memory file system as a newcomer writes it on the binding's `Operations` class: the benchmark's yardstick.

usage: plain.py [--threads] DIRECTORY

It has a dictionary of attributes and one of data, no options but `nothreads` (which `--threads` leaves out),
and no override of the binding. `PLAIN_BINDING` chooses `mfusepy` on libfuse 3 (default) or `fusepy` on libfuse 2.
"""

# ruff: noqa: ARG002, D102, TID251 (the binding's own signatures; and a peer chooses its binding itself)

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from typing import Any

if os.environ.get("PLAIN_BINDING") == "fusepy":
    from fuse import FUSE, FuseOSError, Operations
else:
    os.environ.setdefault("FUSE_LIBRARY_NAME", "fuse3")
    from mfusepy import FUSE, FuseOSError, Operations


class Plain(Operations):  # type: ignore[misc, unused-ignore]
    """Files and directories in two dictionaries by path."""

    use_ns = True

    def __init__(self) -> None:
        self.attributes: dict[str, dict[str, Any]] = {}
        self.data: dict[str, bytearray] = {}
        self.handle = 0
        self.add("/", stat.S_IFDIR | 0o755, 2)

    def add(self, path: str, mode: int, links: int) -> None:
        now = time.time_ns()
        self.attributes[path] = {
            "st_mode": mode,
            "st_nlink": links,
            "st_size": 0,
            "st_uid": os.getuid(),
            "st_gid": os.getgid(),
            "st_atime": now,
            "st_mtime": now,
            "st_ctime": now,
        }

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if path not in self.attributes:
            raise FuseOSError(errno.ENOENT)
        return self.attributes[path]

    def readdir(self, path: str, fh: int) -> list[str]:
        prefix = path if path == "/" else path + "/"
        start = len(prefix)
        below = [other[start:] for other in self.attributes if other.startswith(prefix) and other != path]
        return [".", "..", *(name for name in below if "/" not in name)]

    def mkdir(self, path: str, mode: int) -> int:
        self.add(path, stat.S_IFDIR | mode, 2)
        return 0

    def rmdir(self, path: str) -> int:
        del self.attributes[path]
        return 0

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        self.add(path, stat.S_IFREG | mode, 1)
        self.data[path] = bytearray()
        return self.open(path, 0)

    def open(self, path: str, flags: int) -> int:
        self.handle += 1
        return self.handle

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return bytes(self.data[path][offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self.data[path][offset : offset + len(data)] = data
        self.attributes[path]["st_size"] = len(self.data[path])
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        data = self.data[path]
        self.data[path] = data[:length] + bytes(max(0, length - len(data)))
        self.attributes[path]["st_size"] = length
        return 0

    def unlink(self, path: str) -> int:
        del self.attributes[path]
        del self.data[path]
        return 0


if __name__ == "__main__":
    FUSE(Plain(), sys.argv[-1], foreground=True, nothreads="--threads" not in sys.argv)
