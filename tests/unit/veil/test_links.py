"""Share links of a sealed store: tokens, keys and wraps."""

from __future__ import annotations

from typing import Any

import pytest

from kvassfs.share_link import ShareLink, parse_record
from kvassfs.sharing.address import is_token
from kvassfs.veil.errors import CannotBeOpened
from kvassfs.veil.keys import hide_key
from kvassfs.veil.links import (
    MOST_WRAPS,
    TOKEN_LENGTH,
    WRAP_BYTES,
    choose_links,
    derive_link_key,
    is_proven,
    make_link,
    make_wraps,
    open_wraps,
)
from tests.support.sealed import KEYS, OTHER_KEYS, make_links, random_bytes

NAME = hide_key(KEYS, "a/b")
LINK = make_link(KEYS, NAME, expires=1_795_396_752_478_943, once=True, random=random_bytes)
VERSION_KEY, NONCE = bytes(range(32)), bytes(12)


def test_a_device_makes_links_that_hubs_take_and_devices_recognise() -> None:
    assert is_proven(KEYS, LINK)
    assert len(LINK.token) == TOKEN_LENGTH
    assert is_token(LINK.token)
    assert parse_record(LINK.record) == LINK


@pytest.mark.parametrize(
    "other",
    [
        {"expires": 0},
        {"expires": LINK.expires + 1},
        {"once": False},
        {"key": hide_key(KEYS, "a/c")},
        {"key": "a/b"},
        {"token": LINK.token[:-1] + ("A" if LINK.token[-1] != "A" else "E")},
        {"token": "B" + LINK.token[1:] if LINK.token[0] != "B" else "C" + LINK.token[1:]},
        {"token": LINK.token[:22]},
        {"token": LINK.token + "A"},
        {"token": ""},
        {"token": "!" * 43},
        {"token": "é" * 43},
    ],
)
def test_a_link_with_another_token_other_terms_or_to_another_key_is_none(other: dict[str, Any]) -> None:
    assert not is_proven(KEYS, LINK._replace(**other))


def test_a_token_has_one_spelling() -> None:
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spellings = [LINK.token[:-1] + letter for letter in last]
    assert [token for token in spellings if is_proven(KEYS, LINK._replace(token=token))] == [LINK.token]


def test_a_link_of_another_store_is_none() -> None:
    assert not is_proven(OTHER_KEYS, LINK)


def test_no_token_begins_like_an_option() -> None:
    link = make_link(KEYS, NAME, expires=0, once=False, random=lambda size: b"\xfb" * size)
    assert not link.token.startswith("-")
    assert is_proven(KEYS, link)


def test_the_key_of_a_link_opens_its_wrap_among_others() -> None:
    links = make_links(5)
    wraps = make_wraps(KEYS, links, VERSION_KEY, NONCE)
    assert {len(wrap) for wrap in wraps} == {WRAP_BYTES}
    for link in links:
        assert open_wraps(derive_link_key(KEYS, link.token), wraps, NONCE) == VERSION_KEY


def test_the_key_of_another_link_opens_none() -> None:
    wraps = make_wraps(KEYS, make_links(5), VERSION_KEY, NONCE)
    with pytest.raises(CannotBeOpened):
        open_wraps(derive_link_key(KEYS, LINK.token), wraps, NONCE)


def test_of_many_links_all_devices_choose_the_same() -> None:
    links = make_links(MOST_WRAPS + 4)
    chosen = choose_links(links)
    assert len(chosen) == MOST_WRAPS
    assert choose_links(reversed(links)) == chosen
    assert max(chosen).token < min(link.token for link in links if link not in chosen)


def test_links_are_named_by_their_terms_alone() -> None:
    token = make_link(KEYS, NAME, expires=0, once=False, random=random_bytes).token
    assert is_proven(KEYS, ShareLink(token, NAME))
