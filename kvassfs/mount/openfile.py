"""One open file: the version that was opened, and what was written to it since."""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import NamedTuple

from ..entry import DEFAULT_MODE
from ..errors import KvassError
from ..store import Draft, Node, Tree, Written

SAVE_DELAY = 1_000_000_000
"""Nanoseconds: a save that comes sooner after the last write than this counts as made by that write,
so that the file's times are the same before and after ``close``."""


class Attributes(NamedTuple):
    """What ``stat`` shows of a file or directory; size in bytes, times in ns since the epoch."""

    mode: int
    size: int
    mtime: int
    atime: int
    ctime: int
    nlink: int = 1


def node_attributes(node: Node) -> Attributes:
    """Return the attributes of a file as it is in the store."""
    return Attributes(node.mode, node.size, node.mtime, node.atime, node.changed)


class OpenFile:
    """The buffer that all handles of one key share.

    ``key`` is ``None`` once the file has lost its name. ``clock`` returns ns since the epoch.
    """

    def __init__(self, tree: Tree, clock: Callable[[], int], key: str, draft: Draft) -> None:
        now = _microseconds(clock())
        self._tree = tree
        self._clock = clock
        self.key: str | None = key
        self.superseded: str | None = None
        """The key whose name went to another device's version while this one was open."""
        self.draft: Draft = draft
        self.mode = DEFAULT_MODE
        self.mtime = self.atime = self.ctime = now
        self.handles = 0
        self.dirty = False
        self.emptied = False
        """Whether it was truncated to nothing and not written to since."""
        self.refused = False
        """Whether the last write or save failed, and its caller was told so."""
        self.failure: KvassError | None = None
        """Why the last write failed: what a program wrote before is no save."""
        self.stored = False
        """Whether the key is in the store, as far as this file knows."""
        self.sequence = 0
        """The version in the store that this file is based on."""
        self.apart = False
        """Whether another version of the same key was open when this one was opened."""
        self._saved = 0

    @classmethod
    def of_key(cls, tree: Tree, clock: Callable[[], int], key: str, *, truncated: bool = False) -> OpenFile:
        """Open a file of the store, ``truncated`` to nothing if so wished. Raises ``KeyMissing``."""
        node, draft = tree.open(key)
        file = cls(tree, clock, key, draft)
        file.mode = node.mode
        file.stored = True
        file.sequence = node.sequence
        file.mtime, file.atime, file.ctime = node.mtime, node.atime, node.changed
        if truncated:
            file.restart()
        return file

    @classmethod
    def created(cls, tree: Tree, clock: Callable[[], int], key: str, mode: int) -> OpenFile:
        """Make a file that is not in the store yet; its first flush puts it there."""
        file = cls(tree, clock, key, tree.draft())
        file.mode = stat.S_IFREG | stat.S_IMODE(mode)
        file.dirty = True
        return file

    @property
    def attributes(self) -> Attributes:
        """What ``stat`` shows of it now."""
        return Attributes(self.mode, self.draft.size, self.mtime, self.atime, self.ctime)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put ``data`` at ``offset``."""
        try:
            self.draft.write(offset, data)
        except KvassError as error:
            self.refused, self.failure = True, error
            raise
        self._changed()

    def truncate(self, size: int) -> None:
        """Cut or extend the file to ``size`` bytes."""
        if size == self.draft.size:
            return
        if size == 0:
            self.restart()
            return
        self.draft.truncate(size)
        self._changed()

    def restart(self) -> None:
        """Empty the file as ``O_TRUNC`` does: it counts as changed even if it was empty."""
        had_content = self.draft.size > 0
        self.draft.truncate(0)
        self._changed()
        self.emptied = had_content

    def _changed(self) -> None:
        self.mtime = self.ctime = _microseconds(self._clock())
        self.dirty = True
        self.emptied = self.refused = False
        self.failure = None

    def set_times(self, mtime: int | None, atime: int | None) -> None:
        """Set the times (ns); ``None`` leaves one as it is."""
        if mtime is not None:
            self.mtime = mtime
        if atime is not None:
            self.atime = atime
        self.ctime = _microseconds(self._clock())

    @property
    def target(self) -> str | None:
        """The key that a save goes to; none if the file was removed."""
        return self.superseded if self.key is None else self.key

    def save(self, *, scratch: bool) -> None:
        """Store what was written, as one set; nothing if nothing was written or the file was removed.

        ``scratch``: it is a scratch file. Raises ``KvassError`` (``DiskFull``, …), and is then as
        dirty as before.
        """
        target = self.target
        if not self.dirty or target is None:
            return
        if self.failure is not None:
            raise self.failure
        now = self._clock()
        saved_at = self.ctime if now - self.ctime < SAVE_DELAY else now
        atime = self.atime if self.atime != self.mtime else None
        written = Written(mode=self.mode, mtime=self.mtime, atime=atime, changed=self.ctime)
        self.refused = True
        node = self._tree.save(target, self.draft, written, scratch=scratch, now=saved_at // 1000, amends=self._saved)
        self.dirty = self.emptied = self.refused = False
        self.stored = True
        self.sequence = self._saved = node.sequence

    def renewed(self, node: Node) -> None:
        """Go on from a version in the store that differs in its attributes alone."""
        self._follow(node)
        self.mode, self.ctime = node.mode, node.changed

    def moved(self, key: str, node: Node | None) -> None:
        """Go on under another name; ``node`` is the file in the store that moved with it."""
        if node is not None:
            self._follow(node)
        self.stored = node is not None
        self.key = key

    def _follow(self, node: Node) -> None:
        """Take a version in the store for the one that this file is based on."""
        if self._saved == self.sequence:
            self._saved = node.sequence
        self.sequence = node.sequence

    def close(self) -> None:
        """Let go of the buffer."""
        self.draft.close()


def _microseconds(time: int) -> int:
    """Return a time in ns cut to microseconds, in which entries keep theirs."""
    return time - time % 1000
