"""kvassfs.sync"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from kvassfs.block import BLOCK_SIZE, LARGEST_SIZE
from kvassfs.errors import (
    HubDowngraded,
    HubFailed,
    HubUnreachable,
    NotAHub,
    SyncError,
    WrongKey,
)
from kvassfs.remote.errors import AnswerDamaged
from kvassfs.replica import MAX_PROCESS_ID
from kvassfs.store import Limit, Node, Store, Written
from kvassfs.store.settling import SETTLING_TIME
from kvassfs.sync import Progress, Synchroniser, block_messages, messages
from kvassfs.sync.entry_messages import estimate_size
from kvassfs.sync.errors import TooLargeForHub
from kvassfs.sync.seal import Seal
from tests.support.original import OriginalHub
from tests.support.replicas import ADDRESS, KEY, KvassHub, Way, posted, versions
from tests.support.stores import (
    DAY,
    REGULAR,
    SECOND,
    Clock,
    ClockMachine,
    clean_up,
    count,
    failing,
    is_scratch,
    revision_values,
    rows,
    save,
)

MIB = 1024 * 1024

SEAL = Seal(KEY)


class Device:
    """A store with its clock, and what exchanges with the hub for it."""

    def __init__(self, directory: Path, process_id: int, carry: Callable[[str, bytes, float], bytes]) -> None:
        self.clock = Clock()
        self.path = directory / str(process_id)
        self.store = Store.open(self.path, clock=self.clock, machine=ClockMachine(self.clock))
        self.store.settings.set_process_id(process_id)
        self.store.settings.set_encryption_key(KEY)
        self.store.settings.set_remote(ADDRESS)
        self.way = Way(carry)
        self.slept = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def synchroniser(self, store: Store | None = None) -> Synchroniser:
        return Synchroniser(store or self.store, self.way, sleep=self.sleep)

    def exchange(self) -> Progress:
        return self.synchroniser().exchange()

    def waits(self) -> list[str]:
        """Return the keys that the hub has not acknowledged."""
        return rows(self.store, "SELECT key FROM entries WHERE dirty ORDER BY key")

    def value(self, key: str) -> bytes:
        return self.store.get(key).read()


class Network:
    """Devices, their hub, and what is between them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = Device(directory, MAX_PROCESS_ID, self.carry)
        self.home.store.settings.set_remote("")
        self.hub: KvassHub | OriginalHub = KvassHub(lambda: self.home.store)
        self.calls: list[tuple[str, bytes]] = []
        self.answers: list[bytes] = []
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str, bytes], bytes] = lambda _, answer: answer
        self.devices: list[Device] = []

    def device(self) -> Device:
        self.devices.append(Device(self.directory, 1 + len(self.devices), self.carry))
        return self.devices[-1]

    def carry(self, call: str, body: bytes, wait: float) -> bytes:
        self.calls.append((call, body))
        self.before(call)
        answer = posted(self.hub, call, body)
        self.answers.append(answer)
        return self.after(call, answer)

    def mend(self) -> None:
        self.before = lambda _: None
        self.after = lambda _, answer: answer

    def called(self) -> list[str]:
        called = [call for call, _ in self.calls]
        self.calls.clear()
        return called

    def use_the_original(self) -> OriginalHub:
        self.hub = OriginalHub(9009, KEY, Random(0).randbytes)
        return self.hub

    def close(self) -> None:
        for device in [self.home, *self.devices]:
            device.store.close()


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    made = Network(tmp_path)
    yield made
    made.close()


@pytest.fixture
def here(network: Network) -> Device:
    return network.device()


@pytest.fixture
def there(network: Network) -> Device:
    return network.device()


# From one device to another


def test_what_is_set_here_is_had_there(here: Device, there: Device) -> None:
    here.store.set("a", b"1")
    assert here.exchange()[:2] == (0, 1)
    assert there.exchange()[:2] == (1, 0)
    assert there.value("a") == b"1"
    assert versions(there.store) == versions(here.store)
    assert here.waits() == there.waits() == []


