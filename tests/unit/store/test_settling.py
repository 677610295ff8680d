"""What a mount makes and removes is kept back from other devices for a moment, and what goes meanwhile for good."""

from __future__ import annotations

import pytest

from kvassfs.store import Limit, Store
from kvassfs.store.rows import CLEAN, DIRTY, HELD, Row
from kvassfs.store.settling import GATHERING_TIME, SETTLING_TIME, TEMPORARY_TIME, held_for, state_after_write
from kvassfs.sync.entry_messages import estimate_size
from kvassfs.sync.limits import HUB_LIMITS
from tests.support.stores import SECOND, YEAR_2024, Clock, is_scratch, revision_values, rows, save

LIMIT = Limit(HUB_LIMITS.page_bytes, HUB_LIMITS.whole_bytes, estimate_size)

BORDER = 100_000
"""Nanoseconds that may pass by themselves on the clock of these tests."""

TEMPORARY = [
    ".git/index.lock",
    "HEAD.lock",
    "tmp_obj_a1b2c3",
    "dir/tmpa1b2c3",
    "sedAb12Cd",
    "dir/XXab12cd",
    "plan.txt.o4j9lIK",
    "report.tmp",
    "report.temp",
    "film.part",
    "film.partial",
    "notes.db-journal",
    "notes.db-wal",
]

ORDINARY = [
    "key",
    "dir/file.txt",
    "tmp/file",
    "clock",
    "part",
    "lock/key",
    "a.locked",
    "template.html",
    "sedation",
    "a.open",
]


def pushable(store: Store) -> list[str]:
    return [out.delivery.entry.key for out in store.outbox.read_dirty(LIMIT)]


def handed_out(store: Store) -> list[str]:
    """Return what a hub with this store would hand out to a device that has nothing yet."""
    return [out.delivery.entry.key for out in store.outbox.read_since(0, 0, LIMIT).outgoing]


def delete(store: Store, key: str) -> None:
    """Remove a file as a mount does."""
    node = store.tree.file(key)
    assert node is not None
    store.tree.unlink(node, is_scratch=is_scratch)


def hand_out(store: Store) -> None:
    """Have the hub take what waits."""
    page = store.outbox.mark_as_sent(store.outbox.read_dirty(LIMIT))
    store.outbox.acknowledge([out.delivery.entry for out in page], epoch=store.peers.hub().epoch)


@pytest.mark.parametrize("key", ORDINARY)
def test_a_new_file_is_kept_back_for_the_gathering_time(store: Store, clock: Clock, key: str) -> None:
    save(store, key, b"value")
    clock.advance(GATHERING_TIME - BORDER)
    assert pushable(store) == handed_out(store) == []
    clock.advance(2 * BORDER)
    assert pushable(store) == handed_out(store) == [key]


@pytest.mark.parametrize("key", TEMPORARY)
def test_one_with_the_name_of_a_temporary_file_is_kept_back_for_longer(store: Store, clock: Clock, key: str) -> None:
    save(store, key, b"value")
    clock.advance(TEMPORARY_TIME - BORDER)
    assert pushable(store) == handed_out(store) == []
    clock.advance(2 * BORDER)
    assert pushable(store) == handed_out(store) == [key]


@pytest.mark.parametrize("key", ["key", "index.lock"])
def test_what_the_command_line_sets_is_not_kept_back(store: Store, key: str) -> None:
    store.set(key, b"value")
    assert pushable(store) == handed_out(store) == [key]


@pytest.mark.parametrize("key", ["key", "index.lock"])
def test_a_new_version_of_what_others_have_is_not_kept_back(store: Store, clock: Clock, key: str) -> None:
    save(store, key, b"value")
    clock.advance(TEMPORARY_TIME)
    hand_out(store)
    save(store, key, b"new")
    assert pushable(store) == [key]


