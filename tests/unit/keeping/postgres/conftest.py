"""One store in PostgreSQL, its keeper and its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.keeper import PostgresKeeper
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.keeping.store_names import name_store
from tests.support.postgres_peers import audit_store
from tests.support.stores import SMALL, Clock
from tests.unit.keeping.conftest import KEY

STORE = name_store("family")

Select = Callable[..., list[Any]]
"""Runs a statement, and returns its rows, single columns as plain values."""


@pytest.fixture
def session(database: Database) -> Session:
    return Session(database)


@pytest.fixture
def select(session: Session) -> Select:
    def run(sql: str, *parameters: Any) -> list[Any]:
        with session.connection() as connection:
            found = connection.execute(sql, parameters)
            if found.description is None:
                return []
            return [row[0] if len(row) == 1 else row for row in found.fetchall()]

    return run


@pytest.fixture
def kept(session: Session, stores: Stores, clock: Clock) -> Iterator[PostgresKeeper]:
    """The keeper of a store that is claimed; at the end its rows are as they must be."""
    stores.add("family", "code")
    assert stores.claim(STORE, "code", KEY)
    yield PostgresKeeper(session, STORE, clock=clock, sizes=SMALL)
    with session.connection() as connection:
        audit_store(connection, "family")
