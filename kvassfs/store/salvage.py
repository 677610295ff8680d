"""Saving what can be read of a damaged database into a new one, with which its device goes on. The damaged one stays."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import NamedTuple

from ..errors import NotAStore, StoreUnavailable
from .checkup import has_all_blocks
from .creation import list_statements, upgrade
from .database import Database
from .identity import new_process_id
from .lengthy import Report, ignore
from .local import DIRECTORY_MODE
from .pages import Pages, Value
from .prefetch import digest
from .reserve import NoReserve
from .ruins import Ruins, Table
from .schema import APPLICATION_ID, VERSION
from .settings import KEY_BYTES
from .sizes import SIZES, Sizes
from .translation import translate_error

AT_ONCE = 500
"""Rows after which it is told how far it is."""


class Salvage(NamedTuple):
    """What was saved, and what was lost.

    Attributes:
        entries: keys with a value that were saved.
        revisions: earlier versions that were saved.
        lost: keys whose value could not be read, as far as their names could.
        versions: earlier versions that could not be.
        parts: in words, what else is lost.
        pages: damaged pages that belonged to something.
    """

    entries: int
    revisions: int
    lost: tuple[str, ...]
    versions: int
    parts: tuple[str, ...]
    pages: int


def salvage(
    path: str,
    target: str,
    *,
    now: int,
    random: Callable[[int], bytes] = os.urandom,
    report: Report = ignore,
    sizes: Sizes = SIZES,
) -> Salvage:
    """Write all that can be read of the database at ``path`` into the empty file ``target``; ``now`` is in ns.

    With ``""`` as target it is only found out what could be: a temporary database has no name.

    Not for a process that has the database open: closing the file drops its locks.

    Raises:
        NotAStore: nothing of a database of this program is in it.
    """
    try:
        pages = Pages(path)
    except OSError as error:
        raise StoreUnavailable(path, (error.strerror or str(error)).lower()) from error
    try:
        with closing(pages), closing(sqlite3.connect(target, isolation_level=None)) as connection:
            database = Database(target, connection, reserve=NoReserve(target))
            return _Rescue(path, pages, database, random, sizes).run(now, report)
    except sqlite3.Error as error:
        raise translate_error(error, target) from error


class _Rescue:
    def __init__(self, path: str, pages: Pages, target: Database, random: Callable[[int], bytes], sizes: Sizes) -> None:
        self._path = path
        self._pages = pages
        self._ruins = Ruins(pages)
        self._target = target
        self._random = random
        self._sizes = sizes
        self._parts: list[str] = []
        self._lost: set[str] = set()

    def run(self, now: int, report: Report) -> Salvage:
        target = self._target
        target.rows("PRAGMA auto_vacuum=INCREMENTAL")
        target.rows("PRAGMA journal_mode=MEMORY")  # a target that is cut off is thrown away
        target.execute("BEGIN")
        for statement in list_statements(self._ruins.version):
            target.execute(statement)
        if "hub" in self._ruins.tables:
            target.execute("DELETE FROM hub")
        self._copy(report)
        if not any(self._count(table) for table in ("replica", "entries", "contents", "blocks")):
            raise NotAStore(self._path)
        target.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        target.execute(f"PRAGMA user_version = {self._ruins.version}")
        target.execute("COMMIT")
        upgrade(target)
        target.execute("BEGIN")
        self._mend_identity()
        versions = self._drop_incomplete()
        self._name_lost()
        self._mend_links(now)
        if self._lost or self._parts or versions:
            self._forget_exchanges()
        target.execute("COMMIT")
        return Salvage(
            self._count("entries WHERE is_file"),
            self._count("revisions"),
            tuple(sorted(self._lost)),
            versions,
            tuple(self._parts),
            len(self._ruins.bad),
        )

    def _count(self, table: str) -> int:
        return int(self._target.row(f"SELECT count(*) FROM {table}")[0])

    def _copy(self, report: Report) -> None:
        total = self._pages.count * self._pages.size
        for done, (table, row) in enumerate(self._ruins.rows()):
            self._insert(table, row)
            if done % AT_ONCE == 0:
                report(0, total)
        report(total, total)

    def _insert(self, table: Table, row: tuple[Value, ...]) -> None:
        """Save a row; one that is damaged, or that comes twice, is left out."""
        names = [column.name for column in table.columns[: len(row)]]
        if table.name == "blocks" and digest(row[names.index("data")]) != row[names.index("hash")]:  # type: ignore[arg-type]
            return
        marks = ", ".join("?" * len(row))
        try:
            self._target.connection.execute(
                f"INSERT OR IGNORE INTO {table.name} ({', '.join(names)}) VALUES ({marks})", row
            )
        except (sqlite3.IntegrityError, OverflowError, UnicodeEncodeError):
            return

    def _mend_identity(self) -> None:
        """Have the rows that every store has; a place is none, so that the file can be put where the other one is."""
        target = self._target
        target.execute("DELETE FROM settings WHERE name = 'place'")
        target.execute("DELETE FROM sealed_blocks")  # of blocks that are lost, maybe; they are found anew
        clock = f"SELECT max({', '.join(f'(SELECT ifnull(max({name}), 0) FROM entries)' for name in ('sequence', 'counter'))})"
        highest = int(target.row(clock)[0])
        if not self._count("replica"):
            self._parts.append(
                "the encryption key, the process id and the address of the hub; `kvass join` gets them from another device"
            )
            columns = [row[1] for row in target.rows("PRAGMA table_info(replica)")]
            known = {"id": 1, "process_id": new_process_id(self._random), "encryption_key": self._random(KEY_BYTES)}
            known |= {"remote": "", "clock": highest}
            row = tuple(known.get(name, 0) for name in columns)
            target.execute(f"INSERT INTO replica VALUES ({', '.join('?' * len(row))})", row)
        (sequence,) = target.row("SELECT ifnull(max(sequence), 0) FROM entries")
        target.execute("UPDATE replica SET clock = max(clock, ?)", (sequence,))
        if not self._count("hub"):
            self._parts.append("what was known of the hub")
            with closing(sqlite3.connect(":memory:")) as fresh:
                for statement in list_statements(VERSION):
                    fresh.execute(statement)
                row = fresh.execute("SELECT * FROM hub").fetchone()
            target.execute(f"INSERT INTO hub VALUES ({', '.join('?' * len(row))})", row)

    def _drop_incomplete(self) -> int:
        """Remove what has no whole value; return how many earlier versions that were."""
        incomplete = [(content,) for content in self._find_incomplete()]
        self._target.execute("CREATE TEMP TABLE lost (content INTEGER PRIMARY KEY)")
        self._target.execute_many("INSERT INTO lost VALUES (?)", incomplete)
        self._target.execute("DELETE FROM contents WHERE id IN (SELECT content FROM lost)")
        dropped = {}
        for table in ("entries", "scratch", "revisions"):
            gone = f"FROM {table} WHERE size > 0 AND NOT EXISTS (SELECT 1 FROM contents WHERE id = content AND contents.size = {table}.size)"
            dropped[table] = [key for (key,) in self._target.rows(f"SELECT key {gone}")]
            self._target.execute(f"DELETE {gone}")
        self._lost.update(dropped["entries"], dropped["scratch"])
        self._target.execute("DROP TABLE lost")
        return len(dropped["revisions"])

    def _find_incomplete(self) -> Iterable[int]:
        for content, size, inline in self._target.rows("SELECT id, size, length(data) FROM contents"):
            if inline is None:
                if not has_all_blocks(self._target, content, size, self._sizes):
                    yield content
            elif inline != size:
                yield content

    def _name_lost(self) -> None:
        """Find the keys whose entries are gone by the indexes that still name them."""
        named, live = self._ruins.names()
        saved = {key for (key,) in self._target.rows("SELECT key FROM entries")}
        self._lost.update(live - saved)
        rest = named - saved - self._lost
        if rest:
            self._parts.append(
                f"what was known of {len(rest)} keys, deleted ones perhaps: {', '.join(sorted(rest)[:3])}"
            )

        if not self._ruins.has_list:
            self._parts.append("a part of the list of tables, so that keys may be missing that nothing names")

    def _mend_links(self, now: int) -> None:
        """Have what nothing needs any more cleaned up, and the directories above what there is."""
        target = self._target
        used = " UNION ALL ".join(
            f"SELECT content FROM {table} WHERE content IS NOT NULL" for table in ("entries", "revisions", "scratch")
        )
        target.execute("DELETE FROM content_segments WHERE content NOT IN (SELECT id FROM contents)")
        target.execute(f"INSERT OR IGNORE INTO dropped_contents SELECT id FROM contents WHERE id NOT IN ({used})")
        target.execute("DELETE FROM segment_blocks WHERE segment NOT IN (SELECT segment FROM content_segments)")
        target.execute(
            "INSERT OR IGNORE INTO dropped_blocks SELECT id FROM blocks WHERE id NOT IN (SELECT block FROM segment_blocks)"
        )
        prefixes = {prefix for (prefix,) in target.rows("SELECT prefix FROM directories")}
        above = {prefix[: at + 1] for prefix in prefixes for at, letter in enumerate(prefix) if letter == "/"}
        missing = {"", *above} - prefixes
        target.execute_many(
            "INSERT INTO directories (prefix, mode, changed, mtime) VALUES (?, ?, ?, ?)",
            ((prefix, DIRECTORY_MODE, now, now) for prefix in missing),
        )

    def _forget_exchanges(self) -> None:
        """Have all that is missing come again: from the hub, and, where this is one, from the devices."""
        self._target.execute("UPDATE replica SET cursor = 0")
        self._target.execute("DELETE FROM incarnations")
