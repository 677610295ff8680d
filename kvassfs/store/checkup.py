"""Looking a database over without changing it: what it is, and whether it is sound."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import NamedTuple
from urllib.parse import quote

from ..errors import StoreError
from .database import Database, translate_error
from .opening import identify
from .prefetch import digest

SQLITE_VERSION = sqlite3.sqlite_version
"""The version of SQLite that this Python has."""

LOOK_SECONDS = 10.0
"""Seconds that a quick look may take; it reads some gigabytes in that time."""

FAULTS = 10
"""Faults that are told; where there is one, there are often many."""

PATIENCE = 2.0
"""Seconds for which others may keep the database locked."""

_STEPS = 100_000  # of SQLite's machine between two looks at the clock

_LOST_VALUES = """
SELECT 'the value of ' || key || ' is missing' FROM entries
    WHERE content IS NOT NULL AND content NOT IN (SELECT id FROM contents)
UNION ALL SELECT 'the value of an earlier version of ' || key || ' is missing' FROM revisions
    WHERE content NOT IN (SELECT id FROM contents)
UNION ALL SELECT 'block ' || block || ' is missing' FROM segment_blocks WHERE block NOT IN (SELECT id FROM blocks)
"""
"""What no check of SQLite's finds, as it knows nothing of what belongs together here."""


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
    path: str, *, full: bool = False, seconds: float = LOOK_SECONDS, clock: Callable[[], float] = time.monotonic
) -> Checkup:
    """Look over the database at ``path``, which is not changed.

    A quick look compares no indexes with what they are of, and ends after ``seconds``. A ``full`` one does, and reads
    every block and compares it with its hash.

    Raises:
        StoreError: it cannot be read as a database of this program at all.
    """
    with closing(_open(path)) as database:
        kind = identify(database)
        faults, finished = _check_pages(database, full, clock() + seconds, clock)
        if full and kind == "kvassfs" and not faults:
            faults = list(islice(_check_values(database), FAULTS))
        return Checkup(kind, tuple(faults), finished)


def _open(path: str) -> Database:
    """Open a database to read it: it is neither made, taken over nor brought to a later version."""
    try:
        name = f"file:{quote(os.fsencode(os.path.abspath(path)))}?mode=ro"
        return Database(path, sqlite3.connect(name, uri=True, timeout=PATIENCE, isolation_level=None))
    except sqlite3.Error as error:
        raise translate_error(error, path) from error


def _check_pages(database: Database, full: bool, deadline: float, clock: Callable[[], float]) -> tuple[list[str], bool]:
    """Have SQLite check its pages; return the faults, and whether it came to the end."""
    if not full:
        database.connection.set_progress_handler(lambda: clock() > deadline, _STEPS)
    try:
        said = [str(text) for (text,) in database.rows(f"PRAGMA {'integrity' if full else 'quick'}_check({FAULTS})")]
    except StoreError:
        if full or clock() <= deadline:
            raise
        return [], False
    finally:
        database.connection.set_progress_handler(None, 0)
    return [" ".join(line.split()) for line in said if line != "ok"], True


def _check_values(database: Database) -> Iterator[str]:
    """Yield what is wrong with values: parts that are missing, and blocks that are not what their hashes say."""
    yield from (text for (text,) in database.iterate(_LOST_VALUES))
    for number, hash_, data in database.iterate("SELECT id, hash, data FROM blocks"):
        if digest(data) != hash_:
            yield f"block {number} is not what it was: its hash is another one"
