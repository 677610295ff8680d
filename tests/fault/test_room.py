"""Giving room back fails at one statement, or its process is killed in the middle: nothing is lost, and it goes on."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from kvassfs.errors import KvassError
from kvassfs.store import Store
from kvassfs.store.room import Room, RoomLimits
from tests.support.forks import fork_unmeasured
from tests.support.stores import Fault, audit, audit_clean, failing, free_room, keep_room, start, state

LIMITS = RoomLimits(kept=0, share=10**9, pages=40)
"""Small steps, so that there are several."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which what is free lies before what is used."""
    path = tmp_path_factory.mktemp("prepared") / "db"
    with Store.open(path) as store:
        store.set("first", os.urandom(600_000))
        for number in range(3):
            store.set(f"kept/{number}", os.urandom(200_000 * number + 50_000))
        store.delete("first")
        store.upkeep.trim(0, 0)
        while store.upkeep.clean():
            pass
    return path


@pytest.fixture(params=["that gives back", "from before"])
def path(request: pytest.FixtureRequest, prepared: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    path = tmp_path / "db"
    shutil.copyfile(prepared, path)
    if request.param == "from before":
        keep_room(path)
    return path


def give_all_back(store: Store) -> int:
    return Room(store._database, LIMITS).give_all_back()


def check(path: Path, expected: object) -> None:
    """Look at the store as the next process finds it, which goes on."""
    with Store.open(path) as store:
        audit(store)
        assert state(store) == expected
        give_all_back(store)
        assert store.upkeep.gives_back()
        assert state(store) == expected
        audit_clean(store)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_BUSY])
def test_a_statement_that_fails_loses_nothing(path: Path, code: int) -> None:
    copy = path.with_name("copy")
    # Of the many statements that each move one page, some.
    for number in itertools.chain(range(1, 30), itertools.count(30, 37)):
        shutil.copyfile(path, copy)
        with Store.open(copy) as store:
            before = state(store)
            fault = Fault(number, code)
            with failing(store._database, fault):
                try:
                    give_all_back(store)
                except KvassError:
                    assert fault.struck
            assert state(store) == before
            audit(store)
        check(copy, before)
        if not fault.struck:
            break
    assert number > 10


def give_back_until_killed(path: Path, fault: Callable[[str], None], handler: Callable[[], int]) -> bool:
    """Do it in a child process; return whether that came to its end. ``handler`` is called all the time, by SQLite too."""
    child = fork_unmeasured()
    if child == 0:
        status = 1
        try:
            store = Store.open(path)
            store._database.connection.set_progress_handler(handler, 1)
            with failing(store._database, fault):
                give_all_back(store)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
    return os.waitstatus_to_exitcode(status) == 0


def test_a_process_that_is_killed_at_a_statement_loses_nothing(path: Path) -> None:
    copy = path.with_name("copy")
    for number in itertools.chain(range(1, 30), itertools.count(30, 37)):
        shutil.copyfile(path, copy)
        with Store.open(copy) as store:
            before = state(store)
        left = number

        def die(_: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        ended = give_back_until_killed(copy, die, lambda: 0)
        check(copy, before)
        if ended:
            break
    assert number > 10


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A database of 12 MB from before."""
    with Store.open(tmp_path / "db") as store:
        store.set("large", os.urandom(12_000_000))
    keep_room(tmp_path / "db")
    return tmp_path / "db"


def test_a_process_that_is_killed_while_it_copies_the_database_leaves_it_as_it_was(large: Path) -> None:
    before, turns = large.read_bytes(), 0
    with Store.open(large) as store:
        expected = state(store)

    def note(sql: str) -> None:
        nonlocal turns
        turns = 1 if sql == "VACUUM" else turns

    def die_in_the_middle() -> int:
        nonlocal turns
        turns += turns > 0
        if turns > 200:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    assert not give_back_until_killed(large, note, die_in_the_middle)
    assert large.read_bytes() == before
    check(large, expected)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_process_that_is_killed_while_it_writes_the_copy_back_loses_nothing(large: Path, share: float) -> None:
    with Store.open(large) as store:
        expected = state(store)
    log = large.with_name("db-wal")
    size = large.stat().st_size
    process = start("store = Store.open(sys.argv[1]); store.upkeep.give_all_back(); store.close()", large)
    while process.poll() is None and not (log.exists() and log.stat().st_size > share * size):
        pass
    process.kill()
    process.communicate()
    check(large, expected)


def test_a_process_that_is_killed_between_two_steps_leaves_the_rest_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with Store.open(path) as store:
        free_room(store, 8_000_000)
        before = state(store)
    child = fork_unmeasured()
    if child == 0:
        try:
            store = Store.open(path)
            Room(store._database, LIMITS).give_some_back()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    size = path.stat().st_size
    assert size < 8_000_000 + 200_000
    check(path, before)
    assert path.stat().st_size < 1_000_000
