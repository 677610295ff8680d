"""The stores of a hub for many: adding, claiming, limiting and removing them."""

from __future__ import annotations

import hmac
import os
import time
from base64 import b32encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import Connection

from ...replica import MAX_PROCESS_ID
from ..errors import NoSuchStore, StoreExists
from ..store_names import name_store
from . import upkeep
from .database import Session
from .schema import TABLES
from .store_row import TIMELINE

CLAIM_TIME: Final = 7 * 24 * 3600 * 1_000_000
"""Microseconds for which a code can claim a store."""

CODE_BYTES: Final = 15
"""Random bytes of a code."""


class StoreStatus(NamedTuple):
    """A store, and what it has and may have; ``None`` = any number. ``made`` in µs."""

    name: str
    made: int
    is_claimed: bool
    entries: int
    bytes: int
    most_entries: int | None
    most_bytes: int | None
    most_requests: int | None


class Stores:
    """Adds, lists, claims and removes stores. ``clock`` returns ns since the epoch, ``random(n)`` n random bytes."""

    def __init__(
        self,
        session: Session,
        *,
        clock: Callable[[], int] = time.time_ns,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._session = session
        self._clock = clock
        self._random = random

    def add(self, name: str, code: str) -> None:
        """Add a store that ``code`` claims; one that is there and not claimed yet gets another code.

        Raises:
            StoreExists: it is claimed.
        """
        now = self._clock() // 1000

        def insert(connection: Connection[Any]) -> bool:
            row = (
                name_store(name),
                name,
                now,
                _hash_code(code),
                now + CLAIM_TIME,
                int.from_bytes(self._random(4)) % MAX_PROCESS_ID + 1,
                int.from_bytes(self._random(6)),
            )
            added = connection.execute(
                "INSERT INTO stores AS old (store, name, made, claim, claim_ends, process_id, mark, timeline, clock, entries,"
                f" bytes, mailboxes, closed) VALUES (%s, %s, %s, %s, %s, %s, %s, {TIMELINE}, 0, 0, 0, '', 0)"
                " ON CONFLICT (store) DO UPDATE SET claim = excluded.claim, claim_ends = excluded.claim_ends"
                " WHERE old.key IS NULL",
                row,
            )
            return added.rowcount == 1

        if not self._session.run(insert):
            raise StoreExists(name)

    def claim(self, store: UUID, code: str, key: bytes) -> bool:
        """Give a store the key that its person's device has made; ``False`` if the code claims none, or no longer.

        Again with the same code and key is no error: the response may have been lost.
        """

        def update(connection: Connection[Any]) -> bool:
            row = connection.execute(
                "SELECT claim FROM stores WHERE store = %s AND (key IS NULL OR key = %s) AND claim_ends > %s FOR UPDATE",
                (store, key, self._clock() // 1000),
            ).fetchone()
            if row is None or row[0] is None or not hmac.compare_digest(bytes(row[0]), _hash_code(code)):
                return False
            connection.execute("UPDATE stores SET key = %s WHERE store = %s", (key, store))
            return True

        return self._session.run(update)

    def list_all(self) -> list[StoreStatus]:
        """Return all stores, by name."""
        with self._session.connection() as connection:
            rows = connection.execute(
                "SELECT name, made, key IS NOT NULL, entries, bytes, most_entries, most_bytes, most_requests FROM stores"
            )
            return sorted(StoreStatus(*row) for row in rows)

    def count_sizes(self) -> dict[str, float]:
        """Return how many stores there are, how many bytes they have, and how many are of which size."""
        with self._session.connection() as connection:
            row = connection.execute(
                "SELECT count(*), coalesce(sum(bytes), 0), count(*) FILTER (WHERE bytes < 1e6),"
                " count(*) FILTER (WHERE bytes >= 1e6 AND bytes < 1e8), count(*) FILTER (WHERE bytes >= 1e8) FROM stores"
            ).fetchone()
        names = ("stores", "stores_bytes", "stores_below_1_mb", "stores_from_1_mb", "stores_from_100_mb")
        return dict(zip(names, map(float, row or ()), strict=False))

    def set_limits(self, name: str, *, entries: int | None, size: int | None, requests: int | None = None) -> None:
        """Limit the entries, bytes and requests a second of a store; ``None`` = any number.

        Raises:
            NoSuchStore
        """
        with self._session.connection() as connection:
            changed = connection.execute(
                "UPDATE stores SET most_entries = %s, most_bytes = %s, most_requests = %s WHERE store = %s",
                (entries, size, requests, name_store(name)),
            )
            if not changed.rowcount:
                raise NoSuchStore(name)

    def note_restored(self) -> None:
        """Begin another incarnation of each store, as the server was brought back from a backup and cannot tell."""
        with self._session.connection() as connection:
            connection.execute("UPDATE stores SET timeline = ''")

    def remove(self, name: str) -> None:
        """Remove a store with all that it has, in one transaction; its objects go later.

        Raises:
            NoSuchStore
        """

        def delete(connection: Connection[Any]) -> int:
            # The row of the store first: writers wait for it, and then find it gone.
            removed = connection.execute("DELETE FROM stores WHERE store = %s", (name_store(name),)).rowcount
            upkeep.let_objects_go(connection, name_store(name), self._clock() // 1000)
            for table in TABLES.keys() - {"loose_objects"}:
                connection.execute(f"DELETE FROM {table} WHERE store = %s", (name_store(name),))
            return removed

        if not self._session.run(delete):
            raise NoSuchStore(name)


def make_code(random: Callable[[int], bytes] = os.urandom) -> str:
    """Return a new code: letters and digits in groups of four."""
    text = b32encode(random(CODE_BYTES)).decode("ascii").lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _hash_code(code: str) -> bytes:
    return sha256(code.encode()).digest()
