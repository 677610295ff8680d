"""One open file: the version that was opened, and what was written to it since."""

from __future__ import annotations

import stat
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from ..entry import DEFAULT_MODE
from ..errors import KvassError
from ..store import Draft, Node, Tree, Written, new_inode
from .stat import Attributes

SAVE_DELAY = 1_000_000_000
"""Nanoseconds: a save that comes sooner after the last write than this counts as made by that write,
so that the file's times are the same before and after ``close``."""


class State(Enum):
    """What there is to save of an open file."""

    CLEAN = auto()
    """Nothing: it has not been changed since it was opened or saved."""

    DIRTY = auto()
    """It is new, or has been changed."""

    EMPTIED = auto()
    """It has been truncated to nothing, and not written to since: what is to replace the content may be on its way."""


class Standing(Enum):
    """How an open file stands to its key."""

    ATTACHED = auto()
    """It is the file of the key."""

    SUPERSEDED = auto()
    """The name went to another process's version while this one was open. A save still goes to the key."""

    REMOVED = auto()
    """It was removed or replaced. Nothing can be saved any more."""


CLEAN, DIRTY, EMPTIED = State
ATTACHED, SUPERSEDED, REMOVED = Standing
# Names of their own: by an attribute of the class each takes 0.1 µs more in Python 3.11.


class Place(NamedTuple):
    """Where an open file is in the store.

    Attributes:
        key: the key that it belongs to, or did.
        standing: how it stands to that key.
        sequence: the version in the store that it is based on, 0 for a scratch file; ``None`` if it is not there.
        amends: whether it has itself written that version, of which a later save then leaves no revision.
    """

    key: str
    standing: Standing
    sequence: int | None
    amends: bool

    def followed(self, node: Node) -> Place:
        """Return the place of a file that goes on from the version ``node``."""
        return self._replace(sequence=node.sequence)

    def moved(self, key: str, node: Node | None) -> Place:
        """Return the place under another key; ``node`` is the file in the store that moved with it."""
        return self._replace(key=key, standing=ATTACHED, sequence=None if node is None else node.sequence)


class Refusal(NamedTuple):
    """A write or a save that failed, and whose caller was told so.

    ``write``: why a write failed. What the program had written before is then no save.
    """

    write: KvassError | None = None


_REFUSED_SAVE = Refusal()


