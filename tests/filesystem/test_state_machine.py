"""Random operations on a directory, held against the model after each step.

A step is one call or one small habit of programs (a save, an append). Handles stay open across steps. After each
step the whole tree is compared: names, types, modes, sizes, times, and in half of the runs contents, too (in the other half
reading would hide what a handle has not yet written). On the file-system layer the machine also restarts it,
and in the end compares the keys of the store.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.filesystem.direct_driver import DirectDriver
from tests.filesystem.driver import RENAME_EXCHANGE, RENAME_NOREPLACE, Driver, Handle, Status, Times, write_all
from tests.filesystem.model import Model, ModelHandle, Node
from tests.filesystem.os_driver import OsDriver
from tests.support.searches import examples

HANDLES = 4
START = time.time_ns() - 10**9

NAMES = ["a", "b", "%", "a~", ".a.swp", "%@"]
"""Keys, an escaped name (the empty component), scratch names, and the name of a directory's own value."""

COMPONENTS = {"%": ""}
SCRATCH = {"a~", ".a.swp"}

FLAGS = [
    os.O_RDONLY,
    os.O_WRONLY,
    os.O_RDWR,
    os.O_RDWR | os.O_CREAT,
    os.O_RDWR | os.O_TRUNC,
    os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    os.O_RDWR | os.O_CREAT | os.O_EXCL,
    os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    os.O_RDWR | os.O_APPEND,
]

EDGES = [0, 1, 7, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 300_000]


