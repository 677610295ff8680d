"""Opening the SQLite file: making it, telling what it holds, and bringing it to this version."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from ..errors import DiskFull, KvassError, NewerStore, NotAStore, StoreUnavailable
from .access import find_obstacle
from .database import LOG_LIMIT, Database
from .profile import BUSY_TIMEOUT, COMMAND, Profile
from .reserve import FULL, RESERVE, Reserve
from .room import Room, prepare_empty
from .schema import APPLICATION_ID, VERSION
from .translation import translate_error
from .waiting import SLICE

_NULL: dict[None, None] = {}
sqlite3.register_adapter(type(None), _NULL.get)
"""``None`` stays what it is. Python 3.11 takes 0.4 µs to find that out each time, and 0.1 to be told: an entry has seven."""

OPENING_ROOM = RESERVE // 4
"""Bytes in reserve that opening takes on a full disk: for the index of a write-ahead log of up to 128 MiB."""

MISSING = "it does not exist (`kvass set` makes one)"
"""Why a database that is not to be made cannot be opened."""


def connect(
    path: str,
    *,
    initialise: Callable[[Database], None],
    take_over: Callable[[Database], None],
    upgrade: Callable[[Database], None],
    profile: Profile = COMMAND,
    create: bool = True,
    alone_if_full: bool = False,
) -> Database:
    """Open the database at ``path``; if it is missing, empty or a remnant of none, ``create`` makes one with mode 0600.

    ``initialise`` fills an empty one, ``take_over`` converts one of the original program, ``upgrade`` one of an
    earlier version of this one.

    On a full disk it takes room in reserve. With ``alone_if_full``, where there is none either, it is opened to read from
    it; as long as it is open, no other process can.

    One that this user may only read is opened for that, see ``ReadOnlyDatabase``: what writes fails.

    Raises:
        StoreUnavailable, NotAStore, NewerStore, DamagedStore, DiskFull: the file is as it was.
    """
    prepare = partial(
        _prepare, initialise=initialise, take_over=take_over, upgrade=upgrade, profile=profile, create=create
    )
    is_there = _is_there(path)
    if not create and not is_there:
        raise StoreUnavailable(path, MISSING)
    if is_there and os.path.isfile(path) and os.access(path, os.R_OK) and (obstacle := find_obstacle(path)):
        return _open_to_read(path, obstacle, take_over, upgrade, profile)
    _ensure_file(path)
    try:
        return _connect_when_full(path, prepare, profile)
    except DiskFull:
        if not alone_if_full:
            raise

    def prepare_alone(database: Database) -> None:
        # Processes share an index of the write-ahead log in a file, for which there is no room; it is in memory then.
        # https://sqlite.org/wal.html#use_of_wal_without_shared_memory
        database.rows("PRAGMA locking_mode=EXCLUSIVE")
        prepare(database)

    return _connect(path, prepare_alone, profile)


def _connect_when_full(path: str, prepare: Callable[[Database], None], profile: Profile) -> Database:
    """Connect; on a full disk with some of the room in reserve, which closing restores."""
    try:
        return _connect(path, prepare, profile)
    except DiskFull:
        reserve = Reserve(path)
        if not reserve.shorten(max(reserve.size() - OPENING_ROOM, 0)):
            raise
    return _connect(path, prepare, profile)


def _connect(path: str, prepare: Callable[[Database], None], profile: Profile) -> Database:
    try:
        connection = sqlite3.connect(
            os.path.abspath(path), timeout=min(_patience(profile), SLICE), isolation_level=None, cached_statements=256
        )
    except sqlite3.Error as error:
        raise translate_error(error, path) from error
    database = Database(path, connection, _patience(profile))
    try:
        database.presence.check_log()
        prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def _open_to_read(
    path: str,
    obstacle: str,
    take_over: Callable[[Database], None],
    upgrade: Callable[[Database], None],
    profile: Profile,
) -> Database:
    """Open what can only be read; of an earlier version, or of the original, a private copy that is brought to this one."""
    from .reading import ReadOnlyDatabase, TemporaryDatabase  # noqa: PLC0415  few need it

    database = ReadOnlyDatabase(path, obstacle, patience=_patience(profile))
    try:
        kind = identify(database)
        if kind == "empty":
            raise StoreUnavailable(path, f"it is empty, and {obstacle}")
        if kind == "kvassfs":
            database.apply(profile)
            return database
        copy = TemporaryDatabase(database, obstacle)
    except BaseException:
        database.close()
        raise
    database.close()
    try:
        (take_over if kind == "original" else upgrade)(copy)
        copy.protect()
    except BaseException:
        copy.close()
        raise
    return copy


def _is_there(path: str) -> bool:
    """Whether there is something at ``path``: a file without content may be a database to come, but is none yet."""
    try:
        status = os.stat(path)
        return status.st_size > 0 or not stat.S_ISREG(status.st_mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreUnavailable(path, (error.strerror or str(error)).lower()) from error


def _ensure_file(path: str) -> None:
    """Make the file if it is missing; refuse what can be no database.

    One that is there is not opened: closing a descriptor of it would drop the locks that other
    connections of this process hold on it. https://sqlite.org/howtocorrupt.html, section 2.2.
    """
    try:
        os.close(os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        return
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno in FULL:
            raise DiskFull(path) from error
        raise StoreUnavailable(path, (error.strerror or str(error)).lower()) from error
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise StoreUnavailable(path, "it is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise StoreUnavailable(path, "it is no regular file")
    if not os.access(path, os.R_OK | os.W_OK):
        raise StoreUnavailable(path, "permission denied")
    if status.st_size == 1:
        # SQLite takes a file of one byte for an empty one.
        raise NotAStore(path)


def _prepare(
    database: Database,
    *,
    initialise: Callable[[Database], None],
    take_over: Callable[[Database], None],
    upgrade: Callable[[Database], None],
    profile: Profile,
    create: bool,
) -> None:
    kind = _identify(database, create=create)
    if kind == "empty":
        with suppress(OSError):  # the file of somebody else, who lets us write it
            os.chmod(database.path, 0o600)
        prepare_empty(database)
    if kind == "original":
        take_over(database)
    database.rows("PRAGMA journal_mode=WAL")
    database.has_log = True
    database.rows("PRAGMA secure_delete=FAST")  # some systems overwrite all that is removed: not to be had when full
    database.rows(f"PRAGMA journal_size_limit={LOG_LIMIT}")
    database.apply(COMMAND._replace(patience=_patience(profile)))
    if kind == "empty":
        initialise(database)
    elif kind == "earlier":
        upgrade(database)
    if kind in {"earlier", "original"}:
        with suppress(KvassError):  # what there is to be done is done
            Room(database).rewrite_small()
    if profile is not COMMAND:
        database.apply(profile)
    database.presence.begin(for_long=profile is not COMMAND)


def _identify(database: Database, *, create: bool) -> str:
    """Return what ``identify`` does; what a power cut left where one was being made is missing, or empty to ``create`` one."""
    try:
        return identify(database)
    except NotAStore:
        from .remnant import clear_remnant, is_remnant  # noqa: PLC0415  few need it

        if create:
            clear_remnant(database)
        elif is_remnant(database):
            raise StoreUnavailable(database.path, MISSING) from None
    return identify(database)


def _patience(profile: Profile) -> float:
    """Return for how many seconds opening waits for others; it does so even where nothing does afterwards."""
    return profile.patience or BUSY_TIMEOUT


def is_store(path: str) -> bool:
    """Return whether the file is a database of this program, as far as can be seen without opening it as one.

    Its header says so (https://sqlite.org/fileformat.html#application_id), which for a new one may still be in the
    write-ahead log; the original program has none. Not for a process that has the database open: closing the file
    drops its locks (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    try:
        with open(path, "rb") as file:
            return file.read(72)[68:] == APPLICATION_ID.to_bytes(4, "big") or os.path.exists(f"{path}-wal")
    except OSError:
        return False


def identify(database: Database) -> str:
    """Return ``"kvassfs"``, ``"earlier"`` (of this program), ``"original"`` or ``"empty"``.

    Raises:
        NotAStore, NewerStore: it is something else.
    """
    # All from one moment: another process may be making or taking over the store.
    with database.snapshot():
        application_id = database.row("PRAGMA application_id")[0]
        version = database.row("PRAGMA user_version")[0]
        tables = {name for (name,) in database.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if application_id == APPLICATION_ID:
        if version > VERSION:
            raise NewerStore(database.path, version)
        return "kvassfs" if version == VERSION else "earlier"
    if application_id == 0 and version == 0:
        if not tables:
            return "empty"
        if {"entries", "state"} <= tables:
            return "original"
    raise NotAStore(database.path)
