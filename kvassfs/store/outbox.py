"""The outbox: entries that other replicas get from this store, a page at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from ..entry import Delivery, Entry
from .blocks import Blocks
from .contents import Contents
from .database import Database
from .entries import Row
from .values import StoredValue, Values

SETTLING_TIME = 1_000_000_000
"""Nanoseconds for which the removal of a key in a mount is kept back: editors move a file aside, or remove
it, just before they write it anew."""

GATHERING_TIME = 30_000_000
"""The same for a new key of a mount: tools make files to rename or remove them at once."""

TEMPORARY_TIME = 2_000_000_000
"""The same for one that has the name of such a file: of git's locks for one, which stay as long as a commit takes."""

_TEMPORARY = re.compile(r"((^|/)tmp[^/]*|\.lock|\.te?mp|\.part|\.partial|-journal|-wal)\Z")

_ROW = ", ".join(f"e.{column}" for column in Row._fields)
_PAGE = (
    f"SELECT {_ROW}, c.data FROM entries AS e INDEXED BY entries_by_sequence "
    "LEFT JOIN contents AS c ON c.id = e.content "
    "WHERE e.sequence >= ? AND e.process_id <> ? ORDER BY e.sequence"
)
_DIRTY = (
    f"SELECT {_ROW}, c.data FROM entries AS e INDEXED BY entries_dirty "
    "LEFT JOIN contents AS c ON c.id = e.content WHERE e.dirty ORDER BY e.sequence"
)
_KEPT_BACK = f"SELECT {_ROW} FROM entries AS e INDEXED BY entries_dirty WHERE e.dirty AND e.dirty = 2"


class Page(NamedTuple):
    """Entries to hand out, in order of sequence.

    They are all there are up to the sequence ``cursor``. ``more``: there are further ones. ``settling``: there
    will be in a moment. ``clock`` is that of this store.
    """

    outgoing: list[Outgoing]
    cursor: int
    more: bool
    settling: bool
    clock: int


class Outgoing(NamedTuple):
    """An entry to hand out. Its value is not in the delivery if it is a large one."""

    delivery: Delivery
    value: StoredValue


class Limit(NamedTuple):
    """How much a page may hold: ``page`` bytes as counted by ``size_of``, and of values up to ``whole`` bytes."""

    page: int
    whole: int
    size_of: Callable[[Delivery], int]


