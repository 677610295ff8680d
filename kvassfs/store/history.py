"""The history of keys: which versions there were, what became of them, and how one comes back."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..entry import Entry, check_key, directory_of, is_text
from ..errors import KeyMissing, RevisionMissing, StoreBusy
from ..share_link import LINKS
from ..tuples import NamedTuple
from .contents import Contents
from .database import Database
from .draft import Draft
from .entries import Entries
from .holds import PIN_TIMEOUT, Holds
from .revisions import REVISION, Became, Revision, Revisions, revision_of
from .rows import COLUMNS, Row, Written
from .values import Snapshot, StoredValue

if TYPE_CHECKING:
    from .views import View

AT_ONCE = 1000
"""Versions that are read at a time, as a reader may be slow."""

_NEXT_KEY = "SELECT key FROM revisions INDEXED BY revisions_by_key WHERE key >= ? ORDER BY key LIMIT 1"

_REMOVED = f"""
    SELECT {REVISION} FROM revisions INDEXED BY revisions_removed WHERE became = {Became.REMOVED:d} AND key {{}} ?
    AND NOT EXISTS (SELECT 1 FROM entries WHERE entries.key = revisions.key AND is_file)
    AND NOT EXISTS (
        SELECT 1 FROM revisions AS later INDEXED BY revisions_by_key
        WHERE later.key = revisions.key AND later.id > revisions.id AND later.became <> {Became.LOST:d})
    ORDER BY key
"""
"""The last values of keys that are removed, as far as they are kept."""

_REMOVED_BELOW = f"""
    SELECT 1 FROM revisions INDEXED BY revisions_removed WHERE became = {Became.REMOVED:d} AND key >= ? AND key < ? LIMIT 1
