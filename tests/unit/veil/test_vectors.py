"""The vectors in tests/golden/sealed-1.json: the code makes them, and opens what stands there."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.veil.deliveries import open_delivery
from kvassfs.veil.head import open_by_link_key, open_by_version_key
from kvassfs.veil.keys import derive_keys
from tests.support import sealed_vectors

VECTORS: dict[str, Any] = json.loads(sealed_vectors.FILE.read_text(encoding="utf-8"))
KEYS = derive_keys(b64decode(VECTORS["K"]))
SHORT = [vector for vector in VECTORS["values"] if "sealed" in vector]


def decode_url(text: str) -> bytes:
    return b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))


def test_the_code_makes_the_vectors() -> None:
    assert sealed_vectors.make_vectors() == VECTORS
    assert sealed_vectors.format_vectors() == sealed_vectors.FILE.read_text(encoding="utf-8")


def test_each_field_that_there_can_be_is_in_a_vector() -> None:
    fields = {field for vector in VECTORS["values"] for field in vector["entry"]}
    assert {"Mode", "ModTime", "Seen", "Of"} < fields
    assert {len(vector["links"]) for vector in VECTORS["values"]} == {0, 2}


@pytest.mark.parametrize("vector", SHORT, ids=lambda vector: vector["what"])
def test_a_device_opens_a_vector(vector: dict[str, Any]) -> None:
    sealed, expected = b64decode(vector["sealed"]), vector["entry"]
    outer = Entry(
        vector["name"], expected["TimestampUnixMicro"], 1, expected["ProcessID"], vector["outer token"], len(sealed)
    )
    opened = open_delivery(KEYS, Delivery(outer, 1, sealed), lambda _: b"")
    assert sealed_vectors.describe_entry(opened.entry) == expected
    assert opened.value == b"".join(map(sealed_vectors.make_bytes, vector["value"]))


@pytest.mark.parametrize("vector", SHORT, ids=lambda vector: vector["what"])
def test_who_has_an_address_opens_a_vector(vector: dict[str, Any]) -> None:
    head = b64decode(vector["sealed"])[:-4]
    expected = b"".join(map(sealed_vectors.make_bytes, vector["value"]))
    assert open_by_version_key(decode_url(vector["version key"]), head).value == expected
    link_keys = {link["token"]: link["link key"] for link in VECTORS["links"]}
    for token in vector["links"]:
        assert open_by_link_key(decode_url(link_keys[token]), head).value == expected