def test_saving_a_new_file_again_and_again_does_not_keep_it_back(store: Store, clock: Clock) -> None:
    for _ in range(4):
        save(store, "key", b"value")
        clock.advance(GATHERING_TIME // 3)
    save(store, "key", b"last")
    assert pushable(store) == ["key"]


def test_a_change_of_mode_does_not_hand_out_a_new_file(store: Store) -> None:
    node = save(store, "key", b"value")
    store.tree.set_mode(node, 0o100755)
    assert pushable(store) == []


def test_a_file_that_is_renamed_at_once_is_handed_out_under_its_last_name_alone(store: Store, clock: Clock) -> None:
    node = save(store, "HEAD.lock", b"value")
    clock.advance(SECOND)
    store.tree.rename(node, "HEAD", is_scratch=is_scratch)
    assert pushable(store) == ["HEAD"]
    assert rows(store, "SELECT key FROM entries") == ["HEAD"]


def test_a_removal_is_kept_back_for_the_settling_time(store: Store, clock: Clock) -> None:
    save(store, "key", b"value")
    clock.advance(SECOND)
    hand_out(store)
    delete(store, "key")
    clock.advance(SETTLING_TIME - BORDER)
    assert pushable(store) == []
    clock.advance(2 * BORDER)
    assert pushable(store) == ["key"]


def test_a_file_that_comes_back_where_it_was_known_to_be_gone_is_kept_back_again(store: Store, clock: Clock) -> None:
    save(store, "index.lock", b"value")
    clock.advance(2 * TEMPORARY_TIME)
    hand_out(store)
    delete(store, "index.lock")
    clock.advance(2 * TEMPORARY_TIME)
    hand_out(store)
    save(store, "index.lock", b"again")
    clock.advance(SECOND)
    assert pushable(store) == []
    delete(store, "index.lock")
    clock.advance(2 * TEMPORARY_TIME)
    assert [out.delivery.value for out in store.outbox.read_dirty(LIMIT)] == [b""]


def test_a_file_that_was_moved_aside_is_handed_out_at_once_when_it_is_there_again(store: Store, clock: Clock) -> None:
    save(store, "key", b"value")
    clock.advance(SECOND)
    hand_out(store)
    delete(store, "key")
    save(store, "key", b"new")
    assert pushable(store) == ["key"]


def test_a_clock_that_is_set_back_keeps_nothing_back(store: Store, clock: Clock) -> None:
    save(store, "key", b"value")
    clock.now = YEAR_2024 - SECOND
    assert pushable(store) == ["key"]
    assert store.outbox.next_release() is None


def test_how_long_something_is_kept_back(store: Store, clock: Clock) -> None:
    assert store.outbox.next_release() is None
    save(store, "index.lock", b"value")
    assert store.outbox.next_release() == pytest.approx(TEMPORARY_TIME / 1e9, rel=0.01)
    save(store, "key", b"value")
    assert store.outbox.next_release() == pytest.approx(GATHERING_TIME / 1e9, rel=0.01)
    store.set("set", b"value")
    clock.advance(GATHERING_TIME)
    assert store.outbox.next_release() == pytest.approx((TEMPORARY_TIME - GATHERING_TIME) / 1e9, rel=0.01)
    clock.advance(TEMPORARY_TIME)
    assert store.outbox.next_release() is None


def test_nothing_later_is_handed_out_before_what_is_kept_back(store: Store, clock: Clock) -> None:
    store.set("before", b"value")
    save(store, "index.lock", b"value")
    store.set("after", b"value")
    page = store.outbox.read_since(0, 0, LIMIT)
    assert [out.delivery.entry.key for out in page.outgoing] == ["before"]
    assert page.held
    assert page.cursor == page.outgoing[0].delivery.sequence
    clock.advance(TEMPORARY_TIME)
    assert handed_out(store) == ["before", "index.lock", "after"]


def test_what_has_gone_since_a_page_was_read_is_not_sent(store: Store, clock: Clock) -> None:
    for key in ("goes", "stays"):
        save(store, key, b"value")
    clock.advance(SECOND)
    page = store.outbox.read_dirty(LIMIT)
    assert [out.delivery.entry.key for out in page] == ["goes", "stays"]
    delete(store, "goes")
    assert [out.delivery.entry.key for out in store.outbox.mark_as_sent(page)] == ["stays"]
    assert rows(store, "SELECT key, floor = timestamp FROM entries") == [("stays", 1)]


def test_what_has_another_version_since_a_page_was_read_is_sent_in_its_turn(store: Store) -> None:
    store.set("changes", b"before")
    page = store.outbox.read_dirty(LIMIT)
    store.set("changes", b"after")
    assert store.outbox.mark_as_sent(page) == []
    assert rows(store, "SELECT floor FROM entries") == [None]
    assert [out.delivery.value for out in store.outbox.mark_as_sent(store.outbox.read_dirty(LIMIT))] == [b"after"]


def test_what_is_removed_once_it_was_handed_out_leaves_a_tombstone(store: Store, clock: Clock) -> None:
    save(store, "key", b"value")
    clock.advance(SECOND)
    assert len(store.outbox.mark_as_sent(store.outbox.read_dirty(LIMIT))) == 1
    delete(store, "key")
    assert rows(store, "SELECT key, live FROM entries") == [("key", 0)]


# The pure rules


def row(
    key: str = "key", *, dirty: int = HELD, size: int = 1, floor: int | None = None, born: int = 0, changed: int = 0
) -> Row:
    return Row(
        key,
        born,
        1,
        1,
        "token",
        size,
        None,
        None,
        None,
        None,
        None,
        1,
        dirty,
        born,
        changed,
        None,
        None,
        0,
        floor,
        2,
        1,
        1,
    )


@pytest.mark.parametrize(
    ("version", "now", "left"),
    [
        (row(dirty=CLEAN), 0, 0),
        (row(dirty=DIRTY), 0, 0),
        (row(), 0, GATHERING_TIME),
        (row(born=5), 5_000 + GATHERING_TIME - 1, 1),
        (row(born=5), 5_000 + GATHERING_TIME, 0),
        (row(".git/index.lock"), 1, TEMPORARY_TIME - 1),
        (row(size=0), 1, SETTLING_TIME - 1),
        (row(size=0, changed=7), 7 + SETTLING_TIME, 0),
        (row(born=5), 0, 0),  # the clock was set back
    ],
)
def test_how_long_a_version_is_held_back(version: Row, now: int, left: int) -> None:
    assert held_for(version, now) == left


@pytest.mark.parametrize(
    ("old", "transient", "state"),
    [
        (None, True, HELD),
        (None, False, DIRTY),
        (row(size=0), True, HELD),
        (row(floor=1, size=0), True, HELD),
        (row(), True, HELD),
        (row(floor=1), True, DIRTY),
        (row(floor=1), False, DIRTY),
    ],
)
def test_a_key_that_is_new_to_other_devices_is_held_back_if_a_mount_writes_it(
    old: Row | None, transient: bool, state: int
) -> None:
    assert state_after_write(old, transient=transient) == state


@pytest.mark.parametrize("jump", [0, -30 * SECOND], ids=["in the same moment", "by a clock that was set back"])
def test_what_goes_at_once_takes_nothing_along_that_its_key_had_before(store: Store, clock: Clock, jump: int) -> None:
    """A key that names a directory as well: its value was removed, and then a directory comes and goes."""
    clock.step = 0
    save(store, "f/", b"value")
    clock.advance(3600 * SECOND)
    delete(store, "f/")
    store.tree.directories.remove("f/", is_scratch=is_scratch)
    assert rows(store, "SELECT key FROM entries") == []
    clock.jump(jump)
    store.tree.directories.make("f/", 0o40755, is_scratch=is_scratch)
    store.tree.directories.remove("f/", is_scratch=is_scratch)
    assert rows(store, "SELECT key FROM entries") == []
    assert revision_values(store, "f/") == [b"value"]
