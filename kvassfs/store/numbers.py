"""Numbers that no version can have: finding them in a store, and mending that without losing a value.

Programs of before took whatever number arrived: timestamps in ns, counters of 2**62. No replica of this program takes such a
version from another one any more, so what has one stays where it is, and so does what is written after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..conflict import parse_origin, parse_seen
from ..entry import MAX_COUNTED, MAX_RECEIVED, Entry, next_timestamp
from ..replica import MAX_PROCESS_ID, NOBODY
from .database import Database
from .hub_time import HubTime
from .identity import new_process_id
from .inodes import born_inode
from .peers import Peers
from .rows import COLUMNS, DIRTY, INSERT, NO_WRITER, Row
from .settings import Settings

_ENTRY = ", ".join(Entry._fields)

_SEQUENCES = (
    ("entries", "sequence"),
    ("entries", "appeared"),
    ("entries", "shown"),
    ("revisions", "sequence"),
    ("revisions", "met"),
    ("directories", "appeared"),
)
"""Where sequences of this replica stand, beside its clock."""


class Oddity(NamedTuple):
    """A number that is out of range: which one of a version of ``key``, or where that is ``""`` of the store itself."""

    key: str
    name: str
    number: int


class Mended(NamedTuple):
    """What was mended.

    How many keys have a new version with the value that they had, how many revisions other numbers, and whether the store
    counts anew: then it has another process id, and exchanges everything with its hub.
    """

    keys: int
    revisions: int
    counts_anew: bool


def find_oddity(entry: Entry) -> Oddity | None:
    """Return the first number of a version that is out of range; ``None`` if it has none."""
    named = [*parse_seen(entry.seen), *([parse_origin(entry.origin)] if entry.origin else [])]
    numbers = [
        ("timestamp", entry.timestamp, 0, MAX_RECEIVED),
        *(("counter", counter, 0, MAX_COUNTED) for counter in (entry.counter, *(each.counter for each in named))),
        *(
            ("process id", process_id, NOBODY + 1, MAX_PROCESS_ID)
            for process_id in (entry.process_id, *(each.process_id for each in named))
        ),
    ]
    for name, number, least, greatest in numbers:
        if not least <= number <= greatest:
            return Oddity(entry.key, name, number)
    return None


_MAY_BE_ODD = (
    f"timestamp NOT BETWEEN 0 AND {MAX_RECEIVED} OR counter NOT BETWEEN 0 AND {MAX_COUNTED}"
    f" OR process_id NOT BETWEEN {NOBODY + 1} AND {MAX_PROCESS_ID} OR seen <> '' OR origin IS NOT NULL"
)


class Numbers:
    """Finds and mends numbers that are out of range. ``random(n)`` returns n random bytes."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        peers: Peers,
        hub_time: HubTime,
        random: Callable[[int], bytes],
    ) -> None:
        self._database = database
        self._settings = settings
        self._peers = peers
        self._hub_time = hub_time
        self._random = random
        self._clock = 0

    def find(self, limit: int) -> list[Oddity]:
        """Return what is out of range, ``limit`` at most: of the store itself first, then of keys, each once."""
        clock = self._settings.config().clock
        found = {} if clock <= MAX_COUNTED else {"": Oddity("", "clock", clock)}
        with self._database.snapshot():
            for table in ("entries", "revisions"):
                for fields in self._database.iterate(f"SELECT {_ENTRY} FROM {table} WHERE {_MAY_BE_ODD}"):
                    oddity = find_oddity(Entry(*fields))
                    if oddity is not None and len(found) < limit:
                        found.setdefault(oddity.key, oddity)
        return list(found.values())

    def mend(self) -> Mended:
        """Give what is out of range other numbers, in one transaction.

        A key of which a number is out of range gets a new version of this replica with its value, dated now.
        """
        return self._database.retry_when_full(self._mend)

    def _mend(self) -> Mended:
        config = self._settings.config()
        self._clock = config.clock
        counts_anew = self._has_lost_count()
        if counts_anew:
            self._count_anew()
        if counts_anew or not NOBODY < config.process_id <= MAX_PROCESS_ID:
            self._settings.set_process_id(new_process_id(self._random))
        keys = sum(self._renew(Row._make(row)) for row in self._rows("entries", COLUMNS))
        revisions = sum(self._mend_revision(*row) for row in self._rows("revisions", f"id, replaced, {_ENTRY}"))
        self._forget_counters()
        self._database.execute("UPDATE replica SET clock = ?", (self._clock,))
        return Mended(keys, revisions, counts_anew)

    def _rows(self, table: str, columns: str) -> list[Any]:
        return self._database.rows(f"SELECT {columns} FROM {table} WHERE {_MAY_BE_ODD}")

    # What the store counts

    def _has_lost_count(self) -> bool:
        return self._clock > MAX_COUNTED or any(
            self._database.row(f"SELECT 1 FROM {table} WHERE {column} > ? LIMIT 1", (MAX_COUNTED,))
            for table, column in _SEQUENCES
        )

    def _count_anew(self) -> None:
        """Go on behind the greatest number that was counted; what came after it follows in the same order."""
        numbers = [self._clock, 0] + [
            self._database.only_row(
                f"SELECT ifnull(max({column}), 0) FROM {table} WHERE {column} <= ?", (MAX_COUNTED,)
            )[0]
            for table, column in _SEQUENCES
        ]
        self._clock = max(number for number in numbers if number <= MAX_COUNTED)
        for table, key in (("revisions", "id"), ("entries", "key")):  # the current versions are the newest
            for (name,) in self._database.rows(
                f"SELECT {key} FROM {table} WHERE sequence > ? ORDER BY sequence", (MAX_COUNTED,)
            ):
                self._clock += 1
                self._database.execute(f"UPDATE {table} SET sequence = ? WHERE {key} = ?", (self._clock, name))
        self._follow()
        self._peers.forget_hub()
        self._database.execute("DELETE FROM incarnations")

    def _follow(self) -> None:
        """Give what goes by the sequences of rows those that they have now."""
        self._database.execute(
            "UPDATE entries SET appeared = min(appeared, sequence), shown = min(shown, sequence),"
            " began = iif(began > ?1, NULL, began), inode = iif(inode % 2 = 0 AND inode > 2 * ?1, ?2 * sequence, inode)",
            (MAX_COUNTED, born_inode(1)),
        )
        self._database.execute("UPDATE scratch SET began = NULL WHERE began > ?", (MAX_COUNTED,))
        for table, column in (("revisions", "met"), ("directories", "appeared")):
            self._database.execute(f"UPDATE {table} SET {column} = ? WHERE {column} > ?", (self._clock, MAX_COUNTED))

    def _forget_counters(self) -> None:
        """Forget what was noted of the counters of others where they cannot have counted so far."""
        self._database.execute("UPDATE devices SET counter = 0 WHERE counter > ?", (MAX_COUNTED,))
        self._database.execute("DELETE FROM devices WHERE process_id NOT BETWEEN ? AND ?", (NOBODY + 1, MAX_PROCESS_ID))
        hub = self._peers.hub()
        if max(hub.cursor, hub.told) > MAX_COUNTED:
            self._peers.forget_hub()

    # Versions

    def _renew(self, row: Row) -> bool:
        """Give a key a version of this replica with the value that it has, if a number of it is out of range."""
        if find_oddity(row.entry) is None:
            return False
        known = [time for time in (row.timestamp, row.floor) if time is not None and 0 <= time <= MAX_RECEIVED]
        self._clock += 1
        renewed = row._replace(
            timestamp=next_timestamp(self._hub_time.now(), max(known, default=None)),
            counter=self._clock,
            process_id=self._settings.config().process_id,
            seen=None,
            origin=None,
            sequence=self._clock,
            dirty=DIRTY,
            mtime=row.mtime if row.mtime is not None or row.timestamp not in known else row.timestamp * 1000,
            floor=max(known, default=None) if row.floor is not None else None,
            writer=NO_WRITER,
        )
        self._database.execute(INSERT, renewed)
        return True

    def _mend_revision(self, number: int, replaced: int, *fields: Any) -> bool:
        entry = Entry(*fields)
        if find_oddity(entry) is None:
            return False
        timestamp = entry.timestamp if 0 <= entry.timestamp <= MAX_RECEIVED else min(max(replaced, 0), MAX_RECEIVED)
        counter = entry.counter if 0 <= entry.counter <= MAX_COUNTED else 0
        writer = entry.process_id
        if not NOBODY < writer <= MAX_PROCESS_ID:
            writer = self._settings.config().process_id
        self._database.execute(
            "UPDATE revisions SET timestamp = ?, counter = ?, process_id = ?, seen = NULL, origin = NULL WHERE id = ?",
            (timestamp, counter, writer, number),
        )
        return True