def test_nothing_moves_where_all_are_in_step(network: Network, here: Device) -> None:
    here.store.set("a", b"1")
    here.exchange()
    network.calls.clear()
    assert here.exchange()[:2] == (0, 0)
    assert network.called() == ["pull"]


def test_a_removal_travels(here: Device, there: Device) -> None:
    here.store.set("a", b"1")
    here.exchange()
    there.exchange()
    there.store.delete("a")
    there.exchange()
    here.exchange()
    assert list(here.store.keys()) == []
    assert revision_values(here.store, "a") == [b"1"]


@pytest.mark.parametrize("original", [False, True])
def test_a_write_made_offline_is_pushed_after_pulling_later_changes(
    network: Network, here: Device, there: Device, original: bool
) -> None:
    if original:
        network.use_the_original()
    here.exchange()
    here.store.set("offline", b"1")
    for number in range(20):
        there.store.set("later", b"%d" % number)
        there.exchange()
    here.synchroniser().pull()
    assert here.value("later") == b"19"
    here.synchroniser().push()
    there.exchange()
    assert there.value("offline") == b"1"


def test_a_write_made_after_seeing_another_wins_though_its_clock_is_a_day_behind(here: Device, there: Device) -> None:
    there.clock.advance(-DAY)
    here.store.set("a", b"first")
    here.exchange()
    there.exchange()
    there.store.set("a", b"second")
    there.exchange()
    here.exchange()
    assert here.value("a") == there.value("a") == b"second"


def test_of_two_writes_at_once_one_wins_everywhere_and_the_other_is_a_revision(here: Device, there: Device) -> None:
    here.clock.now = there.clock.now
    here.store.set("a", b"here")
    there.store.set("a", b"there")
    for device in (here, there, here):
        device.exchange()
    assert versions(here.store) == versions(there.store)
    assert here.value("a") == b"here"
    assert revision_values(there.store, "a") == [b"there"]


def test_an_entry_that_is_replaced_while_it_is_pushed_still_waits(
    network: Network, here: Device, there: Device
) -> None:
    def write(call: str) -> None:
        if call == "push":
            network.mend()
            here.store.set("a", b"2")

    here.store.set("a", b"1")
    here.exchange()
    here.store.set("a", b"1 again")
    network.before = write
    here.synchroniser().push()
    there.exchange()
    assert there.value("a") == b"2"
    assert here.waits() == []


def test_a_key_that_is_gone_before_it_is_sent_is_not_sent(network: Network, here: Device) -> None:
    save(here.store, "a", b"1")
    here.clock.advance(SECOND)

    def unlink(sql: str) -> None:
        if (
            sql.startswith("SELECT key, timestamp, counter, process_id, floor ")
            and (node := here.store.tree.file("a")) is not None
        ):
            here.store.tree.unlink(node, is_scratch=is_scratch)

    with failing(here.store._database, unlink):
        here.exchange()
    assert count(here.store, "entries") == count(network.home.store, "entries") == 0


def test_a_removal_in_a_mount_is_kept_back_for_a_moment(network: Network, here: Device) -> None:
    save(here.store, "a", b"1")
    here.clock.advance(10 * SECOND)
    here.exchange()
    here.store.tree.unlink(node_of(here.store, "a"), is_scratch=is_scratch)
    here.exchange()
    assert network.home.value("a") == b"1"
    here.clock.advance(SETTLING_TIME)
    here.exchange()
    assert list(network.home.store.keys()) == []


def test_what_comes_and_goes_in_a_moment_leaves_no_trace(network: Network, here: Device) -> None:
    save(here.store, "a", b"1")
    here.store.tree.unlink(node_of(here.store, "a"), is_scratch=is_scratch)
    here.clock.advance(10 * SECOND)
    here.exchange()
    assert count(network.home.store, "entries") == 0


