"""Taking over a database of the original program.

Its tables: ``entries (key, value, timestamp, pid, counter, urltoken, NeedsToBePushed)``, the last two
missing in early versions, and ``state``, one row of JSON.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from ..entry import MAX_COUNTED, MAX_RECEIVED, Entry, new_token
from ..errors import DamagedStore, DiskFull, StoreUnavailable
from ..replica import MAX_PROCESS_ID, NOBODY
from ..verdict import Verdict, judge
from .contents import Contents
from .creation import create_tables
from .database import Database
from .identity import new_process_id
from .inodes import born_inode
from .machine import Machine
from .privacy import BACKUP_SUFFIX, PRIVATE
from .reserve import FULL
from .rows import INSERT, Row
from .schema import APPLICATION_ID
from .settings import KEY_BYTES
from .sizes import Sizes

COPY_SIZE = 1024 * 1024
"""Bytes copied at a time."""


class _State(NamedTuple):
    """The original's state, in our terms."""

    clock: int
    process_id: int
    encryption_key: bytes
    remote: str
    cursor: int


class _Old(NamedTuple):
    """One entry of the original. Its counter is the sequence and the writer's counter in one."""

    entry: Entry
    dirty: bool
    rowid: int


def take_over(
    database: Database,
    clock: Callable[[], int],
    random: Callable[[int], bytes],
    notice: Callable[[str], None] | None,
    sizes: Sizes,
    machine: Machine,
) -> None:
    """Convert the original's database in one transaction, after making a backup beside it, but for a temporary copy.

    Raises:
        DamagedStore: it holds something that the original does not write. The file is as it was.
    """
    if database.row("PRAGMA journal_mode")[0] == "wal":
        database.rows("PRAGMA journal_mode=DELETE")
    with database.transaction:
        if database.row("PRAGMA application_id")[0] == APPLICATION_ID:
            return
        state = _read_state(database, random)
        try:
            entries, state = _mend_numbers(_read_entries(database, random), state, clock() // 1000, random)
            backup = "" if database.is_copy else _back_up(database.path, random)
            _set_aside(database)
            database.names.secure()  # those of the backup, and of the journal, before more is changed than memory holds
            create_tables(database, clock(), machine)
            _convert(database, state, entries, sizes)
        except (TypeError, OverflowError) as error:
            raise DamagedStore(database.path, f"an entry cannot be read: {error}") from error
    if database.is_copy:
        return
    with suppress(OSError):  # the file of somebody else, who lets us write it
        os.chmod(database.path, 0o600)
    if notice is not None:
        notice(f"took over the database of the original kvass; as it was, it is in {backup}")


def _read_state(database: Database, random: Callable[[int], bytes]) -> _State:
    row = database.row("SELECT state FROM state")
    if row is None or not isinstance(row[0], str | bytes):
        raise DamagedStore(database.path, "its state is missing")
    try:
        state = json.loads(row[0])
        key = bytes.fromhex(state["Key"])
        if len(key) != KEY_BYTES:
            raise ValueError("its encryption key is not 32 bytes long")
        process_id = int(state["Pid"])
        counters = int(state["Counter"]), int(state.get("RemoteCounter", 0))
        if not all(-(2**63) <= counter < 2**63 for counter in counters):
            raise OverflowError("its counters are out of range")
        if not NOBODY < process_id <= MAX_PROCESS_ID:
            process_id = new_process_id(random)
        return _State(
            clock=counters[0],
            process_id=process_id,
            encryption_key=key,
            remote=state.get("RemoteHostname", "").encode().decode(),
            cursor=counters[1],
        )
    except (AttributeError, TypeError, KeyError, ValueError, OverflowError, RecursionError) as error:
        raise DamagedStore(database.path, f"its state cannot be read: {error}") from error


def _read_entries(database: Database, random: Callable[[int], bytes]) -> list[_Old]:
    """Return the newest entry of each key, in the order of their counters."""
    columns = {row[1].lower() for row in database.rows("PRAGMA table_info(entries)")}
    token = "urltoken" if "urltoken" in columns else "NULL"
    dirty = "NeedsToBePushed" if "needstobepushed" in columns else "1"
    newest: dict[str, _Old] = {}
    for row in database.rows(
        "SELECT CAST(key AS TEXT), timestamp, counter, pid, ifnull(length(CAST(value AS BLOB)), 0), "
        f"{token}, {dirty}, rowid FROM entries WHERE key <> ''"
    ):
        key, timestamp, counter, process_id, size, url_token, needs_push, rowid = row
        if not all(isinstance(number, int) for number in (timestamp, counter, process_id)):
            raise TypeError(f"{key!r} has no proper timestamp, counter or process id")
        if url_token is not None and not isinstance(url_token, str):
            raise TypeError(f"{key!r} has no proper token")
        entry = Entry(key, timestamp, counter, process_id, url_token or new_token(random), size)
        before = newest.get(key)
        if judge(before and before.entry, entry, pushed=True) is Verdict.ACCEPT:
            newest[key] = _Old(entry, bool(needs_push), rowid)
    return sorted(newest.values(), key=lambda old: old.entry.counter)


def _mend_numbers(
    entries: list[_Old], state: _State, now: int, random: Callable[[int], bytes]
) -> tuple[list[_Old], _State]:
    """Replace numbers that no hub would take, as the original takes whatever arrives: times by ``now`` (µs).

    Where counters are not what can have been counted, those that can go on behind the others; then what was exchanged
    is not known any more, and neither is who it was that counted.
    """
    counted = [state.clock, state.cursor, *(old.entry.counter for old in entries)]
    if not all(0 <= counter <= MAX_COUNTED for counter in counted):
        state = state._replace(
            clock=max((counter for counter in counted if 0 <= counter <= MAX_COUNTED), default=0),
            process_id=new_process_id(random),
            cursor=0,
        )
    mended = []
    last = max((old.entry.counter for old in entries if old.entry.counter <= MAX_COUNTED), default=0)
    for old in entries:
        _, timestamp, counter, process_id, *_ = old.entry
        if counter > MAX_COUNTED:
            counter = last = last + 1
        timestamp = timestamp if 0 <= timestamp <= MAX_RECEIVED else max(min(timestamp, now), 0)
        process_id = process_id if NOBODY < process_id <= MAX_PROCESS_ID else state.process_id
        entry = old.entry._replace(timestamp=timestamp, counter=max(counter, 0), process_id=process_id)
        mended.append(old._replace(entry=entry))
    return mended, state


def _back_up(path: str, random: Callable[[int], bytes]) -> str:
    """Copy the file beside itself and return where; complete, or not there at all.

    It is a new file, whatever others have put there: no link is followed, and none of their files is written.

    The descriptor from which it is read stays open as long as this process: closing it would drop the locks
    that SQLite holds on the file (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    partial = f"{path}{BACKUP_SUFFIX}.{random(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        original = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with open(os.open(partial, flags, PRIVATE), "wb") as copy:
            while piece := os.read(original, COPY_SIZE):
                copy.write(piece)
            copy.flush()
            os.fsync(copy.fileno())
        backup = _free_name(path + BACKUP_SUFFIX, partial)
        os.replace(partial, backup)
    except OSError as error:
        with suppress(OSError):
            os.unlink(partial)
        if error.errno in FULL:
            raise DiskFull(path) from error
        raise StoreUnavailable(
            path, f"no backup {path}{BACKUP_SUFFIX} can be made: {(error.strerror or '').lower()}"
        ) from error
    return backup


def _free_name(path: str, copy: str) -> str:
    """Return ``path`` as the name for ``copy``, with a number where something else has it already."""
    names = itertools.chain([path], (f"{path}.{number}" for number in itertools.count(2)))
    return next(name for name in names if not os.path.lexists(name) or _same(name, copy))


def _same(one: str, other: str) -> bool:
    """Whether two files hold the same bytes."""
    import filecmp  # noqa: PLC0415  only a take-over needs it

    return os.path.isfile(one) and filecmp.cmp(one, other, shallow=False)


def _set_aside(database: Database) -> None:
    """Give the original's tables other names than those of a store."""
    for table in ("entries", "state"):
        database.execute(f"ALTER TABLE {table} RENAME TO original_{table}")


def _convert(database: Database, state: _State, entries: list[_Old], sizes: Sizes) -> None:
    contents = Contents(database, sizes)
    sequence = 0
    for old in entries:
        entry = old.entry
        # The original gives each entry a counter of its own; make sure that sequences are unique.
        sequence = max(sequence + 1, entry.counter)
        row = Row(
            *entry,
            content=_convert_value(database, contents, old),
            sequence=sequence,
            dirty=int(old.dirty),
            born=0,
            changed=entry.timestamp * 1000,
            mtime=None,
            atime=None,
            writer=0,
            floor=entry.timestamp,
            inode=born_inode(sequence),
            appeared=sequence,
            shown=sequence,
        )
        database.execute(INSERT, row)
    database.execute(
        "INSERT INTO replica VALUES (1, ?, ?, ?, ?, ?)",
        (
            state.process_id,
            state.encryption_key,
            state.remote,
            max(state.clock, sequence),
            state.cursor,
        ),
    )
    for table in ("entries", "state"):
        database.execute(f"DROP TABLE original_{table}")


def _convert_value(database: Database, contents: Contents, old: _Old) -> int | None:
    if old.entry.size == 0:
        return None
    (value,) = database.row("SELECT CAST(value AS BLOB) FROM original_entries WHERE rowid = ?", (old.rowid,))
    return contents.add(value)
