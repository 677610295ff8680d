"""Blocks on their way: taken in by what they are, kept for a day, and shared with the value before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import pairwise

import pytest

from kvassfs.block import split_hashes
from kvassfs.errors import DamagedStore, InvalidMessage
from kvassfs.store import Store
from kvassfs.store.blocks import KEPT_TIME
from tests.support.stores import SECOND, SMALL, Clock, audit_clean, count, is_scratch, rows, save

pytestmark = pytest.mark.usefixtures("small")


def block(number: int, size: int = 64) -> bytes:
    return b"%*d" % (size, number)


def name(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def add(store: Store, blocks: Iterable[bytes], base: int | None = None) -> int:
    """Make a value of blocks that are here, as a merge does; nothing owns it."""
    whole = list(blocks)
    with store.transaction:
        content = store.blocks.add_value(sum(map(len, whole)), b"".join(map(name, whole)), (), base)
        store._contents.drop(content)
    return content


def read(store: Store, content: int, size: int) -> bytes:
    return b"".join(store._contents.read_all(content, size))


def content_of(store: Store, key: str) -> int:
    row = store._entries.current(key)
    assert row is not None
    assert row.content is not None
    return row.content


def segments(store: Store, content: int) -> list[int]:
    return rows(store, "SELECT segment FROM content_segments WHERE content = ? ORDER BY position", content)


class TestBlocks:
    def test_are_found_by_their_hashes(self, store: Store) -> None:
        store.blocks.put([block(1), block(2)])
        assert store.blocks.get([name(block(2)), name(block(3)), name(block(1))]) == [block(2), None, block(1)]

    def test_that_are_missing_are_named_once_and_in_order(self, store: Store) -> None:
        store.blocks.put([block(1)])
        assert store.blocks.missing(name(block(n)) for n in (3, 1, 2, 3)) == [name(block(3)), name(block(2))]

    def test_of_a_file_are_not_missing(self, store: Store) -> None:
        save(store, "a", block(1) + block(2))
        assert store.blocks.missing([name(block(1)), name(block(2))]) == []

    def test_are_stored_once(self, store: Store) -> None:
        for _ in range(3):
            store.blocks.put([block(1), block(1)])
        assert count(store, "blocks") == count(store, "received") == 1

    def test_of_a_value_are_listed_in_order(self, store: Store) -> None:
        save(store, "a", b"".join(map(block, range(11))))
        assert split_hashes(store.blocks.list_hashes(content_of(store, "a"))[0]) == [name(block(n)) for n in range(11)]

    def test_of_a_value_that_are_lost_are_not_left_out(self, store: Store) -> None:
        save(store, "a", b"".join(map(block, range(3))))
        (lost,) = rows(store, "SELECT id FROM blocks WHERE hash = ?", name(block(1)))
        store._database.execute("UPDATE blocks SET id = 99 WHERE id = ?", (lost,))
        with pytest.raises(DamagedStore, match=f"block {lost} is missing"):
            store.blocks.list_hashes(content_of(store, "a"))
        store._database.execute("UPDATE blocks SET id = ? WHERE id = 99", (lost,))


class TestWaiting:
    """What no entry has named yet is kept for a day."""

    def test_a_clean_up_leaves_it(self, store: Store, clock: Clock) -> None:
        store.blocks.put([block(1)])
        clock.advance(KEPT_TIME * 1000 - SECOND)
        assert not store.blocks.has_expired()
        assert not store.upkeep.tidy()
        audit_clean(store)
        assert store.blocks.get([name(block(1))]) == [block(1)]

    def test_it_goes_in_bounded_steps_after_that(self, store: Store, clock: Clock) -> None:
        store.blocks.put(map(block, range(8)))
        clock.advance(KEPT_TIME * 1000 + SECOND)
        left = [8]
        while store.upkeep.tidy():
            left.append(count(store, "blocks"))
        assert left == sorted(left, reverse=True)
        assert len(left) > 2
        assert count(store, "received") == count(store, "blocks") == 0
        audit_clean(store)

    def test_what_comes_again_is_kept_from_then_on(self, store: Store, clock: Clock) -> None:
        store.blocks.put([block(1)])
        clock.advance(KEPT_TIME * 1000 - SECOND)
        store.blocks.put([block(1)])
        clock.advance(2 * SECOND)
        assert not store.blocks.has_expired()

    def test_what_a_value_uses_by_then_stays(self, store: Store, clock: Clock) -> None:
        store.blocks.put([block(1), block(2)])
        save(store, "a", block(1) + block(2))
        clock.advance(KEPT_TIME * 1000 + SECOND)
        audit_clean(store)
        assert store.get("a").read() == block(1) + block(2)
        assert count(store, "received") == 0

    def test_a_value_that_goes_leaves_what_waits(self, store: Store) -> None:
        save(store, "a~", block(1) + block(2), scratch=True)
        store.blocks.put([block(1)])
        node = store.tree.file("a~")
        assert node is not None
        store.tree.unlink(node, is_scratch=is_scratch)
        audit_clean(store)
        assert store.blocks.get([name(block(1)), name(block(2))]) == [block(1), None]


class TestValues:
    """Values made of blocks share what they can with the value before."""

    def base(self, store: Store, blocks: int) -> int:
        save(store, "base", b"".join(map(block, range(blocks))))
        return content_of(store, "base")

    def check(self, store: Store, base: int | None, blocks: list[bytes]) -> int:
        content = add(store, blocks, base)
        assert read(store, content, sum(map(len, blocks))) == b"".join(blocks)
        assert count(store, "received") == 0
        return content

    def test_one_that_was_appended_to_shares_its_full_segments(self, store: Store) -> None:
        base = self.base(store, 8)
        store.blocks.put([block(8)])
        content = self.check(store, base, list(map(block, range(9))))
        assert segments(store, content)[:2] == segments(store, base)
        assert len(segments(store, content)) == 3
        assert count(store, "blocks") == 9

    def test_one_with_a_changed_block_shares_the_other_segments(self, store: Store) -> None:
        base = self.base(store, 12)
        store.blocks.put([block(99)])
        content = self.check(store, base, [*map(block, range(5)), block(99), *map(block, range(6, 12))])
        old, new = segments(store, base), segments(store, content)
        assert (new[0], new[2]) == (old[0], old[2])
        assert new[1] != old[1]

    @pytest.mark.parametrize(("size", "blocks"), [(64 * 3 + 1, 3), (64 * 3, 4), (64 * 3 - 64, 3), (17, 2)])
    def test_a_size_that_does_not_fit_the_number_of_blocks_is_refused(
        self, store: Store, size: int, blocks: int
    ) -> None:
        listed = list(map(block, range(blocks)))
        store.blocks.put(listed)
        with pytest.raises(InvalidMessage, match="number of its blocks"), store.transaction:
            store.blocks.add_value(size, b"".join(map(name, listed)), (), None)

    @pytest.mark.parametrize("size", [1, 3, 4, 5, 8, 11])
    def test_one_that_was_cut_is_right(self, store: Store, size: int) -> None:
        self.check(store, self.base(store, 11), list(map(block, range(size))))

    @pytest.mark.parametrize("last", [1, 17, 63])
    def test_one_whose_last_block_is_shorter_is_right(self, store: Store, last: int) -> None:
        store.blocks.put([block(7, last)])
        self.check(store, self.base(store, 6), [*map(block, range(5)), block(7, last)])

    def test_one_that_has_nothing_to_share_is_right(self, store: Store) -> None:
        store.blocks.put(map(block, range(20, 27)))
        self.check(store, None, list(map(block, range(20, 27))))
        store.blocks.put(map(block, range(30, 33)))
        self.check(store, self.base(store, 6), list(map(block, range(30, 33))))

    def test_one_that_comes_after_a_short_value_is_right(self, store: Store) -> None:
        save(store, "a", b"short")
        store.blocks.put(map(block, range(3)))
        self.check(store, content_of(store, "a"), list(map(block, range(3))))

    def test_one_of_the_same_block_again_and_again_is_right(self, store: Store) -> None:
        store.blocks.put([block(1)])
        self.check(store, None, [block(1)] * 9)
        assert count(store, "blocks") == 1

    @pytest.mark.parametrize("base", [0, 3, 9])
    def test_one_with_runs_is_a_few_rows(self, store: Store, base: int) -> None:
        old = self.base(store, base) if base else None
        blocks = [block(1), bytes(64), block(2), block(1)]
        store.blocks.put(blocks)
        counts = (5, 10**9, 1, 2)
        size = 64 * sum(counts)
        with store.transaction:
            content = store.blocks.add_value(size, b"".join(map(name, blocks)), counts, old)
            store._contents.drop(content)
        assert store.blocks.list_hashes(content) == (b"".join(map(name, blocks)), counts)
        assert store._contents.find_room(content) == 64 * 8
        assert b"".join(store._contents.read_range(content, 64 * 4, 64 * 7)) == block(1) + bytes(128)
        assert b"".join(store._contents.read_range(content, size - 64 * 4, size)) == bytes(64) + block(2) + 2 * block(1)
        assert len(segments(store, content)) < 6

    @pytest.mark.parametrize(
        ("size", "counts"),
        [(64 * 9, (3, 5)), (64 * 9, (3, 2**62)), (64 * 8 - 1, (3, 5)), (64 * 8, (8, 1)), (17, (1, 2**62))],
    )
    def test_runs_that_do_not_fit_the_size_are_refused(self, store: Store, size: int, counts: tuple[int, ...]) -> None:
        blocks = [block(1), block(2)]
        store.blocks.put(blocks)
        with pytest.raises(InvalidMessage), store.transaction:
            store.blocks.add_value(size, b"".join(map(name, blocks)), counts, None)

    def test_a_short_one_with_runs_is_not_expanded_beyond_its_size(self, store: Store) -> None:
        store.blocks.put([b"a"])
        with pytest.raises(InvalidMessage):
            store.blocks.value(16, name(b"a"), (2**62,))
        assert store.blocks.value(1, name(b"a"), (1,)) == b"a"


def test_a_value_of_many_segments_is_removed_in_bounded_steps(store: Store) -> None:
    save(store, "a~", b"".join(map(block, range(60))), scratch=True)
    node = store.tree.file("a~")
    assert node is not None
    store.tree.unlink(node, is_scratch=is_scratch)
    left = [count(store, "content_segments")]
    while store.upkeep.clean():
        left.append(count(store, "content_segments"))
    assert all(before - after <= SMALL.clean for before, after in pairwise(left))
    audit_clean(store)
    assert count(store, "blocks") == count(store, "contents") == 0
