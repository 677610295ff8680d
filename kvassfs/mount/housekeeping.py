"""What a mount does beside serving: it follows the configuration, and keeps the database small."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..scratch import ScratchNames
from ..store import Store
from .store_thread import StoreThread

INTERVAL = 5.0
"""Seconds between two beginnings of the clean-up, which then goes on step by step until it is done."""

REST = 0.25
"""Seconds between two looks while somebody commits: each holds the mount up a little."""

QUIET_TIME = 0.2
"""Seconds without a commit after which nobody writes."""

LOG_LIMIT = 128 * 1024 * 1024
"""Bytes of write-ahead log beyond which it is copied into the database at once."""

IDLE_LOG_LIMIT = 4 * 1024 * 1024
"""The same while nobody writes."""


class Housekeeping(StoreThread):
    """Keeps house, in a thread of its own, for the mount that makes its own changes through ``own_store``.

    ``use_scratch`` is called with the names of scratch files when others have been configured, and ``supervise`` now
    and then with whether there is a hub to keep in step with: both in the thread. Wake it after commits.
    """

    rest = REST

    def __init__(
        self,
        own_store: Store,
        *,
        use_scratch: Callable[[ScratchNames], None],
        supervise: Callable[[bool], None],
        clock: Callable[[], float] = time.monotonic,
        log_limit: int = LOG_LIMIT,
        idle_log_limit: int = IDLE_LOG_LIMIT,
    ) -> None:
        super().__init__(own_store.path, "housekeeping")
        self._patterns = own_store.settings.scratch_patterns()
        self._use_scratch = use_scratch
        self._supervise = supervise
        self._clock = clock
        self._log_limit = log_limit
        self._idle_log_limit = idle_log_limit
        self._next_clean_up = clock() + INTERVAL

    def look(self, store: Store, woken: bool, /) -> float:
        """Follow the configuration, shorten the write-ahead log, clean up now and then, and give room back bit by bit."""
        self._follow_configuration(store)
        if store.obstacle:  # whoever may write it keeps house
            return INTERVAL
        if store.upkeep.log_size() > (self._log_limit if woken else self._idle_log_limit):
            store.upkeep.checkpoint()
        if self._clock() >= self._next_clean_up:
            self._next_clean_up = self._clock() + INTERVAL
            self._clean_up(store)
        if not woken:
            store.upkeep.rewrite_small()
        if store.upkeep.give_some_back():
            return 0.0
        return QUIET_TIME if woken else max(0.0, self._next_clean_up - self._clock())

    def _follow_configuration(self, store: Store) -> None:
        patterns = store.settings.scratch_patterns()
        if patterns != self._patterns:
            self._patterns = patterns
            self._use_scratch(ScratchNames(patterns))
        self._supervise(bool(store.settings.config().remote) and not store.obstacle)

    def _clean_up(self, store: Store) -> None:
        """Remove what nothing uses any more, in short transactions with rests between, so that no save has to wait long."""
        more = True
        while more and not self.stopping:
            begun = self._clock()
            more = store.upkeep.clean()
            if more:
                self.rest_for(self._clock() - begun)
        store.upkeep.checkpoint()
