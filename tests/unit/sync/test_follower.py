"""kvassfs.sync.follower: when a follower pulls and pushes, what it says, how it waits and how it ends."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from kvassfs.errors import HubFailed, HubUnreachable, KeyMissing, StoreError, WrongKey
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.kind import Kind
from kvassfs.remote.errors import HubBusy
from kvassfs.remote.http import TimeLimits
from kvassfs.store import Store
from kvassfs.sync import Synchroniser
from kvassfs.sync.follower import TIMINGS, Follower
from kvassfs.sync.hub import Hub
from kvassfs.veil.keys import derive_keys
from tests.support.original import OriginalHub
from tests.support.stores import is_scratch, save
from tests.support.waiting import until

SECONDS = 20.0
"""How long anything may take here; nothing takes long."""


class FakeHub:
    """A hub in this process, and the remotes to it.

    ``holds``: a pull that may wait is answered when there is something, and else at once. ``failures`` are raised
    by call, ``during`` is run in the middle of one. ``original`` answers in its place.
    """

    def __init__(self, path: Path, key: bytes, address: str) -> None:
        self.path = path
        self.address = address
        self.calls: list[tuple[str, float]] = []
        self.remotes: list[FakeRemote] = []
        self.failures: dict[str, Exception] = {}
        self.during: dict[str, Callable[[], object]] = {}
        self.holds = True
        self.original: OriginalHub | None = None
        with self.store() as store:
            store.settings.set_encryption_key(key)

    def store(self) -> Store:
        return Store.open(self.path)

    def pulls(self) -> list[float]:
        """Return the seconds for which each pull was ready to wait."""
        return [wait for call, wait in self.calls if call == "pull"]

    def pushes(self) -> int:
        return sum(call == "push" for call, _ in self.calls)

    def value(self, key: str) -> bytes | None:
        with self.store() as store:
            with suppress(KeyMissing):
                return store.get(key).read()
            return None

    def be_down(self, *calls: str) -> None:
        for call in calls or ("pull", "push", "blocks"):
            self.failures[call] = HubUnreachable(self.address, "connection refused")

    def be_up(self) -> None:
        self.failures.clear()


class FakeRemote:
    """The way to a hub; ``limits`` are those that it was made with."""

    def __init__(self, hub: FakeHub, limits: TimeLimits) -> None:
        self.address = hub.address
        self.hub = hub
        self.limits = limits
        self.closed = threading.Event()
        hub.remotes.append(self)

    def post(self, call: str, body: bytes | Iterable[bytes], *, wait: float = 0.0, largest: int = 0) -> bytes:
        assert isinstance(body, bytes)
        self.hub.calls.append((call, wait))
        if self.closed.is_set():
            raise HubUnreachable(self.address, "the exchange was ended")
        if call in self.hub.failures:
            raise self.hub.failures[call]
        self.hub.during.get(call, lambda: None)()
        if self.hub.original is not None:
            return self.hub.original.answer(call, body)
        return self._answer(call, body, patient=bool(wait) and self.hub.holds)

    def _answer(self, call: str, body: bytes, *, patient: bool) -> bytes:
        with self.hub.store() as store:
            hub = Hub(StoreKeeper(store))
            if call != "pull":
                return hub.push(body) if call == "push" else hub.serve_blocks(body)
            pull = hub.pull(body)
            while (answer := pull.respond(patient=patient)) is None:
                if self.closed.wait(0.01):
                    raise HubUnreachable(self.address, "the exchange was ended")
            return b"".join(answer)

    def close(self) -> None:
        self.closed.set()


class Waits(threading.Event):
    """Stands in for a follower's wish to end, on which it pauses; the pauses are noted and short."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        return super().wait(min(timeout, 0.002))


