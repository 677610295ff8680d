"""Values: short ones inline, long ones as shared blocks; pins, staging, and the clean-up."""

from __future__ import annotations

import io
import itertools
import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from kvassfs.block import block_count
from kvassfs.errors import DamagedStore
from kvassfs.store import BLOCK_SIZE, INLINE_LIMIT, Sizes, Store, Written
from tests.support.stores import (
    SMALL,
    audit,
    audit_clean,
    clean_up,
    count,
    is_scratch,
    read,
    revision_values,
    rows,
    run,
    save,
    start,
)

OpenStore = Callable[[], Store]

SIZES = [1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1000]
"""Around small blocks (64), the inline limit (16) and segments (256)."""


def value_of(size: int, seed: int = 0) -> bytes:
    return random.Random(size * 1000 + seed).randbytes(size)


def test_sizes_are_those_of_the_design() -> None:
    assert INLINE_LIMIT == 64 * 1024
    assert BLOCK_SIZE == 256 * 1024
    assert Sizes().segment * BLOCK_SIZE == 64 * 1024 * 1024


def test_a_value_has_as_many_blocks_as_it_needs() -> None:
    assert [block_count(size) for size in (0, 1, BLOCK_SIZE, BLOCK_SIZE + 1)] == [0, 1, 1, 2]


class TestForms:
    @pytest.mark.parametrize("size", [1, INLINE_LIMIT - 1, INLINE_LIMIT])
    def test_a_short_value_is_one_column_of_one_row(self, store: Store, size: int) -> None:
        store.set("a", value_of(size))
        assert rows(store, "SELECT length(data) FROM contents") == [size]
        assert count(store, "blocks") == 0
        assert store.get("a").read() == value_of(size)

    @pytest.mark.parametrize("size", [INLINE_LIMIT + 1, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 3 * BLOCK_SIZE + 7])
    def test_a_long_value_is_a_list_of_blocks(self, store: Store, size: int) -> None:
        store.set("a", value_of(size))
        assert rows(store, "SELECT data FROM contents") == [None]
        assert count(store, "blocks") == block_count(size)
        assert store.get("a").read() == value_of(size)

    def test_a_value_has_no_size_limit_of_a_column(self, store: Store) -> None:
        """Every statement stays small, so SQLite's limit of a value need not be known."""
        store._database.connection.setlimit(0, BLOCK_SIZE + 10_000)  # SQLITE_LIMIT_LENGTH
        value = value_of(2_000_000)
        store.set("a", value)
        assert store.get("a").read() == value

    @pytest.mark.parametrize("size", SIZES)
    def test_every_size_is_read_as_it_was_written(self, small: None, store: Store, size: int) -> None:
        store.set("a", value_of(size))
        store.set_stream("b", io.BytesIO(value_of(size)))
        assert store.get("a").read() == store.get("b").read() == value_of(size)
        assert b"".join(store.get("a").chunks()) == value_of(size)

    def test_a_value_is_read_a_block_at_a_time(self, small: None, store: Store) -> None:
        store.set("a", value_of(1000))
        assert {len(chunk) for chunk in store.get("a").chunks()} == {64, 1000 % 64}

    def test_a_missing_block_is_damage(self, small: None, store: Store) -> None:
        store.set("a", value_of(200))
        store._database.execute("DELETE FROM blocks WHERE id = 2")
        with pytest.raises(DamagedStore, match=r"block \d of value \d is missing"):
            store.get("a").read()
        store._database.execute("DELETE FROM contents")
        store._database.execute("DELETE FROM content_segments")
        with pytest.raises(DamagedStore, match="missing"):
            store.get("a").read()
        for table in ("entries", "segment_blocks", "blocks"):
            store._database.execute(f"DELETE FROM {table}")


