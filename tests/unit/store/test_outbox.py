"""What passes between stores: pages of entries, acknowledgements, and merges of what comes."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import suppress

import pytest

from kvassfs.block import split_hashes
from kvassfs.entry import Delivery, Entry
from kvassfs.errors import StoreError
from kvassfs.store import Limit, Outgoing, Store
from kvassfs.store.settling import GATHERING_TIME
from kvassfs.store.sizes import KEPT_REVISIONS
from kvassfs.sync.entry_messages import estimate_size
from kvassfs.sync.limits import HUB_LIMITS
from tests.support.stores import (
    REGULAR,
    SECOND,
    YEAR_2024,
    Clock,
    count,
    is_scratch,
    read,
    revision_values,
    rows,
    save,
    sqlite_error,
    state,
)

OpenStore = Callable[[], Store]

LIMIT = Limit(HUB_LIMITS.page_bytes, HUB_LIMITS.whole_bytes, estimate_size)

SMALL = Limit(HUB_LIMITS.page_bytes, 100, estimate_size)
"""For blocks of 64 bytes: what is longer than this goes in blocks."""

NOW = YEAR_2024 // 1000

LATER = 10**12
"""Microseconds after all that is written by the tests themselves."""


def made(
    key: str,
    value: bytes = b"value",
    *,
    time: int = LATER,
    counter: int = 1,
    writer: int = 1,
    token: str | None = None,
    mode: int | None = None,
    sequence: int | None = None,
) -> Delivery:
    token = f"{key}-{writer}-{counter}" if token is None else token
    entry = Entry(key, NOW + time, counter, writer, token, len(value), mode)
    return Delivery(entry, counter if sequence is None else sequence, value)


def in_blocks(key: str, value: bytes, *, time: int = LATER, counter: int = 1) -> Delivery:
    names = (hashlib.sha256(value[at : at + 64]).digest() for at in range(0, len(value), 64))
    return made(key, value, time=time, counter=counter)._replace(value=None, blocks=b"".join(names))


def blocks_of(value: bytes) -> list[bytes]:
    return [value[at : at + 64] for at in range(0, len(value), 64)]


def keys(outgoing: list[Outgoing]) -> list[str]:
    return [out.delivery.entry.key for out in outgoing]


def sequence(store: Store, key: str) -> int:
    row = store._entries.current(key)
    assert row is not None
    return row.sequence


def acknowledge_all(store: Store) -> None:
    epoch = store.peers.hub().epoch
    store.outbox.acknowledge([out.delivery.entry for out in store.outbox.read_dirty(LIMIT)], epoch=epoch)


class TestWaiting:
    """What the hub has not acknowledged waits."""

    def test_every_kind_of_write_does(self, store: Store, clock: Clock) -> None:
        store.set("a", b"abc")
        store.set("gone", b"x")
        store.delete("gone")
        save(store, "d/b", b"12345")
        assert store.outbox.count_dirty() == (3, 8)
        assert store.outbox.has_ready()

    def test_nothing_does_at_first_nor_once_it_is_acknowledged(self, store: Store) -> None:
        assert store.outbox.count_dirty() == (0, 0)
        assert not store.outbox.has_ready()
        store.set("a", b"x")
        acknowledge_all(store)
        assert store.outbox.count_dirty() == (0, 0)
        assert not store.outbox.has_ready()

    def test_a_save_over_what_others_have_may_be_waited_for(self, store: Store) -> None:
        store.set("a", b"x")
        assert not store.outbox.has_save()  # it is new
        store.outbox.mark_as_sent(store.outbox.read_dirty(LIMIT))
        acknowledge_all(store)
        assert not store.outbox.has_save()
        store.set_empty("a")
        assert not store.outbox.has_save()  # a program may go on with it
        store.set("a", b"y")
        assert store.outbox.has_save()
        node = store.tree.file("a")
        assert node is not None
        store.tree.set_mode(node, 0o100600)
        assert not store.outbox.has_save()
        store.set("a", b"z")
        store.delete("a")
        assert not store.outbox.has_save()

    def test_what_was_replaced_before_it_is_acknowledged_still_does(self, store: Store) -> None:
        old = store.set("a", b"x")
        store.set("a", b"x")
        store.outbox.acknowledge([old], epoch=1)
        assert store.outbox.count_dirty()[0] == 1

    def test_a_change_of_mode_before_it_is_acknowledged_still_does(self, store: Store, clock: Clock) -> None:
        node = save(store, "a", b"x")
        clock.advance(SECOND)
        (out,) = store.outbox.read_dirty(LIMIT)
        store.tree.set_mode(node, 0o100755)
        store.outbox.acknowledge([out.delivery.entry], epoch=1)
        assert store.outbox.count_dirty()[0] == 1

    def test_what_an_earlier_hub_acknowledged_still_does(self, store: Store) -> None:
        entry = store.set("a", b"x")
        store.settings.set_remote("other")
        store.outbox.acknowledge([entry], epoch=1)
        assert store.outbox.count_dirty()[0] == 1

    def test_what_was_never_here_is_acknowledged_for_nothing(self, store: Store) -> None:
        store.outbox.acknowledge([made("a").entry], epoch=1)
        assert count(store, "entries") == 0

    def test_pages_of_it_go_in_order_of_writing_and_leave_out_what_they_are_told_to(self, store: Store) -> None:
        for key in "cab":
            store.set(key, bytes(300))
        assert keys(store.outbox.read_dirty(LIMIT)) == ["c", "a", "b"]
        assert keys(store.outbox.read_dirty(LIMIT, without=["a"])) == ["c", "b"]
        first = store.outbox.read_dirty(LIMIT)[0].delivery.sequence
        assert keys(store.outbox.read_dirty(LIMIT, after=first)) == ["a", "b"]
        assert keys(store.outbox.read_dirty(LIMIT._replace(page=1300))) == ["c", "a"]
        assert keys(store.outbox.read_dirty(LIMIT._replace(page=1))) == ["c"]

    @pytest.mark.usefixtures("small")
    @pytest.mark.parametrize(("size", "whole"), [(5, True), (16, True), (17, True), (100, True), (101, False)])
    def test_a_value_goes_whole_up_to_a_limit(self, store: Store, size: int, whole: bool) -> None:
        store.set("a", bytes(range(size)))
        (out,) = store.outbox.read_dirty(SMALL)
        assert out.delivery.value == (bytes(range(size)) if whole else None)
        assert len(split_hashes(out.delivery.blocks)) == (0 if whole else 2)
        assert b"".join(store.outbox.pieces(out)) == bytes(range(size))


class TestHandingOut:
    """Pages of what there is, for a device that says from where on."""

    def test_a_page_is_all_up_to_its_cursor(self, store: Store) -> None:
        for number in range(5):
            store.set(f"k{number}", bytes(300))
        page = store.outbox.read_since(2, 0, LIMIT._replace(page=1300))
        assert keys(page.outgoing) == ["k1", "k2"]
        assert (page.cursor, page.more, page.clock) == (3, True, 5)
        page = store.outbox.read_since(4, 0, LIMIT)
        assert keys(page.outgoing) == ["k3", "k4"]
        assert (page.cursor, page.more) == (5, False)

    def test_the_cursor_of_the_last_page_is_the_clock(self, store: Store) -> None:
        """Also where the last entries are the asker's own, so that it does not ask for them again and again."""
        store.set("a", b"x")
        mine = store.settings.config().process_id
        page = store.outbox.read_since(0, mine, LIMIT)
        assert (page.outgoing, page.cursor, page.more) == ([], 1, False)

    def test_a_page_is_of_one_moment(self, store: Store, open_store: OpenStore) -> None:
        for number in range(3):
            store.set(f"k{number}", b"x")
        other = open_store()
        sizes = iter(range(3))

        def size_of(_: Delivery) -> int:
            other.set(f"k{next(sizes)}", b"later")
            return 1

        page = store.outbox.read_since(0, 0, Limit(1000, 1000, size_of))
        assert [out.delivery.value for out in page.outgoing] == [b"x"] * 3
        assert page.clock == 3

    def test_what_goes_wrong_in_the_middle_leaves_the_store_usable(self, store: Store) -> None:
        store.set("a", b"x")

        def size_of(_: Delivery) -> int:
            raise sqlite_error(sqlite3.SQLITE_IOERR)

        with pytest.raises(sqlite3.OperationalError):
            store.outbox.read_since(0, 0, Limit(1000, 1000, size_of))
        assert not store._database.connection.in_transaction
        store.set("b", b"x")

    def test_what_was_handed_out_leaves_a_trace_when_it_goes(self, store: Store, clock: Clock) -> None:
        for key in ("known", "unknown"):
            save(store, key, b"x")
        clock.advance(GATHERING_TIME)
        store.outbox.mark_as_sent([out for out in store.outbox.read_dirty(LIMIT) if out.delivery.entry.key == "known"])
        for key in ("known", "unknown"):
            node = store.tree.file(key)
            assert node is not None
            store.tree.unlink(node, is_scratch=is_scratch)
        assert rows(store, "SELECT key FROM entries") == ["known"]

    @pytest.mark.usefixtures("small")
    def test_the_version_that_was_read_is_what_comes_in_pieces(self, store: Store) -> None:
        store.set("a", bytes(range(200)))
        (out,) = store.outbox.read_dirty(SMALL)
        pieces = store.outbox.pieces(out)
        first = next(pieces)
        store.set("a", b"other")
        assert first + b"".join(pieces) == bytes(range(200))
        assert count(store, "pins") == 0


