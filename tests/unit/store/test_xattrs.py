"""Extended attributes of files and directories: by names of bytes, and gone with what bore them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.store import Bearer, Store
from tests.support.stores import Clock, count, is_scratch, save

ONE = {b"user.one": b"1"}
DAY = 24 * 3600 * 10**9


@pytest.fixture
def marked(store: Store, clock: Clock) -> Store:
    """A store in which a key, a scratch file and a directory have an attribute."""
    save(store, "d/a", b"value")
    save(store, "d/a~", b"value", scratch=True)
    store.tree.directories.make("d/", 0o40700, is_scratch=is_scratch)
    for bearer in (Bearer("d/a"), Bearer("d/a~"), Bearer("d/", is_directory=True)):
        store.xattrs.replace(bearer, ONE)
    clock.advance(DAY)
    return store


def tombstone(key: str, clock: Clock) -> Delivery:
    return Delivery(Entry(key, clock() // 1000, 90, 7, "T" * 22, 0, None), 90, b"")


def test_a_name_may_be_no_utf_8_and_a_value_anything(store: Store) -> None:
    save(store, "a", b"value")
    store.xattrs.put(Bearer("a"), b"user.\xff", bytes(range(256)))
    store.xattrs.put(Bearer("a"), b"user.empty", b"")
    assert store.xattrs.of(Bearer("a")) == {b"user.\xff": bytes(range(256)), b"user.empty": b""}
    store.xattrs.put(Bearer("a"), b"user.\xff", None)
    assert store.xattrs.of(Bearer("a")) == {b"user.empty": b""}


def test_a_key_that_ends_in_a_slash_is_told_from_the_directory_of_that_name(store: Store) -> None:
    save(store, "a/", b"value")
    store.tree.directories.make("a/", 0o40700, is_scratch=is_scratch)
    store.xattrs.replace(Bearer("a/"), ONE)
    assert store.xattrs.of(Bearer("a/", is_directory=True)) == {}
    store.tree.rename_directory("a/", "b/", is_scratch=lambda _: False)
    assert store.xattrs.of(Bearer("b/")) == ONE
    assert store.xattrs.of(Bearer("b/", is_directory=True)) == {}


@pytest.mark.parametrize(
    "remove",
    [
        lambda store, clock: store.delete("d/a"),
        lambda store, clock: store.set("d/a", b""),
        lambda store, clock: store.tree.unlink(store.tree.file("d/a"), is_scratch=is_scratch),
        lambda store, clock: store.inbox.merge_pulled([tombstone("d/a", clock)], cursor=1, epoch=1),
        lambda store, clock: store.inbox.merge_pushed([tombstone("d/a", clock)]),
    ],
)
def test_they_go_with_a_key_however_it_is_removed(
    marked: Store, clock: Clock, remove: Callable[[Store, Clock], object]
) -> None:
    remove(marked, clock)
    assert marked.tree.file("d/a") is None
    assert count(marked, "xattrs") == 2
    save(marked, "d/a", b"another")
    assert marked.xattrs.of(Bearer("d/a")) == {}


def test_they_go_with_a_key_that_goes_without_a_trace(store: Store) -> None:
    node = save(store, "a", b"value")
    store.xattrs.replace(Bearer("a"), ONE)
    store.tree.unlink(node, is_scratch=is_scratch)
    assert count(store, "entries") == count(store, "xattrs") == 0


def test_they_stay_with_a_key_that_is_written_elsewhere(marked: Store, clock: Clock) -> None:
    entry = Entry("d/a", clock() // 1000, 90, 7, "T" * 22, 3, None)
    marked.inbox.merge_pulled([Delivery(entry, 90, b"new")], cursor=1, epoch=1)
    assert marked.xattrs.of(Bearer("d/a")) == ONE


def test_a_key_from_elsewhere_does_not_get_those_of_the_scratch_file_of_its_name(marked: Store, clock: Clock) -> None:
    entry = Entry("d/a~", clock() // 1000, 90, 7, "T" * 22, 3, None)
    marked.inbox.merge_pulled([Delivery(entry, 90, b"new")], cursor=1, epoch=1)
    assert marked.xattrs.of(Bearer("d/a~")) == {}
