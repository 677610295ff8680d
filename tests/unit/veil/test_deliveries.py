"""Entries on their way to a hub that cannot read, and back."""

from __future__ import annotations

from typing import Any

import pytest

from kvassfs.block import BLOCK_SIZE, pair_runs
from kvassfs.echo import Echo
from kvassfs.entry import Delivery, Entry
from kvassfs.replica import NO_ECHO
from kvassfs.share_link import ShareLink
from kvassfs.veil.deliveries import (
    HubBlocks,
    Opened,
    find_sources,
    make_blocks,
    open_delivery,
    open_page,
    open_source,
    seal_delivery,
    seal_pieces,
)
from kvassfs.veil.errors import Forged, NotSealed, PartMissing, Spoiled, VeilError
from kvassfs.veil.keys import hide_key, is_name
from kvassfs.veil.layout import LISTED
from tests.support.sealed import FILE, KEYS, OTHER_KEYS, Blocks, SealedHub, make_entry, make_links, random_bytes

ENTRY = make_entry(size=8, seen="7:12", origin="7:12", mod_time=5)
DELIVERY = Delivery(ENTRY, 77, b"a value\n")


def fetch_nothing(hash_: bytes) -> bytes:
    raise AssertionError("a short value needs no block")


def seal(delivery: Delivery, *links: ShareLink) -> Delivery:
    sealed = seal_delivery(KEYS, delivery, links)
    assert sealed is not None
    return sealed


def test_the_hub_gets_an_opaque_entry_with_what_it_needs_to_order_it() -> None:
    entry, sequence, value, *blocks = seal(DELIVERY)
    assert is_name(entry.key)
    assert value is not None
    assert entry == Entry(
        hide_key(KEYS, "a/b"), ENTRY.timestamp, ENTRY.counter, ENTRY.process_id, entry.url_token, len(value)
    )
    assert entry.url_token != ENTRY.url_token
    assert (sequence, blocks) == (77, [b"", ()])


@pytest.mark.parametrize("size", [0, 8, 65_536, 65_537, BLOCK_SIZE, 800_000])
@pytest.mark.parametrize("mode", [None, FILE])
def test_a_whole_value_comes_back(size: int, mode: int | None) -> None:
    value = random_bytes(size)
    delivery = Delivery(make_entry(size=size, mode=mode), 77, value)
    assert open_delivery(KEYS, seal(delivery), fetch_nothing) == delivery._replace(sequence=0)


def test_what_the_hub_counts_is_not_taken() -> None:
    sealed = seal(DELIVERY)
    lying = sealed._replace(sequence=10**9, entry=sealed.entry._replace(counter=10**9))
    assert open_delivery(KEYS, lying, fetch_nothing) == DELIVERY._replace(sequence=0)


def test_two_devices_seal_a_version_alike_and_the_next_version_otherwise() -> None:
    assert seal(DELIVERY) == seal(DELIVERY)
    changed = DELIVERY._replace(entry=ENTRY._replace(mode=0o100755, counter=6, timestamp=1_000_001))
    assert seal(changed).entry.url_token != seal(DELIVERY).entry.url_token


# Large values


LARGE = random_bytes(5 * BLOCK_SIZE + 1000)


def make_large(value: bytes = LARGE, key: str = "a/b", **others: Any) -> tuple[Delivery, Blocks]:
    blocks = Blocks()
    hashes = blocks.add(value)
    return Delivery(make_entry(key, len(value), **others), 77, None, hashes), blocks


def test_a_large_value_comes_back_by_its_blocks() -> None:
    hub = SealedHub()
    delivery, blocks = make_large()
    sealed, _ = hub.push(delivery, blocks, make_links(2))
    opened, value = hub.pull(sealed)
    assert opened == delivery._replace(sequence=0)
    assert value == LARGE


def test_what_is_sent_in_blocks_is_what_is_sealed_whole() -> None:
    hub = SealedHub()
    delivery, blocks = make_large()
    sealed, _ = hub.push(delivery, blocks)
    whole = seal(delivery._replace(value=LARGE, blocks=b""))
    assert whole.value == b"".join(hub.blocks[hash_] * times for hash_, times in pair_runs(sealed.blocks, ()))
    assert whole.entry == sealed.entry
    assert open_delivery(KEYS, whole, fetch_nothing).value == LARGE