"""


class Parts(NamedTuple):
    """What history and undo need of a store."""

    database: Database
    contents: Contents
    holds: Holds
    entries: Entries
    revisions: Revisions


class Version(NamedTuple):
    """A version of a key; that of a tombstone says that the key was removed.

    ``number`` names it among those of its key, 0 for a tombstone. ``became`` is ``None`` for the current one; ``replaced``
    is when another one took its place here (µs since the epoch). ``sequence`` is this replica's clock when it got it.
    ``winner`` is the process id whose version it lost to without having been seen; ``is_open``: nobody has settled that.
    """

    number: int
    entry: Entry
    became: int | None
    replaced: int | None
    sequence: int
    winner: int | None = None
    is_open: bool = False


class History:
    """Lists versions, and brings them back."""

    def __init__(self, parts: Parts) -> None:
        self._database, self._contents, self._holds, self._entries, self._revisions = parts

    def versions(self, key: str) -> list[Version]:
        """Return the versions of a key that are here, the newest first; with a tombstone, if the key is removed.

        Raises:
            InvalidKey
            KeyMissing: nothing is known of it.
        """
        with self._database.snapshot():
            return self._versions(key)

    def _versions(self, key: str) -> list[Version]:
        row = self._entries.current(check_key(key))
        found = [_version_of(revision) for revision in self._revisions.of(key)]
        if row is not None and not row.is_directory and (row.live or found):
            number = self._revisions.next_number(key) if row.live else 0
            found.append(Version(number, row.entry, None, None, row.sequence))
        if not found:
            raise KeyMissing(key)
        return sorted(found, key=lambda version: version.entry.order, reverse=True)

    def find(self, key: str, number: int | None = None) -> Version:
        """Return a version of a key: that with ``number``, else the one to go back to: the latest that was replaced.

        Raises:
            InvalidKey, KeyMissing
            RevisionMissing: there is none, or it is not kept any longer.
        """
        with self._database.snapshot():
            return self._find(key, number)

    def _find(self, key: str, number: int | None) -> Version:
        versions = self._versions(key)
        if number is None:
            wanted = [version for version in versions if version.became not in (None, Became.LOST)]
        else:
            wanted = [version for version in versions if version.number == number > 0]
        if not wanted:
            raise RevisionMissing(key, number)
        return wanted[0]

    def get(self, key: str, number: int) -> Snapshot:
        """Return the value of a version.

        Raises:
            InvalidKey, KeyMissing, RevisionMissing
        """
        return Snapshot(self._database, self._contents, self._holds, lambda: self._locate(key, number))

    def _locate(self, key: str, number: int) -> tuple[int | None, int]:
        version = self._find(key, number)
        return self._content_of(version), version.entry.size

    def _content_of(self, version: Version) -> int | None:
        if version.became is None:
            row = self._entries.current(version.entry.key)
            return None if row is None else row.content
        (content,) = self._database.only_row(
            "SELECT content FROM revisions WHERE key = ? AND number = ?", (version.entry.key, version.number)
        )
        return int(content)

    def open(self, key: str, number: int) -> Draft:
        """Return a draft of the value of a version, which is kept until that is closed.

        Raises:
            InvalidKey, KeyMissing, RevisionMissing
        """
        if self.find(key, number).entry.size > self._contents.sizes.inline:
            # What was found may go before it is pinned, so it is found again.
            try:
                with self._database.waiting(PIN_TIMEOUT):
                    return self._database.retry_when_full(lambda: self._open(key, number))
            except StoreBusy:
                return self._open_in_view(key, number)
        with self._database.snapshot():
            return self._open(key, number)

    def _open(self, key: str, number: int, view: View | None = None) -> Draft:
        content, size = self._locate(key, number)
        data = None if content is None else self._contents.read_inline(content)
        return Draft(self._database, self._contents, self._holds, StoredValue.of_row(size, content, data), view)

    def _open_in_view(self, key: str, number: int) -> Draft:
        """Return a draft of the value of a version, which is only read, while nobody can write."""
        from .views import View  # noqa: PLC0415  few need it

        view = View(self._database.path, self._contents.sizes)
        try:
            return self._open(key, number, view)
        except BaseException:
            view.close()
            raise

    def restore(self, key: str, number: int | None = None) -> Version:
        """Make a version, see ``find``, the current one of its key anew; return it as it was.

        It is the same value, so it has the token again that it had.

        Raises:
            InvalidKey, KeyMissing, RevisionMissing
        """
        return self._database.retry_when_full(lambda: self._restore(key, number))

    def _restore(self, key: str, number: int | None) -> Version:
        version = self._find(key, number)
        content = self._content_of(version) if version.became is not None else None
        if content is not None:
            entry = version.entry
            copied = self._contents.copy(content) if entry.size else None
            written = Written(entry.size, copied, entry.mode, entry.url_token)
            old = self._entries.current(key)
            self._entries.write(key, written, old=old, listing=directory_of(key))
        return version

    # By names

    def level(self, prefix: str) -> Iterator[str]:
        """Yield how keys that have earlier versions go on after ``prefix``, up to and with the next ``/``, each once.

        They are in order. What lies further down, and other versions of a key, are skipped by a new search, so the cost
        grows with the answer alone.
        """
        at: str | None = prefix
        while at is not None:
            row = self._database.row(_NEXT_KEY, (at,))
            if row is None or not row[0].startswith(prefix):
                return
            slash = row[0].find("/", len(prefix))
            yield row[0][: slash + 1] if slash >= 0 else row[0]
            at = _behind(row[0], slash)

    def removed(self, prefix: str) -> Iterator[Version]:
        """Yield the last value of each removed key that begins so and has no further ``/``, and one of each directory below.

        Of keys of which that is not kept, as they were empty or went to another key, there is none.
        """
        at: str | None = prefix
        while at is not None:
            rows = self._database.iterate(_REMOVED.format(">="), (at,))
            at = None
            for version in map(_version_of, map(revision_of, rows)):
                key = version.entry.key
                if not key.startswith(prefix):
                    return
                yield version
                slash = key.find("/", len(prefix))
                if slash >= 0:
                    at = _behind(key, slash)
                    break

    def find_removed(self, key: str) -> Version | None:
        """Return the last value of a key, if it is removed and that is kept."""
        row = self._database.row(_REMOVED.format("="), (key,))
        return None if row is None else _version_of(revision_of(row))

    def had_removed(self, prefix: str) -> bool:
        """Whether a key below a directory was removed, as far as history goes, be it there again or not."""
        return self._database.row(_REMOVED_BELOW, (prefix, prefix[:-1] + "0")) is not None

    # Of the whole store

    def lately(self, prefix: str = "") -> Iterator[Version]:
        """Yield the versions of all keys that begin with ``prefix``, those that came here last first.

        What changes meanwhile may be seen or not.
        """
        if prefix:
            found = [*self._rows_with(prefix), *self._revisions_with(prefix)]
            yield from sorted(found, key=lambda version: version.sequence, reverse=True)
            return
        parts = (self._all_rows(), self._all_revisions())
        yield from heapq.merge(*parts, key=lambda version: version.sequence, reverse=True)

    def _all_rows(self) -> Iterator[Version]:
        sql = f"SELECT {COLUMNS} FROM entries INDEXED BY entries_by_sequence WHERE sequence < ? ORDER BY sequence DESC"
        last: tuple[int, ...] = (2**63 - 1,)
        while rows := self._database.rows(f"{sql} LIMIT {AT_ONCE}", last):
            found = [Row._make(row) for row in rows]
            yield from self._describe(found)
            last = (found[-1].sequence,)

    def _all_revisions(self) -> Iterator[Version]:
        sql = (
            f"SELECT {REVISION} FROM revisions INDEXED BY revisions_by_sequence WHERE (sequence, id) < (?, ?)"
            " ORDER BY sequence DESC, id DESC"
        )
        last = (2**63 - 1, 0)
        while rows := self._database.rows(f"{sql} LIMIT {AT_ONCE}", last):
            found = [revision_of(row) for row in rows]
            yield from map(_version_of, found)
            last = (found[-1].sequence, found[-1].id)

    def _rows_with(self, prefix: str) -> Iterator[Version]:
        return self._describe([Row._make(row) for row in self._beginning("entries", COLUMNS, prefix)])

    def _revisions_with(self, prefix: str) -> Iterator[Version]:
        return map(_version_of, map(revision_of, self._beginning("revisions", REVISION, prefix)))

    def _beginning(self, table: str, columns: str, prefix: str) -> Iterator[tuple[object, ...]]:
        """Yield the rows of a table with keys that begin with ``prefix``; those that do are next to each other."""
        if not is_text(prefix):
            return
        for row in self._database.iterate(f"SELECT {columns} FROM {table} WHERE key >= ? ORDER BY key", (prefix,)):
            key = row[0] if table == "entries" else row[1]
            if not key.startswith(prefix):
                return
            yield row

    def _describe(self, rows: list[Row]) -> Iterator[Version]:
        """Yield the versions of rows that a person made: no directory, and nothing of a share link."""
        for row in rows:
            if not row.is_directory and not row.key.startswith(LINKS):
                number = self._revisions.next_number(row.key) if row.live else 0
                yield Version(number, row.entry, None, None, row.sequence)


def _behind(key: str, slash: int) -> str:
    """Return what the first key may begin with that comes after a key, or after the directory that ends at ``slash``."""
    return key[:slash] + "0" if slash >= 0 else key + "\0"  # the character after "/"


def _version_of(revision: Revision) -> Version:
    fate = (revision.became, revision.replaced, revision.sequence, revision.winner)
    return Version(revision.number, revision.entry, *fate, is_open=revision.met is not None)
