"""Moving a store between a SQLite file and PostgreSQL, so that no device notices: sequences, process id and marks stay."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, Final

from psycopg import Connection

from ...entry import Delivery
from ...replica import Incarnation
from ...store import HubRecord, KnownDevice, Limit, Sizes, Store
from ..errors import NoSuchStore, StoreExists
from ..keeper import EntryKeeper
from ..objects import ObjectStore
from ..store_keeper import StoreKeeper
from ..store_names import name_store
from .blocks import Blocks
from .database import Session
from .keeper import PostgresKeeper
from .merging import Plan, Version, list_runs, list_wanted
from .rows import Rows
from .store_row import TIMELINE

PAGE: Final = Limit(8 * 1024 * 1024, 0, lambda delivery: 200 + len(delivery.value or delivery.blocks))
"""What is moved at a time."""

BLOCKS: Final = 16
"""Blocks that are moved at a time."""

FROM_NOBODY: Final = 0


def import_store(
    store: Store,
    session: Session,
    name: str,
    *,
    clock: Callable[[], int] = time.time_ns,
    random: Callable[[int], bytes] = os.urandom,
) -> int:
    """Make the store of one person one of those in PostgreSQL, all in one transaction; return the number of entries.

    Its history stays behind. Its blocks go into the database.

    Raises:
        StoreExists: there is one of that name.
    """
    mover = _Import(store, session, name, clock, random)
    return session.run(mover.run)


class _Import:
    def __init__(
        self, store: Store, session: Session, name: str, clock: Callable[[], int], random: Callable[[int], bytes]
    ) -> None:
        self._source = StoreKeeper(store)
        self._record = store.hub_records.read()
        self._name = name
        self._id = name_store(name)
        self._now = clock() // 1000
        self._random = random
        self._rows = Rows(self._id)
        self._blocks = Blocks(session, self._id, None, lambda: self._now, random)
        self._sizes = Sizes()

    def run(self, connection: Connection[Any]) -> int:
        self._insert_store(connection)
        count = size = 0
        for page in list_pages(self._source):
            size += self._copy_blocks(connection, page)
            versions = [self._convert(delivery) for delivery in page]
            runs = {
                version.content: list_runs(delivery, self._sizes)
                for version, delivery in zip(versions, page, strict=True)
                if version.content is not None
            }
            written = {version.entry.key: version for version in versions}
            self._rows.write(connection, Plan((), 0, written, {}, runs, {}, [], [], [], 0, 0))
            count += len(page)
            size += sum(len(version.data or b"") for version in versions)
        connection.execute("UPDATE stores SET entries = %s, bytes = %s WHERE store = %s", (count, size, self._id))
        return count

    def _insert_store(self, connection: Connection[Any]) -> None:
        record = self._record
        added = connection.execute(
            "INSERT INTO stores (store, name, made, key, claim_ends, process_id, clock, mark, timeline, entries, bytes,"
            f" mailboxes, closed) VALUES (%s, %s, %s, %s, 0, %s, %s, %s, {TIMELINE}, 0, 0, '', 0) ON CONFLICT DO NOTHING",
            (
                self._id,
                self._name,
                self._now,
                record.key,
                record.process_id,
                record.clock,
                int.from_bytes(self._random(6)),
            ),
        )
        if not added.rowcount:
            raise StoreExists(self._name)
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO devices VALUES (%s, %s, %s, %s, %s)", [(self._id, *device) for device in record.devices]
            )
            cursor.executemany(
                "INSERT INTO incarnations VALUES (%s, %s, %s, %s)",
                [(self._id, *each, self._now + place) for place, each in enumerate(record.incarnations)],
            )

    def _copy_blocks(self, connection: Connection[Any], page: list[Delivery]) -> int:
        wanted = list_wanted(page)
        known = self._blocks.read_lengths(connection, wanted)
        missing = [hash_ for hash_ in wanted if hash_ not in known]
        size = 0
        for start in range(0, len(missing), BLOCKS):
            blocks = self._source.get_blocks(missing[start : start + BLOCKS])
            found = {sha256(block).digest(): block for block in blocks if block is not None}
            size += self._blocks.add(connection, found, {})
        return size

    def _convert(self, delivery: Delivery) -> Version:
        if delivery.value is not None:
            return Version(delivery.entry, delivery.sequence, delivery.value, None)
        return Version(delivery.entry, delivery.sequence, None, delivery.sequence)


def export_store(
    store: Store,
    session: Session,
    name: str,
    *,
    objects: ObjectStore | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> int:
    """Make ``store``, which is new, what the store in PostgreSQL is, and close that one; return the number of entries.

    ``objects`` is where blocks are that are not in the database.

    Raises:
        ObjectsUnknown: some are elsewhere, and ``objects`` is ``None``.
        NoSuchStore: there is none that was claimed.
    """
    id_ = name_store(name)

    def run(connection: Connection[Any]) -> int:
        record = _read_record(connection, name)
        keeper = PostgresKeeper(session, id_, objects=objects)
        count = store.hub_records.take_over(record, _copy_pages(keeper, store))
        connection.execute("UPDATE stores SET closed = %s WHERE store = %s", (clock() // 1000, id_))
        return count

    return session.run(run)


def _read_record(connection: Connection[Any], name: str) -> HubRecord:
    """Return what a store is as a hub, and lock its row."""
    id_ = name_store(name)
    row = connection.execute(
        "SELECT key, process_id, clock, mark FROM stores WHERE store = %s AND closed = 0 FOR UPDATE", (id_,)
    ).fetchone()
    if row is None or row[0] is None:
        raise NoSuchStore(name)
    key, process_id, last, mark = row
    devices = connection.execute("SELECT process_id, seen, counter, name FROM devices WHERE store = %s", (id_,))
    incarnations = connection.execute(
        "SELECT mark, told FROM incarnations WHERE store = %s ORDER BY ended", (id_,)
    ).fetchall()
    return HubRecord(
        bytes(key),
        process_id,
        last,
        [KnownDevice(*each) for each in devices],
        [*(Incarnation(*each) for each in incarnations), Incarnation(mark, last)],
    )


def _copy_pages(keeper: PostgresKeeper, store: Store) -> Iterator[list[Delivery]]:
    for page in list_pages(keeper):
        missing = store.blocks.missing(list_wanted(page))
        for start in range(0, len(missing), BLOCKS):
            blocks = keeper.get_blocks(missing[start : start + BLOCKS])
            store.blocks.put([block for block in blocks if block is not None])
        yield page


def list_pages(keeper: EntryKeeper) -> Iterator[list[Delivery]]:
    """Yield all entries in order of sequence, a page at a time."""
    first, more = 0, True
    while more:
        page = keeper.read_page(first, FROM_NOBODY, PAGE)
        yield [out.delivery for out in keeper.mark_as_sent(page.outgoing)]
        first, more = page.cursor + 1, page.more
