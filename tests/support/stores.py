"""Stores for tests: clocks to set, small blocks, faults at a chosen statement, and what must always hold."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kvassfs.errors import KvassError
from kvassfs.store import Node, Row, Sizes, Store, Written
from kvassfs.store.database import Database
from kvassfs.store.machine import Machine
from kvassfs.store.translation import translate_error

REGULAR = stat.S_IFREG | 0o600

SECOND = 10**9
"""Clocks count in ns."""

DAY = 24 * 3600 * SECOND

YEAR_2024 = 1_704_067_200 * SECOND


class Clock:
    """A clock that moves by ``step`` ns whenever it is read, and otherwise only by hand.

    ``error`` is by how much it is ahead of the true time.
    """

    def __init__(self, now: int = YEAR_2024, step: int = 1000) -> None:
        self.now = now
        self.step = step
        self.error = 0

    @property
    def true(self) -> int:
        """The true time."""
        return self.now - self.error

    def __call__(self) -> int:
        self.now += self.step
        return self.now

    def advance(self, nanoseconds: int) -> Clock:
        """Let time pass."""
        self.now += nanoseconds
        return self

    def jump(self, nanoseconds: int) -> Clock:
        """Set the clock, rightly or wrongly, while no time passes."""
        self.error += nanoseconds
        return self.advance(nanoseconds)


class ClockMachine(Machine):
    """A system whose uptime goes with a clock, but does not jump with it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.boots = 0

    def read_uptime(self) -> int:
        return (self._clock.true - YEAR_2024) // 1000

    def identify_boot(self) -> str:
        return str(self.boots)


def set_hub_ahead(store: Store, clock: Clock, difference: int) -> None:
    """Have a store, whose clock is ``clock``, know by how many µs the clock of its hub is ahead."""
    offset = clock.now // 1000 - store.hub_time.uptime() + difference
    store.hub_time.note(offset, epoch=store.peers.hub().epoch)


def save(
    store: Store, key: str, value: bytes, *, mode: int = REGULAR, scratch: bool = False, amends: int | None = None
) -> Node:
    """Save a file as the mount does."""
    node = store.tree.file(key)
    new = store.tree.draft()
    new.write(0, value)
    now = store._entries._clock() // 1000
    node = store.tree.save(key, new, Written(mode=mode), scratch=scratch, now=now, amends=amends).node
    new.close()
    return node


def write(store: Store, key: str, written: Written, **options: Any) -> Row:
    """Give a key a new version as the store does; ``options`` are those of ``Entries.write``."""
    return store._entries.write(key, written, old=store._entries.current(key), **{"listing": None, **options})


def read(store: Store, node: Node | None) -> bytes:
    """Read a file as the mount does."""
    assert node is not None
    opened = store.tree.open(node.key)[1]
    try:
        return opened.read(0, node.size + 1)
    finally:
        opened.close()


def revision_values(store: Store, key: str) -> list[bytes]:
    """Return the values of the revisions of a key, newest first."""
    return [
        b"".join(store._contents.read_all(revision.content, revision.entry.size)) for revision in store.revisions(key)
    ]


def rows(store: Store, sql: str, *parameters: Any) -> list[Any]:
    """Return what a statement finds, single columns as plain values."""
    found = store._database.rows(sql, parameters)
    return [row[0] if len(row) == 1 else row for row in found]


def count(store: Store, table: str) -> int:
    """Return the number of rows in a table."""
    return int(rows(store, f"SELECT count(*) FROM {table}")[0])


def is_scratch(key: str) -> bool:
    """Stand in for the patterns: a component that ends in ``~`` is a scratch name."""
    return any(component.endswith("~") for component in key.split("/"))


# Small blocks


SMALL = Sizes(block=64, inline=16, segment=4, memory=3, clean=3, read=96)
"""Small enough for every branch to be reached by a short value."""


# Faults


class Fault:
    """Makes the statement number ``at`` (from 1) and all after it fail, until it is mended."""

    def __init__(self, at: int, code: int = sqlite3.SQLITE_FULL) -> None:
        self.at = at
        self.code = code
        self.seen = 0
        self.statement = ""

    @property
    def struck(self) -> bool:
        """Whether the statement was reached."""
        return self.seen >= self.at

    def __call__(self, sql: str) -> None:
        self.seen += 1
        # A full disk lets a transaction be rolled back.
        if self.seen >= self.at and not sql.startswith("ROLLBACK"):
            self.statement = self.statement or sql
            raise sqlite_error(self.code)


def sqlite_error(code: int) -> sqlite3.OperationalError:
    """Return the error that sqlite3 raises for a result code."""
    error = sqlite3.OperationalError(f"injected, code {code}")
    error.sqlite_errorcode = code
    return error