class Rig:
    """A store that follows hubs by their addresses, and what the follower does and says."""

    def __init__(self, room: Path) -> None:
        self.path = room / "kvass.sqlite"
        self.store = Store.open(self.path)
        self.hubs: dict[str, FakeHub] = {}
        self.said: list[str] = []
        self.room = room
        self.hub = self.add_hub("hub.example:8000", self.store.settings.config().encryption_key)
        self.store.settings.set_remote(self.hub.address)
        self.follower = self.make()

    def add_hub(self, address: str, key: bytes) -> FakeHub:
        self.hubs[address] = FakeHub(self.room / f"{len(self.hubs)}.sqlite", key, address)
        return self.hubs[address]

    def make(self, **options: Any) -> Follower:
        chosen = {"say": self.said.append, "jitter": lambda: 1.0, **options}
        return Follower(str(self.path), connect=self.connect, **chosen)

    def connect(self, address: str, limits: TimeLimits) -> FakeRemote:
        return FakeRemote(self.hubs[address], limits)

    def hasten(self, **options: Any) -> list[float]:
        """Have a follower that pauses hardly at all, and return the list of its pauses."""
        waits = Waits()
        self.follower = self.make(stopping=waits, **options)
        return waits.pauses

    @contextmanager
    def running(self) -> Iterator[None]:
        """``with`` the follower running; in the end it is stopped, and what it raised is raised."""
        raised: list[BaseException] = []

        def run() -> None:
            try:
                self.follower.run()
            except BaseException as error:  # noqa: BLE001  raised again below
                raised.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            self.follower.stop()
            thread.join(SECONDS)
        assert not thread.is_alive(), "it does not end"
        if raised:
            raise raised[0]

    @contextmanager
    def in_touch(self) -> Iterator[None]:
        """The same, in touch with the hub."""
        with self.running():
            until(self.store.processes.is_in_touch)
            yield


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    with made.store:
        yield made


# In


def test_what_was_not_taken_from_the_hub_of_a_sealed_store_is_said(rig: Rig) -> None:
    secret = bytes(range(32))
    rig.store.settings.set_encryption_key(secret, Kind.DEVICE)
    with rig.hub.store() as hub:
        hub.settings.set_encryption_key(derive_keys(secret).access)
        hub.set("before", b"in the clear")
        with rig.running():
            until(lambda: any("not taken from the hub, before: it is not sealed" in line for line in rig.said))
            hub.set("later", b"in the clear")
            until(lambda: any("not taken from the hub, later: it is not sealed" in line for line in rig.said))
    assert sum("not taken" in line for line in rig.said) == 2
    assert list(rig.store.keys()) == []


def test_what_the_hub_has_comes_in(rig: Rig) -> None:
    with rig.hub.store() as hub:
        hub.set("before", b"value")
        with rig.running():
            until(lambda: list(rig.store.keys()) == ["before"])
            hub.set("later", b"value")
            until(lambda: list(rig.store.keys()) == ["before", "later"])


def test_the_wait_grows_while_nothing_happens_and_begins_anew_with_news(rig: Rig) -> None:
    rig.hub.holds = False
    with rig.running():
        until(lambda: len(rig.hub.pulls()) > 10)
        with rig.hub.store() as hub:
            hub.set("key", b"value")
        until(lambda: "key" in rig.store.keys())
        seen = len(rig.hub.pulls())
        until(lambda: len(rig.hub.pulls()) > seen + 10)
    waits = rig.hub.pulls()
    assert waits[:4] == [0.0, TIMINGS.shortest_wait, 1.5 * TIMINGS.shortest_wait, 2.25 * TIMINGS.shortest_wait]
    assert waits[9:11] == [TIMINGS.longest_wait] * 2
    assert max(waits) == TIMINGS.longest_wait
    assert waits.count(TIMINGS.shortest_wait) == 2


def test_a_hub_that_holds_nothing_back_is_asked_now_and_then(rig: Rig) -> None:
    rig.hub.original = OriginalHub(9009, rig.store.settings.config().encryption_key, os.urandom)
    pauses = rig.hasten()
    with rig.running():
        until(lambda: pauses.count(TIMINGS.polling) >= 3)
    assert len(rig.hub.pulls()) >= 3


