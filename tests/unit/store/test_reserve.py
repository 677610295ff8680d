from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

from kvassfs.errors import DiskFull, StoreError
from kvassfs.store import Store
from kvassfs.store.database import LOG_LIMIT, QUIET_TIME
from kvassfs.store.reserve import AHEAD, PLENTY, RESERVE, STEP, Reserve
from kvassfs.store.translation import translate_error
from kvassfs.store_errors import ReadOnlyStore, SystemRefused
from tests.support.stores import error_line, sqlite_error


@pytest.fixture
def reserve(tmp_path: Path) -> Reserve:
    return Reserve(str(tmp_path / "db"))


def fail_to_allocate(patch: pytest.MonkeyPatch, code: int, *, above: int = 0) -> None:
    """Have no room for a file of more than ``above`` bytes."""
    real = os.posix_fallocate

    def allocate(file: int, offset: int, size: int) -> None:
        if size > above:
            raise OSError(code, os.strerror(code))
        real(file, offset, size)

    patch.setattr(os, "posix_fallocate", allocate)


def test_it_is_of_room_alone_and_for_its_owner(reserve: Reserve, tmp_path: Path) -> None:
    assert reserve.extend(RESERVE)
    status = (tmp_path / "db-reserve").stat()
    assert status.st_blocks * 512 >= reserve.size() == RESERVE
    assert status.st_mode & 0o777 == 0o600


def test_it_is_beside_the_file_that_a_symlink_leads_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "db")
    Reserve(str(tmp_path / "link")).extend(STEP)
    assert (tmp_path / "db-reserve").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_one_that_root_makes_belongs_to_who_has_the_database(tmp_path: Path) -> None:
    (tmp_path / "db").touch()
    os.chown(tmp_path / "db", 1234, 1235)
    assert Reserve(str(tmp_path / "db")).extend(STEP)
    status = (tmp_path / "db-reserve").stat()
    assert (status.st_uid, status.st_gid) == (1234, 1235)


def test_shortening_says_whether_it_gave_room(reserve: Reserve) -> None:
    assert not reserve.shorten(0)
    reserve.extend(RESERVE)
    assert reserve.shorten(STEP)
    assert not reserve.shorten(STEP)
    assert reserve.size() == STEP


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_what_does_not_fit_leaves_it_as_it_is(reserve: Reserve, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve.extend(STEP)
    fail_to_allocate(monkeypatch, code)
    assert not reserve.extend(RESERVE)
    assert not reserve.can_extend()
    assert reserve.size() == STEP


def test_it_is_restored_as_far_as_there_is_room(reserve: Reserve, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_to_allocate(monkeypatch, errno.ENOSPC, above=5 * STEP)
    reserve.restore(RESERVE)
    assert reserve.size() == 5 * STEP


@pytest.mark.parametrize(("free", "size"), [(STEP + PLENTY, STEP + AHEAD), (STEP + PLENTY - 4096, STEP)])
def test_it_is_extended_ahead_where_the_disk_has_plenty(
    reserve: Reserve, monkeypatch: pytest.MonkeyPatch, free: int, size: int
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=free // 4096, f_frsize=4096))
    assert reserve.extend_ahead(STEP)
    assert reserve.size() == size


def test_a_burst_of_changes_allocates_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = os.posix_fallocate

    def allocate(file: int, offset: int, size: int) -> None:
        calls.append(size)
        real(file, offset, size)

    monkeypatch.setattr(os, "posix_fallocate", allocate)
    with Store.open(tmp_path / "db") as store:
        for number in range(100):
            store.set(f"{number}", bytes(3000))
    assert 1 <= len(calls) <= 3


def test_it_is_needed_as_long_as_a_disk_that_was_found_full_is(
    reserve: Reserve, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not reserve.is_needed()
    reserve.note_full()
    with monkeypatch.context() as patch:
        fail_to_allocate(patch, errno.EDQUOT)
        assert reserve.is_needed()
    assert not reserve.is_needed()


def test_it_covers_what_the_database_grows_by_and_gives_back_what_is_far_more(
    reserve: Reserve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=PLENTY, f_frsize=4096))
    assert reserve.cover(0, RESERVE)
    assert reserve.size() == 0
    assert reserve.cover(5 * RESERVE, RESERVE)
    assert reserve.size() == 6 * RESERVE + AHEAD
    assert reserve.cover(9 * RESERVE // 2, RESERVE)
    assert reserve.size() == 6 * RESERVE + AHEAD
    assert reserve.cover(STEP, RESERVE)
    assert reserve.size() == RESERVE + STEP
    fail_to_allocate(monkeypatch, errno.ENOSPC)
    assert not reserve.cover(2 * STEP, RESERVE)
    assert reserve.size() == RESERVE + STEP


def test_where_no_room_can_be_allocated_there_is_none(reserve: Reserve, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_to_allocate(monkeypatch, errno.EOPNOTSUPP)
    assert reserve.extend(RESERVE)
    assert reserve.can_extend()
    reserve.restore(RESERVE)
    assert reserve.size() == 0


@pytest.mark.parametrize(("code", "full"), [(errno.EDQUOT, True), (errno.ENOSPC, True), (errno.EIO, False)])
def test_a_failure_to_write_over_quota_is_a_full_disk(
    tmp_path: Path, code: int, full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite takes any errno but ENOSPC for a disk that is broken."""
    fail_to_allocate(monkeypatch, code)
    error = translate_error(sqlite_error(sqlite3.SQLITE_IOERR_WRITE), str(tmp_path / "db"))
    assert isinstance(error, DiskFull) is full
    assert isinstance(error, StoreError)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY])
@pytest.mark.parametrize("number", [errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_what_the_system_refuses_is_found_by_asking_it_again(
    tmp_path: Path, code: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite does not say what the system said."""
    fail_to_allocate(monkeypatch, number)
    error = translate_error(sqlite_error(code), str(tmp_path / "db"))
    assert isinstance(error, ReadOnlyStore if number == errno.EROFS else SystemRefused)
    assert error.errno == number
    assert ("read-only" if number == errno.EROFS else os.strerror(number).lower()) in error_line(error)


def test_a_store_has_it_from_the_first_value_on(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db") as store:
        store.set("a", b"1")
    assert (tmp_path / "db-reserve").stat().st_size >= RESERVE


def test_the_log_that_others_left_is_copied_after_a_quiet_time(tmp_path: Path) -> None:
    """Whoever commits now and then, as a hub does for its devices, keeps it small."""
    with Store.open(tmp_path / "db") as store, Store.open(tmp_path / "db") as other:
        other._database.rows("PRAGMA wal_autocheckpoint=0")
        while other.upkeep.log_size() <= LOG_LIMIT:
            other.set("large", os.urandom(1024 * 1024))
        store._database.transaction._ended -= QUIET_TIME
        store._database.rows("PRAGMA wal_autocheckpoint=0")
        store.flush()
        assert store.upkeep.log_size() < LOG_LIMIT
