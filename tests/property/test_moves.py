"""Files that are moved many at once leave in every table what they leave when each is moved alone."""

from __future__ import annotations

import random
import shutil
import stat
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from kvassfs.share_link import LINKS
from kvassfs.store import Bearer, Row, Store, plain_moves
from kvassfs.store.local import DirectoryRecord, ScratchRow
from kvassfs.store.plain_moves import PlainMoves
from kvassfs.store.revisions import Became, Met
from kvassfs.store.rows import CLEAN, DIRTY, HELD, INSERT, KEPT
from kvassfs.store.versions import Move
from tests.support.searches import examples
from tests.support.stores import REGULAR, SMALL, YEAR_2024, Clock, ClockMachine, audit, is_scratch, set_hub_ahead

NOW = YEAR_2024 // 1000
"""Microseconds."""

CLOCK = 1000
"""Of the replica, before anything is moved."""

OTHER = 7
"""The process id of another device."""

NAMES = ("", "/", "a", "b", "b/c", "b/d", "c", "e", "e~", "f", "g/", "g/h", "i/j/k", "z")
"""Of what is below a directory, with "" for the value of its own key, and "/" for its own entry.

Under one that ends in ``/`` is the entry of a directory, or a value.
"""

PLACES = ("e/", "e/", "e/", "e/", "e/", "e/", "e~/", LINKS)
"""Where the directory goes."""

AGES = st.sampled_from([0, 1000, 1_500_000, 3_000_000, 3_600_000_000, -10_000_000])
"""Microseconds before now."""

TIMES = st.none() | st.sampled_from([0, -5, NOW * 1000, 2**63 - 1])


class File(NamedTuple):
    """What is under a name, or was; moments are ages (µs), and those of the replica's clock are counted back from its end."""

    name: str
    size: int
    mode: int | None
    is_own: bool
    seen: str | None
    origin: str | None
    dated: int
    born: int
    floor: int | None
    dirty: int
    times: tuple[int | None, int | None, int | None]
    began: int | None
    shown: int
    revisions: int
    is_in_conflict: bool
    has_attributes: bool


def rarely() -> st.SearchStrategy[bool]:
    return st.sampled_from([False] * 5 + [True])


def files(name: str, *, live: bool) -> st.SearchStrategy[File]:
    steps = st.sampled_from([0, 1, 5, 300])
    return st.builds(
        File,
        name=st.just(name),
        size=st.sampled_from([0, 3, 16, 40]) if live else st.just(0),
        mode=st.sampled_from([None, REGULAR, stat.S_IFLNK | 0o777]) if live else st.none(),
        is_own=st.booleans(),
        seen=st.sampled_from(["", "", None, f"{OTHER}:3", f"9:1 {OTHER}:12"]),
        origin=st.sampled_from([None, None, f"{OTHER}:2"]),
        dated=AGES,
        born=AGES,
        floor=st.none() | st.sampled_from([0, 5]),
        dirty=st.sampled_from([CLEAN, DIRTY, HELD]),
        times=st.tuples(TIMES, TIMES, TIMES) if live else st.just((None, None, None)),
        began=st.none() | steps if live else st.none(),
        shown=steps,
        revisions=st.sampled_from([0, 0, 0, 1, 2]),
        is_in_conflict=rarely(),
        has_attributes=rarely() if live else st.just(False),
    )


def directories(*, live: bool) -> st.SearchStrategy[tuple[File, ...]]:
    least = 5 if live else 0
    return st.lists(st.sampled_from(NAMES), min_size=least, unique=True).flatmap(
        lambda names: st.tuples(*(files(name, live=live) for name in names))
    )


class Alone(PlainMoves):
    """Finds no file plain, so that each is moved alone."""

    def _find_plain(self, *_: Any, **__: Any) -> dict[str, Move]:
        return {}


class Counting(PlainMoves):
    """Counts the files that it finds plain."""

    found = 0

    def _find_plain(self, *arguments: Any, **options: Any) -> dict[str, Move]:
        plain = super()._find_plain(*arguments, **options)
        self.found += len(plain)
        return plain


def open_store(path: Path) -> Store:
    """Open a store whose clock stands still, with the same randomness each time."""
    clock = Clock(step=0)
    source = random.Random(5)
    store = Store.open(path, clock=clock, random=source.randbytes, sizes=SMALL, machine=ClockMachine(clock))
    store._database.execute("PRAGMA synchronous=OFF")
    store.own_changes.caller = lambda: 42
    return store


