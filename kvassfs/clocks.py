"""What is said of clocks that are wrong: of this machine's, and of the one by which a version was dated."""

from __future__ import annotations

from datetime import timedelta

WARNED_DIFFERENCE = 60_000_000
"""Microseconds by which the clocks of this machine and the hub differ before that is said."""

WARNED_AHEAD = 24 * 3600 * 1_000_000
"""Microseconds by which a version is ahead of the present before that is said."""


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
