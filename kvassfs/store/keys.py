"""Listing the keys that are there."""

from __future__ import annotations

from collections.abc import Iterator

from ..entry import Entry, is_text
from .schema import LISTED

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Readable(Protocol):
        """A database, or one that is only glanced at."""

        def row(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
            """Return the first row, or ``None``."""

        def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
            """Return all rows."""


MOST_KEYS = 4096
"""Keys that are listed at a time."""

_ALL = "TRUE"

_KEY = "key"
_ENTRY = "key, timestamp, counter, process_id, url_token, size, mode, mod_time"


class Keys:
    """Lists keys, in the order of their UTF-8 bytes.

    What changes meanwhile may be seen or not; so the write-ahead log need not be kept for a reader that is slow.
    """

    def __init__(self, database: Readable) -> None:
        self._database = database

    def listed(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with ``prefix``, empty files among them."""
        for (key,) in self._from(prefix, LISTED, _KEY):
            if not key.startswith(prefix):
                return
            yield key

    def entries(self, prefix: str) -> Iterator[Entry]:
        """Yield the entries of the keys that ``listed`` yields."""
        for row in self._from(prefix, LISTED, _ENTRY):
            if not row[0].startswith(prefix):
                return
            yield Entry(*row)

    def count(self) -> int:
        """Return how many keys there are, empty files among them."""
        row = self._database.row(f"SELECT count(*) FROM entries INDEXED BY entries_live WHERE live AND {LISTED}")
        return int(row[0])

    def level(self, prefix: str, *, directories: bool) -> Iterator[str]:
        """Yield how keys that begin with ``prefix`` go on, up to and with the next ``/``, each once.

        The keys that lie further down are skipped by a new search, so the cost grows with the answer alone. With
        ``directories`` also those of directories in which nothing is.
        """
        start: str | None = prefix
        while start is not None:
            rows, start = self._from(start, _ALL if directories else LISTED, _KEY), None
            for (key,) in rows:
                if not key.startswith(prefix):
                    return
                if key == prefix and directories and not self._is_file(key):
                    continue
                slash = key.find("/", len(prefix))
                yield key[: slash + 1] if slash >= 0 else key
                if slash >= 0:
                    start = key[:slash] + "0"  # the character after "/"
                    break

    def _is_file(self, key: str) -> bool:
        return self._database.row("SELECT 1 FROM entries WHERE key = ? AND is_file", (key,)) is not None

    def _from(self, first: str, kind: str, columns: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows from the key ``first`` on; ``columns`` begin with the key."""
        count = 1  # mostly of little use to a level, and then more and more
        while is_text(first):  # no key can begin with what is none
            rows = self._database.rows(
                f"SELECT {columns} FROM entries INDEXED BY entries_live WHERE live AND key >= ? AND {kind}"
                " ORDER BY key LIMIT ?",
                (first, count),
            )
            yield from rows
            if len(rows) < count:
                return
            first = rows[-1][0] + "\0"
            count = min(2 * count, MOST_KEYS)