# Out


def test_what_is_written_goes_out(rig: Rig) -> None:
    rig.store.set("before", b"value")
    with rig.running():
        until(lambda: rig.hub.value("before") == b"value")
        rig.store.set("later", b"value")
        until(lambda: rig.hub.value("later") == b"value")
        rig.store.delete("later")
        until(lambda: rig.hub.value("later") is None)
        until(lambda: rig.store.outbox.count_dirty() == (0, 0))


def test_what_is_written_in_one_go_goes_out_in_its_last_state(rig: Rig) -> None:
    rig.follower = rig.make(timings=TIMINGS._replace(gathering=0.5))
    with rig.in_touch():
        for number in range(10):
            rig.store.set("key", b"%d" % number)
        until(lambda: rig.store.outbox.count_dirty() == (0, 0))
    assert rig.hub.value("key") == b"9"
    assert rig.hub.pushes() == 1


def test_the_first_of_several_saves_goes_out_at_once_and_the_others_in_their_last_state(rig: Rig) -> None:
    gathering = 60.0
    pauses = rig.hasten(timings=TIMINGS._replace(gathering=gathering))
    with rig.hub.store() as hub:
        hub.set("key", b"first")
    with rig.in_touch():
        until(lambda: "key" in rig.store.keys())
        rig.store.set("key", b"second")
        until(lambda: rig.store.outbox.count_dirty() == (0, 0))
        assert gathering not in pauses
        rig.store.set("key", b"third")
        until(lambda: rig.store.outbox.count_dirty() == (0, 0))
        assert pauses.count(gathering) == 1
    assert rig.hub.value("key") == b"third"


def test_what_a_mount_makes_and_removes_at_once_never_goes_out(rig: Rig) -> None:
    with rig.in_touch():
        for number in range(20):
            rig.store.tree.unlink(save(rig.store, f"4913{number}", b"x"), is_scratch=is_scratch)
        save(rig.store, "key", b"value")
        until(lambda: rig.hub.value("key") == b"value")
    with rig.hub.store() as hub:
        assert hub._database.rows("SELECT key FROM entries") == [("key",)]


def test_what_a_mount_removes_goes_out_after_a_moment(rig: Rig) -> None:
    with rig.in_touch():
        node = save(rig.store, "key", b"value")
        until(lambda: rig.store.outbox.count_dirty() == (0, 0))
        rig.store.tree.unlink(node, is_scratch=is_scratch)
        until(lambda: rig.store.outbox.count_dirty() == (0, 0))
    assert rig.hub.value("key") is None


def test_what_the_hub_does_not_take_waits_and_goes_out_later(rig: Rig) -> None:
    rig.hasten()
    rig.hub.failures["push"] = HubFailed(rig.hub.address, 507, "no space left on the disk of the hub")
    with rig.running():
        rig.store.set("key", b"value")
        until(lambda: rig.hub.pushes() > 3)
        assert rig.store.outbox.count_dirty()[0] == 1
        rig.hub.be_up()
        until(lambda: rig.hub.value("key") == b"value")
        until(lambda: rig.store.outbox.count_dirty() == (0, 0))


# Trouble


def pauses_without(pauses: list[float], *others: float) -> list[float]:
    return [pause for pause in pauses if pause not in others]


GROWING = [0.2, 0.4, 0.8, 1.6, 3.0, 3.0]


@pytest.mark.parametrize("share", [1.0, 0.0])
def test_pauses_grow_to_a_limit_while_the_hub_is_out_of_reach(rig: Rig, share: float) -> None:
    pauses = rig.hasten(jitter=lambda: share)
    rig.hub.be_down()
    with rig.running():
        until(lambda: len(pauses) >= len(GROWING))
    assert pauses[: len(GROWING)] == pytest.approx([pause * (1 + share) / 2 for pause in GROWING])


