"""kvassfs.tools.editing"""

from __future__ import annotations

import pytest

from kvassfs.entry import Entry
from kvassfs.tools.editing import (
    LONGEST_NAME,
    Outcome,
    decide_outcome,
    describe_meanwhile,
    name_file,
    take_fingerprint,
)


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        ([b"x"], [b"x"], Outcome.UNCHANGED),
        ([b"x", b"y"], [b"xy"], Outcome.UNCHANGED),
        ([], [], Outcome.UNCHANGED),
        ([], [b""], Outcome.UNCHANGED),
        ([b"x"], [b"y"], Outcome.CHANGED),
        ([], [b"y"], Outcome.CHANGED),
        ([b"x"], [], Outcome.EMPTIED),
    ],
)
def test_what_becomes_of_a_value(before: list[bytes], after: list[bytes], outcome: Outcome) -> None:
    assert decide_outcome(take_fingerprint(before), take_fingerprint(after)) is outcome


def entry(token: str, size: int = 5, mode: int | None = None) -> Entry:
    return Entry("k", timestamp=1, counter=1, process_id=1, url_token=token, size=size, mode=mode)


@pytest.mark.parametrize(
    ("began", "now", "said"),
    [
        (None, None, None),
        (entry("a"), entry("a"), None),
        (entry("a"), entry("a", mode=0o100755), None),
        (entry("a"), None, "k was removed meanwhile, and is there again as you saved it"),
        (
            entry("a"),
            entry("b"),
            "k was changed meanwhile: it is as you saved it, and the other version is kept (`kvass log` shows it)",
        ),
        (
            None,
            entry("b"),
            "k was made meanwhile: it is as you saved it, and the other version is kept (`kvass log` shows it)",
        ),
    ],
)
def test_what_others_did_meanwhile_is_said(began: Entry | None, now: Entry | None, said: str | None) -> None:
    assert describe_meanwhile("k", began, now) == said


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("notes/trip.md", "trip.md"),
        ("plain", "plain"),
        (".vimrc", ".vimrc"),
        ("a/", "value"),
        ("a/..", "value"),
        (".", "value"),
        ("-x", "-x"),
        ("x" * 300 + ".md", "x" * (LONGEST_NAME - 3) + ".md"),
        ("猫" * 100 + ".py", "猫" * 65 + ".py"),
        ("x" * 300, "x" * LONGEST_NAME),
        ("a." + "x" * 300, "a." + "x" * (LONGEST_NAME - 2)),
    ],
)
def test_a_file_is_named_after_the_key(key: str, name: str) -> None:
    assert name_file(key) == name
