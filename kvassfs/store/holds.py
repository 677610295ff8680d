"""What an open store keeps although no entry names it: values that are being read, and blocks of drafts.

Every method that writes belongs inside a transaction. The row of ``holders`` comes with the first hold of a
transaction, so what a transaction rolls back was never held, and nothing has to be registered before.
"""

from __future__ import annotations

import os

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
        self._register()
        self._database.execute(
            "INSERT INTO pins VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1", (content, self._holder)
        )

    def unpin(self, content: int) -> None:
        """Let go of one ``pin``."""
        self._let_go("pins", "content", content)

    def stage(self, block: int) -> None:
        """Keep ``block`` until ``unstage``, although no value has it yet."""
        self._register()
        self._database.execute(
            "INSERT INTO staged VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1", (block, self._holder)
        )

    def unstage(self, block: int) -> None:
        """Let go of one ``stage``."""
        if self._let_go("staged", "block", block):
            self._database.execute("INSERT OR IGNORE INTO dropped_blocks VALUES (?)", (block,))

    def _let_go(self, table: str, column: str, held: int) -> bool:
        where = f"WHERE {column} = ? AND holder = ?"
        parameters = (held, self._holder)
        self._database.execute(f"UPDATE {table} SET count = count - 1 {where}", parameters)
        gone = self._database.execute(f"DELETE FROM {table} {where} AND count <= 0", parameters)
        return gone.rowcount > 0

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
