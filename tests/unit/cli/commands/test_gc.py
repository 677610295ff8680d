"""kvassfs_cli.commands.gc"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from kvassfs.errors import DiskFull, KvassError, NoRoomForCopy
from kvassfs.store import Store
from kvassfs.store.upkeep import Upkeep
from kvassfs_cli.commands.gc import collect
from kvassfs_cli.progress import Bar
from tests.support.stores import audit_clean, keep_room, revision_values
from tests.unit.cli.conftest import Kvass

HOUR = 3600 * 1_000_000


def fill(store: Store, count: int = 6) -> None:
    for key in ("a", "b"):
        for number in range(count):
            store.set(key, b"%s %d" % (key.encode(), number))


def test_gc_lets_go_what_the_configuration_does_not_keep(kvass: Kvass, store: Store) -> None:
    fill(store)
    assert kvass("gc") == (0, b"0 earlier versions gone, 0 B given back\n", "")
    store.settings.set_history(2, 30)
    assert kvass("gc") == (0, b"6 earlier versions gone, 0 B given back\n", "")
    assert revision_values(store, "a") == [b"a 4", b"a 3"]


def test_gc_keeps_as_many_versions_as_it_is_told(kvass: Kvass, store: Store) -> None:
    fill(store)
    assert kvass("gc", "--keep", "1").out.startswith(b"8 earlier versions gone")
    assert revision_values(store, "b") == [b"b 4"]
    assert store.get("b").read() == b"b 5"
    assert kvass("gc", "--all").out.startswith(b"2 earlier versions gone")
    assert revision_values(store, "b") == []
    audit_clean(store)


def test_one_that_went_is_one(kvass: Kvass, store: Store) -> None:
    store.set("k", b"one")
    store.set("k", b"two")
    assert kvass("gc", "--older", "0s").out.startswith(b"1 earlier version gone")


def test_gc_lets_go_of_what_is_older(store: Store) -> None:
    fill(store)
    now = store.revisions("a")[0].replaced
    assert collect(store, 10, HOUR, Bar(None, time.monotonic), clock=lambda: (now + HOUR) * 1000).revisions == 4
    assert revision_values(store, "a") == [b"a 4"]
    assert len(revision_values(store, "b")) == 5


def test_the_room_goes_back_to_the_disk(kvass: Kvass, store: Store, database: Path) -> None:
    store.set("k", os.urandom(4_000_000))
    store.set("k", b"small")
    store.upkeep.checkpoint()
    before = database.stat().st_size
    assert kvass("gc", "--all").out == b"1 earlier version gone, 4.0 MB given back\n"
    assert database.stat().st_size < before - 3_900_000
    assert store.get("k").read() == b"small"
    assert store.upkeep.space().free == 0


def test_the_room_of_a_database_from_before_goes_back_at_once_and_later_by_itself(kvass: Kvass, database: Path) -> None:
    with Store.open(database) as store:
        store.set("k", os.urandom(4_000_000))
        store.set("k", b"small")
    keep_room(database)
    assert json.loads(kvass("status", "--json", "--offline").out)["store"]["gives_back"] is False
    assert kvass("gc", "--all").out == b"1 earlier version gone, 4.0 MB given back\n"
    assert database.stat().st_size < 1_000_000
    assert json.loads(kvass("status", "--json", "--offline").out)["store"]["gives_back"] is True
    assert kvass("get", "k").out == b"small"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DiskFull("/db"), "no space left on the disk that holds /db; nothing was changed"),
        (
            NoRoomForCopy("/db", 12_000_000),
            str(NoRoomForCopy("/db", 12_000_000)),
        ),
    ],
)
def test_where_the_disk_is_too_full_it_stays(
    kvass: Kvass, store: Store, monkeypatch: pytest.MonkeyPatch, error: KvassError, message: str
) -> None:
    def fail(*_: object) -> int:
        raise error

    store.set("k", os.urandom(4_000_000))
    store.set("k", b"small")
    monkeypatch.setattr(Upkeep, "give_all_back", fail)
    status, out, err = kvass("gc", "--all")
    assert (status, out) == (0, b"1 earlier version gone, 0 B given back\n")
    assert err == f"kvass: warning: the room stays with the database, which uses it again: {message}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--all", "--keep", "3"), "--all goes with neither --keep nor --older"),
        (("--older", "soon"), "invalid value for '--older': 'soon' is no span of time like 7d, 12h or 30m"),
    ],
)
@pytest.mark.usefixtures("store")
def test_what_makes_no_sense_is_refused(kvass: Kvass, arguments: tuple[str, ...], message: str) -> None:
    assert kvass("gc", *arguments) == (2, b"", f"kvass: {message} (see `kvass gc --help`)\n")