@contextmanager
def failing(database: Database, fault: Callable[[str], None]) -> Iterator[None]:
    """Call ``fault`` before each statement; what it raises is what SQLite raised."""

    def before(method: Callable[..., Any]) -> Callable[..., Any]:
        def run(sql: str, *arguments: Any) -> Any:
            try:
                fault(sql)
            except sqlite3.Error as error:
                raise translate_error(error, database.path) from error
            return method(sql, *arguments)

        return run

    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "row", "rows", "execute_many"):
            patch.setattr(database, name, before(getattr(database, name)))
        yield


# What must hold


def audit(store: Store) -> None:
    """Check every rule that the schema states, after whatever happened to the store."""
    assert rows(store, "PRAGMA integrity_check") == ["ok"]
    _audit_owners(store)
    _audit_values(store)
    _audit_blocks(store)
    _audit_xattrs(store)
    _audit_directories(store)
    (clock,) = rows(store, "SELECT clock FROM replica")
    assert all(sequence <= clock for sequence in rows(store, "SELECT sequence FROM entries"))


def _audit_directories(store: Store) -> None:
    """Check that nothing is left of directories that are gone, and that what has the mode of one can be one."""
    assert not rows(store, "SELECT prefix FROM directories WHERE prefix NOT LIKE '%/' AND prefix <> ''")
    below = "key >= prefix AND key < substr(prefix, 1, length(prefix) - 1) || '0'"
    assert not rows(
        store,
        f"SELECT prefix FROM directories WHERE prefix <> '' AND NOT EXISTS (SELECT 1 FROM entries WHERE live AND {below})"
        f" AND NOT EXISTS (SELECT 1 FROM scratch WHERE {below})",
    )
    for table in ("entries", "scratch"):
        assert not rows(
            store, f"SELECT key FROM {table} WHERE mode & 61440 = 16384 AND (size > 0 OR key NOT LIKE '%/')"
        )


def _audit_owners(store: Store) -> None:
    owners = Counter(
        rows(
            store,
            "SELECT content FROM entries WHERE content IS NOT NULL UNION ALL SELECT content FROM revisions "
            "UNION ALL SELECT content FROM scratch WHERE content IS NOT NULL",
        )
    )
    assert all(number == 1 for number in owners.values()), f"owned more than once: {owners}"
    there = set(rows(store, "SELECT id FROM contents"))
    assert owners.keys() <= there, f"missing: {owners.keys() - there}"
    dropped = set(rows(store, "SELECT content FROM dropped_contents"))
    assert not owners.keys() & dropped, f"dropped although owned: {owners.keys() & dropped}"
    assert there - owners.keys() <= dropped, f"owned by nothing: {there - owners.keys() - dropped}"
    assert not rows(store, "SELECT key FROM revisions WHERE size = 0 AND winner IS NULL")
    for table in ("entries", "revisions", "scratch"):
        if table != "revisions":
            assert not rows(store, f"SELECT key FROM {table} WHERE (size = 0) <> (content IS NULL)")
        assert not rows(
            store,
            f"SELECT t.key FROM {table} AS t JOIN contents ON contents.id = t.content WHERE contents.size <> t.size",
        )


def _audit_values(store: Store) -> None:
    """Check that every value is complete that something owns or holds; of others, some may be removed already."""
    for content, size, data, holes in store._database.rows(
        "SELECT id, size, data, holes FROM contents"
        " WHERE id NOT IN (SELECT content FROM dropped_contents) OR id IN (SELECT content FROM pins)"
    ):
        if data is not None:
            assert len(data) == size <= store._sizes.inline
            continue
        assert size > store._sizes.inline
        assert holes <= _audit_runs(store, content, size)  # fewer where segments are of an earlier version


def _audit_runs(store: Store, content: int, size: int) -> int:
    """Check that the blocks of a large value are there, and return how many bytes of it are in whole ones of zeros."""
    position = holes = 0
    while position < store._sizes.count(size):
        data, stop = store._contents.read_run(content, position)
        assert {len(data)} == {store._sizes.length(size, at) for at in (position, stop - 1)}
        holes += (stop - position) * len(data) if data == bytes(store._sizes.block) else 0
        position = stop
    assert position == store._sizes.count(size)
    return holes


