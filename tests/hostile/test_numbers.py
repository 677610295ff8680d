"""A device or hub that has the key, and a fault: no number that it sends, or left in a store, stops anybody for good."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kvassfs.clocks import MAX_CLOCK, MAX_TIME, bound_moment
from kvassfs.entry import MAX_COUNTED, MAX_NUMBER, MAX_RECEIVED
from kvassfs.errors import HubFailed, SyncError
from kvassfs.replica import MAX_PROCESS_ID
from kvassfs.status import inspect
from kvassfs.store.merging import MAX_LEAP
from kvassfs.sync.errors import PullRefused, PushRefused
from kvassfs.sync.seal import Seal
from tests.support.replicas import KEY, Replica, posted
from tests.support.searches import LONG
from tests.support.stores import DAY, REGULAR, SECOND, audit, is_scratch, revision_values, rows, save
from tests.support.sync_rig import Message, Rig, pool, value, waits

YEAR = 365 * DAY

FIELDS: dict[str, Any] = {
    "Key": "doc",
    "Value": "cG9pc29u",
    "UrlToken": "token",
    "TimestampUnixMicro": 1_704_067_200_000_000,
    "ProcessID": 77,
    "Counter": 5,
    "NeedsToBePushed": True,
}
"""An entry with the value ``poison``, as it is pushed."""

NO_NUMBERS: list[Any] = [
    -1,
    1.0,
    1e300,
    True,
    "5",
    None,
    [],
    2**62 - 1,
    2**63,
    2**64,
    10**40,
    MAX_RECEIVED + 1,
    MAX_NUMBER,
]

BAD = {
    "TimestampUnixMicro": [*NO_NUMBERS, 1_704_067_200 * SECOND, 253_402_300_800_000_000, 9_223_372_036_854_775],
    "Counter": [*NO_NUMBERS, 2**53, MAX_LEAP * 2],
    "WriterCounter": [number for number in NO_NUMBERS if number is not None],
    "ProcessID": [0, -1, MAX_PROCESS_ID + 1, 1.0, True, "7", None],
    "Seen": [
        [[0, 5]],
        [[7, -1]],
        [[7, MAX_RECEIVED + 1]],
        [[2**32, 5]],
        [[7, 1.5]],
        [[True, 5]],
        [[7]],
        [7],
        "7:5",
        [["7", 5]],
    ],
    "Of": [[0, 5], [7, -1], [7, 2**62], [2**32, 5], [7.0, 5], [7], "7:5", 7],
    "ModTime": ["1.5", "", "x", 5, True, str(2**63), str(-(2**63) - 1), "1" * 19 + "0", " 5", "٣"],
}
"""By field, what no entry can have: nanoseconds, the years 9999 and 2262, and what is no integer."""

CASES = [pytest.param(field, number, id=f"{field}={number!r:.40}") for field, found in BAD.items() for number in found]


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    made.exchange(made.a, made.b)
    yield made
    for replica in made.replicas:
        audit(replica.store)
    pool().close()


def seal(message: object) -> bytes:
    return Seal(KEY).seal(json.dumps(message).encode())


def push(rig: Rig, **fields: Any) -> bytes:
    return posted(rig.line.hub, "push", seal([FIELDS | fields]))


def write(replica: Replica, key: str, text: str) -> None:
    """Save a file, of which nothing is held back any more afterwards."""
    replica.clock.advance(SECOND)
    save(replica.store, key, text.encode())
    replica.clock.advance(10 * SECOND)


def agree(rig: Rig) -> None:
    """Bring all in step, twice, and check that nothing waits and both devices have the same."""
    for _ in range(2):
        rig.exchange(rig.a, rig.b)
    assert (waits(rig.a), waits(rig.b)) == (0, 0)
    assert sum(rig.on(rig.a).exchange()[:2]) == 0
    kept = [[(key, value(each, key)) for key in each.store.keys()] for each in (rig.a, rig.b, rig.home)]
    assert kept[0] == kept[1] == kept[2]


# Pushed to a hub


@pytest.mark.parametrize(("field", "number"), CASES)
def test_a_hub_refuses_what_no_entry_can_have_and_goes_on(rig: Rig, field: str, number: Any) -> None:
    before = rig.home.store.settings.config()
    with pytest.raises(HubFailed) as caught:
        push(rig, **{field: number})
    assert caught.value.status == 400
    assert rig.home.store.settings.config() == before
    assert list(rig.home.store.keys()) == []
    write(rig.a, "doc", "value")
    agree(rig)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"TimestampUnixMicro": 2**62}, f"the timestamp of 'doc' is out of range: {2**62}"),
        ({"Counter": 2**62 - 1}, f"the counter of 'doc' is out of range: {2**62 - 1}"),
        ({"Counter": 2**45}, f"the counter of 'doc' is out of range: {2**45}"),
        ({"ProcessID": 0}, "the process id of 'doc' is out of range: 0"),
        ({"Counter": True}, "the counter of 'doc' is no integer"),
    ],
    ids=str,
)
def test_it_says_what_is_wrong_with_which_key(rig: Rig, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(HubFailed) as caught:
        push(rig, **fields)
    assert said in caught.value.reason


# What is taken can be replaced


def renew(replica: Replica) -> None:
    save(replica.store, "doc", b"renewed")


def remove(replica: Replica) -> None:
    replica.store.delete("doc")


def move(replica: Replica) -> None:
    replica.store.transfers.move("doc", "moved")


def chmod(replica: Replica) -> None:
    node = replica.store.tree.file("doc")
    assert node is not None
    replica.store.tree.set_mode(node, 0o100755)


def touch(replica: Replica) -> None:
    node = replica.store.tree.file("doc")
    assert node is not None
    replica.store.tree.set_times(node, -MAX_TIME, MAX_TIME, bound_moment(replica.clock.now))


def unlink(replica: Replica) -> None:
    node = replica.store.tree.file("doc")
    assert node is not None
    replica.store.tree.unlink(node, is_scratch=is_scratch)


def undo(replica: Replica) -> None:
    renew(replica)
    replica.store.undo.run(replica.store.undo.plan())


def restore(replica: Replica) -> None:
    renew(replica)
    replica.store.history.restore("doc")


def remove_and_renew(replica: Replica) -> None:
    remove(replica)
    replica.clock.advance(10 * SECOND)
    renew(replica)


ACTS: list[Callable[[Replica], None]] = [renew, remove, move, chmod, touch, unlink, undo, restore, remove_and_renew]


def pair(numbers: list[Any], acts: list[Callable[[Replica], None]]) -> list[Any]:
    """Return each of the numbers with each of the acts in the long form, and otherwise some pairs with all of both."""
    pairs = [pytest.param(number, act, id=f"{number}-{act.__name__}") for number in numbers for act in acts]
    return pairs if LONG else pairs[:: len(acts) // 2]


EXTREMES: list[dict[str, Any]] = [
    {"TimestampUnixMicro": MAX_RECEIVED},
    {"TimestampUnixMicro": MAX_RECEIVED - 1},
    {"TimestampUnixMicro": 0},
    {"Counter": MAX_LEAP},
    {"Counter": MAX_LEAP, "TimestampUnixMicro": MAX_RECEIVED},
    {"Counter": 0, "WriterCounter": MAX_LEAP, "TimestampUnixMicro": MAX_RECEIVED, "ProcessID": MAX_PROCESS_ID},
    {"Mode": REGULAR, "ModTime": str(MAX_TIME)},
    {"Mode": REGULAR, "ModTime": str(-MAX_TIME - 1)},
    {"Seen": [[7, MAX_RECEIVED]], "Of": [7, MAX_RECEIVED]},
]


@pytest.mark.parametrize(("fields", "act"), pair(EXTREMES, ACTS))
def test_what_is_taken_can_be_replaced_and_that_again(
    rig: Rig, fields: dict[str, Any], act: Callable[[Replica], None]
) -> None:
    push(rig, **fields)
    rig.exchange(rig.a, rig.b)
    assert value(rig.b, "doc") == b"poison"
    act(rig.a)
    rig.a.clock.advance(10 * SECOND)
    agree(rig)
    found = [*rig.b.store.keys()]
    write(rig.b, "doc", "and this replaces that")
    agree(rig)
    assert value(rig.a, "doc") == b"and this replaces that"
    write(rig.a, "doc", "and this that")
    agree(rig)
    assert value(rig.b, "doc") == b"and this that"
    expected: dict[Callable[[Replica], None], list[str]] = {remove: [], unlink: [], move: ["moved"]}
    assert found == expected.get(act, ["doc"])


def test_counters_may_leap_often_and_a_new_device_still_comes_in(rig: Rig) -> None:
    for number in range(5):
        clock = rig.home.store.settings.config().clock
        push(rig, Counter=clock + MAX_LEAP, TimestampUnixMicro=10**15 + number)
    write(rig.c, "of another", "value")
    rig.exchange(rig.c)
    agree(rig)
    assert value(rig.c, "doc") == b"poison"
    assert value(rig.a, "of another") == b"value"


# Pulled from a hub


@pytest.mark.parametrize(("field", "number"), [case for case in CASES if case.values[1] != MAX_LEAP * 2])
def test_a_device_refuses_what_no_entry_can_have_and_goes_on(rig: Rig, field: str, number: Any) -> None:
    write(rig.b, "doc", "value")
    rig.exchange(rig.b)

    def spoil(message: Message) -> bytes:
        fields = json.loads(Seal(KEY).unseal(message.deliver()))
        fields["Entries"][0][field] = number
        return seal(fields)

    before = rig.a.store.settings.config()
    rig.line.on("pull", spoil)
    with pytest.raises(SyncError, match=r"out of range|cannot be read"):
        rig.on(rig.a).pull()
    assert rig.a.store.settings.config() == before
    write(rig.a, "other", "of here")
    agree(rig)
    assert value(rig.a, "doc") == b"value"


@pytest.mark.parametrize("ahead", [1, 2**40, MAX_NUMBER - 100])
def test_a_hub_that_says_to_be_further_than_it_is_hides_nothing(rig: Rig, ahead: int) -> None:
    def spoil(message: Message) -> bytes:
        fields = json.loads(Seal(KEY).unseal(message.deliver()))
        fields["Counter"] = fields["Clock"] + ahead
        return seal(fields)

    rig.line.on("pull", spoil)
    with pytest.raises(PullRefused, match="only up to a lower number than it says"):
        rig.on(rig.a).pull()
    write(rig.b, "doc", "value")
    agree(rig)
    assert value(rig.a, "doc") == b"value"


@pytest.mark.parametrize("ahead", [2**40, MAX_NUMBER - 1000])
def test_neither_does_one_whose_clock_leaps_and_comes_back(rig: Rig, ahead: int) -> None:
    def spoil(message: Message) -> bytes:
        fields = json.loads(Seal(KEY).unseal(message.deliver()))
        fields["Counter"] += ahead
        fields["Clock"] += ahead
        fields["Incarnations"][-1][1] += ahead
        return seal(fields)

    rig.line.on("pull", spoil)
    rig.on(rig.a).pull()
    write(rig.b, "doc", "value")
    agree(rig)
    assert value(rig.a, "doc") == b"value"


def test_what_a_hub_has_that_cannot_be_taken_is_said_with_what_to_do(rig: Rig) -> None:
    write(rig.b, "doc", "value")
    rig.exchange(rig.b)
    with rig.home.store.transaction:
        rig.home.store._database.execute("UPDATE entries SET counter = ?", (2**62,))
    with pytest.raises(
        PullRefused, match=r"the counter of 'doc' is out of range: .*`kvass doctor --repair` on the machine"
    ):
        rig.on(rig.a).pull()


# Clocks


@pytest.mark.parametrize(("years", "act"), pair([-2000, -123, -70, 230, 276, 8000], ACTS))
def test_a_machine_with_whatever_clock_reads_and_writes(rig: Rig, years: int, act: Callable[[Replica], None]) -> None:
    rig.a.clock.jump(years * YEAR)
    rig.a.start_again()
    write(rig.a, "doc", "of another time")
    write(rig.a, "doc", "and once more")
    act(rig.a)
    rig.a.clock.advance(10 * SECOND)
    agree(rig)
    rig.a.clock.jump(-years * YEAR)
    rig.a.start_again()
    rig.b.clock.advance(DAY)
    write(rig.b, "doc", "later, elsewhere")
    agree(rig)
    assert value(rig.a, "doc") == b"later, elsewhere"
    write(rig.a, "doc", "the last")
    agree(rig)
    assert value(rig.b, "doc") == b"the last"


def test_a_hub_with_a_wrong_clock_stops_no_device(rig: Rig) -> None:
    rig.home.clock.jump(300 * YEAR)
    rig.home.start_again()
    write(rig.a, "doc", "value")
    agree(rig)
    assert rig.home.store._entries._clock() <= MAX_CLOCK


# In the store already


def poison(replica: Replica, **columns: int) -> None:
    """Leave numbers in a store as earlier versions took them, in the entry of ``doc`` and its revisions."""
    with replica.store.transaction:
        for column, number in columns.items():
            if column in {"timestamp", "counter", "process_id"}:
                for table in ("entries", "revisions"):
                    replica.store._database.execute(f"UPDATE {table} SET {column} = ? WHERE key = 'doc'", (number,))
            if column == "counter":
                replica.store._database.execute("UPDATE entries SET sequence = ? WHERE key = 'doc'", (number,))
                replica.store._database.execute("UPDATE replica SET clock = ?", (number + 1,))
                replica.store._database.execute("INSERT OR REPLACE INTO devices VALUES (77, 0, ?, '')", (number,))


POISONS: list[dict[str, int]] = [
    {"timestamp": 1_704_067_200 * SECOND},
    {"timestamp": 253_402_300_800_000_000},
    {"timestamp": 9_223_372_036_854_775},
    {"timestamp": 2**63 - 1},
    {"timestamp": -5},
    {"counter": 2**62 - 1},
    {"counter": 2**53},
    {"counter": MAX_COUNTED + 1},
    {"process_id": 0},
    {"timestamp": 2**62, "counter": 2**61, "process_id": 0},
]


@pytest.mark.parametrize("numbers", POISONS, ids=str)
@pytest.mark.parametrize("place", ["device", "hub"])
def test_a_repair_mends_a_store_and_loses_no_value(rig: Rig, place: str, numbers: dict[str, int]) -> None:
    for text in ("first", "second"):
        write(rig.a, "doc", text)
    write(rig.a, "removed", "value")
    write(rig.a, "other", "value")
    rig.a.store.delete("removed")
    agree(rig)
    poisoned = rig.a if place == "device" else rig.home
    poison(poisoned, **numbers)
    assert {oddity.key for oddity in poisoned.store.numbers.find(10)} >= {"doc"}
    kept = revision_values(poisoned.store, "doc")
    mended = poisoned.store.numbers.mend()
    assert mended.keys == 1
    assert mended.counts_anew == ("counter" in numbers)
    assert poisoned.store.numbers.find(10) == []
    assert poisoned.store.numbers.mend() == (0, 0, False)
    assert value(poisoned, "doc") == b"second"
    assert revision_values(poisoned.store, "doc") == kept
    agree(rig)
    assert value(rig.b, "doc") == b"second"
    write(rig.b, "doc", "third")
    write(rig.b, "new", "value")
    agree(rig)
    write(rig.a, "doc", "fourth")
    agree(rig)
    assert value(rig.b, "doc") == b"fourth"
    assert sorted(rig.a.store.keys()) == ["doc", "new", "other"]


@pytest.mark.parametrize(("numbers", "act"), pair(POISONS, ACTS))
def test_commands_and_files_work_on_such_a_store_before_it_is_mended(
    rig: Rig, numbers: dict[str, int], act: Callable[[Replica], None]
) -> None:
    write(rig.a, "doc", "value")
    poison(rig.a, **numbers)
    act(rig.a)
    write(rig.a, "doc", "and once more")
    assert value(rig.a, "doc") == b"and once more"


def test_a_device_that_followed_a_hub_with_a_fault_goes_on_with_another_once_mended(rig: Rig) -> None:
    write(rig.a, "doc", "value")
    agree(rig)
    rig.a.store._database.execute("UPDATE replica SET clock = ?", (2**45,))
    write(rig.a, "doc", "renewed")
    with pytest.raises(PushRefused, match="the counter of 'doc' is out of range"):
        rig.on(rig.a).push()
    assert rig.a.store.numbers.find(5)[0].name == "clock"
    rig.a.store.numbers.mend()
    agree(rig)
    assert value(rig.b, "doc") == b"renewed"


def test_keys_keep_their_order_and_numbers_where_a_store_counts_anew(rig: Rig) -> None:
    for number in range(5):
        write(rig.a, f"doc{number}", "value")
    with rig.a.store.transaction:
        for number in (3, 4):
            rig.a.store._database.execute(
                "UPDATE entries SET sequence = ?1, counter = ?1, appeared = ?1, shown = ?1, inode = 2 * ?1 WHERE key = ?2",
                (2**60 + number, f"doc{number}"),
            )
        rig.a.store._database.execute("UPDATE replica SET clock = ?", (2**60 + 9,))
    rig.a.store.numbers.mend()
    found = rows(
        rig.a.store, "SELECT key, inode, appeared <= sequence, shown <= sequence FROM entries ORDER BY sequence"
    )
    assert [key for key, *_ in found] == [f"doc{number}" for number in range(5)]
    assert len({inode for _, inode, *_ in found}) == 5
    assert max(inode for _, inode, *_ in found) < 2**20
    assert all(appeared and shown for *_, appeared, shown in found)
    write(rig.a, "doc5", "value")
    agree(rig)


# What is said


def test_a_push_that_is_refused_is_shown_until_one_is_not(rig: Rig) -> None:
    write(rig.a, "doc", "value")
    agree(rig)
    poison(rig.a, timestamp=2**62)
    rig.a.store._database.execute("UPDATE entries SET dirty = 1, floor = timestamp")
    with pytest.raises(PushRefused, match="the timestamp of 'doc' is out of range"):
        rig.on(rig.a).push()
    shown = inspect(rig.a.store, offline=True).hub
    assert shown is not None
    assert "refuses what is pushed: a message cannot be understood: the timestamp of 'doc'" in shown.push_failure
    assert "`kvass doctor --repair`" in shown.push_failure
    rig.a.store.numbers.mend()
    rig.on(rig.a).push()
    shown = inspect(rig.a.store, offline=True).hub
    assert shown is not None
    assert (shown.push_failure, shown.waiting) == ("", 0)
    assert rig.a.store.processes.push_failure() is None


def test_what_another_hub_refused_is_not_shown(rig: Rig) -> None:
    rig.a.store.processes.note_push_failure("refused")
    rig.a.store.settings.set_remote("another.example")
    assert rig.a.store.processes.push_failure() is None
