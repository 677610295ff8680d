"""Exchanges with a hub: in which order things move, what is sent and what is not, and what is told of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from kvassfs.errors import HubFailed, HubUnreachable, NotAHub, SyncError
from kvassfs.store import Limit, Store, Upload, settling
from kvassfs.sync import block_messages, messages
from kvassfs.sync.entry_messages import estimate_size
from kvassfs.sync.pusher import LEASE_PATIENCE
from kvassfs.sync.seal import Seal
from tests.support.replicas import KEY, SMALL_LIMITS, versions
from tests.support.stores import DAY, SECOND, count, is_scratch, revision_values, save
from tests.support.sync_rig import (
    BLOCKS,
    Message,
    Rig,
    ThreadedHub,
    arrives,
    is_answered,
    is_lost,
    is_unanswered,
    large,
    value,
    waits,
    while_under_way,
)


class TestOrder:
    """Which write wins, and that none is left behind."""

    def test_a_write_made_offline_is_pushed_after_later_changes_were_pulled(self, rig: Rig) -> None:
        rig.exchange(rig.a, rig.b)
        rig.a.store.set("offline", b"x")
        for number in range(20):
            rig.b.store.set(f"online {number}", b"y")
        rig.exchange(rig.b)
        rig.on(rig.a).pull()
        rig.on(rig.a).push()
        assert value(rig.home, "offline") == b"x"
        rig.exchange(rig.b)
        assert value(rig.b, "offline") == b"x"

    @pytest.mark.parametrize("days", [1, 1000])
    def test_a_write_made_after_seeing_another_wins_however_late_its_clock_is(self, rig: Rig, days: int) -> None:
        rig.a.store.set("k", b"first")
        rig.exchange(rig.a)
        rig.b.clock.advance(-days * DAY)
        rig.exchange(rig.b)
        rig.b.store.set("k", b"second")
        rig.exchange(rig.b, rig.a)
        assert [value(replica, "k") for replica in (rig.a, rig.b, rig.home)] == [b"second"] * 3
        assert revision_values(rig.a.store, "k") == [b"first"]

    def test_a_removal_after_seeing_a_value_wins_however_late_its_clock_is(self, rig: Rig) -> None:
        rig.a.store.set("k", b"first")
        rig.exchange(rig.a)
        rig.b.clock.advance(-DAY)
        rig.exchange(rig.b)
        rig.b.store.delete("k")
        rig.exchange(rig.b, rig.a)
        assert list(rig.a.store.keys()) == list(rig.home.store.keys()) == []

    def test_of_two_that_did_not_see_each_other_the_later_wins_everywhere(self, rig: Rig) -> None:
        rig.a.clock.advance(SECOND // 2)
        rig.a.store.set("k", b"later")
        rig.b.store.set("k", b"earlier")
        rig.exchange(rig.a, rig.b, rig.a)
        assert versions(rig.a.store) == versions(rig.b.store) == versions(rig.home.store)
        assert value(rig.b, "k") == b"later"
        assert revision_values(rig.b.store, "k") == [b"earlier"]

    def test_the_writer_of_a_push_that_lost_learns_of_the_winner(self, rig: Rig) -> None:
        """Though it had pulled already when the winner came to the hub."""
        rig.exchange(rig.b)
        rig.a.clock.advance(SECOND // 2)
        rig.a.store.set("k", b"later")
        rig.exchange(rig.a)
        rig.b.store.set("k", b"earlier")
        rig.on(rig.b).push()
        assert value(rig.b, "k") == b"earlier"
        rig.on(rig.b).pull()
        assert value(rig.b, "k") == b"later"

    def test_a_change_of_mode_alone_travels(self, rig: Rig) -> None:
        node = save(rig.a.store, "script", b"x")
        rig.a.clock.advance(SECOND)
        rig.exchange(rig.a, rig.b)
        rig.a.store.tree.set_mode(node, 0o100755)
        rig.exchange(rig.a, rig.b)
        assert versions(rig.b.store)["script"].mode == 0o100755
        assert revision_values(rig.b.store, "script") == []

    @pytest.mark.parametrize("scratch", [False, True])
    def test_a_time_that_a_file_was_given_travels_and_that_of_a_save_does_not(self, rig: Rig, scratch: bool) -> None:
        """As ``rsync`` gives it, to a file of another name that it renames."""
        node = save(rig.a.store, "photo~" if scratch else "photo", b"x", scratch=scratch)
        rig.a.store.tree.set_times(node, -5, None, rig.a.clock.now)
        if scratch:
            rig.a.store.tree.rename(node, "photo", is_scratch=is_scratch, thrown_away=False)
        rig.a.clock.advance(SECOND)
        rig.exchange(rig.a, rig.b)
        shown = rig.b.store.tree.file("photo")
        assert shown is not None
        assert shown.mtime == -5
        rig.b.clock.advance(SECOND)
        saved = save(rig.b.store, "photo", b"edited")
        rig.exchange(rig.b, rig.a)
        assert versions(rig.a.store)["photo"].mod_time is None
        shown = rig.a.store.tree.file("photo")
        assert shown is not None
        assert abs(shown.mtime - saved.mtime) < 1000

    def test_directories_travel(self, rig: Rig) -> None:
        for prefix, mode in (("d/", 0o40755), ("d/e/", 0o40700)):
            rig.a.store.tree.directories.make(prefix, mode, is_scratch=is_scratch)
        rig.a.store.tree.directories.set("d/", mtime=-5, is_scratch=is_scratch)
        rig.a.clock.advance(SECOND)
        rig.exchange(rig.a, rig.b)
        record = rig.b.store.tree.directory("d/")
        assert record is not None
        assert (record.mode, record.mtime) == (0o40755, -5)
        rig.b.store.tree.directories.remove("d/e/", is_scratch=is_scratch)
        rig.b.clock.advance(settling.SETTLING_TIME)
        rig.exchange(rig.b, rig.a)
        assert [name for name, *_ in rig.a.store.tree.children("d/")] == []
        rig.a.store.tree.directories.remove("d/", is_scratch=is_scratch)
        rig.a.clock.advance(settling.SETTLING_TIME)
        rig.exchange(rig.a, rig.b)
        assert rig.b.store.tree.directory("d/") is None

    def test_a_file_keeps_its_directory_that_was_removed_elsewhere_meanwhile(self, rig: Rig) -> None:
        rig.a.store.tree.directories.make("d/", 0o40755, is_scratch=is_scratch)
        rig.a.clock.advance(SECOND)
        rig.exchange(rig.a, rig.b)
        rig.a.store.tree.directories.remove("d/", is_scratch=is_scratch)
        save(rig.b.store, "d/k", b"x")
        for replica in (rig.a, rig.b):
            replica.clock.advance(settling.SETTLING_TIME)
        rig.exchange(rig.a, rig.b, rig.a)
        for replica in (rig.a, rig.b):
            record = replica.store.tree.directory("d/")
            assert record is not None
            assert record.mode == 0o40700
            assert value(replica, "d/k") == b"x"

    def test_the_time_of_a_directory_is_that_which_it_was_given_until_a_name_comes(self, rig: Rig) -> None:
        rig.a.store.tree.directories.make("d/", 0o40755, is_scratch=is_scratch)
        for name in ("d/k", "d/l"):
            save(rig.a.store, name, b"x")
        rig.a.store.tree.directories.set("d/", mtime=-5, is_scratch=is_scratch)
        rig.a.clock.advance(SECOND)
        rig.exchange(rig.a, rig.b)
        record = rig.b.store.tree.directory("d/")
        assert record is not None
        assert record.mtime == -5
        save(rig.a.store, "d/m", b"x")
        rig.a.clock.advance(SECOND)
        rig.exchange(rig.a, rig.b)
        record = rig.b.store.tree.directory("d/")
        assert record is not None
        assert record.mtime > 0
        rig.a.store.tree.directories.set("d/", mode=0o40700, is_scratch=is_scratch)
        rig.exchange(rig.a, rig.b)
        assert rig.b.store.tree.directory("d/") == record._replace(mode=0o40700)
        rig.a.store.tree.directories.set("d/", mtime=-5, is_scratch=is_scratch)
        rig.exchange(rig.a, rig.b)
        again = rig.b.store.tree.directory("d/")
        assert again is not None
        assert again.mtime == -5

    def test_directories_are_deleted_keys_to_an_original_client(self, rig: Rig) -> None:
        rig.a.store.tree.directories.make("d/", 0o40755, is_scratch=is_scratch)
        rig.a.clock.advance(SECOND)
        rig.exchange(rig.a)
        client = rig.original_client()
        client.pull()
        assert client.values() == {}
        assert client.entries["d/"].value == b""
        client.set("d/", b"value")
        client.push()
        rig.exchange(rig.a)
        assert value(rig.a, "d/") == b"value"
        assert rig.a.store.tree.directory("d/") is not None

    def test_a_removal_in_a_mount_waits_a_moment(self, rig: Rig) -> None:
        node = save(rig.a.store, "k", b"x")
        rig.a.clock.advance(SECOND)
        rig.exchange(rig.a)
        rig.a.store.tree.unlink(node, is_scratch=is_scratch)
        rig.exchange(rig.a)
        assert list(rig.home.store.keys()) == ["k"]
        rig.a.clock.advance(settling.SETTLING_TIME)
        rig.exchange(rig.a)
        assert list(rig.home.store.keys()) == []


@pytest.mark.usefixtures("small")
class TestBlocks:
    """Large values go in blocks, each one once, and only those that are new."""

    def test_an_upload_that_is_cut_goes_on_where_it_stopped(self, rig: Rig) -> None:
        rig.a.store.set("large", large())
        for fate in (is_lost, is_unanswered, is_unanswered, is_lost):
            rig.line.on("blocks", arrives, fate)
            with pytest.raises(HubUnreachable):
                rig.exchange(rig.a)
            assert waits(rig.a) == 1
            assert list(rig.home.store.keys()) == []
        rig.exchange(rig.a)
        assert value(rig.home, "large") == large()
        assert waits(rig.a) == 0

    def test_another_process_sees_how_far_an_upload_is(self, rig: Rig) -> None:
        seen: list[Upload | None] = []
        with Store.open(rig.a.path, clock=rig.a.clock, machine=rig.a.machine) as other:

            def look() -> None:
                rig.a.clock.advance(2 * SECOND)
                seen.append(other.processes.upload())

            rig.a.store.set("large", large())
            rig.line.on("blocks", *[while_under_way(look)] * 2)
            rig.exchange(rig.a)
            assert other.processes.upload() is None
        first, second = seen
        assert first is None
        assert second is not None
        assert second.sent > 0
        assert second.left < len(large())
        assert second.time >= 2_000_000

    def test_no_block_that_arrived_is_sent_again(self, rig: Rig) -> None:
        rig.a.store.set("large", large())
        lost: Counter[bytes] = Counter()
        for fate in (is_lost, is_unanswered, is_lost):
            rig.line.on("blocks", arrives, fate)
            with pytest.raises(HubUnreachable):
                rig.exchange(rig.a)
            if fate is is_lost:
                blocks = block_messages.decode_blocks_request(Seal(KEY).unseal(rig.line.messages[-1].body)).put
                lost.update(map(bytes, blocks))
        rig.exchange(rig.a)
        sent = rig.line.blocks("put") - lost
        assert len(sent) == BLOCKS
        assert set(sent.values()) == {1}

    def test_a_download_that_is_cut_goes_on_where_it_stopped(self, rig: Rig) -> None:
        rig.home.store.set("large", large())
        lost: Counter[bytes] = Counter()
        for fate in (is_lost, is_unanswered, is_lost):
            rig.line.on("blocks", arrives, fate)
            with pytest.raises(HubUnreachable):
                rig.exchange(rig.a)
            lost.update(block_messages.decode_blocks_request(Seal(KEY).unseal(rig.line.messages[-1].body)).get)
            assert list(rig.a.store.keys()) == []
        rig.exchange(rig.a)
        assert value(rig.a, "large") == large()
        asked = rig.line.blocks("get") - lost
        assert len(asked) == BLOCKS
        assert set(asked.values()) == {1}
        assert count(rig.a.store, "received") == 0

    def test_only_the_new_blocks_of_a_value_that_was_appended_to_are_sent(self, rig: Rig) -> None:
        rig.a.store.set("large", large())
        rig.exchange(rig.a, rig.b)
        rig.line.calls()
        rig.a.store.set("large", large() + b"and more")
        rig.exchange(rig.a, rig.b)
        assert dict(rig.line.blocks("put")) == {b"and more": 1}
        assert list(rig.line.blocks("get").values()) == [1]
        assert value(rig.b, "large") == large() + b"and more"

    def test_a_value_that_the_hub_has_under_another_key_is_not_sent_again(self, rig: Rig) -> None:
        rig.a.store.set("large", large())
        rig.exchange(rig.a, rig.b)
        rig.line.calls()
        rig.b.store.set("copy", large())
        rig.exchange(rig.b)
        assert rig.line.calls() == ["pull", "push"]
        assert value(rig.home, "copy") == large()

    def test_a_block_that_comes_many_times_in_a_value_is_sent_once(self, rig: Rig) -> None:
        rig.a.store.set("large", bytes(64 * 50))
        rig.exchange(rig.a, rig.b)
        assert dict(rig.line.blocks("put")) == {bytes(64): 1}
        assert list(rig.line.blocks("get").values()) == [1]

    def test_no_message_holds_more_blocks_than_may_be(self, rig: Rig) -> None:
        rig.a.store.set("large", large())
        rig.exchange(rig.a, rig.b)
        for message in rig.line.messages:
            if message.call == "blocks":
                request = block_messages.decode_blocks_request(Seal(KEY).unseal(message.body))
                assert 1 <= len(request.get) + len(request.put) <= SMALL_LIMITS.page_blocks

    def test_what_is_written_during_an_upload_goes_first(self, rig: Rig) -> None:
        rig.a.store.set("large", large())
        rig.line.on("blocks", while_under_way(lambda: rig.a.store.set("urgent", b"x")))
        rig.exchange(rig.a)
        assert rig.line.pushed_keys() == [["large"], ["urgent"], ["large"]]
        assert rig.line.calls()[:4] == ["pull", "push", "blocks", "push"]

    def test_a_value_that_is_replaced_during_its_upload_is_not_sent_to_its_end(self, rig: Rig) -> None:
        rig.a.store.set("large", large())
        rig.line.on("blocks", while_under_way(lambda: rig.a.store.set("large", b"short")))
        rig.exchange(rig.a)
        assert value(rig.home, "large") == b"short"
        assert waits(rig.a) == 0

    def test_a_hub_that_forgets_what_is_sent_to_it_is_an_error(self, rig: Rig) -> None:
        def is_forgotten(message: Message) -> bytes:
            return Seal(KEY).seal_joined(
                block_messages.encode_blocks_response(messages.compute_digest(message.body), [])
            )

        rig.a.store.set("large", large(192))
        rig.line.on("blocks", *[is_forgotten] * 100)
        with pytest.raises(HubFailed, match="does not keep"):
            rig.exchange(rig.a)
        assert waits(rig.a) == 1

    def test_a_hub_that_lacks_blocks_of_its_own_is_an_error(self, rig: Rig) -> None:
        def is_missing(message: Message) -> bytes:
            wanted = block_messages.decode_blocks_request(Seal(KEY).unseal(message.body)).get
            return Seal(KEY).seal_joined(
                block_messages.encode_blocks_response(messages.compute_digest(message.body), [None] * len(wanted))
            )

        rig.home.store.set("large", large(192))
        rig.line.on("blocks", *[is_missing] * 100)
        with pytest.raises(HubFailed, match="missing"):
            rig.exchange(rig.a)
        assert list(rig.a.store.keys()) == []
        rig.line.on("blocks")
        rig.exchange(rig.a)
        assert value(rig.a, "large") == large(192)

    def test_an_answer_with_other_blocks_than_asked_for_stores_none_under_a_wrong_hash(self, rig: Rig) -> None:
        def is_damaged(message: Message) -> bytes:
            wanted = block_messages.decode_blocks_request(Seal(KEY).unseal(message.body)).get
            return Seal(KEY).seal_joined(
                block_messages.encode_blocks_response(messages.compute_digest(message.body), [b"?" * 64] * len(wanted))
            )

        rig.home.store.set("large", large(192))
        rig.line.on("blocks", is_damaged, is_damaged)
        rig.exchange(rig.a)
        assert value(rig.a, "large") == large(192)

    def test_blocks_move_to_and_from_a_hub_that_names_requests_by_their_digests(self, rig: Rig) -> None:
        """One of version 2: it does not look at what the device says that it knows."""

        def is_named_by_digest(message: Message) -> bytes:
            body = message.deliver()
            _, found = block_messages.decode_blocks_response(Seal(KEY).unseal(body))
            name = messages.compute_digest(message.body)
            return Seal(KEY).seal_joined(block_messages.encode_blocks_response(name, found))

        rig.a.store.set("large", large())
        rig.line.on("blocks", *[is_named_by_digest] * 100)
        rig.exchange(rig.a)
        assert value(rig.home, "large") == large()
        rig.home.store.set("another", large(192))
        rig.exchange(rig.a)
        assert value(rig.a, "another") == large(192)

    @pytest.mark.parametrize("name", ["another", "", "0" * 56, "0" * 64])
    def test_an_answer_about_blocks_to_another_request_is_refused(self, rig: Rig, name: str) -> None:
        rig.a.store.set("large", large())
        rig.line.on("blocks", is_answered(Seal(KEY).seal_joined(block_messages.encode_blocks_response(name, []))))
        with pytest.raises(NotAHub):
            rig.exchange(rig.a)

    def test_all_pages_are_pulled_and_pushed(self, rig: Rig) -> None:
        for number in range(20):
            rig.a.store.set(f"k{number}", bytes(90))
        rig.exchange(rig.a, rig.b)
        calls = rig.line.calls()
        assert calls.count("push") > 3
        assert calls.count("pull") > 4
        assert versions(rig.a.store) == versions(rig.b.store) == versions(rig.home.store)

    def test_asking_for_a_page_ahead_pulls_the_same(self, rig: Rig) -> None:
        for number in range(20):
            rig.home.store.set(f"k{number}", bytes(90))
            if number % 5 == 0:
                rig.home.store.set(f"large {number}", large() + bytes([number]))
        rig.on(rig.b).pull()
        before = len(rig.line.calls())
        rig.line.hub = ThreadedHub(rig.home, rig.limits)
        rig.on(rig.a, ahead=True).pull()
        assert len(rig.line.calls()) == before
        assert versions(rig.a.store) == versions(rig.b.store) == versions(rig.home.store)

    def test_pushing_while_the_hub_works_moves_the_same_with_one_call_at_a_time(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(20):
            rig.a.store.set(f"k{number}", bytes(90))
            if number % 5 == 0:
                rig.a.store.set(f"large {number}", rig.random.randbytes(len(large())))
        hub = ThreadedHub(rig.home, rig.limits)
        answer, calling = hub.answer, threading.Lock()

        def answer_alone(call: str, body: bytes, *, patient: bool = False) -> bytes | None:
            assert calling.acquire(blocking=False)
            try:
                return answer(call, body, patient=patient)
            finally:
                calling.release()

        monkeypatch.setattr(hub, "answer", answer_alone)
        rig.line.hub = hub
        rig.on(rig.a, ahead=True).exchange()
        assert waits(rig.a) == 0
        assert set(rig.line.blocks("put").values()) == {1}
        assert rig.line.calls().count("push") > 3
        assert versions(rig.a.store) == versions(rig.home.store)

    def test_what_has_arrived_is_acknowledged_where_the_next_page_is_lost(self, rig: Rig) -> None:
        for number in range(20):
            rig.a.store.set(f"k{number}", bytes(90))
        rig.line.hub = ThreadedHub(rig.home, rig.limits)
        rig.line.on("push", arrives, arrives, is_lost)
        with pytest.raises(HubUnreachable):
            rig.on(rig.a, ahead=True).exchange()
        assert 0 < waits(rig.a) == 20 - count(rig.home.store, "entries") < 20
        rig.on(rig.a, ahead=True).push()
        assert waits(rig.a) == 0

    def test_pulling_goes_on_where_it_was_cut(self, rig: Rig) -> None:
        for number in range(20):
            rig.home.store.set(f"k{number}", bytes(90))
        rig.line.on("pull", arrives, arrives, is_lost)
        with pytest.raises(HubUnreachable):
            rig.on(rig.a).pull()
        pulled = count(rig.a.store, "entries")
        assert 0 < pulled < 20
        assert rig.on(rig.a).pull() == 20 - pulled


class TestTwoProcesses:
    """Two processes of one device don't push the same."""

    @pytest.fixture
    def other(self, rig: Rig) -> Iterator[Store]:
        """The device's store as another process has it, which pushes just now."""
        rig.exchange(rig.a)
        rig.a.store.set("a", b"x")
        with Store.open(rig.a.path, clock=rig.a.clock, machine=rig.a.machine) as store:
            assert store.processes.begin_push()
            yield store
            store.processes.end_push()

    def test_a_push_is_left_to_another_one_that_takes_long(self, rig: Rig, other: Store) -> None:
        rig.line.calls()
        assert rig.on(rig.a).push() == 0
        assert rig.line.calls() == []
        assert rig.slept == pytest.approx(LEASE_PATIENCE, abs=0.1)
        assert waits(rig.a) == 1

    def test_it_goes_on_when_the_other_one_ends_without_having_pushed(self, rig: Rig, other: Store) -> None:
        rig.during_sleep = other.processes.end_push
        assert rig.on(rig.a).push() == 1
        assert waits(rig.a) == 0

    def test_it_is_done_when_the_other_one_has_pushed_it_all(self, rig: Rig, other: Store) -> None:
        def push() -> None:
            found = other.outbox.read_dirty(Limit(1000, 1000, estimate_size))
            other.outbox.acknowledge([out.delivery.entry for out in found], epoch=other.peers.hub().epoch)

        rig.during_sleep = push
        assert rig.on(rig.a).push() == 0
        assert rig.slept < 1
        assert waits(rig.a) == 0

    def test_a_push_that_fails_lets_others_push(self, rig: Rig, other: Store) -> None:
        other.processes.end_push()
        rig.line.on("push", is_lost)
        with pytest.raises(HubUnreachable):
            rig.on(rig.a).push()
        assert other.processes.begin_push()