def _audit_blocks(store: Store) -> None:
    listed = set(rows(store, "SELECT segment FROM content_segments"))
    filled = set(rows(store, "SELECT segment FROM segment_blocks"))
    assert listed == filled, "segments without a value, or without blocks"
    large = set(rows(store, "SELECT id FROM contents WHERE data IS NULL"))
    # The clean-up, whose steps are bounded, may have removed the lists of a value and not yet itself.
    going = set(rows(store, "SELECT content FROM dropped_contents"))
    assert large - going <= set(rows(store, "SELECT content FROM content_segments")) <= large
    there = set(rows(store, "SELECT id FROM blocks"))
    used = set(rows(store, "SELECT block FROM segment_blocks"))
    staged = set(rows(store, "SELECT block FROM staged"))
    received = set(rows(store, "SELECT block FROM received"))
    dropped = set(rows(store, "SELECT block FROM dropped_blocks"))
    assert used <= there, f"blocks missing from values: {used - there}"
    assert staged <= there, f"blocks missing from drafts: {staged - there}"
    assert received <= there, f"blocks missing although they were received: {received - there}"
    known = used | staged | received | dropped
    assert there <= known, f"blocks of nothing: {there - known}"
    for digest, data in store._database.rows("SELECT hash, data FROM blocks"):
        assert hashlib.sha256(data).digest() == digest


def _audit_xattrs(store: Store) -> None:
    """Check that nothing has attributes that is not there."""
    assert not rows(
        store,
        "SELECT key FROM xattrs WHERE NOT directory"
        " AND key NOT IN (SELECT key FROM entries WHERE live UNION ALL SELECT key FROM scratch)",
    )
    assert not rows(store, "SELECT key FROM xattrs WHERE directory AND key NOT IN (SELECT prefix FROM directories)")


def clean_up(store: Store) -> None:
    """Clean until nothing is left to do."""
    for _ in range(10_000):
        if not store.upkeep.clean():
            return
    raise AssertionError("the clean-up does not end")


def free_room(store: Store, size: int, *, below: int = 0) -> None:
    """Have ``size`` bytes of the database be free: a value comes, goes, and is let go of.

    They are ``below`` one of as many bytes that stays, which would have to be moved.
    """
    store.set("passing", os.urandom(size))
    if below:
        store.set("staying", os.urandom(below))
    store.delete("passing")
    store.upkeep.trim(0, 0)
    clean_up(store)
    store.upkeep.checkpoint()


def keep_room(path: Path) -> None:
    """Make a database one that gives no room back, as those of earlier versions are."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA auto_vacuum=NONE")
    connection.execute("VACUUM")
    assert connection.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    connection.close()


def audit_clean(store: Store) -> None:
    """Clean up; nothing may be left that nothing uses. No draft is open any more."""
    audit(store)
    clean_up(store)
    audit(store)
    assert count(store, "staged") == count(store, "pins") == 0
    assert count(store, "dropped_contents") == count(store, "dropped_blocks") == 0


def state(store: Store) -> dict[str, list[Any]]:
    """Return all that a user could notice of a store: entries, revisions, scratch files, directories, attributes, the hub."""
    return {
        "entries": [
            (*row[:8], b"".join(store._contents.read_all(row[8], row[5])), *row[9:])
            for row in store._database.rows(
                "SELECT key, timestamp, counter, process_id, url_token, size, mode, mod_time, content, sequence, dirty, "
                "born, changed, mtime, atime, floor FROM entries ORDER BY key"
            )
        ],
        "revisions": [
            (key, revision.entry, value)
            for key in rows(store, "SELECT DISTINCT key FROM revisions ORDER BY key")
            for revision, value in zip(store.revisions(key), revision_values(store, key), strict=True)
        ],
        "scratch": [
            (*row[:3], b"".join(store._contents.read_all(row[3], row[1])))
            for row in store._database.rows("SELECT key, size, mode, content FROM scratch ORDER BY key")
        ],
        "directories": store._database.rows("SELECT * FROM directories ORDER BY prefix"),
        "xattrs": store._database.rows("SELECT * FROM xattrs ORDER BY key, directory, name"),
        "replica": store._database.rows("SELECT * FROM replica"),
        "hub": store._database.rows("SELECT * FROM hub"),
    }


def contents_of(directory: Path) -> dict[str, bytes]:
    """Return names and bytes of the files in a directory, but of those that only keep room."""
    files = [path for path in directory.iterdir() if path.is_file() and not path.name.endswith("-reserve")]
    return {path.name: path.read_bytes() for path in files}


def error_line(error: KvassError) -> str:
    """Return what the user reads, which must be one line."""
    line = str(error)
    assert line
    assert "\n" not in line
    return line


# Other processes

ROOT = Path(__file__).parents[2]


def start(code: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Run Python code as a process of its own, which sees ``Store`` and ``sys``."""
    script = "import sys\nfrom kvassfs.store import Store\n" + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **{**dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE), **options},
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a process, which must succeed; return what it printed."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def run(code: str, *arguments: object) -> str:
    """Run Python code as a process of its own to its end; return what it printed."""
    return finish(start(code, *arguments))
