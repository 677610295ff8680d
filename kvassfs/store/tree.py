"""The store seen as a tree of files and directories: what the mount shows and changes.

Directories are named by the prefix of the keys in them: ``"a/b/"``, and ``""`` for the root. Every
method that writes is one transaction, or joins the one it is called in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..entry import DEFAULT_MODE
from ..errors import KeyMissing
from .contents import INLINE_LIMIT, Contents
from .database import Database
from .draft import Draft
from .entries import Entries, Row, Written
from .feed import Journal
from .holds import Holds
from .local import DIRECTORY_MODE, Directories, DirectoryRecord, Scratch, ScratchRow, directory_of, parent
from .values import StoredValue


class Node(NamedTuple):
    """One file of the tree: an entry, or a scratch file. Sizes in bytes, times in ns."""

    key: str
    size: int
    mode: int
    content: int | None
    mtime: int
    atime: int
    changed: int
    sequence: int
    """0 for a scratch file, which has none."""

    @property
    def is_scratch(self) -> bool:
        """Whether the file belongs to this machine alone."""
        return self.sequence == 0


class Found(NamedTuple):
    """What is under a name: a file, a directory, or both (the value of a directory's key)."""

    node: Node | None
    directory: DirectoryRecord | None


class Child(NamedTuple):
    """One component below a directory, and what is there."""

    component: str
    node: Node | None
    directory: DirectoryRecord | None


_NODE = "key, size, mode, content, timestamp, mtime, atime, changed, sequence"
_SCRATCH_NODE = "key, size, mode, content, mtime / 1000, mtime, atime, changed, 0"

_FIND = f"""
    SELECT {_NODE} FROM entries WHERE key = ? AND live
    UNION ALL SELECT {_SCRATCH_NODE} FROM scratch WHERE key = ? LIMIT 1
"""
_DATA = "(SELECT data FROM contents WHERE id = content)"
_OPEN = f"""
    SELECT {_NODE}, {_DATA} FROM entries WHERE key = ? AND live
    UNION ALL SELECT {_SCRATCH_NODE}, {_DATA} FROM scratch WHERE key = ? LIMIT 1
"""
_DIRECTORY = """
    SELECT mode, changed, mtime, atime, NULL FROM directories WHERE prefix = ?
    UNION ALL SELECT * FROM (
        SELECT NULL, NULL, NULL, NULL, timestamp FROM entries INDEXED BY entries_live
        WHERE live AND key >= ? AND key < ? LIMIT 1
    ) LIMIT 1
"""
_LIST = {
    "entries": f"SELECT {_NODE} FROM entries INDEXED BY entries_live WHERE live AND key >= ? ORDER BY key",
    "scratch": f"SELECT {_SCRATCH_NODE} FROM scratch WHERE key >= ? ORDER BY key",
    "directories": "SELECT prefix, mode, changed, mtime, atime FROM directories WHERE prefix >= ? ORDER BY prefix",
}


def _node(row: tuple[Any, ...]) -> Node:
    key, size, mode, content, timestamp, mtime, atime, changed, sequence = row
    if mtime is None:
        mtime = timestamp * 1000
    return Node(
        key,
        size,
        DEFAULT_MODE if mode is None else mode,
        content,
        mtime,
        mtime if atime is None else atime,
        changed,
        sequence,
    )


def _implied(timestamp: int) -> DirectoryRecord:
    """Return the attributes of a directory that exists only because of a key below it."""
    time = timestamp * 1000
    return DirectoryRecord(DIRECTORY_MODE, time, time, None)


class Tree:
    """Looks up, lists and changes files and directories."""

    def __init__(
        self,
        database: Database,
        contents: Contents,
        holds: Holds,
        entries: Entries,
        journal: Journal,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._contents = contents
        self._holds = holds
        self._entries = entries
        self._clock = clock
        self._journal = journal
        self._directories = Directories(database, journal)
        self._scratch = Scratch(database, contents, journal)
        self.transaction = database.transaction

    # Looking

    def file(self, key: str) -> Node | None:
        """Return the file that holds the value of ``key``."""
        row = self._database.row(_FIND, (key, key))
        return None if row is None else _node(row)

    def directory(self, prefix: str) -> DirectoryRecord | None:
        """Return the attributes of a directory; ``None`` if there is none."""
        row = self._database.row(_DIRECTORY, (prefix, prefix, prefix[:-1] + "0"))
        if row is None:
            return None
        return DirectoryRecord._make(row[:4]) if row[4] is None else _implied(row[4])

    def lookup(self, key: str) -> Found:
        """Return the file and the directory named ``key``."""
        return Found(self.file(key), self.directory(key + "/"))

    def children(self, prefix: str) -> Iterator[Child]:
        """Yield what is directly below a directory, in no particular order.

        A component may come as a file and, later, as a directory: then it is both. One that comes as a
        directory twice has the attributes that come last.
        """
        start = len(prefix)
        for row in self._immediate("scratch", prefix):
            component, slash, _ = row[0][start:].partition("/")
            if not slash:
                yield Child(component, _node(row), None)
        for row in self._immediate("entries", prefix):
            component, slash, _ = row[0][start:].partition("/")
            yield Child(component, None, _implied(row[4])) if slash else Child(component, _node(row), None)
        for row in self._immediate("directories", prefix):
            component, slash, _ = row[0][start:].partition("/")
            if slash:
                yield Child(component, None, DirectoryRecord._make(row[1:]))

    def _immediate(self, table: str, beginning: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows that begin so up to the next ``/``, and one row of each directory below.

        What is in such a directory is skipped by a new search behind it, so the cost grows with the
        answer.
        """
        start = len(beginning)
        at: str | None = beginning
        while at is not None:
            rows = self._database.iterate(_LIST[table], (at,))
            at = None
            for row in rows:
                name = row[0]
                if not name.startswith(beginning):
                    return
                yield row
                slash = name.find("/", start)
                if slash >= 0:
                    at = name[:slash] + "0"
                    break

    def siblings(self, prefix: str, beginning: str) -> list[str]:
        """Return the components below ``prefix`` that begin with ``beginning``."""
        start = len(prefix)
        return sorted(
            {row[0][start:].partition("/")[0] for table in _LIST for row in self._immediate(table, prefix + beginning)}
        )

    def entry(self, key: str) -> Row | None:
        """Return the whole row of a live entry."""
        row = self._entries.current(key)
        return row if row is not None and row.live else None

    # Files

    def draft(self) -> Draft:
        """Return an empty draft."""
        return Draft(self._database, self._contents, self._holds)

    def open(self, key: str) -> tuple[Node, Draft]:
        """Return a file and a draft of its value, both of one version.

        Raises:
            KeyMissing
        """
        row = self._database.row(_OPEN, (key, key))
        if row is not None and row[1] > INLINE_LIMIT:
            # What was found may go before it is pinned, so it is found again.
            return self._database.retry_when_full(lambda: self._opened(key, self._database.row(_OPEN, (key, key))))
        return self._opened(key, row)

    def _opened(self, key: str, row: tuple[Any, ...] | None) -> tuple[Node, Draft]:
        if row is None:
            raise KeyMissing(key)
        node = _node(row[:-1])
        if node.content is None:
            return node, self.draft()
        return node, Draft(self._database, self._contents, self._holds, StoredValue(node.size, node.content, row[-1]))

    def save(self, key: str, draft: Draft, written: Written, *, scratch: bool, now: int, amends: int | None) -> Node:
        """Give a file the value of ``draft`` and return it; ``written`` has its attributes.

        ``now`` (µs) and ``amends`` are as in ``Entries.replace``. ``scratch``: it has the name of a scratch file,
        and is one unless there is an entry. A scratch file has no revisions.
        """
        with self.transaction:
            old = self._entries.current(key)
            written = written._replace(size=draft.size, content=draft.commit())
            if scratch and (old is None or not old.live):
                new = self._scratch.get(key) is None
                node = self._save_scratch(key, written, now)
            else:
                new = old is None or not old.live
                if new:
                    self.drop_scratch(key)
                node = _row_node(self._entries.replace(key, old, written, now=now, amends=amends, transient=True))
            if new:
                self._directories.touch(self._shown_in(key), now * 1000)
        draft.rebase(node.content)
        return node

    def _save_scratch(self, key: str, written: Written, now: int) -> Node:
        mode = DEFAULT_MODE if written.mode is None else written.mode
        mtime = now * 1000 if written.mtime is None else written.mtime
        changed = now * 1000 if written.changed is None else written.changed
        row = ScratchRow(key, written.size, mode, written.content, changed, mtime, written.atime)
        self._scratch.put(row)
        return _scratch_node(row)

    def drop_scratch(self, key: str) -> None:
        """Remove the scratch file of a key, if there is one."""
        row = self._scratch.get(key)
        if row is not None:
            self._scratch.remove(row)

    def unlink(self, node: Node) -> None:
        """Remove a file."""
        with self.transaction:
            if node.is_scratch:
                self.drop_scratch(node.key)
            else:
                row = self._entries.current(node.key)
                if row is not None and row.live and self._entries.remove(row, transient=True):
                    # Nothing else tells other mounts that it is gone.
                    self._journal.note(node.key)
            self._directories.touch(self._shown_in(node.key), self._clock())

    def set_mode(self, node: Node, mode: int) -> Node | None:
        """Change the mode of a file and return it as it is now."""
        with self.transaction:
            if node.is_scratch:
                row = self._scratch.get(node.key)
                if row is not None:
                    self._scratch.put(row._replace(mode=mode, changed=self._clock()))
            else:
                entry = self.entry(node.key)
                if entry is not None:
                    self._entries.set_mode(entry, mode)
            return self.file(node.key)

    def set_times(self, node: Node, mtime: int | None, atime: int | None, changed: int) -> None:
        """Change the times of a file (ns); ``None`` leaves one as it is. ``changed`` is the new ctime."""
        with self.transaction:
            if node.is_scratch:
                row = self._scratch.get(node.key)
                if row is not None:
                    mtime = row.mtime if mtime is None else mtime
                    atime = row.atime if atime is None else atime
                    self._scratch.put(row._replace(mtime=mtime, atime=atime, changed=changed))
            else:
                self._entries.set_times(node.key, mtime, atime, changed)
                self._journal.note(node.key)

    # Directories

    def note_name(self, prefix: str, *, keep: bool = False) -> None:
        """Note that a name in a directory came or went other than through the mount.

        ``keep``: the directory stays, although its last key may be gone.
        """
        self._directories.touch(prefix, self._clock(), record=keep)

    def is_empty(self, prefix: str) -> bool:
        """Whether the store has nothing below a directory, nor a value of its own key."""
        end = prefix[:-1] + "0"
        own = self.file(prefix[:-1]) is not None
        return not own and not any(
            self._database.row(search, (prefix, end))
            for search in (
                "SELECT 1 FROM entries INDEXED BY entries_live WHERE live AND key >= ? AND key < ? LIMIT 1",
                "SELECT 1 FROM scratch WHERE key >= ? AND key < ? LIMIT 1",
                "SELECT 1 FROM directories WHERE prefix > ? AND prefix < ? LIMIT 1",
            )
        )

    def _shown_in(self, key: str) -> str:
        """Return the prefix of the directory that lists the file of a key: its own where there is one."""
        own = key + "/"
        return directory_of(key) if self.directory(own) is None else own

    def make_directory(self, prefix: str, mode: int) -> None:
        """Record a new directory."""
        now = self._clock()
        with self.transaction:
            self._directories.put(prefix, DirectoryRecord(mode, now, now, None))
            self._directories.touch(parent(prefix), now)

    def remove_directory(self, prefix: str) -> None:
        """Forget an empty directory."""
        with self.transaction:
            self._directories.remove(prefix)
            self._directories.touch(parent(prefix), self._clock())

    def set_directory(self, prefix: str, record: DirectoryRecord) -> None:
        """Change the attributes of a directory."""
        with self.transaction:
            self._directories.put(prefix, record._replace(changed=self._clock()))

    # Renaming

    def rename(self, node: Node, new: str, *, scratch: bool) -> Node:
        """Move a file to the key ``new``, replacing what is there; return it.

        ``scratch``: the new name is that of a scratch file. The value stays behind as a revision of
        the old key, unless that came into being a moment ago.
        """
        now = self._clock()
        with self.transaction:
            for key in (node.key, new):
                self._directories.touch(self._shown_in(key), now)
            return self._place(self._take(node, keep=True), new, scratch=scratch)

    def exchange(self, one: Node, other: Node, *, is_scratch: Callable[[str], bool]) -> None:
        """Exchange two files."""
        with self.transaction:
            taken = self._take(one, keep=is_scratch(other.key))
            other_taken = self._take(other, keep=is_scratch(one.key))
            self._place(taken, other.key, scratch=is_scratch(other.key))
            self._place(other_taken, one.key, scratch=is_scratch(one.key))

    def rename_directory(self, old: str, new: str, *, is_scratch: Callable[[str], bool]) -> None:
        """Move a directory and everything below it, the value of its own key included."""
        now = self._clock()
        with self.transaction:
            own = self.file(old[:-1]) if old != "/" else None
            nodes = [_row_node(row) for row in self._entries.below(old)]
            for node in [own, *nodes] if own is not None else nodes:
                key = new[:-1] if node is own else new + node.key[len(old) :]
                scratch = is_scratch(key)
                self._place(self._take(node, keep=scratch), key, scratch=scratch)
            for row in self._scratch.below(old):
                key = new + row.key[len(old) :]
                self._place(self._take(_scratch_node(row)), key, scratch=is_scratch(key))
            record = self._directories.get(old) or DirectoryRecord(DIRECTORY_MODE, now, now, None)
            self._directories.move(old, new)
            self._directories.put(new, record._replace(changed=now))
            self._directories.touch(parent(old), now)
            self._directories.touch(parent(new), now)

    def _take(self, node: Node, *, keep: bool = False) -> _Taken:
        """Remove a file from its key, but not its content; ``keep`` leaves that as a revision."""
        # It may have another version by now, or be gone.
        row = self.entry(node.key)
        if row is None:
            scratch = self._scratch.get(node.key)
            if scratch is None:
                raise KeyMissing(node.key)
            self._scratch.remove(scratch, moved=True)
            return _Taken(_scratch_node(scratch), scratch.mode, None, None)
        keep = keep and row.content is not None and not self._entries.is_transient(row)
        content = self._contents.copy(row.content) if keep and row.content is not None else row.content
        if self._entries.remove(row, transient=True, moved=not keep):
            self._journal.note(node.key)
        return _Taken(_row_node(row)._replace(content=content), row.mode, row.url_token, row.born)

    def _place(self, taken: _Taken, key: str, *, scratch: bool) -> Node:
        """Put what was taken under ``key``, replacing what is there."""
        target = self.file(key)
        node = taken.node
        atime = None if node.atime == node.mtime else node.atime
        if scratch and (target is None or target.is_scratch):
            row = ScratchRow(key, node.size, node.mode, node.content, self._clock(), node.mtime, atime)
            self._scratch.put(row)
            return _scratch_node(row)
        if target is not None and target.is_scratch:
            self.drop_scratch(key)
        # An entry without a mode stays so, unless it would take on that of the entry it replaces.
        mode = taken.mode if target is None else node.mode
        written = Written(node.size, node.content, mode, taken.url_token, node.mtime, atime, self._clock(), taken.born)
        return _row_node(self._entries.put(key, written))


class _Taken(NamedTuple):
    """A file on its way from one key to another, with what its entry carried."""

    node: Node
    mode: int | None
    url_token: str | None
    born: int | None


def _row_node(row: Row) -> Node:
    return _node(
        (row.key, row.size, row.mode, row.content, row.timestamp, row.mtime, row.atime, row.changed, row.sequence)
    )


def _scratch_node(row: ScratchRow) -> Node:
    return _node((row.key, row.size, row.mode, row.content, 0, row.mtime, row.atime, row.changed, 0))
