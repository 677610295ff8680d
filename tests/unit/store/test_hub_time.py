"""kvassfs.store.hub_time: the clock of the hub, by which versions are dated"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs.store.machine import MACHINE
from tests.support.stores import DAY, SECOND, Clock, ClockMachine, set_hub_ahead

MINUTE = 60_000_000  # microseconds


@pytest.fixture
def clock() -> Clock:
    return Clock(step=0)


@pytest.fixture
def machine(clock: Clock) -> ClockMachine:
    return ClockMachine(clock)


@pytest.fixture
def store(path: Path, clock: Clock, machine: ClockMachine) -> Iterator[Store]:
    with Store.open(path, clock=clock, machine=machine) as opened:
        yield opened


def test_without_a_hub_nothing_is_known_and_our_clock_dates(store: Store, clock: Clock) -> None:
    assert store.hub_time.difference() is None
    assert not store.hub_time.was_asked()
    assert store.set("a", b"x").timestamp == clock.now // 1000


@pytest.mark.parametrize("ahead", [7 * MINUTE, -7 * MINUTE, 1_000_001, -1_000_001])
def test_the_clock_of_the_hub_dates_what_is_written(store: Store, clock: Clock, ahead: int) -> None:
    set_hub_ahead(store, clock, ahead)
    assert store.hub_time.difference() == ahead
    assert store.set("a", b"x").timestamp == clock.now // 1000 + ahead


@pytest.mark.parametrize("ahead", [1_000_000, -1_000_000, 0])
def test_where_they_agree_as_far_as_can_be_measured_our_own_dates(store: Store, clock: Clock, ahead: int) -> None:
    set_hub_ahead(store, clock, ahead)
    assert store.set("a", b"x").timestamp == clock.now // 1000


def test_our_clock_may_be_set_meanwhile(store: Store, clock: Clock) -> None:
    set_hub_ahead(store, clock, 0)
    clock.jump(3 * DAY)
    clock.advance(5 * SECOND)
    assert store.hub_time.difference() == -3 * DAY // 1000
    assert store.set("a", b"x").timestamp == clock.true // 1000


def test_what_programs_see_goes_by_our_clock(store: Store, clock: Clock) -> None:
    set_hub_ahead(store, clock, 7 * MINUTE)
    store.set("a", b"x")
    node = store.tree.file("a")
    assert node is not None
    assert node.mtime == node.changed == clock.now


def test_it_is_known_for_this_boot_alone(path: Path, store: Store, clock: Clock, machine: ClockMachine) -> None:
    set_hub_ahead(store, clock, 7 * MINUTE)
    machine.boots += 1
    with Store.open(path, clock=clock, machine=machine) as later:
        assert later.hub_time.difference() is None
        assert not later.hub_time.was_asked()


def test_another_hub_has_another_clock(store: Store, clock: Clock) -> None:
    set_hub_ahead(store, clock, 7 * MINUTE)
    epoch = store.peers.hub().epoch
    store.settings.set_remote("other")
    assert store.hub_time.difference() is None
    store.hub_time.note(0, epoch=epoch)
    assert not store.hub_time.was_asked()


def test_an_exchange_that_took_too_long_leaves_what_is_known(store: Store, clock: Clock) -> None:
    epoch = store.peers.hub().epoch
    store.hub_time.note(None, epoch=epoch)
    assert store.hub_time.was_asked()
    assert store.hub_time.difference() is None
    set_hub_ahead(store, clock, 7 * MINUTE)
    store.hub_time.note(None, epoch=epoch)
    assert store.hub_time.difference() == 7 * MINUTE


def test_what_hardly_differs_is_not_written_again(store: Store, clock: Clock) -> None:
    set_hub_ahead(store, clock, 7 * MINUTE)
    before = store._database.connection.total_changes
    set_hub_ahead(store, clock, 7 * MINUTE + 100_000)
    assert store._database.connection.total_changes == before
    set_hub_ahead(store, clock, 7 * MINUTE + 100_001)
    assert store.hub_time.difference() == 7 * MINUTE + 100_001


def test_the_uptime_of_this_system_grows_and_its_boot_stays() -> None:
    before = MACHINE.read_uptime()
    assert 0 < before <= MACHINE.read_uptime()
    assert MACHINE.identify_boot() == MACHINE.identify_boot() != ""
