"""The blocks of large values of one store: in rows, or in objects of an object store that rows name.

What a database has may be of both kinds, as the object store can be added later. An object that no row names is noted in
``loose_objects`` from before it is put until after it is deleted, so none is ever lost sight of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from ...errors import DamagedStore
from ..errors import ObjectsUnknown
from ..objects import ObjectStore, run_in_parallel
from .database import Session
from .merging import Run

PIECE: Final = 4
"""Blocks of a value that are read at once, into memory."""

NOTED_TIME: Final = 24 * 3600 * 1_000_000
"""Microseconds after which an object is deleted that was noted before it was put, and that no block has named since."""

UPLOAD_TIME: Final = 12 * 3600 * 1_000_000
"""Microseconds for which a block can take an object that was noted: long before the clean-up may have begun to delete it."""


class Blocks:
    """Reads and writes the blocks of one store; ``objects`` is where new ones go, ``None``: into rows.

    ``now`` returns µs since the epoch, ``random(n)`` n random bytes.
    """

    def __init__(
        self,
        session: Session,
        store: UUID,
        objects: ObjectStore | None,
        now: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        self._session = session
        self._store = store
        self._objects = objects
        self._now = now
        self._random = random
        self._address = session.database.address

    @property
    def has_objects(self) -> bool:
        """Whether new blocks go into objects."""
        return self._objects is not None

    def read_lengths(self, connection: Connection[Any], wanted: Sequence[bytes]) -> dict[bytes, int]:
        """Return the lengths of those of the blocks that are there, by hash."""
        if not wanted:
            return {}
        rows = connection.execute(
            "SELECT hash, size FROM blocks WHERE store = %s AND hash = ANY(%s)", (self._store, list(wanted))
        )
        return dict(rows.fetchall())

    # Reading

    def read(self, wanted: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return those of the blocks that are there, by hash. No connection is held while the object store is waited for.

        Raises:
            ObjectsUnreachable, ObjectsUnknown
            DamagedStore: an object is not what was put.
        """
        with self._session.connection() as connection:
            rows = connection.execute(
                "SELECT hash, data, object FROM blocks WHERE store = %s AND hash = ANY(%s)", (self._store, list(wanted))
            ).fetchall()
        found = {hash_: data for hash_, data, name in rows if name is None}
        named = [(hash_, name) for hash_, _, name in rows if name is not None]
        if named:
            found |= zip([hash_ for hash_, _ in named], run_in_parallel(self._get, named), strict=True)
        return found

    def _get(self, named: tuple[bytes, str]) -> bytes:
        hash_, name = named
        if self._objects is None:
            raise ObjectsUnknown(self._address)
        data = self._objects.get(name)
        if data is None or sha256(data).digest() != hash_:
            what = "is missing" if data is None else "is not what was put"
            raise DamagedStore(self._address, f"the object {name} of block {hash_.hex()} {what}")
        return data

    def read_range(self, runs: Sequence[Run], block: int, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes of a value from ``start`` to ``stop``, a block at a time.

        Raises:
            ObjectsUnreachable, ObjectsUnknown
            DamagedStore: a block is missing.
        """
        at = start
        places = _list_places(runs, block, start, stop)
        while some := [place for _, place in zip(range(PIECE), places, strict=False)]:
            found = self.read(list({hash_ for _, hash_ in some}))
            for position, hash_ in some:
                if hash_ not in found:
                    raise DamagedStore(self._address, f"block {hash_.hex()} is missing")
                piece = found[hash_][at - position * block : stop - position * block]
                at = (position + 1) * block
                yield piece

    # Writing

    def upload(self, blocks: Mapping[bytes, bytes | memoryview], check: Callable[[int], None]) -> dict[bytes, str]:
        """Put those of the blocks that are not there yet into objects; return their names, which were noted before.

        Belongs outside of any transaction. ``check`` is called with how many bytes there will be more, before that.
        Blocks that go into rows are left alone.

        Raises:
            ObjectsUnreachable: some may have been put; nothing names them.
        """
        objects = self._objects
        if objects is None or not blocks:
            return {}
        with self._session.connection() as connection:
            known = self.read_lengths(connection, [*blocks])
        names = {hash_: self._random(16).hex() for hash_ in blocks if hash_ not in known}
        if not names:
            return {}
        # By a connection of its own: who holds one waits for no other.
        check(sum(len(blocks[hash_]) for hash_ in names))
        with self._session.connection() as connection:
            connection.execute(
                "INSERT INTO loose_objects SELECT %s, name, %s FROM unnest(%s::text[]) AS name",
                (self._store, self._now() + NOTED_TIME, [*names.values()]),
            )

        def put(named: tuple[bytes, str]) -> None:
            hash_, name = named
            objects.put(name, blocks[hash_])

        run_in_parallel(put, [*names.items()])
        return names

    def add(
        self, connection: Connection[Any], blocks: Mapping[bytes, bytes | memoryview], uploaded: Mapping[bytes, str]
    ) -> int:
        """Store blocks, or note that they have come once more; return the bytes of those that are new.

        Those whose objects were ``uploaded`` name them, others are in their rows. An object whose block has come from
        elsewhere meanwhile stays noted. Belongs inside a transaction that has the store's lock.
        """
        now = self._now()
        known = self.read_lengths(connection, [*blocks])
        new = {hash_: block for hash_, block in blocks.items() if hash_ not in known}
        if known:
            connection.execute(
                "UPDATE blocks SET arrived = %s WHERE store = %s AND hash = ANY(%s)", (now, self._store, [*known])
            )
        if new:
            names = self._take(connection, {hash_: uploaded[hash_] for hash_ in new if hash_ in uploaded}, now)
            with connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO blocks VALUES (%s, %s, %s, %b, %s, %s, false)",
                    [
                        (self._store, hash_, len(block), None if hash_ in names else block, names.get(hash_), now)
                        for hash_, block in new.items()
                    ],
                )
        return sum(map(len, new.values()))

    def _take(self, connection: Connection[Any], names: dict[bytes, str], now: int) -> dict[bytes, str]:
        """Remove the notes of objects that blocks are about to name; return those that can be named.

        A note that is old, or gone, is left: its object is about to be deleted, or has been.
        """
        if not names:
            return {}
        rows = connection.execute(
            "DELETE FROM loose_objects WHERE store = %s AND name = ANY(%s) AND due > %s RETURNING name",
            (self._store, [*names.values()], now + NOTED_TIME - UPLOAD_TIME),
        )
        taken = {name for (name,) in rows}
        return {hash_: name for hash_, name in names.items() if name in taken}


def _list_places(runs: Sequence[Run], block: int, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
    """Yield the position and hash of each block that has some of the bytes from ``start`` to ``stop``."""
    first, end = start // block, -(-stop // block)
    for run in runs:
        for position in range(max(first, run.position), min(end, run.position + run.times)):
            yield position, run.hash
