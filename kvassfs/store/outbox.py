"""The outbox: entries that other replicas get from this store, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile

from ..entry import MAX_NUMBER, Delivery, Entry, stamp_anew
from ..tuples import NamedTuple
from .blocks import Blocks
from .contents import Contents
from .database import Database
from .hub_time import HubTime, significant
from .nodes import HOLES
from .rows import AT_ONCE, DIRTY, HELD, KEPT, MARKS, Row, fill
from .settling import held_for
from .values import StoredValue, Values

_ROW = ", ".join(f"e.{column}" for column in Row._fields)
_PAGE = (
    f"SELECT {_ROW}, c.data FROM entries AS e INDEXED BY entries_by_sequence "
    "LEFT JOIN contents AS c ON c.id = e.content "
    "WHERE e.sequence >= ? AND e.process_id <> ? ORDER BY e.sequence"
)
_DIRTY = (
    f"SELECT {_ROW}, c.data FROM entries AS e INDEXED BY entries_dirty "
    "LEFT JOIN contents AS c ON c.id = e.content WHERE e.dirty AND e.sequence > ? ORDER BY e.sequence"
)
_LATEST = f"SELECT {_ROW} FROM entries AS e INDEXED BY entries_dirty WHERE e.dirty ORDER BY e.sequence DESC LIMIT ?"
_HELD = f"SELECT {_ROW} FROM entries AS e INDEXED BY entries_dirty WHERE e.dirty AND e.dirty IN ({HELD}, {KEPT})"

LATELY = 8
"""Versions that were made last, among which one is looked for that is to be pushed at once."""


_VERSIONS = f"SELECT key, timestamp, counter, process_id, floor FROM entries WHERE key IN ({MARKS})"
_FINALISE = (
    f"UPDATE entries SET mtime = ifnull(mtime, iif(timestamp = ?1, NULL, min(timestamp, {MAX_NUMBER}) * 1000)),"
    " timestamp = ?1, floor = ?1 WHERE key = ?2"
)


class Page(NamedTuple):
    """Entries to hand out, in order of sequence.

    They are all there are up to the sequence ``cursor``. ``more``: there are further ones. ``held``: there will be in
    a moment, since one is held back. ``clock`` is that of this store.
    """

    outgoing: list[Outgoing]
    cursor: int
    more: bool
    held: bool
    clock: int


class Outgoing(NamedTuple):
    """An entry to hand out. Its value is not in the delivery if it is a large one.

    ``is_final``: it was handed out before.
    """

    delivery: Delivery
    value: StoredValue
    is_final: bool

    def date(self, timestamp: int) -> Outgoing:
        """Return the same with another timestamp."""
        return self._replace(delivery=self.delivery._replace(entry=self.delivery.entry._replace(timestamp=timestamp)))


class Limit(NamedTuple):
    """How much a page may hold: ``page`` bytes as counted by ``size_of``, and of values up to ``whole`` bytes."""

    page: int
    whole: int
    size_of: Callable[[Delivery], int]


class _Dating(NamedTuple):
    """How versions of this replica, ``process_id``, are dated: by the ``difference`` of the hub's clock to ``now`` (µs)."""

    process_id: int
    difference: int
    now: int

    def date(self, entry: Entry, floor: int | None) -> int:
        """Return the timestamp that a version is sent with, where others know the key up to ``floor``."""
        if entry.process_id != self.process_id:
            return entry.timestamp
        return stamp_anew(entry.timestamp, difference=self.difference, now=self.now + self.difference, floor=floor)


class _PageInProgress:
    """A page that entries are added to until it is full."""

    def __init__(self, limit: Limit) -> None:
        self.outgoing: list[Outgoing] = []
        self._limit = limit
        self._size = 0

    def add(self, out: Outgoing) -> bool:
        """Add an entry, unless it does not fit; the first one always does."""
        self._size += self._limit.size_of(out.delivery)
        if self.outgoing and self._size > self._limit.page:
            return False
        self.outgoing.append(out)
        return True