def test_an_original_hub_gets_the_same_in_pieces() -> None:
    delivery, _ = make_large()
    outer, pieces = seal_pieces(KEYS, delivery, (), (LARGE[:1000], LARGE[1000:]))
    whole = seal(delivery._replace(value=LARGE, blocks=b""))
    assert b"".join(pieces) == whole.value
    assert outer.entry.write == whole.entry.write


def test_what_the_hub_has_is_not_sent_again() -> None:
    hub = SealedHub()
    delivery, blocks = make_large()
    _, first = hub.push(delivery, blocks)
    _, again = hub.push(delivery, blocks)
    longer, more = make_large(LARGE + random_bytes(4096), counter=6)
    _, appended = hub.push(longer, more)
    assert first > len(LARGE)
    assert again == 0
    assert appended < 2 * BLOCK_SIZE


def test_a_device_fetches_the_rest_and_the_blocks_that_it_lacks() -> None:
    hub = SealedHub()
    delivery, blocks = make_large()
    sealed, _ = hub.push(delivery, blocks)
    opened = open_delivery(KEYS, sealed, hub.fetch)
    assert len(hub.fetched) == 1
    wanted = {pair_runs(opened.blocks, ())[number][0] for number in (1, 5)}
    sources = list(find_sources(Opened(sealed, opened), wanted))
    assert [(source.size, source.padded) for source in sources] == [(BLOCK_SIZE, BLOCK_SIZE), (1000, 32_768)]
    found = [open_source(KEYS, source, hub.blocks[source.sealed]) for source in sources]
    assert found == [LARGE[BLOCK_SIZE : 2 * BLOCK_SIZE], LARGE[5 * BLOCK_SIZE :]]


def make_hole(times: int) -> tuple[Delivery, Blocks]:
    blocks = Blocks()
    hashes = blocks.add(LARGE[:BLOCK_SIZE]) + blocks.add(bytes(BLOCK_SIZE)) + blocks.add(b"end")
    entry = make_entry(size=(1 + times) * BLOCK_SIZE + 3)
    return Delivery(entry, 77, None, hashes, (1, times, 1)), blocks


@pytest.mark.parametrize("times", [2, LISTED - 2, LISTED - 1, LISTED, 3 * LISTED, 1024 * LISTED])
def test_a_hole_stays_one(times: int) -> None:
    hub = SealedHub()
    delivery, blocks = make_hole(times)
    sealed, size = hub.push(delivery, blocks)
    assert len(sealed.counts) < 10
    assert size < 9 * BLOCK_SIZE
    assert open_delivery(KEYS, sealed, hub.fetch) == delivery._replace(sequence=0)


def test_blocks_are_made_in_the_order_of_the_value_each_once() -> None:
    delivery, blocks = make_hole(3)
    sealed = seal_delivery(KEYS, delivery, (), blocks)
    assert sealed is not None
    runs = pair_runs(sealed.blocks, sealed.counts)
    hub = SealedHub()
    hub.push(delivery, blocks)
    made = list(make_blocks(KEYS, delivery, (), blocks, {runs[1][0], runs[-1][0]}))
    assert made == [hub.blocks[runs[1][0]], hub.blocks[runs[-1][0]]]


def test_a_value_with_fewer_blocks_than_its_size_makes_is_not_sealed() -> None:
    delivery, blocks = make_large()
    short = delivery._replace(blocks=delivery.blocks[: 3 * 32])
    with pytest.raises(ValueError, match="fewer blocks"):
        seal_delivery(KEYS, short, (), blocks)


