"""News among the processes of a hub: which stores have changed. It is a hint: who waits looks every second anyway.

``NOTIFY`` inside a transaction takes a lock of the whole server until commit, so it is sent after that, by a connection of its
own, for all stores of a moment together.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from ...errors import StoreError
from .database import Database

log = logging.getLogger(__name__)

CHANNEL: Final = "kvassfs"

MOMENT: Final = 0.02
"""Seconds of which the changes are told together."""

AT_ONCE: Final = 200
"""Stores that one notification names; it takes 8,000 bytes."""

INTERVAL: Final = 1.0
"""Seconds between two looks at the stores that somebody waits for."""

SLICE: Final = 0.2
"""Seconds after which the end of listening is noticed."""

RETRY_PAUSE: Final = 1.0
"""Seconds after which a connection that was lost is made anew."""


class Publisher:
    """Tells other processes which stores have changed. ``tell`` may be called by any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed: SimpleQueue[UUID | None] = SimpleQueue()

    def tell(self, store: UUID) -> None:
        """Tell, in a moment, that a store has changed; never waits."""
        self._changed.put(store)

    @contextmanager
    def run(self, timeout: float) -> Iterator[None]:
        """``with`` the thread that does so; at the end it has ``timeout`` seconds to end in."""
        thread = threading.Thread(target=_keep_going, args=("telling", self._publish), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._changed.put(None)
            thread.join(timeout)

    def _publish(self) -> bool:
        """Publish on one connection; return whether to go on with another."""
        connection: Connection[Any] | None = None
        try:
            while (first := self._changed.get()) is not None:
                time.sleep(MOMENT)
                stores, ends = self._take_others(first)
                connection = connection or self._database.connect()
                with self._database.translating():
                    for start in range(0, len(stores), AT_ONCE):
                        text = " ".join(map(str, stores[start : start + AT_ONCE]))
                        connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, text))
                if ends:
                    break
            return False
        finally:
            if connection is not None:
                connection.close()

    def _take_others(self, first: UUID) -> tuple[list[UUID], bool]:
        """Return the stores that wait to be told, each once, and whether this is the end."""
        stores = {first: None}
        try:
            while (store := self._changed.get_nowait()) is not None:
                stores[store] = None
        except Empty:
            return list(stores), False
        return list(stores), True


class Listener:
    """Hears which stores have changed, and looks at those that ``list_waited`` returns; calls ``wake`` with each.

    ``wake`` is called by a thread of its own.
    """

    def __init__(self, database: Database, list_waited: Callable[[], list[UUID]], wake: Callable[[UUID], None]) -> None:
        self._database = database
        self._list_waited = list_waited
        self._wake = wake
        self._ended = threading.Event()
        self._seen: dict[UUID, tuple[int, str]] = {}

    @contextmanager
    def run(self, timeout: float) -> Iterator[None]:
        """``with`` the thread that does so; at the end it has ``timeout`` seconds to end in."""
        thread = threading.Thread(target=_keep_going, args=("listening", self._listen), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(timeout)

    def _listen(self) -> bool:
        """Listen on one connection; return whether to go on with another."""
        if self._ended.wait(0):
            return False
        connection = self._database.connect()
        with connection, self._database.translating():
            connection.execute(f"LISTEN {CHANNEL}")
            for store in self._list_waited():  # something may have been missed
                self._wake(store)
            looked = time.monotonic()
            while not self._ended.is_set():
                for notification in connection.notifies(timeout=SLICE, stop_after=1):
                    for text in notification.payload.split():
                        self._wake(UUID(text))
                if time.monotonic() - looked >= INTERVAL:
                    looked = time.monotonic()
                    self._look(connection)
        return False

    def _look(self, connection: Connection[Any]) -> None:
        """Wake those that wait for stores whose clocks have gone on, or whose mailboxes were changed."""
        waited = self._list_waited()
        rows = connection.execute(
            "SELECT store, clock, md5(mailboxes) FROM stores WHERE store = ANY(%s)", (waited,)
        ).fetchall()
        seen: dict[UUID, tuple[int, str]] = {store: (clock, mailboxes) for store, clock, mailboxes in rows}
        for store, state in seen.items():
            if state != self._seen.get(store):  # also where it is looked at for the first time
                self._wake(store)
        self._seen = seen


def _keep_going(what: str, work: Callable[[], bool]) -> None:
    """Do ``work`` again and again, as long as it fails or asks for that; log the first of failures that are alike."""
    last = ""
    while True:
        try:
            if not work():
                return
        except StoreError as error:
            if str(error) != last:
                last = str(error)
                log.warning("%s for changes failed, and goes on: %s", what, error)
            time.sleep(RETRY_PAUSE)
