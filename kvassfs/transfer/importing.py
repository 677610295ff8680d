"""Importing: items become keys, many of them in one transaction."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from typing import NamedTuple

from ..entry import is_target
from ..errors import InvalidKey, KeyMissing, KvassError, ValueTooLarge
from ..paths import file_name
from ..share_link import check_new_key
from ..store import INLINE_LIMIT, Draft, Store
from .items import Entry, Item, LeftOut, Piece, Reason, keep_permissions

BATCH = 500
"""Keys of short values, or directories, that one transaction changes at most."""

BATCH_SIZE = 4 * 1024 * 1024
"""Bytes of values that one transaction stores at most, beside large ones."""

EMPTY_NAME = file_name("")
"""What the empty key is called where names are those of files; there is one below a prefix alone."""


class Imported(NamedTuple):
    """How far an import is, or what came of it.

    Attributes:
        entries: keys that got a value, mode or time; of a dry run, that would.
        size: bytes of their values.
        unchanged: keys that had them already.
        left_out: what is not imported, as it should be.
        failures: what is not imported although it should be.
    """

    entries: int = 0
    size: int = 0
    unchanged: int = 0
    left_out: int = 0
    failures: int = 0

    @property
    def total(self) -> int:
        """Keys that are as they should be."""
        return self.entries + self.unchanged


class _Short(NamedTuple):
    item: Item
    value: bytes


class Importer:
    """Imports items below ``prefix``, which is empty or ends in ``/``. What is there already is left alone.

    ``is_scratch`` tells the keys of scratch files, which are left out where there is no such key yet. ``dry_run``: nothing
    is changed. ``leave`` is told what is left out, ``tell`` of each key that is given something, and ``report`` how
    far it is, after every item.
    """

    def __init__(
        self,
        store: Store,
        prefix: str = "",
        *,
        is_scratch: Callable[[str], bool],
        leave: Callable[[LeftOut], None],
        tell: Callable[[str], None] = lambda _: None,
        report: Callable[[Imported], None] = lambda _: None,
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._is_scratch = is_scratch
        self._leave = leave
        self._tell = tell
        self._report = report
        self._dry_run = dry_run
        self._pending: list[_Short] = []
        self._pending_size = 0
        self._directories: dict[str, Item] = {}
        self._scratch: set[str] = set()
        self.done = Imported()
        """What is in the store, and stays, also where the import fails."""

    def run(self, entries: Iterable[Entry]) -> Imported:
        """Import everything; on return it has reached the disk.

        Raises:
            StoreError, TransferError: what was imported before stays.
        """
        with self._store.bulk():
            try:
                for entry in entries:
                    self._take(entry)
                    self._report(self.done)
                self._flush()
                self._put_directories()
            finally:
                if not self._dry_run:
                    self._settle()
        return self.done

    def _settle(self) -> None:
        # What is stored is stored, whatever becomes of this.
        with suppress(KvassError):
            self._store.flush()
            self._store.upkeep.tidy_briefly()

    # One at a time

    def _take(self, entry: Entry) -> None:
        item = entry if isinstance(entry, LeftOut) else self._check(entry)
        if isinstance(item, LeftOut):
            self._leave_out(item)
        elif item is not None and item.is_directory:
            self._directories[item.key] = item
        elif item is not None and item.same_as is not None:
            self._take_link(item, item.same_as)
        elif item is not None:
            self._take_value(item)

    def _check(self, item: Item) -> Item | LeftOut | None:
        """Return an item with the key that it gets, or why it is left out; ``None`` where that was said already."""
        key = self._prefix + item.key
        try:
            check_new_key(key)
        except InvalidKey as error:
            return LeftOut(item.key or EMPTY_NAME, Reason.REFUSED, error.reason)
        scratch = self._find_scratch(key)
        if scratch is not None:
            is_known = scratch in self._scratch
            self._scratch.add(scratch)
            return None if is_known else LeftOut(scratch, Reason.SCRATCH)
        return item._replace(key=key, mode=None if item.mode is None else keep_permissions(item.mode))

    def _find_scratch(self, key: str) -> str | None:
        """Return what makes a key that of a scratch file: itself, or a directory in which it is; there is no such key."""
        if not self._is_scratch(key) or self._store.tree.entry(key) is not None:
            return None
        end = key.find("/")
        while end >= 0 and not self._is_scratch(key[:end]):
            end = key.find("/", end + 1)
        return key if end < 0 else key[: end + 1]

    def _leave_out(self, left_out: LeftOut) -> None:
        self._leave(left_out)
        if left_out.reason.is_failure:
            self.done = self.done._replace(failures=self.done.failures + 1)
        else:
            self.done = self.done._replace(left_out=self.done.left_out + 1)

    def _take_value(self, item: Item) -> None:
        pieces = item.read()
        head, is_whole = _read_head(pieces)
        if (
            item.mode is not None
            and stat.S_ISLNK(item.mode)
            and not (is_whole and is_target(b"".join(_make_bytes(head))))
        ):
            self._leave_out(LeftOut(item.key, Reason.REFUSED, "no symbolic link can have such a target"))
        elif is_whole:
            value = b"".join(_make_bytes(head))
            self._pending.append(_Short(item, value))
            self._pending_size += len(value)
            if len(self._pending) >= BATCH or self._pending_size >= BATCH_SIZE:
                self._flush()
        else:
            self._flush()
            self._take_large(item, chain(head, pieces))

    def _take_large(self, item: Item, pieces: Iterator[Piece]) -> None:
        value = self._store.tree.draft()
        try:
            if self._dry_run and self._is_new(item):  # it need not be read
                self._count(item.key, item.size, changed=True)
                return
            for piece in pieces:
                if isinstance(piece, int):
                    value.truncate(value.size + piece)
                else:
                    value.write(value.size, piece)
                    self._report(self.done)
            self._give(item, value)
        except ValueTooLarge as error:
            self._leave_out(LeftOut(item.key, Reason.REFUSED, str(error)))
        finally:
            value.close()

    def _is_new(self, item: Item) -> bool:
        node = self._store.tree.file(item.key)
        return node is None or node.size != item.size

    def _take_link(self, item: Item, other: str) -> None:
        """Import what has the value of an earlier item."""
        self._flush()
        if self._dry_run:
            self._count(item.key, item.size, changed=True)
            return
        try:
            _, value = self._store.tree.open(self._prefix + other)
        except KeyMissing:
            self._leave_out(LeftOut(item.key, Reason.REFUSED, f"it is a link to {other}, which is not imported"))
            return
        try:
            self._give(item, value)
        finally:
            value.close()

    # Into the store

    def _flush(self) -> None:
        """Store the short values that wait, in one transaction."""
        pending, self._pending, self._pending_size = self._pending, [], 0
        if self._dry_run:
            for item, value in pending:
                self._give(item, self._make_draft(value))
            return
        with self._store.transaction:
            changed = [
                self._store.imports.put(item.key, self._make_draft(value), item.mode, item.mtime)
                for item, value in pending
            ]
        for (item, value), is_changed in zip(pending, changed, strict=True):
            self._count(item.key, len(value), changed=is_changed)

    def _make_draft(self, value: bytes) -> Draft:
        draft = self._store.tree.draft()
        draft.write(0, value)
        return draft

    def _give(self, item: Item, value: Draft) -> None:
        imports = self._store.imports
        act = imports.differs if self._dry_run else imports.put
        changed = act(item.key, value, item.mode, item.mtime)
        self._count(item.key, value.size, changed=changed)

    def _put_directories(self) -> None:
        """Have the directories be there; those inside first, since they change the times of those around them."""
        ordered = iter(sorted(self._directories.values(), reverse=True))
        imports = self._store.imports
        act = imports.directory_differs if self._dry_run else imports.put_directory
        while batch := list(islice(ordered, BATCH)):
            if self._dry_run:
                changed = [act(item.key, item.mode, item.mtime) for item in batch]
            else:
                with self._store.transaction:
                    changed = [act(item.key, item.mode, item.mtime) for item in batch]
            for item, is_changed in zip(batch, changed, strict=True):
                self._count(item.key, 0, changed=is_changed)

    def _count(self, key: str, size: int, *, changed: bool) -> None:
        done = self.done
        if changed:
            self.done = done._replace(entries=done.entries + 1, size=done.size + size)
            self._tell(key)
        else:
            self.done = done._replace(unchanged=done.unchanged + 1)


def _read_head(pieces: Iterator[Piece]) -> tuple[list[Piece], bool]:
    """Read a value as far as a short one goes; return what was read, and whether that is all."""
    head: list[Piece] = []
    size = 0
    for piece in pieces:
        head.append(piece)
        size += piece if isinstance(piece, int) else len(piece)
        if size > INLINE_LIMIT:
            return head, False
    return head, True


def _make_bytes(pieces: Iterable[Piece]) -> Iterator[bytes]:
    return (bytes(piece) if isinstance(piece, int) else piece for piece in pieces)
