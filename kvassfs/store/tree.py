"""The store seen as a tree of files and directories: what the mount shows and changes.

Directories are named by the prefix of the keys in them: ``"a/b/"``, and ``""`` for the root. Every
method that writes is one transaction, or joins the one it is called in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..entry import DEFAULT_MODE, directory_of
from ..errors import KeyMissing, StoreBusy
from .contents import Contents
from .database import Database
from .directories import DirectoryChanges
from .draft import Draft
from .entries import Entries
from .holds import PIN_TIMEOUT, Holds
from .inodes import new_inode
from .listing import Listing
from .local import DirectoryRecord, ScratchRow
from .local_parts import LocalParts
from .moving import Mover
from .nodes import (
    DIRECTORY,
    FIND,
    OPEN,
    Child,
    Found,
    Node,
    Saved,
    directory_of_rows,
    node_of,
    node_of_row,
    node_of_scratch,
)
from .rows import Row, Written
from .share_links import ShareLinks
from .values import StoredValue
from .xattrs import Bearer

if TYPE_CHECKING:
    from .views import View


class Tree:
    """Looks up, lists and changes files and directories."""

    def __init__(
        self,
        database: Database,
        contents: Contents,
        holds: Holds,
        entries: Entries,
        local: LocalParts,
        share_links: ShareLinks,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._contents = contents
        self._holds = holds
        self._entries = entries
        self._local_directories, self._scratch, self._xattrs, self._inodes = local
        self.directory_inode = local.inodes.get
        self._clock = clock
        self._listing = Listing(database, local.directories)
        self.transaction = database.transaction
        self.directories = DirectoryChanges(
            database, entries, local, find=self.directory, find_file=self.file, clock=clock
        )
        self.mover = Mover(
            database,
            contents,
            entries,
            local,
            share_links,
            self.directories,
            find=self.file,
            listed_in=self._listed_in,
            clock=clock,
        )

    # Looking

    def file(self, key: str) -> Node | None:
        """Return the file that holds the value of ``key``."""
        row = self._database.row(FIND, (key, key))
        return None if row is None else node_of(row)

    def directory(self, prefix: str) -> DirectoryRecord | None:
        """Return the attributes of a directory; ``None`` if there is none."""
        if not prefix:
            return self._local_directories.get(prefix)
        row = self._database.row(DIRECTORY, (prefix, prefix[:-1] + "0"))
        if row is None:
            return None
        local = None if row[-4] is None else DirectoryRecord._make(row[-4:])
        return directory_of_rows(prefix, row[:-4], local)

    def lookup(self, key: str) -> Found:
        """Return the file and the directory named ``key``."""
        return Found(self.file(key), self.directory(key + "/"))

    def children(self, prefix: str) -> Iterator[Child]:
        """Yield what is directly below a directory, see ``Listing.children``."""
        return self._listing.children(prefix)

    def siblings(self, prefix: str, beginning: str) -> list[str]:
        """Return the components below ``prefix`` that begin with ``beginning``."""
        return self._listing.siblings(prefix, beginning)

    def entry(self, key: str) -> Row | None:
        """Return the whole row of an entry that is a file."""
        return self._entries.file(key)

    def clock(self) -> int:
        """Return this replica's Lamport clock: whoever begins now has seen what came up to then."""
        return int(self._database.only_row("SELECT clock FROM replica")[0])

    # Files

    def draft(self) -> Draft:
        """Return an empty draft."""
        return Draft(self._database, self._contents, self._holds)

    def open(self, key: str) -> tuple[Node, Draft]:
        """Return a file and a draft of its value, both of one version.

        Raises:
            KeyMissing
        """
        row = self._database.row(OPEN, (key, key))
        if row is not None and row[1] > self._contents.sizes.inline:
            # What was found may go before it is pinned, so it is found again.
            try:
                with self._database.waiting(PIN_TIMEOUT):
                    return self._database.retry_when_full(
                        lambda: self._opened(key, self._database.row(OPEN, (key, key)))
                    )
            except StoreBusy:
                return self._open_in_view(key)
        return self._opened(key, row)

    def _open_in_view(self, key: str) -> tuple[Node, Draft]:
        """Return a file and a draft of its value while nobody can write."""
        from .views import View  # noqa: PLC0415  few need it

        view = View(self._database.path, self._contents.sizes)
        try:
            node, draft = self._opened(key, view.row(OPEN, (key, key)), view)
        except BaseException:
            view.close()
            raise
        view.still = lambda: self.file(key) == node
        return node, draft

    def _opened(self, key: str, row: tuple[Any, ...] | None, view: View | None = None) -> tuple[Node, Draft]:
        if row is None:
            raise KeyMissing(key)
        node = node_of(row[:-1])
        value = StoredValue.of_row(node.size, node.content, row[-1])
        return node, Draft(self._database, self._contents, self._holds, value, view)

    def save(
        self,
        key: str,
        draft: Draft,
        written: Written,
        *,
        scratch: bool,
        now: int,
        amends: int | None,
        foreign: bool = False,
        xattrs: Mapping[bytes, bytes] | None = None,
    ) -> Saved:
        """Give a file the value of ``draft``; ``written`` has its attributes.

        ``now`` (µs), ``amends`` and ``foreign`` are as in ``Entries.write``. ``scratch``: it has the name of a scratch file,
        and is one unless there is an entry. A scratch file has no revisions. ``xattrs`` are the extended attributes of a
        file that is new; one that is there keeps its own.
        """

        def give(content: int | None) -> Saved:
            saved = give_value(written._replace(size=draft.size, content=content))
            if xattrs is not None:
                self._xattrs.replace(Bearer(key), xattrs)
            return saved

        def give_value(complete: Written) -> Saved:
            old = self._entries.current(key)
            replaced = old.sequence if old is not None and old.is_file else 0
            if scratch and not replaced:
                return Saved(self._save_scratch(key, complete, now), 0)
            listing = None if replaced else self._listed_in(key)
            row = self._entries.write(
                key, complete, old=old, listing=listing, now=now, amends=amends, transient=True, foreign=foreign
            )
            return Saved(node_of_row(row), replaced, row.timestamp)

        return draft.commit(give)

    def _save_scratch(self, key: str, written: Written, now: int) -> Node:
        mode = DEFAULT_MODE if written.mode is None else written.mode
        mtime = now * 1000 if written.mtime is None else written.mtime
        changed = now * 1000 if written.changed is None else written.changed
        old = self._scratch.get(key)
        inode = written.inode or (new_inode() if old is None else old.inode)
        began = written.began if old is None or old.began is None else old.began
        row = ScratchRow(
            key, written.size, mode, written.content, changed, mtime, written.atime, inode, written.mod_time, began
        )
        if old is None:
            self._local_directories.touch(self._listed_in(key), now * 1000)
        self._scratch.put(row)
        return node_of_scratch(row)

    def unlink(self, node: Node, *, is_scratch: Callable[[str], bool]) -> None:
        """Remove a file; a directory that lists no other stays."""
        if self._database.retry_when_full(lambda: self._unlink(node, is_scratch), removes=True):
            self._database.replace_room(node.size)

    def _unlink(self, node: Node, is_scratch: Callable[[str], bool]) -> bool:
        """Remove a file; return whether its value is a revision from now on."""
        listing = self._listed_in(node.key)
        removed = False
        row = None if node.is_scratch else self.entry(node.key)
        if node.is_scratch:
            self._scratch.drop(node.key)
        elif row is not None:
            removed = self._entries.remove(row, listing=None, transient=True) is not None
        self.directories.keep(listing, is_scratch, travels=row is not None)
        self._entries.note_names(listing, self._clock())
        return removed

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

    def set_times(self, node: Node, mtime: int | None, atime: int | None, changed: int) -> Node | None:
        """Change the times of a file (ns) and return it as it is now; ``None`` leaves one as it is.

        ``changed`` is the new ctime. The mtime travels to other devices.
        """
        with self.transaction:
            if node.is_scratch:
                row = self._scratch.get(node.key)
                if row is not None:
                    if mtime is not None:
                        row = row._replace(mtime=mtime, mod_time=mtime)
                    atime = row.atime if atime is None else atime
                    self._scratch.put(row._replace(atime=atime, changed=changed))
            else:
                entry = self.entry(node.key)
                if entry is not None:
                    self._entries.set_times(entry, mtime, atime, changed)
            return self.file(node.key)

    def renumber(self, key: str) -> None:
        """Give a file another number: the one that it had stays with an earlier version, which is open."""
        with self.transaction:
            for table in ("entries", "scratch"):
                self._database.execute(f"UPDATE {table} SET inode = ? WHERE key = ?", (new_inode(), key))

    # Directories

    def is_empty(self, prefix: str) -> bool:
        """Whether the store has nothing below a directory, nor a value of its own key."""
        end = prefix[:-1] + "0"
        return not any(self.file(key) for key in (prefix[:-1], prefix)) and not any(
            self._database.row(search, (prefix, end))
            for search in (
                "SELECT 1 FROM entries INDEXED BY entries_live WHERE live AND key > ? AND key < ? LIMIT 1",
                "SELECT 1 FROM scratch WHERE key > ? AND key < ? LIMIT 1",
            )
        )

    def _listed_in(self, key: str) -> str:
        """Return the prefix of the directory that lists the file of a key: its own where there is one."""
        own = key + "/"
        return own if self._local_directories.is_there(own) else directory_of(key)

    # Renaming

    def rename(self, node: Node, new: str, *, is_scratch: Callable[[str], bool], thrown_away: bool = False) -> Node:
        """Move a file to the key ``new``, replacing what is there; see ``Mover.rename``."""
        return self.mover.rename(node, new, is_scratch=is_scratch, thrown_away=thrown_away)

    def swap(self, one: Node, other: Node, *, is_scratch: Callable[[str], bool]) -> None:
        """Give each of two files the name of the other."""
        self.mover.swap(one, other, is_scratch=is_scratch)

    def swap_trees(self, one: str, other: str, *, is_scratch: Callable[[str], bool]) -> None:
        """Swap the names of two files or directories with all below; see ``Mover.swap_trees``."""
        self.mover.swap_trees(one, other, is_scratch=is_scratch)

    def rename_directory(
        self, old: str, new: str, *, is_scratch: Callable[[str], bool], thrown_away: bool = False
    ) -> None:
        """Move a directory and everything below it, the value of its own key included; see ``Mover.rename``."""
        self.mover.rename_directory(old, new, is_scratch=is_scratch, thrown_away=thrown_away)
