"""The keeper of one store in PostgreSQL, of many in the same database."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, Final, TypeVar
from uuid import UUID

from psycopg import Connection

from ...clocks import bound_clock
from ...entry import Delivery, Entry, new_token, next_timestamp
from ...errors import StoreError, ValueReplaced
from ...share_link import ShareLink
from ...store import Limit, Mailbox, Outgoing, Page, Shared, Sizes, StoredValue, choose_shared
from ..counters import find_counters
from ..keeper import Description, Keeper, Outcome
from ..objects import ObjectStore
from ..rates import Rates
from . import upkeep
from .blocks import Blocks
from .database import Session
from .devices import Devices, Told
from .held import Held, take_stored
from .merging import Known, Plan, Run, Version, list_wanted, plan_merge
from .rows import Rows, hash_token
from .store_row import State, StoreRow

T = TypeVar("T")

BATCH: Final = 64
"""Entries that are read first for a page; more where they are short."""

LARGEST_BATCH: Final = 2048
"""Entries that are read at once at most."""


class PostgresKeeper(Keeper):
    """Keeps the store ``store`` for a hub, as ``Keeper`` says; for the one thread that has ``session``.

    Where there is no such store it behaves as one with another key, in which nothing is. ``changed`` is called with the
    store after each commit that others may wait for. Blocks that come go into ``objects``, or else into the database.
    ``rates`` counts requests. ``clock`` returns ns since the epoch, ``random(n)`` n random bytes.
    """

    def __init__(
        self,
        session: Session,
        store: UUID,
        *,
        changed: Callable[[UUID], None] = lambda _: None,
        clock: Callable[[], int] = time.time_ns,
        random: Callable[[int], bytes] = os.urandom,
        sizes: Sizes | None = None,
        objects: ObjectStore | None = None,
        rates: Rates | None = None,
    ) -> None:
        self._session = session
        self._store = store
        self._changed = changed
        self._clock = bound_clock(clock)
        self._random = random
        self._sizes = sizes or Sizes()
        self._rates = rates or Rates()
        self._most_requests: int | None = None
        self._address = session.database.address
        self._rows = Rows(store)
        self._blocks = Blocks(session, store, objects, self._now, random)
        self._row = StoreRow(store, self._address, self._now, random)
        self._devices = Devices(store, self._now)
        self._mark: int | None = None  # of the incarnation that the last page is of
        self._of_page: Told | None = None  # what was read with it, as long as it was all of it

    def read_key(self) -> bytes:
        """Return the key; of a store that nobody has claimed, that has moved, or that is not there, one that nobody has."""
        with self._session.connection() as connection:
            row = connection.execute(
                "SELECT key, most_requests FROM stores WHERE store = %s AND closed = 0", (self._store,)
            ).fetchone()
        if row is None or row[0] is None:
            return self._random(32)
        self._most_requests = row[1]
        return bytes(row[0])

    def count_request(self) -> None:
        """Count a request, by what was read with the key or the token."""
        self._rates.count(self._store, self._most_requests)

    # Entries

    def merge(self, deliveries: Sequence[Delivery]) -> Outcome:
        """Merge what a device has pushed; a value that loses is not kept: its device has it in its history."""
        uploaded = self._upload_whole(deliveries)

        def merge(connection: Connection[Any]) -> tuple[Outcome, bool]:
            merged = self._merge(connection, self._row.lock(connection), deliveries, uploaded)
            self._rows.note_counters(connection, find_counters(deliveries))
            return merged

        outcome, has_changed = self._session.run(merge)
        if has_changed:
            self._changed(self._store)
        return outcome

    def _upload_whole(self, deliveries: Sequence[Delivery]) -> dict[bytes, str]:
        """Put the blocks of large values that came whole into objects, as far as it looks now as if they were needed."""
        if not self._blocks.has_objects or not any(
            len(delivery.value or b"") > self._sizes.inline for delivery in deliveries
        ):
            return {}
        clock = self._row.read(self._session).clock
        with self._session.connection() as connection:
            plan = self._plan(connection, deliveries, clock)
        return self._upload(plan.blocks)

    def _upload(self, blocks: Mapping[bytes, bytes | memoryview]) -> dict[bytes, str]:
        return self._blocks.upload(blocks, lambda size: self._row.check_quota(self._row.read(self._session), 0, size))

    def _merge(
        self,
        connection: Connection[Any],
        state: State,
        deliveries: Sequence[Delivery],
        uploaded: Mapping[bytes, str],
    ) -> tuple[Outcome, bool]:
        plan = self._plan(connection, deliveries, state.clock)
        now = self._now()
        if plan.written or plan.handed_out:
            stored = self._blocks.add(connection, plan.blocks, uploaded)
            self._rows.write(connection, plan)
            self._rows.drop(connection, plan, now)
            self._row.check_quota(state, plan.entries, plan.size + stored)
            self._row.count(connection, plan.clock, plan.entries, plan.size + stored)
        elif plan.clock != state.clock:
            self._row.count(connection, plan.clock)
        incarnations = self._row.list_incarnations(connection, state._replace(clock=plan.clock))
        return Outcome(plan.missing, state.process_id, plan.clock, incarnations), plan.clock > state.clock

    def _plan(self, connection: Connection[Any], deliveries: Sequence[Delivery], clock: int) -> Plan:
        versions = self._rows.read_versions(connection, {delivery.entry.key for delivery in deliveries})
        lengths = self._blocks.read_lengths(connection, list_wanted(deliveries))
        return plan_merge(
            deliveries, Known(versions, lengths, self._read_counters(connection, deliveries), clock), self._sizes
        )

    def _read_counters(self, connection: Connection[Any], deliveries: Sequence[Delivery]) -> dict[int, int]:
        writers = list({delivery.entry.process_id for delivery in deliveries})
        rows = connection.execute(
            "SELECT process_id, counter FROM devices WHERE store = %s AND process_id = ANY(%s)", (self._store, writers)
        )
        return dict(rows.fetchall())

    def merge_removals(self, deliveries: Iterable[Delivery]) -> None:
        """Merge the tombstones of keys that are here, which make room and take none."""
        removals = [delivery for delivery in deliveries if delivery.entry.deleted]

        def merge(connection: Connection[Any]) -> tuple[Outcome, bool]:
            state = self._row.lock(connection)
            known = self._rows.read_versions(connection, {removal.entry.key for removal in removals})
            return self._merge(connection, state, [removal for removal in removals if removal.entry.key in known], {})

        if removals and self._session.run(merge)[1]:
            self._changed(self._store)

    def put_blocks(self, blocks: Sequence[bytes | memoryview]) -> None:
        """Keep blocks until an entry names them."""
        named = {sha256(block).digest(): block for block in blocks}
        uploaded = self._upload(named)

        def put(connection: Connection[Any]) -> None:
            state = self._row.lock(connection)
            size = self._blocks.add(connection, named, uploaded)
            self._row.check_quota(state, 0, size)
            self._row.count(connection, state.clock, 0, size)

        self._session.run(put)

    def get_blocks(self, wanted: Sequence[bytes]) -> list[bytes | None]:
        """Return blocks by their hashes."""
        found = self._blocks.read(wanted)
        return [found.get(hash_) for hash_ in wanted]

    def tidy_briefly(self) -> None:
        """Leave it to the process that cleans up."""

    def note_device(self, process_id: int, names: Mapping[int, str]) -> None:
        """Note that a device asks; it is written with what is read next."""
        self._devices.note(process_id, names)

    def read_page(self, first: int, not_from: int, limit: Limit) -> Page:
        """Return a page of entries, up to the clock that is read before them."""
        told, versions = self._begin_page(first, not_from)
        clock = told.state.clock
        outgoing: list[Outgoing] = []
        size, batch = 0, BATCH
        while versions:
            for version in versions:
                if version.content is not None:
                    self._of_page = None
                out = self._prepare(version, limit.whole)
                size += limit.size_of(out.delivery)
                if outgoing and size > limit.page:
                    return Page(outgoing, outgoing[-1].delivery.sequence, more=True, held=False, clock=clock)
                outgoing.append(out)
            if len(versions) < batch:
                break
            first = versions[-1].sequence + 1
            batch = max(BATCH, min(LARGEST_BATCH, len(outgoing) * max(limit.page - size, 0) // max(size, 1)))
            self._of_page = None
            versions = self._read_batch(first, clock, not_from, batch)
        if not outgoing:
            # The device may wait for more, and thousands do: what all their stores tell would take much memory.
            self._of_page = None
        return Page(outgoing, clock, more=False, held=False, clock=clock)

    def _begin_page(self, first: int, not_from: int) -> tuple[Told, list[Version]]:
        """Return what there is to tell, then the first versions of a page: on one connection, so of one server."""
        told, versions = self._read_told(
            lambda told, connection: (
                self._rows.read_since(connection, first, told.state.clock, not_from, BATCH)
                if first <= told.state.clock
                else []
            )
        )
        self._of_page, self._mark = told, told.state.mark
        return told, versions

    def _read_told(self, also: Callable[[Told, Connection[Any]], T]) -> tuple[Told, T]:
        """Return what there is to tell, and what ``also`` reads after that from the same server."""
        with self._session.connection() as connection:
            told = self._devices.read(connection)
            if told is None:
                raise self._row.describe_missing()
            if told.state.is_present:
                return told, also(told, connection)
        self._session.run(self._row.lock)  # without the connection: who holds one waits for no other
        return self._read_told(also)

    def _read_batch(self, first: int, last: int, not_from: int, batch: int) -> list[Version]:
        with self._session.connection() as connection:
            return self._rows.read_since(connection, first, last, not_from, batch)

    def _prepare(self, version: Version, whole: int) -> Outgoing:
        entry, sequence, data, content = version
        value = take_stored(version)
        if content is None:
            return Outgoing(Delivery(entry, sequence, data or b""), value, True)
        if entry.size <= whole:
            return Outgoing(Delivery(entry, sequence, b"".join(self._read(content, 0, entry.size))), value, True)
        runs = self._list_runs(content)
        counts = tuple(run.times for run in runs)
        blocks = b"".join(run.hash for run in runs)
        return Outgoing(Delivery(entry, sequence, None, blocks, counts if max(counts) > 1 else ()), value, True)

    def mark_as_sent(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Return the same: nothing is written here that has to be dated anew."""
        return list(outgoing)

    def read_pieces(self, out: Outgoing) -> Iterator[bytes]:
        """Yield the value of an entry."""
        if out.delivery.value is not None:
            yield out.delivery.value
        elif out.value.content is not None:
            yield from self._read(out.value.content, 0, out.value.size)

    def describe(self, clock: int, device: int) -> Description:
        """Return what a device is told, unless the page was read from a server whose place another one has taken since.

        A page that was read at once has that of the same moment with it.
        """
        told, self._of_page = self._of_page, None
        if told is None:
            told, _ = self._read_told(lambda told, _: told)
        if self._mark not in {None, told.state.mark}:
            raise StoreError(self._address, "the database was set back meanwhile")
        return told.describe(clock, device)

    # What is shared

    def check(self) -> None:
        """Return if the database can be read."""
        with self._session.connection() as connection:
            connection.execute("SELECT 1")

    def find_shared(self, token: str) -> Shared | ShareLink | None:
        """Return what a token is of."""
        with self._session.connection() as connection:
            versions, self._most_requests = self._rows.find_by_token(connection, token)
        return choose_shared(((version.entry, take_stored(version)) for version in versions), token)

    def resolve_link(self, link: ShareLink) -> Shared | None:
        """Return what a link leads to."""
        with self._session.connection() as connection:
            version = self._rows.find_by_key(connection, link.key)
        if version is None or not version.entry.is_file:
            return None
        return Shared(version.entry, take_stored(version), link)

    def has_ended(self, token: str) -> bool:
        """Whether a token once led to something."""
        with self._session.connection() as connection:
            row = connection.execute(
                "SELECT EXISTS (SELECT 1 FROM ended_tokens WHERE store = %s AND token = %s)"
                " OR EXISTS (SELECT 1 FROM entries WHERE store = %s AND token = %s)",
                (self._store, hash_token(token), self._store, hash_token(token)),
            ).fetchone()
        return row is not None and bool(row[0])

    def read_head(self, value: StoredValue, length: int) -> bytes:
        """Return the first bytes of a value."""
        if value.data is not None or value.content is None:
            return (value.data or b"")[:length]
        return next(self._read(value.content, 0, min(length, value.size)), b"")

    @contextmanager
    def hold(self, value: StoredValue, still: Callable[[], bool]) -> Iterator[Held]:
        """``with`` a value that stays: what is dropped is kept for longer than any response lasts."""
        if value.is_large and not still():
            raise ValueReplaced
        yield Held(value, self._read)

    def end_link(self, link: ShareLink, still: Callable[[], bool]) -> bool:
        """End a link for good: its row is locked, and another tombstone takes its place."""

        def end(connection: Connection[Any]) -> bool:
            state = self._row.lock(connection)
            if not still():
                raise ValueReplaced
            version = self._rows.find_by_key(connection, link.record)
            if version is None or not version.entry.deleted or version.entry.url_token != link.token:
                return False
            clock = state.clock + 1
            timestamp = next_timestamp(self._now(), version.entry.timestamp)
            entry = Entry(link.record, timestamp, clock, state.process_id, new_token(self._random), 0)
            written = {link.record: Version(entry, clock, b"", None)}
            plan = Plan(written, clock, written, {}, {}, {}, [], [version.entry], [], 0, 0)
            self._rows.write(connection, plan)
            self._rows.drop(connection, plan, self._now())
            self._row.count(connection, clock)
            return True

        ended = self._session.run(end)
        if ended:
            self._changed(self._store)
        return ended

    def _read(self, content: int, start: int, stop: int) -> Iterator[bytes]:
        runs = self._list_runs(content)
        if not runs:
            raise ValueReplaced
        return self._blocks.read_range(runs, self._sizes.block, start, stop)

    def _list_runs(self, content: int) -> list[Run]:
        with self._session.connection() as connection:
            return self._rows.list_runs(connection, content)

    # Mailboxes

    def read_mailboxes(self) -> list[Mailbox]:
        """Return all mailboxes."""
        with self._session.connection() as connection:
            row = connection.execute("SELECT mailboxes FROM stores WHERE store = %s", (self._store,)).fetchone()
        return _decode_mailboxes("" if row is None else row[0])

    def change_mailboxes(self, change: Callable[[list[Mailbox]], list[Mailbox]]) -> None:
        """Change the mailboxes, under the store's lock."""

        def apply(connection: Connection[Any]) -> bool:
            row = connection.execute(
                "SELECT mailboxes FROM stores WHERE store = %s FOR UPDATE", (self._store,)
            ).fetchone()
            before = _decode_mailboxes("" if row is None else row[0])
            after = change(before)
            if after == before or row is None:
                return False
            text = json.dumps(after) if after else ""
            connection.execute("UPDATE stores SET mailboxes = %s WHERE store = %s", (text, self._store))
            return True

        if self._session.run(apply):
            self._changed(self._store)

    # Upkeep

    def tidy(self) -> bool:
        """Clean up a little of this store; return whether there is more to do."""
        return self._session.run(lambda connection: upkeep.tidy_store(connection, self._store, self._now()))

    def _now(self) -> int:
        return self._clock() // 1000


def _decode_mailboxes(text: str) -> list[Mailbox]:
    return [Mailbox(*fields) for fields in json.loads(text)] if text else []
