"""A thread beside the one that serves a mount, with a connection of its own to the store."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from typing import ClassVar

from ..errors import KvassError
from ..store import MOUNT, Store

log = logging.getLogger(__name__)

RETRY_PAUSE = 1.0
"""Seconds after which a look that failed is tried again, if nothing wakes the thread before."""


class StoreThread(ABC):
    """Looks at the store when it starts, whenever it is woken, and after the seconds for which the last look said.

    ``path`` is the database's, ``name`` says in the log what failed. It is then tried again.

    Attributes:
        rest: seconds between two looks at least, however often it is woken.
    """

    rest: ClassVar[float] = 0.0

    def __init__(self, path: str, name: str) -> None:
        self._path = path
        self._name = name
        self._failure = ""
        self._stopping = threading.Event()
        self._awake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"kvassfs-{name}", daemon=True)

    @abstractmethod
    def look(self, store: Store, woken: bool, /) -> float | None:
        """Do what is due; return the seconds until the next look unless woken before, ``None`` for no such look.

        ``store`` is the thread's. ``woken``: the thread has just been started or woken.
        """

    @property
    def stopping(self) -> bool:
        """Whether a look should end soon."""
        return self._stopping.is_set()

    def rest_for(self, seconds: float) -> None:
        """Do nothing for so long, within a look, unless it has to end."""
        self._stopping.wait(seconds)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for that."""
        self._stopping.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        """Look soon; from any thread."""
        self._awake.set()

    def _run(self) -> None:
        while not self.stopping:
            try:
                with Store.open(self._path, profile=MOUNT) as store:
                    self._look_until_stopped(store)
            except Exception as error:  # noqa: BLE001  logged
                self._log(error)
                self._stopping.wait(RETRY_PAUSE)

    def _look_until_stopped(self, store: Store) -> None:
        woken = True
        while not self.stopping:
            pause = self._guarded_look(store, woken)
            self._stopping.wait(self.rest)
            woken = self._awake.wait(pause)
            self._awake.clear()

    def _guarded_look(self, store: Store, woken: bool) -> float | None:
        try:
            pause = self.look(store, woken)
            self._failure = ""
            return pause
        except Exception as error:  # noqa: BLE001  logged
            self._log(error)
            return RETRY_PAUSE

    def _log(self, error: Exception) -> None:
        """Log a failure, but not each time that it comes again."""
        if repr(error) == self._failure:
            return
        self._failure = repr(error)
        log.error("%s failed: %s", self._name, error, exc_info=None if isinstance(error, KvassError) else error)
