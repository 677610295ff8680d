"""How many requests a store may make: each process counts those that it responds to."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Final
from uuid import UUID

from .errors import TooManyRequests

BURST: Final = 10.0
"""Seconds of which a store that was quiet may make all requests at once: a device that comes back makes many."""

REMEMBERED: Final = 10_000
"""Stores beyond which those are forgotten that have been quiet."""


class Rates:
    """Counts the requests of stores, for any thread. ``clock`` returns seconds.

    A store is remembered by one time: until when its requests would last if they came evenly (the "generic cell rate algorithm").
    """

    def __init__(self, burst: float = BURST, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._clock = clock
        self._lock = Lock()
        self._lasting: dict[UUID, float] = {}

    def count(self, store: UUID, most: int | None) -> None:
        """Count a request of a store that may make ``most`` a second, ``None``: any number.

        Raises:
            TooManyRequests: it has made too many; this one is not counted.
        """
        if most is None:
            return
        with self._lock:
            now = self._clock()
            lasting = max(self._lasting.get(store, now), now) + 1 / most
            if (wait := lasting - now - max(self._burst, 1 / most)) > 1e-9:
                raise TooManyRequests(most, wait)
            self._lasting[store] = lasting
            if len(self._lasting) > REMEMBERED:
                self._lasting = {each: end for each, end in self._lasting.items() if end > now}
