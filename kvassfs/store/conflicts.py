"""Conflicts as the store finds, keeps and settles them: each is a mark on the revision of the version that lost.

Every method that writes belongs inside a transaction, but for ``forget``.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..conflict import Conflict, find_origin, has_seen, is_conflict, note_seen
from ..entry import Entry, have_same_value
from ..share_link import LINKS
from .contents import Contents
from .database import Database
from .revisions import REVISION, Became, Revision, revision_of
from .rows import Row, was_shown

_OPEN = f"SELECT {REVISION} FROM revisions INDEXED BY revisions_in_conflict WHERE met IS NOT NULL"


class Conflicts:
    """Finds and keeps conflicts."""

    def __init__(self, database: Database, contents: Contents) -> None:
        self._database = database
        self._contents = contents

    # What a writer has seen

    def note_seen(self, key: str, old: Row | None, process_id: int, began: int | None = None) -> str | None:
        """Return what the writer of a new version of ``key``, whose current row is ``old``, has seen of it.

        ``began`` is as in ``Written``. A person who begins after a conflict was found is taken to know it.
        """
        if key.startswith(LINKS):
            return None
        if old is None:
            return ""
        base = old.entry if began is None or was_shown(old, began) else self._find_at(key, began)
        others = [
            find_origin(conflict.entry)
            for conflict in self._open_of(key)
            if began is None or (conflict.met or 0) <= began
        ]
        return note_seen(process_id, base, others)

    def _find_at(self, key: str, clock: int) -> Entry | None:
        """Return the version that a key had when the clock of this replica said so, if it is kept."""
        row = self._database.row(
            f"SELECT {REVISION} FROM revisions WHERE key = ? AND sequence <= ? AND became <> {Became.LOST:d}"
            " ORDER BY id DESC LIMIT 1",
            (key, clock),
        )
        return None if row is None else revision_of(row).entry

    # Finding and settling

    def is_conflict(self, winner: Row, loser: Entry, content: int | None) -> bool:
        """Return True if ``loser``, which has the value ``content``, and the version that wins over it are in conflict."""
        own = winner.process_id == loser.process_id and loser.origin is None  # as of most: what follows takes longer
        if own or winner.seen is None or not is_conflict(winner.entry, loser):
            return False
        return not self._contents.are_equal(winner.content, content) if winner.is_file else True

    def settle(self, row: Row) -> None:
        """Settle the conflicts of a key whose losing versions the writer of its new version has seen, or taken up."""
        if row.origin is not None or row.seen is None:  # it says nothing about the value, or of what was seen
            return
        entry = row.entry
        for revision in self._open_of(row.key):
            if has_seen(entry, revision.entry) or have_same_value(entry, revision.entry):
                self._database.execute("UPDATE revisions SET met = NULL WHERE id = ?", (revision.id,))

    def forget(self, key: str) -> int:
        """Settle all conflicts of a key as they are; return how many there were."""
        with self._database.transaction:
            return self._database.execute(
                "UPDATE revisions SET met = NULL WHERE key = ? AND met IS NOT NULL", (key,)
            ).rowcount

    # Telling

    def _open_of(self, key: str) -> list[Revision]:
        return [revision_of(row) for row in self._database.rows(f"{_OPEN} AND key = ? ORDER BY id DESC", (key,))]

    def open(self, key: str = "") -> Iterator[Conflict]:
        """Yield the conflicts that nobody has settled, in order of their keys; of ``key`` alone if it is given."""
        if key:
            yield from map(_conflict_of, self._open_of(key))
            return
        yield from map(_conflict_of, map(revision_of, self._database.rows(f"{_OPEN} ORDER BY key, id DESC")))

    def count(self) -> int:
        """Return how many conflicts there are that nobody has settled."""
        return int(
            self._database.row("SELECT count(*) FROM revisions INDEXED BY revisions_by_met WHERE met IS NOT NULL")[0]
        )

    def found_since(self, clock: int) -> list[Conflict]:
        """Return the conflicts that were found after the clock of this replica said ``clock``, in that order."""
        rows = self._database.rows(
            f"SELECT {REVISION} FROM revisions INDEXED BY revisions_by_met WHERE met > ? ORDER BY met, id", (clock,)
        )
        return [_conflict_of(revision_of(row)) for row in rows]


def _conflict_of(revision: Revision) -> Conflict:
    return Conflict(revision.entry, revision.number, revision.winner or 0, revision.met or 0)
