"""The link to the hub: whose answers count, who it is, and what is void when it is another one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from kvassfs.errors import HubDowngraded, HubFailed, HubUnreachable, NotAHub, WrongKey
from kvassfs.remote.errors import AnswerDamaged
from kvassfs.store import Store
from kvassfs.sync.seal import Seal
from tests.support.replicas import ADDRESS, KEY, WRONG_KEY, KvassHub, versions
from tests.support.stores import DAY, SECOND, is_scratch, revision_values, rows, save
from tests.support.sync_rig import (
    HTML,
    Message,
    Rig,
    arrives,
    is_answered,
    is_lost,
    is_unanswered,
    large,
    value,
    waits,
    while_under_way,
)

UNKNOWN = (0, 0, 0, 0)
"""How what is known of a hub begins where nothing is."""


class TestAcknowledgement:
    """Only the hub's own answer to this very request clears the mark that an entry waits."""

    @pytest.fixture(autouse=True)
    def known_hub(self, rig: Rig) -> None:
        rig.a.store.set("before", b"x")
        rig.exchange(rig.a)
        rig.a.store.set("a", b"x")
        assert waits(rig.a) == 1

    def recovers(self, rig: Rig) -> None:
        """The mark is still there, and the next exchange pushes what has it."""
        assert waits(rig.a) == 1
        rig.exchange(rig.a)
        assert waits(rig.a) == 0
        assert value(rig.home, "a") == b"x"

    def test_an_answer_to_a_push_clears_it(self, rig: Rig) -> None:
        assert rig.on(rig.a).push() == 1
        assert waits(rig.a) == 0

    def test_what_the_hub_merged_without_our_hearing_of_it_is_pushed_again(self, rig: Rig) -> None:
        rig.line.on("push", is_unanswered)
        with pytest.raises(HubUnreachable):
            rig.exchange(rig.a)
        self.recovers(rig)
        assert revision_values(rig.home.store, "a") == []

    @pytest.mark.parametrize("call", ["pull", "push"])
    def test_the_answer_to_an_earlier_request_is_refused(self, rig: Rig, call: str) -> None:
        earlier = next(message for message in rig.line.messages if message.call == call)
        rig.line.on(call, is_answered(earlier.deliver()))
        with pytest.raises(NotAHub, match="another request"):
            rig.exchange(rig.a)
        self.recovers(rig)

    @pytest.mark.parametrize("call", ["pull", "push"])
    @pytest.mark.parametrize("body", [HTML, b"OK\n", b"moved"])
    def test_a_page_of_a_network_login_is_no_answer(self, rig: Rig, call: str, body: bytes) -> None:
        rig.line.on(call, is_answered(body))
        with pytest.raises(NotAHub):
            rig.exchange(rig.a)
        self.recovers(rig)

    def test_an_empty_answer_to_a_push_is_none_of_a_hub_of_version_2(self, rig: Rig) -> None:
        rig.line.on("push", is_answered(b""))
        with pytest.raises(HubDowngraded):
            rig.exchange(rig.a)
        self.recovers(rig)

    def test_an_empty_answer_to_a_pull_is_none(self, rig: Rig) -> None:
        rig.line.on("pull", is_answered(b""))
        with pytest.raises(NotAHub):
            rig.exchange(rig.a)
        self.recovers(rig)

    @pytest.mark.parametrize("call", ["pull", "push"])
    def test_bytes_that_nobody_sealed_are_no_answer(self, rig: Rig, call: str) -> None:
        rig.line.on(call, is_answered(b"\x80" * 100))
        with pytest.raises(AnswerDamaged):
            rig.exchange(rig.a)
        self.recovers(rig)

    @pytest.mark.parametrize("call", ["pull", "push"])
    def test_a_sealed_answer_that_is_none_of_the_protocol_is_refused(self, rig: Rig, call: str) -> None:
        rig.line.on(call, is_answered(Seal(KEY).seal(b"5")))
        with pytest.raises(NotAHub):
            rig.exchange(rig.a)
        self.recovers(rig)

    def test_an_entry_that_is_replaced_during_a_push_waits_still(self, rig: Rig) -> None:
        rig.line.on("push", while_under_way(lambda: rig.a.store.set("a", b"newer")))
        rig.on(rig.a).push()
        assert rig.line.pushed_keys()[-2:] == [["a"], ["a"]]
        assert (waits(rig.a), value(rig.home, "a")) == (0, b"newer")

    def test_an_entry_that_is_replaced_during_a_push_that_ends_there_waits_still(self, rig: Rig) -> None:
        rig.line.on("push", while_under_way(lambda: rig.a.store.set("a", b"x")), is_lost)
        with pytest.raises(HubUnreachable):
            rig.on(rig.a).push()
        self.recovers(rig)

    def test_what_is_pushed_has_reached_the_disk(self, rig: Rig) -> None:
        before = rows(rig.a.store, "SELECT number FROM syncs")
        seen = []

        def look(message: Message) -> bytes:
            seen.append(rows(rig.a.store, "SELECT number FROM syncs"))
            return message.deliver()

        rig.line.on("push", look)
        rig.exchange(rig.a)
        assert len(seen) == 1
        assert seen[0] > before


