"""kvassfs_cli.commands.config.sealed, and what other commands do in a sealed store"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.kind import Kind
from kvassfs.pairing.handover import collect_handover, take_over
from kvassfs.sharing.offers import Offers
from kvassfs.store import Store
from kvassfs.store_errors import SealedHub
from kvassfs.veil.addresses import open_address, parse_fragment
from kvassfs.veil.keys import hide_key, is_name
from kvassfs.veil.values import read_value
from tests.support.near_hub import NearHub
from tests.support.sealed import read_from
from tests.support.stores import state
from tests.unit.cli.conftest import Kvass


@pytest.fixture
def sealed_hub(kvass: Kvass, store: Store, hub: NearHub) -> NearHub:
    """A store that was sealed, and its hub."""
    assert kvass("config", "sealed", "on")[0] == 0
    hub.store.settings.set_encryption_key(store.sealed.message_key(), Kind.HUB)
    return hub


def read_address(hub: NearHub, outcome: tuple[int, bytes, str]) -> bytes:
    """Return what an address leads to, as its holder opens it."""
    status, out, err = outcome
    assert (status, err) == (0, "")
    found = re.fullmatch(r"http://hub\.example:8000/open#(\S+)\n", out.decode())
    assert found is not None
    address = parse_fragment(found[1])
    assert address is not None
    offers = Offers(StoreKeeper(hub.store))
    offer = offers.find_offer(address.token)
    data = b"".join(offers.hold_pieces(address.token, offer))
    head = open_address(address, read_from(data), len(data))
    return b"".join(read_value(head, read_from(data)))


def test_a_store_is_sealed_with_a_new_key_that_no_hub_has(kvass: Kvass, store: Store, hub: NearHub) -> None:
    before = store.settings.config().encryption_key
    assert kvass("config", "sealed") == (0, b"off: the hub can read what this store has\n", "")
    status, out, err = kvass("config", "sealed", "on")
    assert (status, err) == (0, "")
    assert b"hub.example:8000" in out
    assert b"kvass config access-key" in out
    assert kvass("config", "sealed") == (0, b"on: the hub cannot read what this store has\n", "")
    key = store.settings.config().encryption_key
    assert key != before
    assert f"sealed-{key.hex()}".encode() in kvass("config", "show")[1]
    assert kvass("config", "access-key") == (0, f"access-{store.sealed.message_key().hex()}\n".encode(), "")
    kvass("config", "sealed", "on")  # after a device was lost
    assert store.settings.config().encryption_key not in {key, before}


def test_all_is_pushed_anew_and_the_hub_cannot_read_it(kvass: Kvass, store: Store, sealed_hub: NearHub) -> None:
    assert kvass("set", "secret", "a value")[0] == 0
    assert all(map(is_name, sealed_hub.store.keys()))
    assert store.outbox.count_dirty() == (0, 0)
    assert kvass("status", "--offline")[0] == 0


def test_a_plain_store_goes_back_with_another_key(kvass: Kvass, store: Store, sealed_hub: NearHub) -> None:
    key = store.settings.config().encryption_key
    assert kvass("config", "sealed", "off")[0] == 0
    assert store.settings.kind() == Kind.PLAIN
    assert store.settings.config().encryption_key not in {key, store.sealed.keys()}
    assert kvass("config", "access-key")[0] == 1
    assert kvass("config", "sealed", "off") == (0, b"off: the hub can read what this store has\n", "")


def test_a_key_says_what_it_is(kvass: Kvass, store: Store, tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    assert kvass("--db", other, "config", "key", f"access-{'ab' * 32}")[0] == 0
    assert kvass("--db", other, "config", "sealed")[1] == b"on: this is the hub, and cannot read what is here\n"
    for command in (("set", "k", "v"), ("config", "sealed", "on"), ("config", "rekey", "--yes")):
        status, out, err = kvass("--db", other, *command)
        assert (status, out) == (1, b"")
        assert "sealed" in err
    assert kvass("config", "key", f"sealed-{'ab' * 32}")[0] == 0
    assert store.settings.kind() == Kind.DEVICE
    assert kvass("config", "key", "cd" * 32)[0] == 1  # not sealed any more: that is said by another command
    store.set("k", b"v")
    assert kvass("config", "key", f"access-{'ab' * 32}")[0] == 1
    assert kvass("config", "rekey", "--yes")[0] == 1
    assert kvass("serve", "--bind", "127.0.0.1:0")[0] == 1


CHANGES = (
    ("set", "k", "v"),
    ("set", "~AAAA", "v"),
    ("rm", "NAME"),
    ("mv", "NAME", "other"),
    ("cp", "NAME", "other"),
    ("edit", "NAME"),
    ("import", "FILE"),
    ("url", "NAME", "--expires", "1h"),
    ("mount", "DIRECTORY"),
    ("mount", "DIRECTORY", "--read-only"),
)
"""What changes a store, or shows it as files."""


def test_the_hub_of_a_sealed_store_changes_nothing_by_itself(
    kvass: Kvass, store: Store, sealed_hub: NearHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "editor").write_text('#!/bin/sh\necho changed > "$1"\n')
    (tmp_path / "editor").chmod(0o700)
    monkeypatch.setenv("EDITOR", str(tmp_path / "editor"))
    store.set("k", b"value")
    kvass("sync")
    (name,) = sealed_hub.store.keys()
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "inside").write_text("text")
    (tmp_path / "mount").mkdir()
    words = {"NAME": name, "FILE": str(tmp_path / "file"), "DIRECTORY": str(tmp_path / "mount")}
    sealed_hub.store.settings.set_public_url("http://hub.example")
    before = state(sealed_hub.store)
    for change in CHANGES:
        status, _, err = kvass("--db", sealed_hub.store.path, *(words.get(word, word) for word in change))
        assert (status, len(err.splitlines())) == (1, 1), (change, err)
        assert "is what the hub of a sealed store keeps, and cannot be read or changed here" in err
        assert state(sealed_hub.store) == before, change


def test_pairing_hands_the_setting_over(store: Store, tmp_path: Path, sealed_hub: NearHub) -> None:
    handover = collect_handover(store)
    with Store.open(tmp_path / "new") as new:
        take_over(new, handover, "hub.example:8000", "new")
        assert new.settings.store_key() == store.settings.store_key()
        assert not new.sealed.is_anew()
    with pytest.raises(SealedHub):
        collect_handover(sealed_hub.store)


def test_addresses_open_what_they_lead_to(kvass: Kvass, store: Store, sealed_hub: NearHub) -> None:
    store.set("k", b"value")
    store.set("large", b"large" * 100_000)
    assert read_address(sealed_hub, kvass("url", "k")) == b"value"
    assert read_address(sealed_hub, kvass("url", "large", "--expires", "1h")) == b"large" * 100_000
    link = kvass("url", "k", "--expires", "1h")
    assert read_address(sealed_hub, link) == b"value"
    store.set("k", b"another")
    kvass("sync")
    assert read_address(sealed_hub, link) == b"another"


def test_links_are_listed_and_ended_by_their_keys_and_addresses(
    kvass: Kvass, store: Store, sealed_hub: NearHub
) -> None:
    for key in ("a", "b", "c"):
        store.set(key, b"value")
    addresses = {key: kvass("url", key, "--expires", "1h")[1].decode().strip() for key in ("a", "b", "c")}
    lines = kvass("links")[1].decode().splitlines()
    assert [line.split()[-2:] for line in lines] == [[addresses[key], key] for key in ("a", "b", "c")]
    assert kvass("unlink", "a")[0] == 0
    assert kvass("unlink", addresses["b"])[0] == 0
    assert kvass("rm", "c")[0] == 0
    assert kvass("links")[1] == b""
    version = kvass("url", "a")[1].decode().strip()
    token = store.entry("a").url_token
    assert kvass("unlink", version)[0] == 0
    assert store.entry("a").url_token != token


def test_a_key_has_sixteen_links(kvass: Kvass, store: Store, sealed_hub: NearHub) -> None:
    store.set("k", b"value")
    for _ in range(16):
        assert kvass("url", "k", "--once", "--offline")[0] == 0
    status, out, err = kvass("url", "k", "--once", "--offline")
    assert (status, out) == (1, b"")
    assert "k has 16 links" in err
    keys = store.sealed.keys()
    assert keys is not None
    assert {link.key for link in store.share_links.list_all()} == {hide_key(keys, "k")}


def test_what_is_wrong_at_the_hub_is_named(kvass: Kvass, store: Store, sealed_hub: NearHub) -> None:
    store.set("k", b"value")
    kvass("sync")
    sealed_hub.store._database.execute("DELETE FROM settings WHERE name = 'sealed'")  # somebody who has the access key
    sealed_hub.store.set("plain", b"in the clear")
    assert "not taken from the hub, plain: it is not sealed" in kvass("sync")[2]
    out = kvass("status", "--offline")[1].decode()
    assert "Sealed:          \tthe hub cannot read this store\n" in out
    assert "not taken from the hub, plain: it is not sealed" in out
    out = kvass("doctor", "--offline")[1].decode()
    assert re.search(r"^ok +sealed +the hub cannot read this store$", out, re.MULTILINE)
    assert re.search(
        r"^warning +sealed +1 of the hub's entries were not taken, plain the last one; ", out, re.MULTILINE
    )
