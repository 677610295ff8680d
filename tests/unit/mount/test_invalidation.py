"""What the kernel is told of others' changes: all of it, once, and again where it could not be told."""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.errors import StoreBusy
from kvassfs.mount.announcing import Announcer
from kvassfs.mount.invalidation import Invalidation
from kvassfs.mount.store_thread import RETRY_PAUSE
from kvassfs.store import Event, Position, Store
from tests.support.stores import is_scratch, save

SECONDS = 20.0


SUPERSEDED = ".superseded"


class Kernel:
    """A kernel that notes what it is to forget, or fails as often as the test wants."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []
        self.failures: dict[str, list[Exception]] = {}

    def invalidate(self, path: str, mode: int | None, /, *, is_new: bool = False) -> None:
        if failures := self.failures.get(path):
            raise failures.pop()
        kind = "gone" if mode is None else "directory" if stat.S_ISDIR(mode) else "file"
        self.forgotten.append(f"{path} {kind}")

    def taken(self) -> list[str]:
        forgotten, self.forgotten = sorted(set(self.forgotten)), []
        return forgotten


class Rig:
    """The store of a mount at ``directory``, another connection to it, and what runs between them and the kernel."""

    def __init__(self, own: Store, other: Store, directory: Path) -> None:
        self.own = own
        self.other = other
        self.directory = directory
        self.open: set[str] = set()
        self.pause: float | None = None
        self.kernel = Kernel()
        self.announced: list[str] = []
        self.refusals: list[OSError] = []
        self.invalidation = Invalidation(
            own,
            announcer=Announcer(self._announce, lambda: True),
            is_open=self.open.__contains__,
            invalidate=self.kernel.invalidate,
            rename=self._rename,
            superseded=SUPERSEDED,
        )

    def _announce(self, path: str, event: Event, _mode: int, /) -> None:
        self.announced.append(f"{event.value} {path}")

    def _rename(self, old: str, name: str) -> None:
        if self.refusals:
            raise self.refusals.pop()
        path = Path(f"{self.directory}{old}")
        path.rename(path.with_name(name))

    def look(self) -> list[str]:
        """Look, and return what the kernel is told."""
        self.pause = self.invalidation.look(self.other)
        return self.kernel.taken()

    def change(self, *keys: str) -> None:
        for key in keys:
            self.other.set(key, os.urandom(4))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    (tmp_path / "mount").mkdir()
    with Store.open(tmp_path / "db") as own, Store.open(tmp_path / "db") as other:
        yield Rig(own, other, tmp_path / "mount")


def refused(number: int = errno.EIO) -> OSError:
    return OSError(number, os.strerror(number))


class TestChange:
    def test_by_others_is_told_once(self, rig: Rig) -> None:
        rig.change("a/b")
        assert rig.look() == ["/ directory", "/a directory", "/a/b file"]
        assert rig.pause is None
        assert rig.look() == []

    def test_by_the_mount_itself_is_not_told(self, rig: Rig) -> None:
        save(rig.own, "mine", b"value")
        rig.change("other")
        assert rig.look() == ["/ directory", "/other file"]

    def test_that_removes_a_key_is_told_of_its_name(self, rig: Rig) -> None:
        rig.change("a")
        rig.look()
        rig.other.delete("a")
        assert rig.look() == ["/ directory", "/a gone"]

    def test_of_the_key_of_a_directory_is_told_of_both(self, rig: Rig) -> None:
        rig.change("a", "a/b")
        assert rig.look() == ["/ directory", "/a directory", "/a/%@ file", "/a/b file"]

    def test_of_a_key_that_ends_in_a_slash_is_told_of_its_file(self, rig: Rig) -> None:
        rig.change("a/")
        assert rig.look() == ["/ directory", "/a directory", "/a/% file"]
        rig.change("a/")
        assert "/a/% file" in rig.look()

    def test_is_told_from_above(self, rig: Rig) -> None:
        """What hides another name is forgotten first."""
        rig.change("a/b/c")
        rig.invalidation.look(rig.other)
        assert rig.kernel.forgotten == ["/ directory", "/a directory", "/a/b directory", "/a/b/c file"]

    def test_of_a_directory_is_told_of_it(self, rig: Rig) -> None:
        rig.other.tree.directories.make("d/", stat.S_IFDIR | 0o700, is_scratch=is_scratch)
        assert rig.look() == ["/ directory", "/d directory", "/d/% gone", "/d/%@ gone"]


class TestFailure:
    def test_is_tried_again(self, rig: Rig) -> None:
        rig.kernel.failures = {"/a/b": [refused()]}
        rig.change("a/b")
        assert rig.look() == ["/ directory", "/a directory"]
        assert rig.pause == RETRY_PAUSE
        assert rig.look() == ["/a/b file"]
        assert rig.look() == []

    def test_of_a_directory_is_tried_again(self, rig: Rig) -> None:
        rig.kernel.failures = {"/a": [refused()]}
        rig.change("a/b")
        assert rig.look() == ["/ directory", "/a/b file"]
        assert rig.look() == ["/a directory"]

    def test_without_end_holds_nothing_else_up(self, rig: Rig) -> None:
        rig.kernel.failures = {"/bad": [refused()] * 100}
        rig.change("bad", "good")
        assert rig.look() == ["/ directory", "/good file"]
        rig.change("better")
        assert rig.look() == ["/ directory", "/better file"]
        rig.kernel.failures.clear()
        assert rig.look() == ["/bad file"]

    def test_is_tried_again_with_what_is_there_by_then(self, rig: Rig) -> None:
        rig.kernel.failures = {"/a": [refused()]}
        rig.change("a")
        rig.look()
        rig.other.delete("a")
        assert rig.look() == ["/ directory", "/a gone"]

    def test_is_logged_in_a_line_and_once(self, rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
        rig.kernel.failures = {"/a": [refused()] * 3}
        rig.change("a")
        for _ in range(4):
            rig.look()
        (record,) = caplog.records
        assert (record.levelno, bool(record.exc_info)) == (logging.WARNING, False)
        assert record.getMessage() == "cannot invalidate 'a' yet: [Errno 5] Input/output error"

    def test_that_nobody_expected_is_logged_with_its_traceback(
        self, rig: Rig, caplog: pytest.LogCaptureFixture
    ) -> None:
        rig.kernel.failures = {"/a": [ValueError("a bug")]}
        rig.change("a")
        rig.look()
        assert "ValueError: a bug" in caplog.text
        assert rig.look() == ["/a file"]

    def test_to_read_the_store_loses_nothing(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: Position, *, but_by: int) -> None:
            raise StoreBusy("/db")

        rig.change("a")
        with monkeypatch.context() as patch:
            patch.setattr(rig.other.feed, "since", fail)
            with pytest.raises(StoreBusy):
                rig.look()
        assert rig.look() == ["/ directory", "/a file"]

    def test_to_look_a_key_up_loses_nothing(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: str) -> None:
            raise StoreBusy("/db")

        rig.change("a")
        with monkeypatch.context() as patch:
            patch.setattr(rig.other.tree, "lookup", fail)
            assert rig.look() == ["/ directory"]
        assert rig.look() == ["/a file"]

    def test_is_tried_again_by_the_thread_although_nobody_commits(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("kvassfs.mount.invalidation.RETRY_PAUSE", 0.01)
        rig.kernel.failures = {"/a": [refused()] * 3}
        rig.change("a")
        rig.invalidation.start()
        deadline = time.monotonic() + SECONDS
        while "/a file" not in rig.kernel.forgotten:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        rig.invalidation.stop()


class TestOpenFile:
    """An open file that others changed is renamed in the mount, for which a plain directory stands here."""

    def test_gets_a_name_of_its_own(self, rig: Rig) -> None:
        (rig.directory / "file").touch()
        rig.open.add("file")
        rig.change("file")
        assert rig.look() == ["/ directory", "/file file"]
        assert os.listdir(rig.directory) == [f"{SUPERSEDED}1"]
        assert rig.announced == ["created /file"]

    @pytest.mark.parametrize("number", [errno.EBUSY, errno.ENOENT, errno.EROFS])
    def test_that_the_mount_keeps_is_no_failure(self, rig: Rig, number: int, caplog: pytest.LogCaptureFixture) -> None:
        rig.refusals = [refused(number)]
        rig.open.add("file")
        rig.change("file")
        assert rig.look() == ["/ directory", "/file file"]
        assert caplog.records == []

    def test_that_cannot_be_renamed_is_tried_again(self, rig: Rig) -> None:
        (rig.directory / "file").touch()
        rig.open.add("file")
        rig.change("file")
        rig.refusals = [refused(), refused()]  # before watchers are told, and then
        assert rig.look() == ["/ directory"]
        assert rig.look() == ["/file file"]
        assert os.listdir(rig.directory) == [f"{SUPERSEDED}3"]


def test_the_thread_does_not_fail_when_it_is_stopped_at_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.change(*(f"key {number}" for number in range(100)))
    rig.invalidation.start()
    rig.invalidation.stop()
    assert caplog.records == []


def test_conflicts_are_logged_once_whoever_finds_them(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.other.settings.set_name("laptop")
    rig.other.set("key", b"here")
    lost = Entry("key", 1, 1, 4711, "token", 5, seen="")
    rig.other.inbox.merge_pulled([Delivery(lost, 1, b"there")], cursor=None, epoch=1)
    for _ in range(3):
        rig.look()
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "'key': the version of 4711 lost to that of laptop, and neither knew the other; `kvass get key --rev 1` shows it"
    ]


def test_what_was_not_taken_from_the_hub_is_logged_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        rig.other.sealed.note_pulled((), [("~name", "it is forged"), ("\x1b[2J", "it is not sealed")])
        rig.look()
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "not taken from the hub, '\\x1b[2J': it is not sealed",
        "not taken from the hub, ~name: it is forged",
    ]
