"""kvassfs.store.feed: what others have changed, and what this open store has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kvassfs.store import Changes, Position, Store, Written
from kvassfs.store.feed import Feed
from kvassfs.store.journal import KEPT_CHANGES, Journal
from tests.support.stores import REGULAR, count, is_scratch, rows, save

START = Position(0, 0)
NOBODY = -1


class TestLocalChanges:
    @pytest.fixture
    def mine(self, store: Store) -> Journal:
        return Journal(store._database, 1)

    @pytest.fixture
    def theirs(self, store: Store) -> Journal:
        return Journal(store._database, 2)

    @pytest.fixture
    def feed(self, store: Store) -> Feed:
        return Feed(store._database, 1)

    def test_there_are_none_at_first(self, feed: Feed) -> None:
        assert feed.position() == START
        assert feed.since(START, but_by=1) == Changes([], [], START, [])

    def test_those_of_others_come_in_their_order(self, feed: Feed, mine: Journal, theirs: Journal) -> None:
        theirs.note("b")
        one = feed.position()
        mine.note("own")
        theirs.note("a/")
        keys, prefixes, three, _ = feed.since(START, but_by=1)
        assert (keys, prefixes) == (["b", "a/"], ["a/"])
        assert feed.position() == three
        assert feed.since(one, but_by=1) == Changes(["a/"], ["a/"], three, [])
        assert feed.since(three, but_by=1) == Changes([], [], three, [])
        assert feed.since(START, but_by=2).keys == ["own"]

    def test_the_newest_are_kept_and_counting_goes_on(self, store: Store, feed: Feed, theirs: Journal) -> None:
        with store.transaction:
            for number in range(3 * KEPT_CHANGES):
                theirs.note(str(number))
        assert KEPT_CHANGES <= count(store, "local_changes") < 2 * KEPT_CHANGES
        position = feed.position()
        assert position.change == 3 * KEPT_CHANGES
        before = position._replace(change=position.change - 2)
        assert feed.since(before, but_by=1).keys == [str(3 * KEPT_CHANGES - 2), str(3 * KEPT_CHANGES - 1)]
        store._database.execute("DELETE FROM local_changes")
        theirs.note("next")
        assert feed.position().change == 3 * KEPT_CHANGES + 1

    def test_many_are_noted_as_each_alone_is(self, store: Store, theirs: Journal) -> None:
        keys = [str(number) for number in range(2 * KEPT_CHANGES + 700)]
        found = []
        for size in (1, 300, len(keys)):
            with store.transaction:
                store._database.execute("DELETE FROM local_changes")
                store._database.execute("DELETE FROM sqlite_sequence")
                for start in range(0, len(keys), size):
                    theirs.note_all(keys[start : start + size])
                theirs.note_all([])
                found.append(rows(store, "SELECT * FROM local_changes ORDER BY id"))
        with store.transaction:
            store._database.execute("DELETE FROM local_changes")
            store._database.execute("DELETE FROM sqlite_sequence")
            for key in keys:
                theirs.note(key)
        assert found == [rows(store, "SELECT * FROM local_changes ORDER BY id")] * 3

    def test_every_open_store_writes_under_a_number_of_its_own(self, store: Store) -> None:
        with Store.open(store.path) as other:
            assert other.feed.writer != store.feed.writer


class TestEntries:
    def test_they_come_in_the_order_of_their_sequences(self, store: Store) -> None:
        for key in "cab":
            store.set(key, b"value")
        assert store.feed.since(START, but_by=NOBODY).keys == ["c", "a", "b"]
        store.set("a", b"new")
        assert store.feed.since(Position(2, 0), but_by=NOBODY).keys == ["b", "a"]
        assert store.feed.since(store.feed.position(), but_by=NOBODY).keys == []

    def test_what_a_store_wrote_itself_is_left_out(self, store: Store, open_store: Callable[[], Store]) -> None:
        other = open_store()
        store.set("mine", b"value")
        other.set("theirs", b"value")
        assert store.feed.since(START, but_by=store.feed.writer).keys == ["theirs"]
        other.set("mine", b"theirs by now")
        assert store.feed.since(START, but_by=store.feed.writer).keys == ["theirs", "mine"]

    @pytest.mark.parametrize("change", ["save", "mode", "token"])
    def test_that_goes_for_every_way_to_write(self, store: Store, change: str) -> None:
        store.set("key", b"value")
        token = store.entry("key").url_token
        with Store.open(store.path) as other:
            other.set("key", b"other")
            before = other.feed.position()
            if change == "save":
                save(store, "key", b"saved")
            elif change == "mode":
                store.tree.set_mode(store.tree.lookup("key").node, 0o100700)  # type: ignore[arg-type]
            else:
                store.share_links.renew_token(store.entry("key").url_token)
            assert store.entry("key").url_token != token
            assert other.feed.since(before, but_by=store.feed.writer).keys == []
            assert other.feed.since(before, but_by=other.feed.writer).keys == ["key"]

    def test_a_version_that_is_saved_as_anothers_is_reported_to_its_writer_too(self, store: Store) -> None:
        draft = store.tree.draft()
        draft.write(0, b"value")
        store.tree.save("key", draft, Written(mode=REGULAR), scratch=False, now=1, amends=None, foreign=True)
        assert store.feed.since(START, but_by=store.feed.writer).keys == ["key"]

    def test_a_key_that_ends_in_a_slash_is_the_key_of_no_directory(
        self, store: Store, open_store: Callable[[], Store]
    ) -> None:
        open_store().set("a/", b"value")
        changes = store.feed.since(START, but_by=store.feed.writer)
        assert (changes.keys, changes.prefixes) == (["a/"], [])

    def test_a_key_that_went_without_a_trace_is_told(self, store: Store, open_store: Callable[[], Store]) -> None:
        node = save(store, "tmp", b"v")
        other = open_store()
        before = other.feed.position()
        store.tree.unlink(node, is_scratch=is_scratch)
        assert "tmp" in other.feed.since(before, but_by=other.feed.writer).keys

    def test_both_names_of_one_that_was_renamed_are_told(self, store: Store, open_store: Callable[[], Store]) -> None:
        node = save(store, "tmp", b"v")
        other = open_store()
        before = other.feed.position()
        store.tree.rename(node, "a", is_scratch=is_scratch)
        assert {"tmp", "a"} <= set(other.feed.since(before, but_by=other.feed.writer).keys)
