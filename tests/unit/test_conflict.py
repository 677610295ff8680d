"""kvassfs.conflict"""

from __future__ import annotations

import pytest

from kvassfs.conflict import (
    MOST_SEEN,
    Conflict,
    Origin,
    describe_conflict,
    find_origin,
    follows,
    format_seen,
    is_conflict,
    note_seen,
    parse_seen,
)
from kvassfs.entry import Entry

A, B, C = 1, 2, 3

FILE = 0o100600


def version(
    writer: int,
    counter: int,
    *,
    seen: str | None = "",
    origin: str | None = None,
    size: int = 1,
    mode: int | None = None,
    token: str = "",
) -> Entry:
    return Entry("key", 10, counter, writer, token or f"{writer}-{counter}", size, mode, None, seen, origin)


@pytest.mark.parametrize("text", ["", "7:12", "7:12 9:3"])
def test_what_was_seen_is_a_text(text: str) -> None:
    assert format_seen(parse_seen(text)) == text


def test_nothing_is_known_of_what_the_original_program_saw() -> None:
    assert parse_seen(None) == []


@pytest.mark.parametrize(
    ("writer", "base", "others", "seen"),
    [
        (A, None, [], ""),
        (A, version(A, 5), [], ""),
        (A, version(B, 5), [], "2:5"),
        (A, version(B, 5, seen="1:4 3:2"), [], "2:5 3:2"),
        (A, version(A, 5, seen="2:4 3:2"), [], "2:4 3:2"),
        (A, version(B, 5, seen=None), [], "2:5"),
        # A version that keeps a value is one that was seen itself.
        (A, version(B, 5, seen="3:4", origin="3:4"), [], "2:5 3:4"),
        # The latest of each writer, wherever it stands.
        (A, version(B, 5, seen="3:2"), [Origin(C, 9)], "2:5 3:9"),
        (A, version(B, 5, seen="3:9"), [Origin(C, 2)], "2:5 3:9"),
        (A, version(B, 5), [Origin(A, 4)], "2:5"),
    ],
)
def test_a_writer_has_seen_the_version_before_and_all_that_its_writer_had(
    writer: int, base: Entry | None, others: list[Origin], seen: str
) -> None:
    assert note_seen(writer, base, others) == seen


def test_the_oldest_are_left_out() -> None:
    seen = format_seen(Origin(number, 1) for number in range(10, 10 + MOST_SEEN))
    assert parse_seen(note_seen(A, version(B, 5, seen=seen))) == [Origin(B, 5), *parse_seen(seen)[:-1]]


@pytest.mark.parametrize(
    ("winner", "loser", "expected"),
    [
        (version(A, 5), version(B, 5), True),
        (version(A, 5, seen="2:4"), version(B, 5), True),
        (version(A, 5, seen="2:5"), version(B, 5), False),
        (version(A, 5, seen="3:1 2:6"), version(B, 5), False),
        (version(A, 5), version(A, 4), False),
        # An original program, or a hub of it between, tells nothing.
        (version(A, 5, seen=None), version(B, 5), False),
        (version(A, 5), version(B, 5, seen=None), True),
        # The same value.
        (version(A, 5, token="same"), version(B, 5, token="same"), False),
        (version(A, 5, origin="2:5"), version(B, 5), False),
        (version(A, 5, origin="2:4", seen="2:4"), version(B, 6, origin="2:4"), False),
        # What changed mode or times alone stands for the value that it keeps.
        (version(A, 5), version(B, 5, origin="1:4"), False),
        (version(A, 5), version(B, 5, origin="3:4"), True),
        (version(A, 5, seen="3:4"), version(B, 5, origin="3:4"), False),
        # A key that is deleted, and one that is empty.
        (version(A, 5, size=0), version(B, 5), True),
        (version(A, 5), version(B, 5, size=0), False),
        (version(A, 5), version(B, 5, size=0, mode=FILE), True),
        (version(A, 5, size=0, mode=FILE), version(B, 5, size=0), False),
        (version(A, 5, size=0), version(B, 5, size=0, mode=FILE), True),
        # A directory has no value.
        (version(A, 5), version(B, 5, size=0, mode=0o040700), False),
        (version(A, 5, size=0, mode=0o040700), version(B, 5), True),
    ],
)
def test_it_is_a_conflict_if_the_winner_had_not_seen_the_value_that_lost(
    winner: Entry, loser: Entry, expected: bool
) -> None:
    assert is_conflict(winner, loser) is expected


def test_the_writer_of_a_value_is_who_wrote_it_first() -> None:
    assert find_origin(version(A, 5)) == (A, 5)
    assert find_origin(version(A, 5, origin="2:4")) == (B, 4)


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("notes/a", "kvass get notes/a --rev 3"),
        ("it's", """kvass get 'it'"'"'s' --rev 3"""),
        ("-x", "kvass get --rev 3 -- -x"),
    ],
)
def test_a_conflict_is_told_with_the_devices_and_the_command(key: str, command: str) -> None:
    lost = version(B, 5)._replace(key=key)
    text = describe_conflict(Conflict(lost, 3, winner=A, met=9), {A: "laptop"})
    assert text == f"{key!r}: the version of 2 lost to that of laptop, and neither knew the other; `{command}` shows it"


@pytest.mark.parametrize(
    ("writer", "counter", "seen", "expected"),
    [
        (7, 5, None, True),  # its own writer's, an earlier one
        (7, 4, None, False),
        (7, 3, "7:9", False),
        (9, 5, "7:4", True),
        (9, 5, "8:1 7:9", True),
        (9, 5, "7:3", False),
        (9, 50, "", False),
        (9, 50, None, False),
    ],
)
def test_a_version_follows_those_that_its_writer_had(
    writer: int, counter: int, seen: str | None, expected: bool
) -> None:
    entry = Entry("key", 10, counter, writer, "token", 1, seen=seen)
    assert follows(entry, Entry("key", 9, 4, 7, "other", 1)) is expected
