"""Which of two versions of a key wins: pure functions on entries."""

from __future__ import annotations

from enum import Enum
from typing import Any

from .entry import Entry


class Verdict(Enum):
    """What becomes of an entry that another replica has delivered."""

    ACCEPT = "it wins: it is the current version of the key from now on"
    REJECT = "it loses: the current version stays, and is handed out anew"
    SAME = "it is the current version"


def judge(current: Entry | None, delivered: Entry, *, pushed: bool) -> Verdict:
    """Decide what becomes of a delivered entry, where ``current`` is the version of its key here.

    The greater in the order wins, so merging takes the least upper bound: replicas agree in whatever order, and
    however often, versions arrive. ``pushed``: it was pushed to this store as the hub, and not pulled from its own hub;
    there a hub of version 1 may have changed the counter, or lost what it drops, of the very version that is here.
    """
    if current is None:
        return Verdict.ACCEPT
    if delivered.order == current.order and (pushed or delivered.is_whole):
        return _compare(current.rank, delivered.rank)
    if not pushed and delivered.write == current.write:
        return Verdict.SAME
    return _compare((current.order, current.rank), (delivered.order, delivered.rank))


def _compare(current: Any, delivered: Any) -> Verdict:
    if delivered == current:
        return Verdict.SAME
    return Verdict.ACCEPT if delivered > current else Verdict.REJECT
