"""kvassfs_cli.commands.links and kvassfs_cli.commands.unlink"""

from __future__ import annotations

import pytest

from kvassfs.sharing.address import format_share_url
from kvassfs.store import Store
from kvassfs_cli.commands.links import unexpired
from tests.unit.cli.conftest import Kvass, NearHub

BASE = "http://hub.example:8000"

NOON = 1_704_110_400_000_000  # 2024-01-01 12:00 UTC
FAR = 4_102_444_800_000_000  # 2100-01-01 00:00 UTC


@pytest.fixture(autouse=True)
def keys(store: Store) -> None:
    """There are keys before there is a hub."""
    store.set("a/k", b"value")
    store.set("other", b"value")


def push(store: Store, hub: NearHub, kvass: Kvass) -> None:
    assert kvass("sync").status == 0
    assert store.outbox.count_dirty() == (0, 0)


# links


@pytest.mark.usefixtures("kathmandu")
def test_links_lists_when_they_end_address_and_key(kvass: Kvass, store: Store, hub: NearHub) -> None:
    often = store.links.make("a/k", expires=FAR)
    once = store.links.make("other", once=True)
    both = store.links.make("other", expires=FAR, once=True)
    assert kvass("links") == (
        0,
        (
            f"2100-01-01 05:45:00 -    {BASE}/get?q={often.token} a/k\n"
            f"-                   once {BASE}/get?q={once.token} other\n"
            f"2100-01-01 05:45:00 once {BASE}/get?q={both.token} other\n"
        ).encode(),
        "",
    )


def test_with_a_prefix_only_those_to_its_keys(kvass: Kvass, store: Store, hub: NearHub) -> None:
    link = store.links.make("a/k")
    store.links.make("other")
    assert kvass("links", "a/").out.decode() == f"{'-':<19} -    {BASE}/get?q={link.token} a/k\n"


def test_without_links_there_is_nothing_to_list(kvass: Kvass, hub: NearHub) -> None:
    assert kvass("links") == (0, b"", "")


def test_without_an_address_the_tokens_are_listed(kvass: Kvass, store: Store) -> None:
    link = store.links.make("a/k")
    assert kvass("links").out.decode() == f"{'-':<19} -    {link.token} a/k\n"


def test_links_of_other_devices_are_listed(kvass: Kvass, store: Store, hub: NearHub) -> None:
    push(store, hub, kvass)
    link = hub.store.links.make("a/k")
    assert link.token in kvass("links").out.decode()


