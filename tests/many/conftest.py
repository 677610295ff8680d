"""A PostgreSQL server of the tests' own, and databases in it."""

from __future__ import annotations

from tests.support.postgres_fixtures import database, server

__all__ = ["database", "server"]