def _large(seed: int, size: int) -> bytes:
    """Bytes that differ from block to block and from seed to seed."""
    unit = b"".join((seed * 1000 + number).to_bytes(4) for number in range(256))
    return (unit * (size // len(unit) + 1))[:size]


names = st.sampled_from(NAMES)
any_paths = st.lists(names, min_size=1, max_size=3).map("/".join)
there = st.runner().flatmap(lambda machine: st.sampled_from(machine.model.paths() or ["a"]))
directories = st.runner().flatmap(lambda machine: st.sampled_from(["", *machine.model.paths(stat.S_IFDIR)]))
in_directories = st.tuples(directories, names).map(lambda parts: "/".join(parts).removeprefix("/"))
paths = st.one_of(there, in_directories, any_paths)
"""Of what is there, could be, or is not, in equal parts."""
old_paths = st.one_of(there, there, there, paths)
"""Mostly of what is there, for what asks for it."""
small = st.binary(max_size=12)
contents = st.one_of(small, small, st.builds(_large, st.integers(0, 99), st.sampled_from(EDGES)))
offsets = st.one_of(st.integers(0, 20), st.sampled_from(EDGES))
file_modes = st.sampled_from([0o600, 0o644, 0o755, 0o700])
directory_modes = st.sampled_from([0o700, 0o755, 0o750])
times = st.sampled_from(
    [
        Times(atime=1, mtime=1),
        Times(atime=10**18, mtime=10**18 + 123_456_789),
        Times(mtime=5 * 10**17),
        Times(atime=10**18),
        Times(atime_now=True, mtime_now=True),
    ]
)
numbers = st.integers(0, HANDLES - 1)

Same = Callable[[Any], Any]


class Machine(RuleBasedStateMachine):
    """Does everything twice, on the driver and on the model."""

    def __init__(self, driver: Driver, *, root: bool = False) -> None:
        super().__init__()
        self.driver = driver
        self.model = Model(kvassfs=driver.capabilities.kvassfs, root=root)
        self.handles: list[tuple[Handle, ModelHandle]] = []
        self.reads_each_step = False
        self.sound = True

    def both(self, act: Same, *, on: tuple[Any, Any] | None = None) -> Any:
        """Do the same on both sides and compare what they return or raise."""
        real, model = on or (self.driver, self.model)
        came, expected = _outcome(act, real), _outcome(act, model)
        self.sound = came == expected
        assert self.sound, f"{came}, where the model says {expected}"
        return came

    def on_handle(self, number: int, act: Same) -> None:
        self.both(act, on=self.handles[number % len(self.handles)])

    @initialize(
        reads=st.booleans(),
        files=st.lists(st.tuples(any_paths, contents), max_size=6),
        opened=st.lists(st.tuples(numbers, st.sampled_from(FLAGS)), max_size=2),
    )
    def begin(self, reads: bool, files: list[tuple[str, bytes]], opened: list[tuple[int, int]]) -> None:
        """Decide what to compare, make some files and the directories above them, and open a few."""
        self.reads_each_step = reads
        for path, content in files:
            for depth in range(1, path.count("/") + 1):
                self.mkdir("/".join(path.split("/")[:depth]), 0o755)
            self.save(path, content)
        for number, flags in opened:
            if files:
                self.open(files[number % len(files)][0], flags, 0o600)

    # Whole files

    @rule(path=paths, content=contents)
    def save(self, path: str, content: bytes) -> None:
        def act(side: Any) -> None:
            handle = side.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            write_all(handle, content)
            handle.close()

        self.both(act)

    @rule(path=paths, content=small)
    def append(self, path: str, content: bytes) -> None:
        def act(side: Any) -> None:
            handle = side.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            handle.write(content)
            handle.close()

        self.both(act)

    @rule(path=old_paths, content=contents, aside=names)
    def save_by_moving_the_old_aside(self, path: str, content: bytes, aside: str) -> None:
        def act(side: Any) -> None:
            side.rename(path, aside)
            handle = side.open(path, os.O_WRONLY | os.O_CREAT)
            handle.truncate(0)
            write_all(handle, content)
            handle.close()
            side.unlink(aside)

        self.both(act)

    @rule(path=paths, content=contents, temporary=names)
    def save_by_renaming_over(self, path: str, content: bytes, temporary: str) -> None:
        def act(side: Any) -> None:
            handle = side.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            write_all(handle, content)
            handle.close()
            side.rename(temporary, path)

        self.both(act)

    @rule(path=old_paths)
    def read(self, path: str) -> None:
        def act(side: Any) -> bytes:
            handle = side.open(path, os.O_RDONLY)
            content: bytes = handle.pread(1 << 20, 0)
            handle.close()
            return content

        if self.model.type_of(path) != stat.S_IFDIR:
            self.both(act)

    @rule(path=old_paths, length=offsets)
    def truncate(self, path: str, length: int) -> None:
        self.both(lambda side: side.truncate(path, length))

    # Names

    @rule(old=old_paths, new=paths, flags=st.sampled_from([0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE]))
    def rename(self, old: str, new: str, flags: int) -> None:
        able = self.driver.capabilities
        if (flags == RENAME_NOREPLACE and not able.noreplace) or (flags == RENAME_EXCHANGE and not able.exchange):
            flags = 0
        self.both(lambda side: side.rename(old, new, flags))

    @rule(path=old_paths)
    def unlink(self, path: str) -> None:
        self.both(lambda side: side.unlink(path))

    @rule(path=paths, mode=directory_modes)
    def mkdir(self, path: str, mode: int) -> None:
        self.both(lambda side: side.mkdir(path, mode))

    @rule(path=old_paths)
    def rmdir(self, path: str) -> None:
        self.both(lambda side: side.rmdir(path))

    @rule(path=paths, leads_to=paths)
    def symlink(self, path: str, leads_to: str) -> None:
        self.both(lambda side: side.symlink(leads_to, path))

    @rule(path=old_paths)
    def readlink(self, path: str) -> None:
        self.both(lambda side: side.readlink(path))

    # Metadata

    @rule(path=old_paths, files=file_modes, directories=directory_modes)
    def chmod(self, path: str, files: int, directories: int) -> None:
        mode = directories if self.model.type_of(path) == stat.S_IFDIR else files
        self.both(lambda side: side.chmod(path, mode))

    @rule(path=old_paths, when=times, follow=st.booleans())
    def utime(self, path: str, when: Times, follow: bool) -> None:
        self.both(lambda side: side.utime(path, when, follow=follow))

    # Handles

    @precondition(lambda self: len(self.handles) < HANDLES)
    @rule(path=old_paths, flags=st.sampled_from(FLAGS), mode=file_modes)
    def open(self, path: str, flags: int, mode: int) -> None:
        if self.model.type_of(path) == stat.S_IFDIR and flags & os.O_ACCMODE == os.O_RDONLY:
            return
        opened: list[Any] = []
        self.both(lambda side: opened.append(side.open(path, flags, mode)))
        if opened:
            real, model = opened
            self.handles.append((real, model))

    @precondition(lambda self: self.handles)
    @rule(number=numbers, content=contents)
    def write_at_the_offset(self, number: int, content: bytes) -> None:
        self.on_handle(number, lambda handle: write_all(handle, content))

    @precondition(lambda self: self.handles)
    @rule(number=numbers, content=contents, offset=offsets)
    def write_anywhere(self, number: int, content: bytes, offset: int) -> None:
        self.on_handle(number, lambda handle: handle.pwrite(content, offset))

    @precondition(lambda self: self.handles)
    @rule(number=numbers, size=offsets)
    def read_at_the_offset(self, number: int, size: int) -> None:
        self.on_handle(number, lambda handle: handle.read(size))

    @precondition(lambda self: self.handles)
    @rule(number=numbers, size=offsets, offset=offsets)
    def read_anywhere(self, number: int, size: int, offset: int) -> None:
        self.on_handle(number, lambda handle: handle.pread(size, offset))

    @precondition(lambda self: self.handles)
    @rule(number=numbers, length=offsets)
    def truncate_by_handle(self, number: int, length: int) -> None:
        self.on_handle(number, lambda handle: handle.truncate(length))

    @precondition(lambda self: self.handles)
    @rule(number=numbers, mode=file_modes)
    def chmod_by_handle(self, number: int, mode: int) -> None:
        self.on_handle(number, lambda handle: handle.chmod(mode))

    @precondition(lambda self: self.handles)
    @rule(number=numbers, when=times)
    def utime_by_handle(self, number: int, when: Times) -> None:
        self.on_handle(number, lambda handle: handle.utime(when))

    @precondition(lambda self: self.handles)
    @rule(number=numbers)
    def fsync(self, number: int) -> None:
        self.on_handle(number, lambda handle: handle.fsync())

    @precondition(lambda self: 0 < len(self.handles) < HANDLES)
    @rule(number=numbers)
    def dup(self, number: int) -> None:
        real, model = self.handles[number % len(self.handles)]
        self.handles.append((real.dup(), model.dup()))

    @precondition(lambda self: self.handles)
    @rule(number=numbers)
    def close(self, number: int) -> None:
        real, model = self.handles.pop(number % len(self.handles))
        self.both(lambda handle: handle.close(), on=(real, model))

    # Comparing

    @invariant()
    def the_trees_are_equal(self) -> None:
        self.compare(contents=self.reads_each_step)

    def compare(self, *, contents: bool) -> None:
        self.sound = False
        self._compare_directory("", self.model.root, contents)
        for real, model in self.handles:
            _compare_status("an open file", real.stat(), model.node)
        self.sound = True

    def _compare_directory(self, path: str, node: Node, contents: bool) -> None:
        listing = self.driver.listdir(path)
        assert sorted(listing) == sorted(node.entries), f"the entries of {path!r}"
        for name, child in node.entries.items():
            below = f"{path}/{name}" if path else name
            _compare_status(below, listing[name], child)
            if child.type == stat.S_IFDIR:
                self._compare_directory(below, child, contents)
            elif child.type == stat.S_IFLNK:
                assert self.driver.readlink(below) == child.content.decode(), below
            elif contents:
                assert self.driver.read_file(below) == child.content, f"the content of {below!r}"

    def teardown(self) -> None:
        while self.handles:
            for side in self.handles.pop():
                side.close()
        if self.sound:
            self.compare(contents=True)


def _outcome(act: Same, side: Any) -> Any:
    try:
        return act(side)
    except OSError as error:
        number = errno.ENOTEMPTY if error.errno == errno.EEXIST else error.errno
        return errno.errorcode.get(number or 0, number)


def _compare_status(what: str, came: Status, node: Node) -> None:
    assert came.type == node.type, what
    assert came.permissions == node.permissions, f"the mode of {what!r}"
    if node.type != stat.S_IFDIR:
        assert came.size == len(node.content), f"the size of {what!r}"
    if node.unsettled:
        node.unsettled = False
        if came.mtime != node.mtime:
            node.touch()
    if node.mtime is not None:
        assert came.mtime == node.mtime, f"the time given to {what!r}"
    elif node.observed is None:
        assert came.mtime > START, f"the time of {what!r}, which was changed"
        node.observed = came.mtime
    else:
        assert came.mtime == node.observed, f"the time of {what!r}, which was not changed"


def run(machine: Callable[[], Machine], count: int, steps: int = 40) -> None:
    options = settings(
        max_examples=count,
        stateful_step_count=steps,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(cast("type[RuleBasedStateMachine]", machine), settings=options)


@pytest.mark.parametrize("filesystem", ["plain"], indirect=True)
def test_a_plain_directory_follows_the_model(filesystem: OsDriver) -> None:
    run(_in_subdirectories(filesystem), examples(20, long=1000))


@pytest.mark.parametrize("filesystem", ["mount-mfusepy", "mount-fusepy"], indirect=True)
def test_a_mount_follows_the_model(filesystem: OsDriver) -> None:
    run(_in_subdirectories(filesystem), examples(10, long=200))


def _in_subdirectories(filesystem: OsDriver) -> Callable[[], Machine]:
    numbers = itertools.count()

    def make() -> Machine:
        root: Path = filesystem.root / f"run-{next(numbers)}"
        root.mkdir()
        return Machine(OsDriver(root, filesystem.capabilities))

    return make


# In process


class DirectMachine(Machine):
    """Also restarts the file system, and compares the keys of the store."""

    driver: DirectDriver

    def __init__(self, driver: DirectDriver) -> None:
        super().__init__(driver, root=True)

    @precondition(lambda self: not self.handles)
    @rule()
    def restart(self) -> None:
        self.driver.unmount()
        self.driver.mount()

    def teardown(self) -> None:
        super().teardown()
        if self.sound:
            self.driver.unmount()
            self.driver.mount()
            self.compare(contents=True)
            assert set(self.driver.store.keys()) == _keys(self.model.root, "")
        self.driver.unmount()


def _keys(directory: Node, prefix: str) -> set[str]:
    """The keys that a tree stands for, scratch files left out."""
    keys: set[str] = set()
    for name, node in directory.entries.items():
        if node.type == stat.S_IFDIR:
            keys |= _keys(node, f"{prefix}{COMPONENTS.get(name, name)}/")
        else:
            keys.add(prefix[:-1] if name == "%@" else prefix + COMPONENTS.get(name, name))
    return {key for key in keys if not SCRATCH & set(key.split("/"))}


def test_the_file_system_layer_follows_the_model(tmp_path: Path) -> None:
    numbers = itertools.count()
    run(lambda: DirectMachine(DirectDriver(tmp_path / f"{next(numbers)}.sqlite")), examples(20, long=1000))
