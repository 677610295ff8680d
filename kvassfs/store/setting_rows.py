"""Rows of ``settings``: texts by name, of what the user configured and what little else has no table of its own."""

from __future__ import annotations

from ..kind import Kind
from .database import Database

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import Any

PUSH_FAILURE = "push failure"
"""The row that says why the last push failed."""

SEALED = "sealed"
"""The row that says what the key is, see ``kvassfs.kind.Kind``."""

IS_SEALED = f"EXISTS (SELECT 1 FROM settings WHERE name = '{SEALED}' AND value = '{Kind.DEVICE}')"
"""Whether this is a device of a sealed store, in SQL."""

SEALED_ANEW = "sealed anew"
"""The row that a store has which was sealed here, until its hub was found to have nothing else."""

IS_SEALED_HUB = f"EXISTS (SELECT 1 FROM settings WHERE name = '{SEALED}' AND value = '{Kind.HUB}')"
"""Whether this is the hub of one."""

HISTORY = "history"
"""The row that says how many revisions are kept of each key, and for how many days."""


def read_setting(database: Database, name: str) -> str | None:
    """Return what a row says; ``None`` if it is missing."""
    row = database.row("SELECT value FROM settings WHERE name = ?", (name,))
    return None if row is None else str(row[0])


def write_setting(database: Database, name: str, value: str | None) -> None:
    """Make a row, in place of the one of that name; ``None`` removes that."""
    with database.transaction:
        if value is None:
            database.execute("DELETE FROM settings WHERE name = ?", (name,))
        else:
            database.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))


def read_json(database: Database, name: str) -> Any:
    """Return what a row that ``write_json`` has written says; ``None`` if it is missing."""
    text = read_setting(database, name)
    if text is None:
        return None
    import json  # noqa: PLC0415  few rows are read by a command

    return json.loads(text)


def write_json(database: Database, name: str, value: object) -> None:
    """Make a row, in place of the one of that name, that says what JSON can say; ``None`` removes that."""
    import json  # noqa: PLC0415

    write_setting(database, name, None if value is None else json.dumps(value))


def read_history(database: Database) -> tuple[int, float] | None:
    """Return how many revisions are to be kept of each key, and for how many days, if the user has said so."""
    said = read_json(database, HISTORY)
    return None if said is None else (int(said[0]), float(said[1]))
