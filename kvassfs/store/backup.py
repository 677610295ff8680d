"""Copies of the whole database while it is in use, and looking through them."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing

from ..errors import DamagedStore, DiskFull, NotAStore
from ..transfer_errors import BackupDamaged, SourceUnreadable, TargetUnwritable
from .checkup import check_file, open_to_read
from .database import Database
from .lengthy import Report
from .sizes import SIZES, Sizes
from .survey import Contained
from .translation import translate_error

PAGES = 1024
"""Pages that are copied at a time, 4 MiB: afterwards it is told how far the copy is."""

COPY = "copy"
"""The place of a copy, which is none that a store can be at: it gets a process id of its own when it is used."""


def write_backup(database: Database, path: str, report: Report) -> None:
    """Copy the database into the empty file at ``path``, as it is at one moment. Others read and write meanwhile.

    Raises:
        TargetUnwritable: the copy cannot be written.
        StoreError: the database cannot be read.
    """
    page = database.page_size()
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
    """Look through the backup at ``path``, see ``checkup.check_file``.

    Raises:
        BackupDamaged: it could not be restored whole.
        SourceUnreadable, NotAStore, NewerStore
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise SourceUnreadable(path, (error.strerror or str(error)).lower()) from error
    if not stat.S_ISREG(status.st_mode):
        raise SourceUnreadable(path, "it is no regular file")
    try:
        found = check_file(path, full=True, report=report, sizes=sizes)
        if found.kind in {"empty", "original"}:
            raise NotAStore(path)
        for fault in found.faults:
            raise BackupDamaged(path, fault)
        return _count(path, status.st_size)
    except DamagedStore as error:
        raise BackupDamaged(path, error.reason) from error


def _count(path: str, size: int) -> Contained:
    tables = ("entries WHERE size > 0 OR mode & 61440 <> 16384", "revisions", "blocks")
    with closing(open_to_read(path)) as database:
        entries, revisions, blocks = (database.row(f"SELECT count(*) FROM {table}")[0] for table in tables)
    return Contained(entries, revisions, blocks, size)
