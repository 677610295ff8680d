"""What the veil makes, at a hub as it is: it orders, keeps and hands out what it cannot read.

Devices here are stores, with what the synchroniser does between them and the veil done by hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from kvassfs.block import BLOCK_SIZE, split_hashes
from kvassfs.entry import Delivery
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.replica import NOBODY
from kvassfs.sharing.offers import Offers
from kvassfs.store import Limit, Outgoing, Store
from kvassfs.sync import block_messages, messages
from kvassfs.sync.entry_messages import estimate_size
from kvassfs.sync.hub import Hub
from kvassfs.sync.limits import DEVICE_LIMITS
from kvassfs.sync.seal import Seal
from kvassfs.veil.addresses import address_link, address_version, open_address
from kvassfs.veil.block_cipher import hash_block, seal_block
from kvassfs.veil.deliveries import (
    find_sources,
    make_blocks,
    open_delivery,
    open_page,
    open_source,
    seal_delivery,
    seal_pieces,
)
from kvassfs.veil.keys import hide_key
from kvassfs.veil.links import make_link
from kvassfs.veil.values import read_value
from tests.support.original import OriginalHub
from tests.support.sealed import KEYS, random_bytes, read_from
from tests.support.stores import SECOND, Clock, audit, save

SEAL = Seal(KEYS.access, Random(3).randbytes)

MARK = b"the mark of this test"

LARGE = random_bytes(5 * BLOCK_SIZE + 7000)


class Blocks:
    """The blocks of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, hash_: bytes) -> bytes:
        (block,) = self._store.blocks.get([hash_])
        assert block is not None
        return block

    def find_sealed(self, hash_: bytes) -> bytes:
        return hash_block(seal_block(KEYS, self.read(hash_), hash_))