class TestSharing:
    def test_equal_blocks_are_stored_once_in_all_keys_and_revisions(self, store: Store) -> None:
        value = value_of(2_000_000)
        for key in ("a", "b", "a"):
            store.set(key, value)
        assert count(store, "blocks") == block_count(2_000_000)

    def test_a_change_in_the_middle_costs_one_block(self, store: Store) -> None:
        node = save(store, "a", value_of(10_000_000))
        before = count(store, "blocks")
        draft = store.tree.open(node.key)[1]
        draft.write(5_000_000, b"changed")
        store.tree.save("a", draft, _written(), scratch=False, now=1, amends=None)
        draft.close()
        assert count(store, "blocks") == before + 1
        assert revision_values(store, "a") == [value_of(10_000_000)]

    def test_appending_costs_two_blocks_at_most(self, store: Store) -> None:
        node = save(store, "a", value_of(10_000_000))
        before = count(store, "blocks")
        draft = store.tree.open(node.key)[1]
        draft.write(draft.size, bytes(range(256)) * 1024)
        store.tree.save("a", draft, _written(), scratch=False, now=1, amends=None)
        draft.close()
        assert count(store, "blocks") <= before + 2
        assert store.get("a").read() == value_of(10_000_000) + bytes(range(256)) * 1024

    def test_unchanged_segments_are_shared(self, small: None, store: Store) -> None:
        node = save(store, "a", value_of(1024))
        clean_up(store)  # of the lists that it was put together from
        assert count(store, "content_segments") == 4
        draft = store.tree.open(node.key)[1]
        draft.write(600, b"x")
        store.tree.save("a", draft, _written(), scratch=False, now=1, amends=None)
        draft.close()
        assert rows(store, "SELECT count(DISTINCT segment) FROM content_segments") == [5]

    def test_a_growing_value_with_ten_revisions_costs_little_more_than_one(self, store: Store, path: Path) -> None:
        node = save(store, "a", value_of(8_000_000))
        store.upkeep.checkpoint()
        before = path.stat().st_size
        for number in range(10):
            draft = store.tree.open(node.key)[1]
            draft.write(draft.size, value_of(4096, number))
            node = store.tree.save("a", draft, _written(), scratch=False, now=1, amends=None).node
            draft.close()
        store.upkeep.checkpoint()
        assert len(store.revisions("a")) == 10
        assert path.stat().st_size - before < 10 * BLOCK_SIZE + 500_000


def _written() -> Written:
    return Written()


class TestCleaning:
    def test_removes_the_blocks_of_what_nothing_has(self, store: Store) -> None:
        node = save(store, "a~", value_of(3_000_000), scratch=True)
        store.tree.unlink(node, is_scratch=is_scratch)
        clean_up(store)
        for table in ("contents", "content_segments", "segment_blocks", "blocks", "dropped_contents", "dropped_blocks"):
            assert count(store, table) == 0, table

    def test_leaves_blocks_that_another_value_has(self, small: None, store: Store) -> None:
        store.set("a", value_of(600))
        node = save(store, "b~", value_of(600)[:400] + b"other" * 40, scratch=True)
        store.tree.unlink(node, is_scratch=is_scratch)
        audit_clean(store)
        assert count(store, "blocks") == SMALL.count(600)
        assert store.get("a").read() == value_of(600)

    def test_goes_in_bounded_steps(self, small: None, store: Store) -> None:
        """3 blocks at a time, as the fixture says."""
        store.tree.unlink(save(store, "a~", value_of(640), scratch=True), is_scratch=is_scratch)
        steps = [count(store, "blocks")]
        while store.upkeep.clean():
            steps.append(count(store, "blocks"))
        steps.append(count(store, "blocks"))
        assert steps[-1] == 0
        assert all(before - after <= 3 for before, after in itertools.pairwise(steps))

    def test_has_nothing_to_do_in_a_store_without_dropped_values(self, store: Store) -> None:
        store.set("a", value_of(1_000_000))
        assert not store._contents.has_dropped()
        assert not store.upkeep.clean()

    def test_replacing_a_large_value_by_itself_costs_nothing(self, store: Store, path: Path) -> None:
        value = value_of(3_000_000)
        store.set("a", value)
        store.upkeep.checkpoint()
        size = path.stat().st_size
        for _ in range(50):
            store.set("a", value)
        store.upkeep.checkpoint()
        assert count(store, "blocks") == block_count(3_000_000)
        assert path.stat().st_size <= size + 400_000
        assert len(store.revisions("a")) == 10

    @pytest.mark.parametrize("how", ["set", "stream"])
    def test_keeps_up_with_large_values_that_replace_one_another(self, small: None, store: Store, how: str) -> None:
        """Also where no mount cleans up beside: a set removes as much as it drops."""
        for number in range(25):
            if how == "set":
                store.set("a", value_of(1000, number))
            else:
                store.set_stream("a", io.BytesIO(value_of(1000, number)))
        # The current one, ten revisions, and what one more may leave to be cleaned.
        assert count(store, "blocks") <= 12 * SMALL.count(1000)

    def test_frees_what_a_crashed_process_had_written(self, store: Store, path: Path) -> None:
        run(
            """
            import os
            store = Store.open(sys.argv[1])
            draft = store.tree.draft()
            draft.write(0, os.urandom(20_000_000))
            print(store._database.row("SELECT count(*) FROM staged")[0])
            sys.stdout.flush()
            os._exit(0)
            """,
            path,
        )
        assert count(store, "staged") > 0
        store.upkeep.release_dead_holders()
        audit_clean(store)
        assert count(store, "blocks") == 0


