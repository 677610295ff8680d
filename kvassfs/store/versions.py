"""What versions of keys are like: of a new value, of a removal, and of what comes from another key. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..clocks import clamp_time
from ..conflict import note_seen
from ..entry import new_token, next_timestamp
from ..tuples import NamedTuple
from .inodes import born_inode
from .rows import DIRTY, HELD, Row, Written, find_predecessor, find_shown, inherit_mode, was_shown
from .settling import find_birth, state_after_write


class Stamp(NamedTuple):
    """When a version is written, and by whom.

    ``now`` is the time by our clock (µs), ``writer`` the mark of the open store.
    """

    now: int
    sequence: int
    timestamp: int
    process_id: int
    writer: int


class Change(NamedTuple):
    """What becomes of a key: ``new`` in the place of ``old``; ``None`` is nothing, not even a tombstone."""

    key: str
    old: Row | None
    new: Row | None


class Move(NamedTuple):
    """A file with the row ``row`` that goes to ``key``, of which the row is ``target``.

    ``erases``: nothing is left under its old key, see ``Entries.remove``.
    """

    row: Row
    key: str
    target: Row | None
    erases: bool


def make_version(
    key: str, written: Written, old: Row | None, stamp: Stamp, *, token: str, seen: str | None, dirty: int
) -> Row:
    """Return the version of ``key`` that has what was written, where its row was ``old``."""
    now, sequence, timestamp, process_id, writer = stamp
    mtime = now * 1000 if written.mtime is None else clamp_time(written.mtime)
    mode = inherit_mode(old) if written.mode is None else written.mode
    before = find_predecessor(old, mode)
    return Row(
        key=key,
        timestamp=timestamp,
        counter=sequence,
        process_id=process_id,
        url_token=token,
        size=written.size,
        mode=mode,
        mod_time=written.mod_time,
        seen=seen,
        origin=None,
        content=written.content,
        sequence=sequence,
        dirty=dirty,
        born=find_birth(old, written.born, now),
        changed=now * 1000 if written.changed is None else written.changed,
        mtime=None if written.mod_time is not None or mtime == timestamp * 1000 else mtime,
        atime=written.atime,
        writer=writer,
        floor=None if old is None else old.floor,
        inode=written.inode or (born_inode(sequence) if before is None else before.inode),
        appeared=sequence if before is None else before.appeared,
        shown=find_shown(old, sequence, written.size, mode),
        # What has its token with it came from another key, and brings this too.
        began=written.began if before is None or before.began is None or written.url_token else before.began,
    )


def make_tombstone(row: Row, stamp: Stamp, *, token: str, seen: str | None, transient: bool) -> Row:
    """Return the tombstone that takes the place of ``row``; ``transient``: a mount removes it."""
    now, sequence, timestamp, process_id, writer = stamp
    return Row(
        key=row.key,
        timestamp=timestamp,
        counter=sequence,
        process_id=process_id,
        url_token=token,
        size=0,
        mode=None,
        mod_time=None,
        seen=seen,
        origin=None,
        content=None,
        sequence=sequence,
        dirty=HELD if transient else DIRTY,
        born=row.born,
        changed=now * 1000,
        mtime=None,
        atime=None,
        writer=writer,
        floor=row.floor,
        inode=row.inode,
        appeared=row.appeared,
        shown=find_shown(row, sequence, 0, None),
        began=None,
    )


def carry(row: Row, content: int | None, changed: int | None = None, *, transient: bool) -> Written:
    """Return what an entry takes along to a key where there is nothing; ``content`` is its value.

    ``changed`` is the new ctime (ns), ``transient`` as in ``Entries.remove``.
    """
    shown = row.mtime if row.mod_time is None else row.mod_time
    mtime = row.timestamp * 1000 if shown is None else shown
    return Written(
        row.size,
        content,
        row.mode,
        row.url_token,
        row.mod_time,
        mtime,
        None if row.atime == mtime else row.atime,
        changed,
        row.born,
        row.inode,
        row.began if transient else None,
    )


def plan_moves(
    moves: Iterable[Move], last: Stamp, changed: int, random: Callable[[int], bytes], *, transient: bool
) -> Iterator[Change]:
    """Yield what becomes of the keys of plain files that move one after another: of the new key, then of the old one.

    ``last`` has the clock as its sequence, and as its timestamp the present by which versions are dated. ``changed`` is
    the new ctime (ns). ``transient`` is as in ``Entries.remove``.
    """
    now, sequence, dated, process_id, writer = last
    for row, key, old, erases in moves:
        written = carry(row, row.content, changed, transient=transient)
        sequence += 1
        stamp = Stamp(now, sequence, next_timestamp(dated, None if old is None else old.timestamp), process_id, writer)
        seen = note_seen(process_id, old.entry if old is not None and was_shown(old, written.began) else None)
        token, dirty = row.url_token or new_token(random), state_after_write(old, transient=False)
        yield Change(key, old, make_version(key, written, old, stamp, token=token, seen=seen, dirty=dirty))
        if erases:
            yield Change(row.key, row, None)
            continue
        sequence += 1
        stamp = Stamp(now, sequence, next_timestamp(dated, row.timestamp), process_id, writer)
        token, seen = new_token(random), note_seen(process_id, row.entry)
        yield Change(row.key, row, make_tombstone(row, stamp, token=token, seen=seen, transient=transient))
