"""Blocks in two real object stores, which fail in the middle: nothing acknowledged is lost, no object is lost sight of."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.keeping.errors import ObjectsUnreachable
from kvassfs.keeping.objects import Place
from kvassfs.keeping.postgres import upkeep
from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.keeper import PostgresKeeper
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.keeping.s3 import S3Objects
from kvassfs.keeping.store_names import name_store
from kvassfs.sync import messages
from kvassfs.sync.seal import Seal
from tests.support.hub_process import Device, serving
from tests.support.object_stores import CREDENTIALS, Gate, Moto, ObjectServer, S3rver, gate_before
from tests.support.postgres import Server
from tests.support.stores import SMALL, Clock
from tests.unit.keeping.test_keepers import found, in_blocks, made

STORE = name_store("family")

PREFIX = "kvass/"

HOUR = 3600 * 10**9

READ_TIME = 0.5
"""Seconds for which an answer is waited for here."""

FAULTS = ["refuse", "500", "slow", "lose"]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@dataclass
class Rig:
    """A store whose blocks are in an object store behind a gate, and what was acknowledged."""

    url: str
    database: Database
    store: ObjectServer
    gate: Gate
    objects: S3Objects
    clock: Clock
    random: Random = field(default_factory=lambda: Random(11))
    acknowledged: dict[str, bytes] = field(default_factory=dict)
    times: Iterator[int] = field(default_factory=lambda: count(1))

    def open_keeper(self) -> PostgresKeeper:
        """Return a keeper as a thread of its own has it."""
        return PostgresKeeper(Session(self.database), STORE, clock=self.clock, sizes=SMALL, objects=self.objects)

    def push(self, keeper: PostgresKeeper, key: str, *, whole: bool = False) -> None:
        """Push a new large value, once."""
        blocks = [self.random.randbytes(SMALL.block) for _ in range(8)]
        at = next(self.times)
        if whole:
            push_all(keeper, [], made(key, b"".join(blocks), time=at, counter=at))
        else:
            push_all(keeper, blocks, in_blocks(key, *blocks, time=at, counter=at))
        self.acknowledged[key] = b"".join(blocks)

    def rows(self, query: str) -> set[str]:
        with self.database.connection() as connection:
            return {PREFIX + name for (name,) in connection.execute(query)}

    def named(self) -> set[str]:
        return self.rows("SELECT object FROM blocks WHERE object IS NOT NULL")

    def noted(self) -> set[str]:
        return self.rows("SELECT name FROM loose_objects")

    def clean_up(self) -> None:
        """Let days pass, and clean up until there is nothing more to do."""
        for _ in range(3):
            self.clock.advance(30 * HOUR)
            while upkeep.tidy(Session(self.database), self.clock() // 1000, self.objects):
                pass

    def check(self) -> None:
        """Check that all is there that was acknowledged, and that the clean-up leaves just what rows name."""
        self.gate.fault = lambda _: ""
        self.gate.wait()  # the clock here is ahead of what is on its way for a second, not for a day
        there = self.store.list_names()
        assert self.named() <= there
        assert there <= self.named() | self.noted()
        assert found(self.open_keeper()) == self.acknowledged
        self.clean_up()
        assert self.store.list_names() == self.named()
        assert self.noted() == set()
        assert found(self.open_keeper()) == self.acknowledged


def push_all(keeper: PostgresKeeper, blocks: list[bytes], delivery: Delivery) -> None:
    if blocks:
        keeper.put_blocks(blocks)
    assert keeper.merge([delivery]).missing == []


@pytest.fixture(scope="module", params=[Moto, S3rver])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    with running(request.param(tmp_path_factory.mktemp("objects") / "store")) as started:
        yield started


@contextmanager
def running(store: ObjectServer) -> Iterator[ObjectServer]:
    try:
        store.start()
        yield store
    finally:
        store.end()


@pytest.fixture
def rig(server: Server, store: ObjectServer, credentials: None) -> Iterator[Rig]:
    with rig_before(server, store) as made_rig:
        yield made_rig


@contextmanager
def rig_before(server: Server, store: ObjectServer) -> Iterator[Rig]:
    """``with`` a new store of devices, and a new bucket."""
    clock = Clock()
    url = server.create_database()
    database = Database(url)
    try:
        database.open()
        store.make_bucket()
        stores = Stores(Session(database), clock=clock)
        stores.add("family", "code")
        assert stores.claim(STORE, "code", bytes(32))
        with gate_before(store, delay=3 * READ_TIME) as gate:
            place = Place(store.bucket, PREFIX)
            objects = S3Objects(place, gate.url, connect_time=READ_TIME, read_time=READ_TIME)
            yield Rig(url, database, store, gate, objects, clock)
    finally:
        database.close()


def fail_some(fault: str, method: str, every: int) -> Callable[[str], str]:
    """Return what fails each ``every``-th request of a method."""
    numbers = count(1)
    return lambda asked: fault if asked == method and next(numbers) % every == 0 else ""


def test_values_go_into_objects_and_come_back(rig: Rig) -> None:
    keeper = rig.open_keeper()
    rig.objects.check()
    rig.push(keeper, "film")
    rig.push(keeper, "whole", whole=True)
    assert len(rig.store.list_names()) == 16
    assert rig.objects.get("there is no such object") is None
    rig.push(keeper, "film")
    rig.check()
    assert len(rig.store.list_names()) == 16


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("whole", [False, True], ids=["blocks", "whole"])
def test_a_put_that_fails_now_and_then_is_tried_again(rig: Rig, fault: str, whole: bool) -> None:
    rig.gate.fault = fail_some(fault, "PUT", 4)
    rig.push(rig.open_keeper(), "film", whole=whole)
    assert ("PUT", fault) in rig.gate.seen
    rig.check()


@pytest.mark.parametrize("fault", FAULTS)
def test_where_puts_fail_for_longer_nothing_is_acknowledged(rig: Rig, fault: str) -> None:
    keeper = rig.open_keeper()
    rig.push(keeper, "before")
    numbers = count()
    rig.gate.fault = lambda method: fault if method == "PUT" and next(numbers) >= 3 else ""
    with pytest.raises(ObjectsUnreachable, match=r"^cannot use the object store s3://blocks-\d+/kvass: "):
        rig.push(keeper, "film")
    assert found(keeper) == rig.acknowledged
    rig.gate.fault = lambda _: ""
    rig.push(keeper, "film")
    rig.check()


@pytest.mark.parametrize("fault", [*FAULTS, "cut"])
def test_a_get_that_fails_now_and_then_is_tried_again(rig: Rig, fault: str) -> None:
    keeper = rig.open_keeper()
    rig.push(keeper, "film")
    rig.gate.fault = fail_some(fault, "GET", 4)
    assert found(keeper) == rig.acknowledged
    assert ("GET", fault) in rig.gate.seen


@pytest.mark.parametrize("fault", ["500", "cut"])
def test_where_gets_fail_for_longer_it_is_said(rig: Rig, fault: str) -> None:
    keeper = rig.open_keeper()
    rig.push(keeper, "film")
    rig.gate.fault = lambda _: fault
    with pytest.raises(ObjectsUnreachable):
        found(keeper)
    rig.check()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_clean_up_that_fails_goes_on_later(rig: Rig, fault: str) -> None:
    keeper = rig.open_keeper()
    for _ in range(3):
        rig.push(keeper, "film")
    rig.clock.advance(30 * HOUR)
    upkeep.tidy(Session(rig.database), rig.clock() // 1000)
    numbers = count()
    rig.gate.fault = lambda method: fault if method == "DELETE" and next(numbers) >= 3 else ""
    with pytest.raises(ObjectsUnreachable):
        rig.clean_up()
    assert rig.named() <= rig.store.list_names() <= rig.named() | rig.noted()
    rig.check()


@pytest.mark.parametrize("kind", [Moto, S3rver])
@pytest.mark.parametrize("whole", [False, True], ids=["blocks", "whole"])
def test_a_store_that_is_killed_during_pushes_loses_nothing(
    server: Server, tmp_path: Path, kind: Callable[[Path], ObjectServer], whole: bool
) -> None:
    ended = Event()

    def push_on(rig: Rig) -> None:
        keeper = rig.open_keeper()
        numbers = count()
        while not ended.wait(0.02):
            with suppress(ObjectsUnreachable):
                rig.push(keeper, f"film {next(numbers) % 5}", whole=whole)

    with running(kind(tmp_path / "store")) as store, rig_before(server, store) as rig:
        pusher = Thread(target=push_on, args=[rig])
        pusher.start()
        try:
            for _ in range(2):
                time.sleep(0.5)
                rig.store.kill()
                rig.gate.fault = lambda _: "refuse"  # until it has all that it had
                time.sleep(0.2)
                rig.store.start()
                rig.gate.fault = lambda _: ""
            time.sleep(0.5)
        finally:
            ended.set()
            pusher.join()
        assert rig.acknowledged
        rig.check()


def test_a_bucket_that_is_not_there_is_said(rig: Rig) -> None:
    nowhere = S3Objects(Place("another", ""), rig.gate.url, read_time=READ_TIME)
    calls: list[Callable[[], object]] = [nowhere.check, lambda: nowhere.put("a", b""), lambda: nowhere.get("a")]
    for call in calls:
        with pytest.raises(ObjectsUnreachable, match=r"^cannot use the object store s3://another: "):
            call()


def test_credentials_that_are_refused_are_said(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(rig.store, Moto):
        pytest.skip("moto takes any")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    stranger = S3Objects(Place(rig.store.bucket, PREFIX), rig.gate.url)
    with pytest.raises(ObjectsUnreachable, match="InvalidAccessKeyId"):
        stranger.put("a", b"data")


def test_without_credentials_or_an_address_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(ObjectsUnreachable, match="credentials"):
        S3Objects(Place("bucket", ""), "http://127.0.0.1:9").put("a", b"")
    with pytest.raises(ObjectsUnreachable, match="endpoint"):
        S3Objects(Place("bucket", ""), "no address")


def get(device: Device, token: str) -> tuple[int, bytes]:
    """Get what a token leads to, as a browser does."""
    connection = device.connect()
    try:
        connection.request("GET", f"/s/family/get?q={token}")
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_a_server_answers_503_while_it_has_no_object_store(rig: Rig, tmp_path: Path) -> None:
    value = rig.random.randbytes(700_000)
    entry = Entry("film", time.time_ns() // 1000, 1, 7, "token", len(value))
    push = Seal(bytes(32)).seal(messages.encode_push([Delivery(entry, 1, value)]))
    place: dict[str, Any] = {"blocks": f"s3://{rig.store.bucket}/{PREFIX}", "blocks_endpoint": rig.gate.url}
    rig.gate.fault = lambda _: "500"
    with serving(tmp_path, stores=rig.url, **place) as server:
        device = Device(server.url, bytes(32))
        assert f"cannot use the object store {rig.objects.address}" in server.log()
        assert device.post("/s/family/push", push)[0] == 503
        rig.gate.fault = lambda _: ""
        assert device.post("/s/family/push", push)[0] == 200
        assert get(device, "token") == (200, value)
        assert len(rig.store.list_names()) >= 3
    with serving(tmp_path, stores=rig.url) as server:
        assert get(Device(server.url, bytes(32)), "token")[0] == 503
        assert "start `kvass serve` with --blocks, as before" in server.log()
    with serving(tmp_path, stores=rig.url, **place) as server:
        assert get(Device(server.url, bytes(32)), "token") == (200, value)


def test_blocks_are_as_long_as_they_were(rig: Rig) -> None:
    for length in (0, 1, 262_144):
        data = rig.random.randbytes(length)
        rig.objects.put(f"{length}", memoryview(data))
        assert sha256(rig.objects.get(f"{length}") or b"").digest() == sha256(data).digest()
        rig.objects.delete(f"{length}")
        rig.objects.delete(f"{length}")
    assert rig.store.list_names() == set()