def test_pauses_of_pushes_grow_as_well(rig: Rig) -> None:
    pauses = rig.hasten()
    rig.hub.failures["push"] = HubFailed(rig.hub.address, 507, "no space left on the disk of the hub")
    rig.store.set("key", b"value")
    with rig.running():
        until(lambda: len(pauses_without(pauses, TIMINGS.gathering)) >= len(GROWING))
    assert pauses_without(pauses, TIMINGS.gathering)[: len(GROWING)] == pytest.approx(GROWING)


def test_a_hub_that_names_a_pause_is_left_alone_for_that_long(rig: Rig) -> None:
    pauses = rig.hasten(jitter=lambda: 1.0)
    rig.hub.failures["pull"] = HubBusy(rig.hub.address, "this store makes too many requests", 7.0)
    with rig.running():
        until(lambda: len([pause for pause in pauses if pause > 7]) >= 2)
    assert [pause for pause in pauses if pause > 7][:2] == pytest.approx([7.2, 7.4])


def test_pauses_begin_anew_when_the_hub_was_in_touch(rig: Rig) -> None:
    pauses = rig.hasten()
    rig.hub.holds = False
    rig.hub.be_down()
    with rig.running():
        until(lambda: len(pauses) > 5)
        rig.hub.be_up()
        until(rig.store.processes.is_in_touch)
        before = len(pauses)
        rig.hub.be_down()
        until(lambda: len(pauses) >= before + 3)
    assert pauses[before : before + 3] == pytest.approx(GROWING[:3])


def test_it_says_once_that_the_hub_is_out_of_reach_and_once_that_it_is_back(rig: Rig) -> None:
    rig.hasten()
    rig.hub.holds = False
    with rig.running():
        for said in (1, 3):
            until(rig.store.processes.is_in_touch)
            until(lambda: len(rig.said) == said)  # noqa: B023  both loops have found it back
            rig.hub.be_down()
            rig.store.set("key", b"value")
            until(lambda: not rig.store.processes.is_in_touch())
            tries = len(rig.hub.calls)
            until(lambda: len(rig.hub.calls) > tries + 20)  # noqa: B023
            rig.hub.be_up()
            until(lambda: rig.store.outbox.count_dirty() == (0, 0))
        until(lambda: len(rig.said) == 5)
    assert rig.said[::2] == [f"in touch with the hub {rig.hub.address}"] * 3
    assert all(
        line.startswith(f"cannot reach the hub {rig.hub.address}: connection refused") for line in rig.said[1::2]
    )


def test_a_hub_that_answers_pulls_but_takes_no_pushes_is_not_said_to_be_fine(rig: Rig) -> None:
    rig.hasten()
    rig.hub.holds = False
    rig.hub.failures["push"] = HubFailed(rig.hub.address, 507, "no space left on the disk of the hub")
    with rig.in_touch():
        rig.store.set("key", b"value")
        until(lambda: rig.hub.pushes() > 5)
        pulls = len(rig.hub.pulls())
        until(lambda: len(rig.hub.pulls()) > pulls + 5)
        assert [line.partition(" ")[0] for line in rig.said] == ["in", "the"]
        rig.hub.be_up()
        until(lambda: len(rig.said) == 3)
    assert rig.said[2] == rig.said[0]


def test_what_others_see_of_it(rig: Rig) -> None:
    rig.hasten(place="/some/where")
    with rig.running():
        until(rig.store.processes.is_in_touch)
        (follower,) = rig.store.processes.followers()
        assert (follower.place, follower.error) == ("/some/where", "")
        rig.hub.failures["pull"] = WrongKey(rig.hub.address)
        rig.hub.remotes[-1].close()
        rig.follower._pull_loop.hang_up()
        until(lambda: not rig.store.processes.is_in_touch())
        (follower,) = rig.store.processes.followers()
        assert "another encryption key" in follower.error
    assert rig.store.processes.followers() == []


