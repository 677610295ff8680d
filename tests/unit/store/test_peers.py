"""Whom a store exchanges with: the hub, the one that pushes, those that follow, and the devices that ask it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kvassfs.store import HubState, Store, Upload
from kvassfs.store.machine import Machine
from kvassfs.store.peers import KEPT_INCARNATIONS, SEEN_INTERVAL
from kvassfs.store.schema import IN_TOUCH_TIME
from tests.support.stores import SECOND, Clock, count, finish, rows, run, start

OpenStore = Callable[[], Store]


def in_another_process(path: Path, code: str) -> Iterator[None]:
    """Have a process of its own do something with the store, and end when this goes on."""
    process = start(f"store = Store.open(sys.argv[1])\n{code}\nprint('ready', flush=True)\nsys.stdin.read()", path)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None
    finish(process)
    yield


class TestHub:
    """What is known of the hub belongs to that hub."""

    def test_nothing_is_known_at_first(self, store: Store) -> None:
        assert store.peers.hub() == HubState(0, 0, 0, 0, 1, 0, 0)

    def test_an_exchange_notes_when_it_was(self, store: Store, clock: Clock) -> None:
        for _ in range(2):
            clock.advance(SECOND)
            store.peers.note_exchange(epoch=1)
            assert store.peers.hub().reached == clock.now // 1000

    @pytest.mark.parametrize(
        "change",
        [lambda store: store.settings.set_remote("other"), lambda store: store.settings.set_encryption_key(bytes(32))],
    )
    def test_another_hub_or_key_makes_it_unknown_and_everything_wait(
        self, store: Store, change: Callable[[Store], None]
    ) -> None:
        entry = store.set("a", b"x")
        store.delete("a")
        store.set("b", b"x")
        tombstone = store._entries.current("a")
        assert tombstone is not None
        store.peers.note_hub(version=2, process_id=9, incarnation=5, told=6, epoch=1)
        store.peers.note_exchange(epoch=1)
        store.inbox.merge_pulled([], cursor=70, epoch=1)
        store.outbox.acknowledge([tombstone.entry, store.entry("b"), entry], epoch=1)
        assert store.outbox.count_dirty()[0] == 0
        assert store.peers.hub().cursor == 70
        change(store)
        assert store.peers.hub() == HubState(0, 0, 0, 0, 2, 0, 0)
        assert store.outbox.count_dirty() == (2, 1)

    def test_what_is_noted_of_an_earlier_one_is_void(self, store: Store) -> None:
        store.settings.set_remote("other")
        before = store.peers.hub()
        store.peers.note_hub(version=2, process_id=9, incarnation=5, told=6, epoch=1)
        store.peers.note_exchange(epoch=1)
        store.inbox.merge_pulled([], cursor=70, epoch=1)
        assert store.peers.hub() == before

    def test_an_answer_that_is_overtaken_does_not_hide_what_a_later_one_told(self, store: Store) -> None:
        store.peers.note_hub(version=2, process_id=9, incarnation=5, told=60, epoch=1)
        store.peers.note_hub(version=2, process_id=9, incarnation=4, told=50, epoch=1)
        hub = store.peers.hub()
        assert (hub.incarnation, hub.told) == (5, 60)


class TestPushing:
    """One open store pushes at a time, until it ends or its process does."""

    def test_another_one_does_not_begin_before_it_has_ended(self, open_store: OpenStore) -> None:
        one, other = open_store(), open_store()
        assert one.processes.begin_push()
        assert not other.processes.begin_push()
        one.processes.end_push()
        assert other.processes.begin_push()

    def test_the_same_one_may_begin_again(self, store: Store) -> None:
        assert store.processes.begin_push()
        assert store.processes.begin_push()

    def test_others_see_how_far_one_is_that_takes_long(self, open_store: OpenStore, clock: Clock) -> None:
        one, other = open_store(), open_store()
        clock.step = 0
        assert one.processes.begin_push()
        one.processes.note_upload(10, 990)
        assert other.processes.upload() is None
        clock.advance(2 * SECOND)
        one.processes.note_upload(100, 900)
        clock.advance(SECOND // 2)
        one.processes.note_upload(110, 890)
        assert other.processes.upload() == Upload(100, 900, 2_000_000)
        assert one.processes.upload() is None
        one.processes.end_push()
        assert other.processes.upload() is None
        assert rows(other, "SELECT name FROM settings WHERE name = 'upload'") == []

    def test_what_a_process_left_behind_that_was_killed_is_not_shown(self, open_store: OpenStore, clock: Clock) -> None:
        one, other, third = open_store(), open_store(), open_store()
        assert one.processes.begin_push()
        clock.advance(2 * SECOND)
        one.processes.note_upload(100, 900)
        one._database.execute("UPDATE pusher SET started = 'another time'")
        assert other.processes.upload() is None
        assert third.processes.begin_push()
        assert other.processes.upload() is None

    def test_nobody_ends_the_push_of_another_one(self, open_store: OpenStore) -> None:
        one, other = open_store(), open_store()
        assert one.processes.begin_push()
        other.processes.end_push()
        assert not other.processes.begin_push()

    def test_a_process_that_has_ended_pushes_no_more(self, store: Store, path: Path) -> None:
        other = in_another_process(path, "assert store.processes.begin_push()")
        next(other)
        assert not store.processes.begin_push()
        next(other)
        assert count(store, "pusher") == 1
        assert store.processes.begin_push()

    def test_a_later_process_with_the_same_number_is_another_one(
        self, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, other = open_store(), open_store()
        assert one.processes.begin_push()
        monkeypatch.setattr(Machine, "find_start", lambda *_: "later")
        assert other.processes.begin_push()


class TestFollowers:
    """Processes that keep the store in step, while they live and say so."""

    def test_one_is_listed_with_its_place_until_it_ends(self, store: Store, clock: Clock) -> None:
        store.processes.follow("/home/me/kvass")
        (follower,) = store.processes.followers()
        assert (follower.pid, follower.place, follower.reached, follower.error) == (
            os.getppid(),
            "/home/me/kvass",
            0,
            "",
        )
        assert follower.since == clock.now // 1000
        store.processes.unfollow()
        assert store.processes.followers() == []

    def test_it_is_in_touch_when_it_says_so_and_for_a_while_after(self, store: Store, clock: Clock) -> None:
        store.processes.follow("")
        assert not store.processes.is_in_touch()
        store.processes.note_contact()
        assert store.processes.is_in_touch()
        clock.advance(IN_TOUCH_TIME * 1000 - SECOND)
        assert store.processes.is_in_touch()
        clock.advance(SECOND)
        assert not store.processes.is_in_touch()
        store.processes.note_contact()
        assert store.processes.is_in_touch()

    def test_a_clock_that_was_set_back_far_says_nothing_of_it(self, store: Store, clock: Clock) -> None:
        store.processes.follow("")
        store.processes.note_contact()
        clock.advance(-IN_TOUCH_TIME * 1000 - SECOND)
        assert not store.processes.is_in_touch()

    def test_it_is_not_in_touch_when_it_says_why_not(self, store: Store) -> None:
        store.processes.follow("")
        store.processes.note_contact()
        store.processes.note_contact("the hub is down")
        assert not store.processes.is_in_touch()
        assert store.processes.followers()[0].error == "the hub is down"
        store.processes.note_contact()
        assert store.processes.is_in_touch()
        assert store.processes.followers()[0].error == ""

    def test_one_that_was_killed_is_none_and_is_forgotten_when_another_one_begins(
        self, store: Store, path: Path
    ) -> None:
        other = in_another_process(path, "store.processes.follow('/there')\nstore.processes.note_contact()")
        next(other)
        store.processes.follow("/here")
        assert sorted(follower.place for follower in store.processes.followers()) == ["/here", "/there"]
        next(other)
        assert [follower.place for follower in store.processes.followers()] == ["/here"]
        assert count(store, "followers") == 2
        store.processes.follow("/here")
        assert count(store, "followers") == 1

    def test_one_alone_in_touch_is_enough(self, store: Store, path: Path, clock: Clock) -> None:
        other = in_another_process(path, "store.processes.follow('/there')\nstore.processes.note_contact('down')")
        next(other)
        store.processes.follow("/here")
        assert not store.processes.is_in_touch()
        store.processes.note_contact()
        assert store.processes.is_in_touch()
        next(other)


class TestDevices:
    """Replicas that ask this one as their hub."""

    def test_the_latest_comes_first(self, store: Store, clock: Clock) -> None:
        for process_id in (5, 7, 6, 5):
            clock.advance(SEEN_INTERVAL * 1000)
            store.peers.note_device(process_id)
        assert [device.process_id for device in store.peers.devices()] == [5, 6, 7]
        assert store.peers.devices()[0].seen == clock.now // 1000

    def test_nobody_is_no_device(self, store: Store) -> None:
        store.peers.note_device(0)
        assert store.peers.devices() == []

    def test_it_is_noted_again_only_after_a_while(self, store: Store, clock: Clock) -> None:
        store.peers.note_device(5)
        seen = store.peers.devices()
        clock.advance(SEEN_INTERVAL * 1000 - SECOND)
        store.peers.note_device(5)
        assert store.peers.devices() == seen
        clock.advance(2 * SECOND)
        store.peers.note_device(5)
        assert store.peers.devices() > seen

    def test_it_is_noted_after_the_clock_was_set_back(self, store: Store, clock: Clock) -> None:
        store.peers.note_device(5)
        seen = store.peers.devices()
        clock.advance(-SEEN_INTERVAL * 1000 - SECOND)
        store.peers.note_device(5)
        assert store.peers.devices() < seen


class TestIncarnations:
    """Which processes served the store, and what each has told."""

    def test_this_process_is_the_last_one_and_has_told_the_greatest_clock(self, store: Store) -> None:
        for clock, told in ((5, 5), (9, 9), (7, 9)):
            incarnations = store.peers.announce_clock(clock)
            assert [incarnation.told for incarnation in incarnations] == [told]
        assert len(rows(store, "SELECT mark FROM incarnations")) == 1

    def test_two_stores_of_one_process_are_one(self, open_store: OpenStore) -> None:
        one, other = open_store(), open_store()
        assert [i.mark for i in one.peers.announce_clock(1)] == [i.mark for i in other.peers.announce_clock(2)]

    def test_those_before_are_known_with_what_they_told(self, store: Store, path: Path) -> None:
        run("store = Store.open(sys.argv[1])\nstore.peers.announce_clock(5)", path)
        run("store = Store.open(sys.argv[1])\nstore.peers.announce_clock(8)", path)
        incarnations = store.peers.announce_clock(9)
        assert [incarnation.told for incarnation in incarnations] == [5, 8, 9]
        assert len({incarnation.mark for incarnation in incarnations}) == 3

    def test_only_the_latest_are_remembered(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(KEPT_INCARNATIONS + 5):
            monkeypatch.setattr(Machine, "find_start", lambda *_, number=number: str(number))
            store.peers.announce_clock(number)
        incarnations = store.peers.announce_clock(0)
        assert [incarnation.told for incarnation in incarnations] == list(range(5, KEPT_INCARNATIONS + 5))
