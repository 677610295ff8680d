"""Taking back what was changed on this machine, the last change first."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from ..entry import DEFAULT_MODE, directory_of, is_directory_mode, parent
from ..errors import NothingToUndo
from .history import Parts
from .own_changes import OwnChange, OwnChanges, Step
from .rows import Written, inherit_mode
from .share_links import ShareLinks
from .tree import Tree


class Way(Enum):
    """What undoing does to a key, or why it leaves it alone."""

    RESTORE = "is brought back as it was"
    REMOVE = "is removed"
    CHANGED = "has changed since"
    FORGOTTEN = "is not kept any longer as it was"

    @property
    def acts(self) -> bool:
        """Whether the key changes."""
        return self in (Way.RESTORE, Way.REMOVE)


class Plan(NamedTuple):
    """What undoing a change, made at ``made`` (µs), would do to each of its keys."""

    change: int
    made: int
    ways: tuple[tuple[Step, Way], ...]

    @property
    def keys(self) -> list[str]:
        """Return the keys that change."""
        return [step.key for step, way in self.ways if way.acts]

    def keys_of(self, way: Way) -> list[str]:
        """Return the keys to which that happens."""
        return [step.key for step, each in self.ways if each is way]


class Undo:
    """Takes changes back. What it does is no change that could be undone in turn: the next one goes further back."""

    def __init__(self, parts: Parts, changes: OwnChanges, share_links: ShareLinks, tree: Tree) -> None:
        self._database, self._contents, _, self._entries, _ = parts
        self._changes = changes
        self._share_links = share_links
        self._tree = tree

    def plan(self) -> Plan:
        """Return what there is to take back: the latest change of which that is possible.

        Raises:
            NothingToUndo: there is none.
        """
        passed: list[str] = []
        with self._database.snapshot():
            for change in self._changes.latest():
                plan = self._plan(change)
                if plan.keys:
                    return plan
                passed += [step.key for step, _ in plan.ways]
        raise NothingToUndo(passed)

    def _plan(self, change: OwnChange) -> Plan:
        steps = [self._complete(step, change.id) for step in change.steps]
        ways = [(step, self._find_way(step)) for step in steps if step.before != step.after]
        return Plan(change.id, change.made, tuple(ways))

    def _complete(self, step: Step, change: int) -> Step:
        """Return a step from the last version before it that is kept: earlier saves in one go leave none."""
        while step.before is not None and not self._is_kept(step):
            earlier = self._changes.find_made(step.key, step.before, change)
            if earlier is None:
                return step
            change, made = earlier
            step = made._replace(after=step.after)
        return step

    def _is_kept(self, step: Step) -> bool:
        return not step.size or (step.size > 0 and self._find_content(step) is not None)

    def _find_content(self, step: Step) -> int | None:
        """Return the value that a key had: under its token, where it is kept or has gone on under another key."""
        for table, condition in (("entries INDEXED BY entries_by_token", "size > 0"), ("revisions", "TRUE")):
            row = self._database.row(
                f"SELECT content FROM {table} WHERE url_token = ? AND size = ? AND {condition} LIMIT 1",
                (step.before, step.size),
            )
            if row is not None:
                return int(row[0])
        return None

    def _find_way(self, step: Step) -> Way:
        row = self._entries.current(step.key)
        if (row.url_token if row is not None and row.live else None) != step.after:
            return Way.CHANGED
        if step.before is None:
            return Way.REMOVE
        return Way.RESTORE if self._is_kept(step) else Way.FORGOTTEN

    def run(self, plan: Plan) -> Plan:
        """Take a change back as far as that is possible now; return what was done.

        In one transaction: keys that come back first, so that what lives under another key is found there.
        """
        return self._database.retry_when_full(lambda: self._run(plan))

    def _run(self, planned: Plan) -> Plan:
        plan = self._plan(self._changes.read(planned.change))
        with self._changes.paused():
            for step in _sorted(plan, Way.RESTORE):
                self._restore(step)
            removed = _sorted(plan, Way.REMOVE)
            for step in reversed(removed):
                self._remove(step)
            self._share_links.end_to(*(step.key for step in removed))
        self._changes.mark_undone(plan.change)
        return plan

    def _restore(self, step: Step) -> None:
        content = self._find_content(step) if step.size else None
        copied = None if content is None else self._contents.copy(content)
        old = self._entries.current(step.key)
        # Without a mode it would take over that of what replaced it, a symbolic link's too.
        mode = DEFAULT_MODE if step.mode is None and inherit_mode(old) is not None else step.mode
        written = Written(step.size, copied, mode, step.before, step.mod_time)
        is_directory = is_directory_mode(step.mode)
        listing = parent(step.key) if is_directory else directory_of(step.key)
        self._entries.write(step.key, written, old=old, listing=listing)

    def _remove(self, step: Step) -> None:
        row = self._entries.current(step.key)
        if row is None or not row.live or (row.is_directory and not self._tree.is_empty(step.key)):
            return
        self._entries.remove(row, listing=directory_of(row.key))


def _sorted(plan: Plan, way: Way) -> list[Step]:
    return sorted((step for step, each in plan.ways if each is way), key=lambda step: step.key)
