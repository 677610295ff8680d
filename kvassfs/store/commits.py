"""Notice commits of other connections: the kernel tells of writes to SQLite's log, SQLite whether they are commits.

A commit writes to the write-ahead log, then waits for the disk if it is to be durable, and only then can be
seen, which nothing tells. So an event begins a series of looks, with pauses that grow while it stays quiet:
nobody knows how long the disk takes, or whether a large transaction, which writes long before it ends, ends soon.
"""

from __future__ import annotations

import ctypes
import logging
import os
import select
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

from ..errors import KvassError
from .access import find_obstacle
from .database import Database
from .profile import BUSY_TIMEOUT
from .reading import ReadOnlyDatabase
from .translation import translate_error
from .waiting import SLICE

log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two looks without any event."""

POLLING_INTERVAL = 0.1
"""The same where the kernel tells of none."""

SHORTEST_PAUSE = 0.002
"""Seconds between two looks while events keep coming."""

PAUSE = 0.02
"""Seconds between two calls of a commit thread: one that commits without pause is heard of this often."""

BURST = 5
"""Calls of a commit thread that may come at once after it was quiet: a change takes several commits."""

IDLE = 60.0
"""Seconds without a commit after which a commit watch says that nobody commits."""

RETRY_PAUSE = 1.0
"""Seconds after which a commit watch that failed goes on, and calls, as it may have missed a commit."""

END_TIME = 1.0
"""Seconds that the thread of a commit watch is given to end in."""

IN_MODIFY, IN_ONESHOT = 0x2, 0x80000000  # sys/inotify.h

_libc = ctypes.CDLL(None, use_errno=True)
_libc.inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)


class FileEvents(Protocol):
    """What the kernel tells of one file."""

    descriptor: int
    """Readable when there is news."""

    def news(self) -> bool:
        """Whether the file was written, or appeared, since the last call."""

    def attached(self) -> bool:
        """Whether the file was there at the last call of ``news``, so that writes are told."""

    def close(self) -> None:
        """Close the descriptor."""


class Inotify:
    """The events of the file at ``path``, which need not exist yet.

    The kernel tells of one write and then of no more until the next call of ``news``: to be told of every page of a large
    transaction makes it a tenth slower.

    Raises OSError where the system has no inotify, or this user too many instances (Linux allows 128).
    """

    def __init__(self, path: str) -> None:
        self._path = os.fsencode(path)
        self._number = -1
        self.descriptor: int = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def news(self) -> bool:
        """Whether the file was written, or appeared, since the last call."""
        before = self._number
        # It has the same number if nothing was told since. Another file may have taken the place of the first one.
        self._number = _libc.inotify_add_watch(self.descriptor, self._path, IN_MODIFY | IN_ONESHOT)
        return self._told() or self._number not in {before, -1}

    def _told(self) -> bool:
        # The kernel merges equal events, so that a single read takes them all.
        try:
            return bool(os.read(self.descriptor, 4096))
        except BlockingIOError:
            return False

    def attached(self) -> bool:
        """Whether the file was there at the last call of ``news``, so that writes are told."""
        return self._number >= 0

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.descriptor)


class CommitWatch:
    """Tells when another connection, of whatever process, commits to the database at ``path``.

    For one thread, except ``wake``. A commit is mostly noticed within milliseconds, and within ``interval``
    seconds should the kernel not tell. Where it tells nothing at all (``open_events`` raises OSError), the looks are
    ``POLLING_INTERVAL`` apart.

    Raises:
        StoreUnavailable, NotAStore, DamagedStore: there must be a database already.
    """

    def __init__(
        self, path: str, *, interval: float = INTERVAL, open_events: Callable[[str], FileEvents] = Inotify
    ) -> None:
        self._interval = interval
        self._last_news = float("-inf")
        # A signal handler may interrupt the thread that holds it, and call `wake`.
        self._lock = threading.RLock()
        self._closed = False
        with ExitStack() as opened:
            # Its read lock keeps the log in existence, the same file whose events come.
            self._database = opened.enter_context(closing(_connect(path)))
            self._seen = self._database.data_version()
            self._woken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            opened.callback(os.close, self._woken)
            self._events = self._open_events(path, open_events)
            if self._events is not None:
                opened.callback(self._events.close)
            self._opened = opened.pop_all()

    def _open_events(self, path: str, open_events: Callable[[str], FileEvents]) -> FileEvents | None:
        self._wakes, self._news = select.poll(), select.poll()
        for poll in (self._wakes, self._news):
            poll.register(self._woken, select.POLLIN)
        try:
            events = open_events(os.path.realpath(path) + "-wal")
        except OSError:
            return None
        self._news.register(events.descriptor, select.POLLIN)
        return events

    def wait(self, timeout: float) -> bool:
        """Block until the database changed since the last wait (at first: since this was made), or ``wake``.

        Returns ``False`` when ``timeout`` seconds passed without either. A checkpoint can pass for a change.

        Raises:
            StoreError: the database cannot be read.
        """
        end = time.monotonic() + timeout
        while not self._look():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._sleep(left)
        return True

    def _look(self) -> bool:
        # A thread that serves a mount beside this one is held up by each call here: first comes what mostly suffices.
        changed = self._has_changed()
        return self._take_wakes() or changed or (self._take_news() and self._has_changed())

    def _has_changed(self) -> bool:
        seen, self._seen = self._seen, self._database.data_version()
        return seen != self._seen

    def _take_news(self) -> bool:
        """Be told of the next write; return whether there was one, or one may have come between."""
        if self._events is None:
            return False
        if self._events.news():
            self._last_news = time.monotonic()
        return True

    def _take_wakes(self) -> bool:
        try:
            return bool(os.eventfd_read(self._woken))
        except BlockingIOError:
            return False

    def _sleep(self, longest: float) -> None:
        """Sleep until there is news or a wake, half as long at most as it has been quiet."""
        quiet = time.monotonic() - self._last_news
        told = self._events is not None and self._events.attached()
        interval = self._interval if told else min(self._interval, POLLING_INTERVAL)
        pause = min(max(quiet / 2, SHORTEST_PAUSE), interval, longest)
        # Somebody who writes without pause would otherwise have this thread run without pause too.
        poll = self._wakes if quiet < SHORTEST_PAUSE else self._news
        poll.poll(pause * 1000)

    def wake(self) -> None:
        """End the wait now, or else the next one; from any thread or signal handler."""
        with self._lock:
            if not self._closed:
                os.eventfd_write(self._woken, 1)

    def close(self) -> None:
        """Close the connection and the descriptors; again is no error."""
        with self._lock:
            self._closed = True
        self._opened.close()


class Allowance:
    """Tells a caller that may act ``burst`` times at once, and every ``pause`` seconds on average, how long to wait.

    ``clock`` returns seconds.
    """

    def __init__(self, burst: int, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._span = (burst - 1) * pause
        self._pause = pause
        self._clock = clock
        self._spent_until = 0.0

    def spend(self) -> float:
        """Note an action; return the seconds to wait before the next."""
        now = self._clock()
        self._spent_until = max(self._spent_until, now) + self._pause
        return max(self._spent_until - now - self._span, SHORTEST_PAUSE)


class CommitThread:
    """A thread that calls ``on_commit``, each function in turn, after other connections committed to a database.

    Other connections are all but its own, also those of this process. ``path`` is a database that exists. The
    functions are called when the thread begins as well, so that what they find then, and what comes later, is
    everything; and on average at most every ``pause`` seconds, although commits may come more often: after quiet
    times, ``BURST`` calls come as soon as what they are for. ``on_idle`` is called
    each time that nobody has committed for ``idle`` seconds. All of them should return soon.
    """

    def __init__(
        self,
        path: str,
        *on_commit: Callable[[], object],
        pause: float = PAUSE,
        on_idle: Callable[[], object] = lambda: None,
        idle: float = IDLE,
    ) -> None:
        self._path = path
        self._on_commit = on_commit
        self._allowance = Allowance(BURST, pause)
        self._on_idle = on_idle
        self._idle = idle
        self._watch: CommitWatch | None = None
        self._failure = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kvassfs-commits", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for that; but not for a database that does not answer."""
        self._stopping.set()
        if self._watch is not None:
            self._watch.wake()
        if self._thread.is_alive():
            self._thread.join(END_TIME)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with closing(CommitWatch(self._path)) as self._watch:
                    self._call_after_commits(self._watch)
            except KvassError as error:
                self._report(error, logging.WARNING)
            except Exception as error:  # noqa: BLE001  logged with its traceback
                self._report(error, logging.ERROR, traceback=True)
            self._stopping.wait(RETRY_PAUSE)

    def _report(self, error: Exception, level: int, *, traceback: bool = False) -> None:
        """Log a failure, but not each time that it comes again."""
        if repr(error) != self._failure:
            self._failure = repr(error)
            log.log(level, "commits of others are noticed late: %s", error, exc_info=error if traceback else None)

    def _call_after_commits(self, watch: CommitWatch) -> None:
        committed = True  # before anybody listened, perhaps
        while not self._stopping.is_set():
            if not committed:
                self._on_idle()
            else:
                for call in self._on_commit:
                    call()
                self._stopping.wait(self._allowance.spend())
            committed = watch.wait(self._idle)


def _connect(path: str) -> Database:
    """Connect to a database that is there; SQLite would make one that anybody may read."""
    if os.access(path, os.R_OK) and (obstacle := find_obstacle(path)):
        return ReadOnlyDatabase(path, obstacle, patience=BUSY_TIMEOUT)
    address = Path(os.path.realpath(path)).as_uri() + "?mode=rw"
    try:
        return Database(path, sqlite3.connect(address, uri=True, timeout=SLICE, isolation_level=None))
    except sqlite3.Error as error:
        raise translate_error(error, path) from error