def test_a_push_that_finds_nobody_ends_a_pull_that_waits(rig: Rig) -> None:
    rig.hasten()
    with rig.in_touch():
        until(lambda: len(rig.hub.pulls()) >= 2)
        rig.hub.be_down("push")
        rig.store.set("key", b"value")
        until(lambda: 0.0 in rig.hub.pulls()[2:])


def test_a_database_that_is_busy_is_tried_again(rig: Rig) -> None:
    rig.hasten()

    def fail() -> None:
        if len(rig.hub.calls) == 1:
            raise StoreError(str(rig.path), "the database is locked by another process")

    rig.hub.during["pull"] = fail
    with rig.in_touch():
        assert rig.said == [
            "the database is locked by another process",
            f"in touch with the hub {rig.hub.address}",
        ]


def test_a_copy_of_a_store_is_followed_under_a_process_id_of_its_own(rig: Rig) -> None:
    before = rig.store.settings.config().process_id
    rig.store._database.execute("UPDATE settings SET value = 'where it was copied from' WHERE name = 'place'")
    with rig.in_touch():
        rig.store.set("key", b"value")
        until(lambda: rig.hub.value("key") == b"value")
    assert rig.store.settings.config().process_id != before
    with rig.hub.store() as hub:
        assert before not in {device.process_id for device in hub.peers.devices()}


# Other hubs


def test_another_hub_is_gone_over_to_at_once(rig: Rig) -> None:
    other = rig.add_hub("other.example", rig.store.settings.config().encryption_key)
    with other.store() as hub:
        hub.set("there", b"value")
    rig.store.set("here", b"value")
    with rig.in_touch():
        until(lambda: len(rig.hub.pulls()) >= 2)
        until(lambda: rig.store.outbox.count_dirty() == (0, 0))
        rig.store.settings.set_remote(other.address)
        until(lambda: "there" in rig.store.keys())
        until(lambda: other.value("here") == b"value")
        until(rig.store.processes.is_in_touch)
    assert other.pulls()[0] == 0.0
    assert all(remote.closed.is_set() for remote in rig.hub.remotes)
    assert rig.said == [f"in touch with the hub {address}" for address in (rig.hub.address, other.address)]


def test_another_key_is_used_at_once(rig: Rig) -> None:
    with rig.in_touch():
        until(lambda: len(rig.hub.pulls()) >= 2)
        with rig.hub.store() as hub:
            hub.settings.set_encryption_key(bytes(32))
        rig.store.settings.set_encryption_key(bytes(32))
        rig.store.set("key", b"value")
        until(lambda: rig.hub.value("key") == b"value")


def test_other_limits_are_used_at_once(rig: Rig) -> None:
    with rig.in_touch():
        rig.store.settings.set_timeouts(3.5, 7.5)
        until(lambda: rig.hub.remotes[-1].limits == TimeLimits(3.5, 7.5))


def test_without_a_hub_it_does_nothing_until_there_is_one(rig: Rig) -> None:
    rig.hasten()
    with rig.in_touch():
        rig.store.settings.set_remote("")
        until(lambda: all(remote.closed.is_set() for remote in rig.hub.remotes))
        calls = len(rig.hub.calls)
        rig.store.set("key", b"value")
        time.sleep(0.1)
        assert len(rig.hub.calls) == calls
        rig.store.settings.set_remote(rig.hub.address)
        until(lambda: rig.hub.value("key") == b"value")


def test_a_hub_that_is_taken_away_while_the_loops_begin_is_left(rig: Rig) -> None:
    def take_away() -> None:
        with Store.open(rig.path) as store:
            until(store.processes.is_in_touch)
            store.settings.set_remote("")

    rig.hasten(started=take_away)
    with rig.running():
        until(lambda: bool(rig.hub.remotes) and all(remote.closed.is_set() for remote in rig.hub.remotes))


