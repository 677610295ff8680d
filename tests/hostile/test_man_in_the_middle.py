"""Whoever carries the messages, and has not the key, clears no mark for what the hub lacks, and moves no cursor past what it has.

He sees every message of several devices, of an original client and of their hubs, of both kinds. He keeps them all, and
loses, repeats, mixes and reflects them: any body that he ever saw may be the answer to any request, and be sent to any hub as
any request. He may also lead a device to another hub that has the same key, which nothing but TLS prevents; what a device
believes of one hub is void then once it meets the other.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from random import Random
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from kvassfs.echo import is_echo
from kvassfs.entry import Entry
from kvassfs.errors import HubDowngraded, HubUnreachable, SyncError
from kvassfs.store import Store
from tests.support.original import OriginalClient, OriginalEntry, OriginalHub
from tests.support.replicas import (
    ADDRESS,
    KEY,
    SMALL_LIMITS,
    KvassHub,
    Pool,
    Replica,
    Way,
    acknowledged,
    posted,
    versions,
)
from tests.support.searches import examples
from tests.support.stores import SECOND, Clock

DEVICES = 3

PHASES = (Phase.explicit, Phase.generate)

CLIENT = DEVICES
"""The number of the original client, after those of the devices."""

CALLS = ("push", "pull", "blocks")

MOVES = (
    *["forward"] * 6,
    *("lose", "lose the answer", "be empty", "twice", "elsewhere"),
    *["old"] * 2,
    *["ask"] * 2,
    *["ask the same"] * 3,
    *["reflect"] * 2,
)
"""What becomes of a message; each goes with two numbers that say more."""

WHAT = ("exchange", "exchange", "pull", "push")

KEYS = "abc"

SIZES = (0, 8, 60, 150)
"""Bytes of values: 0 removes the key, and above 100 they travel in blocks."""

NUMBERS = 40

PLAN = st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, NUMBERS), st.integers(0, NUMBERS)), max_size=8)


def _drawn(name: str, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(name), st.fixed_dictionaries(parts))


WHO, HUB, PICKED = st.integers(0, DEVICES), st.integers(0, 3), st.integers(0, NUMBERS)

STEP = st.one_of(
    _drawn("write", who=WHO, key=st.sampled_from(KEYS), size=st.sampled_from(SIZES)),
    _drawn("exchange", who=WHO, what=st.sampled_from(WHAT), plan=PLAN),
    _drawn("send", which=PICKED, call=st.sampled_from(CALLS), hub=HUB),
    _drawn("set_remote", who=WHO, hub=HUB),
)

BUSTLE = 12
"""Steps of a bustle."""

Hub = KvassHub | OriginalHub


class RememberingHub(OriginalHub):
    """A hub of the original program of which is known what it ever had."""

    def __init__(self, process_id: int, random: Callable[[int], bytes]) -> None:
        super().__init__(process_id, KEY, random)
        self.ever: set[tuple[str, int, int, str]] = set()

    def take(self, entry: OriginalEntry, *, needs_push: bool) -> None:
        """Take an entry that arrives, and remember that."""
        self.ever.add((entry.key, entry.timestamp, entry.process_id, entry.url_token))
        super().take(entry, needs_push=needs_push)


class Sent(NamedTuple):
    """A body that was seen: as which call it was sent, by whom, in which of its times with a hub; ``None``: an answer."""

    call: str
    body: bytes
    sender: tuple[int, int] | None


@cache
def pool() -> Pool:
    return Pool(DEVICES + 2)


class Man(RuleBasedStateMachine):
    """Devices, hubs and the man between them."""

    @initialize(
        hubs=st.lists(st.integers(0, 3), min_size=DEVICES + 1, max_size=DEVICES + 1), seed=st.integers(0, 2**32)
    )
    def begin(self, hubs: list[int], seed: int) -> None:
        self.random = Random(seed)
        made = pool().replicas(DEVICES + 2, self.random)
        self.devices = made[2:]
        self.homes = made[:2]
        self.homes[1].store.settings.set_remote("")
        self.hubs: list[Hub] = [
            *(KvassHub(self._opened(home), self.random.randbytes, SMALL_LIMITS) for home in self.homes),
            *(RememberingHub(9000 + number, self.random.randbytes) for number in range(2)),
        ]
        self.hub_of = list(hubs)
        self.times = [0] * (DEVICES + 1)
        self.led_away = [False] * DEVICES
        self.seen: list[Sent] = []
        self.plan: list[tuple[str, int, int]] = []
        self.client_clock = Clock(step=1000)
        self.client = OriginalClient(7001, KEY, self.random.randbytes, self.client_clock, self._carry_for_client)
        self.number = 0
        for number, replica in enumerate(made):
            replica.clock.step = 1_000_000
            replica.clock.advance(number * 1000)

    @staticmethod
    def _opened(home: Replica) -> Callable[[], Store]:
        return lambda: home.store

    # What the devices do

    def write(self, who: int, key: str, size: int) -> None:
        self.number += 1
        value = b"%*d" % (size, self.number) if size else b""
        self.client_clock.advance(SECOND)
        if who == CLIENT:
            self.client.set(key, value)
        elif value:
            self.devices[who].store.set(key, value)
        elif key in self.devices[who].store.keys():
            self.devices[who].store.delete(key)

    def exchange(self, who: int, what: str, plan: list[tuple[str, int, int]]) -> None:
        self.plan = list(plan)
        try:
            if who == CLIENT:
                self.client.push()
                self.client.pull()
            else:
                synchroniser = self.devices[who].synchroniser(self._way(who), SMALL_LIMITS)
                getattr(synchroniser, what)()
        except Exception as error:
            if who != CLIENT and not isinstance(error, SyncError):  # the original takes whatever it can read
                raise
        finally:
            self.plan = []

    def set_remote(self, who: int, hub: int) -> None:
        self.hub_of[who] = hub
        self.times[who] += 1
        if who != CLIENT:
            self.devices[who].store.settings.set_remote(ADDRESS)
            self.led_away[who] = False

    # What the man does

    def send(self, which: int, call: str, hub: int) -> None:
        """Send something that was seen to some hub, as some request."""
        if self.seen:
            with suppress(SyncError):
                self._ask(self._pick(which), call, hub)

    @rule(step=STEP)
    def let(self, step: tuple[str, dict[str, Any]]) -> None:
        """Take a step."""
        name, values = step
        getattr(self, name)(**values)
        self._check_all()

    @rule(number=st.integers(0, 2**32))
    def bustle(self, number: int) -> None:
        """Take many random steps."""
        random = Random(number)
        for _ in range(BUSTLE):
            step = invent_step(random)
            note(f"    state.let({step})")
            self.let(step)

    def _way(self, who: int) -> Way:
        return Way(lambda call, body, _: self._carry(who, call, body))

    def _carry_for_client(self, call: str, body: bytes) -> bytes:
        return self._carry(CLIENT, call, body)

    def _carry(self, who: int, call: str, body: bytes) -> bytes:
        sent = Sent(call, body, (who, self.times[who]))
        self.seen.append(sent)
        move, first, second = self.plan.pop(0) if self.plan else ("forward", 0, 0)
        own = self.hub_of[who]
        if move == "lose":
            raise HubUnreachable(ADDRESS, "no answer")
        if move == "be empty":
            return b""
        if move == "old":
            return self._pick(first).body
        if move == "ask":
            return self._ask(self._pick(first), CALLS[second % 3], own)
        if move == "ask the same":
            requests = [each for each in self.seen if each.sender is not None and each.call == call]
            return self._ask(requests[-1 - first % len(requests)], call, own)
        if move == "reflect":
            return self._ask(sent, CALLS[second % 3], own)
        if move == "elsewhere":
            return self._ask(sent, call, second % 4)
        answer = self._ask(sent, call, own)
        if move == "twice":
            answer = self._ask(sent, call, own)
        if move == "lose the answer":
            raise HubUnreachable(ADDRESS, "no answer")
        return answer

    def _pick(self, which: int) -> Sent:
        """Return something that was seen, of late above all."""
        return self.seen[-1 - which % len(self.seen)]

    def _ask(self, sent: Sent, call: str, hub: int) -> bytes:
        if sent.sender is not None:
            who, time = sent.sender
            if who != CLIENT and hub != self.hub_of[who] and time == self.times[who]:
                self.led_away[who] = True
        try:
            answer = posted(self.hubs[hub], call, sent.body)
        except Exception as error:
            if isinstance(error, SyncError) or not isinstance(self.hubs[hub], OriginalHub):
                raise
            raise HubUnreachable(ADDRESS, "status 500") from error
        self.seen.append(Sent(call, answer, None))
        return answer

    # What holds

    def _check_all(self) -> None:
        for who, device in enumerate(self.devices):
            if not self.led_away[who]:
                self._check(device, self.hubs[self.hub_of[who]])

    def _check(self, device: Replica, hub: Hub) -> None:
        mine = {
            key: Entry(key, *row)
            for key, *row in device.store._database.rows(
                "SELECT key, timestamp, counter, process_id, url_token, size FROM entries"
            )
        }
        cursor = device.store.peers.hub().cursor
        if isinstance(hub, RememberingHub):
            for key in acknowledged(device.store):
                assert mine[key].write in hub.ever, f"{key} was never at the hub"
            for entry in hub.entries.values():
                if entry.counter <= cursor and not is_echo(entry.key):
                    assert entry.key in mine, f"{entry.key} was passed over"
                    assert mine[entry.key].timestamp >= entry.timestamp, f"{entry.key} was passed over"
            return
        store = self.homes[self.hubs.index(hub)].store
        there = {key: version.order for key, version in versions(store).items()}
        for key, order in acknowledged(device.store).items():
            assert there.get(key, (0, 0, 0)) >= order, f"{key} is not at the hub"
        for key, sequence in store._database.rows("SELECT key, sequence FROM entries"):
            if sequence <= cursor:
                assert key in mine, f"{key} was passed over"
                assert mine[key].order >= there[key], f"{key} was passed over"

    def teardown(self) -> None:
        """When the man has gone, nothing is missing anywhere that was not missing by itself."""
        for who, device in enumerate(getattr(self, "devices", ())):
            for _ in range(2):
                try:
                    device.synchroniser(self._way(who), SMALL_LIMITS).exchange()
                except HubDowngraded:  # he had led it to another hub, of version 2
                    assert isinstance(self.hubs[self.hub_of[who]], OriginalHub)
                    self.set_remote(who, self.hub_of[who])
                    device.synchroniser(self._way(who), SMALL_LIMITS).exchange()
            self.led_away[who] = False
            assert device.store.outbox.count_dirty() == (0, 0)
            self._check(device, self.hubs[self.hub_of[who]])


def invent_step(random: Random) -> tuple[str, dict[str, Any]]:
    """Return a random step and what says how it is done."""
    who = random.randrange(DEVICES + 1)
    (name,) = random.choices(("write", "exchange", "send", "set_remote"), (4, 8, 2, 1))
    if name == "write":
        return name, {"who": who, "key": random.choice(KEYS), "size": random.choice(SIZES)}
    if name == "send":
        return name, {"which": random.randrange(NUMBERS), "call": random.choice(CALLS), "hub": random.randrange(4)}
    if name == "set_remote":
        return name, {"who": who, "hub": random.choice((0, 1, 2, 2, 2, 3))}
    plan = [
        (random.choice(MOVES), random.randrange(NUMBERS), random.randrange(NUMBERS)) for _ in range(random.randrange(9))
    ]
    return name, {"who": who, "what": random.choice(WHAT), "plan": plan}


def test_he_does_no_harm() -> None:
    run_state_machine_as_test(
        Man,
        settings=settings(
            max_examples=examples(60, long=20_000),
            stateful_step_count=8,
            report_multiple_bugs=False,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )
