"""A long push in pages: the same entries as at once, with long values as blocks."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvassfs.block import BLOCK_SIZE
from kvassfs.entry import Delivery
from kvassfs.errors import InvalidMessage
from kvassfs.sync import messages
from kvassfs.sync.push_pages import GAP, LONGEST_ENTRY, PUT_BLOCKS, split_push

FIELDS = {
    "UrlToken": "t",
    "TimestampUnixMicro": 5,
    "ProcessID": 9,
    "Counter": 3,
    "NeedsToBePushed": True,
    "Type": "push",
}

texts = st.text(st.sampled_from('ab"\\{}[],: \n\u20ac'), max_size=12)
entries = st.builds(
    lambda key, value, more: {"Key": f"k{key}", "Value": base64.b64encode(value).decode(), **FIELDS, **more},
    texts,
    st.binary(max_size=60),
    st.fixed_dictionaries({}, optional={"Other": texts, "Seen": st.just([[1, 2], [3, 4]]), "Mode": st.just(0o100600)}),
)


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


class Kept:
    """Keeps blocks, and builds values of them again."""

    def __init__(self) -> None:
        self.blocks: dict[bytes, bytes] = {}
        self.largest = 0

    def put(self, blocks: list[bytes]) -> None:
        self.largest = max(self.largest, len(blocks))
        self.blocks.update((hashlib.sha256(block).digest(), block) for block in blocks)

    def whole(self, delivery: Delivery) -> Delivery:
        if delivery.value is not None:
            return delivery
        hashes = in_pieces(delivery.blocks, 32)
        return delivery._replace(value=b"".join(self.blocks[hash_] for hash_ in hashes), blocks=b"")


@given(
    st.lists(entries, max_size=6), st.integers(1, 80), st.integers(1, 300), st.sampled_from([None, 1]), st.booleans()
)
def test_pages_have_the_entries_of_the_push(
    pushed: list[dict[str, Any]], size: int, page: int, indent: int | None, escaped: bool
) -> None:
    plaintext = json.dumps(pushed, indent=indent, ensure_ascii=escaped).encode()
    kept = Kept()
    pages = list(split_push(in_pieces(plaintext, size), kept.put, page=page, long=16))
    found = [kept.whole(delivery) for each in pages for delivery in messages.decode_push(each)]
    assert found == messages.decode_push(plaintext)
    assert all(len(json.loads(each)) == 1 or len(each) < page + 1000 for each in pages)


def test_a_long_value_is_in_blocks_of_which_a_few_are_there_at_a_time() -> None:
    value = Random(1).randbytes(9 * BLOCK_SIZE + 5)
    plaintext = json.dumps([{"Key": "k", "Value": base64.b64encode(value).decode(), **FIELDS}]).encode()
    kept = Kept()
    (page,) = split_push(in_pieces(plaintext, 1000), kept.put)
    assert len(page) < 1000
    (delivery,) = messages.decode_push(page)
    assert (delivery.value, delivery.entry.size, kept.largest) == (None, len(value), PUT_BLOCKS)
    assert kept.whole(delivery).value == value


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        b"null",
        b"{}",
        b"[",
        b"[1]",
        b"[[]]",
        b'["text"]',
        b"[{}",
        b"[{},]",
        b"[{} {}]",
        b"[,{}]",
        b"[{}]]",
        b"[{}] x",
        b'[{"Key": "k',
        b'[{"Key": "k\\"}]',
        b"[" + b" " * (2 * GAP) + b"]",
    ],
)
def test_what_is_no_array_of_objects_is_refused(plaintext: bytes) -> None:
    with pytest.raises(InvalidMessage):
        list(split_push(in_pieces(plaintext, 7), Kept().put))


@pytest.mark.parametrize(
    "value", [b"A" * 101, b"AAA=" + b"A" * 96, b"A" * 96 + b"AA==" + b"AAAA", b"A" * 99 + b"-", b"A" * 98 + b"\\/"]
)
def test_a_long_value_that_is_no_base64_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidMessage, match="an entry cannot be read"):
        list(split_push(in_pieces(b'[{"Key":"k","Value":"' + value + b'"}]', 10), Kept().put, long=16))


def test_only_the_value_of_an_entry_is_taken_out() -> None:
    text = "Value" * 20
    entry = {"Value": "", "Other": text, "More": {"Value": text}, text: 1}
    (page,) = split_push(in_pieces(json.dumps([entry]).encode(), 10), Kept().put, long=16)
    assert json.loads(page) == [entry]


def test_the_space_behind_the_end_is_read_too() -> None:
    pieces = in_pieces(b"[{}]" + b" " * 100, 10)
    assert list(split_push(pieces, Kept().put)) == [b"[{}]"]
    assert next(pieces, None) is None


@pytest.mark.parametrize(
    "data", [b"[" + b'{"a":' * 20, b'[{"a":[[[[[[[[[[[[', b'[{"Key":"' + b"x" * (LONGEST_ENTRY + 1) + b'"}]']
)
def test_an_entry_that_is_too_deep_or_long_is_refused_before_it_takes_memory(data: bytes) -> None:
    with pytest.raises(InvalidMessage, match="longer, or deeper"):
        list(split_push(in_pieces(data, 65536), Kept().put))
