"""The database: its file and who may read it, whether it is sound, the disk that it is on."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from ..amounts import format_size
from ..errors import DamagedStore, KvassError
from ..store import Mended, Oddity, Store, User
from ..store.access import find_obstacle
from ..store.checkup import LOOK_SECONDS, Checkup, check_file
from .finding import OK, WARNING, WRONG, Finding, find_error, type_line

SUFFIXES: Final = ("", "-wal", "-shm", "-reserve", ".kvass-go.bak")
"""The files of a database: what is behind its name."""

LITTLE_ROOM: Final = 100_000_000
"""Bytes free on the disk below which that is said."""

NO_ROOM: Final = 5_000_000
"""Bytes free below which values are refused: the reserve, SQLite's log, and a value that is stored twice for a moment."""

LARGE_LOG: Final = 512 * 1024 * 1024
"""Bytes of the write-ahead log that no mount lets it have, unless somebody reads the database all the time."""

MAX_KEYS: Final = 10
"""Keys dated ahead that are named."""

KINDS: Final = {
    "earlier": "of an earlier kvassfs; the next command brings it to this version",
    "original": "of the original kvass; the next command takes it over",
    "empty": "empty",
}


class File(NamedTuple):
    """One file of the database: where, its ``st_mode``, and whether it belongs to this user."""

    path: str
    mode: int
    is_own: bool


class Place(NamedTuple):
    """The database as the file system sees it.

    Attributes:
        path: of the database.
        files: those that are there; none if there is no database yet.
        problem: why it cannot be looked at, or ``""``.
        usable: whether this user may read it.
        obstacle: why this user may only read it, or ``""``.
        extensible: whether this user may make files beside it, as SQLite must.
        free: bytes free on the disk.
        log: bytes of the write-ahead log.
    """

    path: str
    files: tuple[File, ...] = ()
    problem: str = ""
    usable: bool = True
    obstacle: str = ""
    extensible: bool = True
    free: int = 0
    log: int = 0


class Ahead(NamedTuple):
    """A key that is dated ahead, and by how many µs."""

    key: str
    ahead: int


def collect_place(path: str) -> Place:
    """Return what the file system says of the database at ``path``, which is not opened."""
    folder = os.path.dirname(os.path.realpath(path))
    try:
        files = tuple(_collect_files(path))
        disk = os.statvfs(folder)
    except OSError as error:
        return Place(path, problem=(error.strerror or str(error)).lower())
    return Place(
        path,
        files,
        problem="" if not files or stat.S_ISREG(files[0].mode) else "it is no regular file",
        usable=not files or os.access(path, os.R_OK),
        obstacle=find_obstacle(path) if files else "",
        extensible=os.access(folder, os.W_OK | os.X_OK),
        free=disk.f_bavail * disk.f_frsize,
        log=next((os.path.getsize(each.path) for each in files if each.path.endswith("-wal")), 0),
    )


def _collect_files(path: str) -> Iterator[File]:
    try:
        os.stat(path)
    except FileNotFoundError:
        os.stat(os.path.dirname(os.path.realpath(path)))  # that it is missing as well is a problem
        return
    for name in (path + suffix for suffix in SUFFIXES):
        with suppress(FileNotFoundError):
            status = os.stat(name)
            yield File(name, status.st_mode, status.st_uid == os.geteuid() or os.geteuid() == 0)


def judge_place(found: Place) -> Iterator[Finding]:
    """Yield whether there is a database that can be used, and whether there is room."""
    if found.problem:
        yield Finding(
            "database", WRONG, f"{found.path}: {found.problem}", "name another file with --db, or mend the path"
        )
        return
    if not found.files:
        remedy = "`kvass set KEY VALUE`, `kvass mount DIR` or `kvass config key` makes one"
        yield Finding("database", WARNING, f"there is none at {found.path} yet", remedy)
    elif not found.usable:
        yield Finding("database", WRONG, f"this user may not read {found.path}", _own(found.path))
    elif found.obstacle:
        remedy = "to change it, make a copy elsewhere with `kvass backup FILE`, and use that with --db"
        yield Finding("database", WARNING, f"{found.path} can only be read: {found.obstacle}", remedy)
    else:
        yield Finding("database", OK, found.path)
    if not found.obstacle:
        yield _judge_room(found)
    if found.files:
        yield _judge_log(found)


def judge_users(path: str, users: Iterable[User]) -> Iterator[Finding]:
    """Yield the processes that still have another file open, which was the database at ``path`` once."""
    for pid, command, is_stray in users:
        if is_stray:
            text = f"process {pid} ({command}) has a file open that was {path} and was removed or replaced; it saves no more"
            yield Finding("database", WRONG, text, "copy from its mount what only that has, and end it")


def judge_permissions(found: Place) -> Finding:
    """Return who else may read the database; to be asked only of what is one: others' files are to stay as they are."""
    foreign = [file.path for file in found.files if not file.is_own]
    if foreign:
        return Finding("permissions", WARNING, f"{', '.join(foreign)}: another user's", _own(*foreign))
    if not found.extensible and not found.obstacle:
        folder = os.path.dirname(os.path.realpath(found.path))
        remedy = type_line("chmod", "u+rwx", folder)
        return Finding("permissions", WRONG, f"this user may make no files in {folder}, beside the database", remedy)
    open_ones = [file.path for file in found.files if file.mode & 0o077]
    if open_ones:
        text = f"others may read or write {', '.join(open_ones)}: all values, and the encryption key, are in there"
        return Finding("permissions", WARNING, text, type_line("chmod", "go=", *open_ones))
    return Finding("permissions", OK, "this user's alone")


