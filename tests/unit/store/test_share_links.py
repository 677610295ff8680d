"""What tokens lead to: versions of keys, and links to keys that are made, followed and ended."""

from __future__ import annotations

import stat
from collections.abc import Callable

import pytest

from kvassfs.entry import Delivery
from kvassfs.errors import InvalidKey, KeyMissing
from kvassfs.share_link import ShareLink
from kvassfs.store import Limit, Shared, Store
from kvassfs.sync import messages
from kvassfs.sync.entry_messages import estimate_size
from kvassfs.sync.limits import HUB_LIMITS
from tests.support.stores import SECOND, Clock, count, is_scratch, revision_values, rows, save

OpenStore = Callable[[], Store]

LIMIT = Limit(HUB_LIMITS.page_bytes, HUB_LIMITS.whole_bytes, estimate_size)


def hand_over(source: Store, target: Store) -> None:
    """Let ``target`` have what ``source`` has, as a hub gets it."""
    page = source.outbox.read_dirty(LIMIT)
    target.inbox.merge_pushed([out.delivery for out in source.outbox.mark_as_sent(page)])


def found_key(store: Store, token: str) -> str | None:
    found = store.share_links.find(token)
    return found.entry.key if isinstance(found, Shared) else None


# Versions


def test_the_token_of_a_version_leads_to_it(store: Store) -> None:
    entry = store.set("key", b"value")
    found = store.share_links.find(entry.url_token)
    assert isinstance(found, Shared)
    assert (found.entry, found.value.data, found.link) == (entry, b"value", None)


def test_a_large_value_is_not_read(store: Store) -> None:
    entry = store.set("key", bytes(100_000))
    found = store.share_links.find(entry.url_token)
    assert isinstance(found, Shared)
    assert (found.entry.size, found.value.data) == (100_000, None)


def test_an_empty_file_has_an_address_too(store: Store) -> None:
    save(store, "empty", b"")
    (token,) = rows(store, "SELECT url_token FROM entries WHERE key = 'empty'")
    found = store.share_links.find(token)
    assert isinstance(found, Shared)
    assert (found.entry.key, found.value.data) == ("empty", b"")


def test_a_token_ends_with_its_version(store: Store) -> None:
    first = store.set("key", b"one").url_token
    second = store.set("key", b"two").url_token
    assert (store.share_links.find(first), found_key(store, second)) == (None, "key")
    store.delete("key")
    assert store.share_links.find(second) is None
    assert store.share_links.has_ended(first)
    assert store.share_links.has_ended(second)


def test_a_token_that_nothing_ever_had_has_not_ended(store: Store) -> None:
    store.set("key", b"value")
    assert store.share_links.find("other") is None
    assert not store.share_links.has_ended("other")


def test_of_two_keys_with_one_token_the_one_that_is_there_is_found(store: Store, open_store: OpenStore) -> None:
    entry = store.set("key", b"value")
    gone = entry._replace(key="gone", size=0)
    store.inbox.merge_pushed([Delivery(gone, 1, b""), Delivery(entry._replace(key="zzz"), 1, b"value")])
    assert found_key(store, entry.url_token) in {"key", "zzz"}
    store.delete("key")
    assert found_key(store, entry.url_token) == "zzz"


def test_a_renewed_token_leads_to_the_same_value_and_the_old_one_nowhere(store: Store) -> None:
    before = store.set("key", b"value")
    assert store.share_links.renew_token(before.url_token)
    after = store.entry("key")
    assert after.url_token != before.url_token
    assert after.order > before.order
    assert store.get("key").read() == b"value"
    assert store.share_links.find(before.url_token) is None
    assert revision_values(store, "key") == []
    assert not store.share_links.renew_token(before.url_token)


