"""What describes a version, as bytes."""

from __future__ import annotations

import struct

import pytest

from kvassfs.entry import MAX_RECEIVED, Entry
from kvassfs.veil.attributes import decode_attributes, encode_attributes
from kvassfs.veil.keys import Outside
from kvassfs.veil.layout import LARGEST_SEALED_SIZE
from tests.support.sealed import make_entry

OUTSIDE = Outside("", "", 1_000_000, 1001)
FIXED = struct.Struct(">BQIqIQBII")
FIELDS = ("flags", "size", "mode", "mod_time", "process_id", "counter", "seen", "token", "key")


def decode(data: bytes, content: bytes = b"", counter: int = 5) -> Entry:
    return decode_attributes(data, content, counter, OUTSIDE)


@pytest.mark.parametrize(
    "entry",
    [
        make_entry(),
        make_entry(mode=None),
        make_entry("ä/", mode=0o040755, mod_time=-(2**63), seen="", origin="4294967295:0"),
        make_entry(seen="7:12 9:3", mod_time=2**63 - 1),
        make_entry(seen=" ".join(f"{number}:{MAX_RECEIVED}" for number in range(1, 9)), url_token=""),
        make_entry(size=LARGEST_SEALED_SIZE),
    ],
)
def test_what_describes_a_version_comes_back(entry: Entry) -> None:
    assert decode(encode_attributes(entry)) == entry


def test_what_follows_is_ignored_as_fields_may_be_added() -> None:
    entry = make_entry(seen="7:12")
    assert decode(encode_attributes(entry) + b"more") == entry


def test_permissions_of_a_user_stay_where_they_were_given() -> None:
    assert decode(encode_attributes(make_entry(mode=0o106755))).mode == 0o100755


@pytest.mark.parametrize(
    ("mode", "key", "value", "expected"),
    [
        (0o120777, "l", b"target", 0o120777),
        (0o120777, "l", b"", 0o100600),
        (0o120777, "l", b"with \0", 0o100600),
        (0o040755, "d/", b"", 0o040755),
        (0o040755, "d/", b"x", 0o100600),
        (0o040755, "d", b"", 0o100600),
        (0o020666, "c", b"", 0o100600),
    ],
)
def test_a_mode_that_fits_not_becomes_that_of_a_file_as_in_messages(
    mode: int, key: str, value: bytes, expected: int
) -> None:
    entry = make_entry(key, len(value), mode)
    assert decode(encode_attributes(entry), value).mode == expected


def change(entry: Entry, **others: int) -> bytes:
    """Return attributes with other numbers in them."""
    data = encode_attributes(entry)
    fields = dict(zip(FIELDS, FIXED.unpack_from(data), strict=True)) | others
    return FIXED.pack(*fields.values()) + data[FIXED.size :]


@pytest.mark.parametrize(
    "others",
    [
        {"size": LARGEST_SEALED_SIZE + 1},
        {"size": 2**64 - 1},
        {"process_id": 0},
        {"counter": MAX_RECEIVED + 1},
        {"seen": 2},
        {"seen": 9},
        {"token": 100},
        {"key": 0},
        {"key": 2**32 - 1},
    ],
)
def test_numbers_out_of_range_are_refused(others: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"range|add up|be a key|before"):
        decode(change(make_entry(seen="7:12", origin="7:12"), **others))


@pytest.mark.parametrize("version", ["0:1", f"1:{MAX_RECEIVED + 1}"])
def test_versions_that_nobody_wrote_are_refused(version: str) -> None:
    for entry in (make_entry(seen=version), make_entry(origin=version)):
        with pytest.raises(ValueError, match="a version before"):
            decode(encode_attributes(entry))


@pytest.mark.parametrize(
    "key", ["a\0b", "\x01link/token/-/often/a", "\x01echo/7/0", "x" * (1024 * 1024 + 1)], ids=range(4)
)
def test_keys_that_no_value_has_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        decode(encode_attributes(make_entry(key)))


@pytest.mark.parametrize("place", [0, 3])
def test_what_is_no_text_is_refused(place: int) -> None:
    data = bytearray(encode_attributes(make_entry("kkk", url_token="ttt")))
    data[FIXED.size + place] = 0xFF
    with pytest.raises(ValueError, match="utf-8"):
        decode(bytes(data))


def test_another_key_that_begins_as_links_do_is_a_key() -> None:
    entry = make_entry("\x01link/none")
    assert decode(encode_attributes(entry)) == entry


def test_a_counter_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="out of range"):
        decode(encode_attributes(make_entry()), counter=MAX_RECEIVED + 1)
