"""Waiting for a lock: in slices, shortly for a process that is stopped, and not again and again in vain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kvassfs.errors import StoreBusy
from kvassfs.store.machine import Machine
from kvassfs.store.waiting import REST, SLICE, STOPPED_PATIENCE, Holder, Waiting, find_locker

LOCKS = """\
1: POSIX  ADVISORY  READ 11 fe:00:77 123 123
2: POSIX  ADVISORY  WRITE 12 fe:00:77 120 120
2: -> POSIX  ADVISORY  WRITE 13 fe:00:77 120 120
3: FLOCK  ADVISORY  WRITE 14 fe:00:78 0 EOF
4: POSIX  ADVISORY  WRITE 15 fe:00:79 121 122
5: POSIX  ADVISORY  WRITE 16 fe:00:80 0 EOF
6: POSIX  ADVISORY  WRITE -1 fe:00:81 120 120
"""


@pytest.mark.parametrize(("inode", "pid"), [(77, 12), (78, 0), (79, 0), (80, 16), (81, 0), (7, 0)])
def test_the_process_that_has_the_lock_is_found(inode: int, pid: int) -> None:
    assert find_locker(LOCKS, inode) == pid


def test_of_lines_that_are_none_nobody_is_found() -> None:
    assert find_locker("", 77) == find_locker("garbage\n\n", 77) == 0


class Rig:
    """A wait whose clock moves by what is waited for."""

    def __init__(self, path: Path, patience: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.tries = 0
        self.step = SLICE
        self.holder = Holder(12)
        self.waiting = Waiting(str(path / "db"), patience, timer=lambda: self.now, sleep=self.sleep)
        monkeypatch.setattr(Waiting, "find_holder", lambda _: self.holder)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def work(self) -> str:
        self.tries += 1
        self.now += self.step
        if self.tries != 3:
            raise StoreBusy("/db")
        return "done"


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(tmp_path, 10.0, monkeypatch)


def test_what_can_be_done_at_last_is_done(rig: Rig) -> None:
    assert rig.waiting.retry(rig.work) == "done"


def test_it_ends_when_the_patience_does(rig: Rig) -> None:
    rig.tries = 10
    with pytest.raises(StoreBusy, match="locked by process 12; try again") as raised:
        rig.waiting.retry(rig.work)
    assert rig.now == 100.0 + 10.0 - SLICE
    assert (raised.value.pid, raised.value.is_stopped) == (12, False)


def test_a_process_that_is_stopped_is_not_waited_for(rig: Rig) -> None:
    rig.tries, rig.holder = 10, Holder(12, is_stopped=True)
    with pytest.raises(StoreBusy, match="process 12, which is stopped; have it go on by `kill -CONT 12`, or end it"):
        rig.waiting.retry(rig.work)
    assert rig.now - 100.0 <= STOPPED_PATIENCE


def test_after_a_wait_in_vain_the_next_is_short_until_the_lock_was_had(rig: Rig) -> None:
    rig.tries = 10
    for expected in (True, False):
        before, tries = rig.now, rig.tries
        with pytest.raises(StoreBusy):
            rig.waiting.retry(rig.work)
        assert (rig.now > before) is expected
        assert (rig.tries > tries) is expected
    rig.waiting.note_lock()
    rig.tries = 0
    assert rig.waiting.retry(rig.work) == "done"


def test_a_lock_for_which_sqlite_does_not_wait_is_asked_for_with_rests(rig: Rig) -> None:
    rig.step, rig.tries = 0.0, 10
    with pytest.raises(StoreBusy):
        rig.waiting.retry(rig.work)
    assert rig.tries - 10 <= 10.0 / REST


def test_who_does_not_wait_at_all_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path, 0.0, monkeypatch)
    with pytest.raises(StoreBusy):
        rig.waiting.retry(rig.work)
    assert rig.tries == 0


def test_this_process_is_not_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "db-shm").touch()
    inode = (tmp_path / "db-shm").stat().st_ino
    (tmp_path / "locks").write_text(f"1: POSIX  ADVISORY  WRITE {os.getpid()} fe:00:{inode} 120 120\n")
    monkeypatch.setattr("kvassfs.store.waiting.LOCKS", str(tmp_path / "locks"))
    waiting = Waiting(str(tmp_path / "db"), 1.0)
    assert waiting.find_holder() == Holder()
    (tmp_path / "locks").write_text(f"1: POSIX  ADVISORY  WRITE 1 fe:00:{inode} 120 120\n")
    assert waiting.find_holder() == Holder(1)
    (tmp_path / "locks").unlink()
    assert waiting.find_holder() == Holder()


def test_nobody_is_stopped_who_is_not_there() -> None:
    assert not Machine().is_stopped(os.getpid())
    assert not Machine().is_stopped(0)
