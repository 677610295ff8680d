"""Whether a table has any row, for those that mostly have none and are asked at every change of a key."""

from __future__ import annotations

from .database import Database


class Emptiness:
    """Knows whether ``table`` is empty; a transaction that has found it so does not look again.

    The first column of its key is ``key``.
    """

    def __init__(self, database: Database, table: str) -> None:
        self._database = database
        self._first = f"SELECT 1 FROM {table} WHERE key >= '' LIMIT 1"
        self._found_in = -1  # the number of the transaction that has found no row

    def holds(self) -> bool:
        """Return whether the table is empty."""
        number = self._database.transaction.number
        if self._found_in == number:
            return True
        if self._database.row(self._first) is not None:
            return False
        self._found_in = number
        return True

    def end(self) -> None:
        """Note that a row comes into the table."""
        self._found_in = -1
