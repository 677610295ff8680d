"""How requests that wait for a change of a store are woken."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary


class Wakeups:
    """Wakes the coroutines of one event loop that wait for a change of a store, or for the end of waiting.

    Call ``subscribe`` before reading the database, and no change after that is missed. ``""`` is the only store of a hub that
    has but one.
    """

    def __init__(self) -> None:
        self.ended = False
        """Nobody should wait any more: the server ends."""
        self._next: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()

    def subscribe(self, store: str = "") -> asyncio.Event:
        """Return an event that is set at the next change of a store; it counts as waited for as long as it is kept."""
        event = self._next.get(store)
        if event is None:
            event = self._next[store] = asyncio.Event()
        return event

    def list_waited(self) -> list[str]:
        """Return the stores of which somebody waits for a change."""
        return list(self._next)

    def notify(self, store: str = "") -> None:
        """Wake those who wait for a store: it has changed."""
        event = self._next.pop(store, None)
        if event is not None:
            event.set()

    def end_waits(self) -> None:
        """Wake those who wait, and have nobody wait from now on."""
        self.ended = True
        for store in self.list_waited():
            self.notify(store)
