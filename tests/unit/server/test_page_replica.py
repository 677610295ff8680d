"""The replica of the page, in node, beside a hub in this process: single cases that histories seldom have."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.sync.messages import encode_push
from kvassfs.sync.seal import Seal
from tests.support.page_histories import PagePeers, SealedPagePeers, WithPages
from tests.support.page_replicas import NOT_HERE
from tests.support.replicas import Pool, posted, versions
from tests.support.sealed_histories import KEYS, LARGER


@cache
def open_pool(*, sealed: bool) -> Pool:
    return Pool(2, sealed=sealed)


def make_peers(pages: int) -> PagePeers:
    return PagePeers(open_pool(sealed=False).replicas(2, Random(0)), 0, pages, seed=5, steady=True)


def make_sealed_peers(pages: int) -> SealedPagePeers:
    return SealedPagePeers(open_pool(sealed=True).replicas(2, Random(0)), pages, seed=5, steady=True)


def test_what_no_device_made_is_left_out_and_named_until_it_is_gone() -> None:
    peers = make_sealed_peers(1)
    (page,) = peers.pages
    strange = Delivery(Entry("__proto__", 1_700_000_000_000_000, 1, 77, "token", 1), 1, b"x")
    posted(peers.hub, "push", Seal(KEYS.access).seal(encode_push([strange])))
    page.set("a", b"value")
    page.synchronise("exchange")
    assert page.describe().refused == {"__proto__": "it is not sealed: its key is in the clear"}
    assert page.describe().dirty == set()
    page.ask("restart")
    assert page.describe().refused == {"__proto__": "it is not sealed: its key is in the clear"}
    peers.undisturbed(0, "exchange")
    assert versions(peers.replicas[0].store).keys() == {"a"}


def test_of_two_browsers_with_one_store_one_becomes_another_device() -> None:
    """The copy has pulled more than the other one wrote, so its clock tells nothing."""
    peers = make_peers(2)
    page, copy = peers.pages
    page.set("a", b"one")
    page.synchronise("exchange")
    copy.ask("becomeCopy", of=page.number)
    for _ in range(9):
        peers.put(peers.replicas[0], "c", 8)
    peers.undisturbed(0, "push")
    copy.synchronise("exchange")
    page.set("b", b"two")
    page.synchronise("exchange")
    copy.synchronise("exchange")
    assert copy.describe().versions.keys() == {"a", "b", "c"}
    copy.set("d", b"three")
    copy.synchronise("exchange")
    assert copy.describe().versions["d"].order[2] != copy.describe().versions["b"].order[2]


@pytest.mark.parametrize(
    ("make", "size"), [(make_peers, 330), (make_sealed_peers, LARGER[330])], ids=["plain", "sealed"]
)
def test_a_large_value_that_is_not_here_is_moved_all_the_same(make: Callable[[int], WithPages], size: int) -> None:
    peers = make(2)
    _, lazy = peers.pages
    peers.put(peers.replicas[0], "a", 330)
    peers.undisturbed(0, "exchange")
    lazy.synchronise("exchange")
    assert lazy.describe().versions["a"].value == NOT_HERE
    lazy.ask("rename", key="a", to="b")
    lazy.synchronise("exchange")
    assert lazy.describe().dirty == set()
    peers.undisturbed(0, "exchange")
    found = versions(peers.replicas[0].store)
    assert (len(found["b"].value), found["a"].value) == (size, b"")
