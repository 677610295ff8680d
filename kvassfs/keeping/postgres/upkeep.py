"""Clean-up of stores in PostgreSQL: lists of blocks that nobody reads any more, blocks that no list names, old tokens.

And of the object store: objects that no block names. Their names are never given again, so nothing can come to need one while
it is deleted, and neither lock nor connection is held meanwhile.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from ...store import KEPT_TIME
from ..objects import ObjectStore, run_in_parallel
from .database import Session

READING_TIME: Final = 3600 * 1_000_000
"""Microseconds for which the blocks of a version that was replaced stay, for who reads them; no response lasts longer."""

REMEMBERED: Final = 90 * 24 * 3600 * 1_000_000
"""Microseconds for which it is known that a token has led to something."""

CLAIMED_TIME: Final = 10 * 60 * 1_000_000
"""Microseconds after which objects are deleted again that a process was about to delete, and has not said that they went."""

STEP: Final = 256
"""Rows that one step removes: blocks of 64 MiB."""

OBJECTS: Final = 64
"""Objects that one step deletes."""

LOCK: Final = 0x6B76617374
"""The advisory lock of the process that cleans up."""

_DUE: Final = """
(SELECT store FROM dropped_contents WHERE dropped < %(unread)s ORDER BY dropped LIMIT 1)
UNION ALL (SELECT store FROM blocks WHERE NOT named AND arrived < %(unnamed)s ORDER BY arrived LIMIT 1)
LIMIT 1
"""

_OLD_TOKENS: Final = """
DELETE FROM ended_tokens WHERE (store, token) IN (
    SELECT store, token FROM ended_tokens WHERE ended < %s ORDER BY ended LIMIT %s FOR UPDATE SKIP LOCKED)
"""

_CLAIM_OBJECTS: Final = """
UPDATE loose_objects SET due = %s WHERE (store, name) IN (
    SELECT store, name FROM loose_objects WHERE due <= %s ORDER BY due LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING store, name
"""

_FORGET_OBJECTS: Final = """
DELETE FROM loose_objects WHERE (store, name) IN (SELECT * FROM unnest(%s::uuid[], %s::text[]))
"""


def tidy(session: Session, now: int, objects: ObjectStore | None = None) -> bool:
    """Clean up a little of some store, unless another process does; return whether there is more to do. ``now`` in µs.

    Raises:
        ObjectsUnreachable: what could not be deleted will be later.
    """

    def step(connection: Connection[Any]) -> bool:
        if not _take_turn(connection):
            return False
        due = connection.execute(_DUE, {"unread": now - READING_TIME, "unnamed": now - KEPT_TIME}).fetchone()
        if due is not None:
            tidy_store(connection, due[0], now)
            return True  # another store may be due
        return connection.execute(_OLD_TOKENS, (now - REMEMBERED, STEP)).rowcount == STEP

    more = session.run(step)
    return (objects is not None and _delete_objects(session, objects, now)) or more


def _take_turn(connection: Connection[Any]) -> bool:
    """Take the lock of the process that cleans up, to the end of the transaction; ``False`` if another one has it."""
    row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,)).fetchone()
    return row is not None and bool(row[0])


def _delete_objects(session: Session, objects: ObjectStore, now: int) -> bool:
    """Delete a few of the objects whose time is over, then their notes; return whether there may be more."""

    def claim(connection: Connection[Any]) -> list[tuple[UUID, str]]:
        if not _take_turn(connection):
            return []
        return connection.execute(_CLAIM_OBJECTS, (now + CLAIMED_TIME, now, OBJECTS)).fetchall()

    gone: list[tuple[UUID, str]] = []

    def delete(noted: tuple[UUID, str]) -> None:
        objects.delete(noted[1])
        gone.append(noted)

    claimed = session.run(claim)
    try:
        run_in_parallel(delete, claimed)
    finally:
        if gone:
            with session.connection() as connection:
                connection.execute(_FORGET_OBJECTS, (*map(list, zip(*gone, strict=True)),))
    return len(claimed) == OBJECTS


def let_objects_go(connection: Connection[Any], store: UUID, now: int) -> None:
    """Note all objects that the blocks of a store name as to be deleted; the rows of its blocks are about to go."""
    connection.execute(
        "INSERT INTO loose_objects SELECT store, object, %s FROM blocks WHERE store = %s AND object IS NOT NULL",
        (now + READING_TIME, store),
    )


def tidy_store(connection: Connection[Any], store: UUID, now: int) -> bool:
    """Clean up a little of one store, under its lock; return whether there is more to do. ``now`` in µs."""
    connection.execute("SELECT 1 FROM stores WHERE store = %s FOR UPDATE", (store,))
    lists = _drop_lists(connection, store, now)
    freed = _drop_blocks(connection, store, now)
    if freed:
        connection.execute("UPDATE stores SET bytes = bytes - %s WHERE store = %s", (sum(freed), store))
    return lists or len(freed) == STEP


def _drop_lists(connection: Connection[Any], store: UUID, now: int) -> bool:
    """Remove rows of lists whose time is over, and mark the blocks that no other list names; return whether some may be left."""
    row = connection.execute(
        "SELECT content FROM dropped_contents WHERE store = %s AND dropped < %s LIMIT 1", (store, now - READING_TIME)
    ).fetchone()
    if row is None:
        return False
    removed = connection.execute(
        "DELETE FROM content_blocks WHERE store = %s AND content = %s AND position IN (SELECT position FROM content_blocks"
        " WHERE store = %s AND content = %s ORDER BY position LIMIT %s) RETURNING hash",
        (store, row[0], store, row[0], STEP),
    ).fetchall()
    if len(removed) < STEP:
        connection.execute("DELETE FROM dropped_contents WHERE store = %s AND content = %s", (store, row[0]))
    connection.execute(
        "UPDATE blocks SET named = false WHERE store = %s AND hash = ANY(%s) AND NOT EXISTS ("
        "SELECT 1 FROM content_blocks AS list WHERE list.store = blocks.store AND list.hash = blocks.hash)",
        (store, [hash_ for (hash_,) in removed]),
    )
    return True


def _drop_blocks(connection: Connection[Any], store: UUID, now: int) -> list[int]:
    """Remove blocks that no list names and no device has sent lately, and note their objects; return their sizes."""
    rows = connection.execute(
        "DELETE FROM blocks WHERE store = %s AND NOT named AND hash IN ("
        "SELECT hash FROM blocks WHERE store = %s AND NOT named AND arrived < %s LIMIT %s) RETURNING size, object",
        (store, store, now - KEPT_TIME, STEP),
    ).fetchall()
    if names := [name for _, name in rows if name is not None]:
        connection.execute(
            "INSERT INTO loose_objects SELECT %s, name, %s FROM unnest(%s::text[]) AS name",
            (store, now + READING_TIME, names),
        )
    return [size for size, _ in rows]
