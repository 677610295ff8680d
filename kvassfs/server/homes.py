"""Where the stores of a hub are: what the parts of the server open there, and what wakes those that wait."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from functools import partial
from typing import Protocol, TypeVar
from uuid import UUID

from starlette.types import Scope

from ..errors import KvassError
from ..keeping.store_keeper import StoreKeeper
from ..pairing.post_office import PostOffice
from ..sharing.offers import Offer, Offers
from ..store import HUB, SEARCHES, SHARING, Profile, Store
from ..store.commits import IDLE, CommitThread
from ..sync.hub import Hub
from .wakeups import Wakeups

Part = TypeVar("Part")

STORE = "kvassfs.store"
"""Where a request's scope has the name of its store; it has none where there is but one."""


Finder = Callable[[str], Part]
"""Returns the part for the store with a name; ``""`` is the only one. For the thread that has opened it."""


FindShort = Callable[[str, str], Awaitable[tuple[Offers, Offer] | None]]
"""Returns what a token leads to in the store with a name, if its value is short; ``None``: a worker has to look."""


class ClaimedStores(Protocol):
    """The stores that can be claimed; for one thread."""

    def claim(self, store: UUID, code: str, key: bytes) -> bool:
        """Give a store its key; ``False`` if the code claims none, or no longer."""


class Home(Protocol):
    """Where the stores of a hub are. What a method opens is for the one thread that does so."""

    spool: str
    """The folder for long bodies that wait."""

    @property
    def open_stores(self) -> Callable[[], AbstractContextManager[ClaimedStores]] | None:
        """``with`` the stores that can be claimed; ``None`` where there is but one."""

    def open_hubs(self) -> AbstractContextManager[Finder[Hub]]:
        """``with`` the hubs of stores."""

    def open_offices(self) -> AbstractContextManager[Finder[PostOffice]]:
        """``with`` the mailboxes of stores."""

    def open_offers(self) -> AbstractContextManager[Finder[Offers]]:
        """``with`` what is shared of stores."""

    def open_offers_at_hand(self) -> AbstractContextManager[Finder[Offers]] | None:
        """``with`` the same for the thread of the event loop, where reading keeps nobody waiting; ``None`` where it would."""

    def run_short_reads(self) -> AbstractAsyncContextManager[FindShort | None]:
        """``async with`` what asks the server for short values, and keeps nobody waiting; ``None`` where they are at hand."""

    def open_upkeep(self) -> AbstractContextManager[Callable[[], bool]]:
        """``with`` what takes a step of cleaning up, and returns whether there is more to do."""

    def read_numbers(self) -> dict[str, float]:
        """Return numbers of this moment by their names, for whoever watches over the hub; for any thread."""

    def run(self, wakeups: Wakeups, timeout: float) -> AbstractAsyncContextManager[None]:
        """``async with`` what wakes those that wait for changes; at the end it has ``timeout`` seconds to end in."""


def store_of(scope: Scope) -> str:
    """Return the name of the store that a request is for."""
    name: str = scope.get(STORE, "")
    return name


@contextmanager
def open_hub(path: str) -> Iterator[Hub]:
    """``with`` a hub on a store of its own; for one thread."""
    with Store.open(path, profile=HUB) as store:
        yield Hub(StoreKeeper(store))


@contextmanager
def open_office(path: str) -> Iterator[PostOffice]:
    """``with`` the mailboxes of a hub on a store of their own; for one thread."""
    with Store.open(path, profile=HUB) as store:
        yield PostOffice(StoreKeeper(store))


@contextmanager
def open_offers(path: str, profile: Profile = SHARING) -> Iterator[Offers]:
    """``with`` what is shared of a store; for one thread."""
    with Store.open(path, profile=profile) as store:
        yield Offers(StoreKeeper(store))


class FileHome:
    """The database at ``path``, which must exist, with the one store of a person.

    When nobody has committed for ``idle`` seconds the write-ahead log is emptied, and a small database from before becomes
    one that gives room back.
    """

    def __init__(
        self,
        path: str,
        *,
        idle: float = IDLE,
        open_hub: Callable[[str], AbstractContextManager[Hub]] = open_hub,
        open_offers: Callable[[str, Profile], AbstractContextManager[Offers]] = open_offers,
    ) -> None:
        self.spool = os.path.dirname(os.path.realpath(path))
        self._path = path
        self._idle = idle
        self._open_hub = open_hub
        self._open_offers = open_offers

    open_stores = None

    def open_hubs(self) -> AbstractContextManager[Finder[Hub]]:
        """``with`` the hub."""
        return _find_only(self._open_hub(self._path))

    def open_offices(self) -> AbstractContextManager[Finder[PostOffice]]:
        """``with`` the mailboxes."""
        return _find_only(open_office(self._path))

    def open_offers(self) -> AbstractContextManager[Finder[Offers]]:
        """``with`` what is shared."""
        return _find_only(self._open_offers(self._path, SHARING))

    def open_offers_at_hand(self) -> AbstractContextManager[Finder[Offers]]:
        """``with`` what is shared: readers of the database do not wait for writers, and this one waits for nobody."""
        return _find_only(self._open_offers(self._path, SEARCHES))

    def run_short_reads(self) -> AbstractAsyncContextManager[None]:
        """Return ``None``: they are at hand."""
        return nullcontext()

    @contextmanager
    def open_upkeep(self) -> Iterator[Callable[[], bool]]:
        """``with`` what cleans up a little, or gives some room back."""
        with Store.open(self._path, profile=HUB) as store:
            yield lambda: store.upkeep.tidy() or store.upkeep.give_some_back()

    def read_numbers(self) -> dict[str, float]:
        """Return none."""
        return {}

    @asynccontextmanager
    async def run(self, wakeups: Wakeups, _: float) -> AsyncIterator[None]:
        """``async with`` a thread that notices commits of all processes."""
        notify = partial(asyncio.get_running_loop().call_soon_threadsafe, wakeups.notify)
        commit_thread = CommitThread(self._path, notify, on_idle=self._tidy_when_idle, idle=self._idle)
        commit_thread.start()
        try:
            yield
        finally:
            commit_thread.stop()

    def _tidy_when_idle(self) -> None:
        with suppress(KvassError), Store.open(self._path) as store:
            store.upkeep.rewrite_small()
            store.upkeep.checkpoint()


@contextmanager
def _find_only(opening: AbstractContextManager[Part]) -> Iterator[Finder[Part]]:
    with opening as part:
        yield lambda _: part