class TestUnknownHub:
    """A device that never spoke to its hub finds out who that is before it pushes."""

    def test_it_pulls_before_it_pushes(self, rig: Rig) -> None:
        rig.a.store.set("a", b"x")
        rig.on(rig.a).push()
        assert rig.line.calls() == ["pull", "push"]
        hub = rig.a.store.peers.hub()
        assert (hub.version, hub.process_id) == (2, rig.home.store.settings.config().process_id)

    @pytest.mark.parametrize("body", [HTML, b"", b"OK"])
    def test_whoever_answers_anything_gets_nothing(self, rig: Rig, body: bytes) -> None:
        rig.a.store.set("a", b"x")
        rig.line.on("pull", is_answered(body))
        with pytest.raises(NotAHub):
            rig.on(rig.a).push()
        assert rig.line.calls() == ["pull"]
        assert waits(rig.a) == 1

    @pytest.fixture
    def answer_of_another(self, rig: Rig) -> bytes:
        """What another hub has answered to a client of the original; it is in an array, which names no request."""
        rig.home.store.set("there", b"x")
        rig.original_client().pull()
        answer = rig.line.messages[-1].deliver()
        rig.line.hub = KvassHub(lambda: rig.other_home.store, rig.random.randbytes)
        return answer

    def test_what_another_hub_has_does_not_count_as_acknowledged(self, rig: Rig, answer_of_another: bytes) -> None:
        rig.a.store.set("here", b"y")
        rig.line.on("pull", is_answered(answer_of_another))
        with pytest.raises(NotAHub, match="no answer to this program"):
            rig.on(rig.a).pull()
        assert (list(rig.a.store.keys()), waits(rig.a), rig.a.store.peers.hub()[:4]) == (["here"], 1, UNKNOWN)

    def test_what_another_hub_has_numbered_keeps_nothing_from_being_pulled(
        self, rig: Rig, answer_of_another: bytes
    ) -> None:
        rig.other_home.store.set("here", b"y")
        rig.line.on("pull", is_answered(answer_of_another))
        with suppress(NotAHub):
            rig.on(rig.a).pull()
        rig.on(rig.a).pull()
        assert value(rig.a, "here") == b"y"

    def test_no_message_from_here_is_an_answer(self, rig: Rig) -> None:
        hub = rig.original_hub()
        rig.exchange(rig.a)
        rig.a.store.set("a", b"x")
        rig.line.on("push", arrives, is_answered(b""))
        rig.line.on("pull", arrives, lambda _: rig.line.messages[-2].body)
        with pytest.raises(NotAHub, match="sends back what was sent to it"):
            rig.on(rig.a).push()
        assert (hub.values(), waits(rig.a)) == ({}, 1)

    def test_what_an_array_showed_proves_nothing_once_the_hub_answers(self, rig: Rig) -> None:
        """Such as what a client of the original has pushed to another hub."""
        client = rig.original_client()
        client.set("theirs", b"x")
        client.push()
        array = rig.line.messages[-1].body
        rig.line.hub = KvassHub(lambda: rig.other_home.store, rig.random.randbytes)
        rig.other_home.store.set("there", b"y")
        rig.line.on("pull", is_answered(array))
        rig.on(rig.a).pull()
        rig.exchange(rig.a)
        assert sorted(rig.a.store.keys()) == sorted(rig.other_home.store.keys()) == ["there"]
        assert waits(rig.a) == 0

    def test_nothing_is_said_where_nothing_waits(self, rig: Rig) -> None:
        assert rig.on(rig.a).push() == 0
        assert rig.line.calls() == []


