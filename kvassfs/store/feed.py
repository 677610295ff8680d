"""The feed of changes: what other open stores have written, for a mount to tell the kernel."""

from __future__ import annotations

from enum import Enum

from ..tuples import NamedTuple
from .database import Database

_NEWEST = "(SELECT ifnull(max(sequence), 0) FROM entries), (SELECT ifnull(max(id), 0) FROM local_changes)"
_ANY_OTHERS = (
    "EXISTS (SELECT 1 FROM entries WHERE sequence > ? AND writer <> ?)"
    " OR EXISTS (SELECT 1 FROM local_changes WHERE id > ? AND writer <> ?)"
)


class Position(NamedTuple):
    """How far a reader of the feed has come: a sequence of the entries, and a number of the local changes."""

    sequence: int
    change: int


class Event(Enum):
    """What became of a file, as far as it is seen."""

    CREATED = "created"
    CHANGED = "changed"
    REMOVED = "removed"


class Seen(NamedTuple):
    """A key whose file came, went, or has another value or mode."""

    key: str
    event: Event
    mode: int | None


class Changes(NamedTuple):
    """What has changed up to ``position``.

    ``seen`` are the keys of files that are entries, of which anybody can see that. ``keys`` are those of entries and
    scratch files, ``prefixes`` those of directories that may have come or gone; a local change of a name that ends in
    ``/`` may be of either, and is in both.
    """

    keys: list[str]
    prefixes: list[str]
    position: Position
    seen: list[Seen]


class Feed:
    """Reads what was written, by whatever process. ``writer`` is the mark of this open store's own changes."""

    def __init__(self, database: Database, writer: int) -> None:
        self._database = database
        self.writer = writer

    def position(self) -> Position:
        """Return the position of the newest change."""
        return Position._make(self._database.only_row(f"SELECT {_NEWEST}"))

    def since(self, position: Position, *, but_by: int) -> Changes:
        """Return what has changed after ``position``, but for the changes that the open store ``but_by`` made.

        Where all are its own, as mostly after saves in a mount, that takes a single statement.
        """
        since = (position.sequence, but_by, position.change, but_by)
        sequence, change, any_others = self._database.only_row(f"SELECT {_NEWEST}, {_ANY_OTHERS}", since)
        if not any_others:
            return Changes([], [], Position(sequence, change), [])
        with self._database.snapshot():
            now = self.position()
            entries = self._database.rows(
                "SELECT key, is_file, mode, appeared, shown FROM entries WHERE sequence > ? AND writer <> ? ORDER BY sequence",
                (position.sequence, but_by),
            )
            changes = self._database.rows(
                "SELECT key FROM local_changes WHERE id > ? AND writer <> ? ORDER BY id", (position.change, but_by)
            )
        noted = [key for (key,) in changes]
        found = [
            (key, _find_event(is_file, *state, since=position.sequence), mode) for key, is_file, mode, *state in entries
        ]
        seen = [Seen(key, event, mode) for key, event, mode in found if event is not None]
        prefixes = [
            key
            for key, is_file, mode, appeared, _ in entries
            if key.endswith("/") and not is_file and (mode is None or appeared > position.sequence)
        ]
        prefixes += [key for key in noted if key.endswith("/")]
        return Changes([key for key, *_ in entries] + noted, prefixes, now, seen)

    def had_directory(self, prefix: str, position: Position) -> bool:
        """Whether there was a directory at ``position`` already, as far as what is there now tells.

        Of one that stays on this machine it tells nothing.
        """
        return bool(
            self._database.only_row(
                "SELECT EXISTS (SELECT 1 FROM entries INDEXED BY entries_live"
                " WHERE live AND key >= ?1 AND key < ?2 AND appeared <= ?3)"
                " OR EXISTS (SELECT 1 FROM directories WHERE prefix = ?1 AND appeared <= ?3)"
                " AND NOT EXISTS (SELECT 1 FROM scratch WHERE key = ?1)",
                (prefix, prefix[:-1] + "0", position.sequence),
            )[0]
        )


def _find_event(is_file: int, appeared: int, shown: int, *, since: int) -> Event | None:
    """Return what became of a file after a sequence, from when it appeared and when it was last seen to change."""
    if shown <= since:
        return None
    if is_file:
        return Event.CREATED if appeared > since else Event.CHANGED
    return Event.REMOVED if appeared <= since else None
