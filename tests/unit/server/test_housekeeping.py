"""kvassfs.server.housekeeping: one step after the other, again after failures, and an end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kvassfs.errors import StoreBusy
from kvassfs.server.homes import FileHome
from kvassfs.server.housekeeping import Housekeeping
from kvassfs.store import Store
from tests.support.stores import free_room

CLOSE = 5.0
SECONDS = 20.0


class Upkeep:
    """Notes what it is asked for; ``left`` steps of each kind are to be taken."""

    def __init__(self, *, left: int = 0, failures: list[Exception] | None = None) -> None:
        self.calls: list[str] = []
        self._left = {"tidy": left, "give_some_back": left}
        self._failures = failures or []

    def _take(self, kind: str) -> bool:
        self.calls.append(kind)
        if self._failures:
            raise self._failures.pop(0)
        self._left[kind] -= 1
        return self._left[kind] >= 0

    def tidy(self) -> bool:
        return self._take("tidy")

    def give_some_back(self) -> bool:
        return self._take("give_some_back")


def run_until(upkeep: Upkeep, done: Callable[[], bool], *, interval: float = 0.01, rest: float = 0.0) -> None:
    @contextmanager
    def open_stub() -> Iterator[Callable[[], bool]]:
        yield lambda: upkeep.tidy() or upkeep.give_some_back()

    async def keep() -> None:
        async with asyncio.timeout(SECONDS), Housekeeping(open_stub, interval, rest).run(CLOSE):
            while not done():
                await asyncio.sleep(0.005)

    asyncio.run(keep())


def test_what_is_to_be_cleaned_up_goes_before_room_is_given_back() -> None:
    upkeep = Upkeep(left=2)
    run_until(upkeep, lambda: len(upkeep.calls) >= 7)
    assert upkeep.calls[:7] == ["tidy", "tidy", "tidy", "give_some_back", "tidy", "give_some_back", "tidy"]


def test_it_rests_between_steps_and_for_the_interval_when_all_is_done() -> None:
    upkeep = Upkeep(left=3)
    run_until(upkeep, lambda: upkeep.calls.count("give_some_back") == 3 + 1, interval=0.05, rest=0.0)
    assert upkeep.calls.count("tidy") == 3 + 3 + 1


def test_nothing_is_looked_at_before_the_first_interval() -> None:
    upkeep = Upkeep()
    waited = iter(range(10))
    run_until(upkeep, lambda: next(waited) == 9, interval=60.0)
    assert upkeep.calls == []


@pytest.mark.parametrize("error", [StoreBusy("/db"), ValueError("a bug")])
def test_what_fails_is_logged_once_and_tried_again(caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    upkeep = Upkeep(failures=[error] * 3)
    run_until(upkeep, lambda: "give_some_back" in upkeep.calls)
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, f"the clean-up failed: {error}")
    assert bool(record.exc_info) is isinstance(error, ValueError)
    caplog.clear()


def test_a_real_store_is_opened_for_it(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db") as store:
        free_room(store, 6_000_000)
    with FileHome(str(tmp_path / "db")).open_upkeep() as take_step:
        while take_step():  # how much one does in its time depends on the machine
            pass
    assert (tmp_path / "db").stat().st_size < 5_000_000
