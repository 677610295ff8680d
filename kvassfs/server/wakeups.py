"""How requests that wait for a change of the database hear of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

from ..errors import KvassError
from ..store import Store
from ..store.commits import CommitListener

log = logging.getLogger(__name__)

PAUSE = 0.02
"""Seconds between two looks for changes of other processes: one that writes without pause is heard of this often."""

IDLE = 60.0
"""Seconds without a change after which the write-ahead log is emptied."""

CLOSING = 1.0
"""Seconds that the thread is given to end in."""


class News:
    """Tells coroutines of one event loop that the database changed, or that they should wait no more.

    Take a ticket before reading the database, and nothing that happens after it is missed.
    """

    def __init__(self) -> None:
        self.ended = False
        self._next = asyncio.Event()

    def ticket(self) -> asyncio.Event:
        """Return what the next news sets."""
        return self._next

    def tell(self) -> None:
        """Say that the database changed."""
        self._next.set()
        self._next = asyncio.Event()

    def end(self) -> None:
        """Say that nobody should wait from now on."""
        self.ended = True
        self.tell()


class Watch:
    """A thread that calls ``changed`` when somebody has committed to the database at ``path``, which must exist.

    When nobody has for ``idle`` seconds, it empties the write-ahead log, so that a full disk finds it so.
    """

    def __init__(self, path: str, changed: Callable[[], object], *, idle: float = IDLE) -> None:
        self._path = path
        self._changed = changed
        self._idle = idle
        self._changes: CommitListener | None = None
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="kvassfs-changes", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for that; but not for a database that does not answer."""
        self._stopping.set()
        if self._changes is not None:
            self._changes.wake()
        self._thread.join(CLOSING)

    def _run(self) -> None:
        try:
            self._changes = CommitListener(self._path)
            try:
                self._look(self._changes)
            finally:
                self._changes.close()
        except KvassError as error:
            # Whoever waits looks for itself now and then.
            log.warning("other processes' changes are noticed late: %s", error)
        except Exception:
            log.exception("other processes' changes are noticed late")

    def _look(self, changes: CommitListener) -> None:
        while not self._stopping.is_set():
            changed = changes.wait(self._idle)
            if self._stopping.is_set():
                return
            if changed:
                self._changed()
                self._stopping.wait(PAUSE)
            else:
                self._tidy()

    def _tidy(self) -> None:
        with suppress(KvassError), Store.open(self._path) as store:
            store.upkeep.checkpoint()
