"""The row of a store: its clock, its lock, what it has and may have, and the incarnations of it as a hub."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import Connection

from ...errors import StoreError
from ...replica import Incarnation
from ...store import KEPT_INCARNATIONS
from ..errors import QuotaReached
from .database import Session

TIMELINE: Final = (
    "(SELECT system_identifier FROM pg_control_system()) || '/' ||"
    " substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"
)
"""What names the database server and its timeline, which is another one after a failover or a restored backup."""

STATE: Final = f"clock, process_id, mark, timeline, {TIMELINE}, entries, bytes, most_entries, most_bytes"
"""The columns of ``State``."""

_STATE: Final = f"SELECT {STATE} FROM stores WHERE store = %s"


class State(NamedTuple):
    """The row of a store."""

    clock: int
    process_id: int
    mark: int
    timeline: str
    present: str
    entries: int
    bytes: int
    most_entries: int | None
    most_bytes: int | None

    @property
    def is_present(self) -> bool:
        """Whether the mark was drawn on the timeline that the server is on."""
        return self.timeline == self.present


class StoreRow:
    """Reads and writes the row of one store. ``now`` returns µs since the epoch, ``random(n)`` n random bytes."""

    def __init__(self, store: UUID, address: str, now: Callable[[], int], random: Callable[[int], bytes]) -> None:
        self._store = store
        self._address = address
        self._now = now
        self._random = random

    def lock(self, connection: Connection[Any]) -> State:
        """Return the row of the store, which other writers of the store wait for until this transaction ends."""
        row = connection.execute(f"{_STATE} FOR UPDATE", (self._store,)).fetchone()
        if row is None:
            raise self.describe_missing()
        state = State._make(row)
        return state if state.is_present else self._renew_mark(connection, state)

    def describe_missing(self) -> StoreError:
        """Return what is raised where there is no row any more."""
        return StoreError(self._address, "the store was removed meanwhile")

    def _renew_mark(self, connection: Connection[Any], state: State) -> State:
        """Begin another incarnation: the server is another one, or on another timeline, and may lack what it was told."""
        renewed = state._replace(mark=int.from_bytes(self._random(6)), timeline=state.present)
        connection.execute(
            "INSERT INTO incarnations VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (self._store, state.mark, state.clock, self._now()),
        )
        connection.execute(
            "DELETE FROM incarnations WHERE store = %s AND mark NOT IN ("
            "SELECT mark FROM incarnations WHERE store = %s ORDER BY ended DESC LIMIT %s)",
            (self._store, self._store, KEPT_INCARNATIONS),
        )
        connection.execute(
            "UPDATE stores SET mark = %s, timeline = %s WHERE store = %s", (renewed.mark, renewed.timeline, self._store)
        )
        return renewed

    def check_quota(self, state: State, entries: int, size: int) -> None:
        """Return if the store may have so many entries and bytes more.

        Raises:
            QuotaReached: it may not.
        """
        if entries > 0 and state.most_entries is not None and state.entries + entries > state.most_entries:
            raise QuotaReached(
                self._address,
                f"of this store it keeps {state.most_entries:,} keys at most, those of removed ones among them",
            )
        if size > 0 and state.most_bytes is not None and state.bytes + size > state.most_bytes:
            most = f"{state.most_bytes / 1_000_000:,.0f} MB"
            raise QuotaReached(self._address, f"of this store it keeps {most} at most")

    def count(self, connection: Connection[Any], clock: int, entries: int = 0, size: int = 0) -> None:
        """Set the clock, and count what the store has more now; under its lock."""
        connection.execute(
            "UPDATE stores SET clock = %s, entries = entries + %s, bytes = bytes + %s WHERE store = %s",
            (clock, entries, size, self._store),
        )

    def read(self, session: Session) -> State:
        """Return the row of the store; it has no connection any more when it needs one to write."""
        with session.connection() as connection:
            row = connection.execute(_STATE, (self._store,)).fetchone()
        if row is None:
            raise self.describe_missing()
        state = State._make(row)
        return state if state.is_present else session.run(self.lock)

    def list_incarnations(self, connection: Connection[Any], state: State) -> list[Incarnation]:
        """Return the incarnations, the present one at the end."""
        rows = connection.execute(
            "SELECT mark, told FROM incarnations WHERE store = %s AND mark <> %s ORDER BY ended DESC LIMIT %s",
            (self._store, state.mark, KEPT_INCARNATIONS - 1),
        ).fetchall()
        return [*(Incarnation(*row) for row in reversed(rows)), Incarnation(state.mark, state.clock)]
