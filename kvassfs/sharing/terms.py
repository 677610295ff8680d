"""On what terms a share link ends: after some time, which is counted by the clock of the hub, or after one use."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from ..store import Store

_SECOND = 1_000_000  # microseconds


class Terms(NamedTuple):
    """When a share link ends: ``lifetime`` seconds after it was made, if that is set, or after it was used ``once``."""

    lifetime: int | None = None
    once: bool = False

    def expires_at(self, now: int) -> int:
        """Return when a link made at ``now`` ends by itself, µs since the epoch; 0 for never."""
        return 0 if self.lifetime is None else now + self.lifetime * _SECOND


UNLIMITED = Terms()
"""The terms of no share link: what has them is the address of a version."""


def hub_time(store: Store, clock: Callable[[], int] = time.time_ns) -> int:
    """Return the time by the clock of the hub, which ends the links, as far as that is known: µs since the epoch.

    ``clock`` is that of this machine and returns ns since the epoch.
    """
    return clock() // 1000 + (store.hub_time.difference() or 0)
