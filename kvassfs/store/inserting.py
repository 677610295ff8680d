"""Inserting many rows in one statement."""

from __future__ import annotations

from collections.abc import Sequence

from .database import Database


def insert_all(database: Database, into: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows, where ``into`` is the statement up to their values.

    A column that is NULL in all of them is written so: Python takes as long to pass a ``None`` as three numbers.
    """
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    given = [column for column in columns if column.count(None) < len(rows)]
    values = ", ".join("NULL" if column.count(None) == len(rows) else "?" for column in columns)
    database.execute_many(f"{into} VALUES ({values})", zip(*given, strict=True))