def _own(*paths: str) -> str:
    return type_line("chown", "--", f"{os.geteuid()}:{os.getegid()}", *paths).replace("type:", "type, as root:")


def _judge_room(found: Place) -> Finding:
    text = f"{format_size(found.free)} free"
    if found.free < NO_ROOM:
        return Finding("disk", WRONG, f"only {text}: new values are refused", "make room there; `kvass rm` makes some")
    if found.free < LITTLE_ROOM:
        return Finding("disk", WARNING, f"only {text}", "make room there: a value needs its size twice for a moment")
    return Finding("disk", OK, text)


def _judge_log(found: Place) -> Finding:
    text = f"{format_size(found.log)} in the write-ahead log"
    if found.log > LARGE_LOG:
        remedy = (
            "end what has been reading the database for long, then type: "
            f"{type_line('sqlite3', found.path, 'PRAGMA wal_checkpoint(TRUNCATE)').removeprefix('type: ')}"
        )
        return Finding("log", WARNING, text, remedy)
    return Finding("log", OK, text)


# What is in it


def collect_checkup(
    path: str,
    *,
    full: bool,
    seconds: float = LOOK_SECONDS,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> Checkup | KvassError:
    """Return what a look over the database found, or why there was none; see ``check_file``."""
    try:
        return check_file(path, full=full, seconds=seconds, report=report)
    except KvassError as error:
        return error


def judge_checkup(found: Checkup | KvassError, path: str, *, full: bool) -> Iterator[Finding]:
    """Yield whether the database is sound; what is wrong with it in a line each."""
    if isinstance(found, KvassError):
        yield find_error("integrity", found)
        return
    for fault in found.faults:
        remedy = "type, to save what can be read: kvass doctor --salvage FILE; or restore the database from a backup"
        yield Finding("integrity", WRONG, f"{path}: {fault}", remedy)
    if found.faults:
        return
    if not found.finished:
        text = f"no fault found in {LOOK_SECONDS:g} s, in which not all was looked at"
        yield Finding("integrity", OK, text, "type, for all of it: kvass doctor --full")
    else:
        yield Finding("integrity", OK, "sound, with every block" if full else "no fault found")
    if found.kind in KINDS:
        yield Finding("format", WARNING, KINDS[found.kind])


def is_damaged(found: Checkup | KvassError) -> bool:
    """Return whether a look found something that is lost, perhaps."""
    return bool(found.faults) if isinstance(found, Checkup) else isinstance(found, DamagedStore)


def collect_ahead(store: Store, margin: int) -> list[Ahead]:
    """Return the keys that are dated more than ``margin`` µs ahead, one more than is named."""
    now = store.hub_time.now()
    return [Ahead(key, timestamp - now) for key, timestamp in store.hub_time.find_ahead(margin, MAX_KEYS + 1)]


def judge_ahead(found: list[Ahead]) -> Iterator[Finding]:
    """Yield the keys that are dated ahead, as a wrong clock dated them or what was there before them."""
    for key, ahead in found[:MAX_KEYS]:
        days = ahead // (24 * 3600 * 1_000_000)
        text = (
            f"{key} is dated {days} {'day' if days == 1 else 'days'} ahead: until then it wins over what others write"
        )
        remedy = "set the clock right if it is behind; else keep the value under another key, where it is dated anew"
        yield Finding("dates", WARNING, text, remedy)
    if len(found) > MAX_KEYS:
        remedy = "where the clock is right, keep those values under other keys"
        yield Finding("dates", WARNING, "and more keys are dated ahead", remedy)
    if not found:
        yield Finding("dates", OK, "no key is dated ahead")


def collect_oddities(store: Store) -> list[Oddity]:
    """Return what has numbers that no device takes, one more than is named."""
    return store.numbers.find(MAX_KEYS + 1)


def judge_oddities(found: list[Oddity]) -> Iterator[Finding]:
    """Yield the keys with numbers that no device takes, as programs with faults gave them and earlier versions took them."""
    remedy = type_line("kvass", "doctor", "--repair")
    for key, name, number in found[:MAX_KEYS]:
        text = (
            f"{key}: the {name} of a version, {number}, is out of range"
            if key
            else f"the {name} of the store is {number}"
        )
        yield Finding("numbers", WRONG, f"{text}: others may refuse it", remedy)
    if len(found) > MAX_KEYS:
        yield Finding("numbers", WRONG, "and more keys have such numbers", remedy)
    if not found:
        yield Finding("numbers", OK, "every version can be taken by other devices")


def describe_mended(mended: Mended) -> str:
    """Return what a repair has done."""
    if mended == Mended(0, 0, counts_anew=False):
        return "there was nothing to mend"
    keys, revisions = (
        f"{number} {noun if number == 1 else plural}"
        for number, noun, plural in (
            (mended.keys, "key", "keys"),
            (mended.revisions, "earlier version", "earlier versions"),
        )
    )
    anew = "; the store counts anew, and exchanges everything with its hub and devices once more"
    return f"gave {keys} and {revisions} other numbers, and no value went{anew if mended.counts_anew else ''}"


def judge_room(gives_back: bool, free: int) -> Finding:
    """Return whether what is ``free`` of the database, in bytes, goes back to the disk."""
    if gives_back:
        return Finding(
            "room", OK, f"{format_size(free)} of the database free; what it will not need soon goes back by itself"
        )
    text = f"{format_size(free)} of the database free, which stays with it as it was made by an earlier version"
    return Finding("room", WARNING, text, "type, when there is a moment's time: kvass gc")
