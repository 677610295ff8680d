"""Calls that the program makes to its own mount: they are known by process and path, and change nothing."""

from __future__ import annotations

import ctypes
import errno
import importlib
import os
from typing import Any

import pytest

from kvassfs.mount import operations
from kvassfs.mount.binding import BINDINGS, choose
from kvassfs.mount.own_calls import NO_FILE, Expected, make_callbacks
from tests.unit.mount.test_operations import Recorder

OWN, OTHER = 4711, 4712


class Fixture:
    """The callbacks of one binding over a `Recorder`, with a call on ``/file`` expected of the process `OWN`."""

    def __init__(self, name: str) -> None:
        binding = choose(name)
        self.filesystem = Recorder()
        self.caller = OWN
        self.expected = Expected()
        self.expected.pid, self.expected.path = OWN, b"/file"
        self.call = make_callbacks(
            self.filesystem,  # type: ignore[arg-type]
            binding.layout,
            self.expected,
            lambda: self.caller,
        )
        self.info = importlib.import_module(BINDINGS[name][0]).fuse_file_info(flags=os.O_RDWR, fh=99)
        self.at = ctypes.addressof(self.info)

    @property
    def asked(self) -> list[str]:
        return [name for name, *_ in self.filesystem.calls]


@pytest.fixture(params=BINDINGS)
def fuse(request: pytest.FixtureRequest) -> Fixture:
    return Fixture(request.param)


def test_no_directory_is_made(fuse: Fixture) -> None:
    assert fuse.call["mkdir"](b"/file", 0o700) == -errno.EEXIST
    assert fuse.asked == []


def test_nothing_is_opened_and_nothing_ends(fuse: Fixture) -> None:
    assert fuse.call["open"](b"/file", fuse.at) == 0
    assert fuse.info.fh == NO_FILE
    fuse.expected.path = None  # release() comes whenever it likes
    assert fuse.call["flush"](b"/file", fuse.at) == 0
    assert fuse.call["release"](b"/file", fuse.at) == 0
    assert fuse.asked == []


def test_the_kernel_is_not_told_to_keep_the_content(fuse: Fixture) -> None:
    fuse.call["open"](b"/file", fuse.at)
    assert not fuse.info.keep_cache


@pytest.mark.parametrize("who", ["another process", "another path", "nothing is expected"])
def test_the_calls_of_others_are_real(fuse: Fixture, who: str) -> None:
    if who == "another process":
        fuse.caller = OTHER
    path = b"/other" if who == "another path" else b"/file"
    if who == "nothing is expected":
        fuse.expected.path = None
    fuse.filesystem.answers["open"] = 7
    assert fuse.call["mkdir"](path, 0o700) == 0
    assert fuse.call["open"](path, fuse.at) == 0
    assert fuse.info.fh == 7
    assert fuse.call["flush"](path, fuse.at) == 0
    assert fuse.call["release"](path, fuse.at) == 0
    assert fuse.asked == ["mkdir", "open", "flush", "release"]


def test_it_has_the_callbacks_that_there_are_without(fuse: Fixture) -> None:
    recorder: Any = Recorder()
    assert set(fuse.call) == set(operations.make_callbacks(recorder, choose("auto").layout))
