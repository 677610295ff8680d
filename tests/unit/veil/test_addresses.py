"""What stands behind the # of an address, and what it opens."""

from __future__ import annotations

import pytest

from kvassfs.block import BLOCK_SIZE
from kvassfs.veil.addresses import SealedAddress, address_link, address_version, open_address, parse_fragment
from kvassfs.veil.errors import CannotBeOpened, Spoiled, VeilError
from kvassfs.veil.values import read_value
from tests.support.sealed import KEYS, make_entry, make_links, random_bytes, read_from, seal

VALUE = random_bytes(2 * BLOCK_SIZE + 9)
ENTRY = make_entry(size=len(VALUE))
LINKS = make_links(2)
SEALED = seal(ENTRY, VALUE, LINKS)
ADDRESSES = [address_version(KEYS, ENTRY), *(address_link(KEYS, link) for link in LINKS)]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_written_and_read(address: SealedAddress) -> None:
    assert parse_fragment(address.fragment) == address
    assert len(address.fragment) == (87 if address.is_link else 66)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_opens_what_it_leads_to_to_its_end(address: SealedAddress) -> None:
    read = read_from(SEALED)
    head = open_address(address, read, len(SEALED))
    assert (head.entry.key, head.entry.size) == (ENTRY.key, ENTRY.size)
    assert b"".join(read_value(head, read)) == VALUE


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_opens_nothing_else(address: SealedAddress) -> None:
    other = seal(ENTRY._replace(counter=9), VALUE, make_links(1))
    with pytest.raises(CannotBeOpened):
        open_address(address, read_from(other), len(other))


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("data", [b"", b"gone", SEALED[:-1], SEALED[1:], b"<html>" * 1000])
def test_what_is_none_of_a_sealed_store_is_refused(address: SealedAddress, data: bytes) -> None:
    with pytest.raises(VeilError):
        open_address(address, read_from(data), len(data))


def test_a_value_that_was_cut_is_refused() -> None:
    cut = SEALED[BLOCK_SIZE:]
    with pytest.raises(Spoiled, match="another length"):
        open_address(ADDRESSES[0], read_from(cut), len(cut))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ADDRESSES[0].token,
        ADDRESSES[0].fragment[:-1],
        ADDRESSES[0].fragment + "A",
        ADDRESSES[0].fragment[1:],
        ADDRESSES[0].fragment.replace(".", "/"),
        ADDRESSES[1].fragment[1:],
    ],
)
def test_other_texts_are_no_addresses(text: str) -> None:
    assert parse_fragment(text) is None