class TestMergingAtTheHub:
    """Entries that devices push."""

    def test_what_changed_is_counted(self, store: Store) -> None:
        assert store.inbox.merge_pushed([made("a"), made("b", counter=2)]).changed == 2
        assert store.inbox.merge_pushed([made("a"), made("b", b"new", counter=3)]).changed == 1

    def test_every_entry_gets_a_sequence_of_its_own(self, store: Store) -> None:
        store.inbox.merge_pushed([made("a", counter=5), made("b", counter=5, writer=2), made("c", counter=1)])
        assert [sequence(store, key) for key in "abc"] == [6, 7, 8]
        assert store.settings.config().clock == 8

    def test_many_of_one_key_leave_the_greatest_and_revisions(self, store: Store) -> None:
        versions = [made("a", b"%d" % number, time=number, counter=number + 1) for number in range(5)]
        for version in (versions[2], versions[4], versions[0], versions[3], versions[1]):
            store.inbox.merge_pushed([version])
        assert store.get("a").read() == b"4"
        assert sorted(revision_values(store, "a")) == [b"0", b"1", b"2", b"3"]

    def test_losers_are_kept_as_far_as_revisions_are(self, store: Store) -> None:
        store.inbox.merge_pushed([made("a", b"winner")])
        for number in range(KEPT_REVISIONS + 5):
            store.inbox.merge_pushed([made("a", b"%d" % number, time=number, counter=number + 1, writer=2)])
        assert len(revision_values(store, "a")) == KEPT_REVISIONS

    def test_an_empty_loser_leaves_nothing(self, store: Store) -> None:
        store.inbox.merge_pushed([made("a", b"winner")])
        store.inbox.merge_pushed([made("a", b"", time=1, writer=2), made("a", b"", time=2, writer=2, mode=REGULAR)])
        assert revision_values(store, "a") == []

    def test_one_that_lost_here_is_told_so_with_a_new_sequence(self, store: Store) -> None:
        store.inbox.merge_pushed([made("a", b"winner")])
        before = sequence(store, "a")
        assert store.inbox.merge_pushed([made("a", b"loser", time=1, writer=2)]).changed == 0
        assert sequence(store, "a") == store.settings.config().clock > before

    @pytest.mark.parametrize(("remote", "waiting"), [("", 0), ("hub.example", 1)])
    def test_it_waits_only_where_this_store_has_a_hub_itself(self, store: Store, remote: str, waiting: int) -> None:
        store.settings.set_remote(remote)
        store.inbox.merge_pushed([made("a")])
        assert store.outbox.count_dirty()[0] == waiting


