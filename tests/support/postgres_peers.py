"""Histories with a hub that keeps its store in PostgreSQL, and what must be true of a store there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, TypeVar

import psycopg
from psycopg import Connection

from kvassfs.keeping.errors import DatabaseUnreachable
from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.keeper import PostgresKeeper
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.keeping.store_names import name_store
from kvassfs.sync.hub import Hub
from tests.support.histories import Peers
from tests.support.replicas import ADDRESS, KEEPING, KEY, SMALL_LIMITS, KvassHub, Replica, Version
from tests.support.stores import SECOND, Clock

T = TypeVar("T")

Rows = dict[str, list[tuple[Any, ...]]]
"""All rows of a store, by table."""

TABLES = (
    "stores",
    "entries",
    "content_blocks",
    "blocks",
    "dropped_contents",
    "ended_tokens",
    "devices",
    "incarnations",
)

_VERSIONS = """
SELECT key, timestamp, counter, process_id, url_token, mode, mod_time, seen, origin, coalesce(data, (
    SELECT string_agg(blocks.data, '' ORDER BY list.position, number) FROM content_blocks AS list
    JOIN blocks USING (store, hash) CROSS JOIN generate_series(1, list.count) AS number
    WHERE list.store = entries.store AND list.content = entries.content))
FROM entries WHERE store = %s
"""

_FAULTS = {
    "a sequence is beyond the clock": """
        SELECT sequence FROM entries JOIN stores USING (store) WHERE store = %(store)s AND sequence > clock""",
    "entries are counted wrongly": """
        SELECT stores.entries FROM stores WHERE store = %(store)s
        AND stores.entries <> (SELECT count(*) FROM entries AS row WHERE row.store = %(store)s)""",
    "bytes are counted wrongly": """
        SELECT bytes FROM stores WHERE store = %(store)s AND bytes <>
        coalesce((SELECT sum(length(data)) FROM entries AS row WHERE row.store = %(store)s), 0)
        + coalesce((SELECT sum(size) FROM blocks WHERE blocks.store = %(store)s), 0)""",
    "a list names a block that is not there": """
        SELECT content FROM content_blocks AS list WHERE store = %(store)s AND NOT EXISTS
        (SELECT 1 FROM blocks WHERE blocks.store = list.store AND blocks.hash = list.hash)""",
    "a block is not known to be named": """
        SELECT hash FROM blocks WHERE store = %(store)s AND NOT named AND EXISTS
        (SELECT 1 FROM content_blocks AS list WHERE list.store = blocks.store AND list.hash = blocks.hash)""",
    "a block that nothing names is not known to be so": """
        SELECT hash FROM blocks WHERE store = %(store)s AND named AND NOT EXISTS
        (SELECT 1 FROM content_blocks AS list WHERE list.store = blocks.store AND list.hash = blocks.hash)""",
    "a list belongs to nothing": """
        SELECT DISTINCT content FROM content_blocks AS list WHERE store = %(store)s
        AND NOT EXISTS (SELECT 1 FROM entries WHERE entries.store = list.store AND entries.content = list.content)
        AND NOT EXISTS (SELECT 1 FROM dropped_contents AS old WHERE old.store = list.store AND old.content = list.content)""",
    "a list of an entry is dropped": """
        SELECT key FROM entries JOIN dropped_contents USING (store, content) WHERE store = %(store)s""",
    "an entry has a value and a list, or neither": """
        SELECT key FROM entries WHERE store = %(store)s AND (data IS NULL) = (content IS NULL)""",
    "a value is longer or shorter than it says": """
        SELECT key FROM entries WHERE store = %(store)s AND data IS NOT NULL AND length(data) <> size""",
}


def audit_store(connection: Connection[Any], name: str) -> None:
    """Assert what must always be true of the rows of a store."""
    for fault, sql in _FAULTS.items():
        found = connection.execute(sql, {"store": name_store(name)}).fetchall()
        assert not found, f"{fault}: {found}"


def read_versions(connection: Connection[Any], name: str) -> dict[str, Version]:
    """Return what a store has under each key, tombstones included."""
    return {
        key: Version((time, counter, -writer), bytes(token).decode(), mode, mod_time, seen, origin, bytes(value))
        for key, time, counter, writer, token, mode, mod_time, seen, origin, value in connection.execute(
            _VERSIONS, (name_store(name),)
        )
    }


class _Breaking:
    """A connection that is lost at a statement."""

    def __init__(self, connection: Connection[Any], session: BreakingSession) -> None:
        self._connection = connection
        self._session = session

    def execute(self, *arguments: Any) -> Any:
        self._session.left -= 1
        if not self._session.left:
            raise psycopg.OperationalError("the connection was lost")
        return self._connection.execute(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class BreakingSession(Session):
    """A session that loses its connection at the statement number ``left``, and after each commit if that ``is_unknown``."""

    left = 0
    is_unknown = False

    @contextmanager
    def connection(self) -> Iterator[Any]:
        with super().connection() as connection:
            yield _Breaking(connection, self)

    def run(self, work: Callable[[Connection[Any]], T]) -> T:
        result = super().run(work)
        if self.is_unknown:
            raise DatabaseUnreachable(self.database.address, "the connection was lost")
        return result

    def _run_once(self, work: Callable[[Connection[Any]], T]) -> T:
        return super()._run_once(lambda connection: work(_Breaking(connection, self)))  # type: ignore[arg-type]


class PostgresHub(KvassHub):
    """A hub whose store is in a database, reached without a network."""

    def __init__(self, database: Database, clock: Clock, random: Callable[[int], bytes]) -> None:
        self.session = BreakingSession(database)
        self._clock = clock
        self._bytes = random
        self.begin_anew()

    def begin_anew(self) -> None:
        """Have another store, in which nothing is, in place of the one before."""
        self.name = Random().randbytes(16).hex()
        stores = Stores(self.session, clock=self._clock, random=self._bytes)
        stores.add(self.name, "code")
        assert stores.claim(name_store(self.name), "code", KEY)

    @property
    def keeper(self) -> PostgresKeeper:
        """A keeper of the store."""
        return PostgresKeeper(self.session, name_store(self.name), clock=self._clock, random=self._bytes, sizes=KEEPING)

    def open(self) -> Hub:
        return Hub(self.keeper, clock=self._clock, random=self._bytes, limits=SMALL_LIMITS)

    def versions(self) -> dict[str, Version]:
        with self.session.connection() as connection:
            return read_versions(connection, self.name)

    def copy(self) -> Rows:
        """Return all rows of the store."""
        with self.session.connection() as connection:
            return {
                table: connection.execute(
                    f"SELECT * FROM {table} WHERE store = %s", (name_store(self.name),)
                ).fetchall()
                for table in TABLES
            }

    def set_back(self, rows: Rows) -> None:
        """Let the store be as it was, as after a failover to a server that lagged."""

        def replace(connection: Connection[Any]) -> None:
            for table, lines in rows.items():
                connection.execute(f"DELETE FROM {table} WHERE store = %s", (name_store(self.name),))
                for line in lines:
                    places = ", ".join(["%s"] * len(line))
                    connection.execute(f"INSERT INTO {table} VALUES ({places})", line)

        self.session.run(replace)
        Stores(self.session).note_restored()

    def audit(self) -> None:
        with self.session.connection() as connection:
            audit_store(connection, self.name)


class PostgresPeers(Peers):
    """The same peers with a hub that keeps its store in PostgreSQL, and writes nothing itself."""

    hub: PostgresHub

    def __init__(self, database: Database, made: list[Replica], originals: int, **options: bool) -> None:
        super().__init__(made, originals, original_hub=True, **options)
        self.true_clocks = options.get("true_clocks", False)
        self.hub_clock = made[0].clock
        self.hub = PostgresHub(database, self.hub_clock, self.random)
        self.copy: Rows | None = None

    def _meets_a_failing_hub(self, who: int, call: str, body: bytes, number: int) -> bytes:
        if self.relay and who > 0:
            return super()._meets_a_failing_hub(who, call, body, number)
        self.excused = True
        session = self.hub.session
        session.left, session.is_unknown = (0, True) if number % 4 == 3 else (1 + number // 2, False)
        try:
            return self._arrives(who, call, body)
        finally:
            session.left, session.is_unknown = 0, False

    def set_another_remote(self, who: int) -> None:
        if not self.renewed and not self.steady:
            self.hub.begin_anew()
            self.copy = None
            self._note_replaced()
        self.replicas[who].store.settings.set_remote(ADDRESS)

    def _note_replaced(self) -> None:
        self.replaced += 1
        self.unaware |= set(range(1) if self.relay else range(len(self.replicas)))

    def clean_everywhere(self) -> None:
        super().clean_everywhere()
        while self.hub.keeper.tidy():
            pass

    def let_time_pass(self, moment: int) -> None:
        self.hub_clock.advance(abs(moment))
        super().let_time_pass(moment)

    def set_clock(self, who: int, moment: int, what: str) -> None:
        if self._is_hub(who) and not self.true_clocks:
            self.hub_clock.jump(moment)
            self.latest = max(self.latest, self.hub_clock.now)
        else:
            super().set_clock(who, moment, what)

    def set_clock_right(self, who: int) -> None:
        self.hub_clock.jump(-self.hub_clock.error)
        super().set_clock_right(who)

    def clean(self, who: int) -> None:
        if self._is_hub(who):
            self.hub.keeper.tidy()
        else:
            super().clean(who)

    def back_up(self, who: int) -> None:
        if self._is_hub(who):
            self.copy = self.hub.copy()
        else:
            super().back_up(who)

    def restore(self, who: int) -> None:
        if not self._is_hub(who):
            super().restore(who)
        elif self.copy is not None and not self.renewed and not self.steady:
            self.hub.set_back(self.copy)
            self.copy = None
            self._note_replaced()
            self.let_time_pass(333_000)

    def _is_hub(self, who: int) -> bool:
        return who % (len(self.writers) + 1) == len(self.writers)

    def end(self) -> None:
        self.hub_clock.jump(-self.hub_clock.error)
        self.hub_clock.advance(10 * SECOND + max(0, self.latest - self.hub_clock.now))
        super().end()
        self.hub.audit()
        self.hub_clock.advance(2 * 24 * 3600 * SECOND)
        while self.hub.keeper.tidy():
            pass
        self.hub.audit()
