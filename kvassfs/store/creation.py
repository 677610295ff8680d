"""A new, empty store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from .database import Database
from .identity import new_process_id
from .local import DIRECTORY_MODE
from .machine import Machine
from .schema import APPLICATION_ID, MIGRATIONS, TABLES, VERSION
from .setting_rows import write_setting
from .settings import KEY_BYTES


def initialise(database: Database, clock: Callable[[], int], random: Callable[[int], bytes], machine: Machine) -> None:
    """Fill an empty database, unless another process has done so in the meantime."""
    with database.transaction:
        if database.row("PRAGMA user_version")[0] == VERSION:
            return
        create_tables(database, clock(), machine)
        database.execute("INSERT INTO replica VALUES (1, ?, ?, '', 0, 0)", (new_process_id(random), random(KEY_BYTES)))


def create_tables(database: Database, now: int, machine: Machine) -> None:
    """Make the tables and the root directory, and mark the file as ours, inside a transaction."""
    for statement in list_statements(VERSION):
        database.execute(statement)
    database.execute("INSERT INTO directories VALUES ('', ?, ?, ?, NULL, 0)", (DIRECTORY_MODE, now, now))
    write_setting(database, "place", machine.identify_place(database.path))
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {VERSION}")


def upgrade(database: Database) -> None:
    """Bring a store of an earlier version of the program to this one, unless that is done already."""
    with database.transaction:
        version: int = database.row("PRAGMA user_version")[0]
        for before in range(version, VERSION):
            for statement in _statements(MIGRATIONS[before]):
                database.execute(statement)
        if version < VERSION:
            database.execute(f"PRAGMA user_version = {VERSION}")


def list_statements(version: int) -> Iterator[str]:
    """Yield what makes the tables of a version of the schema."""
    return _statements("".join([TABLES, *(MIGRATIONS[before] for before in range(1, version))]))


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