class TestMergingFromTheHub:
    """Entries that were pulled."""

    def merge(self, store: Store, *deliveries: Delivery, cursor: int | None = None, epoch: int = 1) -> int:
        return store.inbox.merge_pulled(deliveries, cursor=cursor, epoch=epoch).changed

    def test_they_are_acknowledged_already(self, store: Store) -> None:
        assert self.merge(store, made("a"), cursor=9) == 1
        assert store.outbox.count_dirty()[0] == 0
        assert store.peers.hub().cursor == 9

    def test_the_cursor_never_goes_back(self, store: Store) -> None:
        self.merge(store, cursor=9)
        self.merge(store, cursor=5)
        self.merge(store, made("a"), cursor=None)
        assert store.peers.hub().cursor == 9

    def test_those_of_an_earlier_hub_are_merged_and_wait_for_the_new_one(self, store: Store) -> None:
        store.settings.set_remote("other")
        assert self.merge(store, made("a"), cursor=9, epoch=1) == 1
        assert store.outbox.count_dirty()[0] == 1
        assert store.peers.hub().cursor == 0

    def test_what_wins_here_still_waits(self, store: Store) -> None:
        store.set("a", b"mine")
        self.merge(store, made("a", time=-LATER), cursor=9)
        assert store.get("a").read() == b"mine"
        assert store.outbox.count_dirty()[0] == 1

    def test_of_our_own_that_come_back_only_that_others_know_them_is_new(self, store: Store) -> None:
        entry = store.set("a", b"x")
        ((*row, floor),) = state(store)["entries"]
        assert floor is None
        self.merge(store, Delivery(entry, 1, b"x"), cursor=9)
        assert state(store)["entries"] == [(*row, entry.timestamp)]

    def test_the_clock_is_ahead_of_every_sequence_that_came(self, store: Store) -> None:
        self.merge(store, made("a", sequence=500, counter=3))
        assert store.settings.config().clock == 501
        self.merge(store, made("a", sequence=900, counter=3))
        assert store.set("b", b"x").counter > 900

    def test_a_local_write_goes_on_from_the_time_of_what_came(self, store: Store) -> None:
        self.merge(store, made("a", time=LATER))
        assert store.set("a", b"x").timestamp == NOW + LATER + 1


