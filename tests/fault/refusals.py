"""Have each call of an action fail in turn, for `test_refusals.py`; run in a process of its own, with `disk_calls`."""

from __future__ import annotations

import errno
import io
import itertools
import json
import logging
import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stderr, suppress
from pathlib import Path
from typing import Any, NamedTuple

from kvassfs.errors import DiskFull, KeyMissing, KvassError, StoreUnavailable
from kvassfs.store import MOUNT, Store
from kvassfs_cli.main import run as run_command_line
from tests.fault.test_store import ACTIONS, opened, steady_random
from tests.support.disk_calls import CHANGES, OPEN, DiskCalls, Kind
from tests.support.golden_data import GOLDEN
from tests.support.stores import Clock, audit, state

WRITES = Kind.OPEN_WRITE | Kind.WRITE | Kind.NAME


class Refusal(NamedTuple):
    """What the system says, and of which calls."""

    number: int
    kinds: Kind


REFUSALS = {
    "full": Refusal(errno.ENOSPC, WRITES),
    "over quota": Refusal(errno.EDQUOT, WRITES),
    "read-only": Refusal(errno.EROFS, CHANGES),
    "broken": Refusal(errno.EIO, OPEN | WRITES | Kind.SYNC | Kind.READ),
    "no descriptors": Refusal(errno.EMFILE, OPEN),
    "no memory": Refusal(errno.ENOMEM, Kind.MEMORY),
}


EXPECTED = (KvassError, MemoryError, RuntimeError)

OF_THREADS = {"can't allocate lock", "can't start new thread"}
"""How Python says that there is no memory for these."""


class Job(NamedTuple):
    """What is done to a database that ``prepare`` makes at a path.

    ``begin`` opens what it needs and returns the rest, in which calls fail. Keys with values are as ``look`` sees them.
    """

    prepare: Callable[[Path], None]
    begin: Callable[[Path], tuple[Callable[[], object], Callable[[], object]]]
    look: Callable[[Path], Any]


def on_store(name: str) -> Job:
    """Return the job that does an action to a store that is open."""

    def begin(path: Path) -> tuple[Callable[[], object], Callable[[], object]]:
        store = opened(path)
        if "draft" in name or "rename" in name or "unlink" in name:
            store._database.apply(MOUNT)
        return lambda: ACTIONS[name](store), store.close

    return Job(prepare_all_kinds, begin, look_everywhere)


def prepare_all_kinds(path: Path) -> None:
    """Make a store with values of all kinds."""
    from tests.fault.test_store import prepared

    class Rooms:
        def mktemp(self, _: str) -> Path:
            room = path.with_name("prepared")
            room.mkdir()
            return room

    made = prepared.__wrapped__(Rooms())  # type: ignore[attr-defined]
    shutil.move(made, path)


def look_everywhere(path: Path) -> Any:
    """Audit a store and return all that a user could notice."""
    with opened(path) as store:
        audit(store)
        return state(store)


def look_at_values(path: Path) -> Any:
    """Audit a store, which may have come about at any time, and return its values."""
    with Store.open(path) as store:
        audit(store)
        return {key: store.get(key).read() for key in store.keys()}


def by_command(*arguments: str, stdin: bytes = b"") -> Job:
    """Return the job that is a command; it says what fails in one line."""

    def begin(path: Path) -> tuple[Callable[[], object], Callable[[], object]]:
        def run() -> None:
            said = io.StringIO()
            with redirect_stderr(said):
                status = run_command_line(["--db", str(path), *(each.replace("DB", str(path)) for each in arguments)])
            lines = said.getvalue().splitlines()
            assert status in (0, 1), said.getvalue()
            if status:
                raise Said(lines)

        return run, lambda: None

    def prepare(path: Path) -> None:
        with Store.open(path, random=steady_random(), clock=Clock()) as store:
            store.set("a", b"old" * 100)
            store.set("b", b"old" * 40_000)

    return Job(prepare, begin, look_at_values)


class Said(KvassError):
    """A command failed, and said so."""

    def __init__(self, lines: list[str]) -> None:
        assert lines
        assert lines[0].startswith("kvass: "), lines
        assert "Traceback" not in "".join(lines)
        super().__init__(lines[0])


def by_opening(source: str) -> Job:
    """Return the job that opens a database of the original, of an earlier version, or none."""

    def prepare(path: Path) -> None:
        if source.endswith(".sqlite"):
            shutil.copyfile(GOLDEN / source, path)
        elif source:
            with closing(sqlite3.connect(path)) as connection:
                connection.executescript((GOLDEN / source).read_text(encoding="utf-8"))

    def begin(path: Path) -> tuple[Callable[[], object], Callable[[], object]]:
        return lambda: Store.open(path).close(), lambda: None

    return Job(prepare, begin, look_at_values)


JOBS: dict[str, Job] = {
    **{name: on_store(name) for name in ACTIONS},
    "open a new store": by_opening(""),
    "take over": by_opening("client-1001.sqlite"),
    **{f"upgrade {version}": by_opening(f"store-version-{version}.sql") for version in ("1", "4", "9", "11")},
    "kvass set": by_command("set", "a", "new"),
    "kvass rm": by_command("rm", "a"),
    "kvass backup": by_command("backup", "--force", "DB.copy"),
    "kvass gc": by_command("gc"),
}


