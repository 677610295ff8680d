"""Heads: what describes a version, and proves who made it."""

from __future__ import annotations

import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kvassfs.entry import MAX_RECEIVED, Entry
from kvassfs.veil.attributes import encode_attributes
from kvassfs.veil.errors import CannotBeOpened, Forged, NewerForm, Spoiled, VeilError
from kvassfs.veil.head import find_unwrapped, open_by_link_key, open_by_version_key, open_head, seal_head
from kvassfs.veil.keys import Outside, derive_version_key, hide_key, hide_version, prove
from kvassfs.veil.layout import LONGEST_HEAD, pad_body
from kvassfs.veil.links import derive_link_key
from tests.support.sealed import FILE, KEYS, OTHER_KEYS, make_entry, make_links, random_bytes

VALUE = b"a value\n"
ENTRY = make_entry(size=len(VALUE), mod_time=-5, seen="7:12 9:3", origin="7:12")
OUTSIDE = hide_version(KEYS, ENTRY)
LINKS = make_links(3)
HEAD = seal_head(KEYS, OUTSIDE, ENTRY, VALUE, LINKS)
BOX = 25
"""Where the box of a head begins."""


BARE = make_entry()


def close(body: bytes, *, outside: Outside = OUTSIDE, counter: int = 5) -> bytes:
    """Return a head with any body and a proof: what a device of the store would make that has a bug."""
    prefix = b"\1" + counter.to_bytes(8)
    box = AESGCM(derive_version_key(KEYS, outside.token)).encrypt(bytes(12), body, prefix)
    head = prefix + bytes(12) + len(box).to_bytes(4) + box + b"\0"
    return head + prove(KEYS, b"head", outside.join(), head)


def close_attributes(attributes: bytes, *, outside: Outside = OUTSIDE, counter: int = 5) -> bytes:
    body = len(attributes).to_bytes(4) + attributes
    return close(body + bytes(pad_body(len(body)) - len(body)), outside=outside, counter=counter)


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY,
        make_entry("gone", 0, None),
        make_entry("empty", 0),
        make_entry("a/b/", 0, 0o040755),
        make_entry('猫咪/ \u0001"', 8, 0o120777, mod_time=2**63 - 1, seen=""),
        make_entry(size=8, mode=None, counter=MAX_RECEIVED, timestamp=MAX_RECEIVED, process_id=2**32 - 1),
        make_entry(size=8, url_token="of an original ÄÖ" * 30),
    ],
    ids=lambda entry: entry.key,
)
def test_a_version_comes_back_with_all_that_it_has(entry: Entry) -> None:
    value = VALUE[: entry.size]
    outside = hide_version(KEYS, entry)
    head = open_head(KEYS, outside, seal_head(KEYS, outside, entry, value))
    assert (head.entry, head.value) == (entry, value)


def test_nothing_of_a_version_can_be_read_in_its_head() -> None:
    for text in (b"a/b", VALUE, ENTRY.url_token.encode(), b"Key", OUTSIDE.token.encode()):
        assert text not in HEAD


def test_tombstones_directories_and_short_values_have_heads_of_one_length() -> None:
    entries = [make_entry("gone", 0, None), make_entry("a/b/", 0, 0o040755), make_entry("x" * 50, 8), ENTRY]
    heads = [seal_head(KEYS, hide_version(KEYS, entry), entry, VALUE[: entry.size]) for entry in entries]
    assert len({len(head) for head in heads}) == 1


def test_what_is_sealed_twice_is_the_same() -> None:
    assert seal_head(KEYS, OUTSIDE, ENTRY, VALUE, LINKS) == HEAD


@pytest.mark.parametrize("other", [{"key": "other"}, {"url_token": "new"}, {"counter": 6}, {"timestamp": 2_000_000}])
def test_equal_values_under_two_keys_or_saved_twice_look_different(other: dict[str, Any]) -> None:
    entry = ENTRY._replace(**other)
    head = seal_head(KEYS, hide_version(KEYS, entry), entry, VALUE, LINKS)
    box = slice(BOX, BOX + 200)
    assert len(head) == len(HEAD)
    assert sum(a == b for a, b in zip(head[box], HEAD[box], strict=True)) < 20
    assert head[9:21] != HEAD[9:21]


