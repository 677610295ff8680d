"""Waiting for a database that another process has locked: in short slices, and not long for one that is stopped."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress

from ..errors import StoreBusy
from ..tuples import NamedTuple
from .machine import MACHINE, Machine
from .translation import ERRORS, translate_error

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import Final, TypeVar

    T = TypeVar("T")

SLICE: Final = 0.5
"""Seconds that SQLite waits at a time: in between, Ctrl-C is heard, and it is looked at who has the lock."""

STOPPED_PATIENCE: Final = 1.0
"""Seconds for which a process that is stopped is waited for."""

REST: Final = 0.02
"""Seconds between two tries, at least."""

LOCKS: Final = "/proc/locks"
"""The locks of all processes, see proc_locks(5)."""

WRITE_LOCK: Final = 120
"""The byte of the index of a write-ahead log that is locked by who writes (https://sqlite.org/walformat.html)."""


class Holder(NamedTuple):
    """Who has the write lock: a pid, 0 where that is not known, and whether that process is stopped."""

    pid: int = 0
    is_stopped: bool = False


def find_locker(locks: str, inode: int) -> int:
    """Return which process has locked a log's index, the file with the number ``inode``, to write; 0 if none is named.

    ``locks`` is the text of ``LOCKS``.
    """
    for line in locks.splitlines():
        fields = line.split()
        if len(fields) != 8 or fields[1] != "POSIX" or fields[3] != "WRITE":  # "->" in it: one that waits
            continue
        pid, place, first, last = fields[4:]
        is_index = place.rpartition(":")[2] == str(inode)
        if is_index and int(first) <= WRITE_LOCK and (last == "EOF" or int(last) >= WRITE_LOCK):
            return max(int(pid), 0)
    return 0


class Waiting:
    """Tries again what has found the database at ``path`` locked, for ``patience`` seconds, which may be changed.

    Where that was in vain, the next ones wait for a slice only, until somebody has had the lock again.
    """

    def __init__(
        self,
        path: str,
        patience: float,
        *,
        machine: Machine = MACHINE,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.patience = patience
        self._path = path
        self._index = f"{os.path.realpath(path)}-shm"
        self._machine = machine
        self._timer = timer
        self._sleep = sleep
        self._in_vain = False

    @property
    def slice(self) -> float:
        """For how many seconds SQLite is to wait at a time."""
        return min(self.patience, SLICE)

    def retry(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, which has found the database locked once, and raises ``StoreBusy`` while it does.

        Raises:
            StoreBusy: it is locked for too long.
        """
        begun = self._timer() - self.slice
        end = begun + self.patience
        while not self._in_vain and self._timer() < end:
            holder = self.find_holder()
            if holder.is_stopped and self._timer() - begun >= STOPPED_PATIENCE:
                break
            tried = self._timer()
            with suppress(StoreBusy):
                return work()
            if self._timer() - tried < REST:  # there are locks for which SQLite itself does not wait
                self._sleep(REST)
        self._in_vain = self.patience > SLICE or self._in_vain
        holder = self.find_holder()
        raise StoreBusy(self._path, holder.pid, is_stopped=holder.is_stopped)

    def run_again(
        self, run: Callable[[], T], error: sqlite3.Error | UnicodeDecodeError, connection: sqlite3.Connection
    ) -> T:
        """Return what ``run`` returns, which has failed with ``error``, if that was because the database was locked.

        Not inside a transaction of the ``connection``.

        Raises:
            StoreError: what else it failed with, in words.
        """
        failed = translate_error(error, self._path)
        if not isinstance(failed, StoreBusy) or connection.in_transaction:
            raise failed from error

        def work() -> T:
            try:
                return run()
            except ERRORS as again:
                raise translate_error(again, self._path) from again

        return self.retry(work)

    def note_lock(self) -> None:
        """Note that the lock could be had."""
        self._in_vain = False

    def find_holder(self) -> Holder:
        """Return who has the write lock, as far as the system tells."""
        pid = 0
        with suppress(OSError, ValueError), open(LOCKS, encoding="ascii", errors="replace") as file:
            pid = find_locker(file.read(), os.stat(self._index).st_ino)
        if pid == os.getpid():  # another connection of this process
            pid = 0
        return Holder(pid, bool(pid) and self._machine.is_stopped(pid))