def test_many_entries_go_in_pages(network: Network, here: Device, there: Device) -> None:
    for number in range(40):
        here.store.set(f"{number:02}", bytes(60_000))
    network.calls.clear()
    here.exchange()
    assert network.called().count("push") > 3
    there.exchange()
    assert network.called().count("pull") > 3
    assert versions(there.store) == versions(here.store)


def test_pages_that_are_asked_for_ahead_are_the_same(network: Network, here: Device, there: Device) -> None:
    for number in range(40):
        here.store.set(f"{number:02}", bytes(60_000))
    here.exchange()
    # The thread that asks ahead has a hub of its own, as a connection has.
    path = network.home.path

    def carry(call: str, body: bytes, wait: float) -> bytes:
        with Store.open(path) as store:
            return posted(KvassHub(lambda: store), call, body)

    Synchroniser(there.store, Way(carry), ahead=True).exchange()
    assert versions(there.store) == versions(here.store)


# Large values


def test_a_large_value_travels_in_blocks_and_only_those_that_are_missing(
    network: Network, here: Device, there: Device
) -> None:
    value = Random(1).randbytes(9 * BLOCK_SIZE + 100)
    here.store.set("large", value)
    here.exchange()
    there.exchange()
    assert there.value("large") == value
    network.calls.clear()
    here.store.set("large", value + bytes(4096))
    assert here.exchange().sent < 300_000
    assert network.called() == ["pull", "push", "blocks", "push"]
    assert there.exchange().received < 300_000
    assert there.value("large") == value + bytes(4096)
    assert count(network.home.store, "received") == count(there.store, "received") == 0


def cut_every_other(network: Network, call: str, *, answered: bool) -> list[int]:
    """Lose every other message of a kind, or the answer to it; return where the numbers of those are put."""
    lost: list[int] = []
    number = 0

    def cut(called: str) -> None:
        nonlocal number
        number += called == call
        if called == call and number % 2:
            lost.append(number)
            raise HubUnreachable(ADDRESS, "connection reset")

    def cut_off(called: str, answer: bytes) -> bytes:
        cut(called)
        return answer

    network.mend()
    if answered:
        network.after = cut_off
    else:
        network.before = cut
    return lost


def persist(device: Device) -> None:
    """Exchange with the hub until that succeeds."""
    for _ in range(20):
        with suppress(HubUnreachable):
            device.exchange()
            return
    raise AssertionError("no exchange succeeds")


@pytest.mark.parametrize("answered", [False, True])
def test_a_large_value_that_is_interrupted_goes_on_where_it_was(
    network: Network, here: Device, there: Device, answered: bool
) -> None:
    value = Random(1).randbytes(17 * BLOCK_SIZE + 100)
    here.store.set("large", value)
    for device in (here, there):
        lost = cut_every_other(network, "blocks", answered=answered)
        persist(device)
        assert len(lost) > 1
    assert there.value("large") == value


def test_no_block_that_has_arrived_is_sent_or_asked_for_again(network: Network, here: Device, there: Device) -> None:
    here.store.set("large", Random(1).randbytes(17 * BLOCK_SIZE + 100))
    cut_every_other(network, "blocks", answered=True)
    persist(here)
    sent = [
        block_messages.decode_blocks_request(SEAL.unseal(body)).put for call, body in network.calls if call == "blocks"
    ]
    assert sum(map(len, sent)) == 18
    network.calls.clear()
    cut_every_other(network, "blocks", answered=False)
    persist(there)
    asked = [
        block_messages.decode_blocks_request(SEAL.unseal(body)).get for call, body in network.calls if call == "blocks"
    ]
    assert sum(map(len, asked[1::2])) == 18
    assert here.waits() == []


def test_a_large_value_that_is_rewritten_all_the_time_does_not_count_as_a_failure(
    network: Network, here: Device, there: Device
) -> None:
    writes = 0

    def write(call: str) -> None:
        nonlocal writes
        if call == "blocks" and writes < 10:
            writes += 1
            here.store.set("log", Random(writes).randbytes(2 * MIB))

    here.store.set("log", Random(0).randbytes(2 * MIB))
    network.before = write
    here.exchange()
    there.exchange()
    assert there.value("log") == Random(10).randbytes(2 * MIB)