class Outbox:
    """Hands out entries. ``clock`` returns ns since the epoch."""

    def __init__(
        self,
        database: Database,
        contents: Contents,
        values: Values,
        blocks: Blocks,
        hub_time: HubTime,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._hub_time = hub_time
        self._contents = contents
        self._values = values
        self._blocks = blocks
        self._clock = clock

    def count_dirty(self) -> tuple[int, int]:
        """Return how many entries the hub has not acknowledged, and the bytes of their values without holes."""
        count, size = self._database.row(
            f"SELECT count(*), total(size - {HOLES}) FROM entries INDEXED BY entries_dirty WHERE dirty"
        )
        return int(count), int(size)

    def has_ready(self, last: int | None = None) -> bool:
        """Return True if some dirty entry, up to the sequence ``last``, can be pushed now."""
        rows = (row for row, _ in self._rows_and_data(_DIRTY, (0,)))
        wanted = takewhile(lambda row: last is None or row.sequence <= last, rows)
        return any(not held_for(row, self._clock()) for row in wanted)

    def has_save(self) -> bool:
        """Return True if a version that was made lately gives another value to a key that other devices have.

        Such a save is complete. What else may be dirty, a program may go on with: a new file, or one without content.
        """
        rows = map(Row._make, self._database.rows(_LATEST, (LATELY,)))
        return any(row.size and row.floor is not None and row.origin is None and row.dirty == DIRTY for row in rows)

    def next_release(self) -> float | None:
        """Return after how many seconds the next entry that is held back can be pushed, ``None`` if there is none."""
        rows = map(Row._make, self._database.iterate(_HELD))
        return min((left / 1e9 for row in rows if (left := held_for(row, self._clock()))), default=None)

    def read_dirty(self, limit: Limit, *, without: Iterable[str] = (), after: int = 0) -> list[Outgoing]:
        """Return a page of dirty entries that are not held back, but for the keys ``without``, ``after`` a sequence."""
        left_out = frozenset(without)
        page = _PageInProgress(limit)
        with self._database.snapshot():
            for row, data in self._rows_and_data(_DIRTY, (after,)):
                if row.key in left_out or held_for(row, self._clock()):
                    continue
                if not page.add(self._outgoing(row, data, limit)):
                    break
        return page.outgoing

    def read_since(self, first: int, not_from: int, limit: Limit) -> Page:
        """Return a page of entries from the sequence ``first`` on that ``not_from`` did not write.

        It ends before an entry that is held back: what comes later must not be sent before it, or a cursor would pass
        it by.
        """
        page = _PageInProgress(limit)
        with self._database.snapshot():
            (clock,) = self._database.only_row("SELECT clock FROM replica")
            for row, data in self._rows_and_data(_PAGE, (first, not_from)):
                if held_for(row, self._clock()):
                    return Page(page.outgoing, row.sequence - 1, more=False, held=True, clock=clock)
                if not page.add(self._outgoing(row, data, limit)):
                    last = page.outgoing[-1].delivery.sequence
                    return Page(page.outgoing, last, more=True, held=False, clock=clock)
        return Page(page.outgoing, clock, more=False, held=False, clock=clock)

    def _rows_and_data(self, query: str, parameters: tuple[int, ...]) -> Iterator[tuple[Row, bytes | None]]:
        for row in self._database.iterate(query, parameters):
            yield Row._make(row[:-1]), row[-1]

    def _outgoing(self, row: Row, data: bytes | None, limit: Limit) -> Outgoing:
        delivery = self._delivery(row, data, limit.whole)
        return Outgoing(delivery, StoredValue.of_row(row.size, row.content, data), row.is_final)

    def _delivery(self, row: Row, data: bytes | None, whole: int) -> Delivery:
        if row.content is None:
            return Delivery(row.entry, row.sequence, b"")
        if data is not None:
            return Delivery(row.entry, row.sequence, data)
        if row.size <= whole:
            return Delivery(row.entry, row.sequence, b"".join(self._contents.read_all(row.content, row.size)))
        return Delivery(row.entry, row.sequence, None, *self._blocks.list_hashes(row.content))

    def mark_as_sent(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Note that other devices know these versions from now on, which makes them final; comes before they are sent.

        What was written here with a clock ahead of the hub's is stamped anew first. Return what is to be sent: a key can
        have gone without a trace since it was read, or have another version, which is sent in its turn.
        """
        if all(out.is_final for out in outgoing):
            return list(outgoing)
        with self._database.transaction:
            (process_id,) = self._database.only_row("SELECT process_id FROM replica")
            difference = self._hub_time.dating_difference()
            dating = None if difference is None else _Dating(process_id, significant(difference), self._clock() // 1000)
            parts = (outgoing[start : start + AT_ONCE] for start in range(0, len(outgoing), AT_ONCE))
            return [sent for part in parts for sent in self._finalise(part, dating)]

    def _finalise(self, outgoing: Sequence[Outgoing], dating: _Dating | None) -> list[Outgoing]:
        """Make at most ``AT_ONCE`` versions final; return them as they are to be sent, but for those that are not current."""
        keys = fill([out.delivery.entry.key for out in outgoing])
        current = {key: row for key, *row in self._database.rows(_VERSIONS, keys)}
        found: list[Outgoing] = []
        dated: list[tuple[int, str]] = []
        for out in outgoing:
            entry = out.delivery.entry
            *version, floor = current.get(entry.key, (None,))
            if out.is_final:
                found.append(out)
            elif tuple(version) == entry[1:4]:
                timestamp = entry.timestamp if dating is None else dating.date(entry, floor)
                dated.append((timestamp, entry.key))
                found.append(out if timestamp == entry.timestamp else out.date(timestamp))
        self._database.execute_many(_FINALISE, dated)
        return found

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
        entry = out.delivery.entry
        row = self._database.row("SELECT url_token, content FROM entries WHERE key = ?", (entry.key,))
        # The id alone may have been given to another value since.
        return row is not None and tuple(row) == (entry.url_token, out.value.content)
