"""Wait for what happens elsewhere: ask again and again, and say in the end what did not happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 20.0
"""Seconds that anything may take which should take a moment: the machine may be busy."""

PAUSE = 0.005
"""Seconds between two questions."""

Found = TypeVar("Found")


class Overdue(AssertionError):
    """What was waited for did not happen in time; the message says what."""


def find_within(seconds: float, find: Callable[[], Found | None], *, what: str, pause: float = PAUSE) -> Found:
    """Return what `find` returns once that is true; raise Overdue when it takes longer than `seconds`.

    What began before the time was over still counts.
    """
    deadline = time.monotonic() + seconds
    while True:
        is_last = time.monotonic() > deadline
        if found := find():
            return found
        if is_last:
            raise Overdue(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


def within(seconds: float, condition: Callable[[], bool], *, what: str) -> float:
    """Wait for `condition` and return the seconds that it took; raise Overdue when it takes longer than `seconds`."""
    start = time.monotonic()
    find_within(seconds, condition, what=what)
    return time.monotonic() - start


def wait_until(condition: Callable[[], bool], what: str) -> float:
    """Wait for `condition` as long as anything may take; return the seconds that it took."""
    return within(PATIENCE, condition, what=what)


def until(condition: Callable[[], bool]) -> None:
    """Wait for `condition`, where the line of the test that failed says what did not happen."""
    wait_until(condition, "what this line waits for")