def test_the_nonce_is_another_one_where_two_devices_hold_the_version_differently() -> None:
    other = seal_head(KEYS, OUTSIDE, ENTRY._replace(mode=None), VALUE)
    assert hide_version(KEYS, ENTRY._replace(mode=None)) == OUTSIDE
    assert other[9:21] != HEAD[9:21]


# What a device refuses


@pytest.mark.parametrize("place", range(len(HEAD)))
def test_a_head_with_another_byte_is_refused(place: int) -> None:
    for change in (0x01, 0x80):
        changed = bytearray(HEAD)
        changed[place] ^= change
        with pytest.raises(VeilError):
            open_head(KEYS, OUTSIDE, bytes(changed))


@pytest.mark.parametrize("length", [0, 1, 9, 24, 25, 57, 58, len(HEAD) - 1])
def test_a_head_that_was_cut_is_refused(length: int) -> None:
    with pytest.raises(VeilError):
        open_head(KEYS, OUTSIDE, HEAD[:length])


@pytest.mark.parametrize(
    "other",
    [
        {"name": hide_key(KEYS, "a/c")},
        {"token": "A" * 22},
        {"timestamp": OUTSIDE.timestamp + 1},
        {"process_id": OUTSIDE.process_id + 1},
        {"name": OUTSIDE.name + OUTSIDE.token[0], "token": OUTSIDE.token[1:]},
        {"name": OUTSIDE.name[:-1], "token": OUTSIDE.name[-1] + OUTSIDE.token},
    ],
)
def test_a_head_in_another_place_is_refused_as_forged(other: dict[str, Any]) -> None:
    with pytest.raises(Forged):
        open_head(KEYS, OUTSIDE._replace(**other), HEAD)


def test_a_head_of_another_store_is_refused_as_forged() -> None:
    with pytest.raises(Forged):
        open_head(OTHER_KEYS, OUTSIDE, HEAD)


def test_a_later_form_asks_for_a_newer_program() -> None:
    with pytest.raises(NewerForm, match=r"form 2.*upgrade"):
        open_head(KEYS, OUTSIDE, b"\2" + HEAD[1:])


def test_nothing_that_the_holder_of_a_link_has_makes_a_head() -> None:
    """He has the key of a link and so that of the version, all that the hub has, and the access key, but no M."""
    version_key = derive_version_key(KEYS, OUTSIDE.token)
    attributes = encode_attributes(make_entry(size=4))
    body = (len(attributes).to_bytes(4) + attributes + b"evil").ljust(256, b"\0")
    box = AESGCM(version_key).encrypt(HEAD[9:21], body, HEAD[:9])
    forged = HEAD[:21] + len(box).to_bytes(4) + box + b"\0"
    link_key = derive_link_key(KEYS, LINKS[0].token)
    for key in (version_key, link_key, KEYS.access, bytes(32)):
        with pytest.raises(Forged):
            open_head(KEYS, OUTSIDE, forged + hmac.digest(key, forged, "sha256"))
        with pytest.raises(Forged):
            open_head(KEYS, OUTSIDE, forged + prove(KEYS._replace(proofs=key), b"head", OUTSIDE.join(), forged))
    with pytest.raises(Forged):
        open_head(KEYS, OUTSIDE, forged + HEAD[-32:])
    # Who trusts him sees what he made, as said in the protocol; a device does not.
    assert open_by_version_key(version_key, forged + bytes(32)).value == b"evil"


def test_the_head_of_one_version_with_the_box_of_another_is_refused_as_forged() -> None:
    other = ENTRY._replace(counter=9)
    head = seal_head(KEYS, hide_version(KEYS, other), other, VALUE, LINKS)
    with pytest.raises(Forged):
        open_head(KEYS, OUTSIDE, HEAD[:BOX] + head[BOX:-32] + HEAD[-32:])


# What a device with a bug would make


@pytest.mark.parametrize("attributes", [b"", b"{}", bytes(41), bytes(300), encode_attributes(BARE)[:-1]])
def test_attributes_that_are_none_are_refused(attributes: bytes) -> None:
    with pytest.raises(Spoiled, match="what describes it cannot be read"):
        open_head(KEYS, OUTSIDE, close_attributes(attributes))


