"""Calls that the program makes to its own mount: they are known by process and path, and change nothing."""

from __future__ import annotations

import ctypes
import errno
import importlib
import os
import stat
from typing import Any

import pytest

from kvassfs.mount import operations
from kvassfs.mount.binding import BINDINGS, choose
from kvassfs.mount.own_calls import NO_FILE, Expected, make_callbacks
from kvassfs.store import Event
from tests.unit.mount.test_operations import FILE, Recorder

OWN, OTHER = 4711, 4712


class Fixture:
    """The callbacks of one binding over a `Recorder`, with a call on ``/file`` expected of the process `OWN`."""

    def __init__(self, name: str) -> None:
        binding = choose(name)
        self.filesystem = Recorder()
        self.caller = OWN
        self.expected = Expected()
        self.expect(None)
        self.call = make_callbacks(
            self.filesystem,  # type: ignore[arg-type]
            binding.layout,
            self.expected,
            lambda: self.caller,
        )
        self.module = importlib.import_module(BINDINGS[name][0])
        self.info = self.module.fuse_file_info(flags=os.O_RDWR, fh=99)
        self.at = ctypes.addressof(self.info)

    def expect(self, event: Event | None) -> None:
        self.expected.begin("/file", OWN, event, stat.S_IFREG | 0o640)

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
    fuse.expected.end()  # release() comes whenever it likes
    assert fuse.call["flush"](b"/file", fuse.at) == 0
    assert fuse.call["release"](b"/file", fuse.at) == 0
    assert fuse.asked == []


def test_the_kernel_is_not_told_to_keep_the_content(fuse: Fixture) -> None:
    fuse.call["open"](b"/file", fuse.at)
    assert not fuse.info.keep_cache


def test_what_has_another_path_by_now_is_not_changed(fuse: Fixture) -> None:
    """A directory above may have been renamed since the call began."""
    for event in (None, *Event):
        fuse.expect(event)
        assert fuse.call["mkdir"](b"/other", 0o700) == -errno.EEXIST
        assert fuse.call["create"](b"/other", 0o600, fuse.at) == -errno.EEXIST
        assert fuse.call["symlink"](b"target", b"/other") == -errno.EEXIST
        for name in ("unlink", "rmdir"):
            assert fuse.call[name](b"/other") == -errno.EBUSY
        assert fuse.call["rename"](b"/other", b"/another") == -errno.EBUSY
        assert fuse.call["utimens"](b"/other", 0) == 0
        assert fuse.call["open"](b"/other", fuse.at) == 0
    assert fuse.asked == []


@pytest.mark.parametrize("path", [b"/file", b"/other"])
def test_the_calls_of_others_are_real(fuse: Fixture, path: bytes) -> None:
    fuse.caller = OTHER
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


# Events


def missing() -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def mode_of(fuse: Fixture, info: int = 0) -> int:
    """Return the errno, negative, or the mode that getattr() answers."""
    status = fuse.module.c_stat()
    answer = fuse.call["getattr"](b"/file", ctypes.addressof(status), info)
    return answer or status.st_mode


def test_what_is_new_is_missing_once_and_made_without_being_made(fuse: Fixture) -> None:
    fuse.filesystem.answers["getattr"] = FILE
    fuse.expect(Event.CREATED)
    assert mode_of(fuse) == -errno.ENOENT
    assert fuse.call["create"](b"/file", 0o600, fuse.at) == 0
    assert mode_of(fuse, fuse.at) == FILE.mode
    assert fuse.call["release"](b"/file", fuse.at) == 0
    assert fuse.call["mkdir"](b"/file", 0o700) == 0
    assert fuse.call["symlink"](b"target", b"/file") == 0
    assert fuse.asked == ["getattr"]


def test_others_see_what_is_new(fuse: Fixture) -> None:
    fuse.filesystem.answers["getattr"] = FILE
    fuse.expect(Event.CREATED)
    fuse.caller = OTHER
    assert mode_of(fuse) == FILE.mode


def test_what_has_changed_gets_no_other_time(fuse: Fixture) -> None:
    fuse.expect(Event.CHANGED)
    assert fuse.call["utimens"](b"/file", 0) == 0
    assert fuse.asked == []


def test_what_is_gone_is_there_and_removed_without_being_removed(fuse: Fixture) -> None:
    fuse.filesystem.answers["getattr"] = missing()
    fuse.expect(Event.REMOVED)
    assert mode_of(fuse) == stat.S_IFREG | 0o640
    for name in ("unlink", "rmdir"):
        assert fuse.call[name](b"/file") == 0
    assert set(fuse.asked) == {"getattr"}


def test_what_is_there_again_is_not_removed(fuse: Fixture) -> None:
    fuse.filesystem.answers["getattr"] = FILE
    fuse.expect(Event.REMOVED)
    for name in ("unlink", "rmdir"):
        assert fuse.call[name](b"/file") == -errno.EBUSY
    assert fuse.call["rename"](b"/file", b"/.fuse_hidden0000000100000001") == -errno.EBUSY


def test_a_file_is_set_apart_by_a_real_rename(fuse: Fixture) -> None:
    assert fuse.call["rename"](b"/file", b"/.superseded") == 0
    assert fuse.asked == ["rename"]
