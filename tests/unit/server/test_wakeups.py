"""Wakeups: none is missed, and the end is one too."""

from __future__ import annotations

import asyncio

from kvassfs.server.wakeups import Wakeups

SECONDS = 20.0


def test_a_change_after_subscribing_is_not_missed() -> None:
    async def read() -> None:
        wakeups = Wakeups()
        wakeup = wakeups.subscribe()
        wakeups.notify()
        await asyncio.wait_for(wakeup.wait(), SECONDS)
        assert not wakeups.subscribe().is_set()

    asyncio.run(read())


def test_the_end_of_waits_wakes_too() -> None:
    async def read() -> None:
        wakeups = Wakeups()
        wakeup = wakeups.subscribe()
        wakeups.end_waits()
        await asyncio.wait_for(wakeup.wait(), SECONDS)
        assert wakeups.ended

    asyncio.run(read())
