"""Entries: their order, their merge, their timestamps, tokens and keys."""

from __future__ import annotations

import base64
import os
import stat

import pytest

from kvassfs.entry import (
    DEFAULT_MODE,
    LONGEST_KEY,
    MAX_RECEIVED,
    TOKEN_BYTES,
    Entry,
    Verdict,
    check_key,
    directory_of,
    is_target,
    judge,
    new_token,
    next_timestamp,
    parent,
    stamp_anew,
)
from kvassfs.errors import InvalidKey
from kvassfs.replica import MAX_PROCESS_ID, NOBODY
from kvassfs.sharing.address import is_token

SECOND = 1_000_000  # microseconds

ENTRY = Entry("key", timestamp=100, counter=10, process_id=5, url_token="token", size=1)


def merge(one: Entry, other: Entry) -> Entry:
    """Return the version that a replica has which had ``one`` and is delivered ``other``."""
    return other if judge(one, other, pushed=True) is Verdict.ACCEPT else one


class TestOrder:
    def test_a_later_timestamp_wins_whatever_counter_and_writer(self) -> None:
        later = ENTRY._replace(timestamp=101, counter=1, process_id=9)
        assert merge(ENTRY, later) is later
        assert merge(later, ENTRY) is later

    def test_at_equal_timestamps_the_greater_counter_wins(self) -> None:
        later = ENTRY._replace(counter=11, process_id=9)
        assert merge(ENTRY, later) is later
        assert merge(later, ENTRY) is later

    def test_at_equal_timestamps_and_counters_the_lower_process_id_wins(self) -> None:
        lower = ENTRY._replace(process_id=4)
        assert merge(ENTRY, lower) is lower
        assert merge(lower, ENTRY) is lower

    def test_nobody_beats_every_writer_of_the_same_moment(self) -> None:
        assert merge(ENTRY, ENTRY._replace(process_id=NOBODY)).process_id == NOBODY

    def test_an_entry_merged_with_itself_stays(self) -> None:
        assert merge(ENTRY, ENTRY) is ENTRY

    def test_of_two_with_the_same_number_the_one_with_a_mode_wins_then_with_a_time_then_the_rest_decides(self) -> None:
        """As a hub that was set back to a backup writes them; each replica decides the same way."""
        ranked = [
            ENTRY._replace(url_token="zzz"),
            ENTRY._replace(url_token="aaa", mode=DEFAULT_MODE),
            ENTRY._replace(url_token="bbb", mode=DEFAULT_MODE),
            ENTRY._replace(url_token="bbb", mode=DEFAULT_MODE | 0o100),
            ENTRY._replace(url_token="aaa", mode=DEFAULT_MODE, mod_time=5),
            ENTRY._replace(url_token="aaa", mode=DEFAULT_MODE, mod_time=6),
        ]
        for number, one in enumerate(ranked):
            for other in ranked[number + 1 :]:
                assert judge(one, other, pushed=True) is judge(one, other, pushed=False) is Verdict.ACCEPT
                assert judge(other, one, pushed=True) is Verdict.REJECT

    def test_a_mode_or_time_that_a_hub_of_version_1_has_dropped_comes_back(self) -> None:
        for whole in (ENTRY._replace(mode=DEFAULT_MODE), ENTRY._replace(mod_time=-7)):
            assert judge(ENTRY, whole, pushed=False) is judge(ENTRY, whole, pushed=True) is Verdict.ACCEPT
            assert judge(whole, ENTRY, pushed=False) is Verdict.SAME

    def test_one_that_a_hub_of_version_1_hands_back_is_the_same_whatever_became_of_its_counter(self) -> None:
        changed = ENTRY._replace(counter=99, mode=None)
        assert judge(ENTRY, changed, pushed=False) is Verdict.SAME
        assert judge(ENTRY, changed, pushed=True) is Verdict.ACCEPT

    def test_the_first_one_of_a_key_is_accepted(self) -> None:
        assert judge(None, ENTRY, pushed=False) is judge(None, ENTRY, pushed=True) is Verdict.ACCEPT

    def test_one_that_loses_is_rejected(self) -> None:
        earlier = ENTRY._replace(timestamp=99, counter=99)
        assert judge(ENTRY, earlier, pushed=False) is judge(ENTRY, earlier, pushed=True) is Verdict.REJECT

    def test_a_tombstone_wins_and_loses_like_any_entry(self) -> None:
        tombstone = ENTRY._replace(timestamp=101, size=0)
        assert merge(ENTRY, tombstone) is tombstone
        assert merge(tombstone, ENTRY._replace(timestamp=102)).size == 1


class TestDeletion:
    def test_an_empty_value_without_a_mode_is_a_deleted_key(self) -> None:
        assert ENTRY._replace(size=0).deleted

    def test_an_empty_value_with_a_mode_is_an_empty_file(self) -> None:
        assert not ENTRY._replace(size=0, mode=DEFAULT_MODE).deleted

    def test_a_value_is_none(self) -> None:
        assert not ENTRY.deleted

    def test_without_a_mode_an_entry_is_a_regular_private_file(self) -> None:
        assert stat.filemode(DEFAULT_MODE) == "-rw-------"