class Device:
    """A store with a hub that cannot read it."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self.store = store
        self._hub = hub
        self.sent = 0
        self.refused: list[str] = []

    def push(self) -> None:
        """Push all that is dirty, with its blocks."""
        limit = Limit(10**9, DEVICE_LIMITS.whole_bytes, estimate_size)
        page = self.store.outbox.mark_as_sent(self.store.outbox.read_dirty(limit))
        missing = self._push(page)
        for out in page:
            for block in make_blocks(KEYS, out.delivery, (), Blocks(self.store), missing):
                self._exchange(block_messages.BlocksRequest([], [block]))
        assert not missing or not self._push(page)
        self.store.outbox.acknowledge([out.delivery.entry for out in page], epoch=self.store.peers.hub().epoch)

    def _push(self, page: list[Outgoing]) -> set[bytes]:
        sealed = [seal_delivery(KEYS, out.delivery, (), Blocks(self.store)) for out in page]
        message = messages.encode_push([delivery for delivery in sealed if delivery is not None])
        self.sent += len(message)
        response = messages.decode_push_response(SEAL.unseal(self._hub.push(SEAL.seal(message))))
        return set(split_hashes(response.missing))

    def _exchange(self, request: block_messages.BlocksRequest) -> list[block_messages.Block | None]:
        self.sent += sum(map(len, request.put))
        body = SEAL.seal_joined(block_messages.encode_blocks_request(request))
        return block_messages.decode_blocks_response(SEAL.unseal(self._hub.serve_blocks(body)))[1]

    def fetch(self, hash_: bytes) -> bytes:
        (block,) = self._exchange(block_messages.BlocksRequest([hash_], []))
        return bytes(block or b"")

    def pull(self) -> None:
        """Take what the hub has, but for what is wrong."""
        request = messages.PullRequest(0, NOBODY, messages.VERSION)
        pieces = self._hub.pull(SEAL.seal(messages.encode_pull_request(request))).respond(patient=False)
        assert pieces is not None
        response = messages.decode_pull_response(SEAL.unseal(b"".join(pieces)))
        opened, refused = open_page(KEYS, response.deliveries, self.fetch)
        self.refused += [f"{name}: {type(error).__name__}" for name, error in refused]
        for each in opened:
            wanted = set(self.store.inbox.find_missing([each.plain]))
            for source in find_sources(each, wanted) if wanted else ():
                self.store.blocks.put([open_source(KEYS, source, self.fetch(source.sealed))])
        found = [each.plain for each in opened]
        self.store.inbox.merge_pulled(found, cursor=response.cursor, epoch=self.store.peers.hub().epoch)

    def value(self, key: str) -> bytes:
        return b"".join(self.store.get(key).chunks())


@pytest.fixture
def hub_store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(str(tmp_path / "hub"), clock=Clock(), random=Random(1).randbytes) as store:
        store.settings.set_encryption_key(KEYS.access)
        yield store
        audit(store)


@pytest.fixture
def hub(hub_store: Store) -> Hub:
    return Hub(StoreKeeper(hub_store), clock=Clock(), random=Random(2).randbytes)


@pytest.fixture
def devices(tmp_path: Path, hub: Hub) -> Iterator[tuple[Device, Device]]:
    with (
        Store.open(str(tmp_path / "one"), clock=Clock(step=SECOND), random=Random(4).randbytes) as one,
        Store.open(str(tmp_path / "two"), clock=Clock(step=SECOND), random=Random(5).randbytes) as two,
    ):
        yield Device(one, hub), Device(two, hub)
        audit(one)
        audit(two)


def entries(store: Store) -> dict[str, object]:
    return {key: store.entry(key) for key in store.keys()}


def test_devices_have_the_same_and_the_hub_has_nothing_to_read(
    devices: tuple[Device, Device], hub_store: Store, tmp_path: Path
) -> None:
    one, two = devices
    save(one.store, f"folder of mine/{MARK.decode()}", MARK)
    one.store.set("large", MARK + LARGE)
    one.store.set("gone", MARK)
    one.push()
    two.pull()
    assert two.refused == []
    assert entries(two.store) == entries(one.store)
    assert two.value("large") == MARK + LARGE
    one.store.delete("gone")
    two.store.set("large", LARGE + MARK)
    for device in (*devices, *devices):
        device.push()
        device.pull()
    assert entries(one.store) == entries(two.store)
    assert one.value("large") == LARGE + MARK
    assert list(one.store.keys()) == [f"folder of mine/{MARK.decode()}", "large"]
    assert all(key.startswith("~") for key in hub_store.keys())
    assert hub_store.count_keys() == 3  # a tombstone is a value there
    hub_store.flush()
    kept = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("hub*")))
    plain = [LARGE[start : start + BLOCK_SIZE] for start in range(0, len(LARGE), BLOCK_SIZE)]
    for secret in (MARK, b"folder of mine", LARGE[:64], *map(hash_block, plain), *KEYS[1:]):
        assert secret not in kept
        assert secret.hex().encode() not in kept


def test_what_is_appended_to_a_large_value_is_all_that_is_sent(devices: tuple[Device, Device]) -> None:
    one, two = devices
    one.store.set("large", LARGE)
    one.push()
    first, one.sent = one.sent, 0
    one.store.set("large", LARGE + random_bytes(4096))
    one.push()
    assert first > len(LARGE)
    assert one.sent < BLOCK_SIZE
    two.pull()
    two.sent = 0
    two.pull()
    assert two.value("large") == LARGE + random_bytes(4096)


def test_a_hub_that_is_asked_twice_has_each_version_once(devices: tuple[Device, Device], hub_store: Store) -> None:
    one, two = devices
    save(one.store, "key", b"value")
    one.store.set("large", LARGE)
    one.push()
    two.pull()
    before = {key: hub_store.entry(key) for key in hub_store.keys()}
    for device in devices:  # as after the hub was forgotten: all is pushed anew, by each device
        device.store.peers.forget_hub()
        device.push()
    assert {key: hub_store.entry(key) for key in hub_store.keys()} == before
    one.pull()
    two.pull()
    assert entries(one.store) == entries(two.store)


def test_what_a_hub_made_or_changed_is_named_and_the_rest_goes_on(
    devices: tuple[Device, Device], hub_store: Store
) -> None:
    one, two = devices
    for key in ("a", "b", "c"):
        one.store.set(key, key.encode() * 9)
    one.push()
    hub_store.set("plain", b"in the clear")
    hub_store.set(hide_key(KEYS, "a"), b"forged")
    hub_store.delete(hide_key(KEYS, "b"))
    two.pull()
    assert sorted(two.refused) == sorted(
        ["plain: NotSealed", f"{hide_key(KEYS, 'a')}: NotSealed", f"{hide_key(KEYS, 'b')}: NotSealed"]
    )
    assert list(two.store.keys()) == ["c"]


def test_a_hub_of_the_original_program_does(devices: tuple[Device, Device]) -> None:
    one, two = devices
    original = OriginalHub(7, KEYS.access, Random(6).randbytes)
    save(one.store, "key", b"value")
    save(one.store, "empty", b"")
    one.store.set("large", LARGE)
    page = one.store.outbox.read_dirty(Limit(10**9, 0, estimate_size))
    sealed = [seal_pieces(KEYS, out.delivery, (), one.store.outbox.pieces(out)) for out in page]
    original.push(SEAL.seal(b"".join(messages.encode_array(sealed, pushed=True))))
    answer = original.pull(SEAL.seal(json.dumps({"Counter": 0, "ProcessID": 0}).encode()))
    response = messages.decode_pull_response(SEAL.unseal(answer))
    opened = [open_delivery(KEYS, delivery, two.fetch) for delivery in response.deliveries]
    two.store.inbox.merge_pulled(opened, cursor=None, epoch=two.store.peers.hub().epoch)
    assert entries(two.store) == entries(one.store)
    assert two.value("large") == LARGE


def test_the_hub_serves_what_a_link_leads_to_and_its_holder_opens_it(
    devices: tuple[Device, Device], hub: Hub, hub_store: Store
) -> None:
    one, _ = devices
    one.store.set("shared", LARGE)
    link = make_link(KEYS, hide_key(KEYS, "shared"), expires=0, once=False, random=random_bytes)
    (out,) = one.store.outbox.read_dirty(Limit(10**9, 10**9, estimate_size))
    sealed = seal_delivery(KEYS, out.delivery, [link])
    record = Delivery(out.delivery.entry._replace(key=link.record, url_token=link.token, size=0, mode=None), 0, b"")
    hub.push(SEAL.seal(messages.encode_push([sealed, record] if sealed else [])))
    offers = Offers(StoreKeeper(hub_store), clock=Clock())
    for address in (address_link(KEYS, link), address_version(KEYS, out.delivery.entry)):
        offer = offers.find_offer(address.token)
        found = b"".join(offers.hold_pieces(address.token, offer))
        head = open_address(address, read_from(found), len(found))
        assert head.entry.key == "shared"
        assert b"".join(read_value(head, read_from(found))) == LARGE
