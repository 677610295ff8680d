"""kvassfs.clocks: what is said of wrong clocks"""

from __future__ import annotations

import pytest

from kvassfs.clocks import (
    MAX_CLOCK,
    MAX_TIME,
    WARNED_AHEAD,
    WARNED_DIFFERENCE,
    bound_clock,
    clamp_time,
    describe_ahead,
    describe_difference,
)

MINUTE = 60_000_000  # microseconds
DAY = 24 * 60 * MINUTE


@pytest.mark.parametrize("difference", [None, 0, WARNED_DIFFERENCE, -WARNED_DIFFERENCE])
def test_clocks_that_about_agree_are_not_worth_a_word(difference: int | None) -> None:
    assert describe_difference(difference) is None


@pytest.mark.parametrize(
    ("difference", "said"), [(-3 * DAY - 1, "3 days, 0:00:00 ahead of"), (90 * MINUTE, "1:30:00 behind")]
)
def test_a_clock_that_is_off_is_told_by_how_much_and_in_which_direction(difference: int, said: str) -> None:
    line = describe_difference(difference)
    assert line is not None
    assert f"the clock of this machine is {said} that of the hub" in line


def test_a_version_that_is_dated_far_ahead_is_told_with_a_remedy() -> None:
    assert describe_ahead("k", WARNED_AHEAD + 5, 5) is None
    line = describe_ahead("k", 3 * DAY, 0)
    assert line is not None
    assert line.startswith("k is dated 3 days, 0:00:00 ahead")
    assert "under another key" in line


SECOND = 10**9
YEAR = 365 * 24 * 3600 * SECOND


@pytest.mark.parametrize("now", [0, 5, -5, 1_704_067_200 * SECOND, -69 * YEAR, MAX_CLOCK, -MAX_CLOCK])
def test_a_clock_that_can_be_stored_is_shown_as_it_is(now: int) -> None:
    assert bound_clock(lambda: now)() == now


@pytest.mark.parametrize("now", [MAX_CLOCK + 1, 330 * YEAR, 8000 * YEAR, -MAX_CLOCK - 5 * SECOND, -2000 * YEAR])
def test_one_that_cannot_shows_the_last_year_that_can_and_goes_on(now: int) -> None:
    shown, later = bound_clock(lambda: now)(), bound_clock(lambda: now + SECOND)()
    assert -YEAR <= shown <= MAX_CLOCK
    assert later - shown == SECOND


@pytest.mark.parametrize(
    ("time", "clamped"), [(0, 0), (-7, -7), (2**63, MAX_TIME), (-(2**63), -MAX_TIME), (10**30, MAX_TIME)]
)
def test_a_time_of_a_file_is_one_that_can_be_stored(time: int, clamped: int) -> None:
    assert clamp_time(time) == clamped
