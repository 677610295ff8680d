"""Keys of a sealed store, names, and tokens."""

from __future__ import annotations

from typing import Any

import pytest

from kvassfs.veil.keys import (
    derive_keys,
    derive_version_key,
    encode_url,
    hide_key,
    hide_version,
    is_name,
    is_outer_token,
    join_parts,
    prove,
)
from tests.support.sealed import KEYS, OTHER_KEYS, make_entry


def test_the_keys_of_a_store_all_differ_and_follow_from_its_secret() -> None:
    assert len({*KEYS, *OTHER_KEYS}) == 10
    assert derive_keys(bytes(range(32))) == KEYS


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_secret_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        derive_keys(bytes(length))


@pytest.mark.parametrize("key", ["a", "a/", "x" * 10_000, "猫", "-", "~a", "\x01"])
def test_a_key_has_one_name_which_is_one(key: str) -> None:
    name = hide_key(KEYS, key)
    assert is_name(name)
    assert name == hide_key(KEYS, key)
    assert name != hide_key(OTHER_KEYS, key)


def test_a_file_and_a_directory_of_one_path_have_different_names() -> None:
    assert hide_key(KEYS, "a/b") != hide_key(KEYS, "a/b/")


@pytest.mark.parametrize(
    "text", ["", "a", "~", "~" + "A" * 42, "~" + "A" * 44, "A" * 44, "~" + "é" * 43, "~" + "A" * 43 + "\n"]
)
def test_other_texts_are_no_names(text: str) -> None:
    assert not is_name(text)


@pytest.mark.parametrize("text", ["", "A" * 21, "A" * 23, "A" * 43, "A" * 21 + "é", "A" * 22 + "\n"])
def test_other_texts_are_no_outer_tokens(text: str) -> None:
    assert not is_outer_token(text)


@pytest.mark.parametrize(
    "other",
    [{"key": "a/c"}, {"url_token": "other"}, {"timestamp": 7}, {"counter": 6}, {"process_id": 1002}],
)
def test_another_version_has_another_token(other: dict[str, Any]) -> None:
    entry = make_entry()
    token = hide_version(KEYS, entry).token
    assert is_outer_token(token)
    assert token != hide_version(KEYS, entry._replace(**other)).token


def test_a_version_that_lost_its_mode_on_the_way_has_the_same_token() -> None:
    entry = make_entry(seen="7:1", origin="7:1")
    bare = entry._replace(mode=None, seen=None, origin=None)
    assert hide_version(KEYS, entry) == hide_version(KEYS, bare)


def test_no_token_begins_like_an_option() -> None:
    tokens = [hide_version(KEYS, make_entry(counter=counter)).token for counter in range(300)]
    assert [token for token in tokens if token.startswith("-")] == []


def test_each_token_has_a_key_of_its_own() -> None:
    assert derive_version_key(KEYS, "a") != derive_version_key(KEYS, "b")
    assert derive_version_key(KEYS, "a") != derive_version_key(OTHER_KEYS, "a")


def test_parts_cannot_be_cut_in_another_place() -> None:
    assert join_parts(b"ab", b"c") != join_parts(b"a", b"bc")
    assert prove(KEYS, b"head", b"ab", b"c") != prove(KEYS, b"head", b"a", b"bc")
    assert prove(KEYS, b"head", b"a") != prove(KEYS, b"link", b"a")


def test_base64url_has_no_padding() -> None:
    assert encode_url(b"\xfb\xff\xfe\x00") == "-__-AA"
