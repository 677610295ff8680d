"""What a hub tells those that ask: beside entries, while they wait, and of values that it streams."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from kvassfs.block import BLOCK_SIZE, split_hashes
from kvassfs.entry import Delivery, Entry
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.store import Sizes, Store, settling
from kvassfs.sync import block_messages, messages
from kvassfs.sync.hub import Hub
from kvassfs.sync.limits import HUB_LIMITS, MessageLimits
from kvassfs.sync.seal import HeldBody, Seal, compute_mark
from tests.support.original import entries_of
from tests.support.replicas import KEY, SMALL_LIMITS
from tests.support.stores import (
    DAY,
    REGULAR,
    SECOND,
    SMALL,
    YEAR_2024,
    Clock,
    audit,
    audit_clean,
    count,
    is_scratch,
    revision_values,
    rows,
    save,
)

HUB_ID = 9

NOW = YEAR_2024 // 1000
"""Timestamps count in µs."""


def made(
    key: str,
    value: bytes = b"value",
    *,
    time: int = 1,
    counter: int = 1,
    writer: int = 1,
    token: str | None = None,
    mode: int | None = None,
) -> Delivery:
    """Return an entry as a device pushes it; ``time`` is in µs after the year began."""
    token = f"{key}-{writer}-{counter}" if token is None else token
    return Delivery(Entry(key, NOW + time, counter, writer, token, len(value), mode), counter, value)


class Desk:
    """A hub, and what devices say to it."""

    def __init__(self, store: Store, clock: Clock, limits: MessageLimits) -> None:
        self.store = store
        self.clock = clock
        self.hub = Hub(StoreKeeper(store), clock=clock, limits=limits)

    @cached_property
    def seal(self) -> Seal:
        return Seal(self.store.settings.config().encryption_key)

    def push(self, *deliveries: Delivery) -> messages.PushResponse:
        body = self.seal.seal(messages.encode_push(deliveries))
        answer = messages.decode_push_response(self.seal.unseal(self.hub.push(body)))
        assert answer.digest == messages.compute_digest(body)
        return answer

    def ask(
        self, first: int = 0, by: int = 100, **more: Any
    ) -> tuple[Callable[..., messages.PullResponse | None], float]:
        """Make a request; return what asks for its answer, and for how long it may wait."""
        body = self.seal.seal(messages.encode_pull_request(messages.PullRequest(first, by, messages.VERSION, **more)))
        pull = self.hub.pull(body)

        def answer(*, patient: bool = False) -> messages.PullResponse | None:
            pieces = pull.respond(patient=patient)
            if pieces is None:
                return None
            opened = messages.decode_pull_response(self.seal.unseal(b"".join(pieces)))
            assert opened.digest == messages.compute_digest(body)
            return opened

        return answer, pull.wait

    def pull(self, first: int = 0, by: int = 100, **more: Any) -> messages.PullResponse:
        answer = self.ask(first, by, **more)[0]()
        assert answer is not None
        return answer

    def pull_original(self, first: int = 0, by: int = 100) -> Iterator[bytes]:
        """Ask as the original program does; return the pieces of the sealed answer."""
        body = self.seal.seal(json.dumps({"Counter": first, "ProcessID": by}).encode())
        pieces = self.hub.pull(body).respond(patient=True)
        assert pieces is not None
        return pieces

    def blocks(self, *, get: Iterable[bytes] = (), put: Iterable[bytes] = ()) -> list[block_messages.Block | None]:
        body = self.seal.seal_joined(
            block_messages.encode_blocks_request(block_messages.BlocksRequest(list(get), list(put)))
        )
        name, found = block_messages.decode_blocks_response(self.seal.unseal(self.hub.serve_blocks(body)))
        assert name == compute_mark(HeldBody(body))
        return found


def keys(answer: messages.PullResponse) -> list[str]:
    return [delivery.entry.key for delivery in answer.deliveries]


def sequences(answer: messages.PullResponse) -> list[int]:
    return [delivery.sequence for delivery in answer.deliveries]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits() -> MessageLimits:
    return HUB_LIMITS


@pytest.fixture
def sizes() -> Sizes:
    return Sizes()


@pytest.fixture
def desk(tmp_path: Path, clock: Clock, limits: MessageLimits, sizes: Sizes) -> Iterator[Desk]:
    with Store.open(tmp_path / "hub", clock=clock, sizes=sizes) as store:
        store._database.execute("PRAGMA synchronous=OFF")
        store.settings.set_process_id(HUB_ID)
        store.settings.set_encryption_key(KEY)
        yield Desk(store, clock, limits)
        audit(store)


class TestVersion2:
    """What the answers tell beside entries, and which entries they hold."""

    def test_the_answer_to_a_push_tells_clock_identity_and_time(self, desk: Desk) -> None:
        answer = desk.push(made("a"), made("b", counter=2))
        assert answer.clock == desk.store.settings.config().clock == 3
        assert answer.process_id == HUB_ID
        assert abs(answer.time - desk.clock.now // 1000) < 1000
        assert answer.missing == b""
        assert len(answer.incarnations) == 1

    def test_the_answer_to_a_pull_tells_cursor_clock_identity_and_time(self, desk: Desk) -> None:
        desk.push(made("a"))
        answer = desk.pull()
        assert (keys(answer), sequences(answer)) == (["a"], [2])
        assert (answer.cursor, answer.clock, answer.process_id, answer.more) == (2, 2, HUB_ID, False)
        assert abs(answer.time - desk.clock.now // 1000) < 1000

    def test_an_entry_comes_as_it_was_pushed_with_the_sequence_of_the_hub(self, desk: Desk) -> None:
        pushed = made("a", b"x", counter=5, writer=7, mode=0o100755)
        desk.push(pushed)
        assert desk.pull().deliveries == [pushed._replace(sequence=6)]

    def test_only_what_is_new_is_handed_out(self, desk: Desk) -> None:
        desk.push(made("a"))
        cursor = desk.pull().cursor
        assert desk.pull(cursor + 1).deliveries == []
        desk.push(made("b", counter=2))
        assert keys(desk.pull(cursor + 1)) == ["b"]

    def test_what_the_asker_wrote_itself_is_left_out_and_passed_by(self, desk: Desk) -> None:
        desk.push(made("a", writer=1), made("b", writer=2))
        answer = desk.pull(by=2)
        assert keys(answer) == ["a"]
        assert answer.cursor == desk.store.settings.config().clock

    def test_a_cursor_never_goes_back(self, desk: Desk) -> None:
        desk.push(made("a"))
        assert desk.pull(50).cursor == 49

    def test_what_it_hands_out_is_known_to_others_from_then_on(self, desk: Desk) -> None:
        node = save(desk.store, "a", b"x")
        desk.clock.advance(settling.GATHERING_TIME)
        desk.pull()
        desk.store.tree.unlink(node, is_scratch=is_scratch)
        assert rows(desk.store, "SELECT key FROM entries") == ["a"]


class TestPatience:
    """A pull that may wait is answered as soon as there is something, and not before."""

    def test_what_the_asker_wrote_is_nothing(self, desk: Desk) -> None:
        desk.push(made("a", writer=2))
        assert desk.ask(by=2, wait=5.0)[0](patient=True) is None

    def test_at_the_end_of_its_patience_the_answer_is_empty(self, desk: Desk) -> None:
        desk.push(made("a", writer=2))
        answer = desk.ask(by=2, wait=5.0)[0]()
        assert answer is not None
        assert (answer.deliveries, answer.cursor) == ([], 2)

    def test_what_another_process_writes_to_the_store_counts(self, desk: Desk) -> None:
        answer, _ = desk.ask(wait=5.0)
        with Store.open(desk.store.path, clock=desk.clock) as other:
            other.set("a", b"x")
        found = answer(patient=True)
        assert found is not None
        assert keys(found) == ["a"]


class TestMerging:
    """What becomes of entries that are pushed."""

    def test_a_value_that_is_replaced_is_kept_as_a_revision_once(self, desk: Desk) -> None:
        for _ in range(3):
            desk.push(made("a", b"old", time=1, writer=2))
            desk.push(made("a", b"new", time=2, writer=1))
        assert revision_values(desk.store, "a") == [b"old"]
        assert desk.store.get("a").read() == b"new"

    def test_a_change_of_mode_alone_travels_and_makes_no_revision(self, desk: Desk) -> None:
        desk.push(made("a", token="t", mode=0o100644))
        cursor = desk.pull().cursor
        desk.push(made("a", token="t", mode=0o100755, time=2, counter=2))
        (delivery,) = desk.pull(cursor + 1).deliveries
        assert (delivery.entry.mode, delivery.value) == (0o100755, b"value")
        assert revision_values(desk.store, "a") == []
        desk.push(made("a", token="t", mode=0o100600, time=1, counter=2))
        assert revision_values(desk.store, "a") == []

    def test_a_tombstone_travels_and_keeps_the_value_as_a_revision(self, desk: Desk) -> None:
        desk.push(made("a", b"x"))
        desk.push(made("a", b"", time=2, counter=2))
        (delivery,) = desk.pull().deliveries
        assert delivery.entry.deleted
        assert list(desk.store.keys()) == []
        assert revision_values(desk.store, "a") == [b"x"]

    def test_an_empty_file_is_no_tombstone(self, desk: Desk) -> None:
        desk.push(made("a", b"", mode=0o100644))
        assert desk.store.tree.file("a") is not None
        assert not desk.pull().deliveries[0].entry.deleted

    def test_the_clock_is_ahead_of_all_that_came(self, desk: Desk) -> None:
        desk.push(made("a", counter=1000))
        assert desk.store.settings.config().clock == 1001
        assert desk.store.set("b", b"x").counter == 1002

    def test_a_write_here_wins_over_what_was_pushed_before_it(self, desk: Desk) -> None:
        desk.push(made("a", time=3 * DAY // 1000))
        desk.store.set("a", b"mine")
        desk.push(made("a", time=3 * DAY // 1000))
        assert desk.store.get("a").read() == b"mine"


class TestKeptBack:
    """What comes and goes in a mount is handed out when it has settled."""

    def test_a_file_that_is_saved_anew_at_once_is_never_seen_to_go(self, desk: Desk) -> None:
        node = save(desk.store, "a", b"x")
        desk.clock.advance(10 * SECOND)
        cursor = desk.pull().cursor
        desk.store.tree.unlink(node, is_scratch=is_scratch)
        save(desk.store, "a", b"y")
        (delivery,) = desk.pull(cursor + 1).deliveries
        assert delivery.value == b"y"


class TestLargeValues:
    """Values that travel in blocks; messages and blocks are small here."""

    @pytest.fixture
    def sizes(self) -> Sizes:
        return SMALL

    @pytest.fixture
    def limits(self) -> MessageLimits:
        return SMALL_LIMITS

    @staticmethod
    def large(size: int, *, key: str = "large", time: int = 1, counter: int = 1) -> tuple[Delivery, list[bytes]]:
        """Return an entry with a value in blocks, and the blocks: of 64 bytes, each another one."""
        value = b"".join(b"%8d" % number for number in range(size // 8))
        blocks = [value[at : at + 64] for at in range(0, len(value), 64)]
        named = b"".join(bytes.fromhex(messages.compute_digest(block)) for block in blocks)
        entry = Entry(key, NOW + time, counter, 1, f"{key}-{counter}", len(value))
        return Delivery(entry, counter, None, named), blocks

    def test_blocks_are_stored_under_what_they_are(self, desk: Desk) -> None:
        """One that was damaged on its way is another one, and the right one is still missing."""
        delivery, blocks = self.large(200)
        desk.blocks(put=[blocks[0], b"?" * 64, *blocks[2:]])
        assert desk.push(delivery).missing == split_hashes(delivery.blocks)[1]

    def test_blocks_are_handed_out_by_their_hashes(self, desk: Desk) -> None:
        delivery, blocks = self.large(200)
        desk.blocks(put=blocks)
        named = split_hashes(delivery.blocks)
        assert desk.blocks(get=[named[1], bytes(32)]) == [blocks[1], None]

    def test_the_same_block_may_come_again(self, desk: Desk) -> None:
        delivery, blocks = self.large(200)
        for _ in range(3):
            desk.blocks(put=blocks)
        desk.push(delivery)
        desk.blocks(put=blocks)
        assert count(desk.store, "blocks") == len(blocks)

    def test_the_original_gets_it_whole_and_in_pieces(self, desk: Desk) -> None:
        delivery, blocks = self.large(8000)
        desk.push(made("a"))
        desk.blocks(put=blocks)
        desk.push(delivery, made("z", counter=2))
        pieces = list(desk.pull_original())
        assert max(map(len, pieces)) < 1000
        found = entries_of(desk.seal.unseal(b"".join(pieces)))
        assert [entry.key for entry in found] == ["a", "large", "z"]
        assert [entry.counter for entry in found] == rows(desk.store, "SELECT sequence FROM entries ORDER BY sequence")
        assert found[1].value == b"".join(blocks)

    def test_the_original_gets_all_pages_in_one_answer(self, desk: Desk) -> None:
        desk.push(*(made(f"k{number:02}", bytes(90), counter=number + 1) for number in range(30)))
        found = entries_of(desk.seal.unseal(b"".join(desk.pull_original())))
        assert [entry.key for entry in found] == [f"k{number:02}" for number in range(30)]

    def test_a_value_that_is_replaced_while_it_is_streamed_goes_on_to_its_end(self, desk: Desk) -> None:
        delivery, blocks = self.large(8000)
        desk.blocks(put=blocks)
        desk.push(delivery)
        stream = desk.pull_original()
        start = [next(stream) for _ in range(6)]
        desk.push(made("large", b"", time=2, counter=2))
        desk.store._database.execute("DELETE FROM revisions")
        desk.store._database.execute("INSERT INTO dropped_contents SELECT id FROM contents")
        desk.store.upkeep.clean()
        (entry,) = entries_of(desk.seal.unseal(b"".join([*start, *stream])))
        assert entry.value == b"".join(blocks)
        audit_clean(desk.store)

    def test_a_device_that_goes_in_the_middle_of_a_stream_leaves_nothing_held(self, desk: Desk) -> None:
        delivery, blocks = self.large(8000)
        desk.blocks(put=blocks)
        desk.push(delivery)
        stream = desk.pull_original()
        for _ in range(6):
            next(stream)
        assert count(desk.store, "pins") == 1
        del stream
        assert count(desk.store, "pins") == 0

    def test_a_large_value_of_a_mount_is_handed_out_in_blocks(self, desk: Desk) -> None:
        save(desk.store, "large", b"x" * 300, mode=REGULAR)
        desk.clock.advance(settling.GATHERING_TIME)
        (delivery,) = desk.pull().deliveries
        assert delivery.value is None
        found = [block for name in split_hashes(delivery.blocks) for block in desk.blocks(get=[name])]
        assert b"".join(block or b"" for block in found) == b"x" * 300


def test_values_up_to_the_limit_travel_whole_and_larger_ones_in_blocks(desk: Desk) -> None:
    desk.store.set("whole", bytes(HUB_LIMITS.whole_bytes))
    desk.store.set("blocks", bytes(HUB_LIMITS.whole_bytes + 1))
    whole, blocks = desk.pull().deliveries
    assert whole.value == bytes(HUB_LIMITS.whole_bytes)
    assert blocks.value is None
    assert len(split_hashes(blocks.blocks)) == HUB_LIMITS.whole_bytes // BLOCK_SIZE + 1