def test_the_longest_key_with_a_short_value_in_blocks_comes_back_whole() -> None:
    hub = SealedHub()
    delivery = Delivery(make_entry("x" * 1_048_576, 8), 77, b"a value\n")
    sealed = seal(delivery)
    assert sealed.value is not None
    pieces = [sealed.value[start : start + BLOCK_SIZE] for start in range(0, len(sealed.value), BLOCK_SIZE)]
    hashes = Blocks().add(sealed.value)
    hub.blocks = dict(zip((hashes[start : start + 32] for start in range(0, len(hashes), 32)), pieces, strict=True))
    split = sealed._replace(value=None, blocks=hashes)
    assert open_delivery(KEYS, split, hub.fetch) == delivery._replace(sequence=0)


# What is refused


@pytest.mark.parametrize(
    "other",
    [
        {"key": "a/b"},
        {"key": "~short"},
        {"url_token": "x"},
        {"mode": FILE},
        {"mod_time": 0},
        {"seen": ""},
        {"origin": "7:1"},
    ],
)
def test_what_comes_in_the_clear_is_named_so(other: dict[str, Any]) -> None:
    sealed = seal(DELIVERY)
    with pytest.raises(NotSealed):
        open_delivery(KEYS, sealed._replace(entry=sealed.entry._replace(**other)), fetch_nothing)


def test_what_is_wrong_in_a_page_holds_up_nothing_else() -> None:
    good, other = seal(DELIVERY), seal(DELIVERY._replace(entry=ENTRY._replace(key="other")))
    bad = other._replace(value=good.value)
    opened, refused = open_page(KEYS, [DELIVERY, good, bad], fetch_nothing)
    assert opened == [Opened(good, DELIVERY._replace(sequence=0))]
    assert [(each.name, type(each.error)) for each in refused] == [("a/b", NotSealed), (bad.entry.key, Forged)]


def test_a_key_of_those_that_are_reserved_is_in_the_clear_too() -> None:
    with pytest.raises(NotSealed, match="its key is in the clear"):
        open_delivery(KEYS, DELIVERY._replace(entry=ENTRY._replace(key="\x01other")), fetch_nothing)


def test_a_plain_entry_is_not_taken() -> None:
    with pytest.raises(NotSealed, match="its key is in the clear"):
        open_delivery(KEYS, DELIVERY, fetch_nothing)


@pytest.mark.parametrize(
    "other",
    [
        {"key": hide_key(KEYS, "a/c")},
        {"timestamp": ENTRY.timestamp + 1},
        {"process_id": 7},
        {"url_token": "A" * 22},
    ],
)
def test_an_entry_with_something_else_outside_is_refused_as_forged(other: dict[str, Any]) -> None:
    sealed = seal(DELIVERY)
    with pytest.raises(Forged):
        open_delivery(KEYS, sealed._replace(entry=sealed.entry._replace(**other)), fetch_nothing)


@pytest.mark.parametrize(
    "other", [{"timestamp": -1}, {"timestamp": 2**53}, {"process_id": 0}, {"process_id": True}, {"counter": -1}]
)
def test_numbers_out_of_range_are_refused(other: dict[str, Any]) -> None:
    sealed = seal(DELIVERY)
    with pytest.raises(Spoiled, match="out of range"):
        open_delivery(KEYS, sealed._replace(entry=sealed.entry._replace(**other)), fetch_nothing)


def test_a_tombstone_of_the_hub_is_not_taken() -> None:
    sealed = seal(DELIVERY)
    forged = sealed._replace(entry=sealed.entry._replace(size=0), value=b"")
    with pytest.raises(VeilError):
        open_delivery(KEYS, forged, fetch_nothing)


def test_values_exchanged_between_keys_and_of_earlier_versions_are_refused() -> None:
    other = seal(DELIVERY._replace(entry=ENTRY._replace(key="other")))
    earlier = seal(DELIVERY._replace(entry=ENTRY._replace(counter=4)))
    for value in (other.value, earlier.value):
        with pytest.raises(Forged):
            open_delivery(KEYS, seal(DELIVERY)._replace(value=value), fetch_nothing)


def test_what_another_store_has_sealed_is_refused() -> None:
    sealed = seal_delivery(OTHER_KEYS, DELIVERY)
    assert sealed is not None
    with pytest.raises(Forged):
        open_delivery(KEYS, sealed, fetch_nothing)