def test_a_head_under_the_name_of_another_key_is_refused() -> None:
    with pytest.raises(Spoiled, match="another key"):
        open_head(KEYS, OUTSIDE, close_attributes(encode_attributes(BARE._replace(key="a/c"))))


@pytest.mark.parametrize("size", [1000, 65_536, 65_537, 2**40])
def test_a_value_that_is_not_in_the_body_is_refused(size: int) -> None:
    with pytest.raises(Spoiled):
        open_head(KEYS, OUTSIDE, close_attributes(encode_attributes(BARE._replace(size=size))))


def test_a_counter_beyond_the_range_is_refused() -> None:
    with pytest.raises(Spoiled, match="out of range"):
        open_head(KEYS, OUTSIDE, close_attributes(encode_attributes(BARE), counter=MAX_RECEIVED + 1))


@pytest.mark.parametrize(("length", "extra"), [(256, 16), (256, 256), (200, 0)])
def test_a_body_has_only_so_many_zeros_behind_it(length: int, extra: int) -> None:
    attributes = encode_attributes(BARE)
    body = (len(attributes).to_bytes(4) + attributes).ljust(length, b"\0") + bytes(extra)
    with pytest.raises(Spoiled, match="another length"):
        open_head(KEYS, OUTSIDE, close(body))


def test_padding_that_is_not_of_zeros_is_refused() -> None:
    attributes = encode_attributes(BARE)
    body = (len(attributes).to_bytes(4) + attributes).ljust(255, b"\0") + b"!"
    with pytest.raises(Spoiled, match="another length"):
        open_head(KEYS, OUTSIDE, close(body))


def test_a_head_has_a_greatest_length() -> None:
    entry = make_entry("é" * (LONGEST_HEAD // 2))
    with pytest.raises(ValueError, match="too long"):
        seal_head(KEYS, hide_version(KEYS, entry), entry, b"")


def test_a_box_that_does_not_open_under_a_proof_is_spoiled() -> None:
    head = HEAD[: BOX + 3] + bytes((HEAD[BOX + 3] ^ 1,)) + HEAD[BOX + 4 : -32]
    with pytest.raises(Spoiled, match="decrypted"):
        open_head(KEYS, OUTSIDE, head + prove(KEYS, b"head", OUTSIDE.join(), head))


# By an address


def test_an_address_of_the_version_opens_it_and_says_nothing_of_the_writer() -> None:
    head = open_by_version_key(derive_version_key(KEYS, OUTSIDE.token), HEAD)
    assert head.entry == ENTRY._replace(timestamp=0, process_id=0)
    assert head.value == VALUE


@pytest.mark.parametrize("number", range(3))
def test_each_link_opens_it(number: int) -> None:
    assert open_by_link_key(derive_link_key(KEYS, LINKS[number].token), HEAD).value == VALUE


@pytest.mark.parametrize("key", [bytes(32), derive_link_key(KEYS, make_links(4)[3].token), KEYS.access, KEYS.names])
def test_another_key_opens_nothing(key: bytes) -> None:
    with pytest.raises(CannotBeOpened):
        open_by_link_key(key, HEAD)
    with pytest.raises(CannotBeOpened):
        open_by_version_key(key, HEAD)


@pytest.mark.parametrize("place", [0, 5, 10, BOX, BOX + 100])
def test_who_has_an_address_sees_that_a_head_was_changed(place: int) -> None:
    changed = bytearray(HEAD)
    changed[place] ^= 1
    with pytest.raises(VeilError):
        open_by_version_key(derive_version_key(KEYS, OUTSIDE.token), bytes(changed))


def test_links_without_a_wrap_are_found() -> None:
    head = open_head(KEYS, OUTSIDE, HEAD)
    others = make_links(5)
    assert find_unwrapped(KEYS, head, LINKS) == []
    assert find_unwrapped(KEYS, head, [*LINKS, *others]) == sorted(others)
    assert find_unwrapped(KEYS, head, []) == []


def test_the_longest_value_in_a_head_takes_no_more_than_the_next_length() -> None:
    value = random_bytes(65_536)
    entry = make_entry(size=65_536, mode=FILE)
    outside = hide_version(KEYS, entry)
    sealed = seal_head(KEYS, outside, entry, value)
    assert len(sealed) == 25 + 67_584 + 16 + 1 + 32
    assert open_head(KEYS, outside, sealed).value == value
