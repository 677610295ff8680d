"""Making, changing and removing directories. Each change is one transaction, or joins the one it is called in.

A directory that travels has an entry of its own; one whose name says that it stays on this machine has a scratch row
instead, where nothing else makes it be there.
"""

from __future__ import annotations

from collections.abc import Callable

from ..entry import parent
from ..errors import KeyMissing
from .database import Database
from .entries import Entries
from .inodes import new_inode
from .local import DirectoryRecord, ScratchRow, make_record
from .local_parts import LocalParts
from .nodes import Node
from .rows import Row, Written


class DirectoryChanges:
    """Changes directories.

    ``find`` returns the attributes of a directory, ``find_file`` the file of a key, ``clock`` ns since the epoch.
    ``is_scratch`` tells the keys that stay on this machine, in every method.
    """

    def __init__(
        self,
        database: Database,
        entries: Entries,
        local: LocalParts,
        *,
        find: Callable[[str], DirectoryRecord | None],
        find_file: Callable[[str], Node | None],
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._entries = entries
        self._local = local.directories
        self._scratch = local.scratch
        self._inodes = local.inodes
        self._find = find
        self._find_file = find_file
        self._clock = clock

    # Coming

    def make(self, prefix: str, mode: int, *, is_scratch: Callable[[str], bool]) -> None:
        """Make a directory."""
        with self._database.transaction:
            self._inodes.assign(prefix)
            if is_scratch(prefix):
                record = make_record(self._clock())
                self._put_scratch(prefix, record._replace(mode=mode))
                self._local.add(prefix, record)
                self._entries.note_names(parent(prefix), self._clock())
            else:
                self._write(prefix, Written(mode=mode), listing=parent(prefix))

    def publish(self, *, is_scratch: Callable[[str], bool]) -> None:
        """Give an entry to the directories that have stayed on this machine, and whose names do not say that."""
        if not self._scratch.directories():
            return
        with self._database.transaction:
            for row in self._scratch.directories():
                if not is_scratch(row.key):
                    self._write(row.key, Written(mode=row.mode))

    def _write(self, prefix: str, written: Written, *, listing: str | None = None) -> None:
        self._entries.write(prefix, written, old=self._entries.current(prefix), listing=listing, transient=True)

    def _put_scratch(self, prefix: str, record: DirectoryRecord) -> None:
        mode, changed, mtime, atime = record
        self._scratch.put(ScratchRow(prefix, 0, mode, None, changed, mtime, atime, new_inode(), None))

    # Going

    def remove(self, prefix: str, *, is_scratch: Callable[[str], bool]) -> None:
        """Remove an empty directory; the one above stays if it lists no other name."""
        self._database.retry_when_full(lambda: self._remove(prefix, is_scratch), removes=True)

    def _remove(self, prefix: str, is_scratch: Callable[[str], bool]) -> None:
        row = self.drop(prefix)
        self.keep(parent(prefix), is_scratch, travels=row is not None)
        self._entries.note_names(prefix, self._clock())

    def drop(self, prefix: str, *, transient: bool = True) -> Row | None:
        """Remove the own row of a directory, which may be there without; return its entry, if it had one.

        ``transient`` is as in ``Entries.remove``.
        """
        self._scratch.drop(prefix)
        row = self._entries.current(prefix)
        if row is None or not row.is_directory:
            return None
        self._entries.remove(row, listing=None, transient=transient)
        return row

    def keep(self, prefix: str, is_scratch: Callable[[str], bool], *, travels: bool = True) -> None:
        """Have a directory stay if the last name in it went, by an entry that may be withdrawn or on this machine alone.

        ``travels``: other devices have that name. A directory that stayed for a scratch file alone goes with it.
        """
        if not prefix or self._local.has_entries(prefix):
            return
        if is_scratch(prefix):
            if not self._local.is_there(prefix):
                self._put_scratch(prefix, self._local.get(prefix) or make_record(self._clock()))
        elif travels:
            self._entries.keep_directory(prefix)

    # Changing

    def set(
        self,
        prefix: str,
        *,
        mode: int | None = None,
        mtime: int | None = None,
        atime: int | None = None,
        is_scratch: Callable[[str], bool],
    ) -> None:
        """Change attributes of a directory; ``None`` leaves one as it is. Mode and mtime travel.

        Raises:
            KeyMissing
        """
        attributes = (("mode", mode), ("mtime", mtime), ("atime", atime))
        given = {name: value for name, value in attributes if value is not None}
        with self._database.transaction:
            before = self._present(prefix)
            record = before._replace(changed=self._clock(), **given)
            local_mode = self._local.local_mode(prefix)
            if not prefix or self._find_file(prefix) is not None:
                local_mode = record.mode
            elif mode is not None or mtime is not None:
                self._vary(prefix, record, mtime, is_scratch, again=record.mtime != before.mtime)
            self._local.put(prefix, record._replace(mode=local_mode))

    def note_change(self, prefix: str) -> None:
        """Change the ctime of a directory.

        Raises:
            KeyMissing
        """
        with self._database.transaction:
            record = self._present(prefix)
            self._local.put(prefix, record._replace(mode=self._local.local_mode(prefix), changed=self._clock()))

    def _present(self, prefix: str) -> DirectoryRecord:
        record = self._find(prefix)
        if record is None:
            raise KeyMissing(prefix)
        return record

    def _vary(
        self,
        prefix: str,
        record: DirectoryRecord,
        mod_time: int | None,
        is_scratch: Callable[[str], bool],
        *,
        again: bool,
    ) -> None:
        """Give a directory a new version of its own row, or its first one."""
        row = self._entries.current(prefix)
        if row is not None and row.is_directory:
            if record.mode != row.mode:
                row = self._entries.set_mode(row, record.mode)
            if mod_time is not None:
                self._entries.set_times(row, mod_time, None, self._clock(), again=again)
        elif is_scratch(prefix):
            self._put_scratch(prefix, record)
        else:
            self._write(prefix, Written(mode=record.mode, mod_time=mod_time))
