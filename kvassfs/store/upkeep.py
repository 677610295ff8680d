"""Upkeep of the database: what nothing uses any more goes, and the write-ahead log is copied."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from ..errors import KvassError
from ..tuples import NamedTuple
from .blocks import Blocks
from .contents import Contents
from .database import Database
from .draft import Draft
from .holds import PIN_TIMEOUT, Holds
from .own_changes import OwnChanges
from .revisions import Revisions
from .room import Room

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from .lengthy import Report

STEP = 16
"""Revisions and blocks that go at a time where a step must be short, or the disk is full, and the log has little room."""

SLICE_TIME = 0.005
"""Seconds that a command spends on the clean-up, about; more where it has stored large values."""

LONGEST_SLICE = 0.25
"""Seconds that it spends on it at most."""


class Space(NamedTuple):
    """What the database holds, in bytes: values as they would be by themselves, though they share equal blocks.

    ``current``: the values of keys and scratch files; ``history``: revisions; ``dropped``: what waits for the clean-up;
    ``free``: what has been cleaned up, and is used again or given back.
    """

    current: int
    history: int
    dropped: int
    free: int


class Upkeep:
    """Does the clean-up in bounded steps, each a transaction, so that no save has to wait long."""

    def __init__(
        self,
        database: Database,
        contents: Contents,
        holds: Holds,
        revisions: Revisions,
        blocks: Blocks,
        changes: OwnChanges,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._contents = contents
        self._holds = holds
        self._revisions = revisions
        self._blocks = blocks
        self._changes = changes
        self._room = Room(database)
        self._timer = timer

    def clean(self) -> bool:
        """Do one bounded step of the clean-up; return whether more may be left."""
        with self._database.transaction:
            return self._take_step(self._contents.sizes.clean)

    def _take_step(self, limit: int) -> bool:
        """Let go of at most ``limit`` of each that is there; return whether more may be left. Inside a transaction."""
        before = self._revisions.find_limit()
        more = self._holds.release_dead(limit)
        more = self._revisions.expire(before, limit) or more
        self._changes.forget(before)
        more = self._blocks.expire(limit) or more
        return self._contents.clean(limit) or more

    def trim(self, keep: int, before: int, report: Report = lambda _done, _total: None) -> int:
        """Let go of revisions but for the newest ``keep`` of each key, and of those replaced before ``before`` (µs).

        Return how many went. In bounded steps, each a transaction, after which ``report`` is told how many, and of how many.
        """
        numbers = self._revisions.list_beyond(keep, before)
        for start in range(0, len(numbers), self._contents.sizes.clean):
            with self._database.transaction:
                self._revisions.forget(numbers[start : start + self._contents.sizes.clean])
            report(min(start + self._contents.sizes.clean, len(numbers)), len(numbers))
        return len(numbers)

    def limits(self) -> tuple[int, int]:
        """Return how many revisions are kept of each key, and for how many µs."""
        return self._revisions.limits()

    def space(self) -> Space:
        """Return what takes the room."""
        from .nodes import HOLES  # noqa: PLC0415  few need it

        entries, scratch, history = (
            int(self._database.only_row(f"SELECT total(size - {HOLES}) FROM {table}")[0])
            for table in ("entries", "scratch", "revisions")
        )
        return Space(entries + scratch, history, self.dropped_size(), self._database.free_size())

    def dropped_size(self) -> int:
        """Return how many bytes the values take that nothing needs any more, and that are still there."""
        (dropped,) = self._database.only_row(
            "SELECT total(size - holes) FROM contents WHERE id IN (SELECT content FROM dropped_contents)"
        )
        (blocks,) = self._database.only_row("SELECT count(*) FROM dropped_blocks")
        return int(dropped) + int(blocks) * self._contents.sizes.block

    def give_all_back(self, report: Report = lambda _done, _total: None) -> int:
        """Give all that is free back to the disk, and return how many bytes; see ``Room.give_all_back``.

        ``report`` is told 0 of 0 now and then, as nobody knows how far that is. An interrupt leaves what was given back so.
        """
        from .lengthy import looked_after  # noqa: PLC0415  few need it

        with looked_after(self._database, lambda: report(0, 0)):
            return self._room.give_all_back()

    def gives_back(self) -> bool:
        """Return True if what is free goes back to the disk by itself, as it does but for some databases from before."""
        return self._room.gives_back()

    def give_some_back(self) -> bool:
        """Do one small step of giving room back if much is free; return whether more may be left. See ``Room.give_some_back``."""
        return self._room.give_some_back()

    def rewrite_small(self) -> bool:
        """Have a small database from before give room back from now on; see ``Room.rewrite_small``."""
        return self._room.rewrite_small()

    def let_history_go(self, size: int) -> bool:
        """Let go of revisions that take ``size`` bytes, the oldest ones; return whether there were any.

        For a full disk.
        """
        left = size
        while left > 0:
            with self._database.transaction:
                gone = self._revisions.forget_oldest(left, STEP)
            left -= gone or left
        more = left < size
        while more and self._contents.has_dropped():
            with self._database.transaction:
                more = self._contents.clean(STEP)
        return left < size

    def release_dead_holders(self) -> None:
        """Let go of all that processes held that are no more, in bounded steps, each a transaction."""
        while self._holds.find_dead() is not None:
            with self._database.transaction:
                self._holds.release_dead(self._contents.sizes.clean)

    def tidy(self) -> bool:
        """Do one step of the clean-up if there is something to do; return whether more may be left."""
        self._database.presence.check()
        if not self._is_due():
            return False
        with self._database.transaction:
            return self._take_step(self._contents.sizes.clean)

    def tidy_quietly(self, draft: Draft | None = None, worked: float = 0.0) -> None:
        """Close a draft that was saved, and do what ``tidy_briefly`` does, after a change that is stored whatever becomes of this."""
        with suppress(KvassError, MemoryError):  # the next one goes on with it
            if draft is not None:
                draft.close()
            self.tidy_briefly(worked)

    def tidy_briefly(self, worked: float = 0.0) -> None:
        """Do as much of the clean-up as takes some milliseconds, or give some room back; the rest is for the next time.

        ``worked`` is for how many seconds values have been stored: an eighth of that is more than removing as much takes.
        Nobody is waited for.
        """
        with self._database.waiting(PIN_TIMEOUT):
            if self._is_due():
                self._take_steps(worked)
            else:
                self.give_some_back()

    def _take_steps(self, worked: float) -> None:
        end = self._timer() + min(max(SLICE_TIME, worked / 8), LONGEST_SLICE)
        with self._database.transaction:
            while self._take_step(STEP) and self._timer() < end:
                pass

    def _is_due(self) -> bool:
        return (
            self._contents.has_dropped()
            or self._revisions.has_expired()
            or self._blocks.has_expired()
            or self._holds.find_dead() is not None
        )

    def log_size(self) -> int:
        """Return the size of the write-ahead log in bytes."""
        return self._database.log_size()

    def checkpoint(self) -> None:
        """Copy what the write-ahead log holds into the database, and empty it unless a reader still needs it."""
        self._database.checkpoint()
