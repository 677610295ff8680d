"""The store: what the command line does with keys, values and configuration."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import ModuleType

from ..clocks import bound_clock
from ..entry import DEFAULT_MODE, Entry, check_key, directory_of
from ..errors import EmptyValue, KeyIsDirectory, KeyMissing
from ..share_link import check_new_key
from .draft import Draft
from .machine import MACHINE, Machine
from .opening import connect
from .parts import Parts
from .privacy import close_to_others
from .profile import BULK, COMMAND, Profile
from .revisions import Revision
from .rows import Row, Written, inherit_mode
from .sizes import SIZES, Sizes

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import Protocol, Self

    from .survey import Contained
    from .values import Snapshot

    class Readable(Protocol):
        """A stream of bytes."""

        def read(self, size: int, /) -> bytes:
            """Return at most ``size`` bytes; none only at the end."""


class Store(Parts):
    """An open kvass database. For one thread; any number of processes may have it open.

    Made by ``Store.open``. ``clock`` returns ns since the epoch, ``random(n)`` n random bytes.
    """

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        clock: Callable[[], int] = time.time_ns,
        random: Callable[[int], bytes] = os.urandom,
        notice: Callable[[str], None] | None = None,
        profile: Profile = COMMAND,
        create: bool = True,
        alone_if_full: bool = False,
        sizes: Sizes = SIZES,
        machine: Machine = MACHINE,
    ) -> Self:
        """Open the database at ``path``; if it is missing or empty, ``create`` makes one with mode 0600.

        ``profile`` says how it waits. A database of the original program is taken over, and one that others may read is closed to
        them, if there is a ``notice`` to be told so in one line. With ``alone_if_full``, one on a disk without any space can be
        read from too, while no other process uses it; so not for long.

        Raises:
            StoreUnavailable, NotAStore, NewerStore, DamagedStore, DiskFull: the file is as it was.
        """
        clock = bound_clock(clock)
        database = connect(
            os.fspath(path),
            initialise=lambda empty: _load_creation().initialise(empty, clock, random, machine),
            take_over=lambda original: _load_takeover().take_over(original, clock, random, notice, sizes, machine),
            upgrade=lambda earlier: _load_creation().upgrade(earlier),
            profile=profile,
            create=create,
            alone_if_full=alone_if_full,
        )
        if notice is not None:
            close_to_others(database.path, notice)
        return cls(database, clock, random, sizes, machine)

    def close(self) -> None:
        """Let go of what this process holds, and close the file."""
        try:
            self._holds.release()
        finally:
            self._contents.prefetcher.close()
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def has_hub(self) -> bool:
        """Return whether a hub is configured; the settings say which, and take longer to load."""
        return bool(self._database.only_row("SELECT remote FROM replica")[0])

    # Keys and values

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that are there, see ``Keys.listed``."""
        return self._keys.listed(prefix)

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the entries of the keys that are there, see ``Keys.entries``."""
        return self._keys.entries(prefix)

    def count_keys(self) -> int:
        """Return how many keys there are, empty files among them."""
        return self._keys.count()

    def level(self, prefix: str, *, directories: bool = False) -> Iterator[str]:
        """Yield how keys that begin with ``prefix`` go on, see ``Keys.level``."""
        return self._keys.level(prefix, directories=directories)

    def entry(self, key: str) -> Entry:
        """Return the entry of a key that is there.

        Raises:
            InvalidKey, KeyMissing
            KeyIsDirectory: it is that of a directory, and has no value.
        """
        return self._present(key).entry

    def get(self, key: str) -> Snapshot:
        """Return the value of a key; it raises what ``entry`` does."""
        from .values import Snapshot  # noqa: PLC0415  what sets a key needs none

        return Snapshot(self._database, self._contents, self._holds, lambda: self._locate(key))

    def _locate(self, key: str) -> tuple[int | None, int]:
        row = self._present(key)
        return row.content, row.size

    def _present(self, key: str) -> Row:
        row = self._entries.file(check_key(key))
        if row is None:
            prefix = key if key.endswith("/") else f"{key}/"
            raise KeyMissing(key) if self.tree.directory(prefix) is None else KeyIsDirectory(prefix)
        return row

    def set(self, key: str, value: bytes) -> Entry:
        """Give a key a value; an empty one deletes it. On return it has reached the disk.

        Raises:
            InvalidKey, DiskFull
        """
        check_new_key(key)
        draft = self._make_draft(value)
        try:
            return self._put(key, draft)
        finally:
            self.upkeep.tidy_quietly(draft)

    def set_stream(self, key: str, stream: Readable) -> Entry:
        """Like ``set``, with a value of any size read from ``stream`` to its end.

        Raises:
            InvalidKey, DiskFull
            EmptyValue: there is nothing in the stream; the key is as it was.
        """
        check_new_key(key)
        head = b""
        while len(head) <= self._sizes.inline:
            piece = stream.read(self._sizes.read)
            if not piece and not head:
                raise EmptyValue(key)
            if not piece:
                return self.set(key, head)
            head += piece
        draft, begun = self._make_draft(head), time.monotonic()
        try:
            while piece := stream.read(self._sizes.read):
                draft.write(draft.size, piece)
            return self._put(key, draft)
        finally:
            self.upkeep.tidy_quietly(draft, time.monotonic() - begun)

    def set_empty(self, key: str) -> Entry:
        """Make an empty file of a key, which keeps the mode that it has, and return its entry.

        Raises:
            InvalidKey, DiskFull
        """
        check_new_key(key)
        with self._database.transaction:
            entry = self._write(key, 0, None)
        self.upkeep.tidy_quietly()
        return entry

    def _make_draft(self, value: bytes) -> Draft:
        """Return a draft that holds ``value``."""
        draft = Draft(self._database, self._contents, self._holds)
        draft.write(0, value)
        return draft

    def _put(self, key: str, draft: Draft) -> Entry:
        if draft.size == 0:
            return self._database.retry_when_full(lambda: self._clear(key), removes=True)
        return draft.commit(lambda content: self._write(key, draft.size, content))

    def _write(self, key: str, size: int, content: int | None) -> Entry:
        old = self._entries.current(key)
        known = inherit_mode(old)
        # A value is no target of a symlink, and without a mode an empty one deletes.
        mode = DEFAULT_MODE if (known is None and not size) or (known is not None and stat.S_ISLNK(known)) else None
        written = Written(size, content, mode)
        return self._entries.write(key, written, old=old, listing=directory_of(key)).entry

    def _clear(self, key: str) -> Entry:
        """Delete a key, as an empty value does; one that has none gets a new tombstone."""
        old = self._entries.current(key)
        if old is not None and old.is_file:
            return self._remove(old).entry
        return self._entries.write(key, Written(), old=old, listing=None).entry

    def delete(self, key: str) -> Entry:
        """Delete a key and the links to it, and return its tombstone. On return that has reached the disk.

        A key without a value may be that of an empty directory, which ends with a ``/``.

        Raises:
            InvalidKey, KeyMissing
            KeyIsDirectory: there are keys in the directory of that name.
        """
        if self._entries.file(check_key(key)) is None:
            return self._delete_directory(key)
        size = self._present(key).size
        tombstone = self._database.retry_when_full(lambda: self._remove(self._present(key)), removes=True)
        self._database.replace_room(size)
        self.upkeep.tidy_quietly()
        return tombstone.entry

    def _delete_directory(self, key: str) -> Entry:
        prefix = key if key.endswith("/") else f"{key}/"
        row = self._entries.current(prefix)
        is_there = row is not None and row.live
        if row is None or prefix != key or not self.tree.is_empty(prefix):
            if not is_there and self.tree.is_empty(prefix):
                raise KeyMissing(key)
            raise KeyIsDirectory(prefix, "`kvass rm -r` removes it and all in it")
        return self._database.retry_when_full(lambda: self._remove(row), removes=True).entry

    def delete_all(self, key: str) -> int:
        """Delete a key, all below it and the directories there; return the number of keys that had a value.

        A key that ends in ``/`` stands for what is in that directory, and not for its name without it.

        Raises:
            InvalidKey, KeyMissing
        """
        check_key(key)
        removed = self._database.retry_when_full(lambda: self._delete_all(key), removes=True)
        self._database.replace_room(sum(row.size for row in removed))
        self.upkeep.tidy_quietly()
        return sum(row.is_file for row in removed)

    def _delete_all(self, key: str) -> list[Row]:
        own = None if key.endswith("/") else self._entries.file(key)
        rows = self._entries.below(key if key.endswith("/") else f"{key}/")
        rows += [] if own is None else [own]
        if not rows:
            raise KeyMissing(key)
        for row in rows:
            self._entries.remove(row, listing=directory_of(row.key))
        self.share_links.end_to(*(row.key for row in rows))
        return rows

    def _remove(self, row: Row) -> Row:
        """Delete a live key and end the links to it; with the last key in it, a directory that has no entry goes too."""
        tombstone = self._entries.remove(row, listing=directory_of(row.key))
        assert tombstone is not None, "what no mount removes leaves a tombstone"
        self.share_links.end_to(row.key)
        return tombstone

    def revisions(self, key: str) -> list[Revision]:
        """Return the earlier versions of a key, newest first."""
        return self._revisions.of(check_key(key))

    def bulk(self) -> AbstractContextManager[None]:
        """``with`` many changes that can be had again: commits do not wait for the disk, and more is in memory."""
        return self._database.using(BULK)

    def durably(self) -> AbstractContextManager[None]:
        """``with`` commits that wait for the disk, whatever the store was opened for."""
        return self._database.durably()

    def flush(self) -> None:
        """Wait until everything committed so far has reached the disk, whoever committed it."""
        with self._database.durably(), self._database.transaction:
            self._database.execute("UPDATE syncs SET number = number + 1")

    def back_up(self, path: str, report: Callable[[int, int], None] = lambda _done, _total: None) -> None:
        """Copy the whole database into an empty file, see ``backup.write_backup``."""
        from .backup import write_backup  # noqa: PLC0415  few need it

        write_backup(self._database, path, report)

    @staticmethod
    def check_backup(path: str, report: Callable[[int, int], None] = lambda _done, _total: None) -> Contained:
        """Look whether such a copy is whole, and return what it has, see ``backup.check_backup``."""
        from .backup import check_backup  # noqa: PLC0415

        return check_backup(path, report)


def _load_creation() -> ModuleType:
    from . import creation  # noqa: PLC0415  few need it

    return creation


def _load_takeover() -> ModuleType:
    from . import takeover  # noqa: PLC0415  few need it

    return takeover
