"""The fixture `filesystem`: an empty directory, on each kind of file system in turn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.filesystem.direct_driver import DirectDriver
from tests.filesystem.driver import Capabilities, Driver
from tests.filesystem.os_driver import OsDriver

PLAIN = Capabilities(kvassfs=False, kernel=True, exchange=True, noreplace=True)
KINDS = ("plain", "direct", "mount-mfusepy", "mount-fusepy")
UMASK = 0o022


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Make the modes of created files the same for everybody who runs the tests."""
    before = os.umask(UMASK)
    yield
    os.umask(before)


@pytest.fixture(params=KINDS)
def filesystem(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driver]:
    """An empty directory on a plain disk, in process, or on a mount (shared by the session)."""
    kind: str = request.param
    if kind == "plain":
        yield OsDriver(tmp_path, PLAIN)
    elif kind == "direct":
        driver = DirectDriver(tmp_path / "kvass.sqlite")
        yield driver
        driver.unmount()
    else:
        pytest.skip("not built yet")


@pytest.fixture
def root(filesystem: Driver) -> Driver:
    """The root of the kvassfs file system that `filesystem` is part of."""
    if isinstance(filesystem, OsDriver):
        return OsDriver(filesystem.root.parent, filesystem.capabilities)
    return filesystem
