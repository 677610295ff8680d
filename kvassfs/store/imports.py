"""Values, modes and times that come from elsewhere than other replicas: from files, archives and other programs."""

from __future__ import annotations

import stat
from collections.abc import Callable

from ..entry import DEFAULT_MODE, directory_of, parent
from ..errors import KeyMissing
from .database import Database
from .draft import Draft
from .entries import Entries
from .local import DIRECTORY_MODE
from .nodes import Node
from .rows import Written, inherit_mode
from .tree import Tree

PIECE = 1024 * 1024
"""Bytes of two values that are compared at a time."""


class Imports:
    """Gives keys what they do not have yet. What they have is left alone, so that no version comes of it.

    Each method is one transaction, or joins the one it is called in. Modes are those of ``st_mode``, times in ns; ``None``
    keeps what there is. ``clock`` returns ns since the epoch.
    """

    def __init__(self, database: Database, entries: Entries, tree: Tree, clock: Callable[[], int]) -> None:
        self._database = database
        self._entries = entries
        self._tree = tree
        self._clock = clock

    def differs(self, key: str, draft: Draft, mode: int | None, mtime: int | None) -> bool:
        """Return whether ``put`` would change something."""
        try:
            node, value = self._tree.open(key)
        except KeyMissing:
            return True
        try:
            return node.is_scratch or _pick_changes(node, mode, mtime) != (None, None) or not _is_same(value, draft)
        finally:
            value.close()

    def put(self, key: str, draft: Draft, mode: int | None, mtime: int | None) -> bool:
        """Give a key a value, a mode and a time; return whether that changed anything.

        Where mode or time are others alone, the value leaves no revision.

        Raises:
            DiskFull
        """
        node = self._tree.file(key)
        if node is None or node.is_scratch or not self._has_value(key, node, draft, mode):
            draft.commit(lambda content: self._write(key, Written(draft.size, content, mode, mod_time=mtime)))
            return True
        new_mode, new_mtime = _pick_changes(node, mode, mtime)
        with self._database.transaction:
            if new_mode is not None:
                self._tree.set_mode(node, new_mode)
            if new_mtime is not None:
                self._tree.set_times(node, new_mtime, None, self._clock())
        return (new_mode, new_mtime) != (None, None)

    def _has_value(self, key: str, node: Node, draft: Draft, mode: int | None) -> bool:
        if node.size != draft.size or stat.S_IFMT(node.mode) != stat.S_IFMT(mode or DEFAULT_MODE):
            return False
        _, value = self._tree.open(key)
        try:
            return _is_same(value, draft)
        finally:
            value.close()

    def _write(self, key: str, written: Written) -> None:
        old = self._entries.current(key)
        known = inherit_mode(old)
        # Without a mode, an empty value deletes, and one over a symlink's would be its target.
        if written.mode is None and ((known is None and not written.size) or stat.S_ISLNK(known or 0)):
            written = written._replace(mode=DEFAULT_MODE)
        self._entries.write(key, written, old=old, listing=directory_of(key))

    def directory_differs(self, prefix: str, mode: int | None, mtime: int | None) -> bool:
        """Return whether ``put_directory`` would change something."""
        record = self._tree.directory(prefix)
        return record is None or mode not in {None, record.mode} or mtime not in {None, record.mtime}

    def put_directory(self, prefix: str, mode: int | None, mtime: int | None) -> bool:
        """Have a directory be there, with a mode and a time; return whether that changed anything."""
        if not self.directory_differs(prefix, mode, mtime):
            return False
        with self._database.transaction:
            row = self._entries.current(prefix)
            if row is not None and row.live:
                self._tree.directories.set(prefix, mode=mode, mtime=mtime, is_scratch=lambda _: False)
            else:
                written = Written(mode=DIRECTORY_MODE if mode is None else mode, mod_time=mtime)
                self._entries.write(prefix, written, old=row, listing=parent(prefix))
        return True


def _pick_changes(node: Node, mode: int | None, mtime: int | None) -> tuple[int | None, int | None]:
    """Return the mode and the time that are others than those of ``node``, else ``None``."""
    return (None if mode in {None, node.mode} else mode, None if mtime in {None, node.mtime} else mtime)


def _is_same(one: Draft, other: Draft) -> bool:
    """Return whether two values have the same bytes."""
    return one.size == other.size and all(
        one.read(offset, PIECE) == other.read(offset, PIECE) for offset in range(0, one.size, PIECE)
    )