class Trials:
    """Does one job again and again while this or that call fails."""

    def __init__(self, job: Job, room: Path) -> None:
        self.job = job
        self.calls = DiskCalls.preloaded()
        self.path = room / "db"
        self.job.prepare(self.path)
        self.prepared = {each.name: each.read_bytes() for each in room.iterdir() if each.is_file()}
        self.before = job.look(self.path)
        self._restore()
        run, end = job.begin(self.path)
        run()
        end()
        self.after = job.look(self.path)

    def _restore(self) -> None:
        for each in self.path.parent.iterdir():
            if each.is_file():
                each.unlink()
        for name, data in self.prepared.items():
            self.path.with_name(name).write_bytes(data)

    def count(self, kinds: Kind) -> int:
        """Return how many calls of these kinds the job makes."""
        self._restore()
        run, end = self.job.begin(self.path)
        with self.calls.failing(kinds, 0, 0):
            run()
        end()
        return self.calls.seen

    def fail(self, refusal: Refusal, at: int, times: int) -> BaseException | None:
        """Have calls fail from number ``at`` on; check what is left; return what was said."""
        self._restore()
        run, end = self.job.begin(self.path)
        error: BaseException | None = None
        with self.calls.failing(refusal.kinds, at, refusal.number, times):
            try:
                run()
            except EXPECTED as failed:
                error = failed.with_traceback(None)
        if error is None:
            end()
        else:
            # The same process goes on, and does it the second time, unless it was done and only the rest failed.
            with suppress(KeyMissing):
                run()
            end()
        found = self.job.look(self.path)
        assert same(found, self.after), "a second time does not do it" if error else "it is said to be done"
        if error is not None:
            self._check_old(refusal, at, times)
        return error

    def _check_old(self, refusal: Refusal, at: int, times: int) -> None:
        """Check that a failure leaves the old state or the new one for the next process."""
        self._restore()
        run, end = self.job.begin(self.path)
        with self.calls.failing(refusal.kinds, at, refusal.number, times), suppress(*EXPECTED):
            run()
        with suppress(KvassError):
            end()
        found = self.job.look(self.path)
        assert same(found, self.before) or same(found, self.after), "something half done is left"


def same(one: Any, other: Any) -> bool:
    """Whether two states are the same but for what each run makes by chance."""
    return bool(strip(one) == strip(other))


def strip(found: Any) -> Any:
    """Leave out of a state what differs from run to run of one action: counters, times and tokens of what was done twice."""
    if "entries" not in found or not isinstance(found["entries"], list):
        return found
    return {"entries": sorted((row[0], row[5], row[6], row[8]) for row in found["entries"])}


def numbers(total: int, most: int, chance: random.Random) -> Iterator[int]:
    """Yield the numbers of calls to fail: all of them, or as many as that."""
    yield from range(1, total + 1) if total <= most else sorted(chance.sample(range(1, total + 1), most))


def main(name: str, room: str, most: str, seed: str) -> None:
    """Do a job with each refusal; print how often that was, and what was said."""
    logging.disable()
    chance = random.Random(int(seed))
    directory = Path(room)
    trials = Trials(JOBS[name], directory)
    said: dict[str, dict[str, int]] = {}
    for title, refusal in REFUSALS.items():
        total = trials.count(refusal.kinds)
        lasting = 3 if refusal.kinds == Kind.MEMORY else 2**62
        for at, times in itertools.product(numbers(total, int(most), chance), (1, lasting)):
            try:
                error = trials.fail(refusal, at, times)
            except BaseException as failed:
                failed.add_note(f"{name}: {title}, call {at} of {total}, {times} times, seed {seed}")
                raise
            if error is not None:
                check_words(title, refusal, error, lasting=times > 1)
            words = "none" if error is None else type(error).__name__
            counted = said.setdefault(title, {})
            counted[words] = counted.get(words, 0) + 1
    json.dump(said, sys.stdout)


def check_words(title: str, refusal: Refusal, error: BaseException, *, lasting: bool) -> None:
    """Check that what lasts is told as what it is."""
    if isinstance(error, MemoryError | RuntimeError):
        assert title == "no memory", repr(error)
        assert isinstance(error, MemoryError) or str(error) in OF_THREADS
        return
    assert isinstance(error, KvassError)
    assert "\n" not in str(error)
    assert str(error)
    if not lasting or isinstance(error, Said):
        return
    if isinstance(error, StoreUnavailable):
        assert os.strerror(refusal.number).lower() in str(error)
        return
    expected = errno.ENOSPC if isinstance(error, DiskFull) or refusal.number == errno.EDQUOT else refusal.number
    assert error.errno == expected, f"{title}: {type(error).__name__} {error}"


CODE = "import sys\nfrom tests.fault.refusals import main\nmain(*sys.argv[1:])"
