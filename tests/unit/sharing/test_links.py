"""kvassfs.sharing.links: making, listing and ending share links"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.errors import InvalidConfiguration, KeyMissing
from kvassfs.share_link import ShareLink
from kvassfs.sharing.address import find_base_url, format_share_url, require_base_url
from kvassfs.sharing.links import create_link, end_links, list_links, share
from kvassfs.sharing.terms import Terms
from kvassfs.store import Shared, Store
from tests.support.stores import Clock, ClockMachine, set_hub_ahead

NOON = 1_704_110_400_000_000  # 2024-01-01 12:00 UTC
MINUTE = 60_000_000  # microseconds
CLOCK = Clock(NOON * 1000, step=0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "db", clock=CLOCK, machine=ClockMachine(CLOCK)) as opened:
        opened.set("a/k", b"value")
        opened.set("other", b"value")
        yield opened


def clock() -> int:
    """At noon, in ns as all clocks of this machine."""
    return NOON * 1000


def set_original_hub(store: Store) -> None:
    store.peers.note_hub(version=1, process_id=0, incarnation=0, told=0, epoch=store.peers.hub().epoch)


class TestSharing:
    """What an address of a key is made of."""

    def test_without_terms_the_token_is_that_of_the_version(self, store: Store) -> None:
        assert share(store, "a/k") == store.entry("a/k").url_token
        assert store.share_links.list_all() == []

    @pytest.mark.parametrize("terms", [Terms(once=True), Terms(60), Terms(60, once=True)])
    def test_with_terms_it_is_that_of_a_new_link(self, store: Store, terms: Terms) -> None:
        tokens = {share(store, "a/k", terms, clock=clock) for _ in range(2)}
        assert {link.token for link in store.share_links.list_all()} == tokens
        assert len(tokens) == 2

    def test_a_link_has_the_terms(self, store: Store) -> None:
        link = create_link(store, "a/k", Terms(60, once=True), clock=clock)
        assert link == ShareLink(link.token, "a/k", NOON + MINUTE, once=True)
        assert store.share_links.find(link.token) == link

    def test_the_time_is_counted_by_the_clock_of_the_hub(self, store: Store) -> None:
        set_hub_ahead(store, CLOCK, 7 * MINUTE)
        assert create_link(store, "a/k", Terms(60), clock=clock).expires == NOON + 8 * MINUTE

    @pytest.mark.parametrize("terms", [Terms(once=True), Terms(60)])
    def test_a_hub_of_the_original_has_no_links(self, store: Store, terms: Terms) -> None:
        set_original_hub(store)
        with pytest.raises(InvalidConfiguration, match="the original kvass"):
            share(store, "a/k", terms)
        assert store.share_links.list_all() == []

    def test_a_hub_of_the_original_has_addresses_of_versions(self, store: Store) -> None:
        set_original_hub(store)
        assert share(store, "a/k") == store.entry("a/k").url_token

    @pytest.mark.parametrize("terms", [Terms(), Terms(once=True), Terms(60)])
    def test_a_key_that_is_missing_has_none(self, store: Store, terms: Terms) -> None:
        with pytest.raises(KeyMissing):
            share(store, "nothing", terms)


class TestBase:
    """What addresses begin with."""

    def test_it_is_the_public_address_before_the_hub(self, store: Store) -> None:
        store.settings.set_remote("hub.example:8000")
        assert find_base_url(store) == require_base_url(store) == "http://hub.example:8000"
        store.settings.set_public_url("https://example.org/kvass/")
        assert find_base_url(store) == require_base_url(store) == "https://example.org/kvass"

    def test_without_either_the_error_says_what_sets_one(self, store: Store) -> None:
        assert find_base_url(store) == ""
        with pytest.raises(InvalidConfiguration, match="set the hub with `kvass config remote HOST`"):
            require_base_url(store)


class TestListing:
    """Which links have not ended."""

    def test_they_come_in_the_order_of_keys_and_ends(self, store: Store) -> None:
        last, first, second = (
            store.share_links.create("other"),
            store.share_links.create("a/k", expires=NOON + 1),
            store.share_links.create("a/k", expires=NOON + 2),
        )
        assert list_links(store, clock=clock) == [first, second, last]

    def test_with_a_prefix_only_those_to_its_keys(self, store: Store) -> None:
        link = store.share_links.create("a/k")
        store.share_links.create("other")
        assert list_links(store, "a/", clock=clock) == [link]

    def test_they_are_over_by_the_clock_of_the_hub(self, store: Store) -> None:
        link = store.share_links.create("a/k", expires=NOON + 1)
        assert list_links(store, clock=clock) == [link]
        set_hub_ahead(store, CLOCK, 1)
        assert list_links(store, clock=clock) == []

    def test_those_that_were_ended_are_left_out(self, store: Store) -> None:
        store.share_links.end(store.share_links.create("a/k"))
        assert list_links(store, clock=clock) == []


class TestEnding:
    """What names stand for."""

    def test_a_key_stands_for_its_links_and_not_for_the_address_of_its_version(self, store: Store) -> None:
        for _ in range(2):
            store.share_links.create("a/k")
        kept = store.share_links.create("other")
        before = store.entry("a/k")
        assert end_links(store, ["a/k"], clock=clock) == []
        assert store.share_links.list_all() == [kept]
        assert store.entry("a/k") == before

    def test_a_key_stands_for_no_link_to_another_that_begins_so(self, store: Store) -> None:
        store.set("a/k2", b"value")
        kept = store.share_links.create("a/k2")
        assert [error.name for error in end_links(store, ["a/k"], clock=clock)] == ["a/k"]
        assert store.share_links.list_all() == [kept]

    @pytest.mark.parametrize("form", ["http://hub.example/get?q={}", "{}"])
    def test_an_address_or_a_token_stands_for_its_link(self, store: Store, form: str) -> None:
        link, kept = store.share_links.create("a/k"), store.share_links.create("a/k")
        assert end_links(store, [form.format(link.token)], clock=clock) == []
        assert store.share_links.list_all() == [kept]

    def test_the_address_of_a_version_ends_with_a_new_token(self, store: Store) -> None:
        before = store.entry("a/k").url_token
        assert end_links(store, [format_share_url("http://hub.example", before)], clock=clock) == []
        assert store.share_links.find(before) is None
        found = store.share_links.find(store.entry("a/k").url_token)
        assert isinstance(found, Shared)
        assert found.value.data == b"value"

    def test_what_has_ended_is_no_error(self, store: Store) -> None:
        token = store.share_links.create("a/k").token
        assert end_links(store, [token, token], clock=clock) == [] == end_links(store, [token], clock=clock)

    def test_a_key_whose_links_have_expired_by_the_clock_of_the_hub_has_none(self, store: Store) -> None:
        store.share_links.create("a/k", expires=NOON + 1)
        set_hub_ahead(store, CLOCK, 1)
        assert [error.name for error in end_links(store, ["a/k"], clock=clock)] == ["a/k"]

    def test_names_of_nothing_are_returned_and_the_others_end(self, store: Store) -> None:
        store.share_links.create("a/k")
        unknown = "A" * 22
        missing = end_links(store, ["nothing", "a/k", unknown], clock=clock)
        assert [error.name for error in missing] == ["nothing", unknown]
        assert store.share_links.list_all() == []
