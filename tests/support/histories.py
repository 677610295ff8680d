"""Replicas, original clients and a hub of either kind, the network between them, and all that can happen to them.

Everything here can be asked of ``Peers`` in any order, with numbers that stand for any of those that there are.
What must hold is checked on the way, by ``check``, and by ``end``.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from kvassfs.conflict import Origin, find_origin
from kvassfs.entry import MAX_TARGET
from kvassfs.errors import HubUnreachable, NotAHub, StoreError, SyncError, WrongKey
from kvassfs.store import Store, blocks
from kvassfs.sync import Synchroniser
from kvassfs.sync.seal import Seal
from tests.support.original import OriginalClient, OriginalHub, entries_of
from tests.support.replicas import (
    ADDRESS,
    KEY,
    SMALL_LIMITS,
    WRONG_KEY,
    KvassHub,
    Replica,
    Version,
    Way,
    acknowledged,
    kept_tokens,
    kept_values,
    kept_versions,
    posted,
    versions,
)
from tests.support.stores import (
    REGULAR,
    SECOND,
    Clock,
    Fault,
    audit,
    audit_clean,
    count,
    failing,
    is_scratch,
    rows,
    save,
)

ORIGINAL_IDS = 7001
"""Process ids of original clients from here on: greater than those of replicas."""

OTHER_HUB_IDS = 8001

MISDATED = "d"
"""A key that is written while clocks are wrong."""

MILLISECOND = SECOND // 1000

SEAL = Seal(KEY)

FATES = (
    *("arrives", "meanwhile_before", "meanwhile_after") * 3,
    "is_lost",
    "is_unanswered",
    "is_late",
    "is_repeated",
    "is_kept",
    "gets_an_earlier_answer",
    "meets_a_portal",
    "meets_nothing",
    "meets_a_failing_hub",
    "sender_dies_before",
    "sender_dies_after",
)
"""What becomes of a message; each goes with a number that says more."""

Fate = tuple[str, int]

Moment = Callable[[int], object]


class Crash(BaseException):
    """The process ends here, and what it would still do is not done."""


def possible_mode(mode: int, size: int) -> int:
    """Return ``mode``, but for a symlink that leads nowhere, which no mount makes, and no message carries."""
    return REGULAR if stat.S_ISLNK(mode) and not 0 < size <= MAX_TARGET else mode


class Peers:
    """``made`` are replicas, of which the first is the hub, unless that is one of the original program.

    ``relay``: the second one is the hub of the others, and the first one its own. ``steady``: no store is set back
    or replaced. ``true_clocks``: a clock that jumps comes back at once, and only the key ``MISDATED`` is written meanwhile.
    """

    def __init__(
        self,
        made: list[Replica],
        originals: int,
        *,
        original_hub: bool = False,
        relay: bool = False,
        steady: bool = False,
        true_clocks: bool = False,
    ) -> None:
        self.random = made[0].random
        self.home = None if original_hub else made[0]
        self.replicas = made[1:]
        self.writers = made[1:] if original_hub else made
        self.hub = OriginalHub(9009, KEY, self.random) if original_hub else self.hub_of(made[0])
        self.relay = relay
        self.steady = steady
        self.true_clocks = true_clocks and not original_hub
        self.original_clocks = [Clock(step=0) for _ in range(originals + 1)]
        self.originals = [self.original(number) for number in range(originals)]
        self.synchronisers: dict[int, Synchroniser] = {}
        self.plan: list[Fate] = []
        self.excused = True
        self.mail: list[tuple[int, str, bytes]] = []
        self.answers: dict[str, bytes] = {}
        self.backups: dict[int, bytes] = {}
        # Replicas whose hub was replaced or set back, until they have been in touch with it.
        self.unaware: set[int] = set()
        self.replaced = 0
        # Whether a replica was set back. If its hub were as well, none would know what it has forgotten.
        self.renewed = False
        # By their tokens: all that was written, but for what may be forgotten; and what original clients have pushed,
        # which is owed once it has reached a replica or a hub of this program.
        self.owed: dict[str, bytes] = {}
        self.foreign: dict[str, bytes] = {}
        # When a version of a key came about, in true time; by key and token.
        self.dated: dict[tuple[str, str], int] = {}
        # What each version of a key came after, by key, process id and counter.
        self.pasts: dict[tuple[str, int, int], frozenset[Origin]] = {}
        self.number = 0
        self.pushing: set[int] = set()
        self.latest = made[0].clock.now

    def hub_of(self, replica: Replica) -> KvassHub:
        return KvassHub(lambda: replica.store, self.random, SMALL_LIMITS)

    def original(self, number: int) -> OriginalClient:
        clock = self.original_clocks[number]
        return OriginalClient(
            ORIGINAL_IDS + number, KEY, self.random, clock, lambda call, body: self.carry(-1, call, body)
        )

    def upstream(self, who: int) -> KvassHub | OriginalHub:
        """Return the hub of a replica; -1 is an original client."""
        return self.hub_of(self.replicas[0]) if self.relay and who > 0 else self.hub

    # The network

    def way(self, who: int) -> Way:
        return Way(lambda call, body, wait: self.carry(who, call, body, wait))

    def carry(self, who: int, call: str, body: bytes, wait: float = 0.0) -> bytes:
        """Carry a message to the hub, as the plan says, and return the answer."""
        fate, number = self.plan.pop(0) if self.plan else ("arrives", 0)
        hub = self.upstream(who)
        if wait and isinstance(hub, KvassHub) and hub.answer(call, body, patient=True) is None:
            self.meanwhile(who, number)
        answer: bytes = getattr(self, f"_{fate}")(who, call, body, number)
        return answer

    def _arrives(self, who: int, call: str, body: bytes, number: int = 0) -> bytes:
        answer = posted(self.upstream(who), call, body)
        self.answers[call] = answer
        if who < 0 and call == "push":
            self.foreign |= {entry.url_token: entry.value for entry in entries_of(SEAL.unseal(body)) if entry.value}
        return answer

    def _fails(self) -> HubUnreachable:
        self.excused = True
        return HubUnreachable(ADDRESS, "no answer")

    def _is_lost(self, who: int, call: str, body: bytes, number: int) -> bytes:
        raise self._fails()

    def _is_unanswered(self, who: int, call: str, body: bytes, number: int) -> bytes:
        self._arrives(who, call, body)
        raise self._fails()

    def _is_late(self, who: int, call: str, body: bytes, number: int) -> bytes:
        self.mail.append((who, call, body))
        raise self._fails()

    def _is_repeated(self, who: int, call: str, body: bytes, number: int) -> bytes:
        one, other = self._arrives(who, call, body), self._arrives(who, call, body)
        return one if number % 2 else other

    def _is_kept(self, who: int, call: str, body: bytes, number: int) -> bytes:
        self.mail.append((who, call, body))
        return self._arrives(who, call, body)

    def _gets_an_earlier_answer(self, who: int, call: str, body: bytes, number: int) -> bytes:
        # Nothing in an answer of the original tells one of its clients to which request it is one.
        if call not in self.answers or who < 0:
            return self._arrives(who, call, body)
        self.excused = True
        return self.answers[call]

    def _meets_a_portal(self, who: int, call: str, body: bytes, number: int) -> bytes:
        if who < 0:
            raise self._fails()
        self.excused = True
        return b"<!DOCTYPE html><title>Welcome to our network</title>"

    def _meets_nothing(self, who: int, call: str, body: bytes, number: int) -> bytes:
        if who < 0:
            raise self._fails()
        self.excused = True
        return b""

    def _meets_a_failing_hub(self, who: int, call: str, body: bytes, number: int) -> bytes:
        home = self.replicas[0] if self.relay and who > 0 else self.home
        if home is None:
            raise self._fails()
        self.excused = True
        try:
            with failing(home.store._database, Fault(1 + number)):
                return self._arrives(who, call, body)
        finally:
            if number % 2:
                home.start_again()
                self.synchronisers.clear()

    def _sender_dies_before(self, who: int, call: str, body: bytes, number: int) -> bytes:
        if who < 0:
            raise self._fails()
        self.replicas[who].die()
        raise Crash

    def _sender_dies_after(self, who: int, call: str, body: bytes, number: int) -> bytes:
        self._arrives(who, call, body)
        return self._sender_dies_before(who, call, body, number)

    def _meanwhile_before(self, who: int, call: str, body: bytes, number: int) -> bytes:
        self.meanwhile(who, number)
        return self._arrives(who, call, body)

    def _meanwhile_after(self, who: int, call: str, body: bytes, number: int) -> bytes:
        answer = self._arrives(who, call, body)
        self.meanwhile(who, number)
        return answer

    # What happens while others are at work

    def meanwhile(self, who: int, number: int) -> None:
        """Let another process, of the same replica or another one, do something."""
        if who < 0:
            return
        plan, self.plan = self.plan, []
        excused = self.excused
        replica, size = self.replicas[who], (8, 150)[number % 2]
        actions: tuple[Callable[[], object], ...] = (
            lambda: self.undisturbed(number // 8 % len(self.replicas), "exchange"),
            lambda: self.put(replica, self.waiting_key(who, number), size),
            lambda: self.unlink(replica, self.waiting_key(who, number)),
            lambda: self.undisturbed(who, "pull"),
            lambda: self.undisturbed(who, "push"),
            lambda: self.set_another_remote(who),
            lambda: self.put(self.writers[0], "abc"[number % 3], size),
            self.clean_everywhere,
        )
        actions[number % len(actions)]()
        self.plan, self.excused = plan, excused

    def waiting_key(self, who: int, number: int) -> str:
        """Return a key that is being pushed, if there is one."""
        keys = rows(self.replicas[who].store, "SELECT key FROM entries WHERE dirty ORDER BY key") or ["a"]
        return str(keys[number % len(keys)])

    def undisturbed(self, who: int, what: str) -> None:
        """Exchange with the hub as a new process, unless that would wait for one that is at it."""
        if who in self.pushing and what != "pull":
            return
        self._run(who, self.replicas[who].synchroniser(self.way(who), SMALL_LIMITS), what)

    def _run(self, who: int, synchroniser: Synchroniser, what: str) -> None:
        before = self.replaced
        with self._pushes(who, what):
            if what == "wait":
                synchroniser.pull(wait=30)
            else:
                getattr(synchroniser, what)()
        if self.replaced == before and what != "push" and synchroniser._client.is_current:
            self.unaware.discard(who)

    @contextmanager
    def _pushes(self, who: int, what: str) -> Iterator[None]:
        already = who in self.pushing
        if what in {"push", "exchange"}:
            self.pushing.add(who)
        try:
            yield
        finally:
            if not already:
                self.pushing.discard(who)

    def set_another_remote(self, who: int) -> None:
        """Let there be another hub, an empty one, and one replica be told so."""
        if self.home is not None and not self.renewed and not self.steady:
            self._set_back(self.home, self.home.template)
            self.number += 1
            self.home.store.settings.set_process_id(OTHER_HUB_IDS + self.number)
        self.replicas[who].store.settings.set_remote(ADDRESS)

    def clean_everywhere(self) -> None:
        for replica in self.writers:
            replica.store.upkeep.clean()

    # Writing

    def writer(self, who: int) -> Replica:
        return self.writers[who % len(self.writers)]

    def value(self, size: int) -> bytes:
        """Return a value that was never written before; its blocks but the first and the last have been."""
        self.number += 1
        filling = b"x" * (size - 12) if size > 64 else b""
        return b"%6d%s%*d" % (self.number, filling, size - 6 - len(filling), self.number % 10)

    def put(self, replica: Replica, key: str, size: int) -> None:
        value = self.value(size)
        with self._dating(replica, key):
            self.owed[replica.store.set(key, value).url_token] = value

    @contextmanager
    def _dating(self, replica: Replica, *keys: str) -> Iterator[None]:
        """Note when the versions came about that keys have afterwards."""
        before = [replica.store._entries.current(key) for key in keys]
        yield
        for key, old in zip(keys, before, strict=True):
            row = replica.store._entries.current(key)
            if row is not None and (old is None or row.url_token != old.url_token):
                self.dated[key, row.url_token] = replica.clock.true
            if row is not None and old is not None and row.counter != old.counter:
                past = self.pasts.get((key, old.process_id, old.counter), frozenset())
                came_after = past | {Origin(old.process_id, old.counter), find_origin(old.entry)}
                self.pasts[key, row.process_id, row.counter] = came_after

    @contextmanager
    def _letting_go(self, replica: Replica, key: str, *, amends: bool = False) -> Iterator[None]:
        """What comes and goes in a moment, or is amended, before anybody else has it, is not owed any more."""
        store = replica.store
        row = store._entries.current(key)
        allowed = row is not None and (not row.is_final if amends else store._entries.is_transient(row))
        before = kept_tokens(store)
        yield
        lost = before - kept_tokens(store)
        assert allowed or not lost
        for token in lost:
            self.owed.pop(token, None)

    def unlink(self, replica: Replica, key: str) -> None:
        node = replica.store.tree.file(key)
        if node is not None:
            with self._dating(replica, key), self._letting_go(replica, key):
                replica.store.tree.unlink(node, is_scratch=is_scratch)

    def save(self, replica: Replica, key: str, size: int, mode: int, *, amend: bool) -> None:
        store = replica.store
        node = store.tree.file(key)
        amends = node.sequence if amend and node is not None else None
        value = self.value(size) if size else b""
        with self._dating(replica, key), self._letting_go(replica, key, amends=amends is not None):
            save(store, key, value, mode=mode, amends=amends)
        if value:
            (token,) = rows(store, "SELECT url_token FROM entries WHERE key = ?", key)
            self.owed[token] = value

    def write(self, who: int, how: str, key: str, new: str, size: int, mode: int = REGULAR) -> None:
        """Do what ``how`` names, with the command line or in the mount, of a replica or the hub."""
        self._write(self.writer(who), how, key, new, size, mode)

    def _write(self, replica: Replica, how: str, key: str, new: str, size: int, mode: int) -> None:
        node = replica.store.tree.file(key)
        if how == "set":
            self.put(replica, key, size)
        elif how == "remove":
            with self._dating(replica, key):
                replica.store.set(key, b"")
        elif how in {"save", "amend", "empty"}:
            size = 0 if how == "empty" else size
            self.save(replica, key, size, possible_mode(mode, size), amend=how == "amend")
        elif how == "unlink":
            self.unlink(replica, key)
        elif how == "rename" and node is not None and key != new:
            with self._dating(replica, key, new), self._letting_go(replica, key):
                replica.store.tree.rename(node, new, is_scratch=is_scratch)
        elif how == "change time" and node is not None:
            replica.store.tree.set_times(node, size, None, replica.clock.now)
        elif how == "change mode" and node is not None:
            replica.store.tree.set_mode(node, possible_mode(mode, node.size))

    def change_directory(
        self, who: int, directory_doing: str, directory: str, new_directory: str, size: int, mode: int
    ) -> None:
        """Do what ``directory_doing`` names in the mount of a replica or the hub, if it can be done there."""
        replica = self.writer(who)
        tree = replica.store.tree
        prefix = f"{directory}/"
        if directory_doing in {"save", "unlink"}:
            # Among them the value that shares its key with the directory's entry.
            key = prefix + ("", "k", "l")[size % 3]
            self._write(replica, directory_doing, key, key, size, REGULAR)
        elif tree.directory(prefix) is None:
            tree.directories.make(prefix, 0o40000 | mode & 0o777, is_scratch=is_scratch)
        elif directory_doing == "remove" and tree.is_empty(prefix):
            tree.directories.remove(prefix, is_scratch=is_scratch)
        elif directory_doing == "change mode":
            tree.directories.set(prefix, mode=0o40000 | mode & 0o777, is_scratch=is_scratch)
        elif directory_doing == "change time":
            tree.directories.set(prefix, mtime=size, is_scratch=is_scratch)
        elif directory_doing == "rename":
            self._rename_directory(replica, prefix, f"{new_directory}/")

    def _rename_directory(self, replica: Replica, prefix: str, new: str) -> None:
        tree, entries = replica.store.tree, replica.store._entries
        is_nested = prefix.startswith(new) or new.startswith(prefix)
        if is_nested or (tree.directory(new) is not None and not tree.is_empty(new)):
            return
        before = kept_tokens(replica.store)
        allowed = any(entries.is_transient(row) for row in entries.below(prefix))
        tree.rename_directory(prefix, new, is_scratch=is_scratch)
        lost = before - kept_tokens(replica.store)
        assert allowed or not lost
        for token in lost:
            self.owed.pop(token, None)

    def write_on_two(self, who: int, number: int, key: str, size: int) -> None:
        """Set a key on one replica, and some seconds later on another that need not have seen that."""
        self.put(self.writer(who), key, size)
        self.let_time_pass(3 * SECOND)
        self.put(self.writer(who + number), key, size)

    # Time

    def let_time_pass(self, moment: int) -> None:
        for replica in self.writers:
            replica.clock.advance(abs(moment))
            self.latest = max(self.latest, replica.clock.now)

    def set_clock(self, who: int, moment: int, what: str) -> None:
        """Let the clock of a replica jump. Where clocks have to be right, it comes back after something was written."""
        replica = self.writer(who)
        is_hub = replica is self.home or (self.relay and replica is self.replicas[0])
        if self.true_clocks and is_hub:
            return
        replica.clock.jump(moment)
        self.latest = max(self.latest, replica.clock.now)
        if self.true_clocks:
            self.put(replica, MISDATED, 8)
            self.synchronise(self.replicas.index(replica), what, [])
            replica.clock.jump(-moment)

    def set_clock_right(self, who: int) -> None:
        clock = self.writer(who).clock
        clock.jump(-clock.error)

    def boot(self, who: int) -> None:
        """Start the system of a replica anew, which has not measured the clock of its hub then."""
        who %= len(self.replicas)
        self.replicas[who].machine.boots += 1
        self.replicas[who].start_again()
        self.synchronisers.pop(who, None)

    # Exchanges

    def write_and_synchronise(
        self, who: int, how: str, key: str, new: str, size: int, mode: int, what: str, plan: list[Fate]
    ) -> None:
        who %= len(self.replicas)
        self._write(self.replicas[who], how, key, new, size, mode)
        self.synchronise(who, what, plan)

    def synchronise(self, who: int, what: str, plan: list[Fate], anew: bool = True) -> None:
        """Exchange with the hub through a network with a plan; only what that explains may go wrong."""
        who %= len(self.replicas)
        synchroniser = self.synchronisers.pop(who, None)
        self.plan, self.excused = list(plan), False
        try:
            if synchroniser is None or anew:
                synchroniser = self.replicas[who].synchroniser(self.way(who), SMALL_LIMITS)
            self._run(who, synchroniser, what)
            self.synchronisers[who] = synchroniser
        except Crash:
            self.replicas[who].start_again()
        except (SyncError, StoreError):
            assert self.excused
        finally:
            self.plan, self.excused = [], True

    def synchronise_with_a_failing_disk(
        self,
        who: int,
        what: str,
        at: int,
        plan: list[Fate],
        dies: bool,
    ) -> None:
        """Let a statement fail and all after it, until the process begins again or the disk is mended."""
        who %= len(self.replicas)
        fault = Fault(1 + at)

        def strike(sql: str) -> None:
            self.excused = self.excused or fault.seen >= at
            fault(sql)

        with failing(self.replicas[who].store._database, strike):
            self.synchronise(who, what, plan)
        if dies:
            self.replicas[who].start_again()
            self.synchronisers.pop(who, None)

    def synchronise_while_others_work(self, who: int, what: str, at: int, number: int) -> None:
        """Let another process do something between two statements of this one."""
        who %= len(self.replicas)
        database = self.replicas[who].store._database
        seen = 0

        def interrupt(_: str) -> None:
            nonlocal seen
            seen += 1
            if at < seen < 1000 and not database.connection.in_transaction:
                seen = 1000
                self.meanwhile(who, number)

        with failing(database, interrupt):
            self.synchronise(who, what, [])

    def deliver_what_is_late(self, number: int, again: bool) -> None:
        if not self.mail:
            return
        who, call, body = message = self.mail[number % len(self.mail)]
        if not again:
            self.mail.remove(message)
        hub = self.upstream(who)
        with suppress(*[NotAHub] * isinstance(hub, OriginalHub)):  # which knows of no blocks
            posted(hub, call, body)

    # Settings and files

    def set_the_remote_anew(self, who: int) -> None:
        self.replicas[who % len(self.replicas)].store.settings.set_remote(ADDRESS)

    def try_another_key(self, who: int, what: str) -> None:
        who %= len(self.replicas)
        store = self.replicas[who].store
        store.settings.set_encryption_key(WRONG_KEY)
        if what in {"pull", "exchange"}:
            with pytest.raises(WrongKey):
                self.undisturbed(who, what)
        store.settings.set_encryption_key(KEY)

    def clean(self, who: int) -> None:
        self.writer(who).store.upkeep.clean()

    def back_up(self, who: int) -> None:
        who %= len(self.writers)
        self.backups[who] = self.writers[who].image()

    def restore(self, who: int) -> None:
        """Set a replica or the hub back to a backup.

        What a replica has sent before arrives no more, and it is in touch with its hub before it goes on.
        """
        who %= len(self.writers)
        image = None if self.steady else self.backups.pop(who, None)
        replica = self.writers[who]
        if image is None or (replica is self.home and self.renewed) or (replica is not self.home and self.replaced):
            return
        self._set_back(replica, image)
        # Its counters begin again from there, but no time comes twice, not to the microsecond.
        self.let_time_pass(333_000)
        if replica is not self.home:
            number = self.replicas.index(replica)
            self.synchronisers.pop(number, None)
            self.mail = [message for message in self.mail if message[0] != number]
            self.renewed = True
            self.undisturbed(number, "pull")

    def _set_back(self, replica: Replica, image: bytes) -> None:
        """Let a store have forgotten what came after; what it alone had is not owed any more."""
        before = self._kept_anywhere()
        replica.set_back(image)
        for token in before - self._kept_anywhere():
            self.owed.pop(token, None)
        if replica is self.home:
            self.replaced += 1
            self.unaware |= set(range(1) if self.relay else range(len(self.replicas)))
        elif self.relay and replica is self.replicas[0]:
            self.replaced += 1
            self.unaware |= set(range(1, len(self.replicas)))

    def _kept_anywhere(self) -> set[str]:
        return set().union(*(kept_tokens(replica.store) for replica in self.writers))

    # Original clients

    def use_an_original(self, who: int, doing: str, key: str, size: int, moment: int, plan: list[Fate]) -> None:
        if not self.originals:
            return
        who %= len(self.originals)
        client = self.originals[who]
        key = MISDATED if self.true_clocks else key
        if doing in {"set", "remove"}:
            self.original_clocks[who].advance(moment)
            client.set(key, self.value(size) if doing == "set" else b"")
            return
        self.plan, self.excused = list(plan), False
        try:
            getattr(client, doing)()
        except SyncError:
            assert self.excused
        finally:
            self.plan, self.excused = [], True

    # What holds

    def check(self) -> None:
        """Check what must hold at any time."""
        for replica in self.writers if self.foreign else ():
            for token in self.foreign.keys() & kept_tokens(replica.store):
                self.owed[token] = self.foreign.pop(token)
        if isinstance(self.hub, KvassHub):
            self._check_marks(self.hub.versions(), range(1) if self.relay else range(len(self.replicas)))
            if self.relay:
                self._check_marks(versions(self.replicas[0].store), range(1, len(self.replicas)))

    def _check_marks(self, there_is: dict[str, Version], devices: range) -> None:
        """Check that the hub has, or has seen beaten, whatever is not marked to be pushed."""
        there = {key: version.order for key, version in there_is.items()}
        for who in devices:
            store = self.replicas[who].store
            for key, order in acknowledged(store).items() if who not in self.unaware else ():
                assert key in there, f"replica {who} takes {key} for acknowledged"
                assert there[key] >= order, f"replica {who} takes {key} for acknowledged"

    def end(self) -> None:
        """Bring all in step, and check that they agree, that nothing is lost, and that nothing moves any more."""
        self.mail.clear()
        # Whatever was kept back for a moment is not any more, by any of the clocks.
        for who, replica in enumerate(self.writers):
            self.set_clock_right(who)
            replica.clock.advance(10 * SECOND + max(0, self.latest - replica.clock.now))
        self._exchange_all()
        self._check_agreement()
        self._check_that_the_later_won()
        self._check_that_nothing_is_lost()
        self._check_that_conflicts_are_some()
        for who, replica in enumerate(self.replicas):
            moved = replica.synchroniser(self.way(who), SMALL_LIMITS).exchange()
            assert (moved.pulled, moved.pushed) == (0, 0)
        for replica in self.writers:
            self._check_store(replica)

    def _exchange_all(self) -> None:
        for _ in range(2 + self.relay + 2 * isinstance(self.hub, OriginalHub)):
            for client in self.originals:
                client.push()
                client.pull()
            for who in range(len(self.replicas)):
                self.undisturbed(who, "exchange")

    def _check_agreement(self) -> None:
        if isinstance(self.hub, OriginalHub):  # which changes counters, and drops modes
            for replica in self.replicas:
                assert values_of(replica.store) == self.hub.values()
            return
        expected = self.hub.versions()
        directories = directories_of(self.writers[0].store)
        for replica in self.replicas:
            assert versions(replica.store) == expected
            assert directories_of(replica.store) == directories
        newcomer = self.original(len(self.originals))
        newcomer.pull()
        assert newcomer.values() == values_among(expected)
        for client in self.originals if not self.replaced else ():
            client.pull()
            self._check_original(client, expected)

    @staticmethod
    def _check_original(client: OriginalClient, expected: dict[str, Version]) -> None:
        """Check that a client has what the hub has, but for what it never asks for or never pushes."""
        for key, version in expected.items():
            entry = client.entries.get(key)
            is_its_own = version.order[2] == -client.process_id
            if not is_its_own and (entry is None or not entry.needs_push):
                assert (b"" if entry is None else entry.value) == version.value

    def _check_that_the_later_won(self) -> None:
        """Check that of the versions of a key, where clocks were right when they came about, the latest is current."""
        current = self.hub.versions() if isinstance(self.hub, KvassHub) and self.true_clocks else {}
        # Not by token alone: a value lives on under another key where a store that was set back has lost this one.
        kept = set().union(*(kept_versions(replica.store) for replica in self.writers))
        for key, version in current.items():
            won = self.dated.get((key, version.url_token))
            for (other, token), time in self.dated.items() if won is not None and key != MISDATED else ():
                # Versions that are made in the same microseconds are told apart by adding one to the time.
                assert other != key or (other, token) not in kept or time <= (won or 0) + MILLISECOND, (
                    f"the later {key} lost"
                )

    def _check_that_nothing_is_lost(self) -> None:
        kept: dict[str, bytes] = {}
        for replica in self.writers:
            kept |= kept_values(replica.store)
        for token, value in self.owed.items():
            assert kept.get(token) == value, f"lost: {value!r}"

    def _check_that_conflicts_are_some(self) -> None:
        """Check that no version is in an open conflict which the current one came after."""
        for replica in self.writers if self.steady else ():
            for conflict in replica.store.conflicts.open():
                row = replica.store._entries.current(conflict.entry.key)
                assert row is not None
                past = self.pasts.get((row.key, row.process_id, row.counter), frozenset())
                assert find_origin(conflict.entry) not in past, f"no conflict: {conflict}"

    @staticmethod
    def _check_store(replica: Replica) -> None:
        audit(replica.store)
        replica.start_again()
        replica.store.upkeep.release_dead_holders()
        replica.clock.advance(blocks.KEPT_TIME * 1000 + SECOND)
        audit_clean(replica.store)
        assert count(replica.store, "received") == 0


def values_of(store: Store) -> dict[str, bytes]:
    """Return the keys that have a value, and that."""
    return values_among(versions(store))


def values_among(found: dict[str, Version]) -> dict[str, bytes]:
    """Return the keys among versions that have a value, and that."""
    return {key: version.value for key, version in found.items() if version.value}


def directories_of(store: Store, prefix: str = "") -> set[str]:
    """Return the directories below a prefix."""
    found = {f"{prefix}{component}/" for component, _, record in store.tree.children(prefix) if record is not None}
    return found.union(*(directories_of(store, below) for below in found))
