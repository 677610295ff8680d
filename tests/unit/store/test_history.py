"""kvassfs.store.history"""

from __future__ import annotations

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.errors import InvalidKey, KeyMissing, RevisionMissing
from kvassfs.store import Became, Store, Version
from kvassfs.store.history import AT_ONCE
from tests.support.stores import DAY, SECOND, Clock, revision_values, rows, save

REPLACED, REMOVED, LOST = Became.REPLACED, Became.REMOVED, Became.LOST


def outline(versions: list[Version]) -> list[tuple[int, int | None]]:
    return [(version.number, version.became) for version in versions]


def value_of(store: Store, key: str, number: int) -> bytes:
    return store.history.get(key, number).read()


# One key


def test_versions_come_newest_first_with_what_became_of_them(store: Store) -> None:
    for value in (b"one", b"two"):
        store.set("key", value)
    store.delete("key")
    store.set("key", b"three")
    assert outline(store.history.versions("key")) == [(3, None), (2, REMOVED), (1, REPLACED)]
    assert [value_of(store, "key", number) for number in (1, 2, 3)] == [b"one", b"two", b"three"]


def test_a_removed_key_has_its_removal_first(store: Store) -> None:
    store.set("key", b"value")
    store.delete("key")
    versions = store.history.versions("key")
    assert outline(versions) == [(0, None), (1, REMOVED)]
    assert versions[0].entry.deleted


def test_a_version_that_came_and_lost_is_among_them(store: Store) -> None:
    entry = store.set("key", b"here")
    older = Entry("key", entry.timestamp - 1, 5, 7, "T" * 22, 5)
    store.inbox.merge_pushed([Delivery(older, 9, b"there")])
    assert outline(store.history.versions("key")) == [(2, None), (1, LOST)]
    assert value_of(store, "key", 1) == b"there"


def test_the_number_of_a_version_stays_its_own(store: Store) -> None:
    for number in range(14):
        store.set("key", b"value %d" % number)
    assert [version.number for version in store.history.versions("key")] == list(range(14, 3, -1))
    assert value_of(store, "key", 5) == b"value 4"


@pytest.mark.parametrize("key", ["missing", "directory/"])
def test_what_was_no_key_has_no_versions(store: Store, key: str) -> None:
    store.tree.directories.make("directory/", 0o40700, is_scratch=lambda _: False)
    with pytest.raises(KeyMissing):
        store.history.versions(key)


def test_a_key_that_no_entry_can_have_is_refused(store: Store) -> None:
    with pytest.raises(InvalidKey):
        store.history.versions("")


@pytest.mark.parametrize("number", [2, 7])
def test_a_version_that_is_not_kept_is_said(store: Store, number: int) -> None:
    store.set("key", b"value")
    with pytest.raises(RevisionMissing) as caught:
        store.history.get("key", number)
    assert str(caught.value) == f"key has no version {number}; `kvass log` lists what is kept"


# Coming back


def test_the_version_before_the_present_one_comes_back(store: Store) -> None:
    for value in (b"one", b"two"):
        store.set("key", value)
    assert store.history.restore("key").number == 1
    assert store.get("key").read() == b"one"
    assert outline(store.history.versions("key")) == [(3, None), (2, REPLACED), (1, REPLACED)]


def test_a_removed_key_comes_back(store: Store) -> None:
    token = store.set("key", b"value").url_token
    store.delete("key")
    store.history.restore("key")
    assert store.get("key").read() == b"value"
    assert store.entry("key").url_token == token


def test_a_version_comes_back_with_its_mode(store: Store) -> None:
    save(store, "script", b"#!/bin/sh", mode=0o100755)
    save(store, "script", b"oops", mode=0o100600)
    store.history.restore("script")
    assert store.entry("script").mode == 0o100755


def test_a_large_version_comes_back(store: Store, small: None) -> None:
    value = bytes(range(256)) * 64
    store.set("key", value)
    store.set("key", b"small")
    store.history.restore("key", 1)
    assert store.get("key").read() == value


def test_the_present_version_stays_as_it_is(store: Store) -> None:
    entry = store.set("key", b"value")
    assert store.history.restore("key", 1).became is None
    assert store.entry("key") == entry


def test_there_is_nothing_to_come_back_to_before_the_first_version(store: Store) -> None:
    store.set("key", b"value")
    with pytest.raises(RevisionMissing) as caught:
        store.history.restore("key")
    assert str(caught.value) == "key has no earlier version; `kvass log` lists what is kept"


# The whole store


def test_the_latest_of_all_keys_come_first(store: Store) -> None:
    store.set("a", b"one")
    store.set("b", b"two")
    store.set("a", b"three")
    store.delete("b")
    found = [(version.entry.key, version.number, version.became) for version in store.history.lately()]
    assert found == [("b", 0, None), ("a", 2, None), ("b", 1, REMOVED), ("a", 1, REPLACED)]


def test_a_prefix_chooses_among_them(store: Store) -> None:
    for key in ("note", "notes/a", "notes/b", "other"):
        store.set(key, b"value")
    store.set("notes/a", b"new")
    found = [(version.entry.key, version.number) for version in store.history.lately("notes/")]
    assert found == [("notes/a", 2), ("notes/b", 1), ("notes/a", 1)]
    assert list(store.history.lately("\ud800")) == []


def test_more_than_are_read_at_once_come_in_order(store: Store) -> None:
    with store.transaction:
        for number in range(AT_ONCE + 10):
            store.set(f"key {number}", b"value")
            store.set(f"key {number}", b"new")
    found = [version.sequence for version in store.history.lately()]
    assert found == list(range(2 * (AT_ONCE + 10), 0, -1))


def test_directories_and_links_are_none_of_them(store: Store) -> None:
    store.tree.directories.make("directory/", 0o40700, is_scratch=lambda _: False)
    store.set("key", b"value")
    store.share_links.create("key", once=True)
    assert [version.entry.key for version in store.history.lately()] == ["key"]


# How much is kept


def test_as_many_revisions_are_kept_as_the_user_wants(store: Store) -> None:
    for number in range(6):
        store.set("key", b"%d" % number)
    store.settings.set_history(2, 30)
    store.set("key", b"last")
    assert revision_values(store, "key") == [b"5", b"4"]
    store.settings.set_history(0, 30)
    store.set("key", b"no history")
    assert revision_values(store, "key") == []


def test_revisions_are_kept_as_long_as_the_user_wants(store: Store, clock: Clock) -> None:
    store.settings.set_history(10, 2)
    store.set("key", b"one")
    store.set("key", b"two")
    clock.advance(2 * DAY - SECOND)
    store.upkeep.tidy()
    assert revision_values(store, "key") == [b"one"]
    clock.advance(2 * SECOND)
    store.upkeep.tidy()
    assert revision_values(store, "key") == []


def test_a_longer_history_is_kept_from_then_on(store: Store) -> None:
    store.settings.set_history(1000, 3650)
    for number in range(40):
        store.set("key", b"%d" % number)
    assert len(revision_values(store, "key")) == 39
    store.settings.set_history(None, None)
    assert store.settings.history() == (10, 30)


def test_no_content_is_left_behind_without_history(store: Store) -> None:
    store.settings.set_history(0, 0)
    for number in range(3):
        store.set("key", b"%d" % number)
    assert rows(store, "SELECT count(*) FROM contents") == [1]
