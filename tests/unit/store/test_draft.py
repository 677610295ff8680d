"""A value under construction; tests/property/test_draft.py compares it with a bytearray."""

from __future__ import annotations

import random
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest

from kvassfs.errors import KvassError, ValueTooLarge
from kvassfs.store import Draft, Store, Written
from tests.support.stores import REGULAR, SMALL, audit_clean, count, is_scratch, read, rows, save

pytestmark = pytest.mark.usefixtures("small")


def value_of(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.fixture
def empty(store: Store) -> Draft:
    return store.tree.draft()


def reopened(store: Store, value: bytes) -> Draft:
    """Return a draft of a stored value."""
    save(store, "a", value)
    return store.tree.open("a")[1]


def put(store: Store, key: str, value: Draft) -> None:
    store.tree.save(key, value, Written(mode=REGULAR), scratch=False, now=10**15, amends=None)


class TestReading:
    @pytest.mark.parametrize("size", [0, 10, 64, 100, 300])
    def test_ends_with_the_value(self, store: Store, size: int) -> None:
        value = value_of(size)
        opened = reopened(store, value)
        for offset in (0, 1, 63, 64, 65, size - 1, size, size + 1, size + 1000):
            if offset >= 0:
                assert opened.read(offset, 1000) == value[offset:]
                assert opened.read(offset, 7) == value[offset : offset + 7]
                assert opened.read(offset, 0) == b""
        opened.close()

    def test_of_a_short_value_holds_nothing(self, store: Store) -> None:
        opened = reopened(store, value_of(16))
        assert count(store, "pins") == 0
        opened.close()
        opened = reopened(store, value_of(17))
        assert count(store, "pins") == 1
        opened.close()
        assert count(store, "pins") == 0


class TestWriting:
    def test_of_nothing_changes_nothing(self, empty: Draft) -> None:
        empty.write(100, b"")
        assert empty.size == 0

    def test_behind_the_end_leaves_zeros_between(self, empty: Draft) -> None:
        for offset in (10, 100, 500):
            empty.write(offset, b"x")
            assert empty.size == offset + 1
        expected = bytearray(501)
        expected[10] = expected[100] = expected[500] = ord("x")
        assert empty.read(0, 1000) == expected

    @pytest.mark.parametrize("size", [10, 64, 200])
    def test_takes_a_copy(self, empty: Draft, size: int) -> None:
        """The kernel's buffer is another request's when the call has returned."""
        buffer = bytearray(value_of(size))
        empty.write(0, memoryview(buffer))
        buffer[:] = bytes(size)
        assert empty.read(0, size) == value_of(size)

    def test_accepts_all_that_holds_bytes(self, empty: Draft) -> None:
        empty.write(0, b"a")
        empty.write(1, bytearray(b"b"))
        empty.write(2, memoryview(b"xcx")[1:2])
        assert empty.read(0, 9) == b"abc"

    def test_gives_what_was_read_before_no_other_bytes(self, store: Store) -> None:
        opened = reopened(store, value_of(300))
        before = opened.read(64, 64)
        opened.write(70, b"new")
        assert before == value_of(300)[64:128]
        opened.write(64, bytes(64))
        assert before == value_of(300)[64:128]
        opened.close()

    def test_into_a_block_that_was_stored_and_read_is_read_when_it_is_stored_again(self, empty: Draft) -> None:
        expected = bytearray(value_of(1000))
        empty.write(0, expected)
        assert empty.read(64, 10) == expected[64:74]
        empty.write(69, b"new")
        # Whole blocks, for which nothing has to be read, until the changed one has to go into the store.
        empty.write(640, bytes(320))
        expected[69:72] = b"new"
        expected[640:960] = bytes(320)
        assert empty.read(64, 64) == expected[64:128]
        empty.write(100, b"more")
        expected[100:104] = b"more"
        assert empty.read(0, 2000) == expected
        empty.close()

    def test_leaves_little_to_be_stored_at_the_end(self, store: Store, empty: Draft) -> None:
        """However much there is: it is part of a value by then, which nothing names."""
        value = value_of(64 * 40 + 5)
        for offset in range(0, len(value), 48):
            empty.write(offset, value[offset : offset + 48])
            assert count(store, "staged") < SMALL.segment + SMALL.memory
        assert list(store.keys()) == []
        put(store, "a", empty)
        empty.close()
        assert read(store, store.tree.file("a")) == value
        audit_clean(store)
        assert count(store, "contents") == 1

    def test_that_ends_in_the_middle_leaves_nothing(self, store: Store, empty: Draft) -> None:
        empty.write(0, value_of(64 * 40 + 5))
        empty.close()
        audit_clean(store)
        assert count(store, "contents") == count(store, "blocks") == 0

    def test_keeps_few_blocks_in_memory_wherever_they_are(self, store: Store, empty: Draft) -> None:
        positions = list(range(50))
        random.Random(1).shuffle(positions)
        for position in positions:
            empty.write(position * 64 + 5, b"%2d" % position)
            assert len(empty._memory) <= SMALL.memory + 2
        assert all(empty.read(position * 64 + 5, 2) == b"%2d" % position for position in positions)
        put(store, "a", empty)
        empty.close()
        audit_clean(store)


class TestTruncating:
    def test_forgets_what_was_behind(self, store: Store) -> None:
        for opened in (reopened(store, b"\1" * 300), reopened(store, b"\1" * 16)):
            for size in (130, 128, 64, 10, 0):
                if size <= opened.size:
                    opened.truncate(size)
                    opened.truncate(400)
                    assert opened.read(0, 500) == b"\1" * size + bytes(400 - size)
                    opened.truncate(size)
            opened.close()

    def test_to_a_great_size_costs_one_block(self, store: Store, empty: Draft) -> None:
        empty.truncate(64 * 100)
        assert empty.size == 6400
        put(store, "a", empty)
        assert count(store, "blocks") == 1
        assert read(store, store.tree.file("a")) == bytes(6400)
        empty.close()

    def test_lets_go_of_blocks_that_were_stored(self, store: Store, empty: Draft) -> None:
        empty.write(0, value_of(64 * 6))
        assert count(store, "staged") > 0
        empty.truncate(0)
        assert count(store, "staged") == 0
        empty.close()
        audit_clean(store)


HUGE = 64 * 4 * 10**9
"""Bytes of a hole of a thousand million segments."""


class TestHoles:
    def saved(self, store: Store, draft: Draft) -> int:
        """Save a draft and return how many rows its value has."""
        put(store, "a", draft)
        node = store.tree.file("a")
        assert node is not None
        segments = rows(store, "SELECT segment FROM content_segments WHERE content = ?", node.content)
        return sum(rows(store, "SELECT count(*) FROM segment_blocks WHERE segment = ?", at)[0] for at in segments)

    def test_of_any_length_are_a_few_rows(self, store: Store, empty: Draft) -> None:
        empty.truncate(HUGE)
        assert self.saved(store, empty) == 1
        assert count(store, "blocks") == 1
        assert empty.read(HUGE - 100, 1000) == bytes(100)
        empty.close()
        audit_rows(store)

    @pytest.mark.parametrize("inside", [0, 64, 64 * 4, HUGE // 2 + 7, HUGE - 1])
    def test_take_what_is_written_into_them(self, store: Store, empty: Draft, inside: int) -> None:
        empty.truncate(HUGE)
        put(store, "a", empty)
        empty.write(inside, b"x")
        assert self.saved(store, empty) <= 6
        empty.close()
        opened = store.tree.open("a")[1]
        assert opened.read(inside, 1) == b"x"
        assert opened.read(max(inside - 300, 0), min(inside, 300)) == bytes(min(inside, 300))
        assert opened.read(inside + 1, 300) == bytes(min(300, HUGE - inside - 1))
        opened.close()
        audit_rows(store)

    def test_are_cut_and_extended(self, store: Store, empty: Draft) -> None:
        empty.write(100, b"x")
        for size in (HUGE, HUGE // 3 + 1, 64 * 4 * 5 + 65, HUGE * 2, 64 * 8, HUGE + 64, 101):
            empty.truncate(size)
            assert self.saved(store, empty) <= 8
            opened = store.tree.open("a")[1]
            assert opened.read(0, 1000) == bytes(100) + b"x" + bytes(min(size, 1000) - 101)
            assert opened.read(size - 1, 9) == (b"x" if size == 101 else b"\0")
            opened.close()
        empty.close()

    def test_are_left_by_whole_blocks_of_zeros_that_are_written(self, store: Store, empty: Draft) -> None:
        empty.write(0, bytes(64 * 40))
        assert self.saved(store, empty) <= 40 / SMALL.segment
        empty.close()
        audit_clean(store)

    def test_of_a_revision_stay(self, store: Store, empty: Draft) -> None:
        empty.truncate(HUGE)
        put(store, "a", empty)
        empty.write(HUGE // 2, b"x")
        put(store, "a", empty)
        (revision,) = store.revisions("a")
        assert next(store._contents.read_range(revision.content, HUGE // 2, HUGE)) == bytes(64)
        empty.close()

    def test_are_counted(self, store: Store, empty: Draft) -> None:
        empty.truncate(HUGE)
        assert empty.count_holes() == HUGE
        empty.write(HUGE // 2, b"x")
        assert empty.count_holes() == HUGE - 64
        put(store, "a", empty)
        assert empty.count_holes() == HUGE - 64
        empty.truncate(64)
        assert empty.count_holes() == 0  # it is not known which block is left
        empty.close()

    def test_do_not_begin_within_the_last_block_of_what_was_saved(self, store: Store, empty: Draft) -> None:
        empty.write(0, b"x" * 17)
        put(store, "a", empty)
        empty.truncate(18)
        assert empty.count_holes() == 0
        empty.truncate(64 + 5)
        assert empty.count_holes() == 5
        empty.close()

    def test_are_found(self, store: Store, empty: Draft) -> None:
        empty.truncate(HUGE)
        for position in (64 * 5, 64 * 6 + 3, HUGE // 2):
            empty.write(position, b"x")
        assert (empty.find_data(7), empty.find_hole(7)) == (7, HUGE)  # not saved yet
        put(store, "a", empty)
        edges = []
        offset: int | None = 0
        while offset is not None:
            offset = empty.find_data(offset)
            if offset is not None:
                edges.append((offset, offset := empty.find_hole(offset)))
        assert edges == [(64 * 5, 64 * 7), (HUGE // 2, HUGE // 2 + 64)]
        assert empty.find_hole(10) == 10
        assert empty.find_data(HUGE) is None
        empty.close()

    def test_are_none_in_a_value_without_zeros(self, store: Store) -> None:
        opened = reopened(store, value_of(300))
        assert (opened.find_data(7), opened.find_hole(7), opened.count_holes()) == (7, 300, 0)
        opened.close()


def audit_rows(store: Store) -> None:
    """Forget all values, and look that nothing is left of them."""
    store.tree.unlink(save(store, "a", b"1"), is_scratch=is_scratch)
    with store.transaction:
        for revision in store.revisions("a"):
            store._revisions._forget(revision.id, revision.content)
    audit_clean(store)
    assert count(store, "blocks") == count(store, "segment_blocks") == 0


@pytest.mark.parametrize("size", [1001, 2**62])
def test_a_value_that_is_too_large_is_refused_and_changes_nothing(path: Path, size: int) -> None:
    with Store.open(path, sizes=SMALL._replace(largest=1000)) as store:
        draft = reopened(store, value_of(300))
        with pytest.raises(ValueTooLarge, match="at most 1,000 bytes"):
            draft.truncate(size)
        with pytest.raises(ValueTooLarge, match="at most 1,000 bytes"):
            draft.write(size - 1, b"x")
        assert draft.read(0, 2000) == value_of(300)
        draft.truncate(1000)
        with pytest.raises(ValueTooLarge):
            store.set_stream("b", BytesIO(bytes(1001)))
        assert list(store.keys()) == ["a"]
        draft.close()


class TestCommitting:
    def test_of_nothing_is_no_content(self, store: Store, empty: Draft) -> None:
        assert empty.commit(lambda content: content) is None
        empty.write(0, b"1")
        assert empty.read(0, 9) == b"1"

    def test_goes_on_from_what_was_stored(self, store: Store, empty: Draft) -> None:
        expected = bytearray()
        for size in (10, 300, 50, 5, 1000, 0, 16, 17):
            empty.truncate(min(size, empty.size))
            del expected[size:]
            empty.write(0, value_of(size))
            expected[:size] = value_of(size)
            put(store, "a", empty)
            assert read(store, store.tree.file("a")) == empty.read(0, 2000) == expected
        empty.close()
        audit_clean(store)

    def test_stores_only_blocks_that_changed(self, store: Store) -> None:
        opened = reopened(store, value_of(64 * 20))
        opened.write(64 * 10 + 5, b"new")
        put(store, "a", opened)
        assert count(store, "blocks") == 21
        put(store, "a", opened)
        assert count(store, "blocks") == 21
        opened.close()

    def test_of_one_that_was_not_stored_is_undone_with_its_transaction(self, store: Store) -> None:
        opened = reopened(store, value_of(300))
        opened.write(100, b"new")
        expected = opened.read(0, 300)
        with suppress(ZeroDivisionError):
            opened.commit(lambda _: 1 / 0)
        assert read(store, store.tree.file("a")) == value_of(300)
        assert opened.read(0, 1000) == expected
        put(store, "a", opened)
        assert read(store, store.tree.file("a")) == expected
        opened.close()
        audit_clean(store)


class TestClosing:
    def test_of_what_holds_nothing_asks_nothing_of_the_store(self, store: Store, empty: Draft) -> None:
        empty.write(0, value_of(100))
        changes = store._database.connection.total_changes
        empty.close()
        assert store._database.connection.total_changes == changes

    def test_again_is_nothing(self, store: Store) -> None:
        opened = reopened(store, value_of(300))
        opened.close()
        opened.close()
        assert count(store, "pins") == 0

    def test_of_one_draft_leaves_what_others_hold(self, store: Store) -> None:
        one = reopened(store, value_of(300))
        other = store.tree.open("a")[1]
        assert rows(store, "SELECT count FROM pins") == [2]
        one.close()
        store.tree.unlink(save(store, "a", b""), is_scratch=is_scratch)
        while store.upkeep.clean():
            pass
        assert other.read(0, 1000) == value_of(300)
        other.close()
        audit_clean(store)


def test_a_block_that_is_missing_is_said_to_be(store: Store) -> None:
    opened = reopened(store, value_of(300))
    store._database.execute("DELETE FROM blocks")
    with pytest.raises(KvassError, match="missing"):
        opened.read(64, 1)
    opened.close()
    store.tree.unlink(save(store, "a", b""), is_scratch=is_scratch)
    store._database.execute("DELETE FROM revisions")
    store._database.execute("DELETE FROM content_segments")
    store._database.execute("DELETE FROM segment_blocks")
    store._database.execute("DELETE FROM contents")
    store._database.execute("DELETE FROM dropped_contents")
