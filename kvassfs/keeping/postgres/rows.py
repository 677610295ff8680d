"""Rows of entries and lists of blocks: how they are read and written, for one store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from ...entry import Entry
from ...share_link import parse_record
from .merging import Plan, Run, Version

FIELDS: Final = "key, timestamp, counter, process_id, url_token, size, mode, mod_time, seen, origin, sequence"
"""The columns of a version, its value aside."""

_BY_NAMES: Final = f"SELECT {FIELDS}, content FROM entries WHERE store = %s AND name = ANY(%s)"

_MOST_REQUESTS: Final = "(SELECT most_requests FROM stores WHERE store = entries.store)"

BY_TOKEN: Final = f"SELECT {FIELDS}, data, content, {_MOST_REQUESTS} FROM entries WHERE store = %s AND token = %s"
"""Versions with a token, and how many requests a second the store may make."""

_BY_NAME: Final = f"SELECT {FIELDS}, data, content FROM entries WHERE store = %s AND name = %s"

_SINCE: Final = (
    f"SELECT {FIELDS}, data, content FROM entries"
    " WHERE store = %s AND sequence >= %s AND sequence <= %s AND process_id <> %s ORDER BY sequence LIMIT %s"
)

_ADD: Final = (
    "COPY entries (store, name, key, timestamp, counter, process_id, url_token, token, size, mode, mod_time, seen, origin,"
    " sequence, data, content) FROM STDIN"
)

_WRITE: Final = """
INSERT INTO entries AS old SELECT %s, * FROM unnest(
    %s::bytea[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bytea[], %s::bytea[], %s::bigint[],
    %s::integer[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::bytea[], %s::bigint[])
ON CONFLICT (store, name) DO UPDATE SET
    timestamp = excluded.timestamp, counter = excluded.counter, process_id = excluded.process_id,
    url_token = excluded.url_token, token = excluded.token, size = excluded.size, mode = excluded.mode,
    mod_time = excluded.mod_time, seen = excluded.seen, origin = excluded.origin, sequence = excluded.sequence,
    data = CASE WHEN excluded.content IS NOT DISTINCT FROM old.content AND excluded.data IS NULL
        AND excluded.url_token = old.url_token THEN old.data ELSE excluded.data END,
    content = excluded.content
"""
# A version that changes mode or time alone keeps its value, which was not read.

_HAND_OUT: Final = """
UPDATE entries SET sequence = moved.sequence FROM unnest(%s::bytea[], %s::bigint[]) AS moved (name, sequence)
WHERE entries.store = %s AND entries.name = moved.name
"""


def name_key(key: str) -> bytes:
    """Return what finds the row of a key."""
    return sha256(key.encode()).digest()


def hash_token(token: str) -> bytes:
    """Return what finds the row of a token."""
    return sha256(token.encode()).digest()[:16]


class Rows:
    """Reads and writes the rows of one store; ``connection`` is inside the transaction of its caller, or in none."""

    def __init__(self, store: UUID) -> None:
        self._store = store

    # Entries

    def read_versions(self, connection: Connection[Any], keys: Iterable[str]) -> dict[str, Version]:
        """Return the current versions of keys without short values, by key."""
        rows = connection.execute(_BY_NAMES, (self._store, [name_key(key) for key in keys]))
        versions = (read_version((*row[:-1], None, row[-1])) for row in rows)
        return {version.entry.key: version for version in versions}

    def find_by_key(self, connection: Connection[Any], key: str) -> Version | None:
        """Return the current version of a key."""
        row = connection.execute(_BY_NAME, (self._store, name_key(key))).fetchone()
        return None if row is None else read_version(row)

    def find_by_token(self, connection: Connection[Any], token: str) -> tuple[list[Version], int | None]:
        """Return the current versions that have a token, and how many requests a second the store may make if there are any."""
        rows = connection.execute(BY_TOKEN, (self._store, hash_token(token))).fetchall()
        versions = [version for *row, _ in rows if (version := read_version(row)).entry.url_token == token]
        return versions, rows[0][-1] if rows else None

    def read_since(
        self, connection: Connection[Any], first: int, last: int, not_from: int, limit: int
    ) -> list[Version]:
        """Return at most ``limit`` versions with sequences from ``first`` to ``last`` that ``not_from`` did not write."""
        return [*map(read_version, connection.execute(_SINCE, (self._store, first, last, not_from, limit)))]

    def write(self, connection: Connection[Any], plan: Plan) -> None:
        """Write what a plan changes of entries and lists of blocks.

        Belongs inside a transaction that has the store's lock, so that no other one adds a key.
        """
        new = [version for key, version in plan.written.items() if key not in plan.known]
        if new:
            with connection.cursor() as cursor, cursor.copy(_ADD) as copy:
                for version in new:
                    copy.write_row((self._store, *_list_columns(version)))
        if len(new) < len(plan.written):
            others = (version for key, version in plan.written.items() if key in plan.known)
            columns = zip(*map(_list_columns, others), strict=True)
            connection.execute(_WRITE, (self._store, *map(list, columns)))
        if plan.handed_out:
            names = [name_key(key) for key in plan.handed_out]
            connection.execute(_HAND_OUT, (names, list(plan.handed_out.values()), self._store))
        if plan.runs:
            self._write_runs(connection, plan.runs)

    def _write_runs(self, connection: Connection[Any], runs: Mapping[int, Sequence[Run]]) -> None:
        rows = [(content, *run) for content, listed in runs.items() for run in listed]
        contents, positions, hashes, counts = map(list, zip(*rows, strict=True))
        connection.execute(
            "INSERT INTO content_blocks SELECT %s, * FROM unnest(%s::bigint[], %s::bigint[], %s::bytea[], %s::bigint[])",
            (self._store, contents, positions, hashes, counts),
        )
        connection.execute(
            "UPDATE blocks SET named = true WHERE store = %s AND hash = ANY(%s) AND NOT named",
            (self._store, list(set(hashes))),
        )

    def drop(self, connection: Connection[Any], plan: Plan, now: int) -> None:
        """Note what a plan leaves behind: lists of blocks for the clean-up, and tokens that lead nowhere any more."""
        if plan.dropped:
            connection.execute(
                "INSERT INTO dropped_contents SELECT %s, content, %s FROM unnest(%s::bigint[]) AS content",
                (self._store, now, plan.dropped),
            )
        ended = [hash_token(entry.url_token) for entry in plan.ended if entry.is_file or parse_record(entry.key)]
        if ended:
            connection.execute(
                "INSERT INTO ended_tokens SELECT %s, token, %s FROM unnest(%s::bytea[]) AS token ON CONFLICT DO NOTHING",
                (self._store, now, list(set(ended))),
            )

    # Writers

    def note_counters(self, connection: Connection[Any], counters: Mapping[int, int]) -> None:
        """Note the greatest counters that writers have pushed, by process id."""
        if counters:
            connection.execute(
                "INSERT INTO devices AS old SELECT %s, process_id, 0, counter, ''"
                " FROM unnest(%s::bigint[], %s::bigint[]) AS new (process_id, counter)"
                " ON CONFLICT (store, process_id) DO UPDATE SET counter = excluded.counter WHERE old.counter < excluded.counter",
                (self._store, [*counters], [*counters.values()]),
            )

    # Lists of blocks

    def list_runs(self, connection: Connection[Any], content: int) -> list[Run]:
        """Return the blocks of a large value, in order."""
        rows = connection.execute(
            "SELECT position, hash, count FROM content_blocks WHERE store = %s AND content = %s ORDER BY position",
            (self._store, content),
        )
        return [Run(*row) for row in rows]


def read_version(row: Sequence[Any]) -> Version:
    """Return the version in a row of ``FIELDS``, ``data`` and ``content``."""
    key, timestamp, counter, process_id, token, size, mode, mod_time, seen, origin, sequence, data, content = row
    entry = Entry(key, timestamp, counter, process_id, token.decode(), size, mode, mod_time, seen, origin)
    return Version(entry, sequence, data, content)


def _list_columns(version: Version) -> tuple[Any, ...]:
    """Return the columns of a row of ``entries`` after the store."""
    entry = version.entry
    return (
        name_key(entry.key),
        *entry[:4],
        entry.url_token.encode(),
        hash_token(entry.url_token),
        *entry[5:],
        version.sequence,
        version.data,
        version.content,
    )
