"""Sealed stores in step by a hub that cannot read them: the synchroniser between real stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.block import BLOCK_SIZE
from kvassfs.entry import MAX_RECEIVED, Delivery, Entry
from kvassfs.kind import Kind
from kvassfs.store import Limit, Store
from kvassfs.sync.entry_messages import estimate_size
from kvassfs.sync.errors import HubIsSealed, HubNotEmpty
from kvassfs.sync.messages import encode_push
from kvassfs.veil.keys import hide_key
from kvassfs.veil.links import make_link
from tests.support.sealed import KEYS, random_bytes
from tests.support.sealed_rig import SECRET, Rig, entries, open_rig, value
from tests.support.stores import count, save

MARK = b"the mark of this test"

LARGE = random_bytes(9 * BLOCK_SIZE + 7000)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with open_rig(tmp_path) as rig:
        yield rig


@pytest.fixture
def one(rig: Rig) -> Store:
    return rig.devices[0]


@pytest.fixture
def two(rig: Rig) -> Store:
    return rig.devices[1]


def names_refused(store: Store) -> list[str]:
    return sorted(refused.name for refused in store.sealed.refused())


def fill(store: Store) -> None:
    save(store, f"folder of mine/{MARK.decode()}", MARK)
    store.set("large", MARK + LARGE)
    store.set("gone", MARK)
    store.set("a megabyte", random_bytes(1024 * 1024, seed=5))
    for number in range(20):
        store.set(f"key {number}", b"x" * number * 1000 + b"y")


def test_devices_are_in_step_and_the_hub_has_nothing_to_read(rig: Rig, one: Store, two: Store) -> None:
    fill(one)
    rig.exchange()
    assert entries(two) == entries(one)
    assert value(two, "large") == MARK + LARGE
    one.delete("gone")
    two.set("large", LARGE + MARK)
    rig.exchange(one, two, one)
    assert entries(two) == entries(one)
    assert value(one, "large") == LARGE + MARK
    assert "gone" not in list(two.keys())
    for store in (one, two):
        assert store.outbox.count_dirty() == (0, 0)
        assert store.sealed.refused() == []
    rig.hub_store.flush()
    kept = b"".join(path.read_bytes() for path in sorted(rig.hub_path.parent.glob("hub*")))
    plain = [hash_ for (hash_,) in one._database.rows("SELECT hash FROM blocks")]
    assert len(plain) > 10
    for secret in (MARK, b"folder of mine", b"a megabyte", LARGE[:64], *plain, *KEYS[1:], SECRET):
        assert secret not in kept
        assert secret.hex().encode() not in kept
    assert all(key.startswith("~") for key in rig.hub_store.keys())


def test_what_is_appended_is_all_that_is_sent_and_nothing_is_sealed_again(rig: Rig, one: Store, two: Store) -> None:
    one.set("large", LARGE)
    rig.exchange()
    assert rig.count_sent() > len(LARGE)
    assert count(one, "sealed_blocks") == 9
    one.set("large", LARGE + random_bytes(4096))
    rig.exchange(one)
    assert rig.count_sent() < 2 * BLOCK_SIZE
    rig.exchange(two)
    assert value(two, "large") == LARGE + random_bytes(4096)


def test_what_a_block_is_called_at_the_hub_goes_with_it_and_with_the_key(rig: Rig, one: Store) -> None:
    one.set("large", LARGE)
    rig.exchange(one)
    one.settings.set_history(0, 0)
    one.delete("large")
    one.upkeep.tidy()
    assert count(one, "blocks") == count(one, "sealed_blocks") == 0
    one.set("large", LARGE)
    rig.exchange(one)
    assert count(one, "sealed_blocks") == 9
    one.settings.set_encryption_key(bytes(32), Kind.DEVICE)
    assert count(one, "sealed_blocks") == 0


def test_a_hub_of_the_original_program_does(tmp_path: Path) -> None:
    with open_rig(tmp_path, original=True) as rig:
        one, two = rig.devices
        fill(one)
        save(one, "empty", b"")
        rig.exchange(one, two, one)
        assert entries(two) == entries(one)
        assert value(two, "large") == MARK + LARGE
        assert one.outbox.count_dirty() == two.outbox.count_dirty() == (0, 0)


def test_what_a_hub_made_is_named_until_the_name_opens_again_and_the_rest_goes_on(
    rig: Rig, one: Store, two: Store
) -> None:
    for key in ("a", "b", "c"):
        one.set(key, key.encode() * 9)
    rig.exchange(one)
    clock = two.settings.config().clock
    with rig.at_the_hub() as store:
        store.set("plain", b"in the clear")
        store.set(hide_key(KEYS, "a"), b"forged")
        store.delete(hide_key(KEYS, "b"))
    rig.exchange(two)
    assert names_refused(two) == sorted(["plain", hide_key(KEYS, "a"), hide_key(KEYS, "b")])
    assert list(two.keys()) == ["c"]
    assert two.settings.config().clock < clock + 10
    rig.exchange(one)
    assert value(one, "a") == b"a" * 9
    one.set("a", b"anew")
    rig.exchange()
    assert value(two, "a") == b"anew"
    assert names_refused(two) == sorted(["plain", hide_key(KEYS, "b")])


def test_a_value_whose_block_is_missing_is_asked_for_again_and_then_passed(rig: Rig, one: Store, two: Store) -> None:
    one.set("large", LARGE)
    one.set("small", b"value")
    rig.exchange(one)
    hub = rig.hub_store._database
    (lost,) = hub.rows("SELECT id, hash, data FROM blocks ORDER BY id LIMIT 1")
    hub.execute("UPDATE blocks SET data = zeroblob(length(data)) WHERE id = ?", lost[:1])
    rig.exchange(two)
    assert list(two.keys()) == ["small"]
    assert names_refused(two) == [hide_key(KEYS, "large")]
    assert two.peers.hub().cursor > 0
    hub.execute("UPDATE blocks SET data = ? WHERE id = ?", (lost[2], lost[0]))
    one.set("large", LARGE + b"more")
    rig.exchange(one, two)
    assert value(two, "large") == LARGE + b"more"
    assert names_refused(two) == []


def test_a_plain_device_at_the_hub_of_a_sealed_store_sends_nothing(rig: Rig, one: Store, tmp_path: Path) -> None:
    one.set("key", b"value")
    rig.exchange(one)
    plain = rig.add(tmp_path / "plain", 50, Kind.PLAIN, KEYS.access)
    plain.set("mine", MARK)
    for call in ("exchange", "push", "pull"):
        with pytest.raises(HubIsSealed):
            getattr(rig.synchroniser(plain), call)()
    assert list(rig.hub_store.keys()) == [hide_key(KEYS, "key")]
    assert list(plain.keys()) == ["mine"]


def test_a_store_that_is_sealed_wants_an_empty_one_at_the_hub(rig: Rig, tmp_path: Path) -> None:
    with rig.at_the_hub() as store:
        store.set("plain", b"in the clear")
    new = rig.add(tmp_path / "new", 51, anew=True)
    new.set("mine", MARK)
    for call in ("push", "exchange", "push"):
        with pytest.raises(HubNotEmpty):
            getattr(rig.synchroniser(new), call)()
    assert list(rig.hub_store.keys()) == ["plain"]
    for table in ("entries", "contents"):
        rig.hub_store._database.execute(f"DELETE FROM {table}")
    rig.exchange(new)
    assert not new.sealed.is_anew()
    with rig.at_the_hub() as store:
        store.set("plain", b"in the clear")  # from now on that is named, and does no harm
    rig.exchange(new)
    assert names_refused(new) == ["plain"]


def test_links_of_before_and_of_others_do_not_leave_the_device(rig: Rig, one: Store, two: Store) -> None:
    one.set("key", b"value")
    one.share_links.create("key")
    rig.exchange()
    assert one.outbox.count_dirty() == (0, 0)
    assert two.share_links.list_all() == []
    assert [key for (key,) in rig.hub_store._database.rows("SELECT key FROM entries")] == [hide_key(KEYS, "key")]


def test_the_end_of_a_link_is_final_whatever_time_its_record_has(one: Store) -> None:
    link = make_link(KEYS, hide_key(KEYS, "key"), expires=0, once=False, random=random_bytes)
    epoch = one.peers.hub().epoch

    def merge(token: str, timestamp: int) -> None:
        record = Delivery(Entry(link.record, timestamp, 0, 77, token, 0), 0, b"")
        one.inbox.merge_pulled([record], cursor=None, epoch=epoch)

    merge(link.token, 100)
    assert one.share_links.list_all() == [link]
    merge("another", 50)
    assert one.share_links.list_all() == []
    merge(link.token, MAX_RECEIVED)
    assert one.share_links.list_all() == []
    assert one.outbox.count_dirty() == (0, 0)


def test_the_time_of_the_hub_dates_nothing(one: Store) -> None:
    one.hub_time.note(10**12 - one.hub_time.uptime(), epoch=one.peers.hub().epoch)
    assert one.hub_time.difference() is not None
    assert one.hub_time.correction() == 0
    assert one.set("key", b"value").timestamp < 10**16
    one.settings.set_encryption_key(bytes(32))  # with which the hub can read it
    assert one.settings.kind() == Kind.PLAIN


def test_what_is_refused_is_named_even_if_the_process_dies_before_the_rest_is_merged(
    rig: Rig, one: Store, two: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.set("a", b"value")
    rig.exchange(one)
    with rig.at_the_hub() as store:
        store.set("plain", b"in the clear")

    def die(*_: object, **__: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(two.inbox, "merge_pulled", die)
        with pytest.raises(InterruptedError):
            rig.synchroniser(two).pull()
    assert names_refused(two) == ["plain"]
    rig.exchange(two)
    assert value(two, "a") == b"value"
    assert names_refused(two) == ["plain"]


@pytest.mark.parametrize(("key", "size"), [("k", 0), ("notes/12/note-000001", 100), ("é" * 60, 3000), ("k", 60_000)])
def test_the_estimate_of_a_message_is_near_to_what_it_takes(rig: Rig, one: Store, key: str, size: int) -> None:
    """Where it is far too large, a page looks like the last one, and the hub and the device wait for each other."""
    for number in range(20):
        one.set(f"{key}{number:03}", bytes(size))
    (first, *_) = page = one.outbox.read_dirty(Limit(10**7, 10**7, estimate_size))
    passage = rig.synchroniser(one)._pusher._passage
    deliveries = [packed.delivery for packed in passage.pack(page) if packed.delivery is not None]
    taken = len(encode_push(deliveries)) / len(page)
    assert 0.8 * taken < passage.estimate_size(first.delivery) < 1.2 * taken + 40