class TestWrongKey:
    """A key that the hub doesn't have is told from everything else: it says so, as it could not decrypt the request."""

    @pytest.mark.parametrize("call", ["pull", "push"])
    def test_an_answer_under_another_key_is_damaged(self, rig: Rig, call: str) -> None:
        rig.exchange(rig.a)
        rig.a.store.set("a", b"x")
        rig.line.on(call, is_answered(Seal(WRONG_KEY).seal(b"[]")))
        with pytest.raises(AnswerDamaged):
            rig.exchange(rig.a)
        assert waits(rig.a) == 1

    @pytest.mark.parametrize("call", ["pull", "push"])
    @pytest.mark.parametrize("length", [1, 12, 27, 28, 40, -17, -16, -1])
    def test_a_true_answer_that_is_cut_short_is_not_called_another_key(self, rig: Rig, call: str, length: int) -> None:
        rig.exchange(rig.a)
        rig.a.store.set("a", b"x")
        rig.line.on(call, lambda message: message.deliver()[:length])
        with pytest.raises((AnswerDamaged, NotAHub)) as raised:
            rig.exchange(rig.a)
        assert "another encryption key" not in str(raised.value)
        rig.exchange(rig.a)
        assert value(rig.home, "a") == b"x"

    def test_a_key_that_was_set_wrong_and_right_again_loses_nothing(self, rig: Rig) -> None:
        rig.a.store.set("a", b"x")
        rig.a.store.settings.set_encryption_key(WRONG_KEY)
        with pytest.raises(WrongKey):
            rig.exchange(rig.a)
        rig.a.store.settings.set_encryption_key(KEY)
        rig.exchange(rig.a)
        assert value(rig.home, "a") == b"x"


class TestDowngrade:
    """A hub that has spoken version 2 doesn't fall back to version 1 unnoticed."""

    @pytest.fixture(autouse=True)
    def known_hub(self, rig: Rig) -> None:
        rig.a.store.set("a", b"x")
        rig.exchange(rig.a)
        rig.a.store.set("b", b"y")

    def test_it_is_an_error_and_nothing_is_pushed(self, rig: Rig) -> None:
        hub = rig.original_hub()
        for _ in range(2):
            with pytest.raises(HubDowngraded):
                rig.exchange(rig.a)
        assert hub.entries == {}
        assert waits(rig.a) == 1

    def test_a_push_alone_finds_it_out(self, rig: Rig) -> None:
        rig.original_hub()
        with pytest.raises(HubDowngraded):
            rig.on(rig.a).push()
        assert waits(rig.a) == 1

    def test_setting_the_remote_anew_accepts_it(self, rig: Rig) -> None:
        hub = rig.original_hub()
        rig.a.store.settings.set_remote(ADDRESS)
        rig.exchange(rig.a)
        assert hub.values() == {"a": b"x", "b": b"y"}
        assert waits(rig.a) == 0
        assert rig.a.store.peers.hub().version == 1

    def test_an_upgrade_needs_no_leave(self, rig: Rig) -> None:
        new = rig.line.hub
        rig.original_hub()
        rig.a.store.settings.set_remote(ADDRESS)
        rig.exchange(rig.a)
        rig.line.hub = new
        rig.a.store.set("c", b"z")
        rig.exchange(rig.a)
        assert rig.a.store.peers.hub().version == 2
        assert versions(rig.a.store) == versions(rig.home.store)


