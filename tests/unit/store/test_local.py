"""Directories, scratch files and the journal of what changed in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kvassfs.store import DIRECTORY_MODE, DirectoryRecord, Store
from kvassfs.store.inodes import DirectoryInodes
from kvassfs.store.journal import Journal
from kvassfs.store.local import Directories, Scratch, ScratchRow
from tests.support.stores import REGULAR, count, is_scratch, rows, save

RECORD = DirectoryRecord(DIRECTORY_MODE, 1, 2, 3)


def make_directories(store: Store) -> Directories:
    inodes = DirectoryInodes(store._database, bytes)
    return Directories(store._database, Journal(store._database, 1), store.xattrs, inodes)


class TestDirectories:
    @pytest.fixture
    def directories(self, store: Store) -> Iterator[Directories]:
        """Those of a store; nothing is in them, so none of them is there in the end."""
        made = make_directories(store)
        yield made
        for prefix in self.prefixes(store):
            made.leave(prefix)

    def prefixes(self, store: Store) -> list[str]:
        return rows(store, "SELECT prefix FROM directories ORDER BY prefix")

    def changed(self, store: Store) -> set[str]:
        return set(rows(store, "SELECT key FROM local_changes"))

    def test_are_recorded(self, store: Store, directories: Directories) -> None:
        directories.put("a/b/", RECORD)
        directories.put("a//", RECORD)
        assert directories.get("a/b/") == RECORD
        assert self.prefixes(store) == ["", "a//", "a/b/"]
        assert self.changed(store) == {"a/b/", "a//"}

    def test_that_are_there_are_left_as_they_are(self, directories: Directories) -> None:
        directories.put("a/", RECORD)
        directories.add("a/", RECORD._replace(mode=0))
        assert directories.get("a/") == RECORD

    def test_change_when_they_are_touched(self, store: Store, directories: Directories) -> None:
        directories.put("a/", RECORD)
        directories.touch("a/", 9)
        assert directories.get("a/") == DirectoryRecord(DIRECTORY_MODE, 9, 9, 3)

    def test_that_are_new_change_those_above(self, store: Store, directories: Directories) -> None:
        directories.touch("b/c/", 8)
        assert self.prefixes(store) == ["", "b/", "b/c/"]
        directories.touch("b/c/", 9)
        assert directories.get("b/") == DirectoryRecord(DIRECTORY_MODE, 8, 8, None)
        directories.touch("b/d/", 10)
        assert directories.get("b/") == DirectoryRecord(DIRECTORY_MODE, 10, 10, None)

    def test_that_come_anew_are_touched_again(self, store: Store, directories: Directories) -> None:
        with store.transaction:
            directories.touch("a/", 9)
            directories.put("a/", RECORD)
            directories.touch("a/", 9)
            assert directories.get("a/") == DirectoryRecord(DIRECTORY_MODE, 9, 9, 3)
            assert directories.leave("a/") == ""
            directories.touch("a/", 9)
            assert directories.get("a/") == DirectoryRecord(DIRECTORY_MODE, 9, 9, None)
            directories.move("a/", "b/")
            directories.touch("a/", 9)
            assert directories.get("a/") == DirectoryRecord(DIRECTORY_MODE, 9, 9, None)

    @pytest.mark.parametrize("key", ["a/k", "a/", "a/b/k", "a/s~", "a/b/s~"])
    def test_are_left_with_what_is_in_them(self, store: Store, directories: Directories, key: str) -> None:
        save(store, key, b"x", scratch=is_scratch(key))
        directories.put("a/", RECORD)
        directories.put("a/x/y/", RECORD)
        assert directories.leave("a/x/y/") == "a/"
        assert directories.get("a/") == RECORD
        assert directories.get("a/x/y/") is None

    def test_move_with_all_below_and_nothing_beside(self, store: Store, directories: Directories) -> None:
        for prefix in ("a/b/", "a/b/c/", "a/b//", "a/b!/", "a/b0/", "a/bb/", "x/"):
            directories.put(prefix, RECORD)
        directories.move("a/b/", "x/")
        assert self.prefixes(store) == ["", "a/b!/", "a/b0/", "a/bb/", "x/", "x//", "x/c/"]
        assert directories.get("x/c/") == RECORD
        assert {"a/b/", "x/"} <= self.changed(store)


class TestScratch:
    @pytest.fixture
    def scratch(self, store: Store) -> Scratch:
        return Scratch(store._database, store._contents, Journal(store._database, 1), make_directories(store))

    def row(self, store: Store, key: str, value: bytes = b"v") -> ScratchRow:
        content = store._contents.add_inline(value) if value else None
        return ScratchRow(key, len(value), REGULAR, content, 1, 2, None, 3, None)

    def test_are_found_as_they_were_stored(self, store: Store, scratch: Scratch) -> None:
        row = self.row(store, "a~")
        scratch.put(row)
        assert scratch.get("a~") == row
        assert scratch.get("a") is None
        assert rows(store, "SELECT key FROM local_changes") == ["a~"]

    def test_that_are_replaced_are_gone(self, store: Store, scratch: Scratch) -> None:
        scratch.put(self.row(store, "a~"))
        scratch.put(self.row(store, "a~", b"new"))
        assert rows(store, "SELECT data FROM contents") == [b"new"]
        scratch.put(self.row(store, "a~", b""))
        assert count(store, "contents") == 0

    def test_keep_their_value_when_only_attributes_change(self, store: Store, scratch: Scratch) -> None:
        row = self.row(store, "a~")
        scratch.put(row)
        scratch.put(row._replace(mtime=9, mode=0o100755))
        assert scratch.get("a~") == row._replace(mtime=9, mode=0o100755)
        assert count(store, "contents") == 1

    def test_that_are_removed_take_their_value_along_unless_it_moved(self, store: Store, scratch: Scratch) -> None:
        row = self.row(store, "a~")
        scratch.put(row)
        scratch.remove(row, moved=True)
        assert scratch.get("a~") is None
        assert count(store, "contents") == 1
        scratch.put(row)
        scratch.remove(row)
        assert count(store, "contents") == 0

    def test_below_a_directory_are_listed(self, store: Store, scratch: Scratch) -> None:
        for key in ("d/a~", "d/e/b~", "d~", "d0~", "c~", "d!/a~"):
            scratch.put(self.row(store, key))
        assert {row.key for row in scratch.below("d/")} == {"d/a~", "d/e/b~"}
