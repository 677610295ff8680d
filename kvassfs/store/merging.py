"""Merging entries of other replicas into the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..block import hashes
from ..entry import Delivery, Entry
from .blocks import Blocks
from .contents import INLINE_LIMIT, Contents
from .database import Database
from .entries import INSERT, Entries, Row
from .local import directory_of
from .tree import Tree


class Merged(NamedTuple):
    """What became of deliveries: the number of keys that changed, and the hashes of blocks that are missing."""

    changed: int
    missing: list[bytes]


def has_same_value(row: Row, entry: Entry) -> bool:
    """Whether an entry is known to have the value of a row: then it differs in mode or counter alone."""
    return row.url_token == entry.url_token and row.size == entry.size


class Merging:
    """One merge of a page, for use inside one transaction.

    ``now`` is ns since the epoch. ``pushed``: the entries were pushed to this store as the hub, and not pulled from
    its own. ``dirty``: the hub of this store has not got them.
    """

    def __init__(
        self,
        database: Database,
        contents: Contents,
        entries: Entries,
        tree: Tree,
        blocks: Blocks,
        *,
        now: int,
        pushed: bool,
        dirty: bool,
    ) -> None:
        self._database = database
        self._contents = contents
        self._entries = entries
        self._tree = tree
        self._blocks = blocks
        self._now = now
        self._pushed = pushed
        self._clock = 0
        self._dirty = int(dirty)
        self._has_scratch = False
        self._directories: set[str] = set()
        self._changed = 0
        self._missing: list[bytes] = []

    def run(self, deliveries: Sequence[Delivery]) -> Merged:
        """Merge the deliveries."""
        (self._clock,) = self._database.only_row("SELECT clock FROM replica")
        self._has_scratch = self._database.row("SELECT 1 FROM scratch LIMIT 1") is not None
        for delivery in deliveries:
            self._one(delivery)
        for prefix in self._directories:
            self._tree.note_name(prefix)
        self._database.execute("UPDATE replica SET clock = ?", (self._clock,))
        return Merged(self._changed, self._missing)

    def _one(self, delivery: Delivery) -> None:
        entry = delivery.entry
        old = self._entries.current(entry.key)
        self._clock = max(self._clock, delivery.sequence)
        if old is not None and self._is_here(entry, old):
            self._note_handed(old)
        elif old is None or entry.order > old.entry.order:
            self._accept(delivery, old)
        else:
            self._reject(delivery, old)

    def _is_here(self, entry: Entry, old: Row) -> bool:
        return entry.order == old.entry.order or (not self._pushed and entry.write == old.entry.write)

    def _note_handed(self, old: Row) -> None:
        """Note that others know of a key, whatever a backup says that this store was set back to."""
        if not old.handed:
            self._database.execute("UPDATE entries SET handed = 1 WHERE key = ?", (old.key,))

    def _accept(self, delivery: Delivery, old: Row | None) -> None:
        entry = delivery.entry
        if old is not None and has_same_value(old, entry):
            content = old.content
        else:
            missing = self._missing_of(delivery)
            if missing:
                self._missing.extend(missing)
                return
            content = self._add(delivery, None if old is None else old.content)
            if old is not None:
                self._entries.retire(old, self._now // 1000)
        self._clock += 1
        self._changed += 1
        was_live = old is not None and old.live
        born = old.born if old is not None and was_live else self._now // 1000
        local = (content, self._clock, self._dirty, 1, born, self._now, None, None, self._entries.writer)
        self._database.execute(INSERT, (*entry, *local))
        if self._has_scratch and not entry.deleted:
            self._tree.drop_scratch(entry.key)
        if entry.deleted == was_live:
            self._directories.add(directory_of(entry.key))

    def _missing_of(self, delivery: Delivery) -> list[bytes]:
        return [] if delivery.value is not None else self._blocks.missing(hashes(delivery.blocks))

    def _add(self, delivery: Delivery, base: int | None) -> int | None:
        """Store a value, sharing what it can with the value ``base``; return its id."""
        size, value = delivery.entry.size, delivery.value
        if value is None and size > INLINE_LIMIT:
            return self._blocks.add_value(size, delivery.blocks, base)
        if value is None:
            value = self._blocks.value(size, delivery.blocks)
        if not value:
            return None
        return self._contents.add_inline(value) if size <= INLINE_LIMIT else self._contents.add_large(value)

    def _reject(self, delivery: Delivery, old: Row) -> None:
        """Keep a value that loses as a revision, as far as it is here, once."""
        entry = delivery.entry
        known = has_same_value(old, entry) or self._entries.has_revision(entry)
        if not known and not self._missing_of(delivery):
            content = self._add(delivery, None)
            if content is not None:
                self._entries.add_revision(entry, content, self._now // 1000)
        sequence, dirty = old.sequence, old.dirty
        if self._pushed:
            self._clock += 1
            sequence = self._clock
        else:
            dirty = dirty or 1
        # Whoever sent it knows of the key.
        self._database.execute(
            "UPDATE entries SET sequence = ?, dirty = ?, handed = 1 WHERE key = ?", (sequence, dirty, entry.key)
        )
