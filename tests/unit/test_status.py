"""kvassfs.status: what is found out about a store and its hub"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.status import inspect
from kvassfs.store import Store
from kvassfs.sync.connection import open_synchroniser
from tests.support.near_hub import NearHub, near_hub

MINUTE = 60 * 1_000_000  # microseconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


@pytest.fixture
def hub(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NearHub]:
    with near_hub(store, tmp_path / "hub.sqlite", monkeypatch) as near:
        yield near


def test_the_hub_is_asked_and_nothing_moves(store: Store, hub: NearHub) -> None:
    store.set("k", b"value")
    hub.store.set("other", b"value")
    status = inspect(store, offline=False)
    assert status.hub is not None
    assert status.hub.address == hub.address
    assert status.hub.responds is True
    assert status.hub.version == 2
    assert status.hub.difference is not None
    assert (status.hub.waiting, status.hub.waiting_size) == (1, 5)
    assert (list(store.keys()), list(hub.store.keys())) == (["k"], ["other"])


def test_an_exchange_is_remembered(store: Store, hub: NearHub) -> None:
    store.set("k", b"value")
    with open_synchroniser(store) as synchroniser:
        synchroniser.exchange()
    status = inspect(store, offline=True, clock=lambda: time.time_ns() + 3 * MINUTE * 1000)
    assert status.hub is not None
    assert abs(status.now - status.hub.exchanged - 3 * MINUTE) < MINUTE
    assert (status.hub.waiting, status.hub.waiting_size) == (0, 0)


def test_the_store_is_measured(store: Store, path: Path) -> None:
    store.set("k", os.urandom(1_000_000))
    store.set("gone", b"value")
    store.delete("gone")
    status = inspect(store, offline=False)
    assert status.path == str(path)
    assert status.entries == 1
    assert status.size == sum(os.path.getsize(f"{path}{suffix}") for suffix in ("", "-wal")) > 1_000_000


def test_followers_and_devices_are_those_of_the_store(store: Store, hub: NearHub) -> None:
    store.processes.follow("/mnt")
    store.processes.note_contact()
    store.peers.note_device(1001)
    status = inspect(store, offline=True)
    assert [(follower.pid, follower.place) for follower in status.followers] == [(os.getppid(), "/mnt")]
    assert [device.process_id for device in status.devices] == [1001]
    assert status.in_touch


def test_a_hub_that_is_out_of_reach_is_no_failure(store: Store, hub: NearHub) -> None:
    hub.be_down()
    status = inspect(store, offline=False)
    assert status.hub is not None
    assert (status.hub.responds, status.hub.error) == (False, str(hub.failure))


def test_offline_no_request_is_sent(store: Store, hub: NearHub) -> None:
    status = inspect(store, offline=True)
    assert status.hub is not None
    assert status.hub.responds is None
    assert hub.opened == []


def test_without_a_hub_nothing_is_known_of_one(store: Store) -> None:
    assert inspect(store, offline=False).hub is None
