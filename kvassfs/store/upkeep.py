"""Upkeep of the database: what nothing uses any more goes, and the write-ahead log is copied."""

from __future__ import annotations

from .blocks import Blocks
from .contents import Contents
from .database import Database
from .holds import Holds
from .own_changes import OwnChanges
from .revisions import Revisions

STEP = 16
"""Revisions and blocks that go at a time on a full disk, where the write-ahead log has little room."""


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
    ) -> None:
        self._database = database
        self._contents = contents
        self._holds = holds
        self._revisions = revisions
        self._blocks = blocks
        self._changes = changes

    def clean(self) -> bool:
        """Do one bounded step of the clean-up; return whether more may be left."""
        with self._database.transaction:
            more = self._revisions.expire(self._contents.sizes.clean)
            self._changes.forget(self._revisions.find_limit())
            more = self._blocks.expire(self._contents.sizes.clean) or more
            return self._contents.clean(self._contents.sizes.clean) or more

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
        """Let go of what processes held that are no more."""
        with self._database.transaction:
            self._holds.release_dead()

    def tidy(self) -> bool:
        """Do one step of the clean-up if there is something to do; return whether more may be left."""
        if not (self._contents.has_dropped() or self._revisions.has_expired() or self._blocks.has_expired()):
            return False
        self.release_dead_holders()
        return self.clean()

    def log_size(self) -> int:
        """Return the size of the write-ahead log in bytes."""
        return self._database.log_size()

    def checkpoint(self) -> None:
        """Copy what the write-ahead log holds into the database, and empty it unless a reader still needs it."""
        self._database.checkpoint()
