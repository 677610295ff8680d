"""How requests that wait for a change of the database are woken."""

from __future__ import annotations

import asyncio


class Wakeups:
    """Wakes the coroutines of one event loop that wait for a change of the database, or for the end of waiting.

    Call ``subscribe`` before reading the database, and no change after that is missed.
    """

    def __init__(self) -> None:
        self.ended = False
        """Nobody should wait any more: the server ends."""
        self._next = asyncio.Event()

    def subscribe(self) -> asyncio.Event:
        """Return an event that is set at the next change."""
        return self._next

    def notify(self) -> None:
        """Wake those who wait: the database has changed."""
        self._next.set()
        self._next = asyncio.Event()

    def end_waits(self) -> None:
        """Wake those who wait, and have nobody wait from now on."""
        self.ended = True
        self.notify()
