"""Room that nothing uses goes back to the disk, in steps so small that nobody waits long for one.

A database is made for that (https://sqlite.org/pragma.html#pragma_auto_vacuum); one that was made before is written anew
once. A step moves pages from the end of the file to where nothing is, and cuts the end off.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress

from ..errors import DiskFull, KvassError, NoRoomForCopy, StoreBusy
from ..tuples import NamedTuple
from .database import LOG_LIMIT, Database
from .profile import BULK

INCREMENTAL = 2
"""``PRAGMA auto_vacuum`` of a database that gives room back."""

FEW_PAGES = 64
"""Free pages that are not worth giving back."""

SPARE = 4 * 1024 * 1024
"""Bytes that the disk must have room for beside a copy of the database."""


REST = 0.025
"""Seconds between two steps where all is given back at once: who waits for the lock looks as often, at first."""


class RoomLimits(NamedTuple):
    """How much is done at a time, and what is left alone.

    Attributes:
        kept: bytes that stay free for the next values.
        share: as large a part of what is used stays free, if that is more. Who saves everything anew lets go of an
            eleventh, as ten revisions are kept: that room is not given back and taken again each time.
        pages: pages of 4 KiB that one step gives back at most; the write-ahead log grows by about as much.
        pages_if_full: the same on a full disk, where the log has the room in reserve.
        seconds: for which one step may keep others from writing, about.
        small: bytes of a database that is written anew without being asked for: a quarter of a second.
        much: bytes that are free from which on a small rest is written anew rather than moved in steps: SQLite looks for each
            page in the list of the free ones, so the time of all steps grows with the square of what is free.
    """

    kept: int = 4 * 1024 * 1024
    share: int = 8
    pages: int = 1024
    pages_if_full: int = 64
    seconds: float = 0.02
    small: int = 32 * 1024 * 1024
    much: int = 64 * 1024 * 1024


LIMITS = RoomLimits()


class Pages(NamedTuple):
    """Pages of a database: all of them, those that nothing uses, and the bytes of one."""

    total: int
    free: int
    size: int


def count_surplus(pages: Pages, limits: RoomLimits = LIMITS) -> int:
    """Return how many free pages go back by themselves."""
    kept = max(limits.kept // pages.size, (pages.total - pages.free) // limits.share)
    surplus = pages.free - kept
    return surplus if surplus >= FEW_PAGES else 0


def is_mostly_free(pages: Pages, limits: RoomLimits = LIMITS) -> bool:
    """Return True if so little is used, and so much is free, that writing the database anew is quicker than steps."""
    used = (pages.total - pages.free) * pages.size
    return used <= limits.small and pages.free * pages.size >= limits.much


def prepare_empty(database: Database) -> None:
    """Have an empty database become one that gives room back; before anything else is written to it."""
    database.rows("PRAGMA auto_vacuum=INCREMENTAL")


class Room:
    """Gives room back, and tells how much there is. ``clock`` returns seconds, ``pause`` waits for some."""

    def __init__(
        self,
        database: Database,
        limits: RoomLimits = LIMITS,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock
        self._pause = pause
        self._page_size = 0

    def count_pages(self) -> Pages:
        """Count the pages."""
        self._page_size = self._page_size or self._database.page_size()
        total, free = (self._database.row(f"PRAGMA {name}")[0] for name in ("page_count", "freelist_count"))
        return Pages(total, free, self._page_size)

    def gives_back(self) -> bool:
        """Return True if the database is one that gives room back."""
        # What the pragma returns is found when it is compiled, which another process may since have made untrue; this
        # has SQLite see that.
        self._database.row("SELECT 1 FROM sqlite_schema LIMIT 1")
        return bool(self._database.row("PRAGMA auto_vacuum")[0] == INCREMENTAL)

    def give_some_back(self) -> bool:
        """Give back a part of what is free, unless that is little; return whether more may be left.

        Not inside a transaction: there it does nothing.
        """
        if self._database.transaction.is_open or not count_surplus(self.count_pages(), self._limits):
            return False
        with suppress(DiskFull):
            return self.gives_back() and self._step(lambda pages: count_surplus(pages, self._limits))
        return False

    def give_all_back(self) -> int:
        """Give back everything that is free, and return how many bytes.

        In steps; but a database that was not made for that is written anew, and nobody else writes meanwhile. So is one of which
        little is used, where there is room for that.

        Raises:
            NoRoomForCopy: there is no room for that; it is as it was.
            DiskFull: there is none even for the steps; what has been given back stays so.
        """
        before = self.count_pages()
        if not self.gives_back():
            self.rewrite()
        elif is_mostly_free(before, self._limits) and self._try_to_rewrite():
            pass
        elif before.free >= FEW_PAGES:
            while self._step(lambda pages: pages.free):  # to the last one, wherever the time of a step ends
                self._pause(REST)
        return max(0, before.total - self.count_pages().total) * before.size

    def _step(self, decide: Callable[[Pages], int]) -> bool:
        """Give back some of as many pages as ``decide`` says; return whether there are more, and it is time for them."""
        if self._is_log_needed():
            return False
        # What is moved twice after a power cut costs nobody anything, but a commit that waits for the disk holds others up.
        with self._database.using(BULK), self._database.transaction:
            wanted = decide(self.count_pages())
            is_full = self._database.transaction.spends
            gone = self._cut(min(wanted, self._limits.pages_if_full if is_full else self._limits.pages))
        self._database.checkpoint()  # only that makes the file shorter
        return 0 < gone < wanted

    def _is_log_needed(self) -> bool:
        """Return True if somebody reads from a long log, which can't be emptied and would only grow."""
        if self._database.log_size() > LOG_LIMIT:
            self._database.checkpoint()
        return self._database.log_size() > LOG_LIMIT

    def _cut(self, count: int) -> int:
        """Give back so many pages, or those that there is time for; return how many."""
        deadline = self._clock() + self._limits.seconds
        for done in range(count):
            # One at a time: whether sqlite3 goes on after the first depends on the version of Python.
            self._database.execute("PRAGMA incremental_vacuum(1)")
            if self._clock() >= deadline:
                return done + 1
        return count

    def rewrite(self) -> None:
        """Write the database anew, as one that gives room back; nobody else writes meanwhile.

        Raises:
            NoRoomForCopy: it is as it was.
        """
        needed = self._count_used_bytes()
        if not self._has_room_for(2 * needed + SPARE):
            raise NoRoomForCopy(self._database.path, needed)
        self._database.names.secure()
        self._database.rows("PRAGMA auto_vacuum=INCREMENTAL")
        try:
            self._database.rows("VACUUM")
        except DiskFull as error:
            raise NoRoomForCopy(self._database.path, needed) from error
        finally:
            with suppress(KvassError):
                self._database.checkpoint()

    def _count_used_bytes(self) -> int:
        pages = self.count_pages()
        return (pages.total - pages.free) * pages.size

    def _has_room_for(self, size: int) -> bool:
        disk = os.statvfs(os.path.dirname(os.path.realpath(self._database.path)))
        return disk.f_bavail * disk.f_frsize >= size

    def rewrite_small(self) -> bool:
        """Write a small database anew, if it is none that gives room back, or mostly free; return whether it was done.

        Where the disk is too full or somebody else writes, it is left for another time.
        """
        pages = self.count_pages()
        is_small = pages.total * pages.size <= self._limits.small
        if is_mostly_free(pages, self._limits) or (is_small and not self.gives_back()):
            return self._try_to_rewrite()
        return False

    def _try_to_rewrite(self) -> bool:
        with suppress(DiskFull, NoRoomForCopy, StoreBusy):
            self.rewrite()
            return True
        return False
