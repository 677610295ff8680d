"""The inbox: entries of other replicas, merged into this store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..block import split_hashes
from ..entry import Delivery, Entry, have_same_value
from ..verdict import Verdict, judge
from .blocks import Blocks
from .contents import Contents
from .database import Database
from .entries import Entries
from .merging import Merged, Merging
from .revisions import Revisions
from .setting_rows import IS_SEALED


class Inbox:
    """Merges entries. ``clock`` returns ns since the epoch."""

    def __init__(
        self,
        database: Database,
        contents: Contents,
        entries: Entries,
        revisions: Revisions,
        blocks: Blocks,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._contents = contents
        self._entries = entries
        self._revisions = revisions
        self._blocks = blocks
        self._clock = clock

    def merge_pushed(self, deliveries: Sequence[Delivery]) -> Merged:
        """Merge what a device has pushed to this store, its hub; a value that loses is a revision afterwards.

        The winner of a lost push gets a new sequence, so that the sender learns of it. Entries whose blocks are
        missing are left out.
        """
        with self._database.transaction:
            return self._merge_pushed(deliveries)

    def _merge_pushed(self, deliveries: Sequence[Delivery]) -> Merged:
        # What a hub of its own has not got yet is pushed on to that.
        (has_hub,) = self._database.only_row("SELECT remote <> '' FROM replica")
        return self._merging(pushed=True, dirty=has_hub).run(deliveries)

    def merge_removals(self, deliveries: Iterable[Delivery]) -> None:
        """Merge the tombstones alone of what a device has pushed: on a full disk they go where the rest does not.

        Each is merged by itself, and may be so again with the rest.
        """
        for delivery in deliveries:
            if not delivery.entry.size and delivery.entry.mode is None:
                self._merge_removal(delivery)

    def _merge_removal(self, delivery: Delivery) -> None:
        old = self._entries.current(delivery.entry.key)
        merged = self._database.retry_when_full(lambda: self._merge_pushed([delivery]), removes=True)
        if merged.changed and old is not None:
            self._database.replace_room(old.size)

    def merge_pulled(self, deliveries: Sequence[Delivery], *, cursor: int | None, epoch: int) -> Merged:
        """Merge what was pulled from the hub of ``epoch`` up to ``cursor`` (``None`` = not to its end).

        Where blocks are missing, the cursor stays. What wins over an entry of the hub is pushed, once more maybe:
        one of version 1 takes what arrives last for the newest.
        """
        with self._database.transaction:
            is_current = self._database.row("SELECT 1 FROM hub WHERE epoch = ?", (epoch,)) is not None
            merged = self._merging(pushed=False, dirty=not is_current).run(deliveries)
            if cursor is not None and is_current and not merged.missing:
                self._database.execute("UPDATE replica SET cursor = max(cursor, ?)", (cursor,))
            return merged

    def _merging(self, *, pushed: bool, dirty: bool) -> Merging:
        return Merging(
            self._database,
            self._contents,
            self._entries,
            self._revisions,
            self._blocks,
            now=self._clock(),
            pushed=pushed,
            dirty=dirty,
            sealed=not pushed and bool(self._database.only_row(f"SELECT {IS_SEALED}")[0]),
        )

    def find_missing(self, deliveries: Iterable[Delivery]) -> list[bytes]:
        """Return the hashes of blocks that this store would need to merge the deliveries."""
        found: dict[bytes, None] = {}
        for delivery in deliveries:
            if delivery.value is None and not self._is_known(delivery.entry):
                found.update(dict.fromkeys(self._blocks.missing(split_hashes(delivery.blocks))))
        return list(found)

    def _is_known(self, entry: Entry) -> bool:
        """Return True if the current version of the key wins over ``entry``, or has its value."""
        row = self._entries.current(entry.key)
        if row is None:
            return False
        return judge(row.entry, entry, pushed=True) is not Verdict.ACCEPT or have_same_value(row.entry, entry)
