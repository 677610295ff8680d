"""Whether the database is still the file that was opened: somebody may remove, replace or overwrite it meanwhile."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress

from ..store_errors import ForeignLog, StoreReplaced
from ..tuples import NamedTuple

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import ClassVar, Protocol
    from weakref import WeakSet

    class Watched(Protocol):
        """A connection."""

        path: str

        def only_row(self, sql: str) -> tuple[int, int]:
            """Return the row that a query finds."""

        def stop(self, error: StoreReplaced) -> None:
            """Have every statement fail from now on."""


REMOVED = "was removed"
OTHER_FILE = "was replaced by another file"
OVERWRITTEN = "was overwritten"

_MAGIC = b"SQLite format 3\0"
_WITH_LOG = b"\x02\x02"
"""What the header has of a database with a write-ahead log (https://sqlite.org/fileformat.html); a backup has none."""

SECOND_LOOK = 0.1
"""Seconds after which what looks overwritten is looked at again: a checkpoint may be half done."""


class Content(NamedTuple):
    """What the file itself has, without what is in the log only: ``header``, and of the replica its id and clock."""

    header: bytes
    replica: tuple[int, int] | None


def is_overwritten(now: Content, before: Content | None, known: tuple[int, int]) -> bool:
    """Return whether the file was written by something else than SQLite.

    SQLite copies the log into it, so it never goes back, and never gets ahead of what its connections see, which is the
    id and clock ``known``.
    """
    if now.header[:16] != _MAGIC or now.header[18:20] != _WITH_LOG:
        return True
    if now.replica is None:
        return False
    if now.replica[1] > known[1]:
        return True
    if before is None or before.replica is None:
        return False
    return now.replica[1] < before.replica[1] or now.replica[0] not in {before.replica[0], known[0]}


class Presence:
    """Knows which files a connection opened; made before it is used."""

    _all: ClassVar[WeakSet[Presence] | None] = None

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._path = watched.path
        self._file = os.path.realpath(watched.path)
        self._log = f"{self._file}-wal"
        self._opened = identify(self._file)
        self._opened_log: tuple[int, int] | None = None
        self._written: tuple[int, int] | None = None
        self._content: Content | None = None
        self._begun = False

    def check_log(self) -> None:
        """Raise ForeignLog if what lies beside the file is the log of another database; once it is open, and not read."""
        with suppress(OSError):
            if os.path.getsize(self._log):
                refuse_foreign_log(self._path, _read_header(self._opened))

    def begin(self, *, for_long: bool) -> None:
        """Note the files once they are open; ``for_long``: their content as well, which takes half a millisecond."""
        self._opened_log = identify(self._log)
        self._begun = True
        self._written = self._stat()
        if for_long:
            self._content = self._read_content()
            self._register()

    def _register(self) -> None:
        """Be heard of in this process, as long as it is."""
        if Presence._all is None:
            from weakref import WeakSet  # noqa: PLC0415  no command on keys needs it

            Presence._all = WeakSet()
        Presence._all.add(self)

    def check(self) -> None:
        """Raise StoreReplaced unless the files are those that were opened, and nothing but SQLite has written them."""
        if not self._begun:
            return
        written = self._stat()
        if self._opened_log is not None and identify(self._log) != self._opened_log:
            raise StoreReplaced(self._path, REMOVED)
        if written != self._written:
            self._look_inside()
            self._written = written

    def _find_replica(self) -> tuple[int, int]:
        """Return what the connection sees of the replica: its process id and its clock."""
        return self._watched.only_row("SELECT process_id, clock FROM replica")

    def _stat(self) -> tuple[int, int]:
        """Return when the file was written, and its size."""
        try:
            status = os.stat(self._file)
        except OSError:
            raise StoreReplaced(self._path, REMOVED) from None
        if (status.st_dev, status.st_ino) != self._opened:
            raise StoreReplaced(self._path, OTHER_FILE)
        return status.st_mtime_ns, status.st_size

    def _look_inside(self) -> None:
        content = self._read_content()
        if is_overwritten(content, self._content, self._find_replica()):
            time.sleep(SECOND_LOOK)
            content = self._read_content()
            if is_overwritten(content, self._content, self._find_replica()):
                self._give_up_all()
        self._content = content

    def _give_up_all(self) -> None:
        """Have no connection of this process go on with what is partly one database and partly another."""
        error = StoreReplaced(self._path, OVERWRITTEN)
        for other in [*(self._all or ()), self]:
            other.give_up(self._opened, error)
        raise error

    def give_up(self, file: tuple[int, int] | None, error: StoreReplaced) -> None:
        """Have the connection fail from now on, if it is one to ``file``."""
        if self._opened == file:
            self._watched.stop(error)

    def _read_content(self) -> Content:
        return Content(_read_header(self._opened), _read_replica(self._file))


def refuse_foreign_log(path: str, header: bytes) -> None:
    """Raise ForeignLog if a file with this header has no log of its own, as a backup has none: for one that has a log."""
    if header[:16] == _MAGIC and header[18:20] == b"\x01\x01":
        raise ForeignLog(path)


def identify(path: str) -> tuple[int, int] | None:
    """Return device and inode of a file, ``None`` if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def find_descriptor(file: tuple[int, int] | None) -> int | None:
    """Return a descriptor by which this process has a file open, ``None`` if none is known.

    The file is to be read by that: closing another one would drop the locks of all connections
    (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    with suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                status = os.fstat(int(name))
                if (status.st_dev, status.st_ino) == file:
                    return int(name)
    return None


def _read_header(file: tuple[int, int] | None) -> bytes:
    """Return the header of a file that is open."""
    descriptor = find_descriptor(file)
    if descriptor is not None:
        with suppress(OSError):
            return os.pread(descriptor, 100, 0)
    return _MAGIC + b"\0\0" + _WITH_LOG  # nothing tells


def _read_replica(path: str) -> tuple[int, int] | None:
    """Return id and clock of the replica as the file has them, ``None`` where it has none, or is being written."""
    from urllib.parse import quote  # noqa: PLC0415  a command does not look that closely

    name = f"file:{quote(os.fsencode(path))}?mode=ro&immutable=1"
    with suppress(sqlite3.Error), closing(sqlite3.connect(name, uri=True)) as connection:
        row = connection.execute("SELECT process_id, clock FROM replica").fetchone()
        return None if row is None else (int(row[0]), int(row[1]))
    return None
