"""The fixtures `mount`, an empty store that is mounted, and `place` and `users_place`, to mount on: each binding in turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mounts import BINDINGS, Mount, mounted
from tests.support.places import Place, place_of, place_of_user


@pytest.fixture(params=BINDINGS)
def binding(request: pytest.FixtureRequest) -> str:
    """Each binding in turn; where its library is missing, the mount fails with its name."""
    name: str = request.param
    return name


@pytest.fixture
def mount(binding: str, tmp_path: Path) -> Iterator[Mount]:
    """An empty store mounted on an empty directory."""
    path = tmp_path / "mount"
    path.mkdir()
    with mounted(path, tmp_path / "kvass.sqlite", binding) as found:
        yield found


@pytest.fixture
def place(binding: str, tmp_path: Path) -> Iterator[Place]:
    """A place of whoever runs the tests."""
    with place_of(tmp_path, binding) as found:
        yield found


@pytest.fixture
def users_place(binding: str) -> Iterator[Place]:
    """A place that belongs to a user who is not root."""
    with place_of_user(binding) as found:
        yield found