class Outbox:
    """Hands out entries. ``clock`` returns ns since the epoch."""

    def __init__(
        self,
        database: Database,
        contents: Contents,
        values: Values,
        blocks: Blocks,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._contents = contents
        self._values = values
        self._blocks = blocks
        self._clock = clock

    def waiting(self) -> tuple[int, int]:
        """Return how many entries the hub has not acknowledged, and the bytes of their values."""
        count, size = self._database.row(
            "SELECT count(*), ifnull(sum(size), 0) FROM entries INDEXED BY entries_dirty WHERE dirty"
        )
        return int(count), int(size)

    def anything_waits(self, last: int | None = None) -> bool:
        """Whether the hub has not acknowledged some entry that can be pushed now, up to the sequence ``last``."""
        rows = self._rows(_DIRTY)
        return any(
            not self._is_settling(row) for row in takewhile(lambda row: last is None or row.sequence <= last, rows)
        )

    def settled_in(self) -> float | None:
        """Return after how many seconds the next entry that is kept back can be pushed, ``None`` if there is none."""
        rows = map(Row._make, self._database.iterate(_KEPT_BACK))
        return min((left / 1e9 for row in rows if (left := self._settles_for(row)) > 0), default=None)

    def dirty(self, limit: Limit, *, without: Iterable[str] = ()) -> list[Outgoing]:
        """Return a page of entries that the hub has not acknowledged, but for the keys ``without``."""
        return self._read(limit, _DIRTY, (), without=frozenset(without)).outgoing

    def since(self, first: int, not_from: int, limit: Limit) -> Page:
        """Return a page of entries from the sequence ``first`` on that ``not_from`` did not write."""
        return self._read(limit, _PAGE, (first, not_from))

    def _read(
        self, limit: Limit, query: str, parameters: tuple[int, ...], *, without: frozenset[str] = frozenset()
    ) -> Page:
        outgoing: list[Outgoing] = []
        size = 0
        more = settling = False
        with self._database.snapshot():
            (clock,) = self._database.only_row("SELECT clock FROM replica")
            cursor = clock
            for row, data in self._rows_and_data(query, parameters):
                if row.key in without:
                    continue
                if self._is_settling(row):
                    # What comes later must not be handed out before it, or a cursor would pass it by.
                    settling = True
                    cursor = min(cursor, row.sequence - 1)
                    if query is _PAGE:
                        break
                    continue
                delivery = self._delivery(row, data, limit.whole)
                size += limit.size_of(delivery)
                if outgoing and size > limit.page:
                    more = True
                    cursor = outgoing[-1].delivery.sequence
                    break
                outgoing.append(Outgoing(delivery, StoredValue.of_row(row.size, row.content, data)))
        return Page(outgoing, cursor, more, settling, clock)

    def _rows(self, query: str) -> Iterator[Row]:
        return (row for row, _ in self._rows_and_data(query, ()))

    def _rows_and_data(self, query: str, parameters: tuple[int, ...]) -> Iterator[tuple[Row, bytes | None]]:
        for row in self._database.iterate(query, parameters):
            yield Row._make(row[:-1]), row[-1]

    def _is_settling(self, row: Row) -> bool:
        return self._settles_for(row) > 0

    def _settles_for(self, row: Row) -> int:
        """Return how many more nanoseconds an entry is kept back."""
        if row.dirty != 2:
            return 0
        if not row.live:
            since, time = row.changed, SETTLING_TIME
        else:
            since, time = row.born * 1000, TEMPORARY_TIME if _TEMPORARY.search(row.key) else GATHERING_TIME
        age = self._clock() - since
        # A clock that was set back since says nothing of the time that has passed.
        return max(time - age, 0) if age >= 0 else 0

    def _delivery(self, row: Row, data: bytes | None, whole: int) -> Delivery:
        if row.content is None:
            return Delivery(row.entry, row.sequence, b"")
        if data is not None:
            return Delivery(row.entry, row.sequence, data)
        if row.size <= whole:
            return Delivery(row.entry, row.sequence, b"".join(self._contents.read_all(row.content, row.size)))
        return Delivery(row.entry, row.sequence, None, self._blocks.hashes_of(row.content))

    def mark_as_sent(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Note that other devices know of these keys from now on; comes before they are sent.

        Return what of it may be sent: a key can have gone without a trace since it was read.
        """
        handed = "SELECT handed FROM entries WHERE key = ?"
        known = [self._database.row(handed, (out.delivery.entry.key,)) for out in outgoing]
        if all(known) and all(row[0] for row in known):
            return list(outgoing)
        keys = [(out.delivery.entry.key,) for out in outgoing]
        with self._database.transaction:
            self._database.execute_many("UPDATE entries SET handed = 1 WHERE key = ? AND NOT handed", keys)
            there = [self._database.row(handed, key) is not None for key in keys]
        return [out for out, is_there in zip(outgoing, there, strict=True) if is_there]

    def acknowledge(self, entries: Iterable[Entry], *, epoch: int) -> None:
        """Note that the hub of ``epoch`` has these entries; those that were replaced meanwhile still wait."""
        with self._database.transaction:
            self._database.execute_many(
                "UPDATE entries SET dirty = 0 WHERE key = ? AND timestamp = ? AND counter = ? AND process_id = ?"
                " AND EXISTS (SELECT 1 FROM hub WHERE epoch = ?)",
                [(*entry[:4], epoch) for entry in entries],
            )

    def pieces(self, out: Outgoing) -> Iterator[bytes]:
        """Yield the value of an entry, of the version that was read, in pieces; run it to its end or close it.

        Raises:
            ValueReplaced: the key has another version by now.
        """
        if out.delivery.value is not None:
            yield out.delivery.value
            return
        with self._values.held(out.value, lambda: self._is_current(out)) as reader:
            yield from reader.pieces()

    def _is_current(self, out: Outgoing) -> bool:
        row = self._database.row("SELECT content FROM entries WHERE key = ?", (out.delivery.entry.key,))
        return row is not None and row[0] == out.value.content
