"""Copies of the whole database while it is in use, and looking through them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from urllib.parse import quote

from ..errors import DamagedStore, DiskFull, NotAStore
from ..transfer_errors import BackupDamaged, SourceUnreadable, TargetUnwritable
from .database import Database, translate_error
from .opening import identify
from .prefetch import BLOCK_QUERY, digest
from .runs import place_run
from .sizes import SIZES, Sizes
from .survey import Contained

PAGES = 1024
"""Pages that are copied at a time, 4 MiB: afterwards it is told how far the copy is."""

COPY = "copy"
"""The place of a copy, which is none that a store can be at: it gets a process id of its own when it is used."""

Report = Callable[[int, int], None]
"""Is told how many bytes are done, and of how many."""


def write_backup(database: Database, path: str, report: Report) -> None:
    """Copy the database into the empty file at ``path``, as it is at one moment. Others read and write meanwhile.

    Raises:
        TargetUnwritable: the copy cannot be written.
        StoreError: the database cannot be read.
    """
    page = int(database.row("PRAGMA page_size")[0])
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as copy, database.snapshot():
            database.row("SELECT 1 FROM replica")  # from now on, all is read as it is at this moment
            database.connection.backup(
                copy, pages=PAGES, progress=lambda _, left, total: report((total - left) * page, total * page)
            )
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, whatever it is opened with
            copy.execute("UPDATE settings SET value = ? WHERE name = 'place'", (COPY,))
    except sqlite3.Error as error:
        translated = translate_error(error, database.path)
        is_full = isinstance(translated, DiskFull)
        raise (TargetUnwritable(path, "no space left on its disk") if is_full else translated) from error


def check_backup(path: str, report: Report, *, sizes: Sizes = SIZES) -> Contained:
    """Look through the backup at ``path``: SQLite's own check, all blocks by their hashes, and whether values are whole.

    Of one that an earlier version of the program made, the values are not looked at: opening it upgrades it first.

    Raises:
        BackupDamaged: it could not be restored whole.
        SourceUnreadable, NotAStore, NewerStore
    """
    try:
        size = os.stat(path).st_size
    except OSError as error:
        raise SourceUnreadable(path, (error.strerror or str(error)).lower()) from error
    with closing(_open(path)) as connection:
        database = Database(path, connection)
        try:
            kind = identify(database)
            if kind in {"empty", "original"}:
                raise NotAStore(path)
            return _check(database, size, report, sizes, is_current=kind == "kvassfs")
        except DamagedStore as error:
            raise BackupDamaged(path, error.reason) from error


def _open(path: str) -> sqlite3.Connection:
    """Open a file to read it; where no log lies beside it, without the files that a reader makes there."""
    immutable = "" if os.path.exists(f"{path}-wal") else "&immutable=1"
    try:
        return sqlite3.connect(
            f"file:{quote(os.fsencode(os.path.abspath(path)))}?mode=ro{immutable}", uri=True, isolation_level=None
        )
    except sqlite3.Error as error:
        raise translate_error(error, path) from error


def _check(database: Database, size: int, report: Report, sizes: Sizes, *, is_current: bool) -> Contained:
    report(0, size)
    problems = (text for (text,) in database.rows("PRAGMA integrity_check(1)") if text != "ok")
    values = _find_wrong_values(database, sizes) if is_current else iter(())
    for problem in chain(problems, _find_wrong_blocks(database, size, report), values):
        raise DamagedStore(database.path, problem)
    tables = ("entries WHERE size > 0 OR mode & 61440 <> 16384", "revisions", "blocks")
    entries, revisions, blocks = (database.row(f"SELECT count(*) FROM {table}")[0] for table in tables)
    return Contained(entries, revisions, blocks, size)


def _find_wrong_blocks(database: Database, size: int, report: Report) -> Iterator[str]:
    done = 0
    for number, hashed, data in database.iterate("SELECT id, hash, data FROM blocks"):
        if digest(data) != hashed:
            yield f"block {number} has other bytes than those that were stored"
        done += len(data)
        report(min(done, size), size)


def _find_wrong_values(database: Database, sizes: Sizes) -> Iterator[str]:
    owners = " UNION ALL ".join(
        f"SELECT key, size, content FROM {table}" for table in ("entries", "revisions", "scratch")
    )
    for key, size, content, stored, inline in database.iterate(
        f"SELECT key, owners.size, content, contents.size, length(data) FROM ({owners}) AS owners"
        " LEFT JOIN contents ON contents.id = content"
    ):
        if (content is None) != (size == 0) or (content is not None and stored != size):
            yield f"a value of {key!r} is missing"
        elif content is not None and inline not in {None, size}:
            yield f"a value of {key!r} is incomplete"
        elif content is not None and inline is None and not _has_all_blocks(database, content, size, sizes):
            yield f"a part of a value of {key!r} is missing"


def _has_all_blocks(database: Database, content: int, size: int, sizes: Sizes) -> bool:
    query = BLOCK_QUERY.replace("blocks.data", "length(blocks.data)")
    position = 0
    while position < sizes.count(size):
        segment, within = divmod(position, sizes.segment)
        row = database.row(query, (content, content, segment, within))
        positions = range(0) if row is None else place_run(row[:-1], sizes.segment)
        if position not in positions or {row[-1]} != {sizes.length(size, at) for at in (position, positions.stop - 1)}:
            return False
        position = positions.stop
    return position == sizes.count(size)
