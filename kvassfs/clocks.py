"""What is said of clocks that are wrong: of this machine's, and of the one by which a version was dated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

MAX_CLOCK = (2**53 - 1) * 1000
"""The latest time in ns that a wall clock is taken to show, of the year 2255: what follows from it can be stored and sent."""

MAX_TIME = 2**63 - 1
"""The latest time in ns that a file can have, of the year 2262, as SQLite holds it; the earliest is as far before 1970."""

_YEAR = 365 * 24 * 3600 * 10**9

WARNED_DIFFERENCE = 60_000_000
"""Microseconds by which the clocks of this machine and the hub differ before that is said."""

WARNED_AHEAD = 24 * 3600 * 1_000_000
"""Microseconds by which a version is ahead of the present before that is said."""


def bound_clock(clock: Callable[[], int]) -> Callable[[], int]:
    """Return a wall clock (ns) that shows what can be stored and sent, whatever ``clock`` shows, and does not stand still."""
    return lambda: bound_moment(clock())


def bound_moment(now: int) -> int:
    """Return what a wall clock is taken to show (ns): beyond what can be stored, a time of the last year within."""
    if abs(now) <= MAX_CLOCK:
        return now
    return (MAX_CLOCK if now > 0 else 0) - _YEAR + now % _YEAR


def clamp_time(time: int) -> int:
    """Return the nearest time in ns that a file can have: of the years 1677 to 2262."""
    return max(-MAX_TIME, min(time, MAX_TIME))


def describe_difference(difference: int | None) -> str | None:
    """Return a line on the clock of this machine, where the hub's is by ``difference`` µs ahead; ``None`` if all is well."""
    if difference is None or abs(difference) <= WARNED_DIFFERENCE:
        return None
    amount, direction = _format_span(abs(difference)), "behind" if difference > 0 else "ahead of"
    return (
        f"the clock of this machine is {amount} {direction} that of the hub, which dates what is written; set it right"
    )


def describe_ahead(key: str, timestamp: int, now: int) -> str | None:
    """Return a line on a version of a key that is dated far ahead of ``now`` (µs); ``None`` if it is not."""
    if timestamp - now <= WARNED_AHEAD:
        return None
    amount = _format_span(timestamp - now)
    return (
        f"{key} is dated {amount} ahead, as a version before it was written by a wrong clock; until then what another "
        "device writes without having seen this one loses; under another key it is dated anew"
    )


def _format_span(microseconds: int) -> str:
    return str(timedelta(seconds=round(microseconds / 1_000_000)))
