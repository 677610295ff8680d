"""How fast bodies must come, and how fast they are taken."""

from __future__ import annotations

import asyncio
from collections import deque
from heapq import heapify, heappop, heappush
from typing import Final

FREE: Final = 64 * 1024
"""Bytes of a body that are taken at once: what a device sends when something is saved is shorter, mostly."""

RATE: Final = 32_000_000
"""Bytes a second that are taken of all longer bodies together; it leaves the event loop time for others."""


BURST: Final = 4 * 1024 * 1024
"""Bytes that are taken without a rest after there was none: pages of a device go through as they come."""


class Pace:
    """By when more of a body must have come, in seconds of a clock that stands at ``now``.

    Each byte buys time, as much as ``least_rate`` bytes a second allow, but the sender is never waited for longer than
    ``timeout`` seconds, nor for the whole longer than ``total``.
    """

    def __init__(self, now: float, *, timeout: float, least_rate: float, total: float) -> None:
        self._timeout = timeout
        self._least_rate = least_rate
        self._end = now + total
        self.deadline = min(now + timeout, self._end)

    def note(self, size: int, now: float) -> None:
        """Note that so many bytes have come."""
        self.deadline = min(self.deadline + size / self._least_rate, now + self._timeout, self._end)

    def excuse(self, seconds: float) -> None:
        """Leave aside seconds in which the sender could not go on, as this side took no more."""
        self.deadline += seconds
        self._end += seconds


class Turns:
    """Lets long bodies go on one after the other at ``rate`` bytes a second.

    By turns that is the one of which the least has come, and the one that has waited for longest. So who sends much waits for who sends little, though not for ever, and one alone is not held up. ``bodies`` is how many
    there are. For the event loop's thread.
    """

    def __init__(self, rate: float = RATE, burst: int = BURST) -> None:
        self.bodies = 0
        self._rate = rate
        self._burst = burst / rate
        self._paid = 0.0
        # In the order of what has come, then of arrival: what else is in a tuple is never compared.
        self._waiting: list[tuple[int, int, asyncio.Future[None], int]] = []
        self._shortest_next = False
        self._in_order: deque[tuple[asyncio.Future[None], int]] = deque()
        self._count = 0
        self._task: asyncio.Task[None] | None = None

    async def wait(self, received: int, size: int) -> None:
        """Wait for the turn of a body of which ``received`` bytes have come, the latest ``size`` of them just now."""
        turn = asyncio.get_running_loop().create_future()
        self._count += 1
        heappush(self._waiting, (received, self._count, turn, size))
        self._in_order.append((turn, size))
        if self._task is None:
            self._task = asyncio.create_task(self._give_turns())
        await turn

    async def _give_turns(self) -> None:
        loop = asyncio.get_running_loop()
        while (size := self._give_next()) is not None:
            self._paid = max(self._paid, loop.time() - self._burst)
            if self.bodies > 1:
                self._paid += size / self._rate
            await asyncio.sleep(max(self._paid - loop.time(), 0.0))
        self._task = None

    def _give_next(self) -> int | None:
        """Let a body go on and return the size of its piece; ``None`` if none waits."""
        self._shortest_next = not self._shortest_next
        while self._waiting and self._in_order:
            if self._shortest_next:
                *_, turn, size = heappop(self._waiting)
            else:
                turn, size = self._in_order.popleft()
            if not turn.done():
                turn.set_result(None)
                self._forget_done()
                return size
        self._waiting.clear()
        self._in_order.clear()
        return None

    def _forget_done(self) -> None:
        """Keep what was given by one order from staying in the other for ever."""
        if len(self._waiting) > 2 * len(self._in_order) + 64:
            self._waiting = [each for each in self._waiting if not each[2].done()]
            heapify(self._waiting)