def test_those_that_have_ended_are_not_listed(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.links.make("a/k", expires=1)
    store.links.end(store.links.make("a/k"))
    store.links.make("other")
    assert kvass("rm", "other").status == 0
    assert kvass("links").out == b""


def test_a_link_whose_key_was_removed_in_a_mount_is_listed_and_can_be_ended(
    kvass: Kvass, store: Store, hub: NearHub
) -> None:
    link = store.links.make("a/k")
    node = store.tree.file("a/k")
    assert node is not None
    store.tree.unlink(node)
    assert kvass("links").out.decode() == f"{'-':<19} -    {BASE}/get?q={link.token} a/k (removed)\n"
    assert kvass("unlink", "a/k") == (0, b"", "")
    assert kvass("links").out == b""


def test_they_are_over_by_the_clock_of_the_hub(store: Store) -> None:
    link = store.links.make("a/k", expires=NOON)
    assert unexpired(store, clock=lambda: (NOON - 1) * 1000) == [link]
    store.peers.note_exchange(1, epoch=store.peers.hub().epoch)
    assert unexpired(store, clock=lambda: (NOON - 1) * 1000) == []


def test_a_key_with_a_newline_stays_in_its_line(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.set("two\nlines", b"value")
    store.links.make("two\nlines")
    assert kvass("links").out.decode().endswith(" two\\nlines\n")


# unlink


@pytest.mark.parametrize("form", [f"{BASE}/get?q={{}}", "https://elsewhere.example/x/get?q={}", "{}"])
def test_unlink_ends_a_link_by_its_address_or_token(kvass: Kvass, store: Store, hub: NearHub, form: str) -> None:
    link, other = store.links.make("a/k"), store.links.make("a/k")
    push(store, hub, kvass)
    assert kvass("unlink", "--", form.format(link.token)) == (0, b"", "")
    assert hub.store.links.all() == store.links.all() == [other]


def test_unlink_ends_all_links_to_a_key_and_leaves_its_own_address(kvass: Kvass, store: Store, hub: NearHub) -> None:
    for _ in range(3):
        store.links.make("a/k", once=True)
    kept = store.links.make("other")
    before = store.entry("a/k")
    status, out, err = kvass("unlink", "a/k")
    assert (status, out) == (0, b"")
    assert err == (
        "kvass: the address of the current value of a/k still works; end it with"
        f" `kvass unlink -- {before.url_token}`\n"
    )
    assert hub.store.links.all() == store.links.all() == [kept]
    assert store.entry("a/k") == hub.store.entry("a/k") == before


def test_unlink_ends_the_address_of_a_value(kvass: Kvass, store: Store, hub: NearHub) -> None:
    link = store.links.make("a/k")
    push(store, hub, kvass)
    before = store.entry("a/k").url_token
    assert kvass("unlink", format_share_url(BASE, before)) == (0, b"", "")
    assert hub.store.links.find(before) is None
    assert hub.store.entry("a/k").url_token == store.entry("a/k").url_token != before
    assert hub.store.get("a/k").read() == b"value"
    assert hub.store.links.all() == [link]


def test_unlink_ends_links_of_other_devices(kvass: Kvass, store: Store, hub: NearHub) -> None:
    push(store, hub, kvass)
    link = hub.store.links.make("a/k")
    assert kvass("unlink", link.token).status == 0
    assert hub.store.links.all() == []


def test_what_is_no_link_is_named_and_the_others_end(kvass: Kvass, store: Store, hub: NearHub) -> None:
    link = store.links.make("a/k")
    unknown = f"{BASE}/get?q=AAAAAAAAAAAAAAAAAAAAAA"
    status, out, err = kvass("unlink", "nothing", link.token, unknown)
    assert (status, out) == (1, b"")
    assert err == (
        "kvass: no such link and no key with links: nothing; `kvass links` lists the links\n"
        f"kvass: no such link and no key with links: {unknown}; `kvass links` lists the links\n"
    )
    assert store.links.all() == []


def test_what_has_ended_already_is_no_failure(kvass: Kvass, store: Store, hub: NearHub) -> None:
    link = store.links.make("a/k")
    assert kvass("unlink", link.token).status == 0
    assert kvass("unlink", link.token, link.token) == (0, b"", "")


def test_a_key_without_links_says_how_its_own_address_ends(kvass: Kvass, store: Store, hub: NearHub) -> None:
    token = store.entry("other").url_token
    status, _, err = kvass("unlink", "other")
    assert status == 1
    assert f"`kvass unlink -- {token}`" in err


def test_offline_it_waits_for_the_hub(kvass: Kvass, store: Store, hub: NearHub) -> None:
    link = store.links.make("a/k")
    push(store, hub, kvass)
    hub.opened.clear()
    assert kvass("unlink", "--offline", link.token).status == 0
    assert hub.opened == []
    assert (store.links.all(), hub.store.links.all()) == ([], [link])
    push(store, hub, kvass)
    assert hub.store.links.all() == []


def test_without_the_hub_it_says_that_the_link_still_works_there(kvass: Kvass, store: Store, hub: NearHub) -> None:
    link = store.links.make("a/k")
    push(store, hub, kvass)
    hub.be_down()
    status, _, err = kvass("unlink", link.token)
    assert status == 0
    assert "until the hub hears of it, what was ended still works there" in err
