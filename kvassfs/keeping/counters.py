"""The counters of what a device pushes."""

from __future__ import annotations

from collections.abc import Iterable

from ..entry import Delivery


def find_counters(deliveries: Iterable[Delivery]) -> dict[int, int]:
    """Return the greatest counter of each writer, by process id."""
    counters: dict[int, int] = {}
    for entry, *_ in deliveries:
        if entry.counter > counters.get(entry.process_id, -1):
            counters[entry.process_id] = entry.counter
    return counters