class TestAnotherHub:
    """A hub with another database, or an older one, may lack anything: all is pulled and pushed anew."""

    @pytest.fixture(autouse=True)
    def known_hub(self, rig: Rig) -> None:
        rig.a.store.set("a", b"x")
        rig.exchange(rig.a, rig.b)

    def test_another_database_gets_everything_and_gives_everything(self, rig: Rig) -> None:
        rig.other_home.store.set("there", b"y")
        rig.line.hub = KvassHub(lambda: rig.other_home.store, rig.random.randbytes)
        rig.exchange(rig.b)
        assert sorted(rig.b.store.keys()) == sorted(rig.other_home.store.keys()) == ["a", "there"]
        assert rig.b.store.peers.hub().process_id == rig.other_home.store.settings.config().process_id

    def test_a_push_alone_finds_it_out_too(self, rig: Rig) -> None:
        rig.line.hub = KvassHub(lambda: rig.other_home.store, rig.random.randbytes)
        rig.b.store.set("b", b"y")
        rig.exchange(rig.b)
        assert sorted(rig.other_home.store.keys()) == ["a", "b"]
        assert waits(rig.b) == 0

    def test_an_older_state_gets_what_it_lacks(self, rig: Rig) -> None:
        backup = rig.home.image()
        for number in range(5):
            rig.a.store.set(f"later {number}", b"y")
        rig.exchange(rig.a, rig.b)
        rig.home.set_back(backup)
        assert list(rig.home.store.keys()) == ["a"]
        rig.exchange(rig.b)
        assert versions(rig.home.store) == versions(rig.a.store) == versions(rig.b.store)

    def test_an_older_state_that_went_on_without_us_is_known_all_the_same(self, rig: Rig) -> None:
        backup = rig.home.image()
        rig.a.store.set("lost", b"y")
        rig.exchange(rig.a)
        rig.home.set_back(backup)
        for number in range(10):
            rig.b.store.set(f"more {number}", b"z")
        rig.exchange(rig.b, rig.a, rig.b)
        assert value(rig.home, "lost") == value(rig.b, "lost") == b"y"
        assert versions(rig.home.store) == versions(rig.a.store) == versions(rig.b.store)

    def test_an_older_state_that_gives_out_a_number_once_more_agrees_with_all(self, rig: Rig) -> None:
        """And loses neither value. Its clock is behind, so that the times are equal as well."""
        backup = rig.home.image()
        rig.home.clock.jump(-DAY)
        first = rig.home.store.set("a", b"before")
        rig.exchange(rig.a)
        rig.home.set_back(backup)
        second = rig.home.store.set("a", b"after")
        assert first.order == second.order
        rig.exchange(rig.a, rig.b, rig.a)
        assert versions(rig.home.store) == versions(rig.a.store) == versions(rig.b.store)
        for replica in (rig.home, rig.a):
            assert {value(replica, "a"), *revision_values(replica.store, "a")} >= {b"before", b"after"}

    def test_a_device_that_was_set_back_gets_its_own_writes_back(self, rig: Rig) -> None:
        rig.c.store.set("mine", b"y")
        rig.exchange(rig.c)
        rig.c.set_back(rig.c.template)
        rig.exchange(rig.c)
        assert value(rig.c, "mine") == b"y"

    def test_a_key_that_comes_back_to_a_device_that_was_set_back_is_removed_everywhere(self, rig: Rig) -> None:
        """Its backup says that nobody else knows of it."""
        node = save(rig.c.store, "mine", b"y")
        backup = rig.c.image()
        rig.c.clock.advance(SECOND // 10)
        rig.exchange(rig.c)
        rig.c.set_back(backup)
        rig.on(rig.c).pull()
        rig.c.store.tree.unlink(node, is_scratch=is_scratch)
        rig.c.clock.advance(2 * SECOND)
        rig.exchange(rig.c, rig.b)
        assert list(rig.home.store.keys()) == list(rig.b.store.keys()) == ["a"]

    def test_a_process_that_serves_the_same_store_later_is_the_same_hub(self, rig: Rig) -> None:
        rig.home.start_again()
        rig.home.store.set("more", b"y")
        rig.line.calls()
        rig.exchange(rig.a)
        assert rig.line.calls() == ["pull"]
        assert value(rig.a, "more") == b"y"

    def test_another_one_each_time_is_an_error(self, rig: Rig) -> None:
        answering = 0

        def store() -> Store:
            nonlocal answering
            answering += 1
            return (rig.home, rig.other_home)[answering % 2].store

        rig.line.hub = KvassHub(store, rig.random.randbytes)
        with pytest.raises(HubFailed, match="another store each time"):
            rig.exchange(rig.a)


class TestAnotherHubIsSetMeanwhile:
    """What an exchange with the hub before finds is void when the user has set another hub or key."""

    CHANGES: tuple[Callable[[Store], None], ...] = (
        lambda store: store.settings.set_remote("another.example"),
        lambda store: store.settings.set_encryption_key(WRONG_KEY),
    )

    @pytest.mark.parametrize("change", CHANGES)
    def test_what_the_hub_before_acknowledged_waits_for_the_new_one(
        self, rig: Rig, change: Callable[[Store], None]
    ) -> None:
        rig.a.store.set("a", b"x")
        rig.a.store.set("b", b"y")
        rig.line.on("push", while_under_way(lambda: change(rig.a.store)))
        rig.exchange(rig.a)
        assert waits(rig.a) == 2
        assert rig.a.store.peers.hub()[:4] == UNKNOWN

    @pytest.mark.parametrize("change", CHANGES)
    def test_what_came_from_the_hub_before_waits_for_the_new_one(
        self, rig: Rig, change: Callable[[Store], None]
    ) -> None:
        rig.home.store.set("a", b"x")
        rig.line.on("pull", while_under_way(lambda: change(rig.a.store)))
        rig.exchange(rig.a)
        assert value(rig.a, "a") == b"x"
        assert waits(rig.a) == 1
        assert rig.a.store.peers.hub()[:4] == UNKNOWN

    @pytest.mark.parametrize("call", ["pull", "push"])
    def test_what_the_hub_before_says_of_itself_says_nothing_of_the_new_one(self, rig: Rig, call: str) -> None:
        rig.a.store.set("a", b"x")
        rig.exchange(rig.a)
        rig.line.hub = KvassHub(lambda: rig.other_home.store, rig.random.randbytes)
        rig.a.store.set("b", b"y")
        rig.line.on(call, while_under_way(lambda: rig.a.store.settings.set_remote("another.example")))
        rig.line.calls()
        getattr(rig.on(rig.a), call)()
        assert rig.line.calls() == [call]
        assert (waits(rig.a), rig.a.store.peers.hub()[:4]) == (2, UNKNOWN)

    @pytest.mark.usefixtures("small")
    @pytest.mark.parametrize("change", CHANGES)
    def test_an_upload_ends(self, rig: Rig, change: Callable[[Store], None]) -> None:
        rig.a.store.set("large", large())
        rig.line.on("blocks", while_under_way(lambda: change(rig.a.store)))
        rig.exchange(rig.a)
        assert rig.line.calls() == ["pull", "push", "blocks"]
        assert waits(rig.a) == 1

    def test_the_new_hub_gets_everything(self, rig: Rig) -> None:
        rig.a.store.set("a", b"x")
        rig.home.store.set("b", b"y")
        rig.line.on("push", while_under_way(lambda: rig.a.store.settings.set_remote("another.example")))
        rig.exchange(rig.a)
        rig.line.hub = KvassHub(lambda: rig.other_home.store, rig.random.randbytes)
        rig.exchange(rig.a)
        assert versions(rig.other_home.store) == versions(rig.a.store) == versions(rig.home.store)
