"""Every test here runs as if the environment configured nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.servers import plain_environment


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain_environment(monkeypatch, tmp_path)
