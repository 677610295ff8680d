"""A store on a clock that the test sets, checked as a whole when the test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kvassfs.store import Sizes, Store
from tests.support.stores import SMALL, Clock, audit

OpenStore = Callable[[], Store]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is, in a directory of its own."""
    directory = tmp_path / "store"
    directory.mkdir()
    return directory / "db.sqlite"


@pytest.fixture
def sizes(request: pytest.FixtureRequest) -> Sizes:
    """Those of every day, or small ones for a test that asks for ``small``."""
    return SMALL if "small" in request.fixturenames else Sizes()


@pytest.fixture
def open_store(path: Path, clock: Clock, sizes: Sizes) -> Iterator[OpenStore]:
    """Open the same store once more, as another process would."""
    opened = []

    def open_one() -> Store:
        store = Store.open(path, clock=clock, sizes=sizes)
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(path: Path, clock: Clock, sizes: Sizes) -> Iterator[Store]:
    with Store.open(path, clock=clock, sizes=sizes) as opened:
        opened._database.execute("PRAGMA synchronous=OFF")
        yield opened
        audit(opened)


@pytest.fixture
def small() -> None:
    """Ask for a store with the sizes ``SMALL``."""
