"""What becomes of a push, as tables: what is known and what comes, and what changes."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.errors import InvalidMessage, OutOfRange
from kvassfs.keeping.postgres.merging import Known, Plan, Run, Version, list_wanted, plan_merge
from kvassfs.store.merging import MAX_LEAP
from tests.support.stores import SMALL

FULL = [bytes([number]) * SMALL.block for number in range(4)]
END = b"end"


def hashes(*blocks: bytes) -> list[bytes]:
    return [sha256(block).digest() for block in blocks]


def entry(key: str = "a", time: int = 1, counter: int = 1, writer: int = 7, size: int = 1, **fields: Any) -> Entry:
    return Entry(key, time, counter, writer, fields.pop("token", f"{key}{writer}.{counter}"), size, **fields)


def pushed(value: bytes = b"v", *, sequence: int | None = None, **fields: Any) -> Delivery:
    made = entry(size=len(value), **fields)
    return Delivery(made, made.counter if sequence is None else sequence, value)


def in_blocks(*blocks: bytes, counts: tuple[int, ...] = (), size: int | None = None, **fields: Any) -> Delivery:
    whole = sum(len(block) * times for block, times in zip(blocks, counts or [1] * len(blocks), strict=True))
    made = entry(size=whole if size is None else size, **fields)
    return Delivery(made, made.counter, None, b"".join(hashes(*blocks)), counts)


def known(
    *versions: Version, blocks: tuple[bytes, ...] = (), clock: int = 10, counters: Mapping[int, int] | None = None
) -> Known:
    lengths = dict(zip(hashes(*blocks), map(len, blocks), strict=True))
    return Known({version.entry.key: version for version in versions}, lengths, counters or {}, clock)


def short(value: bytes = b"v", sequence: int = 5, **fields: Any) -> Version:
    """Return a short version as it is known, its value aside."""
    return Version(entry(size=len(value), **fields), sequence, None, None)


def large(content: int = 5, **fields: Any) -> Version:
    return Version(entry(**fields), content, None, content)


def plan(*deliveries: Delivery, of: Known) -> Plan:
    return plan_merge(deliveries, of, SMALL)


NOTHING = plan(of=known())


# Verdicts


def test_what_is_new_gets_the_next_sequence_and_is_counted() -> None:
    found = plan(pushed(b"one", key="a"), pushed(b"four", key="b", counter=2), of=known())
    assert found.written == {
        "a": Version(entry("a", size=3), 11, b"one", None),
        "b": Version(entry("b", counter=2, size=4), 12, b"four", None),
    }
    assert (found.clock, found.entries, found.size) == (12, 2, 7)
    assert (found.dropped, found.ended, found.missing, found.handed_out) == ([], [], [], {})


@pytest.mark.parametrize(
    ("current", "delivery", "wins"),
    [
        (short(time=1), pushed(time=2, writer=8), True),
        (short(time=2), pushed(time=1, writer=8), False),
        (short(time=1, counter=1), pushed(time=1, counter=2, writer=8), True),
        (short(time=1, counter=2), pushed(time=1, counter=1, writer=8), False),
        (short(time=1, writer=8), pushed(time=1, writer=7), True),
        (short(time=1, writer=7), pushed(time=1, writer=8), False),
    ],
    ids=["later", "earlier", "counted later", "counted earlier", "smaller writer", "greater writer"],
)
def test_the_greater_in_the_order_wins(current: Version, delivery: Delivery, wins: bool) -> None:
    found = plan(delivery, of=known(current))
    assert (bool(found.written), bool(found.handed_out)) == (wins, not wins)
    assert found.clock == 11


def test_the_very_same_changes_nothing() -> None:
    assert plan(pushed(), of=known(short())) == NOTHING._replace(known={"a"})


def test_counters_and_sequences_of_others_are_followed() -> None:
    assert plan(pushed(counter=100), of=known()).written["a"].sequence == 101
    assert plan(pushed(sequence=200), of=known()).written["a"].sequence == 201
    assert plan(pushed(time=0, counter=1, sequence=300), of=known(short(time=5, sequence=301))).clock == 300


@pytest.mark.parametrize("ahead", [{"counter": 11 + MAX_LEAP}, {"sequence": 11 + MAX_LEAP}])
def test_numbers_too_far_ahead_are_refused_whole(ahead: dict[str, int]) -> None:
    with pytest.raises(OutOfRange):
        plan(pushed(key="b"), pushed(**ahead), of=known())  # type: ignore[arg-type]
    assert plan(pushed(counter=10 + MAX_LEAP), of=known()).clock == 11 + MAX_LEAP


# News for the sender


@pytest.mark.parametrize(
    ("sequence", "counters", "seen", "is_told"),
    [
        (1, {}, None, True),
        (1, {7: 1}, None, False),  # it was here before, and lost then
        (1, {7: 0}, None, True),
        (6, {7: 1}, None, True),  # it says that it is beyond the winner, which it then has to see again
        (5, {7: 1}, None, False),
        (1, {}, "7:1", False),  # the winner came after it, so it was here
    ],
    ids=[
        "first time",
        "again",
        "another of its writer",
        "again and beyond",
        "again and not beyond",
        "seen by the winner",
    ],
)
def test_the_winner_is_handed_out_anew_once(
    sequence: int, counters: dict[int, int], seen: str | None, is_told: bool
) -> None:
    winner = short(time=9, writer=8, counter=3, seen=seen)
    found = plan(pushed(time=1, sequence=sequence), of=known(winner, counters=counters))
    assert found.handed_out == ({"a": 11} if is_told else {})
    assert found.clock == (11 if is_told else 10)
    assert (found.written, found.entries, found.size, found.ended) == ({}, 0, 0, [])


def test_a_winner_that_came_with_this_push_is_handed_out_within_it() -> None:
    found = plan(pushed(time=9, writer=8, counter=2), pushed(time=1), of=known())
    assert found.handed_out == {}
    assert found.written["a"].sequence == found.clock == 12


def test_what_was_to_be_handed_out_and_is_replaced_is_written_only() -> None:
    found = plan(pushed(time=1), pushed(time=10, writer=9, counter=3), of=known(short(time=9, writer=8, counter=2)))
    assert found.handed_out == {}
    assert found.written["a"].sequence == found.clock == 12


# Values


def test_what_is_replaced_is_given_up() -> None:
    old = short(b"four")
    found = plan(pushed(b"bytes", time=2, counter=2), of=known(old))
    assert (found.ended, found.size, found.entries, found.dropped) == ([old.entry], 1, 0, [])
    old = large(size=300)
    found = plan(pushed(b"", time=2, counter=2), of=known(old))
    assert (found.ended, found.size, found.entries, found.dropped) == ([old.entry], 0, 0, [5])


def test_another_mode_keeps_the_value() -> None:
    for old in (short(b"four", token="t"), large(size=4, token="t")):
        found = plan(pushed(b"four", time=2, counter=2, token="t", mode=0o100755), of=known(old))
        assert found.written["a"] == Version(
            entry(time=2, counter=2, token="t", mode=0o100755, size=4), 11, None, old.content
        )
        assert (found.ended, found.dropped, found.size) == ([], [], 0)


def test_a_large_value_is_split_into_blocks() -> None:
    found = plan(pushed(FULL[0] + FULL[1] + END), of=known())
    assert found.written["a"].content == 11
    assert found.written["a"].data is None
    assert found.runs == {11: [Run(at, hash_, 1) for at, hash_ in enumerate(hashes(*FULL[:2], END))]}
    assert found.blocks == dict(zip(hashes(*FULL[:2], END), [*FULL[:2], END], strict=True))
    assert found.size == 0  # blocks are counted when they are stored


@pytest.mark.parametrize(("size", "is_short"), [(SMALL.inline, True), (SMALL.inline + 1, False)])
def test_where_short_values_end(size: int, is_short: bool) -> None:
    assert (plan(pushed(bytes(size)), of=known()).written["a"].content is None) is is_short


def test_blocks_that_are_known_are_named() -> None:
    delivery = in_blocks(FULL[0], END, counts=(300, 1))
    found = plan(delivery, of=known(blocks=(FULL[0], END)))
    assert found.runs == {11: [Run(0, hashes(FULL[0])[0], 300), Run(300, hashes(END)[0], 1)]}
    assert (found.blocks, found.missing) == ({}, [])


def test_an_entry_waits_for_its_blocks_and_others_do_not() -> None:
    found = plan(in_blocks(*FULL), pushed(key="b"), of=known(blocks=(FULL[1],)))
    assert found.missing == hashes(FULL[0], *FULL[2:])
    assert list(found.written) == ["b"]


def test_each_missing_block_is_named_once_for_an_entry() -> None:
    assert plan(in_blocks(FULL[0], FULL[0]), of=known()).missing == hashes(FULL[0])


def test_blocks_that_came_whole_in_the_same_push_are_there() -> None:
    found = plan(pushed(FULL[0] + END, key="b"), in_blocks(FULL[0], END), of=known())
    assert found.missing == []
    assert set(found.runs) == {11, 12}


def test_blocks_of_a_version_that_loses_are_not_asked_for() -> None:
    found = plan(in_blocks(*FULL, time=1), of=known(short(time=9, writer=8)))
    assert found.missing == []


def test_blocks_of_what_only_has_another_mode_are_not_asked_for() -> None:
    old = large(size=4 * SMALL.block, token="t")
    found = plan(in_blocks(*FULL, time=2, counter=2, token="t"), of=known(old))
    assert (found.missing, found.written["a"].content, found.runs) == ([], 5, {})


@pytest.mark.parametrize(
    "delivery",
    [
        in_blocks(*FULL, size=5 * SMALL.block),
        in_blocks(*FULL, size=3 * SMALL.block),
        in_blocks(*FULL, size=4 * SMALL.block - 1),
        in_blocks(END, *FULL),
        in_blocks(FULL[0], counts=(3,), size=2 * SMALL.block),
        in_blocks(FULL[0], END, counts=(1, 2)),
        in_blocks(FULL[0], counts=(2**52,), size=SMALL.block),
    ],
    ids=["fewer", "more", "longer at the end", "short within", "too often", "short twice", "very often"],
)
def test_blocks_that_a_size_does_not_fit_are_refused(delivery: Delivery) -> None:
    with pytest.raises(InvalidMessage):
        plan(delivery, of=known(blocks=(*FULL, END)))


# Several versions of a key in one push


def test_what_came_with_this_push_and_is_replaced_leaves_no_list() -> None:
    old = large(size=300)
    found = plan(pushed(FULL[0] + END, time=2, counter=2), pushed(b"short", time=3, counter=3), of=known(old))
    assert found.runs == {}
    assert found.dropped == [5]
    assert found.written["a"] == Version(entry(time=3, counter=3, size=5), 12, b"short", None)
    assert (found.size, found.entries) == (5, 0)


def test_another_mode_of_what_came_with_this_push_keeps_the_value() -> None:
    found = plan(pushed(b"value", token="t"), pushed(b"value", time=2, counter=2, token="t", mode=0o100755), of=known())
    assert found.written["a"].data == b"value"
    assert (found.size, found.entries, found.ended) == (5, 1, [])


def test_what_is_wanted_is_listed_once() -> None:
    assert list_wanted([in_blocks(FULL[0], FULL[1]), in_blocks(FULL[1], FULL[2]), pushed()]) == hashes(*FULL[:3])