def test_small_entries_pass_a_large_value_that_is_on_its_way(network: Network, here: Device) -> None:
    def write(call: str) -> None:
        if call == "blocks" and network.called().count("blocks") == 1:
            network.before = lambda _: None
            here.store.set("small", b"1")

    here.store.set("large", Random(0).randbytes(5 * MIB))
    network.before = write
    here.exchange()
    pushed = network.called()
    assert "push" in pushed[: pushed.index("blocks") + 3]
    (small,) = rows(network.home.store, "SELECT sequence FROM entries WHERE key = 'small'")
    (large,) = rows(network.home.store, "SELECT sequence FROM entries WHERE key = 'large'")
    assert small < large


def test_a_page_is_asked_for_again_where_blocks_went_before_it_was_merged(
    network: Network, here: Device, there: Device
) -> None:
    value = Random(0).randbytes(2 * MIB)
    here.store.set("large", value)
    here.exchange()
    # Its blocks are there, of a file that is gone before it is merged.
    save(there.store, "other", value)
    seen = ""

    def remove(sql: str) -> None:
        nonlocal seen
        if sql == "BEGIN IMMEDIATE" and seen.startswith("SELECT id FROM blocks"):
            seen = "removed"
            with Store.open(there.path, clock=there.clock, machine=ClockMachine(there.clock)) as process:
                process.tree.unlink(node_of(process, "other"), is_scratch=is_scratch)
                clean_up(process)
                assert count(process, "blocks") == 0
        seen = seen if seen == "removed" else sql

    with failing(there.store._database, remove):
        there.synchroniser().pull()
    assert there.value("large") == value


def node_of(store: Store, key: str) -> Node:
    node = store.tree.file(key)
    assert node is not None
    return node


# Who answers


def drop(call: str) -> None:
    raise HubUnreachable(ADDRESS, "no route to host")


@pytest.mark.parametrize("call", ["pull", "push"])
@pytest.mark.parametrize(
    "portal", [b"<!DOCTYPE html><title>Welcome</title>" + bytes(100), b"ok", b"", b"\xff" * 20], ids=repr
)
def test_what_a_portal_answers_clears_no_dirty_mark(network: Network, here: Device, call: str, portal: bytes) -> None:
    here.store.set("a", b"1")
    here.exchange()
    here.store.set("a", b"2")
    network.after = lambda called, answer: portal if called == call else answer
    for _ in range(2):
        with pytest.raises(SyncError):
            here.exchange()
    assert here.waits() == ["a"]
    network.mend()
    here.exchange()
    assert here.waits() == []


@pytest.mark.parametrize("call", ["pull", "push", "blocks"])
def test_a_replayed_answer_is_refused(network: Network, here: Device, there: Device, call: str) -> None:
    here.store.set("large", Random(0).randbytes(2 * MIB))
    here.exchange()
    replayed = {name: answer for (name, _), answer in zip(network.calls, network.answers, strict=True)}[call]
    there.store.set("other", Random(1).randbytes(2 * MIB))
    network.after = lambda called, answer: replayed if called == call else answer
    with pytest.raises(NotAHub, match="another request"):
        there.exchange()
    assert there.waits() == ["other"]


def test_an_answer_with_another_digest_is_refused(network: Network, here: Device) -> None:
    def other(call: str, answer: bytes) -> bytes:
        message = json.loads(SEAL.unseal(answer))
        return SEAL.seal(json.dumps({**message, "Request": "0" * 64}).encode())

    here.store.set("a", b"1")
    network.after = other
    with pytest.raises(NotAHub):
        here.exchange()
    assert here.waits() == ["a"]


