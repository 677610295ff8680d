"""Which version a program in the mount has seen that saves a file, and the conflicts that come of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.conflict import find_origin, parse_seen
from kvassfs.entry import Delivery, Entry
from kvassfs.mount.filesystem import Filesystem
from kvassfs.scratch import ScratchNames
from kvassfs.store import Store
from tests.support.stores import SECOND, Clock

PHONE = 4711


class Rig:
    """A file system over a store, to which another device's versions come."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.filesystem = Filesystem(store, scratch=ScratchNames(), clock=clock, uid=0, gid=0)
        self._arrived = 0

    def arrive(self, key: str, value: bytes) -> None:
        """Merge a version of another device, which has seen nothing of this one; it wins."""
        self.clock.advance(SECOND)
        self._arrived += 1
        entry = Entry(
            key, self.clock() // 1000, 1000 + self._arrived, PHONE, f"phone{self._arrived}", len(value), seen=""
        )
        self.store.inbox.merge_pushed([Delivery(entry, entry.counter, value)])
        self.clock.advance(SECOND)

    def begin(self, path: str, value: bytes) -> int:
        """Open a file anew and write to it."""
        handle = self.filesystem.create(path, 0o600, os.O_WRONLY | os.O_TRUNC)
        self.filesystem.write(handle, value, 0)
        return handle

    def end(self, handle: int) -> None:
        self.filesystem.flush(handle)
        self.filesystem.release(handle)

    def write(self, path: str, value: bytes) -> None:
        self.end(self.begin(path, value))

    def conflicts(self) -> list[tuple[str, bytes]]:
        """Return keys and losing values of what nobody has settled."""
        return [
            (found.entry.key, self.store.history.get(found.entry.key, found.number).read())
            for found in self.store.conflicts.open()
        ]

    def has_seen(self, key: str) -> list[int]:
        """Return the counters of the other device's versions that the writer of a key had seen."""
        return [origin.counter for origin in parse_seen(self.store.entry(key).seen)]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    clock = Clock()
    with Store.open(tmp_path / "db", clock=clock) as store:
        made = Rig(store, clock)
        yield made
        made.filesystem.close()


def test_a_save_has_seen_what_was_there_when_the_file_was_opened(rig: Rig) -> None:
    rig.arrive("key", b"first")
    rig.write("/key", b"mine")
    assert rig.has_seen("key") == [1001]
    assert rig.conflicts() == []


def test_what_came_while_the_file_was_open_is_in_conflict_with_its_save(rig: Rig) -> None:
    rig.arrive("key", b"first")
    handle = rig.begin("/key", b"mine")
    rig.arrive("key", b"meanwhile")
    rig.filesystem.flush(handle)
    assert rig.has_seen("key") == [1001]
    assert rig.conflicts() == [("key", b"meanwhile")]
    rig.filesystem.write(handle, b" goes on", 4)  # by somebody who was told nothing yet
    rig.end(handle)
    assert rig.has_seen("key") == [1001]
    assert rig.conflicts() == [("key", b"meanwhile")]


def test_a_file_that_is_made_here_and_there_at_once_is_in_conflict(rig: Rig) -> None:
    handle = rig.begin("/key", b"mine")
    rig.arrive("key", b"theirs")
    rig.end(handle)
    assert rig.has_seen("key") == []
    assert rig.conflicts() == [("key", b"theirs")]


def test_who_opens_the_file_anew_after_that_settles_it(rig: Rig) -> None:
    handle = rig.begin("/key", b"mine")
    rig.arrive("key", b"theirs")
    rig.end(handle)
    rig.write("/key", b"both")
    assert rig.has_seen("key") == [1001]
    assert rig.conflicts() == []


def test_a_reader_that_opens_the_file_first_begins_no_writing(rig: Rig) -> None:
    rig.arrive("key", b"first")
    reader = rig.filesystem.open("/key", os.O_RDONLY)
    rig.store.set("other", b"value")
    rig.end(rig.begin("/key", b"mine"))
    rig.filesystem.release(reader)
    assert rig.has_seen("key") == [1001]


@pytest.mark.parametrize("name", ["key.new", ".key.swp"])  # an entry for a moment, and one that stays here
def test_a_file_renamed_onto_a_key_began_when_it_was_opened_for_writing(rig: Rig, name: str) -> None:
    rig.arrive("key", b"first")
    handle = rig.begin(f"/{name}", b"mine")
    rig.arrive("key", b"meanwhile")
    rig.end(handle)
    rig.filesystem.rename(f"/{name}", "/key")
    assert rig.store.get("key").read() == b"mine"
    assert rig.has_seen("key") == [1001]
    assert rig.conflicts() == [("key", b"meanwhile")]


@pytest.mark.parametrize("name", ["key.new", ".key.swp"])
def test_a_file_renamed_onto_a_key_has_seen_what_was_there_before_it(rig: Rig, name: str) -> None:
    rig.arrive("key", b"first")
    rig.write(f"/{name}", b"mine")
    rig.filesystem.rename(f"/{name}", "/key")
    assert rig.has_seen("key") == [1001]
    assert rig.conflicts() == []


def test_an_editor_that_moves_the_key_aside_and_writes_it_anew_has_seen_it(rig: Rig) -> None:
    rig.arrive("key", b"first")
    rig.filesystem.rename("/key", "/key~")
    rig.write("/key", b"mine")
    rig.filesystem.unlink("/key~")
    assert rig.has_seen("key") == [1001]
    assert rig.conflicts() == []


def test_what_came_before_and_lost_is_no_part_of_what_was_there(rig: Rig) -> None:
    rig.write("/key", b"mine")
    lost = Entry("key", 1, 900, PHONE, "lost", 4, seen="")
    rig.store.inbox.merge_pushed([Delivery(lost, 900, b"lost")])
    assert rig.conflicts() == [("key", b"lost")]
    node = rig.store.tree.file("key")
    assert node is not None
    rig.filesystem.chmod("/key", 0o755)
    assert rig.conflicts() == [("key", b"lost")]
    assert find_origin(rig.store.entry("key")).counter < rig.store.entry("key").counter


def test_unlinking_has_seen_what_is_there(rig: Rig) -> None:
    rig.arrive("key", b"first")
    rig.filesystem.unlink("/key")
    row = rig.store._entries.current("key")
    assert row is not None
    assert row.seen == f"{PHONE}:1001"
