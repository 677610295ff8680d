"""What tells replicas apart: process ids, and the incarnations of a hub."""

from __future__ import annotations

from typing import NamedTuple

NOBODY = 0
"""The process id that is no replica's."""

MAX_PROCESS_ID = 2**32 - 1


class Incarnation(NamedTuple):
    """A process that serves a store as the hub: a random mark, and the greatest Lamport clock that it told."""

    mark: int
    told: int