def test_an_answer_under_another_key_is_told_from_a_hub_that_has_one(network: Network, here: Device) -> None:
    network.after = lambda _, answer: Seal(bytes(32)).seal(SEAL.unseal(answer))
    with pytest.raises(AnswerDamaged):
        here.exchange()


@pytest.mark.parametrize("message", [b"{}", b"5", b'{"Counter":"x"}', b"[[]]"], ids=repr)
def test_an_answer_that_makes_no_sense_is_no_hubs(network: Network, here: Device, message: bytes) -> None:
    network.after = lambda _, answer: SEAL.seal(message)
    with pytest.raises(NotAHub):
        here.exchange()


def test_a_hub_with_another_key_is_told_as_such_and_nothing_is_lost(here: Device) -> None:
    here.store.set("a", b"1")
    here.store.settings.set_encryption_key(bytes(32))
    with pytest.raises(WrongKey):
        here.exchange()
    assert here.waits() == ["a"]
    here.store.settings.set_encryption_key(KEY)
    here.exchange()
    assert here.waits() == []


@pytest.mark.parametrize("what", ["exchange", "pull", "push"])
def test_a_hub_that_speaks_an_older_protocol_than_before_is_refused_until_the_remote_is_set_anew(
    network: Network, here: Device, what: str
) -> None:
    here.store.set("a", b"1")
    here.exchange()
    original = network.use_the_original()
    here.store.set("b", b"2")
    with pytest.raises(HubDowngraded):
        getattr(here.synchroniser(), what)()
    assert here.waits() == ["b"]
    here.store.settings.set_remote(ADDRESS)
    here.exchange()
    assert original.values() == {"a": b"1", "b": b"2"}
    assert here.store.peers.hub().version == 1


def test_to_a_hub_that_is_upgraded_everything_is_pushed(network: Network, here: Device) -> None:
    """An answer of version 1 may have come from anywhere, so that hub may lack what it was taken to have."""
    original = network.use_the_original()
    here.store.set("a", b"1")
    here.exchange()
    network.hub = KvassHub(lambda: network.home.store)
    network.home.store._database.execute("UPDATE replica SET clock = ?", (original.counter,))
    here.store.set("b", b"2")
    assert here.exchange()[:2] == (0, 2)
    assert here.store.peers.hub().version == 2
    assert here.exchange()[:2] == (0, 0)


def test_a_hub_that_is_unreachable_costs_nothing(network: Network, here: Device) -> None:
    here.store.set("a", b"1")
    network.before = drop
    with pytest.raises(HubUnreachable):
        here.exchange()
    assert here.waits() == ["a"]


def test_what_has_arrived_though_the_answer_was_lost_is_pushed_again_and_changes_nothing(
    network: Network, here: Device
) -> None:
    def cut(call: str, answer: bytes) -> bytes:
        if call == "push":
            raise HubUnreachable(ADDRESS, "connection reset")
        return answer

    here.store.set("a", b"1")
    network.after = cut
    with pytest.raises(HubUnreachable):
        here.exchange()
    before = versions(network.home.store), network.home.store.settings.config().clock
    assert here.waits() == ["a"]
    network.mend()
    here.exchange()
    assert (versions(network.home.store), network.home.store.settings.config().clock) == before


def test_a_probe_moves_nothing(here: Device, network: Network) -> None:
    here.store.set("a", b"1")
    network.home.clock.advance(5 * SECOND)
    probe = here.synchroniser().probe()
    assert probe.version == 2
    assert probe.difference is not None
    assert abs(probe.difference - 5_000_000) < 1000
    assert here.waits() == ["a"]
    network.use_the_original()
    assert here.synchroniser().probe() == (1, None)


# Another hub, or the same one set back


def image(store: Store) -> bytes:
    return bytes(store._database.connection.serialize())


def restart(network: Network, with_image: bytes | None = None) -> None:
    """Start the hub anew, from a backup maybe."""
    home = network.home
    home.store.close()
    if with_image is not None:
        home.path.write_bytes(with_image)
    home.store = Store.open(home.path, clock=home.clock, machine=ClockMachine(home.clock))
    home.store._database.execute("UPDATE incarnations SET started = ''")


