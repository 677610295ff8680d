"""What an open store keeps although no entry names it: values that are being read, and blocks of drafts.

Every method that writes belongs inside a transaction. The row of ``holders`` comes with the first hold of a
transaction, so what a transaction rolls back was never held, and nothing has to be registered before. Where the
database can only be read, nothing is held: others may remove what is being read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress

from ..errors import StoreBusy
from .database import Database
from .machine import Machine

PIN_TIMEOUT = 0.1
"""Seconds that who reads waits for the lock to note that; there are ways without."""


class Holds:
    """Keeps contents and blocks for the open store that ``holder``, a random number, tells from others."""

    def __init__(self, database: Database, holder: int, machine: Machine) -> None:
        self._database = database
        self._holder = holder
        self._machine = machine
        self._own = (holder, os.getpid(), machine.find_own_start())
        self._left: list[tuple[int | None, Sequence[int]]] = []
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

    def let_go(self, content: int | None, blocks: Sequence[int] = ()) -> None:
        """Let go of one ``pin`` and of one ``stage`` of each of ``blocks``, in a transaction of its own.

        Nobody waits for that: while another process has the lock it is put off until the next one.
        """
        self._left.append((content, blocks))
        try:
            with self._database.waiting(PIN_TIMEOUT):
                self._database.retry_when_full(self._let_go_of_left)
        except StoreBusy:
            return
        except BaseException:
            self._left.pop()
            raise
        self._left.clear()

    def _let_go_of_left(self) -> None:
        for content, blocks in self._left:
            self.unstage(blocks)
            if content is not None:
                self.unpin(content)

    def release(self) -> None:
        """Let go of everything that this open store holds, in a transaction of its own.

        Where another process has the lock, that is left to the clean-up, which finds that this process has ended.
        """
        if self.any:
            with suppress(StoreBusy), self._database.waiting(PIN_TIMEOUT):
                self._database.retry_when_full(lambda: self._release(self._holder))
        self.any = False
        self._left.clear()

    def find_dead(self) -> int | None:
        """Return a holder that has ended, ``None`` if there is none; takes as long as there are others that live."""
        for holder, pid, since in self._database.rows("SELECT id, pid, started FROM holders"):
            if self._machine.find_start(pid) != since:
                return int(holder)
        return None

    def release_dead(self, limit: int) -> bool:
        """Let go of at most ``limit`` of what one process held that has ended; return whether more may be left."""
        holder = self.find_dead()
        if holder is None:
            return False
        self._release(holder, limit)
        return True

    def _release(self, holder: int, limit: int = -1) -> None:
        """Let go of what a holder has, of at most ``limit`` blocks; it is forgotten with the last one."""
        self._database.execute("DELETE FROM pins WHERE holder = ?", (holder,))
        blocks = self._database.rows("SELECT block FROM staged WHERE holder = ? LIMIT ?", (holder, limit))
        self._database.execute_many("INSERT OR IGNORE INTO dropped_blocks VALUES (?)", blocks)
        self._database.execute_many(
            "DELETE FROM staged WHERE block = ? AND holder = ?", [(block, holder) for (block,) in blocks]
        )
        if len(blocks) != limit:
            self._database.execute("DELETE FROM holders WHERE id = ?", (holder,))
