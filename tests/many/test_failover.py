"""A replica of the database takes over from a primary that is killed under load, and devices go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from kvassfs.errors import SyncError
from kvassfs.keeping.errors import DatabaseUnreachable
from kvassfs.keeping.postgres.database import Database
from kvassfs.keeping.store_names import name_store
from tests.support.many_hubs import Device, HubProcess, add_store
from tests.support.postgres import Server, own_folder, running_server
from tests.support.searches import LONG, examples, tell
from tests.support.waiting import find_within, wait_until

SURVIVING = ("fsync=off", "synchronous_commit=on", "wal_receiver_status_interval=1", "wal_retrieve_retry_interval=100")
"""Settings of a server that has to outlive its processes, not the power."""

WRITERS = 4

BEFORE_THE_KILL = examples(60, long=2_000)
"""Saves that are acknowledged before the primary is killed."""

TAKING_OVER = 60.0
"""Seconds until the hub has found the other server, at most."""

OUTAGE = 9.0
"""Seconds for which a database is away: a pool that tries less and less often misses its return by as much."""

SOON = 4.0

LARGE = bytes(range(256)) * 3000


class Pair:
    """A primary, a replica of it, and a hub that knows both."""

    def __init__(self, primary: Server, replica: Server, name: str) -> None:
        self.primary = primary
        self.replica = replica
        self._name = name

    @property
    def url(self) -> str:
        """What finds the one of them that can be written to."""
        places = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.replica.port}"
        return f"postgresql://kvass@{places}/{self._name}?target_session_attrs=read-write&connect_timeout=2"

    def select(self, server: Server, sql: str, *parameters: Any) -> list[Any]:
        with psycopg.connect(server.url(self._name), autocommit=True) as connection:
            found = connection.execute(sql, parameters)
            return [] if found.description is None else found.fetchall()

    def keys(self, server: Server) -> set[str]:
        """Return the keys that a server has."""
        return {key for (key,) in self.select(server, "SELECT key FROM entries")}

    def wait_until_level(self) -> None:
        """Wait until the replica has all that the primary has."""
        sql = "SELECT replay_lsn = pg_current_wal_lsn() FROM pg_stat_replication"
        wait_until(lambda: self.select(self.primary, sql) == [(True,)], "the replica has everything")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with running_server(*SURVIVING) as primary, own_folder() as place:
        database = Database(primary.create_database())
        database.open()
        add_store(database, "family")
        database.close()
        replica = primary.copy(place / "replica")
        replica.start()
        try:
            yield Pair(primary, replica, urlsplit(database._url).path.strip("/"))
        finally:
            replica.end()


@contextmanager
def serving(pair: Pair, folder: Path) -> Iterator[str]:
    """``with`` a hub process; yield the address of its store."""
    with HubProcess(pair.url, folder / "hub.log") as hub:
        yield f"{hub.address}/s/family"


def until_it_works(call: Callable[[], object]) -> None:
    """Call a hub until it answers."""

    def works() -> bool:
        try:
            call()
        except (SyncError, DatabaseUnreachable):
            return False
        return True

    find_within(TAKING_OVER, works, what="the hub answers", pause=0.2)


@pytest.mark.timeout(600 if LONG else 120)
def test_nothing_acknowledged_is_lost_when_a_synchronous_replica_takes_over(pair: Pair, tmp_path: Path) -> None:
    pair.select(pair.primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
    pair.select(pair.primary, "SELECT pg_reload_conf()")
    wait_until(
        lambda: pair.select(pair.primary, "SELECT sync_state FROM pg_stat_replication") == [("sync",)],
        "commits wait for the replica",
    )
    acknowledged: list[str] = []
    enough = threading.Event()

    def save(number: int) -> None:
        """Save until it fails."""
        with closing(Device(tmp_path / f"{number}.sqlite", address)) as device:
            for each in range(100_000):
                key = f"{number}/{each}"
                device.store.set(key, key.encode())
                try:
                    device.synchroniser.push()
                except SyncError:
                    return
                acknowledged.append(key)
                if len(acknowledged) >= BEFORE_THE_KILL:
                    enough.set()

    with serving(pair, tmp_path) as address:
        with ThreadPoolExecutor(WRITERS) as pool:
            writing = [pool.submit(save, number) for number in range(WRITERS)]
            assert enough.wait(300 if LONG else 60)
            pair.primary.kill()
            killed = time.monotonic()
            for each in writing:
                each.result()
        pair.replica.promote()
        # Before any device has been in touch with it.
        lost = set(acknowledged) - pair.keys(pair.replica)
        assert not lost
        marks = []
        for number in range(WRITERS):
            with closing(Device(tmp_path / f"{number}.sqlite", address)) as device:
                before = device.store.peers.hub()
                until_it_works(device.synchroniser.exchange)
                marks.append((before.epoch, before.incarnation, device.store.peers.hub()))
                device.store.set(f"{number}/after", b"after")
                device.synchroniser.push()
        tell(
            f"{len(acknowledged)} saves acknowledged, none lost; all go on {time.monotonic() - killed:.1f} s after the kill"
        )
        for epoch, incarnation, after in marks:
            assert after.epoch == epoch  # it has forgotten nothing, so nothing is exchanged anew
            assert after.incarnation != incarnation
        with closing(Device(tmp_path / "new.sqlite", address)) as new:
            new.synchroniser.pull()
            assert set(acknowledged) | {f"{number}/after" for number in range(WRITERS)} <= set(new.values())


def test_devices_notice_a_replica_that_had_lagged_and_repair_it(pair: Pair, tmp_path: Path) -> None:
    with serving(pair, tmp_path) as address:
        one, other = (Device(tmp_path / f"{name}.sqlite", address) for name in ("one", "other"))
        with closing(one), closing(other):
            save_and_exchange(one, "early", b"early")
            other.synchroniser.exchange()
            pair.wait_until_level()
            pair.replica.stop("fast")
            for number in range(10):
                save_and_exchange(one, f"late {number}", b"late")
            save_and_exchange(one, "large", LARGE)
            one.store.set("early", b"")
            one.synchroniser.push()
            other.synchroniser.exchange()
            pair.primary.kill()
            pair.replica.start()
            pair.replica.promote()
            assert pair.keys(pair.replica) == {"early"}
            epochs = [device.store.peers.hub().epoch for device in (one, other)]
            # What is written first at the new primary gets sequences that others had before.
            save_and_exchange(other, "after", b"after", tries=True)
            until_it_works(one.synchroniser.exchange)
            assert [device.store.peers.hub().epoch for device in (one, other)] == [epoch + 1 for epoch in epochs]
            other.synchroniser.exchange()
            expected = {f"late {number}": b"late" for number in range(10)} | {"large": LARGE, "after": b"after"}
            assert one.values() == other.values() == expected
        with closing(Device(tmp_path / "new.sqlite", address)) as new:
            new.synchroniser.pull()
            assert new.values() == expected
    store = name_store("family")
    (told,) = pair.select(pair.replica, "SELECT count(*) FROM incarnations WHERE store = %s", store)
    assert told == (1,)


def save_and_exchange(device: Device, key: str, value: bytes, *, tries: bool = False) -> None:
    device.store.set(key, value)
    if tries:
        until_it_works(device.synchroniser.exchange)
    else:
        device.synchroniser.exchange()


def test_a_hub_goes_on_soon_after_its_database_is_back(tmp_path: Path) -> None:
    with running_server(*SURVIVING) as server:
        database = Database(server.create_database(), patience=1)
        database.open()
        try:
            add_store(database, "family")
            server.kill()
            until = time.monotonic() + OUTAGE
            while time.monotonic() < until:
                with pytest.raises(DatabaseUnreachable):
                    ask(database)
            server.start()
            began = time.monotonic()
            until_it_works(lambda: ask(database))
            assert time.monotonic() - began < SOON
        finally:
            database.close()


def ask(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("SELECT 1")
