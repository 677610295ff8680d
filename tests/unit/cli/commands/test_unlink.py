"""kvassfs_cli.commands.unlink"""

from __future__ import annotations

import pytest

from kvassfs.sharing.address import format_share_url
from kvassfs.store import Store
from tests.support.near_hub import NearHub
from tests.unit.cli.conftest import Kvass

BASE = "http://hub.example:8000"


@pytest.fixture(autouse=True)
def keys(store: Store) -> None:
    """There are keys before there is a hub."""
    store.set("a/k", b"value")
    store.set("other", b"value")


def push(store: Store, hub: NearHub, kvass: Kvass) -> None:
    assert kvass("sync").status == 0
    assert store.outbox.count_dirty() == (0, 0)


@pytest.mark.parametrize("form", [f"{BASE}/get?q={{}}", "https://elsewhere.example/x/get?q={}", "{}"])
def test_unlink_ends_a_link_by_its_address_or_token(kvass: Kvass, store: Store, hub: NearHub, form: str) -> None:
    link, other = store.share_links.create("a/k"), store.share_links.create("a/k")
    push(store, hub, kvass)
    assert kvass("unlink", "--", form.format(link.token)) == (0, b"", "")
    assert hub.store.share_links.list_all() == store.share_links.list_all() == [other]


def test_unlink_ends_all_links_to_a_key_and_leaves_its_own_address(kvass: Kvass, store: Store, hub: NearHub) -> None:
    for _ in range(3):
        store.share_links.create("a/k", once=True)
    kept = store.share_links.create("other")
    before = store.entry("a/k")
    status, out, err = kvass("unlink", "a/k")
    assert (status, out) == (0, b"")
    assert err == (
        "kvass: the address of the current value of a/k still works; end it with"
        f" `kvass unlink -- {before.url_token}`\n"
    )
    assert hub.store.share_links.list_all() == store.share_links.list_all() == [kept]
    assert store.entry("a/k") == hub.store.entry("a/k") == before


def test_unlink_ends_the_address_of_a_value(kvass: Kvass, store: Store, hub: NearHub) -> None:
    link = store.share_links.create("a/k")
    push(store, hub, kvass)
    before = store.entry("a/k").url_token
    assert kvass("unlink", format_share_url(BASE, before)) == (0, b"", "")
    assert hub.store.share_links.find(before) is None
    assert hub.store.entry("a/k").url_token == store.entry("a/k").url_token != before
    assert hub.store.get("a/k").read() == b"value"
    assert hub.store.share_links.list_all() == [link]


def test_unlink_ends_links_of_other_devices(kvass: Kvass, store: Store, hub: NearHub) -> None:
    push(store, hub, kvass)
    link = hub.store.share_links.create("a/k")
    assert kvass("unlink", link.token).status == 0
    assert hub.store.share_links.list_all() == []


def test_what_is_no_link_is_named_and_the_others_end(kvass: Kvass, store: Store, hub: NearHub) -> None:
    link = store.share_links.create("a/k")
    unknown = f"{BASE}/get?q=AAAAAAAAAAAAAAAAAAAAAA"
    status, out, err = kvass("unlink", "nothing", link.token, unknown)
    assert (status, out) == (1, b"")
    assert err == (
        "kvass: no such link and no key with links: nothing; `kvass links` lists the links\n"
        f"kvass: no such link and no key with links: {unknown}; `kvass links` lists the links\n"
    )
    assert store.share_links.list_all() == []


def test_what_has_ended_already_is_no_failure(kvass: Kvass, store: Store, hub: NearHub) -> None:
    link = store.share_links.create("a/k")
    assert kvass("unlink", link.token).status == 0
    assert kvass("unlink", link.token, link.token) == (0, b"", "")


def test_a_key_without_links_says_how_its_own_address_ends(kvass: Kvass, store: Store, hub: NearHub) -> None:
    token = store.entry("other").url_token
    status, _, err = kvass("unlink", "other")
    assert status == 1
    assert f"`kvass unlink -- {token}`" in err


def test_offline_it_waits_for_the_hub(kvass: Kvass, store: Store, hub: NearHub) -> None:
    link = store.share_links.create("a/k")
    push(store, hub, kvass)
    hub.opened.clear()
    assert kvass("unlink", "--offline", link.token).status == 0
    assert hub.opened == []
    assert (store.share_links.list_all(), hub.store.share_links.list_all()) == ([], [link])
    push(store, hub, kvass)
    assert hub.store.share_links.list_all() == []


def test_without_the_hub_it_says_that_the_link_still_works_there(kvass: Kvass, store: Store, hub: NearHub) -> None:
    link = store.share_links.create("a/k")
    push(store, hub, kvass)
    hub.be_down()
    status, _, err = kvass("unlink", link.token)
    assert status == 0
    assert err == (
        "kvass: warning: cannot reach the hub hub.example:8000: connection refused;"
        " until the hub hears of it, what was ended still works there\n"
    )
