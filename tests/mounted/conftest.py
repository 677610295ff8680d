"""The fixture `mount`: an empty store, mounted with each binding in turn, served by a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mounts import BINDINGS, Mount, mounted


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
