"""The home of many stores: a PostgreSQL database, which any number of processes and machines serve."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final
from uuid import UUID

from ..errors import StoreError
from ..keeping.objects import ObjectStore
from ..keeping.postgres import upkeep
from ..keeping.postgres.database import Database, Session
from ..keeping.postgres.keeper import PostgresKeeper
from ..keeping.postgres.news import Listener, Publisher
from ..keeping.postgres.short_reads import ShortReads
from ..keeping.postgres.stores import Stores
from ..keeping.rates import Rates
from ..pairing.post_office import PostOffice
from ..sharing.offers import Offer, Offers, make_offer
from ..sync.hub import Hub
from .homes import Finder, FindShort
from .wakeups import Wakeups

COUNT_INTERVAL: Final = 60.0
"""Seconds between two counts of all stores."""


class PostgresHome:
    """The stores in ``database``, which is open; a store is named by the text of its UUID.

    Blocks that come go into ``objects``, or else into the database.
    """

    def __init__(self, database: Database, objects: ObjectStore | None = None) -> None:
        self._objects = objects
        self.spool = tempfile.gettempdir()
        self._database = database
        self._publisher = Publisher(database)
        self._rates = Rates()
        self._counted = -COUNT_INTERVAL
        self._sizes: dict[str, float] = {}

    def _find(self, name: str, session: Session) -> PostgresKeeper:
        store = UUID(name) if name else UUID(int=0)
        return PostgresKeeper(session, store, changed=self._publisher.tell, objects=self._objects, rates=self._rates)

    @contextmanager
    def open_hubs(self) -> Iterator[Finder[Hub]]:
        """``with`` the hubs of stores."""
        session = Session(self._database)
        yield lambda name: Hub(self._find(name, session))

    @contextmanager
    def open_offices(self) -> Iterator[Finder[PostOffice]]:
        """``with`` the mailboxes of stores."""
        session = Session(self._database)
        yield lambda name: PostOffice(self._find(name, session))

    @contextmanager
    def open_offers(self) -> Iterator[Finder[Offers]]:
        """``with`` what is shared of stores."""
        session = Session(self._database)
        yield lambda name: Offers(self._find(name, session))

    @contextmanager
    def open_stores(self) -> Iterator[Stores]:
        """``with`` the stores themselves."""
        yield Stores(Session(self._database))

    def open_offers_at_hand(self) -> None:
        """Return ``None``: whoever asks the server waits for it."""

    @asynccontextmanager
    async def run_short_reads(self) -> AsyncIterator[FindShort]:
        """``async with`` a connection for short values alone."""
        offers = Offers(self._find("", Session(self._database)))  # which reads the head of what is in memory
        reads = ShortReads(self._database, self._rates)

        async def find(name: str, token: str) -> tuple[Offers, Offer] | None:
            found = await reads.find(UUID(name), token)
            return None if found is None else (offers, make_offer(found))

        async with reads.run():
            yield find

    @contextmanager
    def open_upkeep(self) -> Iterator[Callable[[], bool]]:
        """``with`` what cleans up a little, unless another process is at it."""
        session = Session(self._database)
        yield lambda: upkeep.tidy(session, time.time_ns() // 1000, self._objects)

    def read_numbers(self) -> dict[str, float]:
        """Return how the connections are used, and how large the stores are; the latter is looked at once a minute."""
        now = time.monotonic()
        if now - self._counted >= COUNT_INTERVAL:
            self._counted = now
            with suppress(StoreError):
                self._sizes = Stores(Session(self._database)).count_sizes()
        return {**self._database.count_connections(), **self._sizes}

    @asynccontextmanager
    async def run(self, wakeups: Wakeups, timeout: float) -> AsyncIterator[None]:
        """``async with`` threads that tell other processes of changes, and hear of theirs."""
        loop = asyncio.get_running_loop()

        def wake(store: UUID) -> None:
            loop.call_soon_threadsafe(wakeups.notify, str(store))

        def list_waited() -> list[UUID]:
            return [UUID(store) for store in wakeups.list_waited() if store]

        with self._publisher.run(timeout), Listener(self._database, list_waited, wake).run(timeout):
            yield