def test_a_renewed_token_reaches_the_hub(
    store: Store, open_store: OpenStore, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Store.open(tmp_path_factory.mktemp("hub") / "db") as hub:
        before = store.set("key", bytes(100_000)).url_token
        entry = store.entry("key")
        hub.inbox.merge_pushed([Delivery(entry, 1, bytes(100_000))])
        store.share_links.renew_token(before)
        hub.inbox.merge_pushed([Delivery(store.entry("key"), 2, bytes(100_000))])
        assert hub.share_links.find(before) is None
        assert hub.share_links.has_ended(before)
        assert found_key(hub, store.entry("key").url_token) == "key"


def test_what_another_device_has_written_meanwhile_wins_over_a_renewed_token(store: Store, clock: Clock) -> None:
    before = store.set("key", b"old")
    clock.advance(60 * SECOND)
    edit = before._replace(timestamp=before.timestamp + 30_000_000, process_id=7, url_token="theirs", size=3)
    store.share_links.renew_token(before.url_token)
    store.inbox.merge_pushed([Delivery(edit, 1, b"new")])
    assert store.get("key").read() == b"new"
    assert found_key(store, "theirs") == "key"


# ShareLinks


def test_a_link_leads_to_what_its_key_holds(store: Store) -> None:
    store.set("key", b"one")
    link = store.share_links.create("key", expires=5, once=True)
    assert store.share_links.find(link.token) == link == ShareLink(link.token, "key", 5, True)
    store.set("key", b"two")
    found = store.share_links.resolve(link)
    assert found is not None
    assert (found.value.data, found.link) == (b"two", link)


@pytest.mark.parametrize("value", [None, b""])
def test_a_link_ends_with_the_key_that_is_deleted(store: Store, value: bytes | None) -> None:
    store.set("key", b"one")
    store.set("other", b"one")
    link, other = store.share_links.create("key"), store.share_links.create("other")
    if value is None:
        store.delete("key")
    else:
        store.set("key", value)
    assert store.share_links.list_all() == [other]
    assert store.share_links.has_ended(link.token)


def test_a_link_to_what_a_mount_removed_leads_nowhere_until_it_is_there_again(store: Store) -> None:
    store.set("key", b"one")
    link = store.share_links.create("key")
    node = store.tree.file("key")
    assert node is not None
    store.tree.unlink(node, is_scratch=is_scratch)
    assert store.share_links.resolve(link) is None
    store.set("key", b"two")
    assert store.share_links.resolve(link) is not None


def test_a_link_needs_a_key_that_is_there(store: Store) -> None:
    with pytest.raises(KeyMissing):
        store.share_links.create("missing")
    with pytest.raises(InvalidKey):
        store.share_links.create("")


def test_a_link_may_lead_to_an_empty_file(store: Store) -> None:
    save(store, "empty", b"")
    found = store.share_links.resolve(store.share_links.create("empty"))
    assert found is not None
    assert (found.entry.key, found.value.size) == ("empty", 0)


def test_a_link_leaves_the_entry_as_it_is(store: Store) -> None:
    entry = store.set("key", b"value")
    store.share_links.end(store.share_links.create("key", once=True))
    assert store.entry("key") == entry
    assert revision_values(store, "key") == []


def test_links_are_no_keys(store: Store) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key")
    assert list(store.keys()) == ["key"]
    assert [child.component for child in store.tree.children("")] == ["key"]
    assert store.tree.lookup(link.record) == (None, None)
    with pytest.raises(KeyMissing):
        store.get(link.record)
    store.share_links.end(link)
    assert list(store.keys()) == ["key"]
    assert count(store, "revisions") == 0


def test_all_lists_what_was_not_ended(store: Store) -> None:
    store.set("a/b", b"value")
    kept, ended = store.share_links.create("a/b"), store.share_links.create("a/b", once=True)
    store.share_links.end(ended)
    assert store.share_links.list_all() == [kept]


def test_a_link_is_ended_once_and_for_good(store: Store) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key")
    assert store.share_links.end(link)
    assert not store.share_links.end(link)
    assert store.share_links.find(link.token) is None
    assert store.share_links.has_ended(link.token)


def test_what_was_no_link_cannot_be_ended(store: Store) -> None:
    store.set("key", b"value")
    assert not store.share_links.end(ShareLink("token", "key"))


# Between replicas


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Store:
    return Store.open(tmp_path_factory.mktemp("hub") / "db", clock=store._entries._clock)


def test_a_link_works_where_it_was_not_made(store: Store, hub: Store) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key", expires=10**16, once=True)
    hand_over(store, hub)
    assert hub.share_links.find(link.token) == link
    assert hub.share_links.list_all() == [link]
    hub.close()


def test_a_link_that_was_used_up_is_not_brought_back_by_a_device_that_has_not_heard(store: Store, hub: Store) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key", once=True)
    hand_over(store, hub)
    assert hub.share_links.end(link)
    store.peers.forget_hub()
    hand_over(store, hub)
    assert hub.share_links.find(link.token) is None
    page = hub.outbox.read_since(0, 0, LIMIT)
    store.inbox.merge_pulled([out.delivery for out in page.outgoing], cursor=page.cursor, epoch=store.peers.hub().epoch)
    assert store.share_links.list_all() == []
    hub.close()


def test_a_link_passes_through_messages_of_the_original_as_a_deleted_key(store: Store) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key")
    (message,) = [out.delivery for out in store.outbox.read_dirty(LIMIT) if out.delivery.entry.key == link.record]
    assert messages.decode_push(messages.encode_push([message])) == [message._replace(sequence=message.entry.counter)]
    assert (message.entry.deleted, message.value, message.entry.url_token) == (True, b"", link.token)
    assert not stat.S_ISREG(message.entry.mode or 0)
