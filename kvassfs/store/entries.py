"""The current version of every key, and the one way in which it changes.

Every method that writes belongs inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..clocks import clamp_time
from ..conflict import find_origin, note_seen
from ..entry import Entry, new_token, next_timestamp
from ..share_link import RESERVED
from ..store_errors import SealedHub
from .conflicts import Conflicts
from .contents import Contents
from .database import Database
from .hub_time import HubTime
from .journal import Journal
from .local import DIRECTORY_MODE, DirectoryRecord
from .local_parts import LocalParts
from .own_changes import OwnChanges
from .revisions import Became, Met, Revisions
from .rows import (
    DIRTY,
    HELD,
    INSERT,
    KEPT,
    NO_WRITER,
    SELECT,
    SELECT_BELOW,
    SELECT_KEYS_BELOW,
    SELECT_MANY,
    Row,
    Written,
    fill,
    find_predecessor,
    find_shown,
)
from .setting_rows import IS_SEALED_HUB
from .settling import is_transient, state_after_write
from .versions import Move, Stamp, make_tombstone, make_version, plan_moves
from .xattrs import Bearer

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import ClassVar


_REPLICA = f"SELECT clock, process_id, {IS_SEALED_HUB} FROM replica"


class Fate:
    """What becomes of the value of a version that is replaced. No ``Enum``, which takes long to load."""

    KEEP: ClassVar[Fate]
    DROP: ClassVar[Fate]
    MOVE: ClassVar[Fate]

    def __init__(self, meaning: str) -> None:
        self.meaning = meaning


Fate.KEEP = Fate("it is a revision from now on")
Fate.DROP = Fate("nobody has seen it: the new version completes it")
Fate.MOVE = Fate("it lives on: in the new version, or under another key")


class Entries:
    """Reads rows of ``entries`` and writes new versions.

    ``writer`` marks what this open store writes, ``clock`` returns ns since the epoch, ``random(n)`` n random bytes.
    """

    def __init__(
        self,
        database: Database,
        contents: Contents,
        revisions: Revisions,
        local: LocalParts,
        journal: Journal,
        changes: OwnChanges,
        conflicts: Conflicts,
        hub_time: HubTime,
        *,
        writer: int,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        self._database = database
        self._contents = contents
        self._revisions = revisions
        self._directories, self._scratch = local.directories, local.scratch
        self._xattrs = local.xattrs
        self._journal = journal
        self._changes = changes
        self._conflicts = conflicts
        self._hub_time = hub_time
        self.writer = writer
        self._clock = clock
        self._random = random

    # Reading

    def current(self, key: str) -> Row | None:
        """Return the current row of a key, a tombstone included."""
        row = self._database.row(SELECT, (key,))
        return None if row is None else Row._make(row)

    def file(self, key: str) -> Row | None:
        """Return the current row of a key that has a value."""
        row = self.current(key)
        return row if row is not None and row.is_file else None

    def current_ones(self, keys: Sequence[str]) -> dict[str, Row]:
        """Return the current rows of at most ``AT_ONCE`` keys, as far as they have one, by their keys."""
        if len(keys) == 1:  # one save, mostly
            row = self.current(keys[0])
            return {} if row is None else {row.key: row}
        return {row.key: row for row in map(Row._make, self._database.rows(SELECT_MANY, fill(keys)))}

    def below(self, prefix: str) -> list[Row]:
        """Return the live rows whose keys begin with ``prefix``, which ends in ``/``."""
        return [Row._make(row) for row in self._database.rows(SELECT_BELOW, (prefix, prefix[:-1] + "0"))]

    def keys_below(self, prefix: str) -> list[str]:
        """Return the keys of these rows, in the order of their bytes."""
        return [key for (key,) in self._database.rows(SELECT_KEYS_BELOW, (prefix, prefix[:-1] + "0"))]

    # The one way in which a key changes

    def install(self, row: Row, old: Row | None, fate: Fate, now: int, listing: str | None) -> None:
        """Make ``row`` the current version of its key, in place of ``old``, at ``now`` (ns).

        What hangs on it stays right: the value of ``old`` goes where ``fate`` says, a key that comes into being
        replaces the scratch file of its name, the extended attributes of one that goes go too, and when it comes or goes
        so do the directory ``listing`` that lists it, or its times; that is ``None`` where the caller sees to it.
        Of the entry of a directory that goes, it is that directory.
        """
        was_live = False
        if old is not None:
            was_live = old.live
            if fate is Fate.KEEP:
                became = Became.REPLACED if row.is_file else Became.REMOVED
                self._revisions.retire(
                    old, now // 1000, became, self.find_conflict(row, old.entry, old.content, row.sequence)
                )
            elif fate is Fate.DROP:
                self._contents.drop(old.content)
            self._conflicts.settle(row)
        self._database.execute(INSERT, row)
        if row.key.endswith("/"):
            self._hand_over(row, old, now)
        is_live = row.live
        if is_live is was_live:
            return
        if is_live:
            self._scratch.drop(row.key)
        else:
            self._xattrs.drop(Bearer(row.key))
        if listing is not None:
            self._directories.touch(listing if is_live else self._directories.leave(listing), now)

    def install_new(self, rows: Sequence[Row]) -> None:
        """Do as ``install`` for keys that have no row yet and do not end in ``/``, where the caller sees to directories."""
        self._database.execute_many(INSERT, rows)
        for row in rows:
            if row.live:
                self._scratch.drop(row.key)

    def find_conflict(self, winner: Row, loser: Entry, content: int | None, clock: int) -> Met | None:
        """Return the conflict that a version which loses is in, found when the clock said so; ``None`` if there is none."""
        return Met(winner.process_id, clock) if self._conflicts.is_conflict(winner, loser, content) else None

    def _hand_over(self, row: Row, old: Row | None, now: int) -> None:
        """Have what is local about the directory of a key that ends in ``/`` follow a new version of that key.

        Its versions are entries of the directory, values, and neither. While a value lives there, the mode is local.
        """
        entry = old if old is not None and old.is_directory else None
        if row.is_directory and entry is None:
            mtime = clamp_time(row.timestamp * 1000) if row.mtime is None else row.mtime
            self._directories.add(row.key, DirectoryRecord(DIRECTORY_MODE, row.changed, mtime, row.atime))
            self._directories.set_mode(row.key, DIRECTORY_MODE)
        # A version with the same mode has a time that was given, maybe once more.
        is_given = entry is None or entry.mod_time != row.mod_time or entry.mode == row.mode
        if row.is_directory and row.mod_time is not None and is_given:
            self._directories.set_mtime(row.key, row.mod_time, now)
        if row.is_file and entry is not None and entry.mode is not None:
            self._directories.set_mode(row.key, entry.mode)
        if old is not None and old.is_file and not row.is_file:
            self._xattrs.drop(Bearer(row.key))

    def note_names(self, listing: str, now: int, counter: int | None = None) -> None:
        """Note that names came to a directory, or went from it; with the last one it may have gone itself.

        ``counter`` is the greatest of the versions concerned, where others wrote them: times that somebody gave the
        directory after that stay.
        """
        self._directories.touch(self._directories.leave(listing), now, counter)

    def _erase(self, row: Row, fate: Fate, now: int, listing: str | None) -> None:
        """Remove a key without a trace, with the revisions that it has had since it came into being."""
        self._database.execute("DELETE FROM entries WHERE key = ?", (row.key,))
        if fate is not Fate.MOVE:
            self._contents.drop(row.content)
        if row.dirty != KEPT:  # which came after a removal, and replaced no value
            self._revisions.forget_since(row.key, row.born, row.appeared)
            self._note_erased(row, fate, now // 1000)
        self._xattrs.drop(Bearer(row.key))
        self._journal.note(row.key)  # nothing else tells other mounts that it is gone
        if listing is not None:
            self.note_names(listing, now)

    def _note_erased(self, row: Row, fate: Fate, now: int) -> None:
        if fate is Fate.MOVE:
            self._changes.note(row.key, row, None, now)
        else:
            self._changes.withdraw(row.key, row.born)

    # Writing here

    def write(
        self,
        key: str,
        written: Written,
        *,
        old: Row | None,
        listing: str | None,
        now: int | None = None,
        amends: int | None = None,
        transient: bool = False,
        foreign: bool = False,
        keeps: bool = False,
    ) -> Row:
        """Give ``key``, whose current row is ``old``, a new version and return it.

        ``now`` (µs) is when the write was made, by default the time of the call. ``amends`` is the sequence of a
        version that the new one completes: if that is still the current one and no other device has it, it leaves no
        revision. ``transient``: a mount writes it; a key that is new to other devices is held back from them for a
        moment, since it may be gone then. ``foreign``: the feed tells this open store of it too, as of another's.
        ``keeps``: it is the entry of a directory that has lost its last name.
        """
        now = self._clock() // 1000 if now is None else now
        stamp = Stamp(now, *self._tick(now, old), NO_WRITER if foreign else self.writer)
        if old is not None and old.sequence == amends and old.process_id == stamp.process_id:
            seen = old.seen
        else:
            seen = self._conflicts.note_seen(key, old, stamp.process_id, written.began)
        token = written.url_token or new_token(self._random)
        dirty = KEPT if keeps else state_after_write(old, transient=transient)
        row = make_version(key, written, old, stamp, token=token, seen=seen, dirty=dirty)
        amended = old is not None and old.sequence == amends and not old.is_final
        self.install(row, old, Fate.DROP if amended else Fate.KEEP, now * 1000, listing)
        if not keeps:
            self._changes.note(key, old, row, now, amends=amended)
        if listing and find_predecessor(old, row.mode) is None:
            self.withdraw(listing)
        return row

    def keep_directory(self, prefix: str) -> None:
        """Write the entry of a directory from which a mount removed the last name; until it is sent it can be withdrawn."""
        written = Written(mode=self._directories.local_mode(prefix))
        self.write(prefix, written, old=self.current(prefix), listing=None, transient=True, keeps=True)

    def withdraw(self, prefix: str) -> None:
        """Remove the entry that keeps a directory, which has a name again, unless others have it."""
        if self._database.row("SELECT 1 FROM entries WHERE key = ? AND dirty = ?", (prefix, KEPT)) is None:
            return
        row = self.current(prefix)
        if row is not None and not row.is_final:
            self.remove(row, listing=None, transient=True)

    def remove(self, row: Row, *, listing: str | None, transient: bool = False, fate: Fate = Fate.KEEP) -> Row | None:
        """Delete a live entry; return its tombstone, ``None`` if it is gone without a trace.

        ``transient``: a mount removes it. What came into being a moment ago and was never sent to another device
        leaves neither tombstone nor revision then, and a removal is held back from other devices for a moment.
        ``Fate.MOVE``: its value lives on under another key, which has taken the content.
        """
        now = self._clock() // 1000
        if transient and is_transient(row, now):
            self._erase(row, fate, now * 1000, listing)
            return None
        stamp = Stamp(now, *self._tick(now, row), self.writer)
        token, seen = new_token(self._random), self._conflicts.note_seen(row.key, row, stamp.process_id)
        tombstone = make_tombstone(row, stamp, token=token, seen=seen, transient=transient)
        self.install(tombstone, row, fate, now * 1000, listing)
        self._changes.note(row.key, row, tombstone, now)
        return tombstone

    def is_transient(self, row: Row) -> bool:
        """Return True if the key came into being a moment ago and no other device has it."""
        return is_transient(row, self._clock() // 1000)

    def set_mode(self, row: Row, mode: int) -> Row:
        """Change the mode alone: a new version that travels, but no revision."""
        return self._vary(row._replace(mode=mode), row, self._clock())

    def renew_token(self, row: Row) -> Row:
        """Change the URL token alone, likewise."""
        return self._vary(row._replace(url_token=new_token(self._random)), row, self._clock())

    def set_times(self, row: Row, mtime: int | None, atime: int | None, changed: int, *, again: bool = False) -> None:
        """Give a file or directory times, ``changed`` being its new ctime (ns); ``None`` leaves one as it is.

        The mtime travels, in a new version that leaves no revision; the others stay here. ``again``: it does so even if it
        is the one that was given before, since names have come since.
        """
        atime = row.atime if atime is None else atime
        if mtime is not None and (again or mtime != row.mod_time):
            self._vary(row._replace(mod_time=mtime, atime=atime), row, changed)
        else:
            self._database.execute("UPDATE entries SET atime = ?, changed = ? WHERE key = ?", (atime, changed, row.key))
            self._journal.note(row.key)

    def _vary(self, changed: Row, row: Row, now: int) -> Row:
        """Install a new version that differs from the current one in other things than the value, at ``now`` (ns).

        It is dated as close to that as can be: a value that another device has written meanwhile wins over it.
        """
        sequence, timestamp, process_id = self._tick(None, row)
        changed = changed._replace(
            timestamp=timestamp,
            counter=sequence,
            process_id=process_id,
            seen=note_seen(process_id, row.entry),
            origin=str(find_origin(row.entry)),
            sequence=sequence,
            dirty=HELD if row.dirty == KEPT else row.dirty or DIRTY,
            changed=now,
            mtime=clamp_time(row.timestamp * 1000) if row.mtime is None else row.mtime,
            writer=self.writer,
            shown=row.shown if changed.mode == row.mode else find_shown(row, sequence, row.size, changed.mode),
        )
        self.install(changed, row, Fate.MOVE, now, None)
        return changed

    def _tick(self, time: int | None, replaced: Row | None) -> tuple[int, int, int]:
        """Advance the clock for one local event; return sequence, timestamp and process id.

        ``time`` (µs, of our clock) is when it was, ``None`` if it is to be dated as its predecessor.
        """
        clock, process_id, is_sealed = self._database.only_row(_REPLICA)
        if is_sealed and not (replaced is not None and replaced.key.startswith(RESERVED)):  # it may end links
            raise SealedHub(self._database.path)
        # RETURNING would take one statement for the two, and seven times as long.
        self._database.execute("UPDATE replica SET clock = ?", (clock + 1,))
        now = 0 if time is None else self._date(time)
        return clock + 1, next_timestamp(now, None if replaced is None else replaced.timestamp), process_id

    def _date(self, time: int) -> int:
        """Return a time of our clock (µs) by the clock that dates what is written."""
        return max(time + self._hub_time.correction(), 0)

    # Many at once

    def move_all(self, moves: Sequence[Move], *, transient: bool) -> None:
        """Move plain files as ``write`` and ``remove`` do one by one, in a few statements for all; see ``PlainMoves``."""
        changed = self._clock()
        now = changed // 1000
        clock, process_id, is_sealed = self._database.only_row(_REPLICA)
        if is_sealed:
            raise SealedHub(self._database.path)
        last = Stamp(now, clock, self._date(now), process_id, self.writer)
        changes = list(plan_moves(moves, last, changed, self._random, transient=transient))
        versions = [change.new for change in changes if change.new is not None]
        erased = [change.key for change in changes if change.new is None]
        self._database.execute("UPDATE replica SET clock = ?", (clock + len(versions),))
        self._database.execute_many(INSERT, [row for row in versions if row.live])
        self._database.execute_many(INSERT, [row for row in versions if not row.live])
        self._database.execute_many("DELETE FROM entries WHERE key = ?", [(key,) for key in erased])
        for change in changes:
            if change.new is not None and change.key.endswith("/"):
                self._hand_over(change.new, change.old, now * 1000)
        self._journal.note_all(erased)
        self._changes.note_all(changes, now)
