"""kvassfs.mount.beneath"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.mount.beneath import RECORD, Beneath, Record, can_close, decide_mode, parse_record


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (path := tmp_path / "directory").mkdir()
    path.chmod(0o775)
    return path


@pytest.fixture
def beneath(directory: Path) -> Iterator[Beneath]:
    with Beneath(str(directory)) as found:
        yield found


def mode_of(directory: Path) -> int:
    return stat.S_IMODE(directory.stat().st_mode)


def fail(*_: object) -> None:
    raise OSError(errno.EROFS, "Read-only file system")


@pytest.mark.parametrize(
    ("value", "record"),
    [
        (b"755 0a1b", Record(0o755, "0a1b")),
        (b"1777 00", Record(0o1777, "00")),
        (b"", None),
        (b"755", None),
        (b"999 00", None),
        (b"77777 00", None),
        (b"755 00\n", None),
        (b"\xff\xff", None),
    ],
)
def test_only_a_record_of_ours_is_one(value: bytes, record: Record | None) -> None:
    assert parse_record(value) == record
    assert record is None or record.to_bytes() == value


@pytest.mark.parametrize(
    ("mode", "recorded", "wanted"),
    [
        (0o555, 0o755, 0o755),
        (0o555, 0o775, 0o775),
        (0o500, 0o700, 0o700),
        (0o1555, 0o1777, 0o1777),
        (0o2555, 0o2775, 0o2775),
        (0o755, 0o755, 0o755),  # a crash before it was closed, or after it was opened again
        (0o700, 0o755, 0o700),  # somebody has given it another mode meanwhile
        (0o500, 0o755, 0o500),
    ],
)
def test_a_mode_comes_back_unless_somebody_has_changed_it(mode: int, recorded: int, wanted: int) -> None:
    assert decide_mode(mode, Record(recorded, "00")) == wanted


@pytest.mark.parametrize(
    ("mode", "owner", "group", "user", "possible"),
    [
        (0o755, 1000, 1000, 1000, True),
        (0o755, 1000, 1000, 0, True),
        (0o755, 0, 0, 1000, False),
        (0o555, 1000, 1000, 1000, False),  # closed by its owner
        (0o2775, 1000, 1000, 1000, True),
        (0o2775, 1000, 50, 1000, False),
        (0o2775, 1000, 50, 0, True),
    ],
)
def test_what_can_be_taken_back_is_closed(mode: int, owner: int, group: int, user: int, possible: bool) -> None:
    status = os.stat_result((stat.S_IFDIR | mode, 0, 0, 1, owner, group, 0, 0, 0, 0))
    assert can_close(status, user, frozenset({1000})) == possible


def test_a_directory_is_closed_and_opened_again(beneath: Beneath, directory: Path) -> None:
    assert beneath.close()
    assert mode_of(directory) == 0o555
    assert beneath.reopen(own=True)
    assert mode_of(directory) == 0o775
    assert os.listxattr(directory) == []
    assert not beneath.reopen()


def test_what_another_mount_has_closed_is_its_own(beneath: Beneath, directory: Path) -> None:
    with Beneath(str(directory)) as later:
        beneath.close()
        assert later.reopen()
        later.close()
        assert not beneath.reopen(own=True)
        assert mode_of(directory) == 0o555
        assert later.reopen(own=True)
    assert mode_of(directory) == 0o775


def test_a_mode_that_was_changed_meanwhile_stays(beneath: Beneath, directory: Path) -> None:
    beneath.close()
    directory.chmod(0o711)
    assert not beneath.reopen()
    assert mode_of(directory) == 0o711
    assert os.listxattr(directory) == []


def test_where_there_are_no_attributes_nothing_is_changed(
    beneath: Beneath, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "setxattr", fail)
    assert not beneath.close()
    assert mode_of(directory) == 0o775


def test_where_the_mode_cannot_be_changed_nothing_is_recorded(
    beneath: Beneath, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fchmod", fail)
    assert not beneath.close()
    assert os.listxattr(directory) == []


@pytest.mark.parametrize(("step", "mode"), [("setxattr", 0o775), ("fchmod", 0o555)])
def test_a_crash_after_each_step_of_closing_is_repaired(
    beneath: Beneath, directory: Path, monkeypatch: pytest.MonkeyPatch, step: str, mode: int
) -> None:
    crash_after(monkeypatch, step)
    with pytest.raises(Crash):
        beneath.close()
    monkeypatch.undo()
    assert mode_of(directory) == mode
    with Beneath(str(directory)) as later:
        later.reopen()
        assert mode_of(directory) == 0o775
        assert later.close()
        later.reopen()
    assert mode_of(directory) == 0o775
    assert os.listxattr(directory) == []


def test_a_crash_while_it_is_opened_is_repaired(
    beneath: Beneath, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beneath.close()
    crash_after(monkeypatch, "fchmod")
    with pytest.raises(Crash):
        beneath.reopen()
    monkeypatch.undo()
    assert mode_of(directory) == 0o775
    beneath.reopen()
    assert mode_of(directory) == 0o775
    assert os.listxattr(directory) == []


class Crash(BaseException):
    """The process was killed."""


def crash_after(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    real = getattr(os, step)

    def crash(*arguments: object) -> None:
        real(*arguments)
        raise Crash

    monkeypatch.setattr(os, step, crash)


def test_one_claims_a_directory_at_a_time(beneath: Beneath, directory: Path) -> None:
    assert beneath.claim()
    with Beneath(str(directory)) as other:
        assert not other.claim()


def test_what_is_in_it_is_seen(beneath: Beneath, directory: Path) -> None:
    assert beneath.names() == []
    (directory / "doc").touch()
    assert beneath.names() == ["doc"]


def test_an_attribute_of_somebody_else_is_left_alone(beneath: Beneath, directory: Path) -> None:
    os.setxattr(directory, RECORD, b"mine")
    assert not beneath.reopen()
    assert os.getxattr(directory, RECORD) == b"mine"
    assert mode_of(directory) == 0o775
