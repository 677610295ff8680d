"""Entries in the database: versions, clocks, revisions, deletion, what vanishes and what never does."""

from __future__ import annotations

import stat
from collections.abc import Callable

import pytest

from kvassfs.store import Node, Store, Written
from kvassfs.store.rows import Row
from kvassfs.store.settling import TRANSIENT_TIME
from kvassfs.store.sizes import KEPT_REVISIONS, KEPT_TIME
from tests.support.stores import (
    DAY,
    SECOND,
    Clock,
    audit_clean,
    clean_up,
    count,
    is_scratch,
    read,
    revision_values,
    rows,
    save,
    write,
)

OpenStore = Callable[[], Store]


def put(store: Store, key: str, value: bytes = b"v", *, amends: int | None = None) -> Row:
    with store.transaction:
        content = store._contents.add_inline(value) if value else None
        return write(store, key, Written(len(value), content), amends=amends)


def row_of(store: Store, key: str) -> Row:
    row = store._entries.current(key)
    assert row is not None
    return row


def hand_out(store: Store, key: str) -> None:
    """Have the hub know a key."""
    with store.transaction:
        store._database.execute("UPDATE entries SET floor = timestamp, dirty = 0 WHERE key = ?", (key,))


class TestVersions:
    def test_a_new_one_is_dirty_and_nobody_elses(self, store: Store) -> None:
        row = put(store, "a")
        assert row == row_of(store, "a")
        assert (row.dirty, row.floor) == (1, None)
        assert row.process_id == store.settings.config().process_id

    def test_counter_is_the_clock_and_the_sequence(self, store: Store) -> None:
        for number in range(1, 6):
            row = put(store, f"key{number % 2}")
            assert (row.counter, row.sequence, store.settings.config().clock) == (number, number, number)

    def test_sequences_are_unique_and_the_clock_counts_every_event(self, store: Store) -> None:
        for number in range(30):
            put(store, f"key{number % 7}")
            if number % 5 == 0:
                store.delete(f"key{number % 7}")
        sequences = rows(store, "SELECT sequence FROM entries")
        assert len(sequences) == len(set(sequences)) == 7
        assert store.settings.config().clock == 30 + 6
        assert store.feed.position().sequence == max(sequences)

    def test_a_set_makes_a_new_token(self, store: Store) -> None:
        tokens = {put(store, "a").url_token for _ in range(5)}
        assert len(tokens) == 5

    def test_a_given_token_is_kept(self, store: Store) -> None:
        with store.transaction:
            row = write(store, "a", Written(1, store._contents.add_inline(b"v"), url_token="given"))
        assert row.url_token == "given"

    def test_a_set_keeps_the_mode(self, store: Store) -> None:
        save(store, "script", b"v", mode=stat.S_IFREG | 0o755)
        assert put(store, "script").mode == stat.S_IFREG | 0o755

    def test_a_deleted_key_starts_without_a_mode(self, store: Store) -> None:
        save(store, "script", b"v", mode=stat.S_IFREG | 0o755)
        store.delete("script")
        assert put(store, "script").mode is None

    def test_what_others_know_of_a_key_stays_noted(self, store: Store) -> None:
        known = put(store, "a").timestamp
        hand_out(store, "a")
        assert row_of(store, "a").is_final
        assert (put(store, "a").floor, row_of(store, "a").dirty) == (known, 1)
        assert not row_of(store, "a").is_final
        store.delete("a")
        assert (row_of(store, "a").floor, row_of(store, "a").dirty) == (known, 1)

    def test_an_mtime_that_is_the_timestamp_is_not_stored(self, store: Store, clock: Clock) -> None:
        clock.step = 0
        now = clock.now // 1000
        with store.transaction:
            written = Written(1, store._contents.add_inline(b"v"), mtime=now * 1000)
            row = write(store, "a", written, now=now)
        assert row.timestamp == now
        assert row.mtime is None

    def test_below_finds_live_keys_of_a_directory_alone(self, store: Store) -> None:
        for key in ("a", "a/", "a/b", "a/b/c", "a0", "a.", "b/a"):
            put(store, key)
        put(store, "a/gone")
        store.delete("a/gone")
        assert [row.key for row in store._entries.below("a/")] == ["a/", "a/b", "a/b/c"]


