"""All that a part of the store holds, in the order of the keys, for what copies it elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from ..tuples import NamedTuple
from .database import Database
from .nodes import APPEARED, LIST, Node, node_of

AT_ONCE = 1000
"""Rows that are read at a time."""

_BELOW = "FROM entries INDEXED BY entries_live WHERE live AND key >= ? AND key < ?"

_AFTER_ALL = b""
"""Greater than every text, as SQLite compares (https://sqlite.org/datatype3.html, section 4.1)."""


class Totals(NamedTuple):
    """How many keys have a value, and how many bytes these make up."""

    entries: int
    size: int


class Contained(NamedTuple):
    """What a backup has: entries with a value, revisions, blocks of large values, and its bytes."""

    entries: int
    revisions: int
    blocks: int
    size: int


class Survey:
    """Lists files and directories that have an entry below a prefix, which is empty or ends in ``/``.

    What changes meanwhile may be seen or not: no transaction stays open between two rows.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def rows(self, prefix: str) -> Iterator[Node]:
        """Yield the files, and the own rows of directories, in the order of their keys."""
        first = prefix
        while True:
            rows = self._database.rows(f"{LIST['entries']} LIMIT ?", (first, AT_ONCE))
            for row in rows:
                if not row[0].startswith(prefix):
                    return
                yield node_of(row[:APPEARED])
            if len(rows) < AT_ONCE:
                return
            first = rows[-1][0] + "\0"

    def totals(self, prefix: str) -> Totals:
        """Return how many values there are, and their size."""
        row = self._database.row(f"SELECT count(*), ifnull(sum(size), 0) {_BELOW} AND is_file", _ends(prefix))
        return Totals(*row)

    def long_keys(self, prefix: str, length: int) -> list[str]:
        """Return the keys of at least ``length`` bytes."""
        rows = self._database.rows(
            f"SELECT key {_BELOW} AND length(CAST(key AS BLOB)) >= ? ORDER BY key", (*_ends(prefix), length)
        )
        return [key for (key,) in rows]


def _ends(prefix: str) -> tuple[str, str | bytes]:
    return (prefix, f"{prefix[:-1]}0" if prefix else _AFTER_ALL)
