"""The wall clock of the hub, by which versions are dated: all devices of one person date theirs by one clock."""

from __future__ import annotations

from collections.abc import Callable

from ..entry import CLOCK_TOLERANCE
from .database import Database
from .machine import Machine
from .setting_rows import IS_SEALED

_NOTICED = 100_000
"""Microseconds by which a new measurement must differ to be noted."""

_DATING = f"SELECT clock_offset FROM hub WHERE boot = ? AND NOT {IS_SEALED}"


class HubTime:
    """Keeps how the hub's clock was measured; ``clock`` is ours and returns ns since the epoch.

    The measurement is kept against the uptime of this system, so it stays right when our clock is set. It holds
    for the present boot.
    """

    def __init__(self, database: Database, clock: Callable[[], int], machine: Machine) -> None:
        self._database = database
        self._clock = clock
        self._machine = machine
        self._boot = ""
        self.uptime = machine.read_uptime
        """For how long this system has been up, in µs; for any thread."""

    def difference(self) -> int | None:
        """Return the hub's clock minus ours (µs), ``None`` if it was not measured in this boot."""
        row = self._database.row("SELECT clock_offset FROM hub WHERE boot = ?", (self._identify_boot(),))
        return None if row is None or row[0] is None else self.compare(row[0])

    def dating_difference(self) -> int | None:
        """Return the difference by which versions are dated: that of a hub which cannot read them is only told.

        It is somebody else's, and its names of versions tell when they were made, so that they never change.
        """
        row = self._database.row(_DATING, (self._identify_boot(),))
        return None if row is None or row[0] is None else self.compare(row[0])

    def compare(self, offset: int) -> int:
        """Return the hub's clock minus ours, where ``offset`` is the hub's minus the uptime (µs)."""
        return int(offset + self.uptime() - self._clock() // 1000)

    def correction(self) -> int:
        """Return what a time of our clock lacks to be one of the hub's (µs): 0 where they agree, or nothing is known."""
        return significant(self.dating_difference())

    def now(self) -> int:
        """Return the present by the clock that dates what is written, µs since the epoch."""
        return self._clock() // 1000 + self.correction()

    def was_asked(self) -> bool:
        """Return whether the hub's clock was asked for in this boot, although the response may have taken too long."""
        return self._database.row("SELECT 1 FROM hub WHERE boot = ?", (self._identify_boot(),)) is not None

    def find_ahead(self, margin: int, limit: int) -> list[tuple[str, int]]:
        """Return the keys, at most ``limit``, that are dated more than ``margin`` µs ahead, the furthest first.

        With each comes its timestamp. Deleted keys are among them: their tombstones win as well.
        """
        return self._database.rows(
            "SELECT key, timestamp FROM entries WHERE timestamp > ? ORDER BY timestamp DESC LIMIT ?",
            (self.now() + margin, limit),
        )

    def note(self, offset: int | None, *, epoch: int) -> None:
        """Note the clock of the hub of ``epoch`` minus the uptime (µs), ``None`` if measuring it took too long."""
        boot, known, current = self._database.only_row("SELECT boot, clock_offset, epoch FROM hub")
        is_known = boot == self._identify_boot()
        if current != epoch or (is_known and (offset is None or _is_close(offset, known))):
            return
        with self._database.transaction:
            self._database.execute(
                "UPDATE hub SET clock_offset = ?, boot = ? WHERE epoch = ?", (offset, self._identify_boot(), epoch)
            )

    def _identify_boot(self) -> str:
        if not self._boot:
            self._boot = self._machine.identify_boot()
        return self._boot


def significant(difference: int | None) -> int:
    """Return the difference of two clocks (µs) if it is known and more than can be measured, otherwise 0."""
    return 0 if difference is None or abs(difference) <= CLOCK_TOLERANCE else difference


def _is_close(offset: int, known: int | None) -> bool:
    return known is not None and abs(offset - known) <= _NOTICED