def test_to_a_hub_of_another_identity_everything_is_pushed(network: Network, here: Device) -> None:
    empty = image(network.home.store)
    for key in "abc":
        here.store.set(key, b"1")
    here.exchange()
    restart(network, empty)
    network.home.store.settings.set_process_id(77)
    assert here.exchange().pushed == 3
    assert versions(network.home.store) == versions(here.store)


def test_of_a_hub_of_another_identity_everything_is_pulled(network: Network, here: Device) -> None:
    empty = image(network.home.store)
    network.home.store.set("a", b"1")
    here.exchange()
    restart(network, empty)
    network.home.store.settings.set_process_id(77)
    network.home.store.set("b", b"2")
    here.exchange()
    assert versions(network.home.store) == versions(here.store)
    assert list(here.store.keys()) == ["a", "b"]


def test_to_a_hub_that_was_set_back_everything_is_pushed(network: Network, here: Device) -> None:
    here.store.set("a", b"1")
    here.exchange()
    backup = image(network.home.store)
    here.store.set("b", b"2")
    here.exchange()
    restart(network, backup)
    assert here.exchange().pushed == 2
    assert versions(network.home.store) == versions(here.store)


def test_to_a_hub_that_was_set_back_everything_is_pushed_though_others_have_brought_its_clock_forward(
    network: Network, here: Device, there: Device
) -> None:
    there.exchange()
    backup = image(network.home.store)
    here.store.set("a", b"1")
    here.exchange()
    restart(network, backup)
    for number in range(20):
        there.store.set("b", b"%d" % number)
        there.exchange()
    assert network.home.store.settings.config().clock > here.store.peers.hub().told
    here.exchange()
    there.exchange()
    assert list(there.store.keys()) == list(network.home.store.keys()) == ["a", "b"]


def test_a_hub_that_was_started_anew_is_gone_on_with(network: Network, here: Device, there: Device) -> None:
    for number in range(5):
        here.store.set("a", b"%d" % number)
        here.exchange()
        restart(network)
        assert there.exchange()[:2] == (1, 0)


def test_a_hub_that_is_another_store_each_time_is_given_up(network: Network, here: Device) -> None:
    def other(call: str) -> None:
        network.home.store.settings.set_process_id(1000 + len(network.calls))

    here.exchange()
    network.before = other
    with pytest.raises(HubFailed, match="another store"):
        here.exchange()


def test_what_comes_from_a_hub_that_has_just_been_replaced_is_pushed_to_the_new_one(
    network: Network, here: Device
) -> None:
    def replace(call: str, answer: bytes) -> bytes:
        here.store.settings.set_remote("another.example:8000")
        return answer

    here.exchange()
    network.home.store.set("a", b"1")
    network.after = replace
    here.synchroniser().pull()
    assert here.value("a") == b"1"
    assert here.waits() == ["a"]
    hub = here.store.peers.hub()
    assert (hub.cursor, hub.reached) == (0, 0)


# Holes


def put_hole(device: Device, size: int, *places: int) -> None:
    """Save a file that is a hole but for a byte in each of the places."""
    node = device.store.tree.file("hole")
    draft = device.store.tree.draft() if node is None else device.store.tree.open("hole")[1]
    draft.truncate(size)
    for place in places:
        draft.write(place, b"x")
    now = device.clock() // 1000
    device.store.tree.save("hole", draft, Written(mode=REGULAR), scratch=False, now=now, amends=None)
    draft.close()
    device.clock.advance(SECOND)  # it is held back no more


def read_hole(device: Device, start: int, stop: int) -> bytes:
    draft = device.store.tree.open("hole")[1]
    try:
        return draft.read(start, stop - start)
    finally:
        draft.close()


