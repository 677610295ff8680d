"""Which of two versions of a key wins: pure functions on entries."""

from __future__ import annotations

from enum import Enum
from typing import Any

from .entry import Entry
from .share_link import parse_record


class Verdict(Enum):
    """What becomes of an entry that another replica has delivered."""

    ACCEPT = "it wins: it is the current version of the key from now on"
    REJECT = "it loses: the current version stays, and is handed out anew"
    SAME = "it is the current version"


def judge(current: Entry | None, delivered: Entry, *, pushed: bool, sealed: bool = False) -> Verdict:
    """Decide what becomes of a delivered entry, where ``current`` is the version of its key here.

    The greater in the order wins, so merging takes the least upper bound: replicas agree in whatever order, and
    however often, versions arrive. ``pushed``: it was pushed to this store as the hub, and not pulled from its own hub;
    there a hub of version 1 may have changed the counter, or lost what it drops, of the very version that is here.
    ``sealed``: that hub cannot make a share link of this store, but could give the record of one that has ended a later time.
    So an end is final; and nothing is pushed against the record, which such a hub could do again and again.
    """
    if current is None:
        return Verdict.ACCEPT
    if sealed and (has_ended := _has_ended(current)) is not None and has_ended is not _has_ended(delivered):
        return Verdict.SAME if has_ended else Verdict.ACCEPT
    if delivered.order == current.order and (pushed or delivered.is_whole):
        return _compare(current.rank, delivered.rank)
    if not pushed and delivered.write == current.write:
        return Verdict.SAME
    return _compare((current.order, current.rank), (delivered.order, delivered.rank))


def _has_ended(entry: Entry) -> bool | None:
    """Return whether the share link has ended that an entry is the record of; ``None`` if it is none."""
    link = parse_record(entry.key)
    return None if link is None else link.token != entry.url_token


def _compare(current: Any, delivered: Any) -> Verdict:
    if delivered == current:
        return Verdict.SAME
    return Verdict.ACCEPT if delivered > current else Verdict.REJECT
