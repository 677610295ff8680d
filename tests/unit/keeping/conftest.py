"""All keepers, for tests that hold them to the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from random import Random

import pytest

from kvassfs.keeping.keeper import Keeper
from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.keeper import PostgresKeeper
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.keeping.store_names import name_store
from kvassfs.store import HUB, Store
from tests.support.object_stores import MemoryObjects
from tests.support.postgres_fixtures import database, server
from tests.support.stores import SMALL, Clock

__all__ = ["database", "server"]

KEY = bytes(range(32))

Another = Callable[[], AbstractContextManager[Keeper]]
"""``with`` another keeper of the same store, as another process or thread has it."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stores(database: Database, clock: Clock) -> Stores:
    return Stores(Session(database), clock=clock, random=Random(7).randbytes)


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture(params=["sqlite", "postgres", "postgres and objects"])
def another(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> Another:
    @contextmanager
    def open_store() -> Iterator[Keeper]:
        with Store.open(tmp_path / "db.sqlite", clock=clock, profile=HUB, sizes=SMALL) as store:
            yield StoreKeeper(store)

    if request.param == "sqlite":
        return open_store
    database: Database = request.getfixturevalue("database")
    stores: Stores = request.getfixturevalue("stores")
    stores.add("family", "code")
    assert stores.claim(name_store("family"), "code", KEY)
    objects: MemoryObjects | None = request.getfixturevalue("objects") if "objects" in request.param else None
    return lambda: nullcontext(
        PostgresKeeper(Session(database), name_store("family"), clock=clock, sizes=SMALL, objects=objects)
    )


@pytest.fixture
def keeper(another: Another) -> Iterator[Keeper]:
    with another() as made:
        yield made
