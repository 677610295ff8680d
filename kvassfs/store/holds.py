"""What an open store keeps although no entry names it: values that are being read, and blocks of drafts.

Every method that writes belongs inside a transaction. The row of ``holders`` comes with the first hold of a
transaction, so what a transaction rolls back was never held, and nothing has to be registered before. Where the
database can only be read, nothing is held: others may remove what is being read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from .database import Database
from .machine import Machine


class Holds:
    """Keeps contents and blocks for the open store that ``holder``, a random number, tells from others."""

    def __init__(self, database: Database, holder: int, machine: Machine) -> None:
        self._database = database
        self._holder = holder
        self._machine = machine
        self._own = (holder, os.getpid(), machine.find_own_start())
        self.any = False
        """Whether this open store may hold something."""

    def _register(self) -> None:
        self._database.execute("INSERT OR IGNORE INTO holders VALUES (?, ?, ?)", self._own)
        self.any = True

    def pin(self, content: int) -> None:
        """Keep ``content`` readable until ``unpin``, whatever becomes of its entry."""
        if self._database.obstacle:
            return
        self._register()
        self._database.execute(
            "INSERT INTO pins VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1", (content, self._holder)
        )

    def unpin(self, content: int) -> None:
        """Let go of one ``pin``."""
        if self._database.obstacle:
            return
        key = (content, self._holder)
        self._database.execute("UPDATE pins SET count = count - 1 WHERE content = ? AND holder = ?", key)
        self._database.execute("DELETE FROM pins WHERE content = ? AND holder = ? AND count <= 0", key)

    def stage(self, block: int) -> None:
        """Keep ``block`` until ``unstage``, although no value has it yet."""
        self._register()
        self._database.execute(
            "INSERT INTO staged VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1", (block, self._holder)
        )

    def unstage(self, blocks: Iterable[int]) -> None:
        """Let go of one ``stage`` of each of ``blocks``."""
        keys = [(block, self._holder) for block in blocks]
        if not keys:  # as of each small value
            return
        gone = "FROM staged WHERE block = ? AND holder = ? AND count <= 0"
        self._database.execute_many("UPDATE staged SET count = count - 1 WHERE block = ? AND holder = ?", keys)
        self._database.execute_many(f"INSERT OR IGNORE INTO dropped_blocks SELECT block {gone}", keys)
        self._database.execute_many(f"DELETE {gone}", keys)

    def release(self) -> None:
        """Let go of everything that this open store holds."""
        self._release(self._holder)
        self.any = False

    def release_dead(self) -> None:
        """Let go of what processes held that have ended."""
        for holder, pid, since in self._database.rows("SELECT id, pid, started FROM holders"):
            if self._machine.find_start(pid) != since:
                self._release(holder)

    def _release(self, holder: int) -> None:
        self._database.execute("DELETE FROM pins WHERE holder = ?", (holder,))
        self._database.execute(
            "INSERT OR IGNORE INTO dropped_blocks SELECT block FROM staged WHERE holder = ?", (holder,)
        )
        self._database.execute("DELETE FROM staged WHERE holder = ?", (holder,))
        self._database.execute("DELETE FROM holders WHERE id = ?", (holder,))
