"""kvassfs_cli.share_options; the addresses that it gets are tested in commands/test_url.py"""

from __future__ import annotations

import pytest

from kvassfs_cli.share_options import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("90s", 90), ("15m", 900), ("1h", 3600), ("1h30m", 5400), ("7d", 604_800), ("2w", 1_209_600)],
)
def test_spans_of_time_are_written_with_their_units(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds
