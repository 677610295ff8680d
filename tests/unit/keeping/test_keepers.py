"""What a hub can rely on, whoever keeps its store."""

from __future__ import annotations

from hashlib import sha256
from threading import Thread
from typing import Any

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.errors import InvalidMessage, OutOfRange, ValueReplaced
from kvassfs.keeping.keeper import Keeper
from kvassfs.share_link import ShareLink
from kvassfs.store import Limit, Mailbox, Page, Shared
from kvassfs.store.merging import MAX_LEAP
from tests.support.stores import SMALL, YEAR_2024, Clock
from tests.unit.keeping.conftest import Another

NOW = YEAR_2024 // 1000

EVERYTHING = Limit(10**9, 10**9, lambda _: 1)


def made(
    key: str,
    value: bytes = b"value",
    *,
    time: int = 1,
    counter: int = 1,
    writer: int = 7,
    token: str | None = None,
    **fields: Any,
) -> Delivery:
    """Return an entry as a device pushes it; ``time`` is in µs after the year began."""
    token = f"{key}-{writer}-{counter}" if token is None else token
    return Delivery(Entry(key, NOW + time, counter, writer, token, len(value), **fields), counter, value)


def in_blocks(
    key: str, *blocks: bytes, counts: tuple[int, ...] = (), size: int | None = None, **fields: Any
) -> Delivery:
    """Return an entry whose value travels in blocks."""
    whole = sum(len(block) * times for block, times in zip(blocks, counts or [1] * len(blocks), strict=True))
    plain = made(key, b"", **fields)
    entry = plain.entry._replace(size=whole if size is None else size)
    return Delivery(entry, plain.sequence, None, b"".join(sha256(block).digest() for block in blocks), counts)


def pull(keeper: Keeper, first: int = 0, by: int = 9, limit: Limit = EVERYTHING) -> Page:
    return keeper.read_page(first, by, limit)


def found(keeper: Keeper, **options: Any) -> dict[str, bytes]:
    """Return the values that a device gets that has nothing."""
    outgoing = keeper.mark_as_sent(pull(keeper, **options).outgoing)
    return {out.delivery.entry.key: b"".join(keeper.read_pieces(out)) for out in outgoing}


BLOCKS = [bytes([number]) * SMALL.block for number in range(40)]
"""Full blocks of the small sizes that the tests have."""


# Merging


def test_what_is_pushed_is_handed_out(keeper: Keeper) -> None:
    outcome = keeper.merge([made("a", b"one"), made("b", b"two", counter=2)])
    page = pull(keeper)
    assert outcome.missing == []
    assert [out.delivery.entry.key for out in page.outgoing] == ["a", "b"]
    assert [out.delivery.value for out in page.outgoing] == [b"one", b"two"]
    assert outcome.clock == page.clock == page.cursor
    assert not page.more


def test_all_that_an_entry_carries_comes_back(keeper: Keeper) -> None:
    entry = Entry("ключ/a\x01", NOW, 3, 7, "tok\0en", 1, 0o100644, -5, "8:2", "7:1")
    keeper.merge([Delivery(entry, 3, b"\0")])
    (out,) = pull(keeper).outgoing
    assert out.delivery.entry == entry
    assert out.delivery.value == b"\0"


def test_a_key_may_be_long(keeper: Keeper) -> None:
    key = "k" * 1_000_000
    keeper.merge([made(key, b"v", token="t" * 10_000)])
    assert found(keeper) == {key: b"v"}


def test_nobody_gets_what_it_wrote_itself(keeper: Keeper) -> None:
    keeper.merge([made("a", writer=7), made("b", writer=9, counter=2)])
    assert list(found(keeper, by=7)) == ["b"]


def test_the_greater_version_wins_in_either_order(keeper: Keeper) -> None:
    older, newer = made("a", b"old", time=1), made("a", b"new", time=2, counter=2, writer=8)
    for first, second in [(older, newer), (newer, older)]:
        keeper.merge([first])
        keeper.merge([second])
        assert found(keeper) == {"a": b"new"}


def test_the_winner_of_a_lost_push_is_handed_out_anew_once(keeper: Keeper) -> None:
    keeper.merge([made("a", b"new", time=5, counter=1, writer=8)])
    cursor = pull(keeper).cursor
    lost = made("a", b"old", time=1, counter=1, writer=7)
    keeper.merge([lost])
    again = pull(keeper, cursor + 1)
    assert [out.delivery.value for out in again.outgoing] == [b"new"]
    keeper.merge([lost])
    assert pull(keeper, again.cursor + 1).outgoing == []


def test_the_same_again_changes_nothing(keeper: Keeper) -> None:
    push = [made("a"), made("b", b"", counter=2)]
    clock = keeper.merge(push).clock
    assert keeper.merge(push).clock == clock


def test_a_key_twice_in_one_push_ends_with_the_winner(keeper: Keeper) -> None:
    keeper.merge([made("a", b"1"), made("a", b"3", time=3, counter=3), made("a", b"2", time=2, counter=2)])
    assert found(keeper) == {"a": b"3"}
    sequences = [out.delivery.sequence for out in pull(keeper).outgoing]
    assert len(sequences) == 1


def test_a_version_that_changes_mode_alone_keeps_the_value(keeper: Keeper) -> None:
    keeper.merge([made("a", b"value", token="t")])
    changed = made("a", b"value", time=2, counter=2, token="t", mode=0o100755)
    keeper.merge([changed._replace(value=b"value")])
    (out,) = pull(keeper).outgoing
    assert (out.delivery.entry.mode, out.delivery.value) == (0o100755, b"value")


def test_a_large_value_that_changes_mode_alone_keeps_its_blocks(keeper: Keeper) -> None:
    keeper.put_blocks(BLOCKS)
    first = in_blocks("a", *BLOCKS, token="t")
    keeper.merge([first])
    keeper.merge([in_blocks("a", *BLOCKS, token="t", time=2, counter=2, mode=0o100755)])
    assert found(keeper) == {"a": b"".join(BLOCKS)}


def test_sequences_go_on_beyond_counters_and_are_never_given_twice(keeper: Keeper) -> None:
    keeper.merge([made("a", counter=500)])
    clock = keeper.merge([made("b", counter=3)]).clock
    sequences = [out.delivery.sequence for out in pull(keeper).outgoing]
    assert sequences == sorted(set(sequences))
    assert sequences[-1] == clock > 501


def test_no_message_uses_up_the_numbers(keeper: Keeper) -> None:
    with pytest.raises(OutOfRange):
        keeper.merge([made("a"), made("b", counter=MAX_LEAP + 10)])
    assert found(keeper) == {}


def test_tombstones_are_handed_out(keeper: Keeper) -> None:
    keeper.merge([made("a")])
    keeper.merge([made("a", b"", time=2, counter=2)])
    (out,) = pull(keeper).outgoing
    assert out.delivery.entry.deleted


def test_removals_alone_are_merged(keeper: Keeper) -> None:
    keeper.merge([made("a"), made("b", counter=2)])
    keeper.merge_removals([made("a", b"", time=9, counter=3), made("c", b"x", counter=4)])
    assert found(keeper) == {"b": b"value", "a": b""}


# Large values


def test_blocks_are_kept_until_an_entry_names_them(keeper: Keeper) -> None:
    delivery = in_blocks("film", *BLOCKS[:3])
    missing = keeper.merge([delivery, made("a", counter=2)]).missing
    assert missing == [sha256(block).digest() for block in BLOCKS[:3]]
    assert list(found(keeper)) == ["a"]
    keeper.put_blocks(BLOCKS[:3])
    assert keeper.get_blocks([*missing, bytes(32)]) == [*BLOCKS[:3], None]
    assert keeper.merge([delivery]).missing == []
    assert found(keeper)["film"] == b"".join(BLOCKS[:3])


def test_a_large_value_is_told_by_its_blocks(keeper: Keeper) -> None:
    keeper.put_blocks([*BLOCKS, b"end"])
    delivery = in_blocks("film", *BLOCKS, b"end")
    keeper.merge([delivery])
    (out,) = pull(keeper, limit=Limit(10**9, 10, lambda _: 1)).outgoing
    assert (out.delivery.value, out.delivery.blocks) == (None, delivery.blocks)
    assert b"".join(keeper.read_pieces(out)) == b"".join([*BLOCKS, b"end"])