def test_the_blocks_of_the_hub_must_make_its_size() -> None:
    hub = SealedHub()
    sealed, _ = hub.push(*make_large())
    for other in (sealed._replace(blocks=sealed.blocks[:-32]), sealed._replace(blocks=sealed.blocks + bytes(32))):
        with pytest.raises(Spoiled, match="more or fewer blocks"):
            open_delivery(KEYS, other, hub.fetch)
    with pytest.raises(Spoiled, match="more or fewer blocks"):
        HubBlocks(sealed._replace(blocks=b""))


def test_a_block_that_the_hub_has_lost_or_changed_is_refused() -> None:
    hub = SealedHub()
    sealed, _ = hub.push(*make_large())
    opened = open_delivery(KEYS, sealed, hub.fetch)
    for hash_ in list(hub.blocks):
        kept = hub.blocks[hash_]
        for block in (b"", kept[:-1], bytes(len(kept)), kept[:500] + bytes((kept[500] ^ 1,)) + kept[501:]):
            hub.blocks[hash_] = block
            with pytest.raises(VeilError):
                hub.pull(sealed)
        hub.blocks[hash_] = kept
    assert hub.pull(sealed) == (opened, LARGE)


def test_a_block_that_is_not_there_is_told_from_a_damaged_one() -> None:
    hub = SealedHub()
    sealed, _ = hub.push(*make_large())
    for hash_ in list(hub.blocks):
        kept = hub.blocks.pop(hash_)
        with pytest.raises(PartMissing):
            hub.pull(sealed)
        hub.blocks[hash_] = kept


# Links and echoes


(LINK,) = make_links(1)


def make_record(link: ShareLink, token: str, **others: Any) -> Delivery:
    return Delivery(Entry(link.record, 1_000_000, 5, 1001, token, 0)._replace(**others), 77, b"")


@pytest.mark.parametrize("token", [LINK.token, "ended"])
def test_a_link_and_its_end_travel_as_they_are_and_the_counter_is_nobodys_word(token: str) -> None:
    record = make_record(LINK, token)
    assert seal(record) == record
    expected = record._replace(sequence=0, entry=record.entry._replace(counter=0))
    assert open_delivery(KEYS, record, fetch_nothing) == expected


@pytest.mark.parametrize(
    "link",
    [
        ShareLink("y4zshQDtyPjx_s7fxDADng", "a/b"),
        LINK._replace(key="a/b"),
        LINK._replace(key=hide_key(KEYS, "a/c")),
        LINK._replace(expires=5),
        LINK._replace(once=True),
    ],
)
def test_a_link_that_no_device_made_so_is_neither_sent_nor_taken(link: ShareLink) -> None:
    for token in (link.token, "ended"):
        record = make_record(link, token)
        assert seal_delivery(KEYS, record) is None
        with pytest.raises(Forged):
            open_delivery(KEYS, record, fetch_nothing)


def test_a_record_has_one_spelling() -> None:
    record = make_record(LINK._replace(expires=0), LINK.token)
    respelt = record._replace(entry=record.entry._replace(key=record.entry.key.replace("/-/", "/0/")))
    assert respelt != record
    assert seal_delivery(KEYS, respelt) is None
    with pytest.raises(Forged):
        open_delivery(KEYS, respelt, fetch_nothing)


def test_a_link_with_a_value_is_refused() -> None:
    for value in (b"x", None):
        with pytest.raises(NotSealed):
            open_delivery(KEYS, make_record(LINK, LINK.token)._replace(value=value), fetch_nothing)


def test_another_key_that_begins_as_theirs_do_is_sealed_as_any() -> None:
    delivery = DELIVERY._replace(entry=ENTRY._replace(key="\x01other"))
    assert is_name(seal(delivery).entry.key)
    assert open_delivery(KEYS, seal(delivery), fetch_nothing) == delivery._replace(sequence=0)


def test_echoes_travel_as_they_are() -> None:
    echo = Echo.make(1001, NO_ECHO, random_bytes)
    for delivery in echo.deliveries(random_bytes):
        assert seal(delivery) == delivery
        assert open_delivery(KEYS, delivery, fetch_nothing) == delivery