class TestFiles:
    """What a mount shows of entries that come."""

    def test_a_file_appears_in_directories_that_were_not_there(self, store: Store) -> None:
        store.inbox.merge_pushed([made("d/e/f", b"x", mode=0o100755)])
        node = store.tree.file("d/e/f")
        assert node is not None
        assert node.mode == 0o100755
        assert read(store, node) == b"x"
        assert [child.component for child in store.tree.children("d/")] == ["e"]

    def test_a_directory_changes_when_a_name_comes_or_goes_and_not_when_a_value_does(
        self, store: Store, clock: Clock
    ) -> None:
        store.tree.directories.make("d/", 0o40700, is_scratch=is_scratch)

        def changed() -> int:
            (mtime,) = rows(store, "SELECT mtime FROM directories WHERE prefix = 'd/'")
            clock.advance(SECOND)
            return int(mtime)

        times = [changed()]
        for number, value in enumerate([b"new", b"other value", b"", b"again"], 2):
            store.inbox.merge_pushed([made("d/f", value, counter=number)])
            times.append(changed())
        assert times[0] < times[1] == times[2] < times[3] < times[4]

    def test_a_directory_that_loses_its_last_file_stays(self, store: Store) -> None:
        store.inbox.merge_pushed([made("d/f", mode=REGULAR)])
        store.tree.directories.make("d/e/", 0o40700, is_scratch=is_scratch)
        store.inbox.merge_pushed([made("d/f", b"", counter=2)])
        assert store.tree.directory("d/") is not None

    def test_a_scratch_file_of_the_name_makes_way_for_a_file_and_not_for_a_removal(self, store: Store) -> None:
        save(store, "a", b"scratch", scratch=True)
        store.inbox.merge_pushed([made("a", b"", counter=2, time=1)])
        assert count(store, "scratch") == 1
        store.inbox.merge_pushed([made("a", b"x", counter=3)])
        assert count(store, "scratch") == 0

    def test_an_open_file_reads_on_what_it_was_opened_with(self, store: Store) -> None:
        save(store, "a", b"before")
        opened = store.tree.open("a")[1]
        store.inbox.merge_pushed([made("a", b"after", counter=2)])
        assert opened.read(0, 100) == b"before"
        opened.close()

    def test_a_file_keeps_its_birth_when_another_version_comes(self, store: Store, clock: Clock) -> None:
        store.inbox.merge_pushed([made("a")])
        (born,) = rows(store, "SELECT born FROM entries")
        clock.advance(SECOND)
        store.inbox.merge_pushed([made("a", b"new", counter=2)])
        assert rows(store, "SELECT born FROM entries") == [born]

    def test_a_change_of_mode_alone_keeps_the_value_where_it_is(self, store: Store) -> None:
        store.inbox.merge_pushed([made("a", token="t")])
        before = rows(store, "SELECT content FROM entries")
        store.inbox.merge_pushed([made("a", token="t", counter=2, mode=0o100755)])
        assert rows(store, "SELECT content FROM entries") == before
        assert revision_values(store, "a") == []
        assert store.get("a").read() == b"value"


