"""The calls to the mount, for which a plain directory stands here: where they go, and where not."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from kvassfs.mount.calls import Calls

SERVER = 4711
FILE = stat.S_IFREG | 0o600


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory whose root says that it is served by `SERVER`."""
    path = tmp_path / "mount"
    path.mkdir()

    def getxattr(asked: str, _name: str) -> bytes:
        if os.path.samefile(asked, path):
            return b"%d" % SERVER
        raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))

    monkeypatch.setattr("os.getxattr", getxattr)
    return path


@pytest.fixture
def calls(directory: Path) -> Calls:
    return Calls(str(directory), SERVER)


def test_a_file_gets_another_name_in_its_directory(calls: Calls, directory: Path) -> None:
    (directory / "a").mkdir()
    (directory / "a/old").touch()
    calls.rename("/a/old", "new")
    assert os.listdir(directory / "a") == ["new"]


def test_a_path_may_be_longer_than_a_call_takes(calls: Calls, directory: Path) -> None:
    names = ["x" * 250] * 20
    descriptor = os.open(directory, os.O_PATH)
    for name in names:
        os.mkdir(name, dir_fd=descriptor)
        below = os.open(name, os.O_PATH, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(os.open("old", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    calls.rename(f"/{'/'.join(names)}/old", "new")
    assert stat.S_ISREG(os.stat("new", dir_fd=descriptor).st_mode)
    os.close(descriptor)


def test_a_symbolic_link_on_the_way_is_not_followed(calls: Calls, directory: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/old").touch()
    (directory / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotADirectoryError):
        calls.rename("/link/old", "new")
    calls.invalidate("/link/old", FILE, False)
    assert os.listdir(tmp_path / "elsewhere") == ["old"]


def test_a_directory_where_this_mount_is_not_seen_is_left_alone(directory: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "old").touch()
    for calls in (Calls(str(other), SERVER), Calls(str(directory), SERVER + 1), Calls("/nowhere", SERVER)):
        with pytest.raises(OSError, match=os.strerror(errno.ENOTCONN)) as caught:
            calls.rename("/old", "new")
        assert caught.value.errno == errno.ENOTCONN
    assert os.listdir(other) == ["old"]


def test_nothing_is_left_open(calls: Calls, directory: Path) -> None:
    (directory / "a").mkdir()
    (directory / "a/old").touch()
    calls.rename("/a/old", "new")  # and what is opened once is
    before = os.listdir("/proc/self/fd")
    calls.invalidate("/a/new", FILE, False)
    calls.invalidate("/a", stat.S_IFDIR | 0o700, False)
    calls.invalidate("/", stat.S_IFDIR | 0o700, False)
    calls.invalidate("/a/none", None, False)
    calls.invalidate("/none/none", FILE, False)
    calls.invalidate("/a/new", FILE, True)
    with pytest.raises(FileNotFoundError):
        calls.rename("/a/none", "new")
    with pytest.raises(FileNotFoundError):
        calls.rename("/none/old", "new")
    assert os.listdir("/proc/self/fd") == before
