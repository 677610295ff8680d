"""What a hub does beside serving: it cleans up, and gives room back to the disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import Final

from ..errors import KvassError
from .workers import Worker

log = logging.getLogger(__name__)

INTERVAL: Final = 10.0
"""Seconds between two looks at what there is to do."""

REST: Final = 0.25
"""Seconds between two steps where there is much, so that requests are not held up."""


class Housekeeping:
    """Takes one step after the other, each by a thread of its own, and looks every ``interval`` seconds for more."""

    def __init__(
        self,
        open_upkeep: Callable[[], AbstractContextManager[Callable[[], bool]]],
        interval: float = INTERVAL,
        rest: float = REST,
    ) -> None:
        self._open_upkeep = open_upkeep
        self._interval = interval
        self._rest = rest
        self._failure = ""

    @asynccontextmanager
    async def run(self, timeout: float) -> AsyncIterator[None]:
        """``async with`` a store that is kept in order; at the end the thread has ``timeout`` seconds to end in."""
        worker = Worker(self._open_upkeep)
        task = asyncio.create_task(self._keep(worker))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            worker.end()
            worker.join(timeout)

    async def _keep(self, worker: Worker[Callable[[], bool]]) -> None:
        more = False
        while True:
            await asyncio.sleep(self._rest if more else self._interval)
            more = await self._step(worker)

    async def _step(self, worker: Worker[Callable[[], bool]]) -> bool:
        """Take a step; return whether there is more to do. What fails is tried again at the next look."""
        try:
            more = await worker.run(lambda take_step: take_step())
        except Exception as error:  # noqa: BLE001  logged
            self._report(error)
            return False
        self._failure = ""
        return more

    def _report(self, error: Exception) -> None:
        """Log a failure, but not each time that it comes again."""
        if repr(error) != self._failure:
            self._failure = repr(error)
            log.error("the clean-up failed: %s", error, exc_info=None if isinstance(error, KvassError) else error)
