"""A hub that cannot read a sealed store, and means harm: it has the access key, the key of every link, and all it ever saw.

Whatever it hands out, a device takes nothing that no device made, names what is wrong, goes on with the rest of the page, and
keeps its clock, entries and revisions as they were.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count, permutations
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kvassfs.block import BLOCK_SIZE
from kvassfs.entry import MAX_NUMBER, MAX_RECEIVED
from kvassfs.errors import HubUnreachable, SyncError
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.sharing.links import create_link
from kvassfs.sharing.offers import Offers
from kvassfs.sharing.terms import Terms
from kvassfs.veil.addresses import SealedAddress, address_link, open_address
from kvassfs.veil.keys import compute_mac, derive_version_key, hide_key, hide_version
from kvassfs.veil.links import derive_link_key
from kvassfs.veil.values import cut_head, read_value, seal_value
from tests.support.hostile_hub import (
    Fields,
    add_entries,
    alter_blocks,
    alter_pulls,
    hand_out,
    list_blocks,
    name_refused,
    put_blocks,
    read_blocks,
    read_hub,
    snapshot,
)
from tests.support.sealed import KEYS, OTHER_KEYS, make_entry, random_bytes, read_from
from tests.support.sealed_rig import Rig, Spoil, open_rig, value
from tests.support.searches import LONG
from tests.support.stores import DAY, SECOND, clean_up, is_scratch, save

GOOD = "arrives whatever else is in its page"

FULL = 5

LARGE = random_bytes(FULL * BLOCK_SIZE + 700)
"""A value of so many full blocks and a bit: one that travels in blocks."""

NUMBERED = count(1)

MARGIN = 20
"""By how much the clock of a device may go on with what is right in a page."""


@pytest.fixture(scope="module")
def shared_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with open_rig(tmp_path_factory.mktemp("rig")) as rig:
        fill(rig)
        yield rig


@pytest.fixture
def own_rig(tmp_path: Path) -> Iterator[Rig]:
    """The same for one test, of which all versions are at the hub still."""
    with open_rig(tmp_path) as rig:
        fill(rig)
        yield rig


@pytest.fixture
def rig(shared_rig: Rig) -> Iterator[Rig]:
    yield shared_rig
    shared_rig.spoil = lambda _, answer: answer


def altering(**fields: Any) -> Spoil:
    """Return what has each response to a pull say these things."""
    return alter_pulls(lambda message: message.update(fields))


def fill(rig: Rig) -> None:
    """Have versions of all kinds at the hub, and the last ones on both devices; ``rig.earlier`` has those before."""
    one, _ = rig.devices
    one.tree.directories.make("folder/", 0o40755, is_scratch=is_scratch)
    for version in (b"before", b"now"):
        save(one, "small", b"a value " + version)
        save(one, "other", b"another " + version)
        one.set("large", version + LARGE)
        one.set("gone", version)
        rig.clock.advance(60 * SECOND)
        rig.exchange()
        rig.earlier = rig.earlier or read_hub(rig)
    one.delete("gone")
    create_link(one, "small", Terms(once=True), clock=rig.clock)
    rig.clock.advance(60 * SECOND)
    rig.exchange()
    rig.exchange()
    assert not name_refused(one)


def find(entries: Sequence[Fields], key: str) -> Fields:
    """Return what the hub has of a key."""
    name = hide_key(KEYS, key)
    (fields,) = [fields for fields in entries if fields["Key"] == name]
    return fields


def feed(rig: Rig, wrong: Sequence[Fields]) -> None:
    """Have a device pull what is wrong, before and after what is right in one page, and check that it does no harm."""
    one, two = rig.devices
    number = next(NUMBERED)
    one.set(GOOD, b"%d" % number)
    rig.clock.advance(60 * SECOND)
    rig.exchange(one)
    before, clock = snapshot(two, without=[GOOD]), two.settings.config().clock
    rig.spoil = add_entries(wrong)
    rig.exchange(two)
    rig.spoil = lambda _, answer: answer
    assert value(two, GOOD) == b"%d" % number
    assert snapshot(two, without=[GOOD]) == before
    assert two.settings.config().clock <= max(clock, one.settings.config().clock) + MARGIN
    assert two.peers.hub().cursor == rig.hub_store.settings.config().clock


def check_named(rig: Rig, wrong: Sequence[Fields]) -> None:
    """The same, and each is named."""
    two = rig.devices[1]
    two._database.execute("DELETE FROM refused")
    feed(rig, wrong)
    names = {str(fields["Key"]) for fields in wrong}
    assert name_refused(two) == names
    assert {refused.name: refused.reason for refused in two.sealed.refused()}.keys() == names


# What stands in the clear

PLAIN: Fields = {
    "Key": "small",
    "Value": "cG9pc29u",
    "UrlToken": "AAAAAAAAAAAAAAAAAAAAAA",
    "TimestampUnixMicro": 1_804_067_200_000_000,
    "ProcessID": 77,
    "Counter": 5,
    "NeedsToBePushed": True,
}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Value": ""},
        {"Value": "", "Mode": 0o40755, "Key": "folder/"},
        {"Key": "\x01other"},
        {"Key": "\x1b[2Jsmall\n"},
        {"Key": "x" * 100_000},
        {"Key": "~" + "small"},
        {"Mode": 0o100644, "ModTime": "5"},
        {"Seen": [[7, 5]], "Of": [7, 5]},
        {"Size": 10**12, "Blocks": "A" * 43 + "="},
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_what_stands_in_the_clear_is_not_taken(rig: Rig, fields: Fields, named: bool) -> None:
    key = {"Key": hide_key(KEYS, "small")} if named else {}
    feed(rig, [PLAIN | fields | key])
    refused = rig.devices[1].sealed.refused()
    name = str((PLAIN | fields | key)["Key"])
    assert any(name.startswith(each.name[:60]) for each in refused)
    assert all(len(each.name) <= 1000 for each in refused)


# What cannot be read at all

NO_TEXTS: list[Any] = [5, [], {}]

NO_NUMBERS: list[Any] = [-1, 1.0, 1e300, True, "5", None, [], 2**62, 2**64, 10**40, MAX_RECEIVED + 1]

UNREADABLE: list[tuple[str, Any]] = [
    *(("TimestampUnixMicro", number) for number in NO_NUMBERS),
    *(("Counter", number) for number in NO_NUMBERS),
    *(("WriterCounter", number) for number in NO_NUMBERS if number is not None),
    *(("ProcessID", number) for number in [0, -1, 2**32, 1.0, True, "7", None]),
    *(("Value", text) for text in ["!", "A", *NO_TEXTS]),
    *(("UrlToken", text) for text in [None, "\ud800", *NO_TEXTS]),
    *(("Mode", mode) for mode in ["5", 1.5, []]),
    *(("Blocks", blocks) for blocks in ["", "A", 5, {}, [], [["A" * 43 + "=", 0]], [["A" * 43 + "=", -1]], [[5]]]),
    *(("Seen", seen) for seen in [[[0, 5]], 5, [[7]]]),
]


@pytest.mark.parametrize("key", ["small", "large"])
def test_what_cannot_be_read_holds_up_nothing(rig: Rig, key: str) -> None:
    fields = find(read_hub(rig), key)
    for field, what in UNREADABLE:
        wrong = fields | ({"Size": 5} if field == "Blocks" else {}) | {field: what}
        if field == "Value" and not what and "Blocks" in fields:
            continue  # that is as good as none
        check_named(rig, [wrong])


@pytest.mark.parametrize("size", [-1, 0, 1, 1.5, "5", None, True, 2**62, 10**40])
def test_sizes_that_are_none_hold_up_nothing(rig: Rig, size: Any) -> None:
    check_named(rig, [find(read_hub(rig), "large") | {"Size": size}])


@pytest.mark.parametrize("wrong", [5, "text", None, [], {}, {"Key": 5}, {"Key": "\ud800"}, {"Key": ""}, {"Key": "a\0"}])
def test_what_is_no_entry_holds_up_nothing(rig: Rig, wrong: Any) -> None:
    feed(rig, [wrong])
    feed(rig, [PLAIN | wrong if isinstance(wrong, dict) else wrong])


# What devices made, altered


def test_values_and_tokens_exchanged_between_versions_are_not_taken(rig: Rig) -> None:
    now, old = read_hub(rig), rig.earlier
    all_ = [find(entries, key) for entries in (now, old) for key in ("small", "other", "large", "gone", "folder/")]
    wrong = []
    for one, other in permutations(all_, 2):
        for parts in (("Value", "Size", "Blocks"), ("UrlToken",), ("Key",), ("TimestampUnixMicro",), ("ProcessID",)):
            changed = {part: other[part] for part in parts if part in other}
            mixed = {part: it for part, it in one.items() if part not in parts} | {"Value": ""} | changed
            if mixed not in all_ and mixed != one:
                wrong.append(mixed)
    assert len(wrong) > 200
    check_named(rig, wrong)


def test_what_stands_outside_is_proven(rig: Rig) -> None:
    entries = read_hub(rig)
    for key in ("small", "large", "gone", "folder/"):
        fields = find(entries, key)
        times = [0, 1, MAX_RECEIVED, *(fields["TimestampUnixMicro"] ^ 1 << bit for bit in range(50))]
        writers = [1, 2**32 - 1, *(fields["ProcessID"] ^ 1 << bit for bit in range(32))]
        wrong = [fields | {"TimestampUnixMicro": time} for time in times]
        wrong += [
            fields | {"ProcessID": writer} for writer in writers if 0 < writer < 2**32 and writer != fields["ProcessID"]
        ]
        wrong += [fields | {"UrlToken": token} for token in flip_text(fields["UrlToken"])]
        wrong += [fields | {"Key": name} for name in flip_text(fields["Key"])]
        clear: list[Fields] = [{"Mode": 0o100600}, {"ModTime": "0"}, {"Seen": []}, {"Of": [7, 1]}]
        wrong += [fields | extra for extra in clear]
        check_named(rig, wrong)


def flip_text(text: str) -> Iterator[str]:
    """Yield a text with each of its characters changed."""
    for at, character in enumerate(text):
        yield text[:at] + ("A" if character != "A" else "B") + text[at + 1 :]


@pytest.mark.parametrize("key", ["small", "gone", "folder/"])
def test_each_byte_of_a_short_sealed_value_counts(rig: Rig, key: str) -> None:
    fields = find(read_hub(rig), key)
    sealed = b64decode(fields["Value"])
    random = Random(5)
    flipped = [
        sealed[:at] + bytes((byte ^ 1 << random.randrange(8),)) + sealed[at + 1 :] for at, byte in enumerate(sealed)
    ]
    cut = [sealed[:size] for size in range(0, len(sealed), 7)] + [sealed[size:] for size in range(1, len(sealed), 7)]
    longer = [sealed + b"\0", b"\0" + sealed, sealed + sealed, sealed[:100] + sealed]
    check_named(rig, [fields | {"Value": b64encode(data).decode()} for data in (*flipped, *cut, *longer)])


class Withheld(NamedTuple):
    """A version of a large value that a device has not got, and what the hub has of it."""

    value: bytes
    fields: Fields


@pytest.fixture
def withheld(rig: Rig) -> Iterator[Withheld]:
    """What the hub does with a version as it likes, and hands out in the end."""
    one, two = rig.devices
    new = random_bytes(len(LARGE), seed=rig.clock.now)
    one.set("large", new)
    rig.clock.advance(60 * SECOND)
    rig.exchange(one)
    fields = find(read_hub(rig), "large")
    two._database.execute("DELETE FROM refused")
    rig.spoil = hand_out([])
    rig.exchange(two)
    yield Withheld(new, fields)
    rig.spoil = hand_out([fields])
    rig.exchange(two)
    assert value(two, "large") == new
    assert not name_refused(two)
    one.set("large", b"now" + LARGE)
    rig.spoil = lambda _, answer: answer
    rig.exchange(one, two)


def check_withheld(rig: Rig, wrong: Sequence[Fields]) -> None:
    """Hand out what is wrong with a version that a device has not got, and check that it is named and does no harm."""
    two = rig.devices[1]
    rig.clock.advance(2 * DAY)
    clean_up(two)  # of blocks that came with what was wrong before: with them, a value may be complete
    before, clock = snapshot(two), two.settings.config().clock
    rig.spoil = hand_out(wrong)
    rig.exchange(two)
    assert snapshot(two) == before
    assert two.settings.config().clock == clock
    assert name_refused(two) == {fields["Key"] for fields in wrong}


def flip_block(rig: Rig, fields: Fields, blocks: Sequence[bytes], number: int, at: int, bit: int) -> Fields:
    """Return an entry of which one bit of a block is another one."""
    data = bytearray(blocks[number])
    data[at] ^= 1 << bit
    put_blocks(rig, [bytes(data)])
    return fields | {"Blocks": list_blocks([*blocks[:number], bytes(data), *blocks[number + 1 :]])}


def test_bytes_of_all_blocks_of_a_large_value_count(rig: Rig, withheld: Withheld) -> None:
    blocks, random = read_blocks(rig, withheld.fields), Random(6)
    *full, rest = blocks
    assert len(full) == FULL
    head = len(rest) - 1100
    ends = [*range(0, 700, 1 if LONG else 23), *(random.randrange(700, head) for _ in range(20))]
    ends += range(head, len(rest), 1 if LONG else 5)
    for number, block in enumerate(blocks):
        places = ends if block is rest else [random.randrange(BLOCK_SIZE) for _ in range(50 if LONG else 3)]
        wrong = [flip_block(rig, withheld.fields, blocks, number, at, random.randrange(8)) for at in places]
        check_withheld(rig, wrong[:1])  # it takes another way where it is alone
        check_withheld(rig, wrong)


def test_each_byte_of_lists_and_head_counts(rig: Rig) -> None:
    one, two = rig.devices
    one.set("whole blocks", LARGE[: FULL * BLOCK_SIZE])
    rig.clock.advance(60 * SECOND)
    rig.exchange(one)
    fields = find(read_hub(rig), "whole blocks")
    blocks, random = read_blocks(rig, fields), Random(7)
    assert len(blocks[-1]) < 1200
    wrong = [flip_block(rig, fields, blocks, FULL, at, random.randrange(8)) for at in range(len(blocks[-1]))]
    check_named_alone(rig, wrong)
    rig.spoil = hand_out([fields])
    rig.exchange(two)
    assert value(two, "whole blocks") == LARGE[: FULL * BLOCK_SIZE]


def check_named_alone(rig: Rig, wrong: Sequence[Fields]) -> None:
    two = rig.devices[1]
    two._database.execute("DELETE FROM refused")
    check_withheld(rig, wrong)


def test_lists_of_blocks_that_are_others_are_not_taken(rig: Rig, withheld: Withheld) -> None:
    blocks = read_blocks(rig, withheld.fields)
    other = read_blocks(rig, find(rig.earlier, "large"))
    lists = [
        blocks[:-1],
        blocks[1:],
        [*blocks, blocks[-1]],
        [blocks[0], *blocks],
        [blocks[1], blocks[0], *blocks[2:]],
        [blocks[0], blocks[0], *blocks[2:]],
        [*other[:FULL], blocks[FULL]],
        [*blocks[:FULL], other[FULL]],
        [other[0], *blocks[1:]],
        list(reversed(blocks)),
    ]
    wrong = [withheld.fields | {"Blocks": list_blocks(each)} for each in lists]
    wrong += [
        withheld.fields | {"Size": withheld.fields["Size"] + more} for more in (-1, 1, -BLOCK_SIZE, BLOCK_SIZE, 10**12)
    ]
    wrong += [withheld.fields | {"Blocks": [[list_blocks(blocks[:1]), FULL + 1]]}]
    for each in wrong:
        check_withheld(rig, [each])


@pytest.mark.parametrize("what", ["drop", "cut", "none", "double", "reverse", "zeros", "empty", "another"])
def test_answers_with_other_blocks_are_not_taken(rig: Rig, withheld: Withheld, what: str) -> None:
    two = rig.devices[1]
    altered = {
        "drop": lambda blocks: blocks[:-1],
        "cut": lambda blocks: [block and block[:-1] for block in blocks],
        "none": lambda blocks: [None] * len(blocks),
        "double": lambda blocks: [blocks[0], *blocks],
        "reverse": lambda blocks: [block and bytes(block)[::-1] for block in blocks],
        "zeros": lambda blocks: [block and bytes(len(block)) for block in blocks],
        "empty": lambda blocks: [],
        "another": lambda blocks: [b"another"] * len(blocks),
    }[what]
    spoil_pull, spoil_blocks = hand_out([withheld.fields]), alter_blocks(altered)
    rig.spoil = lambda call, answer: spoil_blocks(call, spoil_pull(call, answer))
    before = snapshot(two)
    rig.exchange(two)
    if what != "double":  # the first one, which has the head, is right, and so are all where one is asked for at a time
        assert snapshot(two) == before
        assert name_refused(two) == {withheld.fields["Key"]}


def test_an_entry_whose_block_is_wrong_holds_up_no_other_that_has_it(rig: Rig, withheld: Withheld) -> None:
    one, two = rig.devices
    one.set("the same", withheld.value + b"and more")
    rig.clock.advance(60 * SECOND)
    rig.exchange(one)
    same = find(read_hub(rig), "the same")
    wrong = flip_block(rig, withheld.fields, read_blocks(rig, withheld.fields), 1, 500, 0)
    rig.spoil = hand_out([wrong, same])
    rig.exchange(two)
    assert value(two, "the same") == withheld.value + b"and more"
    assert value(two, "large") == withheld.value  # whose block came with the other one


# What is genuine, in another order, and of another time


def test_what_comes_twice_and_in_any_order_changes_nothing(own_rig: Rig) -> None:
    """All that was ever handed out, older versions too: a device that has what is newer brings nothing back."""
    rig, (one, two) = own_rig, own_rig.devices
    entries = [*rig.earlier, *read_hub(rig)] * 2
    before = {key: two.entry(key) for key in two.keys()}, two.share_links.list_all(), two.conflicts.count()
    for seed in range(100 if LONG else 5):
        Random(seed).shuffle(entries)
        rig.spoil = hand_out(entries)
        rig.exchange(two)
        rig.spoil = lambda _, answer: answer
        after = {key: two.entry(key) for key in two.keys()}, two.share_links.list_all(), two.conflicts.count()
        assert after == before, seed
        assert not name_refused(two) & {fields["Key"] for fields in entries}
    rig.exchange(two, one, two)
    assert {key: one.entry(key) for key in one.keys()} == before[0]


def test_counters_of_the_hub_are_not_taken(own_rig: Rig) -> None:
    """A new device takes all from a hub that counts as it likes, and has the same as the others."""
    rig, one = own_rig, own_rig.devices[0]
    entries = read_hub(rig)
    for number, field in enumerate(("Counter", "WriterCounter")):
        new = rig.add(rig.hub_path.parent / f"counted{number}", 70 + number)
        rig.spoil = hand_out([each | {field: MAX_RECEIVED} for each in entries])
        rig.exchange(new)
        rig.spoil = lambda _, answer: answer
        assert {key: new.entry(key) for key in new.keys()} == {key: one.entry(key) for key in one.keys()}
        assert new.settings.config().clock < 1000
        assert new.outbox.count_dirty() == (0, 0)
        rig.devices.append(new)


NUMBERS = [-1, 0, 1, 2**40, 2**47, 2**48 + 5, MAX_RECEIVED, MAX_NUMBER, 2**53, 10**30]


@pytest.mark.parametrize("field", ["Written", "Counter", "Clock", "Time", "ProcessID"])
def test_what_a_hub_says_of_itself_costs_at_most_a_process_id(tmp_path: Path, field: str) -> None:
    """Whether it is taken or refused: once it speaks the truth all goes on, and nothing was counted by it or dated."""
    with open_rig(tmp_path) as rig:
        one, two = rig.devices
        one.set("key", b"value")
        rig.exchange()
        for number in NUMBERS:
            before, clock = snapshot(two), two.settings.config().clock
            rig.spoil = altering(**{field: number})
            for _ in range(2):
                with suppress(SyncError):
                    rig.exchange(two)
            assert two.settings.config().clock <= clock + MARGIN, number
            after = snapshot(two)
            assert {**after, "who": 0, "entries": 0} == {**before, "who": 0, "entries": 0}
            assert [row[:8] for row in after["entries"]] == [row[:8] for row in before["entries"]]
            rig.spoil = lambda _, answer: answer
            check_goes_on(rig, b"%d" % number)


def check_goes_on(rig: Rig, text: bytes) -> None:
    """Check that what is written on one device comes to the other one, by their own clocks."""
    one, two = rig.devices
    rig.clock.advance(SECOND)
    two.set("key", b"written here" + text)
    one.set("other", b"written there" + text)
    rig.exchange(two, one, two, one)
    for store in (one, two):
        assert (value(store, "key"), value(store, "other")) == (b"written here" + text, b"written there" + text)
        assert store.entry("key").timestamp < rig.clock.now // 1000
        assert store.settings.config().clock < 1000
        assert name_refused(store) == set()


def test_incarnations_of_a_hub_cost_at_most_an_exchange(tmp_path: Path) -> None:
    with open_rig(tmp_path) as rig:
        one, two = rig.devices
        one.set("key", b"value")
        rig.exchange()
        for incarnations in ([], [[1, MAX_NUMBER]], [[MAX_NUMBER, 0]], [[5, 5]] * 1000, "x", [[1]], [[-1, -1]], 5):
            rig.spoil = altering(Incarnations=incarnations)
            with suppress(SyncError):
                rig.exchange(two)
        rig.spoil = lambda _, answer: answer
        two.set("key", b"another")
        rig.exchange(two, one)
        assert value(one, "key") == b"another"
        assert one.settings.config().clock < 1000


def test_pages_without_an_end_hold_a_device_up_and_do_no_harm(tmp_path: Path) -> None:
    """A hub can always withhold; here it says that there is more until it goes away."""
    with open_rig(tmp_path) as rig:
        one, two = rig.devices
        one.set("key", b"value")
        rig.exchange()
        before = snapshot(two)
        left = iter(range(50))

        def change(message: Fields) -> None:
            if next(left, None) is None:
                raise HubUnreachable("hub", "it went away")
            message["More"] = True

        rig.spoil = alter_pulls(change)
        with pytest.raises(HubUnreachable):
            rig.exchange(two)
        assert snapshot(two) == before


def test_a_hub_that_serves_yesterdays_database_brings_nothing_back(tmp_path: Path) -> None:
    with open_rig(tmp_path) as rig:
        one, two = rig.devices
        for store, key in ((one, "kept"), (one, "removed"), (two, "changed"), (one, "large")):
            store.set(key, LARGE if key == "large" else b"of yesterday")
        rig.exchange(one, two, one)
        image = bytes(rig.hub_store._database.connection.serialize())
        rig.clock.advance(DAY)
        one.delete("removed")
        one.set("changed", b"of today")
        one.set("large", LARGE[::-1])
        two.set("new", b"of today")
        rig.exchange(one, two, one)
        today = {store: {key: store.entry(key) for key in store.keys()} for store in rig.devices}
        history = {store: snapshot(store)["revisions"] for store in rig.devices}
        for lies in (True, False):  # about what it counts, so that nobody notices; and not
            rig.set_hub_back(image, tmp_path / f"hub{lies}")
            told: Fields = {"Clock": one.peers.hub().told, "Counter": one.peers.hub().cursor}
            told["Incarnations"] = [[one.peers.hub().incarnation, one.peers.hub().told]]
            rig.spoil = altering(**told if lies else {})
            for _ in range(2):
                rig.exchange()
            for store in rig.devices:
                assert {key: store.entry(key) for key in store.keys()} == today[store]
                assert snapshot(store)["revisions"] == history[store]
                assert store.conflicts.count() == 0
                assert name_refused(store) == set()
        new = rig.add(tmp_path / "new", 60)  # the hub noticed, or was told: all is there again
        rig.exchange(new)
        assert {key: new.entry(key) for key in new.keys()} == today[one]
        rig.devices.append(new)


def test_an_old_state_that_a_new_device_was_shown_wins_nowhere(tmp_path: Path) -> None:
    """Not even where a live link makes that device save anew what it was shown."""
    with open_rig(tmp_path) as rig:
        one, two = rig.devices
        one.set("key", b"old")
        rig.exchange()
        (old,) = read_hub(rig)
        rig.clock.advance(DAY)
        one.set("key", b"new")
        create_link(one, "key", Terms(lifetime=3600), clock=rig.clock)
        rig.exchange()
        record = next(each for each in read_hub(rig) if each["Key"].startswith("\x01link/"))
        new = rig.add(tmp_path / "new", 60)
        rig.devices.append(new)
        rig.spoil = hand_out([record, old])
        rig.exchange(new)
        rig.spoil = hand_out([old, record])
        new.peers.forget_hub()
        rig.exchange(new)
        assert value(new, "key") == b"old"
        rig.spoil = lambda _, answer: answer
        rig.exchange(one, two)
        for store in (one, two):
            assert value(store, "key") == b"new"
        new.peers.forget_hub()
        rig.exchange(new)
        assert value(new, "key") == b"new"
        assert one.conflicts.count() == two.conflicts.count() == 0


# Links, and who has one


def test_links_that_no_device_made_are_not_taken_and_ends_are_final(tmp_path: Path) -> None:
    with open_rig(tmp_path) as rig:
        one, two = rig.devices
        one.set("key", b"value")
        one.set("other", b"value")
        link = create_link(one, "key", Terms(lifetime=86_400, once=True), clock=rig.clock)
        rig.exchange(one, two)
        record = next(each for each in read_hub(rig) if each["Key"].startswith("\x01link/"))
        assert two.share_links.list_all() == [link]
        name = hide_key(KEYS, "other")
        others = [
            link._replace(key=name),
            link._replace(key="key"),
            link._replace(expires=0),
            link._replace(expires=link.expires + 1),
            link._replace(once=False),
            *(link._replace(token=token) for token in flip_text(link.token)),
            link._replace(token=link.token[:22]),
            link._replace(token=link.token * 2),
        ]
        wrong = [record | {"Key": each.record, "UrlToken": token} for each in others for token in (each.token, "ended")]
        wrong += [record | {"Key": record["Key"].replace("/once/", "/once//")}, record | {"Value": "eA=="}]
        before = snapshot(two)
        rig.spoil = hand_out(wrong)
        rig.exchange(two)
        assert snapshot(two) == before
        assert len(name_refused(two)) == len({fields["Key"] for fields in wrong})
        # Counters and times of a genuine one say nothing either.
        clock = two.settings.config().clock
        rig.spoil = hand_out([record | {"Counter": MAX_RECEIVED, "TimestampUnixMicro": MAX_RECEIVED, "ProcessID": 5}])
        rig.exchange(two)
        assert two.settings.config().clock <= clock + MARGIN
        rig.spoil = hand_out([record | {"UrlToken": "ended", "TimestampUnixMicro": 1}])
        rig.exchange(two)
        assert two.share_links.list_all() == []
        for time in (MAX_RECEIVED, 0):
            rig.spoil = hand_out([record | {"TimestampUnixMicro": time}])
            rig.exchange(two)
        assert two.share_links.list_all() == []


def test_who_has_a_link_and_the_access_key_makes_nothing_that_a_device_takes(tmp_path: Path) -> None:
    """He opens what it leads to: C, all that is in the box, and the wraps. He lacks the key of proofs."""
    with open_rig(tmp_path) as rig:
        one, two = rig.devices
        one.set("key", b"value")
        link = create_link(one, "key", Terms(lifetime=86_400), clock=rig.clock)
        rig.exchange(one, two)
        fields = find(read_hub(rig), "key")
        sealed = b64decode(fields["Value"])
        link_key = derive_link_key(KEYS, link.token)
        version_key = derive_version_key(KEYS, fields["UrlToken"])
        entry = one.entry("key")._replace(size=6)
        wrong = []
        for key in (KEYS.access, version_key, link_key, bytes(32)):
            # With keys of his own for all but what opens the box: whatever he signs with, it is not M.
            own = KEYS._replace(proofs=key)
            outside = hide_version(KEYS, one.entry("key"))
            wrong.append(seal_value(own, outside, entry, b"poison", [link]))
            wrong.append(seal_value(own, outside, entry, b"poison"))
        genuine = cut_head(sealed)
        box = AESGCM(version_key).encrypt(genuine[9:21], forge_body(version_key, genuine), genuine[:9])
        wraps = genuine[25 + len(box) : -32]
        for proof in (genuine[-32:], bytes(32), compute_mac(version_key, genuine[:-32]), compute_mac(KEYS.access, b"")):
            head = genuine[:21] + len(box).to_bytes(4) + box + wraps + proof
            wrong.append(head + len(head).to_bytes(4))
        clock, before = two.settings.config().clock, snapshot(two)
        for newer in (0, 10**9):  # in place of it, and as a newer one
            time = fields["TimestampUnixMicro"] + newer
            rig.spoil = hand_out(
                [fields | {"Value": b64encode(data).decode(), "TimestampUnixMicro": time} for data in wrong]
            )
            rig.exchange(two)
            assert snapshot(two) == before
            assert two.settings.config().clock == clock
            assert name_refused(two) == {fields["Key"]}


def forge_body(version_key: bytes, head: bytes) -> bytes:
    """Return what is in the box of a head, with another value."""
    length = int.from_bytes(head[21:25])
    body = AESGCM(version_key).decrypt(head[9:21], head[25 : 25 + length], head[:9])
    assert b"value" in body
    return body.replace(b"value", b"other")


def test_what_was_sealed_under_other_keys_is_not_taken(rig: Rig) -> None:
    """Also where the hub gives it the names of this store."""
    wrong = []
    for counter, key in enumerate(("small", "gone", "new here"), 1_000):
        entry = make_entry(key, 5, counter=counter, timestamp=1_900_000_000_000_000)
        for outside in (hide_version(OTHER_KEYS, entry), hide_version(KEYS, entry)):
            sealed = seal_value(OTHER_KEYS, outside, entry, b"value")
            wrong.append(
                PLAIN
                | {"Key": outside.name, "UrlToken": outside.token, "Value": b64encode(sealed).decode()}
                | {"TimestampUnixMicro": outside.timestamp, "ProcessID": outside.process_id}
            )
    check_named(rig, wrong)


def test_a_hub_fills_no_disk_by_what_it_has_that_is_wrong(rig: Rig) -> None:
    two = rig.devices[1]
    two._database.execute("DELETE FROM refused")
    feed(rig, [PLAIN | {"Key": f"{number} " + "x" * 1000} for number in range(2000)])
    kept = two.sealed.refused()
    assert len(kept) == 1000
    assert max(len(each.name) for each in kept) <= 300


# Two devices, one link


@pytest.mark.parametrize("original_order", [True, False])
def test_two_devices_that_wrap_a_link_anew_end_in_one_state(tmp_path: Path, original_order: bool) -> None:
    """Both find a live link to a version whose key is not wrapped for it, and save that anew at the same time."""
    with open_rig(tmp_path, count=3) as rig:
        one, two, three = rig.devices
        one.set("key", b"value")
        one.set("large", LARGE)
        rig.exchange()
        three.set("key", b"written without knowing of a link")
        three.set("large", LARGE + b"!")
        links = [create_link(one, key, Terms(lifetime=86_400), clock=rig.clock) for key in ("key", "large")]
        order = (three, one) if original_order else (one, three)
        rig.exchange(*order, two, *order)
        for _ in range(3):
            rig.exchange(two, *order)
        all_ = [{key: store.entry(key) for key in store.keys()} for store in rig.devices]
        assert all_[0] == all_[1] == all_[2]
        rig.count_sent()
        rig.exchange()
        assert [call for call, _ in rig.sent if call == "push"] == []  # and that is the end of it
        expected = {"key": value(one, "key"), "large": value(one, "large")}
        for link, key in zip(links, ("key", "large"), strict=True):
            assert read_address(rig, address_link(KEYS, link)) == expected[key]
            for store in rig.devices:
                assert link in store.share_links.list_all()
                assert value(store, key) == expected[key]
        assert expected["key"] == b"written without knowing of a link"


def read_address(rig: Rig, address: SealedAddress) -> bytes:
    """Return what an address leads to, as its holder opens it."""
    offers = Offers(StoreKeeper(rig.hub_store), clock=rig.clock)
    found = b"".join(offers.hold_pieces(address.token, offers.find_offer(address.token)))
    head = open_address(address, read_from(found), len(found))
    return b"".join(read_value(head, read_from(found)))