def put(store: Store, prefix: str, file: File, sequence: int) -> None:
    """Put a file, or what is left of one, below ``prefix`` with all that hangs on it."""
    key = prefix + file.name if file.name.strip("/") else prefix[:-1] + file.name
    row = make_row(store, key, file, sequence)
    if is_scratch(key) and row.live and not row.is_directory:
        size, content, mtime = row.size, row.content, row.mtime or 5
        store._local.scratch.put(
            ScratchRow(key, size, REGULAR, content, 6, mtime, row.atime, 7, row.mod_time, row.began)
        )
    else:
        store._database.execute(INSERT, row)
        for _ in range(file.revisions):
            met = Met(OTHER, CLOCK - 10) if file.is_in_conflict else None
            entry = row.entry._replace(size=2, url_token=f"revision of {key}", mode=REGULAR)
            store._revisions.add(entry, store._contents.add(b"ab"), row.born + 1, sequence - 50, Became.REPLACED, met)
    if row.is_directory:
        store._local.directories.add(key, DirectoryRecord(0o40700, 1, 2, 3))
    if file.has_attributes and not row.is_directory:
        store.xattrs.put(Bearer(key), b"user.x", b"1")


def make_row(store: Store, key: str, file: File, sequence: int) -> Row:
    own = store.settings.config().process_id
    live = key.startswith("d") or file.name == "/"
    size = file.size if live else 0
    is_directory = key.endswith("/") and not size
    mode = None if not live else stat.S_IFDIR | 0o750 if is_directory else (file.mode if size else REGULAR)
    timestamp = NOW - file.dated
    mod_time, mtime, atime = file.times
    return Row(
        key=key,
        timestamp=timestamp,
        counter=sequence,
        process_id=own if file.is_own else OTHER,
        url_token=f"token of {key}",
        size=size,
        mode=mode,
        mod_time=mod_time,
        seen=file.seen,
        origin=file.origin,
        content=store._contents.add(bytes(range(size))) if size else None,
        sequence=sequence,
        dirty=KEPT if is_directory and live and file.dirty == HELD else file.dirty,
        born=NOW - file.born,
        changed=timestamp * 1000,
        mtime=mtime,
        atime=atime,
        writer=3,
        floor=None if file.floor is None else timestamp - file.floor,
        inode=2 * sequence,
        appeared=sequence,
        shown=CLOCK - file.shown,
        began=None if file.began is None else CLOCK - file.began,
    )


def fill(path: Path, here: Sequence[File], prefix: str, there: Sequence[File], ahead: int) -> None:
    with open_store(path) as store:
        set_hub_ahead(store, Clock(step=0), ahead)
        with store.transaction:
            store._database.execute("UPDATE replica SET clock = ?", (CLOCK,))
            for number, file in enumerate(here):
                put(store, "d/", file, 100 + number)
            for number, file in enumerate(there):
                put(store, prefix, file, 200 + number)
            store._entries.note_names("d/", NOW * 1000)


def dump(store: Store) -> dict[str, list[Any]]:
    """Return all that is in a database."""
    tables = store._database.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return {name: sorted(store._database.rows(f"SELECT * FROM {name}"), key=repr) for (name,) in tables}


def move(path: Path, kind: type[PlainMoves], steps: Sequence[Callable[[Store], None]]) -> tuple[dict[str, Any], Any]:
    """Make these moves in a copy of a store; return all that is in it then, and what moved the plain files."""
    copy = path.with_name(kind.__name__)
    shutil.copy(path, copy)
    with open_store(copy) as store:
        plain = kind(store._database, store._entries, Clock(step=0))
        store.tree.mover._plain = plain
        for step in steps:
            step(store)
        audit(store)
        return dump(store), plain


def rename(old: str, new: str, *, thrown_away: bool = False) -> Callable[[Store], None]:
    return lambda store: store.tree.rename_directory(old, new, is_scratch=is_scratch, thrown_away=thrown_away)


def finish(store: Store) -> None:
    """Have all that is there be final, as if it had been pushed."""
    store._database.execute("UPDATE entries SET floor = timestamp, dirty = 0")


WAYS: dict[str, Callable[[str], list[Callable[[Store], None]]]] = {
    "renamed": lambda new: [rename("d/", new)],
    "thrown away": lambda new: [rename("d/", new, thrown_away=True)],
    "moved by a command": lambda new: [lambda store: store.tree.mover.move_prefix("d/", new)],
    "and back": lambda new: [rename("d/", new), rename(new, "d/")],
    "and back when others have it": lambda new: [rename("d/", new), finish, rename(new, "d/")],
}


@settings(max_examples=examples(60, long=3000))
@given(
    directories(live=True),
    st.sampled_from(PLACES),
    directories(live=False),
    st.sampled_from(list(WAYS)),
    st.sampled_from([0, 5_000_000, -5_000_000]),
)
def test_many_at_once_come_to_what_each_alone_comes_to(
    here: tuple[File, ...], place: str, there: tuple[File, ...], way: str, ahead: int
) -> None:
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_moves, "AT_ONCE", 3)
        path = Path(directory) / "db"
        fill(path, here, place, there, ahead)
        alone, _ = move(path, Alone, WAYS[way](place))
        together, plain = move(path, Counting, WAYS[way](place))
    event(f"{plain.found} plain")
    for table, rows in alone.items():
        assert together[table] == rows, table
