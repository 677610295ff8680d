"""Requests of stores are counted, each store's apart from the others'."""

from __future__ import annotations

from uuid import UUID

import pytest

from kvassfs.keeping import rates
from kvassfs.keeping.errors import TooManyRequests
from kvassfs.keeping.rates import Rates

ONE, OTHER = UUID(int=1), UUID(int=2)


class Seconds:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def count_taken(counted: Rates, most: int, store: UUID = ONE) -> tuple[int, float]:
    """Return how many requests at once are taken, and for how long the next one has to wait."""
    for taken in range(10_000):
        try:
            counted.count(store, most)
        except TooManyRequests as error:
            return taken, error.wait
    raise AssertionError


@pytest.mark.parametrize("most", [1, 7, 50])
def test_a_quiet_store_makes_the_requests_of_some_seconds_at_once(most: int) -> None:
    clock = Seconds()
    counted = Rates(burst=4, clock=clock)
    taken, wait = count_taken(counted, most)
    assert taken == 4 * most
    assert wait == pytest.approx(1 / most)
    clock.now += 2
    assert count_taken(counted, most)[0] == 2 * most
    clock.now += 1000
    assert count_taken(counted, most)[0] == 4 * most


def test_one_that_may_make_few_makes_one_at_least() -> None:
    assert count_taken(Rates(burst=0, clock=Seconds()), 1)[0] == 1


def test_others_and_those_without_a_limit_are_not_counted() -> None:
    counted = Rates(burst=1, clock=Seconds())
    assert count_taken(counted, 3)[0] == 3
    assert count_taken(counted, 3, OTHER)[0] == 3
    for _ in range(100):
        counted.count(ONE, None)


def test_stores_that_are_quiet_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "REMEMBERED", 10)
    clock = Seconds()
    counted = Rates(clock=clock)
    for number in range(100):
        clock.now += 0.5
        counted.count(UUID(int=number), 1)
    assert len(counted._lasting) <= 11