class TestReports:
    """What an exchange tells of itself."""

    def test_it_counts_entries_and_bytes(self, rig: Rig) -> None:
        rig.home.store.set("there", b"y")
        rig.a.store.set("a", b"x")
        rig.a.store.set("b", b"x")
        moved = rig.on(rig.a).exchange()
        assert (moved.pulled, moved.pushed, moved.to_pull, moved.to_push) == (1, 2, 0, 0)
        assert moved.sent == sum(len(message.body) for message in rig.line.messages)
        assert moved.received > 0

    def test_a_second_one_moves_nothing(self, rig: Rig) -> None:
        rig.a.store.set("a", b"x")
        exchanges = rig.on(rig.a)
        exchanges.exchange()
        rig.line.calls()
        moved = exchanges.exchange()
        assert (moved.pulled, moved.pushed) == (0, 0)
        assert rig.line.calls() == ["pull"]

    @pytest.mark.usefixtures("small")
    def test_a_watcher_sees_it_grow(self, rig: Rig) -> None:
        for number in range(12):
            rig.a.store.set(f"k{number}", bytes(90))
        moved = rig.on(rig.a).exchange()
        assert rig.moved[-1] == moved
        pushed = [step.pushed for step in rig.moved]
        assert pushed == sorted(pushed)
        assert len(set(pushed)) > 3
        assert all(step.pushed + step.to_push == 12 for step in rig.moved if step.pushed)

    def test_what_failed_is_counted_as_far_as_it_came(self, rig: Rig) -> None:
        rig.home.store.set("there", b"y")
        rig.a.store.set("a", b"x")
        rig.line.on("push", is_lost)
        with pytest.raises(SyncError):
            rig.exchange(rig.a)
        assert (rig.moved[-1].pulled, rig.moved[-1].pushed) == (1, 0)

    def test_when_the_hub_was_reached_and_how_its_clock_differs_is_noted(self, rig: Rig) -> None:
        rig.home.clock.advance(90 * SECOND)
        rig.exchange(rig.a)
        difference = rig.a.store.hub_time.difference()
        assert abs(rig.a.store.peers.hub().reached - rig.a.clock.now // 1000) < 1_000_000
        assert difference is not None
        assert abs(difference - 90_000_000) < 1_000_000

    def test_a_push_tells_the_clock_of_the_hub(self, rig: Rig) -> None:
        rig.exchange(rig.a)
        rig.home.clock.jump(90 * SECOND)
        rig.a.store.set("a", b"x")
        rig.on(rig.a).push()
        difference = rig.a.store.hub_time.difference()
        assert difference is not None
        assert abs(difference - 90_000_000) < 1_000_000

    @pytest.mark.parametrize(("seconds", "known"), [(1.9, True), (2.1, False)])
    def test_an_exchange_that_takes_long_says_nothing_of_the_clock(self, rig: Rig, seconds: float, known: bool) -> None:
        rig.line.on("pull", while_under_way(lambda: rig.a.clock.advance(int(seconds * SECOND))))
        rig.on(rig.a).pull()
        assert (rig.a.store.hub_time.difference() is not None) == known
        assert rig.a.store.hub_time.was_asked()

    def test_a_long_poll_says_nothing_of_the_clock(self, rig: Rig) -> None:
        rig.exchange(rig.a)
        before = rig.a.store.hub_time.difference()
        rig.home.store.set("a", b"x")
        rig.line.on("pull", while_under_way(lambda: rig.a.clock.advance(50 * SECOND)))
        rig.on(rig.a).pull(wait=60.0)
        assert rig.a.store.hub_time.difference() == before

    @pytest.mark.parametrize(("original", "version"), [(False, 2), (True, 1)])
    def test_a_probe_moves_nothing(self, rig: Rig, original: bool, version: int) -> None:
        rig.home.store.set("there", b"y")
        rig.a.store.set("a", b"x")
        if original:
            rig.original_hub()
        found = rig.on(rig.a).probe()
        assert found.version == version
        assert (found.difference is None) == original
        assert list(rig.a.store.keys()) == ["a"]
        assert waits(rig.a) == 1
        assert rig.a.store.peers.hub().reached == 0


class TestTime:
    """Of two writes to a key the later one wins, whatever clocks showed at other times."""

    def winner(self, rig: Rig, key: str = "k") -> bytes:
        """Let all meet; return what they have then."""
        rig.exchange(rig.a, rig.b, rig.a)
        found = {value(replica, key) for replica in (rig.a, rig.b, rig.home)}
        assert len(found) == 1
        return found.pop()

    def let_time_pass(self, rig: Rig, seconds: float = 1.0) -> None:
        for replica in rig.replicas:
            replica.clock.advance(int(seconds * SECOND))

    def begin_with_a_wrong_clock(self, rig: Rig) -> None:
        """Start the system of one device anew, with a clock that is ahead, where the hub is too slow to tell its own."""
        rig.exchange(rig.a)
        rig.a.clock.jump(3 * DAY)
        rig.a.machine.boots += 1
        rig.a.start_again()
        rig.a.store.hub_time.note(None, epoch=rig.a.store.peers.hub().epoch)

    @pytest.mark.parametrize("first", ["a", "b"])
    @pytest.mark.parametrize("days", [3, -3])
    def test_one_jump_of_a_clock_decides_no_later_conflict(self, rig: Rig, first: str, days: int) -> None:
        rig.exchange(rig.a, rig.b)
        rig.a.clock.jump(days * DAY)
        rig.a.store.set("jump", b"x")
        rig.exchange(rig.a)
        rig.a.clock.jump(-days * DAY)
        one, other = (rig.a, rig.b) if first == "a" else (rig.b, rig.a)
        one.store.set("k", b"earlier")
        self.let_time_pass(rig)
        other.store.set("k", b"later")
        assert self.winner(rig) == b"later"

    @pytest.mark.parametrize("days", [3, -3])
    def test_a_clock_that_stays_wrong_is_made_up_for(self, rig: Rig, days: int) -> None:
        rig.a.clock.jump(days * DAY)
        rig.exchange(rig.a, rig.b)
        for key, (one, other) in {"k": (rig.a, rig.b), "l": (rig.b, rig.a)}.items():
            one.store.set(key, b"earlier")
            self.let_time_pass(rig)
            other.store.set(key, b"later")
        assert [self.winner(rig, key) for key in "kl"] == [b"later"] * 2

    @pytest.mark.parametrize("corrected", [False, True])
    def test_what_nobody_has_yet_is_dated_right_when_the_hub_is_found(self, rig: Rig, corrected: bool) -> None:
        """It was written offline by a clock that was ahead."""
        rig.a.clock.jump(3 * DAY)
        rig.a.store.set("k", b"earlier")
        node = rig.a.store.tree.file("k")
        self.let_time_pass(rig)
        if corrected:
            rig.a.clock.jump(-3 * DAY)
        rig.exchange(rig.a)
        sent = rig.a.store.tree.file("k")
        assert node is not None
        assert sent is not None
        assert sent.mtime == node.mtime  # what programs see stays
        self.let_time_pass(rig)
        rig.b.store.set("k", b"later")
        assert self.winner(rig) == b"later"

    def test_what_was_in_a_message_keeps_its_date_although_the_answer_was_lost(self, rig: Rig) -> None:
        self.begin_with_a_wrong_clock(rig)
        written = rig.a.store.set("k", b"x")
        rig.line.on("push", is_lost)
        with pytest.raises(SyncError):
            rig.on(rig.a).push()
        rig.exchange(rig.a, rig.b)
        assert rig.a.store.entry("k") == rig.b.store.entry("k") == written

    def test_after_a_boot_the_clock_of_the_hub_is_asked_for_before_a_push(self, rig: Rig) -> None:
        rig.exchange(rig.a)
        rig.a.clock.jump(3 * DAY)
        rig.a.machine.boots += 1
        rig.a.start_again()
        rig.a.store.set("k", b"x")
        rig.line.calls()
        rig.on(rig.a).push()
        assert rig.line.calls() == ["pull", "push"]
        assert rig.home.store.entry("k").timestamp <= rig.home.clock.now // 1000

    def test_a_write_over_a_version_that_is_ahead_beats_it_still(self, rig: Rig) -> None:
        """And all that others have seen stays below."""
        self.begin_with_a_wrong_clock(rig)
        rig.a.store.set("k", b"ahead")
        rig.on(rig.a).push()
        rig.exchange(rig.b)
        rig.b.store.set("k", b"after it")
        assert self.winner(rig) == b"after it"
        assert rig.b.store.entry("k").timestamp > rig.home.clock.now // 1000
