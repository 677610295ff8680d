"""Renames that fail halfway: open files keep the names that they had."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kvassfs.errors import DiskFull
from kvassfs.mount.filesystem import Filesystem
from kvassfs.mount.renaming import SWAP
from kvassfs.scratch import ScratchNames
from kvassfs.store import Store


class Rig:
    """A file system over a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.filesystem = Filesystem(store, scratch=ScratchNames(), clock=time.time_ns, uid=0, gid=0)

    def write(self, path: str, value: bytes) -> None:
        handle = self.filesystem.create(path, 0o600, os.O_WRONLY)
        self.append(handle, value)
        self.filesystem.release(handle)

    def append(self, handle: int, value: bytes) -> None:
        self.filesystem.write(handle, value, self.filesystem.getattr("", handle).size)
        self.filesystem.flush(handle)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Store.open(tmp_path / "db") as store:
        yield Rig(store)


def fail(*_: object, **__: object) -> None:
    raise DiskFull("/db")


def test_a_rename_that_fails_leaves_the_file_that_it_would_have_replaced(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.write("/a", b"source")
    rig.write("/b", b"target")
    handle = rig.filesystem.open("/b", os.O_RDWR)
    with monkeypatch.context() as patch:
        patch.setattr(rig.store.tree, "rename", fail)
        with pytest.raises(DiskFull):
            rig.filesystem.rename("/a", "/b")
    rig.append(handle, b" goes on")
    assert rig.store.get("b").read() == b"target goes on"


@pytest.mark.parametrize("failing", [1, 2])
def test_a_swap_of_directories_that_fails_leaves_both_as_they_were(
    rig: Rig, failing: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("one", "other"):
        rig.filesystem.mkdir(f"/{name}", 0o700)
        rig.write(f"/{name}/file", name.encode())
    handles = {name: rig.filesystem.open(f"/{name}/file", os.O_RDWR) for name in ("one", "other")}
    with monkeypatch.context() as patch:
        patch.setattr(rig.store.tree, "file", failing_at(failing, rig.store.tree.file))
        with pytest.raises(DiskFull):
            rig.filesystem.rename("/one", "/other", SWAP)
    with caplog.at_level(logging.WARNING):
        for handle in handles.values():
            rig.append(handle, b" goes on")
    assert {key: rig.store.get(key).read() for key in rig.store.keys()} == {
        "one/file": b"one goes on",
        "other/file": b"other goes on",
    }
    assert caplog.records == []  # nobody changed them elsewhere


def failing_at(number: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that fails at its call with this number."""
    calls = iter(range(1, 100))

    def call(*arguments: object, **named: object) -> Any:
        if next(calls) == number:
            fail()
        return real(*arguments, **named)

    return call