class TestTimestamp:
    def test_is_the_time_where_that_is_ahead(self) -> None:
        assert next_timestamp(1000, 20) == next_timestamp(1000, None) == 1000

    def test_beats_the_replaced_version_however_far_ahead_that_is(self) -> None:
        assert next_timestamp(1000, 1000) == 1001
        assert next_timestamp(1000, 9999) == 10000

    @pytest.mark.parametrize("replaced", [None, 5, MAX_RECEIVED - 1, MAX_RECEIVED, MAX_RECEIVED + 1, 2**62])
    def test_is_one_that_others_take_whatever_the_time_is(self, replaced: int | None) -> None:
        assert next_timestamp(2**62, replaced) == MAX_RECEIVED
        assert next_timestamp(-(2**62), replaced) == min((-1 if replaced is None else replaced) + 1, MAX_RECEIVED)

    @pytest.mark.parametrize(
        ("what", "timestamp", "difference", "floor", "expected"),
        [
            ("was written by the clock of the hub", 1000, 0, None, 1000),
            ("was written before", 400, -300, None, 400),
            ("was written just now, and our clock was set ahead since", 1000 + 1, -300, None, 1001),
            ("is ahead by no more than can be measured", 1000 + SECOND, -300, None, 1000 + SECOND),
            ("is ahead, and our clock still is", 1290 + SECOND, -300 - SECOND, None, 990),
            ("is ahead, and our clock was set right since", 1290 + SECOND, 0, None, 1000),
            ("is ahead, and our clock was set too late since", 1290 + SECOND, 50, None, 1000),
            ("follows a version of others that is ahead", 5001 + SECOND, 0, 5000 + SECOND, 5001 + SECOND),
            ("was written ahead over an old version of others", 1290 + SECOND, 0, 600, 1000),
            ("is ahead, and would go below what others know", 1290 + SECOND, -900 - SECOND, 600, 601),
        ],
    )
    def test_what_no_other_device_knows_is_stamped_anew_if_it(
        self, what: str, timestamp: int, difference: int, floor: int | None, expected: int
    ) -> None:
        assert stamp_anew(timestamp, difference=difference, now=1000, floor=floor) == expected, what


class TestToken:
    def test_does_not_begin_as_an_option_does(self) -> None:
        token = new_token(lambda number: bytes([0xFB] * number))
        assert token == "A_v7-_v7-_v7-_v7-_v7-w"
        assert is_token(token)

    def test_is_16_random_bytes_in_base64url_without_padding(self) -> None:
        token = new_token(lambda number: bytes([0xEF] * number))
        assert base64.urlsafe_b64decode(token + "==") == bytes([0xEF] * TOKEN_BYTES)
        assert len(token) == 22
        assert not set(token) & set("+/=")

    def test_is_another_each_time(self) -> None:
        assert len({new_token(os.urandom) for _ in range(100)}) == 100


class TestKey:
    @pytest.mark.parametrize(
        "key",
        ["a", "/", "//", ".", "..", "a/", " ", "\n", "猫咪 key/with slash", "\u00e9", "e\u0301", "😀", "x" * 5000],
    )
    def test_is_any_text(self, key: str) -> None:
        assert check_key(key) == key

    def test_is_refused_where_it_is_too_long_to_be_named(self) -> None:
        assert check_key("x" * LONGEST_KEY)
        with pytest.raises(InvalidKey, match="1,048,576 characters") as refused:
            check_key("x" * (LONGEST_KEY + 1))
        assert len(str(refused.value)) < 200

    @pytest.mark.parametrize("key", ["", "\0", "a\0b", "\ud800", "caf\udce9"])
    def test_is_refused_with_the_reason_in_one_line(self, key: str) -> None:
        with pytest.raises(InvalidKey) as refused:
            check_key(key)
        assert refused.value.key == key
        assert refused.value.reason in str(refused.value)
        # It can be shown on any terminal.
        str(refused.value).encode("utf-8")


def test_process_ids_fit_32_bits() -> None:
    assert MAX_PROCESS_ID.bit_length() == 32


@pytest.mark.parametrize(
    ("key", "prefix"), [("a", ""), ("a/b", "a/"), ("a/", "a/"), ("/", "/"), ("/a", "/"), ("a//b", "a//")]
)
def test_the_directory_of_a_key(key: str, prefix: str) -> None:
    assert directory_of(key) == prefix


@pytest.mark.parametrize(
    ("prefix", "above"), [("a/", ""), ("a/b/", "a/"), ("/", ""), ("a//", "a/"), ("//", "/"), ("/a/", "/")]
)
def test_the_directory_above_a_directory(prefix: str, above: str) -> None:
    assert parent(prefix) == above


@pytest.mark.parametrize(
    ("value", "can_be"),
    [
        (b"a", True),
        (b"../\xc3\xa4", True),
        (b"x" * 4095, True),
        (b"x" * 4096, False),
        (b"", False),
        (b"a\0b", False),
        (b"\xff", False),
        (b"\xed\xa0\x80", False),
    ],
)
def test_a_symbolic_link_leads_only_where_a_path_can(value: bytes, can_be: bool) -> None:
    assert is_target(value) is can_be
