"""Which rows a damaged database still has: its pages are assigned to tables, by what leads to them or what is in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from .creation import list_statements
from .pages import INTERIOR_INDEX, LEAF_INDEX, LEAF_TABLE, Cell, Damage, Page, Pages, Value
from .prefetch import digest
from .schema import VERSION

KEPT = (
    "replica",
    "settings",
    "hub",
    "devices",
    "incarnations",
    "blocks",
    "segment_blocks",
    "content_segments",
    "contents",
    "entries",
    "revisions",
    "scratch",
    "directories",
    "directory_inodes",
    "xattrs",
    "own_changes",
)
"""The tables whose rows are worth saving; what others have is of processes that were running."""

NAMED_BY = {"entries_by_sequence": 1, "entries_live": 0, "entries_by_token": 1}
"""Indexes of the entries, and where in their records the key stands."""

_TYPES = {"INTEGER": int, "TEXT": str, "BLOB": bytes}


class Column(NamedTuple):
    """A column as it is stored: ``is_rowid`` if its value is the rowid, and the record has NULL."""

    name: str
    type: type
    is_optional: bool
    is_rowid: bool


class Table(NamedTuple):
    """A table: its columns in the order of its records."""

    name: str
    columns: tuple[Column, ...]
    has_rowid: bool

    def fits(self, cell: Cell) -> bool:
        """Return whether a record can be a row of this table; the last columns, which came later, may be missing."""
        if not 0 < len(cell.values) <= len(self.columns):
            return False
        return all(
            (column.is_rowid or column.is_optional) if value is None else isinstance(value, column.type)
            for column, value in zip(self.columns, cell.values, strict=False)
        )

    def row(self, cell: Cell) -> tuple[Value, ...]:
        """Return the values of a record in the order of the columns, as many as it has."""
        pairs = zip(self.columns, cell.values, strict=False)
        return tuple(cell.rowid if column.is_rowid else value for column, value in pairs)


def describe_tables(version: int) -> dict[str, Table]:
    """Return the tables that are kept, as ``version`` of the schema has them."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in list_statements(version):
            connection.execute(statement)
        return {name: _describe(connection, name) for name in KEPT if _has(connection, name)}


def _has(connection: sqlite3.Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (name,)).fetchone() is not None


def _describe(connection: sqlite3.Connection, name: str) -> Table:
    rows = connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
    (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
    has_rowid = "WITHOUT ROWID" not in sql
    stored = [row for row in rows if row[6] == 0]
    if not has_rowid:
        stored.sort(key=lambda row: row[5] or len(rows) + row[0])
    columns = (
        Column(row[1], _TYPES[row[2]], not row[3], has_rowid and bool(row[5]) and row[2] == "INTEGER") for row in stored
    )
    return Table(name, tuple(columns), has_rowid)


class Ruins:
    """Reads the rows of a database, whatever pages of it are damaged."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self.version = pages.version if 0 < pages.version <= VERSION else VERSION
        self.tables = describe_tables(self.version)
        self._free = pages.list_free()
        self._roots = self._find_roots()
        self._owners: dict[int, str] = {}
        self.bad: set[int] = set()
        """Pages that are part of a table and cannot be read."""
        for name, root in self._roots.items():
            self._assign(name, root)

    def _find_roots(self) -> dict[str, int]:
        """Return where tables and indexes begin, as all pages say that can be of the schema."""
        roots: dict[str, int] = {}
        for number in range(1, self._pages.count + 1):
            if number in self._free:
                continue
            try:
                page = Page(self._pages, number)
            except Damage:
                continue
            if page.kind != LEAF_TABLE:
                continue
            for cell in page.cells():
                match cell.values if cell else ():
                    case ["table" | "index", str(name), str(), int(root), str(sql) | (None as sql)] if root > 1 and (
                        sql is None or sql.startswith("CREATE")
                    ):
                        roots.setdefault(name, root)
        return roots

    def _assign(self, name: str, root: int) -> None:
        """Note which pages are those of a table or index, and which of them are damaged."""
        todo = [root]
        while todo:
            number = todo.pop()
            if number in self._owners or not 1 < number <= self._pages.count:
                continue
            self._owners[number] = name
            try:
                page = Page(self._pages, number)
            except Damage:
                self.bad.add(number)
                continue
            todo += page.children()

    def rows(self) -> Iterator[tuple[Table, tuple[Value, ...]]]:
        """Yield the rows of all tables that are kept."""
        for number in range(1, self._pages.count + 1):
            found = self._read(number)
            if found is None:
                continue
            page, table = found
            for cell in page.cells():
                if cell is None:
                    self.bad.add(number)
                elif table.fits(cell):
                    yield table, table.row(cell)

    def _read(self, number: int) -> tuple[Page, Table] | None:
        name = self._owners.get(number)
        if name is not None and name not in self.tables:
            return None
        try:
            page = Page(self._pages, number)
        except Damage:
            return None
        if name is None and number not in self._free:
            name = self._guess(number, page)
        table = self.tables.get(name or "")
        if table is None or table.has_rowid != (page.kind in {LEAF_TABLE, 5}):
            return None
        return page, table

    def _guess(self, number: int, page: Page) -> str | None:
        """Return the table of a page to which nothing leads: what is above it is damaged."""
        kind, above = self._pages.find_parent(number)
        if self._pages.has_parents and kind not in {0, 1, 5}:
            return None
        seen = set()
        while kind == 5 and above not in seen:
            if (name := self._owners.get(above)) is not None:
                return name
            seen.add(above)
            kind, above = self._pages.find_parent(above)
        if self.is_whole:
            return None
        return self._recognise(page)

    @property
    def is_whole(self) -> bool:
        """Whether all tables were found, and their pages; so that what is left over is of none."""
        return not self.bad and self.has_list

    @property
    def has_list(self) -> bool:
        """Whether the list of tables has all that are kept, and the indexes that name keys."""
        return {*self.tables, *NAMED_BY} <= set(self._roots)

    def _recognise(self, page: Page) -> str | None:
        """Return the one table whose rows these can be."""
        cells = [cell for cell in page.cells() if cell is not None]
        if not cells or page.kind not in {LEAF_INDEX, LEAF_TABLE, INTERIOR_INDEX}:
            return None
        fitting = [
            table.name
            for table in self.tables.values()
            if table.has_rowid == (page.kind == LEAF_TABLE)
            and all(len(cell.values) == len(table.columns) and table.fits(cell) for cell in cells)
        ]
        if "blocks" in fitting:
            return "blocks" if all(_is_block(cell) for cell in cells) else None
        return fitting[0] if len(fitting) == 1 and fitting[0] not in {"settings", "directory_inodes"} else None

    def names(self) -> tuple[set[str], set[str]]:
        """Return the keys that indexes of the entries name: all, and those of which one says that they are there."""
        found: dict[str, set[str]] = {name: set() for name in NAMED_BY}
        for number, name in self._owners.items():
            if name in NAMED_BY and number not in self.bad:
                for cell in Page(self._pages, number).cells():
                    at = NAMED_BY[name]
                    if cell is not None and len(cell.values) > at and isinstance(key := cell.values[at], str):
                        found[name].add(key)
        return set().union(*found.values()), found["entries_live"]


def _is_block(cell: Cell) -> bool:
    *_, hash_, data = cell.values
    return isinstance(data, bytes) and digest(data) == hash_