@pytest.mark.usefixtures("small")
class TestBlocks:
    """Entries whose values come in blocks."""

    VALUE = bytes(range(250))

    def test_what_is_missing_is_named_and_the_rest_is_merged(self, store: Store) -> None:
        large = in_blocks("large", self.VALUE)
        merged = store.inbox.merge_pushed([large, made("a")])
        assert (merged.changed, merged.missing) == (1, split_hashes(large.blocks))
        assert list(store.keys()) == ["a"]

    def test_the_cursor_waits_for_them(self, store: Store) -> None:
        large = in_blocks("large", self.VALUE)
        assert store.inbox.merge_pulled([large], cursor=9, epoch=1).missing
        assert store.peers.hub().cursor == 0
        store.blocks.put(blocks_of(self.VALUE))
        assert not store.inbox.merge_pulled([large], cursor=9, epoch=1).missing
        assert store.peers.hub().cursor == 9
        assert store.get("large").read() == self.VALUE

    def test_they_are_asked_for_only_where_they_are_needed(self, store: Store) -> None:
        large = in_blocks("large", self.VALUE)
        assert store.inbox.find_missing([large, large, made("a")]) == split_hashes(large.blocks)
        store.blocks.put(blocks_of(self.VALUE)[:3])
        assert store.inbox.find_missing([large]) == split_hashes(large.blocks)[3:]

    def test_they_are_not_asked_for_where_the_entry_loses_or_is_here(self, store: Store) -> None:
        large = in_blocks("large", self.VALUE)
        store.inbox.merge_pushed([made("large", b"winner", time=LATER + 1)])
        assert store.inbox.find_missing([large]) == []

    def test_they_are_not_asked_for_where_the_mode_alone_changes(self, store: Store) -> None:
        large = in_blocks("large", self.VALUE)
        store.blocks.put(blocks_of(self.VALUE))
        store.inbox.merge_pushed([large])
        changed = large._replace(entry=large.entry._replace(mode=0o100755, counter=7), blocks=bytes(4 * 32))
        assert store.inbox.find_missing([changed]) == []
        assert store.inbox.merge_pushed([changed]).changed == 1
        assert store.get("large").read() == self.VALUE

    def test_a_loser_is_kept_where_its_blocks_are_here_and_left_where_not(self, store: Store) -> None:
        large = in_blocks("large", self.VALUE, time=1)
        store.inbox.merge_pushed([made("large", b"winner")])
        assert store.inbox.merge_pushed([large]).missing == []
        assert revision_values(store, "large") == []
        store.blocks.put(blocks_of(self.VALUE))
        for _ in range(2):
            store.inbox.merge_pushed([large])
        assert revision_values(store, "large") == [self.VALUE]

    def test_a_value_that_comes_whole_is_stored_in_blocks_where_it_is_long(self, store: Store) -> None:
        store.inbox.merge_pushed([made("a", self.VALUE)])
        assert store.get("a").read() == self.VALUE
        assert count(store, "blocks") == 4

    def test_a_new_version_shares_segments_with_the_one_before(self, store: Store) -> None:
        old, new = bytes(range(256)) * 2, bytes(range(256)) * 2 + b"more"
        for number, value in enumerate([old, new], 1):
            store.blocks.put(blocks_of(value))
            store.inbox.merge_pushed([in_blocks("large", value, counter=number)])
        assert store.get("large").read() == new
        assert revision_values(store, "large") == [old]
        assert count(store, "segment_blocks") == 9


def test_a_merge_that_fails_in_the_middle_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.set("a", b"x")
    before = state(store)

    def fail(*_: object, **__: object) -> None:
        raise StoreError(store.path, "injected")

    monkeypatch.setattr(store._entries._directories, "touch", fail)
    with suppress(StoreError):
        store.inbox.merge_pushed([made("a", b"new"), made("d/b", counter=2)])
    assert state(store) == before
