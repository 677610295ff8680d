"""Replicas agree in the end and lose nothing, whatever the network, the clocks and dying processes do.

A history is what a hypothesis state machine makes up; histories come in batches, each with a seed that its test's
name tells. KVASS_HISTORIES=100000 runs that many instead of the usual number, and `-k '[17]'` batch 17 again:

    KVASS_HISTORIES=100000 KVASS_TEST_WORKERS=2 ./contrib/test tests/property/test_convergence.py
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kvassfs.crypto import Seal
from kvassfs.errors import HubUnreachable, NotAHub, StoreError, SyncError, WrongKey
from kvassfs.store import Store, transit
from kvassfs.sync import Synchroniser
from tests.original import OriginalClient, OriginalHub, entries_of
from tests.replicas import (
    ADDRESS,
    KEY,
    WRONG_KEY,
    KvassHub,
    Pool,
    Replica,
    Version,
    Way,
    acknowledged,
    kept_tokens,
    kept_values,
    posted,
    small_messages,
    versions,
)
from tests.stores import DAY, REGULAR, SECOND, Clock, Fault, audit, audit_clean, count, failing, rows, save

HISTORIES = int(os.environ.get("KVASS_HISTORIES", "0"))

BATCH = 250
"""Histories in a batch."""

PEERS = 5
"""Replicas and original clients together, at most."""

ORIGINAL_IDS = 7001
"""Process ids of original clients from here on: greater than those of replicas, as well as …"""

SEAL = Seal(KEY)

OTHER_HUB_IDS = 8001

WHO = st.integers(0, PEERS)
KEYS = st.sampled_from("aabbc")
WRITES = st.sampled_from(["set", "remove", "save", "amend", "empty", "unlink", "rename", "change mode"])
MODES = st.sampled_from([REGULAR, 0o100755, 0o120777])

# Values up to 16 bytes are inline, up to 100 travel in their entry, and the others in blocks of 64.
SIZES = st.sampled_from([8, 60, 150, 330])

MOMENTS = st.sampled_from([0, 1000, SECOND // 10, SECOND // 10, 2 * SECOND, DAY, -DAY, 3 * DAY, -3 * DAY])

FATES = (
    *("arrives", "meanwhile_before", "meanwhile_after") * 3,
    "is_lost",
    "is_unanswered",
    "is_late",
    "is_repeated",
    "is_kept",
    "is_answered_with_an_earlier_answer",
    "meets_a_portal",
    "meets_nothing",
    "meets_a_failing_hub",
    "sender_dies_before",
    "sender_dies_after",
)
NUMBERS = st.integers(0, 60)

Fate = tuple[str, int]

PLANS = st.lists(st.tuples(st.sampled_from(FATES), NUMBERS), max_size=4)
"""What becomes of the messages of an exchange, one after another; those beyond arrive."""

EXCHANGES = st.sampled_from(["exchange", "pull", "push", "wait"])


class Crash(BaseException):
    """The process ends here, and what it would still do is not done."""


@cache
def pool() -> Pool:
    return Pool(PEERS + 1)


class Peers(RuleBasedStateMachine):
    """Replicas, original clients, a hub, and the network between them."""

    hub: KvassHub | OriginalHub

    def begin(self, replicas: int, originals: int, *, home: bool) -> None:
        self.random = Random(0)
        made = pool().replicas(1 + replicas, self.random)
        self.home = made[0] if home else None
        self.replicas = made[1:]
        self.writers = made if home else made[1:]
        self.hub = KvassHub(lambda: made[0].store, self.random.randbytes) if home else self.original_hub()
        self.original_clocks = [Clock(step=0) for _ in range(originals + 1)]
        self.originals = [self.original(number) for number in range(originals)]
        self.synchronisers: dict[int, Synchroniser] = {}
        self.plan: list[Fate] = []
        self.excused = True
        self.mail: list[tuple[str, bytes]] = []
        self.answers: dict[str, bytes] = {}
        self.owed: dict[str, bytes] = {}
        # What original clients have pushed; it is owed once it has reached a replica or a hub of this program.
        self.foreign: dict[str, bytes] = {}
        self.number = 0
        self.pushing: set[int] = set()
        self.latest = 0

    def original_hub(self) -> OriginalHub:
        return OriginalHub(9009, KEY, self.random.randbytes)

    def original(self, number: int) -> OriginalClient:
        return OriginalClient(
            ORIGINAL_IDS + number,
            KEY,
            self.random.randbytes,
            self.original_clocks[number],
            lambda call, body: self.carry(-1, call, body),
        )

    # The network

    def way(self, who: int) -> Way:
        return Way(lambda call, body, wait: self.carry(who, call, body, wait))

    def carry(self, who: int, call: str, body: bytes, wait: float = 0.0) -> bytes:
        """Carry a message to the hub, as the plan says, and return the answer."""
        fate, number = self.plan.pop(0) if self.plan else ("arrives", 0)
        if wait and isinstance(self.hub, KvassHub) and self.hub.answer(call, body, patient=True) is None:
            self.meanwhile(who, number)
        if fate.startswith("sender") and who < 0:
            fate = "is_lost"
        answer: bytes = getattr(self, fate)(who, call, body, number)
        return answer

    def arrives(self, who: int, call: str, body: bytes, number: int) -> bytes:
        answer = posted(self.hub, call, body)
        self.answers[call] = answer
        if who < 0 and call == "push":
            self.foreign |= {entry.url_token: entry.value for entry in entries_of(SEAL.unseal(body)) if entry.value}
        return answer

    def fail(self) -> HubUnreachable:
        self.excused = True
        return HubUnreachable(ADDRESS, "no answer")

    def is_lost(self, who: int, call: str, body: bytes, number: int) -> bytes:
        raise self.fail()

    def is_unanswered(self, who: int, call: str, body: bytes, number: int) -> bytes:
        self.arrives(who, call, body, number)
        raise self.fail()

    def is_late(self, who: int, call: str, body: bytes, number: int) -> bytes:
        self.mail.append((call, body))
        raise self.fail()

    def is_repeated(self, who: int, call: str, body: bytes, number: int) -> bytes:
        one, other = self.arrives(who, call, body, number), self.arrives(who, call, body, number)
        return one if number % 2 else other

    def is_kept(self, who: int, call: str, body: bytes, number: int) -> bytes:
        self.mail.append((call, body))
        return self.arrives(who, call, body, number)

    def is_answered_with_an_earlier_answer(self, who: int, call: str, body: bytes, number: int) -> bytes:
        earlier = self.answers.get(call)
        if earlier is None or who < 0:
            return self.arrives(who, call, body, number)
        self.excused = True
        return earlier

    def meets_a_portal(self, who: int, call: str, body: bytes, number: int) -> bytes:
        if who < 0:
            raise self.fail()
        self.excused = True
        return b"<!DOCTYPE html><title>Welcome to our network</title>"

    def meets_nothing(self, who: int, call: str, body: bytes, number: int) -> bytes:
        if who < 0:
            raise self.fail()
        self.excused = True
        return b""

    def meets_a_failing_hub(self, who: int, call: str, body: bytes, number: int) -> bytes:
        if self.home is None:
            raise self.fail()
        self.excused = True
        try:
            with failing(self.home.store.database, Fault(1 + number)):
                return self.arrives(who, call, body, number)
        finally:
            if number % 2 or self.home.store.database.connection.in_transaction:
                self.home.start_again()

    def sender_dies_before(self, who: int, call: str, body: bytes, number: int) -> bytes:
        self.replicas[who].die()
        raise Crash

    def sender_dies_after(self, who: int, call: str, body: bytes, number: int) -> bytes:
        self.arrives(who, call, body, number)
        return self.sender_dies_before(who, call, body, number)

    def meanwhile_before(self, who: int, call: str, body: bytes, number: int) -> bytes:
        self.meanwhile(who, number)
        return self.arrives(who, call, body, number)

    def meanwhile_after(self, who: int, call: str, body: bytes, number: int) -> bytes:
        answer = self.arrives(who, call, body, number)
        self.meanwhile(who, number)
        return answer

    # What happens while others are at work

    def meanwhile(self, who: int, number: int) -> None:
        """Let another process, of the same replica or another one, do something."""
        plan, self.plan = self.plan, []
        excused = self.excused
        actions: tuple[Callable[[], object], ...] = (
            lambda: self.exchange_undisturbed(number // 8 % len(self.replicas)),
            lambda: self.put(self.replicas[who], self.waiting_key(who, number), (8, 150)[number % 2]),
            lambda: self.unlink(self.replicas[who], self.waiting_key(who, number)),
            lambda: self.synchronise(who, "pull"),
            lambda: self.synchronise(who, "push"),
            lambda: self.set_another_remote(who),
            lambda: self.put(self.writers[0], "abc"[number % 3], (8, 150)[number % 2]),
            lambda: self.tidy(who),
        )
        actions[number % len(actions)]()
        self.plan, self.excused = plan, excused

    def waiting_key(self, who: int, number: int) -> str:
        """Return a key that is being pushed, if there is one."""
        keys = rows(self.replicas[who].store, "SELECT key FROM entries WHERE dirty ORDER BY key") or ["a"]
        return str(keys[number % len(keys)])

    def exchange_undisturbed(self, who: int) -> None:
        self.synchronise(who, "exchange")

    def synchronise(self, who: int, what: str) -> None:
        """Exchange with the hub as a new process, unless that would wait for one that is at it."""
        if who in self.pushing and what != "pull":
            return
        with self.pushes(who, what):
            getattr(self.replicas[who].synchroniser(self.way(who)), what)()

    @contextmanager
    def pushes(self, who: int, what: str) -> Iterator[None]:
        already = who in self.pushing
        if what in {"push", "exchange"}:
            self.pushing.add(who)
        try:
            yield
        finally:
            if not already:
                self.pushing.discard(who)

    def set_another_remote(self, who: int) -> None:
        self.replicas[who].store.set_remote(ADDRESS)

    def tidy(self, who: int) -> None:
        self.replicas[who].store.clean()
        if self.home is not None:
            self.home.store.clean()

    # Writing

    def writer(self, who: int) -> Replica:
        return self.writers[who % len(self.writers)]

    def value(self, size: int) -> bytes:
        """Return a value that was never written before; its blocks but the first and the last have been."""
        self.number += 1
        return (
            b"%6d %*d" % (self.number, size - 7, 0)
            if size <= 64
            else b"%6d%s%6d" % (self.number, b"x" * (size - 12), self.number)
        )

    def put(self, replica: Replica, key: str, size: int) -> None:
        value = self.value(size)
        self.owed[replica.store.set(key, value).url_token] = value

    @contextmanager
    def letting_go(self, replica: Replica, key: str, *, amends: bool = False) -> Iterator[None]:
        """What comes and goes in a moment, or is amended, before anybody else has it, is not owed any more."""
        store = replica.store
        row = store.entries.current(key)
        allowed = row is not None and (not row.handed if amends else store.entries.is_transient(row))
        before = kept_tokens(store)
        yield
        lost = before - kept_tokens(store)
        assert allowed or not lost
        for token in lost:
            self.owed.pop(token, None)

    def unlink(self, replica: Replica, key: str) -> None:
        node = replica.store.tree.file(key)
        if node is not None:
            with self.letting_go(replica, key):
                replica.store.tree.unlink(node)

    def write(self, who: int, how: str, key: str, new: str, size: int, mode: int) -> None:
        """Do what ``how`` names with the command line or in the mount of a replica, or of the hub."""
        replica = self.writer(who)
        store, tree = replica.store, replica.store.tree
        node = tree.file(key)
        if how == "set":
            self.put(replica, key, size)
        elif how == "remove":
            store.set(key, b"")
        elif how in {"save", "amend", "empty"}:
            value = self.value(size) if how != "empty" else b""
            amends = node.sequence if how == "amend" and node is not None else None
            with self.letting_go(replica, key, amends=amends is not None):
                save(store, key, value, mode=mode, amends=amends)
            row = store.entries.current(key)
            assert row is not None
            if value:
                self.owed[row.url_token] = value
        elif how == "unlink":
            self.unlink(replica, key)
        elif how == "rename" and node is not None and key != new:
            with self.letting_go(replica, key):
                tree.rename(node, new, scratch=False)
        elif how == "change mode" and node is not None:
            tree.set_mode(node, mode)

    @rule(who=WHO, how=WRITES, key=KEYS, new=KEYS, size=SIZES, mode=MODES)
    def write_somewhere(self, who: int, how: str, key: str, new: str, size: int, mode: int) -> None:
        self.write(who, how, key, new, size, mode)

    @rule(who=WHO, how=WRITES, key=KEYS, new=KEYS, size=SIZES, mode=MODES, what=EXCHANGES, plan=PLANS)
    def write_and_synchronise(
        self, who: int, how: str, key: str, new: str, size: int, mode: int, what: str, plan: list[Fate]
    ) -> None:
        who %= len(self.replicas)
        self.write(self.writers.index(self.replicas[who]), how, key, new, size, mode)
        self.attempt(who, what, plan, anew=True)

    # Time

    @rule(who=WHO, moment=MOMENTS, everywhere=st.booleans())
    def let_time_pass(self, who: int, moment: int, everywhere: bool) -> None:
        for replica in self.writers if everywhere else [self.writer(who)]:
            replica.clock.advance(moment)
            self.latest = max(self.latest, replica.clock.now)

    # Exchanges

    @rule(who=WHO, what=EXCHANGES, plan=PLANS, anew=st.booleans())
    def synchronise_a_replica(self, who: int, what: str, plan: list[Fate], anew: bool) -> None:
        who %= len(self.replicas)
        self.attempt(who, what, plan, anew=anew)

    def attempt(self, who: int, what: str, plan: list[Fate], *, anew: bool) -> None:
        """Exchange with the hub through a network with a plan; only what that explains may go wrong."""
        replica = self.replicas[who]
        synchroniser = self.synchronisers.pop(who, None)
        self.plan, self.excused = list(plan), False
        try:
            if synchroniser is None or anew:
                synchroniser = replica.synchroniser(self.way(who))
            with self.pushes(who, what):
                if what == "wait":
                    synchroniser.pull(wait=30)
                else:
                    getattr(synchroniser, what)()
            self.synchronisers[who] = synchroniser
        except Crash:
            replica.start_again()
        except (SyncError, StoreError):
            assert self.excused
            if replica.store.database.connection.in_transaction:
                replica.start_again()
        finally:
            self.plan, self.excused = [], True

    @invariant()
    def what_has_come_is_owed(self) -> None:
        if not self.foreign:
            return
        for replica in self.writers:
            for token in self.foreign.keys() & kept_tokens(replica.store):
                self.owed[token] = self.foreign.pop(token)

    @rule(who=WHO, what=EXCHANGES, at=st.integers(1, 60), plan=PLANS, dies=st.booleans())
    def synchronise_with_a_failing_disk(self, who: int, what: str, at: int, plan: list[Fate], dies: bool) -> None:
        who %= len(self.replicas)
        replica = self.replicas[who]
        fault = Fault(at)

        def strike(sql: str) -> None:
            self.excused = self.excused or fault.seen + 1 >= at
            fault(sql)

        with failing(replica.store.database, strike):
            self.attempt(who, what, plan, anew=True)
        if dies:
            replica.start_again()
            self.synchronisers.pop(who, None)

    @rule(who=WHO, what=EXCHANGES, at=st.integers(1, 60), number=NUMBERS)
    def synchronise_while_others_work(self, who: int, what: str, at: int, number: int) -> None:
        """Let another process do something between two statements of this one."""
        who %= len(self.replicas)
        replica = self.replicas[who]
        seen = 0

        def interrupt(_: str) -> None:
            nonlocal seen
            seen += 1
            if seen >= at and seen < 1000 and not replica.store.database.connection.in_transaction:
                seen = 1000
                self.meanwhile(who, number)

        with failing(replica.store.database, interrupt):
            self.attempt(who, what, [], anew=True)

    @precondition(lambda self: self.mail)
    @rule(number=NUMBERS, again=st.booleans())
    def deliver_what_is_late(self, number: int, again: bool) -> None:
        call, body = self.mail[number % len(self.mail)]
        if not again:
            self.mail.remove((call, body))
        try:
            posted(self.hub, call, body)
        except NotAHub:
            assert isinstance(self.hub, OriginalHub)

    @rule(who=WHO, what=st.sampled_from(["remote", "pull", "exchange"]))
    def set_the_remote_or_key_anew(self, who: int, what: str) -> None:
        who %= len(self.replicas)
        store = self.replicas[who].store
        if what == "remote":
            store.set_remote(ADDRESS)
            return
        store.set_encryption_key(WRONG_KEY)
        with pytest.raises(WrongKey):
            self.synchronise(who, what)
        store.set_encryption_key(KEY)

    @rule(who=WHO)
    def clean(self, who: int) -> None:
        self.writer(who).store.clean()

    # Original clients

    @precondition(lambda self: self.originals)
    @rule(who=WHO, what=st.sampled_from(["set", "push", "pull"]), key=KEYS, size=SIZES | st.just(0), plan=PLANS)
    def use_an_original(self, who: int, what: str, key: str, size: int, plan: list[Fate]) -> None:
        client = self.originals[who % len(self.originals)]
        if what == "set":
            client.set(key, self.value(size) if size else b"")
        else:
            self.use_the_original(client.push if what == "push" else client.pull, plan)

    @precondition(lambda self: self.originals)
    @rule(who=WHO, moment=MOMENTS)
    def let_time_pass_for_an_original(self, who: int, moment: int) -> None:
        self.original_clocks[who % len(self.originals)].advance(moment)

    def use_the_original(self, work: Callable[[], None], plan: list[Fate]) -> None:
        self.plan, self.excused = [fate for fate in plan if not fate[0].startswith("meanwhile")], False
        try:
            work()
        except SyncError:
            assert self.excused
        finally:
            self.plan, self.excused = [], True

    # In the end

    def teardown(self) -> None:
        if not hasattr(self, "latest"):
            return
        self.mail.clear()
        for replica in self.writers:
            # Whatever was kept back for a moment is not any more.
            self.latest = max(self.latest, replica.clock.now)
        for replica in self.writers:
            replica.clock.now = self.latest + 10 * SECOND
        self.exchange_all()
        self.check_agreement()
        self.check_that_nothing_is_lost()
        self.check_that_nothing_moves_any_more()
        self.check_stores()

    def exchange_all(self) -> None:
        for _ in range(2):
            for client in self.originals:
                client.push()
                client.pull()
            for who in range(len(self.replicas)):
                self.synchronise(who, "exchange")

    def check_agreement(self) -> None:
        raise NotImplementedError

    def check_that_nothing_is_lost(self) -> None:
        kept: dict[str, bytes] = {}
        for replica in self.writers:
            kept |= kept_values(replica.store)
        for token, value in self.owed.items():
            assert kept.get(token) == value, f"lost: {value!r}"

    def check_that_nothing_moves_any_more(self) -> None:
        for replica in self.replicas:
            moved = replica.synchroniser(self.way(self.replicas.index(replica))).exchange()
            assert (moved.pulled, moved.pushed) == (0, 0)

    def check_stores(self) -> None:
        for replica in self.writers:
            audit(replica.store)
            replica.start_again()
            replica.store.release_dead_holders()
            replica.clock.advance(transit.KEPT_TIME * 1000 + SECOND)
            audit_clean(replica.store)
            assert count(replica.store, "received") == 0


class Devices(Peers):
    """Replicas and original clients with a hub of this program."""

    home: Replica

    @initialize(replicas=st.integers(1, PEERS), originals=st.integers(0, 2))
    def make(self, replicas: int, originals: int) -> None:
        self.begin(replicas, min(originals, PEERS - replicas), home=True)
        self.backup: bytes | None = None
        self.unaware: dict[int, int] = {}

    @rule()
    def back_up_the_hub(self) -> None:
        self.backup = self.home.image()

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore_the_hub(self) -> None:
        assert self.backup is not None
        self.set_the_hub_back(self.backup)
        # Its counters begin again from there, but no time comes twice, not to the microsecond.
        self.home.clock.advance(333_000)

    def set_the_hub_back(self, image: bytes) -> None:
        """Let the hub have forgotten what came after; what it alone had is not owed any more."""
        before = self.kept_anywhere()
        self.home.set_back(image)
        for token in before - self.kept_anywhere():
            self.owed.pop(token, None)
        self.backup = None
        self.unaware = {who: replica.store.contacts.hub().epoch for who, replica in enumerate(self.replicas)}

    def kept_anywhere(self) -> set[str]:
        return set().union(*(kept_tokens(replica.store) for replica in self.writers))

    def set_another_remote(self, who: int) -> None:
        """Let there be another hub, an empty one, and one replica be told so."""
        self.set_the_hub_back(self.home.template)
        self.number += 1
        self.home.store.set_process_id(OTHER_HUB_IDS + self.number)
        super().set_another_remote(who)

    @invariant()
    def nothing_is_taken_for_acknowledged_that_the_hub_neither_has_nor_has_seen_beaten(self) -> None:
        at_hub = {key: version.order for key, version in versions(self.home.store).items()}
        for who, replica in enumerate(self.replicas):
            if self.unaware.get(who) == replica.store.contacts.hub().epoch:
                continue
            for key, order in acknowledged(replica.store).items():
                assert at_hub[key] >= order, f"replica {who}, key {key}"

    def check_agreement(self) -> None:
        expected = versions(self.home.store)
        for replica in self.replicas:
            assert versions(replica.store) == expected
        newcomer = self.original(len(self.originals))
        newcomer.pull()
        assert newcomer.values() == values_of(self.home.store)
        if not self.unaware:
            for client in self.originals:
                client.pull()
                self.check_original(client, expected)

    def check_original(self, client: OriginalClient, expected: dict[str, Version]) -> None:
        """Check that a client has what the hub has, but for what it never asks for or never pushes."""
        for key, version in expected.items():
            entry = client.entries.get(key)
            its_own = version.order[2] == -client.process_id
            if not its_own and (entry is None or not entry.needs_push):
                assert (b"" if entry is None else entry.value) == version.value


class DevicesOfAnOriginalHub(Peers):
    """Replicas and original clients with a hub of the original program, which takes whatever arrives."""

    hub: OriginalHub

    @initialize(replicas=st.integers(1, PEERS), originals=st.integers(0, 1))
    def make(self, replicas: int, originals: int) -> None:
        self.begin(replicas, min(originals, PEERS - replicas), home=False)

    def is_answered_with_an_earlier_answer(self, who: int, call: str, body: bytes, number: int) -> bytes:
        """Let it arrive: nothing in an answer of the original tells to which request it is one."""
        return self.arrives(who, call, body, number)

    def exchange_all(self) -> None:
        for _ in range(2):
            super().exchange_all()

    def check_agreement(self) -> None:
        expected = self.hub.values()
        for replica in self.replicas:
            assert values_of(replica.store) == expected


def values_of(store: Store) -> dict[str, bytes]:
    return {key: version.value for key, version in versions(store).items() if version.value}


def batches(usual: int) -> list[int]:
    return list(range(-(-(HISTORIES or usual) // BATCH)))


def run_batch(machine: type[Peers], number: int) -> None:
    batch = seed(number)(type(machine.__name__, (machine,), {}))
    with small_messages():
        run_state_machine_as_test(
            batch,
            settings=settings(
                max_examples=BATCH,
                stateful_step_count=25,
                derandomize=False,
                database=None,
                deadline=None,
                print_blob=True,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.parametrize("number", batches(2000))
def test_replicas_agree_and_lose_nothing_with_a_hub_of_this_program(number: int) -> None:
    run_batch(Devices, number)


@pytest.mark.parametrize("number", batches(500))
def test_replicas_agree_and_lose_nothing_with_a_hub_of_the_original_program(number: int) -> None:
    run_batch(DevicesOfAnOriginalHub, number)
