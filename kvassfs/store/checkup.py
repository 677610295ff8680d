"""Looking a database over without changing it: what it is, and whether it is sound."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import chain, islice
from typing import NamedTuple

from ..errors import StoreError
from ..store_errors import StoreChanged
from .database import Database
from .lengthy import Report, ignore, looked_after
from .opening import identify
from .prefetch import BLOCK_QUERY, digest
from .reading import TRIES, ReadOnlyDatabase
from .runs import place_run
from .sizes import SIZES, Sizes

SQLITE_VERSION = sqlite3.sqlite_version
"""The version of SQLite that this Python has."""

LOOK_SECONDS = 10.0
"""Seconds that a quick look may take; it reads some gigabytes in that time."""

FAULTS = 10
"""Faults that are told; where there is one, there are often many."""

PATIENCE = 2.0
"""Seconds for which others may keep the database locked."""

_OWNERS = {
    "entries": "the value of",
    "revisions": "the value of an earlier version of",
    "scratch": "the value of the scratch file",
}
"""The tables that have values, and what a fault calls these."""

_LOST_BLOCKS = "SELECT DISTINCT block FROM segment_blocks WHERE block NOT IN (SELECT id FROM blocks) LIMIT ?"


class Checkup(NamedTuple):
    """What was found.

    Attributes:
        kind: what it is: ``"kvassfs"``, ``"earlier"``, ``"original"`` or ``"empty"``.
        faults: in words, ``FAULTS`` at most.
        finished: whether all of it was looked at.
    """

    kind: str
    faults: tuple[str, ...] = ()
    finished: bool = True


def check_file(
    path: str,
    *,
    full: bool = False,
    seconds: float = LOOK_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    report: Report = ignore,
    sizes: Sizes = SIZES,
) -> Checkup:
    """Look over the database at ``path``, which is not changed; ``report`` is told how many bytes have been read.

    A quick look compares no indexes with what they are of, and ends after ``seconds``. A ``full`` one does, reads every
    block and compares it with its hash, and looks whether all values are whole; of a database of an earlier version the
    last is left out, as opening it changes how they are kept.

    Raises:
        StoreError: it cannot be read as a database of this program at all.
    """
    for _ in range(TRIES):
        with suppress(StoreChanged):
            return _check_file(path, full, clock() + seconds, clock, report, sizes)
    raise StoreChanged(path)


def _check_file(
    path: str, full: bool, deadline: float, clock: Callable[[], float], report: Report, sizes: Sizes
) -> Checkup:
    with closing(open_to_read(path)) as database:
        kind = identify(database)
        faults, finished = _check_pages(database, full, deadline, clock, report)
        if full and not faults and kind in {"kvassfs", "earlier"}:
            values = _check_values(database, sizes) if kind == "kvassfs" else iter(())
            faults = list(islice(chain(values, _check_blocks(database, report)), FAULTS))
        return Checkup(kind, tuple(faults), finished)


def open_to_read(path: str) -> Database:
    """Open a database to read it: it is neither made, taken over nor brought to a later version.

    No file is made beside it.
    """
    return ReadOnlyDatabase(path, "it is only looked at", patience=PATIENCE)


def _check_pages(
    database: Database, full: bool, deadline: float, clock: Callable[[], float], report: Report
) -> tuple[list[str], bool]:
    """Have SQLite check its pages; return the faults, and whether it came to the end."""

    def is_late() -> bool:
        report(0, 0)
        return not full and clock() > deadline

    try:
        with looked_after(database, is_late):
            rows = database.rows(f"PRAGMA {'integrity' if full else 'quick'}_check({FAULTS})")
            said = [str(text) for (text,) in rows]
    except StoreError:
        if full or clock() <= deadline:
            raise
        return [], False
    return [" ".join(line.split()) for line in said if line != "ok"], True


def _check_blocks(database: Database, report: Report) -> Iterator[str]:
    """Yield the blocks that are not what their hashes say."""
    size = int(database.row("PRAGMA page_count")[0]) * database.page_size()
    done = 0
    report(done, size)
    for number, hash_, data in database.iterate("SELECT id, hash, data FROM blocks"):
        if digest(data) != hash_:
            yield f"block {number} is not what it was: its hash is another one"
        done += len(data)
        report(min(done, size), size)


def _check_values(database: Database, sizes: Sizes) -> Iterator[str]:
    """Yield what is missing. No check of SQLite's finds it, as it knows nothing of what belongs together here."""
    for (block,) in database.rows(_LOST_BLOCKS, (FAULTS,)):
        yield f"block {block} is missing"
    for table, name in _OWNERS.items():
        for key, size, content, stored, inline in database.iterate(
            f"SELECT key, owner.size, content, contents.size, length(data) FROM {table} AS owner"
            " LEFT JOIN contents ON contents.id = content"
        ):
            if (content is None) != (size == 0) or (content is not None and stored != size):
                yield f"{name} {key} is missing"
            elif content is not None and inline not in {None, size}:
                yield f"{name} {key} is incomplete"
            elif content is not None and inline is None and not has_all_blocks(database, content, size, sizes):
                yield f"a part of {name} {key} is missing"


def has_all_blocks(database: Database, content: int, size: int, sizes: Sizes) -> bool:
    """Return whether each block of a large value is there, with the bytes that it has there."""
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
