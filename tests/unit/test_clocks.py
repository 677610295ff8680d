"""kvassfs.clocks: what is said of wrong clocks"""

from __future__ import annotations

import pytest

from kvassfs.clocks import WARNED_AHEAD, WARNED_DIFFERENCE, describe_ahead, describe_difference

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
