"""A PostgreSQL server of the tests' own, one for each process that runs them, and databases in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kvassfs.keeping.postgres.database import Database, open_database
from tests.support.postgres import FAST, Server, running_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running_server(*FAST) as running:
        yield running


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    with open_database(server.create_database()) as opened:
        yield opened
