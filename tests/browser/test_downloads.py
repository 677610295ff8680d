"""What no browser shows is saved: under its name, byte for byte."""

from __future__ import annotations

import hashlib

import pytest

from tests.browser.driver import Shared, Visitor
from tests.browser.samples import BLOCK, Blocks

BINARY = bytes(range(256)) * 1000

MIB = 1024 * 1024


@pytest.mark.parametrize("name", ["Übergröße №7.bin", "данные", 'a "quoted" 100% name; x=y.bin'])
def test_what_is_no_text_is_saved_under_its_name(hub: Shared, visitor: Visitor, name: str) -> None:
    download = visitor.download(hub.give(f"folder/{name}", BINARY))
    assert download.suggested_filename == name.replace('"', "_")
    assert download.path().read_bytes() == BINARY


def test_a_value_of_200_mb_is_saved_whole_and_costs_the_hub_little_memory(hub: Shared, visitor: Visitor) -> None:
    value = Blocks(200 * MIB // BLOCK)
    file = visitor.download(hub.give("large.bin", value)).path()
    assert file.stat().st_size == 200 * MIB
    with file.open("rb") as saved:
        assert hashlib.file_digest(saved, hashlib.blake2b).digest() == value.hash.digest()
    assert hub.high_water() < 200 * MIB
