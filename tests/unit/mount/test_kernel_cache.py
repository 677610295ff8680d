"""The notifications that the kernel gets, byte for byte (linux/fuse.h), with a pipe for the kernel."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kvassfs.mount.kernel_cache import ROOT_INODE, KernelCache


class Kernel:
    """A cache whose notifications go into a pipe; the "mount" is a plain directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._reading, self.device = os.pipe()
        os.set_blocking(self._reading, False)
        self.cache = KernelCache(str(directory))
        self.cache.attach(self.device)

    def notified(self) -> list[tuple[int | str, ...]]:
        """Return what was sent since the last look, without lengths."""
        found: list[tuple[int | str, ...]] = []
        try:
            data = os.read(self._reading, 65536)
        except BlockingIOError:
            return found
        while data:
            length, code, unique = struct.unpack_from("=IiQ", data)
            body, data = data[16:length], data[length:]
            assert unique == 0
            found.append(self._inode(body) if code == 2 else self._entry(code, body))
        return found

    @staticmethod
    def _inode(body: bytes) -> tuple[int | str, ...]:
        inode, offset, length = struct.unpack("=Qqq", body)
        assert (offset, length) == (0, 0)
        return ("inode", inode)

    @staticmethod
    def _entry(code: int, body: bytes) -> tuple[int | str, ...]:
        assert code == 3
        parent, length, flags = struct.unpack_from("=QII", body)
        assert flags == 0
        assert body[16 + length :] == b"\0"
        return ("entry", parent, body[16:-1].decode())

    def inode(self, name: str) -> int:
        return (self.directory / name).stat().st_ino

    def close(self) -> None:
        os.close(self._reading)
        os.close(self.device)


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    found = Kernel(tmp_path)
    yield found
    found.close()


def test_a_file_is_forgotten_by_its_inode(kernel: Kernel) -> None:
    (kernel.directory / "file").touch()
    kernel.cache.invalidate("/file")
    assert kernel.notified() == [("inode", kernel.inode("file"))]


def test_the_root_has_its_own_inode(kernel: Kernel) -> None:
    kernel.cache.invalidate("/")
    assert kernel.notified() == [("inode", ROOT_INODE)]


def test_a_file_that_is_not_there_yet_is_forgotten_by_its_name(kernel: Kernel) -> None:
    kernel.cache.invalidate("/é")
    assert kernel.notified() == [("entry", ROOT_INODE, "é")]


def test_a_file_of_another_type_is_forgotten_by_its_name(kernel: Kernel) -> None:
    (kernel.directory / "name").mkdir()
    kernel.cache.invalidate("/name", stat.S_IFDIR | 0o700)
    kernel.cache.invalidate("/name", stat.S_IFREG | 0o600)
    assert kernel.notified() == [("inode", kernel.inode("name")), ("entry", ROOT_INODE, "name")]


def test_a_name_is_forgotten_in_its_directory(kernel: Kernel) -> None:
    (kernel.directory / "a").mkdir()
    kernel.cache.invalidate_entry("/a", "b")
    kernel.cache.invalidate_entry("/", "c")
    assert kernel.notified() == [("entry", kernel.inode("a"), "b"), ("entry", ROOT_INODE, "c")]


@pytest.mark.parametrize("make", ["nothing", "file"])
def test_what_hides_a_name_is_forgotten_instead(kernel: Kernel, make: str) -> None:
    (kernel.directory / "a").mkdir()
    if make == "file":
        (kernel.directory / "a" / "b").touch()
    kernel.cache.invalidate_entry("/a/b/c", "d")
    kernel.cache.invalidate("/a/b/c")
    assert kernel.notified() == [("entry", kernel.inode("a"), "b")] * 2


def test_nothing_is_sent_after_the_end(kernel: Kernel) -> None:
    kernel.cache.detach()
    kernel.cache.invalidate("/")
    assert kernel.notified() == []


def test_another_file_that_got_the_descriptor_is_left_alone(kernel: Kernel) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    other = os.dup(kernel.device)
    kernel.cache.attach(null)
    os.dup2(other, null)
    kernel.cache.invalidate("/")
    for descriptor in (null, other):
        os.close(descriptor)
    assert kernel.notified() == []


def test_a_mount_that_does_not_answer_any_more_is_no_error(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> os.stat_result:
        raise OSError(107, "Transport endpoint is not connected")

    monkeypatch.setattr("os.lstat", refuse)
    kernel.cache.invalidate("/file")
    assert kernel.notified() == []


def test_what_the_kernel_does_not_know_is_no_error(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _data: bytes) -> int:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr("os.write", refuse)
    kernel.cache.invalidate("/")


def test_the_attributes_are_fetched_at_once_lest_the_type_has_changed_when_somebody_asks(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kernel.directory / "file").touch()
    calls: list[str] = []

    def recorded(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append(name)
            return real(*arguments)

        return call

    for name in ("lstat", "write"):
        monkeypatch.setattr(f"os.{name}", recorded(name, getattr(os, name)))
    kernel.cache.invalidate("/file")
    assert calls == ["lstat", "write", "lstat"]


@pytest.mark.parametrize("failing", [1, 2])
def test_an_inode_that_has_another_type_by_now_is_forgotten_by_its_name(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """The kernel makes it a bad one, for which all calls fail."""
    (kernel.directory / "file").touch()
    numbers = itertools.count(1)
    real = os.lstat

    def lstat(path: str) -> os.stat_result:
        if next(numbers) == failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path)

    monkeypatch.setattr("os.lstat", lstat)
    kernel.cache.invalidate("/file")
    name, inode = ("entry", ROOT_INODE, "file"), ("inode", kernel.inode("file"))
    assert kernel.notified() == ([name, inode] if failing == 1 else [inode, name])


@pytest.mark.parametrize("call", ["lstat", "write"])
def test_what_the_kernel_may_not_have_forgotten_is_an_error(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(f"os.{call}", refuse)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        kernel.cache.invalidate("/file")