def test_runs_of_equal_blocks_stay_runs(keeper: Keeper) -> None:
    keeper.put_blocks([BLOCKS[0], b"end"])
    keeper.merge([in_blocks("sparse", BLOCKS[0], b"end", counts=(300, 1))])
    (out,) = pull(keeper, limit=Limit(10**9, 10, lambda _: 1)).outgoing
    assert out.delivery.counts == (300, 1)
    assert b"".join(keeper.read_pieces(out)) == BLOCKS[0] * 300 + b"end"


def test_a_whole_value_that_is_large_is_kept(keeper: Keeper) -> None:
    value = b"".join(BLOCKS) + b"tail"
    keeper.merge([made("film", value)])
    assert found(keeper) == {"film": value}


@pytest.mark.parametrize(
    "delivery",
    [
        in_blocks("a", *BLOCKS, size=len(b"".join(BLOCKS)) + SMALL.block * 3),
        in_blocks("a", b"short", *BLOCKS),
        in_blocks("a", *BLOCKS, size=len(b"".join(BLOCKS)) - 1),
    ],
    ids=["fewer", "short in the middle", "longer than it says"],
)
def test_a_value_that_its_blocks_do_not_fit_is_refused(keeper: Keeper, delivery: Delivery) -> None:
    keeper.put_blocks([*BLOCKS, b"short"])
    with pytest.raises(InvalidMessage):
        keeper.merge([made("b"), delivery])
    assert found(keeper) == {}


# Pages


def test_pages_end_where_they_are_full_and_go_on_there(keeper: Keeper) -> None:
    keeper.merge([made(f"{number:04}", counter=number) for number in range(1, 301)])
    limit = Limit(10, 10**9, lambda _: 1)
    keys: list[str] = []
    first, more = 0, True
    while more:
        page = pull(keeper, first, limit=limit)
        assert 1 <= len(page.outgoing) <= 10
        keys += [out.delivery.entry.key for out in page.outgoing]
        first, more = page.cursor + 1, page.more
    assert keys == [f"{number:04}" for number in range(1, 301)]


def test_an_entry_that_is_larger_than_a_page_comes_alone(keeper: Keeper) -> None:
    keeper.merge([made("a"), made("b", counter=2)])
    page = pull(keeper, limit=Limit(0, 10**9, lambda _: 1))
    assert [out.delivery.entry.key for out in page.outgoing] == ["a"]
    assert page.more


# What devices are told


def test_devices_are_told_names_and_counters(keeper: Keeper) -> None:
    keeper.merge([made("a", counter=5, writer=7), made("b", counter=3, writer=7)])
    keeper.note_device(7, {7: "laptop", 8: "phone"})
    keeper.note_device(8, {7: "not its own name", 8: "telephone"})
    told = keeper.describe(6, 7)
    assert told.counter == 5
    assert {7: "laptop", 8: "telephone"}.items() <= told.names.items()  # a store has a name of its own beside
    assert keeper.describe(6, 99).counter == 0


def test_the_incarnation_that_tells_is_the_last_one(keeper: Keeper) -> None:
    outcome = keeper.merge([made("a")])
    told = keeper.describe(outcome.clock, 7)
    assert told.process_id == outcome.process_id != 0
    assert told.incarnations[-1].told >= outcome.clock
    assert told.incarnations[-1].mark == outcome.incarnations[-1].mark


# What is shared


def test_a_token_leads_to_its_version_until_that_is_replaced(keeper: Keeper) -> None:
    keeper.merge([made("a", b"one", token="first")])
    shared = keeper.find_shared("first")
    assert isinstance(shared, Shared)
    assert (shared.entry.key, shared.value.data) == ("a", b"one")
    assert not keeper.find_shared("other")
    assert not keeper.has_ended("other")
    keeper.merge([made("a", b"two", time=2, counter=2, token="second")])
    assert keeper.find_shared("first") is None
    assert keeper.has_ended("first")