class TestSetsLeaveNothingStaged:
    def test_by_a_value_that_does_not_fit_into_memory(self, small: None, store: Store) -> None:
        store.set("a", value_of(1000))
        assert count(store, "staged") == 0
        store.set_stream("a", io.BytesIO(value_of(1000, 1)))
        assert count(store, "staged") == 0

    def test_by_a_stream_that_fails(self, small: None, store: Store) -> None:
        class Failing(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell() > 700:
                    raise OSError("the pipe broke")
                return super().read(size)

        with pytest.raises(OSError, match="pipe broke"):
            store.set_stream("a", Failing(value_of(1000)))
        assert count(store, "staged") == 0
        audit_clean(store)
        assert count(store, "blocks") == 0
        assert list(store.keys()) == []


class TestPins:
    def test_keep_a_version_readable_that_retention_dropped(self, store: Store, open_store: OpenStore) -> None:
        opened = store.tree.open(save(store, "a", value_of(1_000_000)).key)[1]
        other = open_store()
        for number in range(12):
            other.set("a", value_of(400_000, number))
        clean_up(other)
        assert opened.read(0, 2_000_000) == value_of(1_000_000)
        opened.close()
        audit_clean(store)
        assert count(store, "blocks") == 11 * 2

    def test_keep_a_version_readable_that_was_removed(self, store: Store, open_store: OpenStore) -> None:
        node = save(store, "a~", value_of(1_000_000), scratch=True)
        opened = store.tree.open(node.key)[1]
        other = open_store()
        other.tree.unlink(node, is_scratch=is_scratch)
        clean_up(other)
        assert opened.read(0, 2_000_000) == value_of(1_000_000)
        opened.close()
        audit_clean(store)
        assert count(store, "blocks") == 0

    def test_are_counted(self, store: Store, open_store: OpenStore) -> None:
        node = save(store, "a~", value_of(1_000_000), scratch=True)
        one, two = store.tree.open(node.key)[1], store.tree.open(node.key)[1]
        open_store().tree.unlink(node, is_scratch=is_scratch)
        one.close()
        clean_up(store)
        assert two.read(0, 2_000_000) == value_of(1_000_000)
        two.close()
        audit_clean(store)

    def test_of_a_living_process_are_not_released(self, store: Store, path: Path) -> None:
        save(store, "a", value_of(1_000_000))
        holder = start(
            """
            store = Store.open(sys.argv[1])
            draft = store.tree.open("a")[1]
            print("pinned", flush=True)
            sys.stdin.readline()
            print(len(draft.read(0, 2_000_000)), flush=True)
            sys.stdin.readline()
            """,
            path,
        )
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "pinned\n"
        for number in range(12):
            save(store, "a", value_of(400_000, number))
        store.upkeep.release_dead_holders()
        clean_up(store)
        assert count(store, "pins") == 1
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "1000000\n"
        holder.kill()
        holder.communicate()
        store.upkeep.release_dead_holders()
        assert count(store, "pins") == 0
        audit_clean(store)

    def test_of_a_process_whose_id_was_given_anew_are_released(self, store: Store) -> None:
        with store.transaction:
            store._database.execute("INSERT INTO holders VALUES (77, ?, 'another start')", (os.getpid(),))
            store._database.execute("INSERT INTO pins VALUES (1, 77, 1)")
        store.upkeep.release_dead_holders()
        assert count(store, "pins") == 0
        assert count(store, "holders") == 0

    def test_are_released_when_the_store_is_closed(self, store: Store, path: Path) -> None:
        save(store, "a", value_of(1_000_000))
        with Store.open(path) as other:
            other.tree.open("a")
            unfinished = other.tree.draft()
            unfinished.write(0, value_of(20_000_000))
            assert count(store, "pins") == 1
            assert count(store, "staged") > 0
        assert count(store, "pins") == count(store, "staged") == 0
        audit_clean(store)

    def test_that_are_rolled_back_were_never_held(self, store: Store) -> None:
        store.set("a", value_of(1_000_000))
        with suppress(ZeroDivisionError), store.transaction:
            store.tree.open("a")
            1 / 0  # noqa: B018
        assert count(store, "pins") == 0
        opened = [store.tree.open("a")[1] for _ in range(2)]
        assert count(store, "pins") == count(store, "holders") == 1
        for draft in opened:
            draft.close()
        assert count(store, "pins") == 0


def test_a_copy_is_a_second_value_with_the_same_blocks(small: None, store: Store) -> None:
    for key, size in (("short", 10), ("long", 1000)):
        node = save(store, key, value_of(size))
        assert node.content is not None
        with store.transaction:
            content = store._contents.copy(node.content)
            store._database.execute(
                "INSERT INTO scratch VALUES (?, ?, 0, ?, 0, 0, NULL, 1, NULL, NULL)", (key + "~", size, content)
            )
        assert read(store, store.tree.file(key + "~")) == value_of(size)
    audit(store)
    assert count(store, "blocks") == SMALL.count(1000)
