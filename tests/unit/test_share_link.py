"""Addresses with tokens, and the entries that links travel as."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvassfs.entry import check_key
from kvassfs.errors import InvalidKey
from kvassfs.share_link import LINKS, ShareLink, check_new_key, parse_record, record_prefix
from kvassfs.sharing.address import find_token, format_share_url

TOKEN = "zAy8GlYV84tOofdBiuuK6g"

keys = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@given(key=keys, expires=st.integers(0, 10**17), once=st.booleans())
def test_a_link_is_read_back_from_the_key_that_it_travels_under(key: str, expires: int, once: bool) -> None:
    link = ShareLink(TOKEN, key, expires, once)
    assert parse_record(check_key(link.record)) == link


def test_the_records_of_a_token_begin_alike() -> None:
    assert ShareLink(TOKEN, "key", 1, True).record == record_prefix(TOKEN) + "1/once/key"
    assert record_prefix(TOKEN).startswith(LINKS)


def test_no_value_can_be_put_where_a_link_travels() -> None:
    with pytest.raises(InvalidKey, match="links travel under such keys"):
        check_new_key(ShareLink(TOKEN, "key").record)
    assert check_new_key(f"{LINKS}x") == f"{LINKS}x"


@pytest.mark.parametrize(
    "key",
    ["key", "link/x/-/once/key", f"{LINKS}x", f"{LINKS}x/y/once/key", f"{LINKS}x/1/twice/key", f"{LINKS}x/-/often/"],
)
def test_other_keys_are_no_links(key: str) -> None:
    assert parse_record(key) is None


@pytest.mark.parametrize(("expires", "now", "expired"), [(0, 10**18, False), (5, 4, False), (5, 5, True), (5, 6, True)])
def test_a_link_expires_at_its_time(expires: int, now: int, expired: bool) -> None:
    assert ShareLink(TOKEN, "key", expires).has_expired(now) is expired


def test_the_address_is_that_of_the_original() -> None:
    assert format_share_url("http://hub.example:8000", TOKEN) == f"http://hub.example:8000/get?q={TOKEN}"


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"http://hub.example:8000/get?q={TOKEN}",
        f"https://example.org/kvass/get?utm=x&q={TOKEN}#top",
        f"/get?q={TOKEN}",
    ],
)
def test_the_token_is_found_in_an_address_or_alone(text: str) -> None:
    assert find_token(text) == TOKEN


@pytest.mark.parametrize(
    "text", ["", "key", "a/b", "http://hub.example/get", "http://hub.example/get?q=", TOKEN + "x", "?p=1"]
)
def test_other_texts_hold_no_token(text: str) -> None:
    assert find_token(text) is None