def shared_link(keeper: Keeper, *, once: bool = False) -> ShareLink:
    link = ShareLink("link-token", "a", once=once)
    keeper.merge([made("a", b"one"), made(link.record, b"", counter=2, token=link.token)])
    return link


def test_a_link_leads_to_what_its_key_holds(keeper: Keeper) -> None:
    link = shared_link(keeper)
    assert keeper.find_shared(link.token) == link
    keeper.merge([made("a", b"two", time=2, counter=3)])
    resolved = keeper.resolve_link(link)
    assert resolved is not None
    assert (resolved.value.data, resolved.link) == (b"two", link)
    keeper.merge([made("a", b"", time=3, counter=4)])
    assert keeper.resolve_link(link) is None


def test_a_link_ends_once_and_devices_learn_of_it(keeper: Keeper, another: Another) -> None:
    link = shared_link(keeper, once=True)
    cursor = pull(keeper).cursor
    assert keeper.end_link(link, lambda: True)
    with another() as other:
        assert not other.end_link(link, lambda: True)
    assert keeper.find_shared(link.token) is None
    assert keeper.has_ended(link.token)
    (out,) = keeper.mark_as_sent(pull(keeper, cursor + 1).outgoing)
    assert out.delivery.entry.key == link.record
    assert out.delivery.entry.url_token != link.token


def test_a_link_does_not_end_where_its_value_was_replaced(keeper: Keeper) -> None:
    link = shared_link(keeper, once=True)
    with pytest.raises(ValueReplaced):
        keeper.end_link(link, lambda: False)
    assert keeper.find_shared(link.token) == link


def test_of_many_at_once_one_ends_a_link(keeper: Keeper, another: Another) -> None:
    link = shared_link(keeper, once=True)
    ended: list[bool] = []

    def end() -> None:
        with another() as own:
            ended.append(own.end_link(link, lambda: True))

    threads = [Thread(target=end) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == [False] * 7 + [True]


def test_a_held_value_stays_when_its_key_moves_on(keeper: Keeper) -> None:
    keeper.put_blocks([*BLOCKS, b"end"])
    keeper.merge([in_blocks("a", *BLOCKS, b"end", token="t")])
    shared = keeper.find_shared("t")
    assert isinstance(shared, Shared)
    assert shared.value.is_large
    assert keeper.read_head(shared.value, 5) == BLOCKS[0][:5]
    whole = b"".join([*BLOCKS, b"end"])
    with keeper.hold(shared.value, lambda: True) as held:
        keeper.merge([made("a", b"", time=5, counter=5)])
        assert b"".join(held.pieces()) == whole
        assert (
            b"".join(held.pieces(SMALL.block - 1, SMALL.block * 3 + 2)) == whole[SMALL.block - 1 : SMALL.block * 3 + 2]
        )


def test_what_was_replaced_is_not_held(keeper: Keeper) -> None:
    keeper.put_blocks(BLOCKS)
    keeper.merge([in_blocks("a", *BLOCKS, token="t")])
    shared = keeper.find_shared("t")
    assert isinstance(shared, Shared)
    with pytest.raises(ValueReplaced), keeper.hold(shared.value, lambda: False):
        pass


def test_a_short_value_is_held_without_a_question(keeper: Keeper) -> None:
    keeper.merge([made("a", b"short", token="t")])
    shared = keeper.find_shared("t")
    assert isinstance(shared, Shared)
    with keeper.hold(shared.value, lambda: False) as held:
        assert b"".join(held.pieces(1, 3)) == b"ho"


# Mailboxes


def test_mailboxes_are_changed_as_a_whole(keeper: Keeper, another: Another, clock: Clock) -> None:
    box = Mailbox(5, "ticket", clock() // 1000 + 10, share="s")
    keeper.change_mailboxes(lambda before: [*before, box])
    with another() as other:
        assert other.read_mailboxes() == [box]

    def fail(_: list[Mailbox]) -> list[Mailbox]:
        raise KeyError

    with pytest.raises(KeyError):
        keeper.change_mailboxes(fail)
    assert keeper.read_mailboxes() == [box]
    keeper.change_mailboxes(lambda _: [])
    with another() as other:
        assert other.read_mailboxes() == []
