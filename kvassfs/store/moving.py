"""Renaming files and directories of the tree. Each rename is one transaction, or joins the one it is called in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..entry import DEFAULT_MODE, directory_of, parent
from ..errors import KeyMissing
from ..tuples import NamedTuple
from .contents import Contents
from .database import Database
from .directories import DirectoryChanges
from .entries import Entries, Fate
from .inodes import directories_above
from .local import ScratchRow, make_record
from .local_parts import LocalParts
from .nodes import Node, node_of_row, node_of_scratch
from .plain_moves import PlainMoves
from .rows import Row, Written
from .share_links import ShareLinks
from .versions import carry
from .xattrs import Bearer


class TakenFile(NamedTuple):
    """A file, or a directory's own row, on its way from one key to another, with what goes along.

    ``source`` is what is to be removed from the old key. ``keeps``: the value stays there as a revision, and ``written`` has
    a copy. ``transient``: what came into being a moment ago leaves nothing, see ``Entries.remove``.
    """

    written: Written
    xattrs: Mapping[bytes, bytes]
    source: Row | ScratchRow
    keeps: bool = False
    transient: bool = True


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
        directories: DirectoryChanges,
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
        self._changes = directories
        self._plain = PlainMoves(database, entries, clock)
        self._find = find
        self._listed_in = listed_in
        self._clock = clock

    def rename(self, node: Node, new: str, *, is_scratch: Callable[[str], bool], thrown_away: bool) -> Node:
        """Move a file to the key ``new``, replacing what is there; return it.

        The value stays behind as a revision of the old key, unless that came into being a moment ago. ``thrown_away``:
        it goes to the trash. That ends the links to it, and leaves its revisions for when it is restored, also where it
        came a moment ago.
        """
        with self._database.transaction:
            if thrown_away:
                self._share_links.end_to(node.key)
            listings = [self._listed_in(key) for key in (node.key, new)]
            moved = self._move_file(node.key, new, is_scratch, keep=True, transient=not thrown_away)
            self._note_moved(listings, is_scratch)
            return moved

    def move_key(self, node: Node, new: str) -> None:
        """Move an entry as ``rename`` does, but as a command and not as a mount.

        Nothing is held back from other devices for what may come next, a directory whose last key goes is left as
        ``kvass rm`` leaves it, and a key is one whatever its name.
        """
        with self._database.transaction:
            listings = [self._listed_in(key) for key in (node.key, new)]
            self._move_file(node.key, new, lambda _: False, keep=True, transient=False)
            self._note_moved(listings)

    def _note_moved(self, listings: Iterable[str], is_scratch: Callable[[str], bool] | None = None) -> None:
        """See to the directories in which names came or went; with ``is_scratch`` those that lost the last one stay."""
        for listing in listings:
            self._entries.withdraw(listing)
        for listing in listings:
            if is_scratch is not None:
                self._changes.keep(listing, is_scratch)
            self._entries.note_names(listing, self._clock())

    def swap(self, one: Node, other: Node, *, is_scratch: Callable[[str], bool]) -> None:
        """Give each of two files the name of the other."""
        with self._database.transaction:
            self._swap_files([(one.key, other.key), (other.key, one.key)], is_scratch)
            self._note_moved((directory_of(one.key), directory_of(other.key)), is_scratch)

    def _swap_files(self, moves: Iterable[tuple[str, str]], is_scratch: Callable[[str], bool]) -> None:
        """Move files to each other's keys, so all are taken before one is put."""
        taken = [(self._pick_up(key, keep=is_scratch(new)), new) for key, new in moves]
        for file, _ in taken:
            self._let_go(file)
        for file, new in taken:
            self._put_file(file, new, scratch=is_scratch(new))

    def rename_directory(self, old: str, new: str, *, is_scratch: Callable[[str], bool], thrown_away: bool) -> None:
        """Move a directory and everything below it, the value of its own key included.

        ``thrown_away``: it goes to the trash, as in ``rename``.

        Raises:
            KeyMissing: it is gone.
        """
        with self._database.transaction:
            if not self._directories.is_there(old):
                raise KeyMissing(old)
            if thrown_away:
                self._share_links.end_to(old[:-1], below=True)
            self._move_tree(old, new, self._list_own(old[:-1], new[:-1]), is_scratch, transient=not thrown_away)
            self._note_moved((parent(old), parent(new)), is_scratch)

    def move_prefix(self, old: str, new: str) -> None:
        """Move all below a directory as ``rename_directory`` does, but as ``move_key``; scratch files stay such."""
        with self._database.transaction:
            scratch = {new + row.key[len(old) :] for row in self._scratch.below(old)}
            self._move_tree(old, new, [], scratch.__contains__, transient=False)
            self._note_moved((parent(old), parent(new)))

    def _move_tree(
        self,
        old: str,
        new: str,
        own: list[tuple[str, str]],
        is_scratch: Callable[[str], bool],
        *,
        transient: bool,
    ) -> None:
        """Move the files ``own`` and all below, and what is local about the directory, in place of an empty one."""

        def move_alone(key: str, new_key: str) -> None:
            self._move_file(key, new_key, is_scratch, keep=is_scratch(new_key), transient=transient)

        now = self._clock()
        entries, scratch = self._list_entries(old, new), self._list_scratch(old, new)
        moves = [*own, *entries, *scratch]
        self._inodes.move(self._list_directories(moves, {old: new}))
        record = self._directories.get(old) or make_record(now)
        self._directories.move(old, new)
        for pair in own:
            move_alone(*pair)
        self._plain.run(entries, move_alone, is_scratch=is_scratch, transient=transient)
        for pair in scratch:
            move_alone(*pair)
        if all(key != new for _, key in moves):
            self._changes.drop(new, transient=transient)
        self._directories.put(new, record._replace(changed=now))

    def swap_trees(self, one: str, other: str, *, is_scratch: Callable[[str], bool]) -> None:
        """Give everything that is named by the key ``one``, a file or a directory, the name ``other``, and reversely.

        Neither is within the other.
        """
        now = self._clock()
        with self._database.transaction:
            moves = [*self._list_moves(one, other), *self._list_moves(other, one)]
            self._inodes.move(self._list_directories(moves, {f"{one}/": f"{other}/", f"{other}/": f"{one}/"}))
            self._directories.swap(f"{one}/", f"{other}/", now)
            self._swap_files(moves, is_scratch)
            self._note_moved((directory_of(one), directory_of(other)), is_scratch)

    def _list_moves(self, old: str, new: str) -> list[tuple[str, str]]:
        """Return the keys of files named by the key ``old``, its own and those below, each as ``new`` has it."""
        below = (f"{old}/", f"{new}/")
        return [*self._list_own(old, new), *self._list_entries(*below), *self._list_scratch(*below)]

    def _list_own(self, old: str, new: str) -> list[tuple[str, str]]:
        return [(old, new)] if old and self._find(old) is not None else []

    def _list_entries(self, old: str, new: str) -> list[tuple[str, str]]:
        return [(key, new + key[len(old) :]) for key in self._entries.keys_below(old)]

    def _list_scratch(self, old: str, new: str) -> list[tuple[str, str]]:
        return [(row.key, new + row.key[len(old) :]) for row in self._scratch.below(old)]

    def _list_directories(self, moves: list[tuple[str, str]], prefixes: dict[str, str]) -> dict[str, str]:
        """Return the prefixes that the directories in which these files are, and those below ``prefixes``, will have."""
        listing = {directory_of(key) for key, _ in moves}
        found = {prefix for key in listing for prefix in directories_above(key)}
        for prefix in prefixes:
            found.update(self._directories.below(prefix))
        return {
            prefix: new + prefix[len(old) :]
            for prefix in found
            for old, new in prefixes.items()
            if prefix.startswith(old)
        }

    def _move_file(self, key: str, new: str, is_scratch: Callable[[str], bool], *, keep: bool, transient: bool) -> Node:
        """Move a file: others get the new key before they get the removal of the old one."""
        taken = self._pick_up(key, keep=keep, transient=transient)
        moved = self._put_file(taken, new, scratch=is_scratch(new))
        self._let_go(taken)
        return moved

    def _pick_up(self, key: str, *, keep: bool, transient: bool = True) -> TakenFile:
        """Prepare a file to be put under another key; ``keep`` leaves its value as a revision."""
        xattrs = self._xattrs.take(Bearer(key))
        # It may have another version by now, or be gone.
        row = self._entries.current(key)
        if row is None or not row.live:
            scratch = self._scratch.get(key)
            if scratch is None:
                raise KeyMissing(key)
            return TakenFile(carry_scratch(scratch), xattrs, scratch)
        keeps = keep and row.content is not None and not (transient and self._entries.is_transient(row))
        content = self._contents.copy(row.content) if keeps and row.content is not None else row.content
        return TakenFile(carry(row, content, transient=transient), xattrs, row, keeps, transient)

    def _let_go(self, taken: TakenFile) -> None:
        """Remove a file from its old key, but not its content."""
        if isinstance(taken.source, ScratchRow):
            self._scratch.remove(taken.source, moved=True)
        else:
            fate = Fate.KEEP if taken.keeps else Fate.MOVE
            self._entries.remove(taken.source, listing=None, transient=taken.transient, fate=fate)

    def _put_file(self, taken: TakenFile, key: str, *, scratch: bool) -> Node:
        """Put what was taken under ``key``, replacing what is there, and return it."""
        node = self._put_value(taken, key, scratch=scratch)
        self._xattrs.replace(Bearer(key), taken.xattrs)
        return node

    def _put_value(self, taken: TakenFile, key: str, *, scratch: bool) -> Node:
        target = self._find(key)
        written = taken.written._replace(changed=self._clock())
        if scratch and (target is None or target.is_scratch):
            row = make_scratch(key, written)
            self._scratch.put(row)
            return node_of_scratch(row)
        # An entry without a mode stays so, unless it would take on that of the entry it replaces.
        if written.mode is None and target is not None:
            written = written._replace(mode=DEFAULT_MODE)
        return node_of_row(self._entries.write(key, written, old=self._entries.current(key), listing=None))


def carry_scratch(row: ScratchRow) -> Written:
    """Return what a scratch file takes along to another key."""
    return Written(
        row.size,
        row.content,
        row.mode,
        mod_time=row.mod_time,
        mtime=row.mtime,
        atime=None if row.atime == row.mtime else row.atime,
        inode=row.inode,
        began=row.began,
    )


def make_scratch(key: str, written: Written) -> ScratchRow:
    """Return the scratch file that has what came from another key."""
    mode = DEFAULT_MODE if written.mode is None else written.mode
    assert written.changed is not None
    assert written.mtime is not None
    assert written.inode is not None
    times = (written.changed, written.mtime, written.atime)
    return ScratchRow(key, written.size, mode, written.content, *times, written.inode, written.mod_time, written.began)
