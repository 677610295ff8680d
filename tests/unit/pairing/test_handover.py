"""kvassfs.pairing.handover"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kvassfs.pairing import messages
from kvassfs.pairing.errors import HandoverTooLong, InvalidIntroduction, StoreInUse
from kvassfs.pairing.handover import check_joins, choose_remote, collect_handover, take_over
from kvassfs.pairing.messages import Handover
from kvassfs.store import Store

KEY = bytes(range(32))
HANDOVER = Handover("server", KEY, "hub.example:8000", "https://example.org", ("*.swp",))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "db.sqlite") as opened:
        yield opened


def test_key_hub_public_address_scratch_patterns_and_name_are_handed_over(store: Store) -> None:
    store.settings.set_encryption_key(KEY)
    store.settings.set_remote(HANDOVER.remote)
    store.settings.set_public_url(HANDOVER.public_url)
    store.settings.set_scratch_patterns(["*.swp"])
    store.settings.set_name("server")
    assert collect_handover(store) == HANDOVER


def test_what_belongs_to_one_device_is_not(store: Store) -> None:
    store.settings.set_timeouts(3, 4)
    store.settings.set_process_id(77)
    assert b"77" not in messages.encode_handover(collect_handover(store)._replace(key=b"", name=""))


def test_patterns_that_do_not_fit_stay_here(store: Store) -> None:
    store.settings.set_scratch_patterns([f"{'x' * 60}{number}" for number in range(100)])
    assert collect_handover(store).scratch is None


def test_addresses_that_do_not_fit_are_said(store: Store) -> None:
    store.settings.set_remote("https://example.org/" + "x" * 3000)
    with pytest.raises(HandoverTooLong):
        collect_handover(store)


def test_what_is_handed_over_is_taken_over_and_what_is_here_stays(store: Store) -> None:
    store.set("k", b"value")
    store.outbox.acknowledge([store.entry("k")], epoch=store.peers.hub().epoch)
    take_over(store, HANDOVER, "10.0.0.1:8000", "laptop")
    config = store.settings.config()
    assert (config.encryption_key, config.remote) == (KEY, "10.0.0.1:8000")
    assert store.settings.public_url() == HANDOVER.public_url
    assert store.settings.scratch_patterns() == HANDOVER.scratch
    assert store.settings.name() == "laptop"
    assert store.get("k").read() == b"value"
    assert store.outbox.count_dirty() == (1, 5)


def test_what_is_not_handed_over_stays_as_it_was(store: Store) -> None:
    store.settings.set_scratch_patterns(["mine"])
    store.settings.set_public_url("https://mine.example")
    store.settings.set_name("mine")
    take_over(store, HANDOVER._replace(public_url="", scratch=None), "hub", "")
    assert store.settings.scratch_patterns() == ("mine",)
    assert store.settings.public_url() == "https://mine.example"
    assert store.settings.name() == "mine"


@pytest.mark.parametrize("url", ["ftp://example.org", "https://me:secret@example.org", "no address"])
def test_a_public_address_that_is_none_is_refused_and_nothing_changed(store: Store, url: str) -> None:
    before = store.settings.config()
    with pytest.raises(InvalidIntroduction):
        take_over(store, HANDOVER._replace(public_url=url), "hub", "")
    assert store.settings.config() == before


def test_a_new_store_joins_also_if_it_has_a_name(store: Store) -> None:
    store.settings.set_name("laptop")
    check_joins(store)


@pytest.mark.parametrize(
    ("use", "found"),
    [
        (lambda store: store.set("k", b"v"), "(1 key)"),
        (lambda store: (store.set("k", b"v"), store.delete("k")), "(0 keys)"),
        (lambda store: store.settings.set_remote("me:secret@hub.example"), "(its hub is hub.example:80)"),
        (lambda store: store.peers.note_device(7), "(it is the hub of other devices)"),
    ],
)
def test_a_store_that_is_in_use_does_not(store: Store, use: Callable[[Store], object], found: str) -> None:
    use(store)
    with pytest.raises(StoreInUse, match="--merge") as raised:
        check_joins(store)
    assert found in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("typed", "reached", "handed", "chosen"),
    [
        ("hub:8000", "hub:8000", "", "hub:8000"),
        ("hub", "hub:80", "", "hub"),
        ("hub", "hub:8000", "", "hub:8000"),  # found where `kvass serve` listens
        ("10.0.0.1:8000", "10.0.0.1:8000", "hub:8000", "10.0.0.1:8000"),
        ("https://hub/kvass", "https://hub:443/kvass", "https://me:secret@hub/kvass", "https://me:secret@hub/kvass"),
        ("https://me:other@hub", "https://hub:443", "", "https://me:other@hub"),
        ("hub", "hub:8000", "hub:8000", "hub:8000"),
    ],
)
def test_the_hub_is_where_it_was_reached(typed: str, reached: str, handed: str, chosen: str) -> None:
    assert choose_remote(typed, reached, handed) == chosen