class OpenFile:
    """The buffer that all handles of one key share. ``clock`` returns ns since the epoch.

    Attributes:
        place: where it is in the store.
        state: what there is to save.
        refusal: the last write or save, if that failed.
        inode: its number; the key may have another one by now, if the file lost its name.
        apart: whether the kernel may not serve reads from what it keeps of the name: another version of the same key was
            open when this one was opened, or there may be another value at the path.
        xattrs: the extended attributes of a file that is in the store no more, or not yet; else the store has them.
        mod_time: the mtime, if somebody gave it since the last write.
        dated: the timestamp (µs) of the version that it was last saved as; 0 if it was not, or is a scratch file.
    """

    def __init__(self, tree: Tree, clock: Callable[[], int], place: Place, state: State, draft: Draft) -> None:
        self._tree = tree
        self._clock = clock
        self.place = place
        self.state = state
        self.refusal: Refusal | None = None
        self.draft = draft
        self.mode = DEFAULT_MODE
        self.mtime = self.atime = self.ctime = 0
        self.inode = 0
        self.handles = 0
        self.apart = False
        self.xattrs: dict[bytes, bytes] | None = None
        self.mod_time: int | None = None
        self.dated = 0

    @classmethod
    def of_key(cls, tree: Tree, clock: Callable[[], int], key: str, *, truncated: bool = False) -> OpenFile:
        """Open a file of the store, ``truncated`` to nothing if so wished. Raises ``KeyMissing``."""
        node, draft = tree.open(key)
        # A scratch file has no revisions, so that the version it becomes by a rename needs none either.
        place = Place(key, ATTACHED, node.sequence, amends=node.is_scratch)
        file = cls(tree, clock, place, CLEAN, draft)
        file.mode, file.inode = node.mode, node.inode
        file.mtime, file.atime, file.ctime = node.mtime, node.atime, node.changed
        if truncated:
            file.restart()
        return file

    @classmethod
    def created(cls, tree: Tree, clock: Callable[[], int], key: str, mode: int) -> OpenFile:
        """Make a file that is not in the store yet; its first flush puts it there."""
        file = cls(tree, clock, Place(key, ATTACHED, None, amends=True), DIRTY, tree.draft())
        file.xattrs = {}
        file.mode, file.inode = stat.S_IFREG | stat.S_IMODE(mode), new_inode()
        file.mtime = file.atime = file.ctime = _microseconds(clock())
        return file

    @classmethod
    def unnamed(cls, tree: Tree, clock: Callable[[], int], draft: Draft, attributes: Attributes) -> OpenFile:
        """Open a value that is that of no key, to be read: it is as if it was removed while it was open."""
        file = cls(tree, clock, Place("", REMOVED, None, amends=True), CLEAN, draft)
        file.mode, file.inode = attributes.mode, attributes.inode
        file.mtime, file.atime, file.ctime = attributes.mtime, attributes.atime, attributes.ctime
        return file

    @property
    def attributes(self) -> Attributes:
        """What ``stat`` shows of it now."""
        holes = self.draft.count_holes()
        return Attributes(self.mode, self.draft.size, self.mtime, self.atime, self.ctime, self.inode, holes)

    @property
    def is_dirty(self) -> bool:
        """Whether there is something to save."""
        return self.state is not CLEAN

    @property
    def is_attached(self) -> bool:
        """Whether it is the file of its key."""
        return self.place.standing is ATTACHED

    @property
    def is_stored(self) -> bool:
        """Whether it is in the store, as far as this file knows."""
        return self.place.sequence is not None

    @property
    def is_shown_as_stored(self) -> bool:
        """Whether the store says of it what this file says."""
        return self.is_stored and not self.is_dirty

    def is_current(self) -> bool:
        """Whether no other process has changed its key since, or a save will win over that."""
        if self.is_dirty:
            return True
        if not self.is_attached:
            return False
        node = self._tree.file(self.place.key)
        return node is not None and node.sequence == self.place.sequence

    # Content

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put ``data`` at ``offset``."""
        try:
            self.draft.write(offset, data)
        except KvassError as error:
            self.refusal = Refusal(write=error)
            raise
        self._note_change(DIRTY)

    def truncate(self, size: int) -> None:
        """Cut or extend the file to ``size`` bytes."""
        if size == self.draft.size:
            return
        if size == 0:
            self.restart()
            return
        self.draft.truncate(size)
        self._note_change(DIRTY)

    def restart(self) -> None:
        """Empty the file as ``O_TRUNC`` does: it counts as changed even if it was empty."""
        had_content = self.draft.size > 0
        self.draft.truncate(0)
        self._note_change(EMPTIED if had_content else DIRTY)

    def _note_change(self, state: State) -> None:
        self.mtime = self.ctime = _microseconds(self._clock())
        self.mod_time = None
        self.state = state
        self.refusal = None

    def set_permissions(self, permissions: int) -> None:
        """Set the permission bits of a file whose save is still to come."""
        self.mode = stat.S_IFMT(self.mode) | permissions
        self.ctime = self._clock()

    def set_times(self, mtime: int | None, atime: int | None) -> None:
        """Set the times (ns); ``None`` leaves one as it is."""
        if mtime is not None:
            self.mtime = self.mod_time = mtime
        if atime is not None:
            self.atime = atime
        self.ctime = _microseconds(self._clock())

    def put_xattr(self, name: bytes, value: bytes | None) -> None:
        """Set an extended attribute of a file that is not in the store; ``None`` removes it."""
        others = {other: data for other, data in (self.xattrs or {}).items() if other != name}
        self.xattrs = others if value is None else {**others, name: value}
        self.set_times(None, None)

    # Saving

    @property
    def target(self) -> str | None:
        """The key that a save goes to; none if the file was removed."""
        return None if self.place.standing is REMOVED else self.place.key

    def save(self, *, scratch: bool) -> bool:
        """Store what was written, as one set; nothing if nothing was written or the file was removed.

        Return whether that replaced a version that this file does not come from. ``scratch``: it is a scratch file. Raises ``KvassError`` (``DiskFull``, …), and is then as
        dirty as before.
        """
        target = self.target
        if self.state is CLEAN or target is None:
            return False
        if self.refusal is not None and self.refusal.write is not None:
            raise self.refusal.write
        now = self._clock()
        saved_at = self.ctime if now - self.ctime < SAVE_DELAY else now
        atime = self.atime if self.atime != self.mtime else None
        inode = self.inode if self.is_attached else None
        written = Written(
            mode=self.mode, mod_time=self.mod_time, mtime=self.mtime, atime=atime, changed=self.ctime, inode=inode
        )
        base = self.place.sequence or 0
        self.refusal = _REFUSED_SAVE
        saved = self._tree.save(
            target,
            self.draft,
            written,
            scratch=scratch,
            now=saved_at // 1000,
            amends=base if self.place.amends else 0,
            # The kernel has another inode under the name, for the version that is replaced now.
            foreign=not self.is_attached,
            xattrs=self.xattrs,
        )
        self.state, self.refusal, self.xattrs = CLEAN, None, None
        self.place = Place(target, self.place.standing, saved.node.sequence, amends=True)
        self.dated = saved.timestamp
        return saved.replaced not in (0, base)

    def follow(self, node: Node) -> None:
        """Go on from a version in the store that differs in its attributes alone."""
        self.place = self.place.followed(node)
        self.mode, self.ctime = node.mode, node.changed

    def close(self) -> None:
        """Let go of the buffer."""
        self.draft.close()


def _microseconds(time: int) -> int:
    """Return a time in ns cut to microseconds, in which entries keep theirs."""
    return time - time % 1000
