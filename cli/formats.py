"""Numbers of entries and bytes, points in time and spans of it, in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from kvassfs.amounts import format_size as format_size  # noqa: PLC0414  one of these, for the commands

_SECOND = 1_000_000  # microseconds

_SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}


def format_entry_count(number: int) -> str:
    """Return ``1 entry``, ``2 entries``."""
    return "1 entry" if number == 1 else f"{number} entries"


def parse_span(text: str) -> int:
    """Return the microseconds of a span of time like ``7d``, ``12h`` or ``90m``; a number alone is days.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"([0-9]{1,9})([a-z]?)", text)
    length = _UNITS.get(found[2] or "d") if found else None
    if found is None or length is None:
        raise ValueError(text)
    return int(found[1]) * length * _SECOND


def format_local_time(moment: int) -> str:
    """Return a point in time, µs since the epoch, to the second where we are; ``?`` beyond the calendar."""
    try:
        return datetime.fromtimestamp(moment // _SECOND, UTC).astimezone().isoformat(" ")[:19]
    except (OverflowError, ValueError, OSError):  # a device whose clock is off by millennia
        return "?"


def format_utc(moment: int) -> str | None:
    """Return a point in time, µs since the epoch, as ISO 8601 in UTC; none beyond the calendar."""
    try:
        return datetime.fromtimestamp(moment // _SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return None


def format_age(moment: int, now: int) -> str:
    """Return how long before ``now`` a point in time was, both µs since the epoch."""
    seconds = (now - moment) // _SECOND
    return f"{format_span(seconds)} ago" if seconds >= 1 else "just now"


def format_span(seconds: int) -> str:
    """Return a span of time in the largest unit that fits into it: ``1 second``, ``90 days``."""
    for length, noun in _SPANS:
        if number := max(seconds, 0) // length:
            return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
    return "0 seconds"


def format_left(seconds: float) -> str:
    """Return the time left: ``0:07 left``, ``1:02:03 left``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} left" if hours else f"{minutes}:{rest:02} left"