# The end


def test_it_ends_while_the_hub_is_being_waited_for(rig: Rig) -> None:
    with rig.in_touch():
        until(lambda: len(rig.hub.pulls()) >= 2)
    assert all(remote.closed.is_set() for remote in rig.hub.remotes)
    assert rig.said == [f"in touch with the hub {rig.hub.address}"]


def test_it_ends_although_it_was_about_to_wait_for_the_hub(rig: Rig) -> None:
    with rig.in_touch():
        until(lambda: len(rig.hub.pulls()) >= 2)
        session = rig.follower._pull_loop.session
        assert session is not None
        connected, calls = session.synchroniser, []

        def stop_before() -> Synchroniser | None:
            calls.append(session)
            if len(calls) == 2:  # once it has seen that it may go on
                rig.follower.stop()
            return connected()

        session.synchroniser = stop_before  # type: ignore[method-assign]
        with rig.hub.store() as hub:
            hub.set("key", b"value")
        until(lambda: len(rig.hub.pulls()) == 3)
    assert all(remote.closed.is_set() for remote in rig.hub.remotes)


def test_it_ends_when_that_was_asked_for_before_it_began(rig: Rig) -> None:
    rig.store.set("key", b"value")
    rig.follower.stop()
    rig.follower.run()
    assert rig.hub.value("key") == b"value"


def test_what_was_written_last_is_pushed_at_the_end(rig: Rig) -> None:
    with rig.in_touch():
        rig.store.set("key", b"value")
    assert rig.hub.value("key") == b"value"
    assert rig.store.outbox.count_dirty() == (0, 0)


def test_what_was_removed_last_is_pushed_at_the_end(rig: Rig) -> None:
    with rig.in_touch():
        node = save(rig.store, "key", b"value")
        until(lambda: rig.store.outbox.count_dirty() == (0, 0))
        rig.store.tree.unlink(node, is_scratch=is_scratch)
    assert rig.hub.value("key") is None
    assert rig.store.outbox.count_dirty() == (0, 0)


def test_a_hub_that_was_out_of_reach_is_not_tried_at_the_end(rig: Rig) -> None:
    rig.follower = rig.make(timings=TIMINGS._replace(first_pause=60.0))
    rig.hub.be_down()
    rig.store.set("key", b"value")
    with rig.running():
        until(lambda: len(rig.follower._push_loop._contact.troubles) == 2)
        rig.hub.be_up()
    assert rig.hub.value("key") is None
    assert rig.store.outbox.count_dirty()[0] == 1


def test_a_last_push_that_takes_long_is_given_up(rig: Rig) -> None:
    rig.follower = rig.make(timings=TIMINGS._replace(farewell=0.3))

    def hang() -> None:
        until(rig.hub.remotes[-1].closed.is_set)
        raise HubUnreachable(rig.hub.address, "the exchange was ended")

    with rig.in_touch():
        rig.hub.during["push"] = hang
        rig.store.set("key", b"value")
        until(lambda: rig.hub.pushes() == 1)
    assert rig.store.outbox.count_dirty()[0] == 1


@pytest.mark.parametrize("call", ["pull", "push"])
def test_a_failure_that_nobody_expected_ends_it_and_is_raised(rig: Rig, call: str) -> None:
    def fail() -> None:
        raise RuntimeError(f"in the {call}")

    rig.hub.during[call] = fail
    rig.store.set("key", b"value")
    with pytest.raises(RuntimeError, match=f"in the {call}"):
        rig.follower.run()
    assert rig.store.processes.followers() == []
    assert not [thread for thread in threading.enumerate() if thread.name == "kvassfs-pull"]


def test_a_database_that_cannot_be_opened_is_raised(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"something else" * 100)
    with pytest.raises(StoreError, match="is not a kvass database"):
        Follower(str(tmp_path / "file")).run()
