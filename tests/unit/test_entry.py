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
    check_key,
    directory_of,
    is_target,
    new_token,
    next_timestamp,
    parent,
    stamp_anew,
)
from kvassfs.errors import InvalidKey
from kvassfs.replica import MAX_PROCESS_ID
from kvassfs.sharing.address import is_token

SECOND = 1_000_000  # microseconds

ENTRY = Entry("key", timestamp=100, counter=10, process_id=5, url_token="token", size=1)


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
