"""The fixture `filesystem`: an empty directory, on each kind of file system in turn."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.filesystem.direct_driver import DirectDriver
from tests.filesystem.driver import Capabilities, Driver
from tests.filesystem.os_driver import OsDriver
from tests.support.mounts import Mount, mounted

PLAIN = Capabilities(kvassfs=False, kernel=True, exchange=True, noreplace=True, holes=True)
MOUNTED = {
    "mfusepy": Capabilities(kvassfs=True, kernel=True, exchange=True, noreplace=True, holes=True),
    "fusepy": Capabilities(kvassfs=True, kernel=True, exchange=False, noreplace=False, holes=False),
}
KINDS = ("plain", "direct", "mount-mfusepy", "mount-fusepy")
UMASK = 0o022


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Make the modes of created files the same for everybody who runs the tests."""
    before = os.umask(UMASK)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def mounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Mount]]:
    """One mount for each binding, made at its first use."""
    with ExitStack() as stack:

        @cache
        def mount(binding: str) -> Mount:
            top = tmp_path_factory.mktemp(binding)
            (top / "mount").mkdir()
            return stack.enter_context(mounted(top / "mount", top / "kvass.sqlite", binding))

        yield mount


@pytest.fixture(params=KINDS)
def filesystem(request: pytest.FixtureRequest, tmp_path: Path, mounts: Callable[[str], Mount]) -> Iterator[Driver]:
    """An empty directory on a plain disk, in process, or on the session's mount; on kvassfs, the root is above it."""
    kind: str = request.param
    if kind == "plain":
        yield OsDriver(tmp_path, PLAIN)
    elif kind == "direct":
        driver = DirectDriver(tmp_path / "kvass.sqlite", directory="/test")
        yield driver
        driver.unmount()
    else:
        yield from mounted_directory(mounts(kind.removeprefix("mount-")))


def mounted_directory(mount: Mount) -> Iterator[OsDriver]:
    root = mount.path / f"test-{len(list(mount.path.iterdir())):04}"
    root.mkdir()
    yield OsDriver(root, MOUNTED[mount.binding])
    log = mount.log.read_text(errors="replace")
    os.truncate(mount.log, 0)  # the next test answers for its own
    assert "Traceback" not in log, log


@pytest.fixture
def root(filesystem: Driver) -> Driver:
    """The root of the kvassfs file system that `filesystem` is part of."""
    if isinstance(filesystem, DirectDriver):
        return filesystem.at_root()
    assert isinstance(filesystem, OsDriver)
    return OsDriver(filesystem.root.parent, filesystem.capabilities)
