"""kvassfs_cli.formats"""

from __future__ import annotations

import pytest

from kvassfs_cli import formats

MOMENT = 1_795_396_752_382_991
SECOND = 1_000_000


@pytest.mark.parametrize(("number", "text"), [(0, "0 entries"), (1, "1 entry"), (12, "12 entries")])
def test_entries_are_counted(number: int, text: str) -> None:
    assert formats.format_entry_count(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (3_449_999, "3.4 MB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (2**30, "1.1 GB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_a_size_has_three_digits_and_a_unit(number: int, text: str) -> None:
    assert formats.format_size(number) == text


def test_times_are_local_for_people_and_universal_for_programs(kathmandu: None) -> None:
    assert formats.format_local_time(MOMENT) == "2026-11-23 07:04:12"
    assert formats.format_utc(MOMENT) == "2026-11-23T01:19:12Z"


@pytest.mark.parametrize("moment", [2**62, 10**18, -(2**62)])
def test_a_time_beyond_the_calendar_is_not_known(moment: int) -> None:
    assert formats.format_local_time(moment) == "?"
    assert formats.format_utc(moment) is None


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (-5 * SECOND, "just now"),
        (SECOND - 1, "just now"),
        (SECOND, "1 second ago"),
        (59 * SECOND, "59 seconds ago"),
        (61 * SECOND, "1 minute ago"),
        (7200 * SECOND, "2 hours ago"),
        (90 * 86_400 * SECOND, "90 days ago"),
    ],
)
def test_the_past_is_told_in_the_largest_unit(passed: int, text: str) -> None:
    assert formats.format_age(MOMENT, MOMENT + passed) == text


def test_no_time_at_all_has_a_unit_too() -> None:
    assert formats.format_span(0) == "0 seconds"


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 604_800), ("7d", 604_800), ("1w", 604_800), ("12h", 43_200), ("30m", 1800), ("0s", 0)]
)
def test_spans_of_time_are_read(text: str, seconds: int) -> None:
    assert formats.parse_span(text) == seconds * SECOND


@pytest.mark.parametrize("text", ["", "d", "-1d", "1.5h", "1y", "1 d", "٣d", "9999999999d"])
def test_other_spans_are_none(text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  its text is what was given
        formats.parse_span(text)
    assert str(caught.value) == text
