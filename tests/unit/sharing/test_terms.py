"""kvassfs.sharing.terms: when a share link ends"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.sharing.terms import UNLIMITED, Terms, hub_time
from kvassfs.store import Store
from tests.support.stores import Clock, ClockMachine, set_hub_ahead

NOW = 1_704_110_400_000_000  # 2024-01-01 12:00 UTC
MINUTE = 60_000_000  # microseconds
CLOCK = Clock(NOW * 1000, step=0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "db", clock=CLOCK, machine=ClockMachine(CLOCK)) as opened:
        yield opened


def test_a_lifetime_is_counted_from_now() -> None:
    assert Terms(lifetime=60).expires_at(NOW) == NOW + MINUTE


@pytest.mark.parametrize("terms", [UNLIMITED, Terms(once=True)])
def test_without_a_lifetime_time_ends_nothing(terms: Terms) -> None:
    assert terms.expires_at(NOW) == 0


@pytest.mark.parametrize("difference", [7 * MINUTE, -7 * MINUTE, 0])
def test_the_time_of_the_hub_is_ours_and_the_difference(store: Store, difference: int) -> None:
    set_hub_ahead(store, CLOCK, difference)
    assert hub_time(store, lambda: NOW * 1000) == NOW + difference


def test_where_the_clock_of_the_hub_is_not_known_ours_is_taken(store: Store) -> None:
    assert hub_time(store, lambda: NOW * 1000 + 999) == NOW