@pytest.mark.parametrize("size", [3 * MIB, 5 << 30, LARGEST_SIZE])
def test_a_hole_costs_little_on_its_way_and_at_both_ends(
    network: Network, here: Device, there: Device, size: int
) -> None:
    put_hole(here, size, size // 2)
    for device in (here, there):
        moved = device.exchange()
        assert moved.sent + moved.received < 4 * BLOCK_SIZE
    for place in (size // 2, size):
        assert read_hole(there, place - 5, place + 5) == read_hole(here, place - 5, place + 5)
    network.calls.clear()
    put_hole(here, size // 2, 7)
    assert here.exchange().sent < 4 * BLOCK_SIZE
    assert there.exchange().received < 4 * BLOCK_SIZE
    assert read_hole(there, 0, 10) == bytes(7) + b"x" + bytes(2)
    for device in (network.home, here, there):
        assert count(device.store, "segment_blocks") < 40
        assert there.waits() == here.waits() == []


def test_what_is_left_to_push_of_a_hole_is_what_has_to_be_sent(here: Device) -> None:
    put_hole(here, 1 << 50, 7)
    assert here.store.outbox.count_dirty() == (1, BLOCK_SIZE)


def test_the_largest_values_together_are_more_than_an_integer_of_sqlite(here: Device) -> None:
    for key in "ab":
        here.store.set(key, b"1")
    here.store._database.execute("UPDATE entries SET size = ?", (2**62,))  # stands for a thousand values of 2^53
    assert here.store.outbox.count_dirty() == (2, 2**63)


# A hub of the original program


def test_a_value_that_a_hub_of_the_original_cannot_keep_stays_here_and_is_named(
    network: Network, here: Device, there: Device
) -> None:
    original = network.use_the_original()
    put_hole(here, 1 << 50)
    here.store.set("a", b"1")
    for _ in range(2):
        with pytest.raises(TooLargeForHub, match="hole stays on this device"):
            here.exchange()
        assert original.values() == {"a": b"1"}
        assert here.waits() == ["hole"]
    there.exchange()
    assert there.value("a") == b"1"
    put_hole(here, 2 * MIB)
    here.exchange()
    assert original.values() == {"a": b"1", "hole": bytes(2 * MIB)}
    assert here.waits() == []


def test_a_value_that_stayed_goes_to_a_hub_that_was_upgraded(network: Network, here: Device, there: Device) -> None:
    network.use_the_original()
    put_hole(here, 1 << 50, 7)
    with pytest.raises(TooLargeForHub):
        here.exchange()
    network.hub = KvassHub(lambda: network.home.store)
    here.exchange()
    there.exchange()
    assert read_hole(there, 0, 10) == bytes(7) + b"x" + bytes(2)
    assert here.waits() == []


def test_large_values_go_whole_to_a_hub_of_the_original(network: Network, here: Device, there: Device) -> None:
    original = network.use_the_original()
    value = Random(0).randbytes(3 * MIB)
    here.store.set("large", value)
    here.store.set("small", b"1")
    assert here.exchange()[:2] == (0, 2)
    assert original.values() == {"large": value, "small": b"1"}
    there.exchange()
    assert there.value("large") == value
    assert count(here.store, "pins") == 0


def test_to_a_hub_of_the_original_the_winner_is_pushed_again(network: Network, here: Device, there: Device) -> None:
    original = network.use_the_original()
    here.store.set("a", b"newer")
    there.clock.advance(-DAY)
    there.store.set("a", b"older")

    def write(call: str) -> None:
        if call == "push" and messages.decode_push(SEAL.unseal(network.calls[-1][1])):
            network.mend()
            here.exchange()

    network.before = write
    there.exchange()
    assert original.values() == {"a": b"older"}
    here.exchange()
    assert original.values() == {"a": b"newer"}
    there.exchange()
    assert there.value("a") == b"newer"


def test_the_winner_is_pushed_again_though_the_older_one_came_before_it_was_acknowledged(
    network: Network, here: Device, there: Device
) -> None:
    original = network.use_the_original()
    here.exchange()
    there.exchange()
    there.clock.advance(-DAY)
    here.store.set("a", b"newer")
    there.store.set("a", b"older")
    older = SEAL.seal(messages.encode_push([out.delivery for out in there.store.outbox.read_dirty(limit())]))

    def overtake(call: str, answer: bytes) -> bytes:
        if call == "push":
            network.mend()
            posted(network.hub, "push", older)
        return answer

    network.after = overtake
    here.exchange()
    assert original.values() == {"a": b"newer"}
    assert here.waits() == []


def limit() -> Limit:
    return Limit(MIB, MIB, estimate_size)


def test_an_empty_answer_of_somebody_else_clears_no_dirty_mark_though_the_hub_answers_the_pull(
    network: Network, here: Device
) -> None:
    original = network.use_the_original()
    here.exchange()
    here.store.set("a", b"1")
    taken = posted

    def swallow(call: str, body: bytes, wait: float) -> bytes:
        return b"" if call == "push" else taken(network.hub, call, body)

    with pytest.raises(NotAHub, match="none to what was asked"):
        Synchroniser(here.store, Way(swallow)).exchange()
    assert here.waits() == ["a"]
    here.exchange()
    assert original.values() == {"a": b"1"}


def test_the_mode_of_a_file_survives_a_hub_of_the_original_where_it_was_written(network: Network, here: Device) -> None:
    network.use_the_original()
    save(here.store, "program", b"#!/bin/sh\n", mode=0o100755)
    save(here.store, "empty", b"", mode=0o100600)
    here.clock.advance(10 * SECOND)
    here.exchange()
    here.store.settings.set_remote(ADDRESS)
    here.exchange()
    assert rows(here.store, "SELECT key, mode FROM entries ORDER BY key") == [
        ("empty", 0o100600),
        ("program", 0o100755),
    ]


# Several processes of one replica


def test_while_another_process_pushes_one_waits_and_then_leaves_it_to_that(network: Network, here: Device) -> None:
    here.exchange()
    here.store.set("a", b"1")
    with Store.open(here.path, clock=here.clock, machine=ClockMachine(here.clock)) as other:
        assert other.processes.begin_push()
        assert here.synchroniser().push() == 0
        assert here.slept >= 3
        assert here.waits() == ["a"]
        other.processes.end_push()
    assert here.synchroniser().push() == 1


def test_a_process_that_waits_for_another_pushes_nothing_twice(network: Network, here: Device) -> None:
    here.exchange()
    here.store.set("a", b"1")
    network.calls.clear()
    with Store.open(here.path, clock=here.clock, machine=ClockMachine(here.clock)) as other:
        assert other.processes.begin_push()

        def finish(_: float) -> None:
            here.store._database.execute("UPDATE entries SET dirty = 0")

        assert Synchroniser(here.store, here.way, sleep=finish).push() == 0
    assert network.called() == []


def test_a_process_that_died_while_it_pushed_keeps_nobody_waiting(here: Device) -> None:
    here.exchange()
    here.store.set("a", b"1")
    here.store._database.execute("INSERT INTO pusher VALUES (1, 1, 'another time')")
    assert here.synchroniser().push() == 1
    assert here.slept == 0


def test_the_lease_ends_when_the_hub_fails(network: Network, here: Device) -> None:
    here.exchange()
    here.store.set("a", b"1")
    network.before = drop
    with pytest.raises(HubUnreachable):
        here.synchroniser().push()
    assert count(here.store, "pusher") == 0


def test_an_exchange_with_a_hub_that_is_configured_no_more_does_nothing(network: Network, here: Device) -> None:
    synchroniser = here.synchroniser()
    synchroniser.exchange()
    here.store.set("a", b"1")
    here.store.settings.set_remote("another.example:8000")
    network.calls.clear()
    assert synchroniser.exchange()[:2] == (0, 0)
    assert network.called() == []
