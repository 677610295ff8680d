"""What is directly below a directory, in the order of the keys and a page at a time, so that it may be any number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from heapq import merge
from operator import itemgetter
from typing import Any

from ..entry import MAX_NUMBER, is_directory_mode
from .database import Database
from .local import Directories, DirectoryRecord
from .nodes import APPEARED, KEY, LIST, SEQUENCE, Child, directory_of_rows, node_of

PAGE = 500
"""Rows that are read at once; between pages nothing of the database is held, and others write to it."""


class _Waiting:
    """A component whose rows may not all have come yet: those of the file, or of the directory, with its name."""

    __slots__ = ("below", "component", "end", "file")

    def __init__(self, component: str) -> None:
        self.component = component
        self.end = component + "0"  # what comes after all that begins with the component and a slash
        self.file: tuple[Any, ...] | None = None
        self.below: tuple[Any, ...] | None = None


class Listing:
    """Lists directories of ``database``, of which ``directories`` has what is local."""

    def __init__(self, database: Database, directories: Directories) -> None:
        self._database = database
        self._directories = directories

    def children(self, prefix: str) -> Iterator[Child]:
        """Yield each component below a directory once: as a file, a directory, or both.

        What is there all the time until the last is yielded is among them; what comes meanwhile is not, as a program that
        makes a file for each that it finds would go on for ever.
        """
        (clock,) = self._database.only_row("SELECT clock FROM replica")
        start = len(prefix)
        scratch = list(self._read("scratch", prefix))
        entries = self._read("entries", prefix, until=clock)
        rows = merge(scratch, entries, key=itemgetter(KEY)) if scratch else entries
        for waiting in group_rows(rows, start):
            node = None if waiting.file is None else node_of(waiting.file[:APPEARED])
            record = None if waiting.below is None else self._describe(prefix + waiting.component, waiting.below, clock)
            if node or record:
                yield Child(waiting.component, node, record)

    def _describe(self, name: str, row: tuple[Any, ...], clock: int) -> DirectoryRecord | None:
        """Return what a directory is, which has the row; ``None`` if it came when the clock said more than that."""
        below = f"{name}/"
        if row[APPEARED] > clock and self._directories.find_appeared(below) > clock:
            return None
        return directory_of_rows(below, row[:APPEARED], self._directories.get(below))

    def siblings(self, prefix: str, beginning: str) -> list[str]:
        """Return the components below ``prefix`` that begin with ``beginning``."""
        start = len(prefix)
        rows = (row for table in LIST for row in self._read(table, prefix + beginning, start))
        return sorted({row[KEY][start:].partition("/")[0] for row in rows})

    def _read(
        self, table: str, beginning: str, start: int | None = None, *, until: int = MAX_NUMBER
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows whose keys begin so, in their order, and one for each directory below.

        What is in such a directory is skipped by a new search behind it, so the cost grows with the answer. Their names end
        at the first slash from ``start`` on, by default behind the beginning. Files that came when the clock said more
        than ``until`` are left out.
        """
        start = len(beginning) if start is None else start
        at: str | None = beginning
        while at is not None:
            page, at = self._read_page(table, at, beginning, start)
            for row in page:
                if row[APPEARED] <= until or row[KEY].find("/", start) >= 0:
                    yield row

    def _read_page(self, table: str, at: str, beginning: str, start: int) -> tuple[list[tuple[Any, ...]], str | None]:
        """Return rows from the key ``at`` on, and from where on there may be others; ``None`` if there are none."""
        page: list[tuple[Any, ...]] = []
        with closing(self._database.iterate(LIST[table], (at,))) as rows:
            for row in rows:
                key: str = row[KEY]
                if not key.startswith(beginning):
                    break
                page.append(row)
                slash = key.find("/", start)
                if slash >= 0:
                    return page, f"{key[:slash]}0"
                if len(page) == PAGE:
                    return page, f"{key}\0"
        return page, None


def group_rows(rows: Iterable[tuple[Any, ...]], start: int) -> Iterator[_Waiting]:
    """Yield the rows of each component, which is what follows ``start`` characters of a key up to a slash.

    ``rows`` are in the order of their keys. Between those of a file and those of the directory with its name others may
    come, as of ``a``, ``a-b`` and ``a/c``; then they begin with its name, so few are waiting at a time.
    """
    stack: list[_Waiting] = []
    for row in rows:
        rest: str = row[KEY][start:]
        component, slash, _ = rest.partition("/")
        if not component and not slash and is_directory_mode(row[2]):
            continue  # the directory's own row is none of its children
        while stack and stack[-1].end <= rest:
            yield stack.pop()
        if not stack or stack[-1].component != component:
            stack.append(_Waiting(component))
        waiting = stack[-1]
        if not slash:
            waiting.file = row
        elif waiting.below is None or not waiting.below[SEQUENCE]:  # rows of entries count before those of scratch
            waiting.below = row
    yield from reversed(stack)
