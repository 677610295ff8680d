"""Rows of ``settings``: texts by name, of what the user configured and what little else has no table of its own."""

from __future__ import annotations

import json

from .database import Database

PUSH_FAILURE = "push failure"
"""The row that says why the last push failed."""

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


def read_history(database: Database) -> tuple[int, float] | None:
    """Return how many revisions are to be kept of each key, and for how many days, if the user has said so."""
    text = read_setting(database, HISTORY)
    if text is None:
        return None
    count, days = json.loads(text)
    return int(count), float(days)
