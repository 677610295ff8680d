"""What programs on this machine changed, noted so that it can be undone.

Every method that writes belongs inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ..share_link import LINKS
from ..tuples import NamedTuple
from .database import Database
from .rows import Row
from .versions import Change

PAUSE = 1_000_000
"""Microseconds: what one program does with a mount is one change as long as it pauses no longer."""

LOOK_BACK = 64
"""Rows among which the last one of a program is looked for: others may write at the same time."""

MOST_ROWS = 100_000
"""Rows that are kept, and those of the last change but one however many they are."""


NEVER = -1
"""In place of the size of a version that is not kept in any case."""


class Step(NamedTuple):
    """How a change left one key.

    ``before`` is the token of the version that was there, with its ``size`` (or ``NEVER``), ``mode`` and ``mod_time``;
    ``after`` of the one that is there since. ``None`` = the key was, or is, not there.
    """

    key: str
    before: str | None
    size: int
    mode: int | None
    mod_time: int | None
    after: str | None


def describe_step(key: str, old: Row | None, new: Row | None, *, amends: bool = False) -> Step | None:
    """Return the step from ``old`` to ``new``, ``None`` if it is none that could be undone; see ``OwnChanges.note``."""
    before = None if old is None or not old.live else old
    after = None if new is None or not new.live else new.url_token
    if key.startswith(LINKS) or (before is None and after is None):
        return None
    if before is None:
        return Step(key, None, NEVER if amends else 0, None, None, after)
    return Step(key, before.url_token, NEVER if amends else before.size, before.mode, before.mod_time, after)


class OwnChange(NamedTuple):
    """What one program did in one go, at ``made`` (µs): each key once, in the order in which they first changed."""

    id: int
    made: int
    steps: tuple[Step, ...]


_INTO = "INSERT INTO own_changes (undone, change, made, writer, pid, key, before, size, mode, mod_time, after)"
_NEXT = "ifnull(?, (SELECT ifnull(max(id), 0) + 1 FROM own_changes))"


class OwnChanges:
    """Notes changes. ``writer`` marks this open store.

    Attributes:
        caller: in a mount, returns the pid of the program that it answers just now: the changes of each are kept apart.
            ``None`` elsewhere: all that this open store changes is one change.
    """

    def __init__(self, database: Database, writer: int) -> None:
        self._database = database
        self._writer = writer
        self._paused = False
        self._change = 0
        self.caller: Callable[[], int] | None = None

    def note(self, key: str, old: Row | None, new: Row | None, now: int, *, amends: bool = False) -> None:
        """Note that a key changed from ``old`` to ``new`` at ``now`` (µs).

        ``amends``: the new version completes the old one, which nobody needs back.
        """
        step = describe_step(key, old, new, amends=amends)
        if step is not None and not self._paused:
            self._begin_or_go_on(step, now)

    def note_all(self, changes: Iterable[Change], now: int) -> None:
        """Note that several keys changed at ``now`` (µs), in this order."""
        steps = [step for change in changes if (step := describe_step(*change)) is not None]
        if not steps or self._paused:
            return
        head = (0, self._begin_or_go_on(steps[0], now), now, self._writer, self._find_caller())
        self._database.execute_many(f"{_INTO} VALUES (?{', ?' * 10})", [head + step for step in steps[1:]])

    def _begin_or_go_on(self, step: Step, now: int) -> int:
        """Note a step, the first of a change or a further one; return the change."""
        pid = self._find_caller()
        change = self._find_change(pid, now)
        parameters = (change, now, self._writer, pid, *step)
        row = self._database.execute(f"{_INTO} VALUES (0, {_NEXT}{', ?' * 9})", parameters).lastrowid or 0
        if change is None:
            self._change = change = row
            self._database.execute(
                "DELETE FROM own_changes WHERE id <= ? AND change <>"
                " (SELECT change FROM own_changes WHERE id < ? ORDER BY id DESC LIMIT 1)",
                (row - MOST_ROWS, row),
            )
        return change

    def _find_caller(self) -> int:
        return 0 if self.caller is None else self.caller()

    def withdraw(self, key: str, born: int) -> None:
        """Forget what happened to a key that came into being at ``born`` (µs), and went without a trace."""
        self._database.execute(
            "UPDATE own_changes SET undone = 1 WHERE id > (SELECT max(id) FROM own_changes) - ? AND key = ? AND made >= ?",
            (LOOK_BACK, key, born),
        )

    def _find_change(self, pid: int, now: int) -> int | None:
        """Return the change that goes on; ``None`` if another one begins."""
        if self.caller is None:
            # Its first row is looked for, as a rollback may have taken it back.
            row = self._database.row(
                "SELECT id FROM own_changes WHERE id = ? AND writer = ?", (self._change, self._writer)
            )
            return None if row is None else int(row[0])
        row = self._database.row(
            "SELECT change, made FROM own_changes WHERE id > (SELECT max(id) FROM own_changes) - ?"
            " AND writer = ? AND pid = ? ORDER BY id DESC LIMIT 1",
            (LOOK_BACK, self._writer, pid),
        )
        return int(row[0]) if row is not None and 0 <= now - row[1] <= PAUSE else None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """``with`` changes that are not noted: they take others back."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def latest(self) -> Iterator[OwnChange]:
        """Yield the changes that have not been undone and of which something is left, the latest first."""
        last = self._database.row("SELECT max(id) FROM own_changes WHERE NOT undone")[0]
        while last is not None:
            (change,) = self._database.only_row("SELECT change FROM own_changes WHERE id = ?", (last,))
            found = self.read(change)
            if found.steps and self._is_whole(change):
                yield found
            last = self._database.row(
                "SELECT max(id) FROM own_changes WHERE id < ? AND NOT undone AND change <> ?", (last, change)
            )[0]

    def _is_whole(self, change: int) -> bool:
        """Return True unless the beginning of a change is forgotten."""
        return self._database.row("SELECT 1 FROM own_changes WHERE id = ?", (change,)) is not None

    def read(self, change: int) -> OwnChange:
        """Return a change as what it came to."""
        steps: dict[str, Step] = {}
        made = 0
        for moment, *fields in self._database.rows(
            "SELECT made, key, before, size, mode, mod_time, after FROM own_changes"
            " WHERE id >= ? AND change = ? AND NOT undone ORDER BY id",
            (change, change),
        ):
            step = Step(*fields)
            first = steps.get(step.key)
            steps[step.key] = step if first is None else first._replace(after=step.after)
            made = max(made, moment)
        return OwnChange(change, made, tuple(step for step in steps.values() if step.before != step.after))

    def find_made(self, key: str, token: str, before: int) -> tuple[int, Step] | None:
        """Return the row, and the step, before the row ``before`` that gave a key the version with ``token``."""
        row = self._database.row(
            "SELECT id, key, before, size, mode, mod_time, after FROM own_changes WHERE id < ? AND key = ? AND after = ?"
            " ORDER BY id DESC LIMIT 1",
            (before, key, token),
        )
        return None if row is None else (row[0], Step(*row[1:]))

    def mark_undone(self, change: int) -> None:
        """Note that a change has been taken back."""
        self._database.execute("UPDATE own_changes SET undone = 1 WHERE id >= ? AND change = ?", (change, change))

    def forget(self, before: int) -> None:
        """Forget what was changed before ``before`` (µs): its values are not kept any longer."""
        row = self._database.row("SELECT id FROM own_changes WHERE made >= ? ORDER BY id LIMIT 1", (before,))
        self._database.execute("DELETE FROM own_changes WHERE id < ?", (2**63 - 1 if row is None else row[0],))
