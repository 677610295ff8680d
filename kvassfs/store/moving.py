"""Renaming files and directories of the tree. Each rename is one transaction, or joins the one it is called in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..entry import directory_of
from ..errors import KeyMissing
from .contents import Contents
from .database import Database
from .entries import Entries, Fate
from .inodes import directories_above
from .local import DIRECTORY_MODE, DirectoryRecord, ScratchRow, parent
from .local_parts import LocalParts
from .nodes import Node, node_of_row, node_of_scratch
from .rows import Written
from .share_links import ShareLinks
from .xattrs import Bearer


class TakenFile(NamedTuple):
    """A file on its way from one key to another, with what its entry carried."""

    node: Node
    mode: int | None
    url_token: str | None
    mod_time: int | None
    born: int | None
    xattrs: Mapping[bytes, bytes]


class Mover:
    """Moves files and directories.

    ``find`` returns the file of a key, ``listed_in`` the prefix of the directory that lists a key, ``clock`` ns since
    the epoch.
    """

    def __init__(
        self,
        database: Database,
        contents: Contents,
        entries: Entries,
        local: LocalParts,
        share_links: ShareLinks,
        *,
        find: Callable[[str], Node | None],
        listed_in: Callable[[str], str],
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._contents = contents
        self._entries = entries
        self._directories, self._scratch, self._xattrs, self._inodes = local
        self._share_links = share_links
        self._find = find
        self._listed_in = listed_in
        self._clock = clock

    def rename(self, node: Node, new: str, *, scratch: bool, thrown_away: bool) -> Node:
        """Move a file to the key ``new``, replacing what is there; return it.

        ``scratch``: the new name is that of a scratch file. The value stays behind as a revision of
        the old key, unless that came into being a moment ago. ``thrown_away``: it goes to the trash. That ends the
        links to it, and leaves its revisions for when it is restored, also where it came a moment ago.
        """
        now = self._clock()
        with self._database.transaction:
            if thrown_away:
                self._share_links.end_to(node.key)
            for key in (node.key, new):
                self._directories.touch(self._listed_in(key), now)
            taken = self._take_file(node, keep=True, transient=not thrown_away)
            return self._put_file(taken, new, scratch=scratch)

    def swap(self, one: Node, other: Node, *, is_scratch: Callable[[str], bool]) -> None:
        """Give each of two files the name of the other."""
        with self._database.transaction:
            taken = self._take_file(one, keep=is_scratch(other.key))
            other_taken = self._take_file(other, keep=is_scratch(one.key))
            self._put_file(taken, other.key, scratch=is_scratch(other.key))
            self._put_file(other_taken, one.key, scratch=is_scratch(one.key))

    def rename_directory(self, old: str, new: str, *, is_scratch: Callable[[str], bool], thrown_away: bool) -> None:
        """Move a directory and everything below it, the value of its own key included.

        ``thrown_away``: it goes to the trash, as in ``rename``.
        """
        now = self._clock()
        with self._database.transaction:
            if thrown_away:
                self._share_links.end_to(old[:-1], below=True)
            moves = self._list_moves(old[:-1], new[:-1])
            self._inodes.move(self._list_directories(moves, {old: new}))
            for node, key in moves:
                scratch = is_scratch(key)
                self._put_file(self._take_file(node, keep=scratch, transient=not thrown_away), key, scratch=scratch)
            record = self._directories.get(old) or DirectoryRecord(DIRECTORY_MODE, now, now, None)
            self._directories.move(old, new)
            self._directories.put(new, record._replace(changed=now))
            self._directories.touch(parent(old), now)
            self._directories.touch(parent(new), now)

    def swap_trees(self, one: str, other: str, *, is_scratch: Callable[[str], bool]) -> None:
        """Give everything that is named by the key ``one``, a file or a directory, the name ``other``, and reversely.

        Neither is within the other.
        """
        now = self._clock()
        with self._database.transaction:
            moves = [*self._list_moves(one, other), *self._list_moves(other, one)]
            self._inodes.move(self._list_directories(moves, {f"{one}/": f"{other}/", f"{other}/": f"{one}/"}))
            taken = [(self._take_file(node, keep=is_scratch(key)), key) for node, key in moves]
            self._directories.swap(f"{one}/", f"{other}/", now)
            for file, key in taken:
                self._put_file(file, key, scratch=is_scratch(key))
            for key in (one, other):
                self._directories.touch(directory_of(key), now)

    def _list_moves(self, old: str, new: str) -> list[tuple[Node, str]]:
        """Return the files named by the key ``old``, its own and those below, each with its key as ``new`` has it."""
        own = self._find(old) if old else None
        below = [node_of_row(row) for row in self._entries.below(f"{old}/")]
        below += [node_of_scratch(row) for row in self._scratch.below(f"{old}/")]
        return [(node, new + node.key[len(old) :]) for node in ([] if own is None else [own]) + below]

    def _list_directories(self, moves: list[tuple[Node, str]], prefixes: dict[str, str]) -> dict[str, str]:
        """Return the prefixes that the directories in which these files are, and those below ``prefixes``, will have."""
        found = {prefix for node, _ in moves for prefix in directories_above(node.key)}
        for prefix in prefixes:
            found.update(self._directories.below(prefix))
        return {
            prefix: new + prefix[len(old) :]
            for prefix in found
            for old, new in prefixes.items()
            if prefix.startswith(old)
        }

    def _take_file(self, node: Node, *, keep: bool = False, transient: bool = True) -> TakenFile:
        """Remove a file from its key, but not its content; ``keep`` leaves that as a revision.

        ``transient``: what came into being a moment ago leaves nothing, see ``Entries.remove``.
        """
        xattrs = self._xattrs.take(Bearer(node.key))
        # It may have another version by now, or be gone.
        row = self._entries.current(node.key)
        if row is None or not row.live:
            scratch = self._scratch.get(node.key)
            if scratch is None:
                raise KeyMissing(node.key)
            self._scratch.remove(scratch, moved=True)
            return TakenFile(node_of_scratch(scratch), scratch.mode, None, scratch.mod_time, None, xattrs)
        keep = keep and row.content is not None and not (transient and self._entries.is_transient(row))
        content = self._contents.copy(row.content) if keep and row.content is not None else row.content
        self._entries.remove(row, listing=None, transient=transient, fate=Fate.KEEP if keep else Fate.MOVE)
        node = node_of_row(row)._replace(content=content)
        return TakenFile(node, row.mode, row.url_token, row.mod_time, row.born, xattrs)

    def _put_file(self, taken: TakenFile, key: str, *, scratch: bool) -> Node:
        """Put what was taken under ``key``, replacing what is there, and return it."""
        node = self._put_value(taken, key, scratch=scratch)
        self._xattrs.replace(Bearer(key), taken.xattrs)
        return node

    def _put_value(self, taken: TakenFile, key: str, *, scratch: bool) -> Node:
        target = self._find(key)
        node = taken.node
        atime = None if node.atime == node.mtime else node.atime
        if scratch and (target is None or target.is_scratch):
            now = self._clock()
            row = ScratchRow(
                key, node.size, node.mode, node.content, now, node.mtime, atime, node.inode, taken.mod_time
            )
            self._scratch.put(row)
            self._directories.ensure(directory_of(key), now)  # the entry that it was implied it
            return node_of_scratch(row)
        # An entry without a mode stays so, unless it would take on that of the entry it replaces.
        mode = taken.mode if target is None else node.mode
        written = Written(
            node.size,
            node.content,
            mode,
            taken.url_token,
            mod_time=taken.mod_time,
            mtime=node.mtime,
            atime=atime,
            changed=self._clock(),
            born=taken.born,
            inode=node.inode,
        )
        return node_of_row(self._entries.write(key, written, old=self._entries.current(key), listing=None))
