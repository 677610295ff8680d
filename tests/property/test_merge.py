"""Merging takes a least upper bound, and timestamps only grow, whatever clocks and replicas do."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from kvassfs.entry import CLOCK_TOLERANCE, MAX_RECEIVED, Entry, next_timestamp, stamp_anew
from kvassfs.verdict import Verdict, judge

NUMBERS = st.integers(1, 4)
"""Few values, so that equal ones meet often."""


def merge(one: Entry, other: Entry) -> Entry:
    """Return the version that a replica has which had ``one`` and is delivered ``other``."""
    return other if judge(one, other, pushed=True) is Verdict.ACCEPT else one


@st.composite
def versions(draw: st.DrawFn) -> list[Entry]:
    """Versions of one key. A writer that was set back to a backup gives out the same counter twice."""
    fields = st.tuples(
        NUMBERS,
        NUMBERS,
        NUMBERS,
        st.sampled_from("tu"),
        st.sampled_from([None, 0o100600, 0o100700]),
        st.none() | NUMBERS,
    )
    writers = draw(st.lists(fields, min_size=1, max_size=8, unique=True))
    return [
        Entry("key", timestamp, counter, process_id, token, len(token), mode, mod_time)
        for timestamp, counter, process_id, token, mode, mod_time in writers
    ]


@given(versions())
def test_merging_two_is_commutative(entries: list[Entry]) -> None:
    for one in entries:
        for other in entries:
            assert merge(one, other) == merge(other, one)


@given(versions())
def test_merging_three_is_associative(entries: list[Entry]) -> None:
    for one in entries:
        for two in entries:
            for three in entries:
                assert merge(merge(one, two), three) == merge(one, merge(two, three))


@given(versions())
def test_merging_with_what_was_merged_before_changes_nothing(entries: list[Entry]) -> None:
    for one in entries:
        for other in entries:
            assert merge(merge(one, other), other) == merge(one, other)


@given(versions(), st.data())
def test_replicas_agree_in_whatever_order_and_how_often_versions_arrive(
    entries: list[Entry], data: st.DataObject
) -> None:
    arrivals = data.draw(st.permutations(entries + data.draw(st.lists(st.sampled_from(entries)))))
    assert reduce(merge, arrivals) == reduce(merge, entries)


@given(versions())
def test_the_winner_is_one_of_them_and_beats_all(entries: list[Entry]) -> None:
    winner = reduce(merge, entries)
    assert winner in entries
    assert all((winner.order, winner.rank) >= (entry.order, entry.rank) for entry in entries)


MICROSECONDS = st.integers(0, MAX_RECEIVED - 100)
"""Where timestamps can still grow: at their end, counters decide."""


@given(MICROSECONDS, MICROSECONDS)
def test_a_timestamp_is_the_least_that_is_not_behind_the_clock_and_beats_what_it_follows(
    now: int, replaced: int
) -> None:
    timestamp = next_timestamp(now, replaced)
    assert timestamp >= now
    assert timestamp > replaced
    assert timestamp in {now, replaced + 1}


@given(MICROSECONDS, st.integers(-(2**50), 2**50), MICROSECONDS, st.none() | MICROSECONDS)
def test_what_is_stamped_anew_was_ahead_and_is_above_what_others_know(
    timestamp: int, difference: int, now: int, floor: int | None
) -> None:
    stamped = stamp_anew(timestamp, difference=difference, now=now, floor=floor)
    if timestamp <= now + CLOCK_TOLERANCE:
        assert stamped == timestamp
    else:
        assert floor is None or stamped > floor
        assert stamped <= now or stamped == (floor or 0) + 1


@given(st.lists(st.tuples(st.sampled_from("abc"), MICROSECONDS), min_size=1))
def test_a_write_made_after_seeing_another_always_beats_it(writes: list[tuple[str, int]]) -> None:
    current: Entry | None = None
    for counter, (writer, now) in enumerate(writes):
        timestamp = next_timestamp(now, None if current is None else current.timestamp)
        written = Entry("key", timestamp, counter, ord(writer), "", 1)
        assert current is None or merge(current, written) is written
        current = written
