"""kvassfs_cli.commands.links"""

from __future__ import annotations

import pytest

from kvassfs.store import Store
from tests.support.near_hub import NearHub
from tests.support.stores import is_scratch
from tests.unit.cli.conftest import Kvass

BASE = "http://hub.example:8000"

FAR = 4_102_444_800_000_000  # 2100-01-01 00:00 UTC


@pytest.fixture(autouse=True)
def keys(store: Store) -> None:
    """There are keys before there is a hub."""
    store.set("a/k", b"value")
    store.set("other", b"value")


def push(store: Store, hub: NearHub, kvass: Kvass) -> None:
    assert kvass("sync").status == 0
    assert store.outbox.count_dirty() == (0, 0)


@pytest.mark.usefixtures("kathmandu")
def test_links_lists_when_they_end_address_and_key(kvass: Kvass, store: Store, hub: NearHub) -> None:
    often = store.share_links.create("a/k", expires=FAR)
    once = store.share_links.create("other", once=True)
    both = store.share_links.create("other", expires=FAR, once=True)
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
    link = store.share_links.create("a/k")
    store.share_links.create("other")
    assert kvass("links", "a/").out.decode() == f"{'-':<19} -    {BASE}/get?q={link.token} a/k\n"


def test_without_links_there_is_nothing_to_list(kvass: Kvass, hub: NearHub) -> None:
    assert kvass("links") == (0, b"", "")


def test_without_an_address_the_tokens_are_listed(kvass: Kvass, store: Store) -> None:
    link = store.share_links.create("a/k")
    assert kvass("links").out.decode() == f"{'-':<19} -    {link.token} a/k\n"


def test_links_of_other_devices_are_listed(kvass: Kvass, store: Store, hub: NearHub) -> None:
    push(store, hub, kvass)
    link = hub.store.share_links.create("a/k")
    assert link.token in kvass("links").out.decode()


def test_those_that_have_ended_are_not_listed(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.share_links.create("a/k", expires=1)
    store.share_links.end(store.share_links.create("a/k"))
    store.share_links.create("other")
    assert kvass("rm", "other").status == 0
    assert kvass("links").out == b""


def test_a_link_whose_key_was_removed_in_a_mount_is_listed_and_can_be_ended(
    kvass: Kvass, store: Store, hub: NearHub
) -> None:
    link = store.share_links.create("a/k")
    node = store.tree.file("a/k")
    assert node is not None
    store.tree.unlink(node, is_scratch=is_scratch)
    assert kvass("links").out.decode() == f"{'-':<19} -    {BASE}/get?q={link.token} a/k (removed)\n"
    assert kvass("unlink", "a/k") == (0, b"", "")
    assert kvass("links").out == b""


def test_a_key_with_a_newline_stays_in_its_line(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.set("two\nlines", b"value")
    store.share_links.create("two\nlines")
    assert kvass("links").out.decode().endswith(" two\\nlines\n")
