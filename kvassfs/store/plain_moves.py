"""Moving many files at once, as far as they are plain: what becomes of them follows from the rows of entries alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from itertools import groupby

from ..errors import KvassError
from ..share_link import LINKS
from .database import Database
from .entries import Entries
from .rows import COLUMNS, KEPT, Row, was_shown
from .settling import is_transient
from .versions import Move

AT_ONCE = 1000
"""Files that are moved at a time: what is known of them takes a few megabytes."""

CACHE = 8 * 1024
"""KiB of the database's pages in memory, while more files than that are moved."""

_CURRENT = f"SELECT {COLUMNS} FROM entries WHERE key BETWEEN ? AND ?"
_LIVE = f"SELECT {COLUMNS} FROM entries INDEXED BY entries_live WHERE live AND key BETWEEN ? AND ?"
_BURDENED = (
    "SELECT key FROM xattrs WHERE key BETWEEN ?1 AND ?2"
    " UNION ALL SELECT key FROM scratch WHERE key BETWEEN ?1 AND ?2"
    " UNION ALL SELECT key FROM revisions INDEXED BY revisions_in_conflict WHERE met IS NOT NULL AND key BETWEEN ?1 AND ?2"
)
_REVISED = "SELECT key FROM revisions WHERE key BETWEEN ? AND ?"


class PlainMoves:
    """Moves files at once, as far as they are plain. ``clock`` returns ns since the epoch."""

    def __init__(self, database: Database, entries: Entries, clock: Callable[[], int]) -> None:
        self._database = database
        self._entries = entries
        self._clock = clock

    def run(
        self,
        names: Sequence[tuple[str, str]],
        move_alone: Callable[[str, str], object],
        *,
        is_scratch: Callable[[str], bool],
        transient: bool,
    ) -> None:
        """Move the entries with these keys to others, one after another; both are in the order of their bytes.

        ``move_alone`` moves one that is not plain. ``is_scratch`` tells the new keys that stay on this machine,
        ``transient`` is as in ``Entries.remove``.
        """
        with self._caching() if len(names) > AT_ONCE else nullcontext():
            for start in range(0, len(names), AT_ONCE):
                part = dict(names[start : start + AT_ONCE])
                plain = self._find_plain(part, is_scratch, transient=transient)
                for together, run in groupby(part, plain.__contains__):
                    if together:
                        self._entries.move_all([plain[old] for old in run], transient=transient)
                    else:
                        for old in run:
                            move_alone(old, part[old])

    @contextmanager
    def _caching(self) -> Iterator[None]:
        """``with`` more pages in memory: tokens are in random places of their index, and each page would be written often."""
        (before,) = self._database.only_row("PRAGMA cache_size")
        self._database.rows(f"PRAGMA cache_size=-{CACHE}")
        try:
            yield
        finally:
            with suppress(KvassError):
                self._database.rows(f"PRAGMA cache_size={before}")

    def _find_plain(
        self, names: dict[str, str], is_scratch: Callable[[str], bool], *, transient: bool
    ) -> dict[str, Move]:
        """Return those of these moves that are plain, by their old keys."""
        olds, news = list(names), list(names.values())
        rows, targets = self._read(_LIVE, olds), self._read(_CURRENT, news)
        now = self._clock() // 1000
        moves = [
            Move(rows[old], new, targets.get(new), transient and is_transient(rows[old], now))
            for old, new in names.items()
            if old in rows and not is_scratch(new)
        ]
        burdened = self._find(_BURDENED, olds) | self._find(_BURDENED, news)
        if any(map(looks_back, moves)):
            revised = self._find(_REVISED, olds) | self._find(_REVISED, news)
            moves = [move for move in moves if not looks_back(move) or revised.isdisjoint(keys_of(move))]
        return {move.row.key: move for move in moves if is_plain(move) and burdened.isdisjoint(keys_of(move))}

    def _read(self, sql: str, keys: list[str]) -> dict[str, Row]:
        """Return the rows of these keys, which are looked for from the first to the last."""
        wanted = set(keys)
        rows = self._database.iterate(sql, (keys[0], keys[-1]))
        return {row[0]: Row._make(row) for row in rows if row[0] in wanted}

    def _find(self, sql: str, keys: list[str]) -> set[str]:
        """Return the keys found from the first of these to the last."""
        return {key for (key,) in self._database.iterate(sql, (keys[0], keys[-1]))}


def keys_of(move: Move) -> tuple[str, str]:
    """Return the keys that change."""
    return move.row.key, move.key


def looks_back(move: Move) -> bool:
    """Return True if revisions have a say: some may go too, or have what the writer has seen, where there are any."""
    missed = move.target is not None and not was_shown(move.target, move.row.began)
    return move.erases or missed


def is_plain(move: Move) -> bool:
    """Return True if a move replaces nothing, and neither key is that of a share link or of a directory to be withdrawn."""
    replaces = move.target is not None and move.target.live
    return not replaces and move.row.dirty != KEPT and not any(key.startswith(LINKS) for key in keys_of(move))
