"""A store whose hub is one for many: all that is shared of the store is served from PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.keeper import PostgresKeeper
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.keeping.store_names import name_store
from kvassfs.remote.http import HttpRemote
from kvassfs.server.application import Service, build_application
from kvassfs.server.postgres_home import PostgresHome
from kvassfs.store import Store
from kvassfs.sync import Synchroniser
from kvassfs.sync.hub import Hub
from tests.support.hub_process import Server as ProcessServer
from tests.support.hub_process import serving
from tests.support.replicas import ADDRESS, KvassHub, way_to

NAME = "family"


def claim_for(database: Database, store: Store) -> None:
    """Add a store to a hub, and claim it with the key of a device's."""
    stores = Stores(Session(database))
    stores.add(NAME, "code")
    assert stores.claim(name_store(NAME), "code", store.settings.config().encryption_key)


@contextmanager
def serving_from(database: Database, folder: Path) -> Iterator[ProcessServer]:
    """``with`` the process of a hub for many, whose store is that of a device below ``folder``."""
    (folder / "hub").mkdir()
    with serving(folder / "hub", stores=database._url) as process, Store.open(folder / "device.sqlite") as store:
        url = f"{process.url}/s/{NAME}"
        claim_for(database, store)
        store.settings.set_remote(url)
        yield replace(process, url=url, database=folder / "device.sqlite", publish=partial(_exchange, url))


@asynccontextmanager
async def served_below(service: Service) -> AsyncIterator[ASGIApp]:
    """``async with`` the application of a hub for many that has its store where a hub of one person has it."""
    application = build_application(service)

    async def below(scope: Scope, receive: Receive, send: Send) -> None:
        known = {"/", "/health", "/ready"}
        path = scope["path"] if scope["path"] in known else f"/s/{NAME}{scope['path']}"
        await application({**scope, "path": path}, receive, send)

    async with service.run():
        yield below


def _exchange(url: str, store: Store) -> None:
    with closing(HttpRemote(url)) as remote:
        device = Synchroniser(store, remote)
        device.pull()
        device.push()


class SharingHub(KvassHub):
    """The hub of ``store`` in a database, reached without a network."""

    def __init__(self, database: Database, store: Store) -> None:
        self._database = database
        self._device = store
        claim_for(database, store)
        store.settings.set_remote(ADDRESS)

    def open(self) -> Hub:
        return Hub(PostgresKeeper(Session(self._database), name_store(NAME)))

    def exchange(self) -> None:
        """Have hub and device have the same."""
        device = Synchroniser(self._device, way_to(self))
        device.pull()
        device.push()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[ASGIApp]:
        """``async with`` an application that has the store, as it is now, where a hub of one person has it."""
        self.exchange()
        async with served_below(Service(PostgresHome(self._database))) as application:
            yield application
        self.exchange()
