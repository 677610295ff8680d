"""The table of open files: who is found by which name, through which handle, and that all or nothing changes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.mount.open_files import OpenFiles
from kvassfs.mount.openfile import OpenFile, Standing
from kvassfs.store import Node, Store
from tests.support.stores import Clock, is_scratch, save


class Table(OpenFiles):
    """A table of files in a store."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.clock = Clock()

    def open_stored(self, key: str, *, scratch: bool = False) -> OpenFile:
        save(self.store, key, b"value", scratch=scratch)
        return self.opened(OpenFile.of_key(self.store.tree, self.clock, key))

    def open_new(self, key: str) -> OpenFile:
        return self.opened(OpenFile.created(self.store.tree, self.clock, key, 0o600))

    def opened(self, file: OpenFile) -> OpenFile:
        self.attach(file)
        self.open(file, os.O_RDWR)
        return file

    def node(self, key: str) -> Node:
        found = self.store.tree.file(key)
        assert found is not None
        return found


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    with Store.open(tmp_path / "db") as store:
        yield Table(store)


class TestHandle:
    def test_says_what_its_file_was_opened_for(self, table: Table) -> None:
        file = table.open_new("a")
        reading, appending = table.open(file, os.O_RDONLY), table.open(file, os.O_WRONLY | os.O_APPEND)
        assert table.handles[reading] == (file, False, False)
        assert table.handles[appending] == (file, True, True)
        assert file.handles == 3

    def test_has_a_number_of_its_own_for_ever(self, table: Table) -> None:
        file = table.open_new("a")
        first = table.open(file, os.O_RDONLY)
        table.release(first)
        assert table.open(file, os.O_RDONLY) > first

    def test_that_is_the_last_ends_the_file(self, table: Table) -> None:
        file = table.open_new("a")
        (number,) = table.handles
        assert table.release(number).file is file
        assert file.handles == 0
        table.forget(file)
        assert "a" not in table
        assert table.handles == {}


class TestName:
    def test_finds_the_newer_one_of_two_versions(self, table: Table) -> None:
        old = table.open_stored("a")
        new = table.open_stored("a")
        assert table.get("a") is new
        assert (old.apart, new.apart) == (False, True)
        table.forget(old)
        assert table.get("a") is new

    def test_that_was_taken_away_leaves_nothing_to_save(self, table: Table) -> None:
        file = table.open_new("a")
        assert table.detach("a") is file
        assert "a" not in table
        assert (file.place.standing, file.target) == (Standing.REMOVED, None)
        assert table.detach("a") is None

    def test_that_went_to_another_version_is_still_saved_under(self, table: Table) -> None:
        file = table.open_stored("a")
        table.detach("a", Standing.SUPERSEDED)
        assert "a" not in table
        assert (file.is_attached, file.target) == (False, "a")

    def test_under_which_it_is_hidden_finds_it(self, table: Table) -> None:
        file = table.open_new("a")
        table.detach("a")
        table.hide(file, "/.fuse_hidden1")
        assert table.hidden("/.fuse_hidden1") is file
        table.forget(file)
        assert table.hidden("/.fuse_hidden1") is None

    def test_below_a_directory_moves_with_it(self, table: Table) -> None:
        own, below, other = table.open_new("d"), table.open_new("d/a/b"), table.open_new("da")
        hidden = table.open_new("d/h")
        table.detach("d/h")
        table.hide(hidden, "/d/.fuse_hidden1")
        table.rename_directory("d/", "e/", table.store.tree.file)
        table.rename_hidden("/d", "/e")
        assert [table.get(key) for key in ("e", "e/a/b", "da")] == [own, below, other]
        assert [file.target for file in (own, below, other)] == ["e", "e/a/b", "da"]
        assert table.hidden("/e/.fuse_hidden1") is hidden
        assert "d" not in table

    def test_that_went_to_another_version_moves_with_its_directory(self, table: Table) -> None:
        file = table.open_new("d/a")
        table.detach("d/a", Standing.SUPERSEDED)
        table.hide(file, "/d/.fuse_hidden1")
        table.rename_directory("d/", "e/", table.store.tree.file)
        assert file.target == "e/a"

    def test_of_unsaved_files_counts_for_their_directories(self, table: Table) -> None:
        table.open_stored("d/stored")
        assert not table.any_unsaved_below("d/")
        file = table.open_new("d/a/new")
        assert table.any_unsaved_below("d/")
        assert list(table.in_directory("d/a/")) == [file]


class TestRename:
    def test_takes_the_name_from_what_had_it(self, table: Table) -> None:
        file, replaced = table.open_stored("a"), table.open_stored("b")
        moved = table.store.tree.rename(table.node("a"), "b", is_scratch=is_scratch)
        table.rename("a", "b", moved)
        assert table.get("b") is file
        assert "a" not in table
        assert file.place.sequence == moved.sequence
        assert file.is_current()
        assert replaced.target is None

    def test_of_what_is_not_open_takes_the_name_as_well(self, table: Table) -> None:
        replaced = table.open_stored("b")
        table.rename("a", "b", None)
        assert replaced.target is None
        assert "b" not in table

    def test_keeps_a_file_that_is_not_in_the_store_out_of_it(self, table: Table) -> None:
        file = table.open_new("a")
        table.rename("a", "b", None)
        assert (table.get("b"), file.target, file.is_stored) == (file, "b", False)


def test_a_swap_of_one_open_file_moves_that(table: Table) -> None:
    file = table.open_stored("a")
    save(table.store, "b", b"other")
    table.store.tree.swap(table.node("a"), table.node("b"), is_scratch=lambda _: False)
    table.swap("a", "b", table.store.tree.file)
    assert (table.get("a"), table.get("b")) == (None, file)
    assert file.is_current()


def test_what_fails_in_between_is_undone(table: Table) -> None:
    file, other, hidden = table.open_stored("a"), table.open_new("d/x"), table.open_new("h")
    table.detach("h")
    table.hide(hidden, "/d/.fuse_hidden1")
    places = [each.place for each in (file, other, hidden)]

    def rename_and_fail() -> None:
        with table.undone_on_failure():
            table.rename("a", "b", table.node("a")._replace(sequence=99))
            table.rename_directory("d/", "e/", table.store.tree.file)
            table.rename_hidden("/d", "/e")
            table.detach("b")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        rename_and_fail()
    assert [each.place for each in (file, other, hidden)] == places
    assert (table.get("a"), table.get("d/x"), table.hidden("/d/.fuse_hidden1")) == (file, other, hidden)
    assert "b" not in table
    assert table.hidden("/e/.fuse_hidden1") is None


def test_what_succeeds_stays(table: Table) -> None:
    file = table.open_new("a")
    with table.undone_on_failure():
        table.rename("a", "b", None)
    assert (table.get("b"), file.target) == (file, "b")