class TestClock:
    """An entry is dated by the clock, and beats the version that it replaces; no other key has a say."""

    def timestamps(self, store: Store, clock: Clock, now: list[int]) -> list[int]:
        clock.step = 0
        written = []
        for moment in now:
            clock.now = moment
            written.append(put(store, "a").timestamp)
        return written

    def test_follows_the_wall_clock(self, store: Store, clock: Clock) -> None:
        start = clock.now
        assert self.timestamps(store, clock, [start, start + SECOND]) == [start // 1000, (start + SECOND) // 1000]

    def test_goes_on_when_the_wall_clock_stands_still(self, store: Store, clock: Clock) -> None:
        first, *rest = self.timestamps(store, clock, [clock.now] * 4)
        assert rest == [first + 1, first + 2, first + 3]

    def test_goes_on_when_the_wall_clock_is_set_back_by_days(self, store: Store, clock: Clock) -> None:
        start = clock.now
        first, second, third = self.timestamps(store, clock, [start, start - 3 * DAY, start - 400 * DAY])
        assert (second, third) == (first + 1, first + 2)

    def test_no_other_key_is_dated_by_a_moment_with_a_wrong_clock(
        self, store: Store, open_store: OpenStore, clock: Clock
    ) -> None:
        clock.step = 0
        clock.jump(3 * DAY)
        put(store, "a")
        now = clock.jump(-3 * DAY).now // 1000
        assert put(open_store(), "b").timestamp == put(store, "c").timestamp == now

    def test_before_1970_it_is_the_beginning_of_time(self, store: Store, clock: Clock) -> None:
        clock.now = -DAY
        assert put(store, "a").timestamp == 0

    def test_a_change_of_mode_or_token_alone_is_dated_next_to_what_it_changes(self, store: Store, clock: Clock) -> None:
        node = save(store, "a", b"v")
        written = row_of(store, "a")
        clock.advance(DAY)
        store.tree.set_mode(node, stat.S_IFREG | 0o755)
        assert row_of(store, "a").timestamp == written.timestamp + 1
        with store.transaction:
            assert store._entries.renew_token(row_of(store, "a")).timestamp == written.timestamp + 2
        changed = store.tree.file("a")
        assert changed is not None
        assert changed.mtime == written.timestamp * 1000

    def test_beats_the_version_it_replaces_however_far_ahead_that_is(self, store: Store, clock: Clock) -> None:
        put(store, "a")
        future = clock.now // 1000 + 10**12
        with store.transaction:
            store._database.execute("UPDATE entries SET timestamp = ?, process_id = 7", (future,))
        before = row_of(store, "a")
        after = put(store, "a")
        assert after.timestamp == future + 1
        assert after.entry.order > before.entry.order

    def test_a_tombstone_beats_what_it_deletes(self, store: Store, clock: Clock) -> None:
        before = put(store, "a")
        clock.advance(-DAY)
        tombstone = store.delete("a")
        assert tombstone.order > before.entry.order
        assert tombstone.deleted

    def test_a_change_of_mode_beats_what_it_changes(self, store: Store, clock: Clock) -> None:
        node = save(store, "a", b"v")
        before = row_of(store, "a")
        clock.advance(-DAY)
        store.tree.set_mode(node, stat.S_IFREG | 0o755)
        assert row_of(store, "a").entry.order > before.entry.order

    def test_a_save_may_say_when_it_was_made(self, store: Store, clock: Clock) -> None:
        made = clock.now // 1000 - 5_000_000
        with store.transaction:
            row = write(store, "a", Written(1, store._contents.add_inline(b"v")), now=made)
        assert row.timestamp == row.born == made


class TestRevisions:
    def test_what_is_replaced_becomes_one(self, store: Store) -> None:
        first = put(store, "a", b"one")
        put(store, "a", b"two")
        (revision,) = store.revisions("a")
        assert revision.entry == first.entry
        assert revision_values(store, "a") == [b"one"]

    def test_are_listed_newest_first(self, store: Store) -> None:
        for number in range(4):
            put(store, "a", b"%d" % number)
        assert revision_values(store, "a") == [b"2", b"1", b"0"]

    def test_the_newest_ten_of_each_key_are_kept(self, store: Store) -> None:
        put(store, "other", b"x")
        put(store, "other", b"y")
        for number in range(15):
            put(store, "a", b"%d" % number)
        assert revision_values(store, "a") == [b"%d" % number for number in range(13, 3, -1)]
        assert len(store.revisions("a")) == KEPT_REVISIONS == 10
        assert revision_values(store, "other") == [b"x"]
        # The values of the others are gone.
        assert count(store, "contents") == 11 + 2

    def test_are_kept_for_30_days_from_when_they_were_replaced(self, store: Store, clock: Clock) -> None:
        put(store, "a", b"one")
        clock.advance(100 * DAY)
        put(store, "a", b"two")
        clock.advance(KEPT_TIME * 1000 - SECOND)
        clean_up(store)
        assert revision_values(store, "a") == [b"one"]
        clock.advance(2 * SECOND)
        clean_up(store)
        assert store.revisions("a") == []
        assert store.get("a").read() == b"two"
        audit_clean(store)

    def test_old_ones_go_in_bounded_steps(self, store: Store, clock: Clock) -> None:
        for number in range(30):
            for _ in range(2):
                put(store, f"key{number}", b"x")
        clock.advance(31 * DAY)
        with store.transaction:
            assert store._revisions.expire(store._revisions.find_limit(), 20)
        assert count(store, "revisions") == 10
        with store.transaction:
            assert not store._revisions.expire(store._revisions.find_limit(), 20)
        assert count(store, "revisions") == 0

    def test_old_ones_go_without_a_mount_too(self, store: Store, clock: Clock) -> None:
        """The command line is all that some people use; what it sets is short."""
        store.set("a", b"one")
        store.set("a", b"two")
        clock.advance(31 * DAY)
        store.set("b", b"other")
        assert store.revisions("a") == []

    def test_a_deleted_value_becomes_one(self, store: Store) -> None:
        put(store, "a", b"one")
        store.delete("a")
        assert revision_values(store, "a") == [b"one"]

    def test_empty_values_leave_none(self, store: Store) -> None:
        save(store, "a", b"")
        save(store, "a", b"one")
        store.delete("a")
        put(store, "a", b"two")
        assert revision_values(store, "a") == [b"one"]

    def test_a_change_of_mode_alone_leaves_none_but_travels(self, store: Store) -> None:
        node = save(store, "a", b"one")
        before = row_of(store, "a")
        store.tree.set_mode(node, stat.S_IFREG | 0o755)
        after = row_of(store, "a")
        assert store.revisions("a") == []
        assert after.sequence == after.counter == store.settings.config().clock == before.sequence + 1
        assert after.mode == stat.S_IFREG | 0o755
        assert after.dirty
        assert (after.content, after.size, after.url_token) == (before.content, before.size, before.url_token)

    def test_a_time_that_is_given_makes_a_version_but_no_revision(self, store: Store, clock: Clock) -> None:
        node = save(store, "a", b"one")
        before = row_of(store, "a")
        store.tree.set_times(node, 5 * SECOND, 6 * SECOND, clock())
        after = row_of(store, "a")
        assert (after.mod_time, after.atime) == (5 * SECOND, 6 * SECOND)
        assert after.entry == before.entry._replace(
            timestamp=before.timestamp + 1, counter=after.counter, mod_time=5 * SECOND
        )
        assert after.dirty
        assert store.revisions("a") == []

    @pytest.mark.parametrize("mtime", [None, 5 * SECOND])
    def test_a_time_of_access_and_a_time_that_it_has_already_are_no_version(
        self, store: Store, clock: Clock, mtime: int | None
    ) -> None:
        node = save(store, "a", b"one")
        store.tree.set_times(node, 5 * SECOND, None, clock())
        before = row_of(store, "a")
        store.tree.set_times(node, mtime, 6 * SECOND, clock())
        after = row_of(store, "a")
        assert after.entry == before.entry
        assert (after.sequence, after.mod_time, after.atime) == (before.sequence, 5 * SECOND, 6 * SECOND)

    def test_a_new_value_has_the_time_of_its_save(self, store: Store, clock: Clock) -> None:
        node = save(store, "a", b"one")
        store.tree.set_times(node, 5 * SECOND, None, clock())
        assert put(store, "a").mod_time is None
        (revision,) = store.revisions("a")
        assert revision.entry.mod_time == 5 * SECOND

    def test_of_another_key_are_not_touched_by_retention(self, store: Store) -> None:
        for key in ("a", "a/", "A", "a\u0301"):
            for number in range(3):
                put(store, key, b"%d" % number)
        assert all(len(store.revisions(key)) == 2 for key in ("a", "a/", "A", "a\u0301"))


class TestAmending:
    """A version that completes the one before, as when a file is saved twice while it is open."""

    def test_leaves_no_revision(self, store: Store) -> None:
        first = put(store, "a", b"half")
        put(store, "a", b"whole", amends=first.sequence)
        assert store.revisions("a") == []
        assert count(store, "contents") == 1

    def test_keeps_that_before_when_it_was_replaced_meanwhile(self, store: Store) -> None:
        first = put(store, "a", b"mine")
        put(store, "a", b"theirs")
        put(store, "a", b"mine again", amends=first.sequence)
        assert revision_values(store, "a") == [b"theirs", b"mine"]

    def test_keeps_that_before_when_another_device_has_it(self, store: Store) -> None:
        first = put(store, "a", b"half")
        hand_out(store, "a")
        put(store, "a", b"whole", amends=first.sequence)
        assert revision_values(store, "a") == [b"half"]

    def test_keeps_that_before_when_it_was_deleted_meanwhile(self, store: Store) -> None:
        first = put(store, "a", b"mine")
        store.delete("a")
        put(store, "a", b"mine again", amends=first.sequence)
        assert revision_values(store, "a") == [b"mine"]

    def test_keeps_the_revisions_of_earlier_versions(self, store: Store) -> None:
        put(store, "a", b"before")
        first = put(store, "a", b"half")
        put(store, "a", b"whole", amends=first.sequence)
        assert revision_values(store, "a") == [b"before"]

    def test_of_a_long_value_frees_its_blocks(self, store: Store) -> None:
        node = save(store, "a", bytes(100_000))
        save(store, "a", b"x" * 100_000, amends=node.sequence)
        audit_clean(store)
        assert count(store, "blocks") == 1


class TestTransient:
    """What comes and goes in the mount within a moment leaves no trace; what stood for longer does."""

    def test_a_key_that_came_a_moment_ago_goes_without_a_trace(self, store: Store, clock: Clock) -> None:
        clock.step = 0
        store.tree.unlink(save(store, "tmp", b"v"), is_scratch=is_scratch)
        assert count(store, "entries") == count(store, "revisions") == count(store, "contents") == 0

    def test_so_does_one_that_was_saved_several_times(self, store: Store, clock: Clock) -> None:
        clock.step = 0
        for value in (b"one", b"two", b"three"):
            save(store, "tmp", value)
        store.tree.unlink(save(store, "tmp", b"four"), is_scratch=is_scratch)
        assert count(store, "entries") == count(store, "revisions") == count(store, "contents") == 0

    def test_one_that_stood_longer_leaves_a_tombstone_and_a_revision(self, store: Store, clock: Clock) -> None:
        clock.step = 0
        node = save(store, "a", b"v")
        clock.advance(TRANSIENT_TIME * 1000)
        store.tree.unlink(node, is_scratch=is_scratch)
        assert not row_of(store, "a").live
        assert revision_values(store, "a") == [b"v"]

    def test_one_that_another_device_has_leaves_a_tombstone_and_a_revision(self, store: Store) -> None:
        node = save(store, "a", b"v")
        hand_out(store, "a")
        store.tree.unlink(node, is_scratch=is_scratch)
        assert not row_of(store, "a").live
        assert row_of(store, "a").dirty
        assert revision_values(store, "a") == [b"v"]

    def test_one_that_stood_longer_counts_from_when_it_came_and_not_from_its_last_save(
        self, store: Store, clock: Clock
    ) -> None:
        save(store, "a", b"old")
        clock.advance(DAY)
        store.tree.unlink(save(store, "a", b"new"), is_scratch=is_scratch)
        assert revision_values(store, "a") == [b"new", b"old"]

    def test_the_revisions_of_its_life_before_stay(self, store: Store, clock: Clock) -> None:
        save(store, "a", b"old")
        clock.advance(DAY)
        store.delete("a")
        clock.advance(DAY)
        save(store, "a", b"tmp")
        store.tree.unlink(save(store, "a", b"tmp too"), is_scratch=is_scratch)
        assert revision_values(store, "a") == [b"old"]

    @pytest.mark.parametrize("days", [1, 400])
    def test_a_clock_that_is_set_back_makes_nothing_transient(self, store: Store, clock: Clock, days: int) -> None:
        """A device that started with a clock ahead, set right since: what was saved stood for long."""
        node = save(store, "a", b"v")
        clock.advance(-days * DAY)
        store.tree.unlink(node, is_scratch=is_scratch)
        assert revision_values(store, "a") == [b"v"]

    def test_the_command_line_deletes_nothing_without_a_trace(self, store: Store) -> None:
        store.set("a", b"v")
        store.delete("a")
        assert not row_of(store, "a").live
        assert revision_values(store, "a") == [b"v"]


class TestWhatStoodIsNeverTransient:
    """A value that was there for long does not become transient by being moved."""

    @pytest.fixture
    def old(self, store: Store, clock: Clock) -> Store:
        for key in ("a", "b", "d/a"):
            save(store, key, b"value of " + key.encode())
        clock.advance(DAY)
        return store

    def everything(self, store: Store) -> set[bytes]:
        keys = rows(store, "SELECT key FROM entries UNION SELECT key FROM revisions")
        values = {value for key in keys for value in revision_values(store, key)}
        return values | {read(store, store.tree.file(key)) for key in keys if store.tree.file(key)}

    def test_by_the_rename_of_a_file(self, old: Store) -> None:
        old.tree.unlink(old.tree.rename(_file(old, "a"), "new", is_scratch=is_scratch), is_scratch=is_scratch)
        assert b"value of a" in self.everything(old)

    def test_by_the_rename_of_its_directory(self, old: Store) -> None:
        old.tree.rename_directory("d/", "e/", is_scratch=lambda _: False)
        old.tree.unlink(_file(old, "e/a"), is_scratch=is_scratch)
        assert b"value of d/a" in self.everything(old)

    def test_by_an_exchange(self, old: Store) -> None:
        old.tree.swap(_file(old, "a"), _file(old, "b"), is_scratch=lambda _: False)
        old.tree.unlink(_file(old, "a"), is_scratch=is_scratch)
        old.tree.unlink(_file(old, "b"), is_scratch=is_scratch)
        assert {b"value of a", b"value of b"} <= self.everything(old)

    def test_by_two_renames_in_a_row(self, old: Store) -> None:
        old.tree.rename_directory("d/", "e/", is_scratch=lambda _: False)
        old.tree.rename_directory("e/", "f/", is_scratch=lambda _: False)
        old.tree.unlink(old.tree.rename(_file(old, "f/a"), "g", is_scratch=is_scratch), is_scratch=is_scratch)
        assert b"value of d/a" in self.everything(old)


def _file(store: Store, key: str) -> Node:
    node = store.tree.file(key)
    assert node is not None
    return node
