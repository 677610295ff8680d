"""Exchanges with a hub of the original program."""

from __future__ import annotations

from typing import NoReturn

import pytest

from kvassfs.errors import DiskFull, HubUnreachable, NotAHub
from kvassfs.sync.seal import Seal
from tests.support.original import OriginalHub, entries_of
from tests.support.replicas import KEY, KvassHub, posted
from tests.support.stores import SECOND, is_scratch, revision_values, save
from tests.support.sync_rig import (
    HTML,
    Message,
    Rig,
    arrives,
    is_answered,
    is_lost,
    is_unanswered,
    large,
    pushed_keys,
    value,
    waits,
    while_under_way,
)


class TestVersion1:
    """A hub of the original program."""

    @pytest.fixture
    def hub(self, rig: Rig) -> OriginalHub:
        return rig.original_hub()

    def test_entries_go_both_ways(self, rig: Rig, hub: OriginalHub) -> None:
        client = rig.original_client()
        client.set("theirs", b"y")
        client.push()
        rig.a.store.set("mine", b"x")
        rig.exchange(rig.a, rig.b)
        client.pull()
        assert client.values() == {"mine": b"x", "theirs": b"y"}
        assert value(rig.a, "theirs") == value(rig.b, "theirs") == b"y"
        assert value(rig.b, "mine") == b"x"
        assert waits(rig.a) == waits(rig.b) == 0

    def test_a_pull_must_follow_a_push_before_it_counts(self, rig: Rig, hub: OriginalHub) -> None:
        rig.exchange(rig.a)
        rig.a.store.set("a", b"x")
        rig.line.calls()
        rig.line.on("pull", arrives, arrives, is_lost)
        with pytest.raises(HubUnreachable):
            rig.exchange(rig.a)
        assert rig.line.calls() == ["push", "pull"] * 2 + ["push", "push", "pull"]
        assert waits(rig.a) == 1

    def test_a_network_login_that_answers_emptily_clears_nothing(self, rig: Rig, hub: OriginalHub) -> None:
        rig.exchange(rig.a)
        rig.a.store.set("a", b"x")
        rig.line.on("push", is_answered(b""))
        rig.line.on("pull", arrives, arrives, is_answered(b""))
        with pytest.raises(NotAHub):
            rig.exchange(rig.a)
        assert waits(rig.a) == 1
        rig.exchange(rig.a)
        assert hub.values() == {"a": b"x"}

    def test_a_page_of_a_network_login_in_place_of_the_answer_is_refused(self, rig: Rig, hub: OriginalHub) -> None:
        rig.exchange(rig.a)
        rig.a.store.set("a", b"x")
        rig.line.on("push", is_answered(HTML))
        with pytest.raises(NotAHub):
            rig.exchange(rig.a)
        assert waits(rig.a) == 1

    @pytest.mark.usefixtures("small")
    def test_large_values_go_whole_and_one_to_a_message(self, rig: Rig, hub: OriginalHub) -> None:
        long = large(4000)
        rig.a.store.set("one", long)
        rig.a.store.set("two", long[8:])
        rig.a.store.set("small", b"x")
        rig.exchange(rig.a)
        assert hub.values() == {"one": long, "two": long[8:], "small": b"x"}
        assert sorted(rig.line.pushed_keys()) == [["one"], ["small"], ["two"]]
        rig.exchange(rig.b)
        assert value(rig.b, "one") == long

    @pytest.mark.usefixtures("small")
    @pytest.mark.parametrize("newer", [b"short", large(320)[8:]])
    def test_a_large_value_that_is_replaced_before_its_turn_is_left_out(
        self, rig: Rig, hub: OriginalHub, newer: bytes
    ) -> None:
        rig.exchange(rig.a)
        rig.a.store.set("large", large(320))
        rig.a.store.set("small", b"x")
        rig.line.on("push", arrives, arrives, while_under_way(lambda: rig.a.store.set("large", newer)))
        rig.exchange(rig.a)
        assert hub.values() == {"large": newer, "small": b"x"}
        assert rig.line.pushed_keys() == [["small"], ["large"]]
        assert waits(rig.a) == 0

    def test_the_hub_reads_every_message(self, rig: Rig, hub: OriginalHub) -> None:
        save(rig.a.store, "script", b"x", mode=0o100755)
        rig.a.clock.advance(SECOND)
        rig.exchange(rig.a)
        (push,) = (message for message in rig.line.messages if message.call == "push" and pushed_keys(message))
        assert [entry.key for entry in entries_of(Seal(KEY).unseal(push.body))] == ["script"]

    def test_what_a_later_push_of_something_older_replaced_there_is_put_right(self, rig: Rig, hub: OriginalHub) -> None:
        """That hub takes whatever arrives last."""
        rig.a.clock.advance(10 * SECOND)
        rig.a.store.set("k", b"newer")
        rig.exchange(rig.a)
        client = rig.original_client()
        client.set("k", b"older")
        client.push()
        assert hub.values() == {"k": b"older"}
        rig.exchange(rig.a)
        assert hub.values() == {"k": b"newer"}
        assert revision_values(rig.a.store, "k") == [b"older"]

    def test_another_version_of_the_key_acknowledges_none(
        self, rig: Rig, hub: OriginalHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It loses when it is merged, but that may fail."""
        rig.exchange(rig.a)
        rig.a.clock.advance(10 * SECOND)
        rig.a.store.set("k", b"newer")
        client = rig.original_client()
        client.set("k", b"older")

        def is_swallowed(_: Message) -> bytes:
            client.push()
            return b""

        def is_full(*_: object, **__: object) -> NoReturn:
            raise DiskFull("here")

        def cannot_be_merged(message: Message) -> bytes:
            monkeypatch.setattr(rig.a.store.inbox, "merge_pulled", is_full)
            return message.deliver()

        rig.line.on("push", is_swallowed)
        rig.line.on("pull", arrives, cannot_be_merged)
        with pytest.raises(DiskFull):
            rig.on(rig.a).push()
        assert waits(rig.a) == 1
        monkeypatch.undo()
        rig.exchange(rig.a)
        assert hub.values() == {"k": b"newer"}

    def test_a_key_that_comes_back_to_a_device_that_was_set_back_is_removed_everywhere(
        self, rig: Rig, hub: OriginalHub
    ) -> None:
        """Its backup says that nobody else knows of it."""
        rig.exchange(rig.a)
        node = save(rig.a.store, "k", b"x")
        backup = rig.a.image()
        rig.a.clock.advance(SECOND // 10)
        rig.exchange(rig.a, rig.b)
        rig.a.set_back(backup)
        rig.on(rig.a).pull()
        rig.a.store.tree.unlink(node, is_scratch=is_scratch)
        rig.a.clock.advance(2 * SECOND)
        rig.exchange(rig.a, rig.b)
        assert hub.values() == {}
        assert list(rig.b.store.keys()) == []

    def test_a_hub_that_is_upgraded_during_a_push_gets_what_waits(self, rig: Rig, hub: OriginalHub) -> None:
        rig.exchange(rig.a)
        rig.a.store.set("a", b"x")

        def is_upgraded(message: Message) -> bytes:
            rig.line.hub = KvassHub(lambda: rig.home.store, rig.random.randbytes)
            return posted(rig.line.hub, message.call, message.body)

        rig.line.on("push", is_upgraded)
        rig.exchange(rig.a)
        assert value(rig.home, "a") == b"x"
        assert waits(rig.a) == 0
        assert rig.a.store.peers.hub().version == 2


class TestProof:
    """A hub of the original names no request that it answers; an echo shows what its answers are worth."""

    @pytest.fixture
    def hub(self, rig: Rig) -> OriginalHub:
        return rig.original_hub()

    def test_what_another_client_is_told_moves_no_cursor(self, rig: Rig, hub: OriginalHub) -> None:
        """It asks for all but its own, which the device lacks."""
        client = rig.original_client()
        client.set("theirs", b"x")
        client.push()
        client.pull()
        request = rig.line.messages[-1].body
        rig.line.on("pull", lambda _: hub.answer("pull", request), lambda _: hub.answer("pull", request))
        rig.exchange(rig.a)
        assert value(rig.a, "theirs") == b"x"

    def test_an_answer_to_others_is_an_error_if_there_is_no_other(self, rig: Rig, hub: OriginalHub) -> None:
        client = rig.original_client()
        client.set("theirs", b"x")
        client.push()
        client.pull()
        request = rig.line.messages[-1].body
        rig.line.on("pull", *[lambda _: hub.answer("pull", request)] * 9)
        with pytest.raises(NotAHub, match="its answers are none to what was asked"):
            rig.exchange(rig.a)
        known = rig.a.store.peers.hub()
        assert (known.version, known.cursor, known.reached) == (0, 0, 0)

    def test_an_earlier_answer_moves_no_cursor_and_clears_no_mark(self, rig: Rig, hub: OriginalHub) -> None:
        """Such as that of the hub before, which has all that the new one lacks."""
        rig.a.store.set("mine", b"x")
        kept: list[bytes] = []

        def is_kept(message: Message) -> bytes:
            kept.append(message.deliver())
            return kept[-1]

        rig.line.on("pull", *[is_kept] * 9)
        rig.exchange(rig.a)
        rig.a.store.settings.set_remote("other.example")
        rig.original_hub()
        rig.line.on("push", *[is_answered(b"")] * 9)
        rig.line.on("pull", *[is_answered(body) for body in kept * 3])
        with pytest.raises(NotAHub):
            rig.exchange(rig.a)
        assert waits(rig.a) == 1
        assert rig.a.store.peers.hub().cursor == 0

    def test_an_answer_that_was_lost_once_is_no_reason_to_begin_anew(self, rig: Rig, hub: OriginalHub) -> None:
        rig.exchange(rig.a)
        epoch = rig.a.store.peers.hub().epoch
        for _ in range(3):
            rig.line.on("pull", is_unanswered)
            with pytest.raises(HubUnreachable):
                rig.on(rig.a).pull()
        rig.exchange(rig.a)
        assert rig.a.store.peers.hub().epoch == epoch

    def test_another_store_in_its_place_gets_everything(self, rig: Rig, hub: OriginalHub) -> None:
        rig.a.store.set("mine", b"x")
        rig.exchange(rig.a)
        assert waits(rig.a) == 0
        other = rig.original_hub()
        client = rig.original_client()
        client.set("theirs", b"y")
        client.push()
        rig.exchange(rig.a)
        assert other.values() == {"mine": b"x", "theirs": b"y"}
        assert value(rig.a, "theirs") == b"y"

    def test_a_store_that_was_set_back_gets_what_it_has_forgotten(self, rig: Rig, hub: OriginalHub) -> None:
        rig.exchange(rig.a, rig.b)
        before = dict(hub.entries)
        rig.a.store.set("mine", b"x")
        rig.exchange(rig.a)
        hub.entries = before
        rig.exchange(rig.a, rig.b)
        assert hub.values() == {"mine": b"x"}
        assert value(rig.b, "mine") == b"x"

    def test_two_processes_of_a_device_do_not_take_the_hub_for_another(self, rig: Rig, hub: OriginalHub) -> None:
        rig.a.store.set("mine", b"x")
        rig.exchange(rig.a)
        epoch = rig.a.store.peers.hub().epoch
        rig.line.on("push", while_under_way(lambda: rig.on(rig.a).pull()))
        rig.on(rig.a).pull()
        rig.line.on("pull", while_under_way(lambda: rig.on(rig.a).pull()))
        rig.on(rig.a).pull()
        rig.exchange(rig.a)
        known = rig.a.store.peers.hub()
        assert (known.epoch, waits(rig.a)) == (epoch, 0)

    def test_echoes_are_shown_to_nobody(self, rig: Rig, hub: OriginalHub) -> None:
        rig.exchange(rig.a, rig.b)
        client = rig.original_client()
        client.pull()
        assert client.values() == {}
        assert list(rig.a.store.keys()) == list(rig.b.store.keys()) == []
        assert rig.b.store._database.rows("SELECT key FROM entries") == []

    def test_a_hub_that_is_asked_again_and_again_is_written_to_once_a_minute(self, rig: Rig, hub: OriginalHub) -> None:
        rig.exchange(rig.a)
        rig.line.calls()
        for _ in range(20):
            rig.on(rig.a).pull()
        assert rig.line.calls() == ["pull"] * 20
        rig.a.clock.advance(61 * SECOND)
        rig.on(rig.a).pull()
        assert rig.line.calls() == ["push", "pull"]

    def test_news_from_a_hub_that_is_asked_again_and_again_are_proven(self, rig: Rig, hub: OriginalHub) -> None:
        rig.exchange(rig.a)
        client = rig.original_client()
        client.set("theirs", b"x")
        client.push()
        rig.line.calls()
        assert rig.on(rig.a).pull() == 1
        assert rig.line.calls() == ["pull", "push", "pull"]
        assert value(rig.a, "theirs") == b"x"

    def test_that_there_is_nothing_new_moves_nothing_whoever_says_it(self, rig: Rig, hub: OriginalHub) -> None:
        rig.exchange(rig.a)
        before = rig.a.store.peers.hub()
        client = rig.original_client()
        client.set("theirs", b"x")
        client.push()
        rig.line.on("pull", is_answered(Seal(KEY).seal(b"null")))
        assert rig.on(rig.a).pull() == 0
        assert rig.a.store.peers.hub() == before
        assert rig.on(rig.a).pull() == 1
