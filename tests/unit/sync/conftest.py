"""A hub, devices and the line between them, made anew for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.replicas import SMALL_LIMITS
from tests.support.stores import audit
from tests.support.sync_rig import Rig, pool


@pytest.fixture
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    made = Rig(SMALL_LIMITS if "small" in request.fixturenames else None)
    yield made
    for replica in made.replicas:
        audit(replica.store)
    pool().close()


@pytest.fixture
def small() -> None:
    """Blocks of 64 bytes, two to a message; values above 100 bytes travel in blocks; pages of 700 bytes."""
