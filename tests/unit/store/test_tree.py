"""Files and directories: looking, listing, saving, moving, and other processes in between."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from kvassfs.errors import KeyMissing, KvassError
from kvassfs.store import DIRECTORY_MODE, Node, Store, Written
from tests.support.stores import (
    DAY,
    REGULAR,
    SECOND,
    Clock,
    audit,
    audit_clean,
    count,
    is_scratch,
    read,
    revision_values,
    rows,
    save,
)

OpenStore = Callable[[], Store]


def node_of(store: Store, key: str) -> Node:
    node = store.tree.file(key)
    assert node is not None, key
    return node


def value_of(store: Store, key: str) -> bytes:
    return read(store, node_of(store, key))


def names(store: Store, prefix: str = "") -> set[str]:
    return {child.component for child in store.tree.children(prefix)}


def kept_values(store: Store) -> set[bytes]:
    """Return the values of all entries and revisions; scratch files are kept by nobody."""
    keys = rows(store, "SELECT key FROM entries UNION SELECT key FROM revisions")
    found = {value for key in keys for value in revision_values(store, key)}
    return found | {store.get(key).read() for key in store.keys()}


class TestLooking:
    def test_a_file_has_the_attributes_it_was_saved_with(self, store: Store, clock: Clock) -> None:
        clock.step = 0
        save(store, "a", b"value", mode=stat.S_IFREG | 0o644)
        node = node_of(store, "a")
        assert (node.key, node.size, node.mode) == ("a", 5, stat.S_IFREG | 0o644)
        assert node.mtime == node.atime == node.changed == clock.now
        assert not node.is_scratch

    def test_an_entry_without_a_mode_is_a_private_file(self, store: Store) -> None:
        store.set("a", b"value")
        assert node_of(store, "a").mode == REGULAR

    def test_an_empty_file_is_there(self, store: Store) -> None:
        save(store, "a", b"")
        assert node_of(store, "a").size == 0

    def test_a_deleted_key_is_not_there(self, store: Store) -> None:
        store.set("a", b"value")
        store.delete("a")
        assert store.tree.file("a") is None
        assert store.tree.entry("a") is None

    def test_a_directory_is_there_because_of_a_key_below(self, store: Store, clock: Clock) -> None:
        clock.step = 0
        store.set("a/b/c", b"value")
        directory = store.tree.directory("a/")
        assert directory is not None
        assert directory.mode == DIRECTORY_MODE
        assert directory.mtime == clock.now
        assert store.tree.directory("a/b/") is not None
        assert store.tree.directory("a/b/c/") is None
        assert store.tree.directory("b/") is None

    def test_the_root_is_always_there(self, store: Store) -> None:
        assert store.tree.directory("") is not None

    def test_a_key_can_be_a_file_and_a_directory(self, store: Store) -> None:
        store.set("a", b"value")
        store.set("a/b", b"below")
        found = store.tree.lookup("a")
        assert found.node is not None
        assert found.directory is not None

    def test_an_entry_hides_a_scratch_file_of_the_same_name(self, store: Store) -> None:
        save(store, "a~", b"scratch", scratch=True)
        store.set("a~", b"entry")
        assert value_of(store, "a~") == b"entry"
        store.tree.unlink(node_of(store, "a~"), is_scratch=is_scratch)
        assert store.tree.file("a~") is None, "removed once, it is removed"


class TestListing:
    def test_is_what_is_directly_below(self, store: Store) -> None:
        for key in ("a", "b/c", "b/d/e", "b.", "b0", "b", "b/", "//x", "/", "é/ü", "e\u0301"):
            store.set(key, b"value")
        assert names(store) == {"a", "b", "b.", "b0", "", "é", "e\u0301"}
        assert names(store, "b/") == {"c", "d", ""}
        assert names(store, "b/d/") == {"e"}
        assert names(store, "/") == {""}
        assert names(store, "//") == {"x"}
        assert names(store, "c/") == set()

    def test_has_scratch_files_and_empty_directories_too(self, store: Store) -> None:
        save(store, "a~", b"x", scratch=True)
        store.tree.directories.make("d/", DIRECTORY_MODE, is_scratch=is_scratch)
        save(store, "d/b~", b"x", scratch=True)
        assert names(store) == {"a~", "d"}
        assert names(store, "d/") == {"b~"}

    def test_has_no_deleted_keys(self, store: Store) -> None:
        for key in ("a", "b/c"):
            store.set(key, b"value")
            store.delete(key)
        assert names(store) == set()
        assert names(store, "b/") == set()

    def test_tells_what_each_is(self, store: Store) -> None:
        store.set("a", b"value")
        store.set("a/b", b"below")
        (child,) = store.tree.children("")
        assert child.component == "a"
        assert child.node is not None
        assert child.node.size == 5
        assert child.directory is not None

    def test_finds_many_names_around_those_of_directories(self, store: Store) -> None:
        """What sorts around ``/`` : ``.`` before, ``0`` after."""
        keys = [f"{stem}{tail}" for stem in "ab" for tail in ("", "-", ".", "/x", "/y/z", "0", "00", "/", "//")]
        for key in keys:
            store.set(key, b"value")
        assert names(store) == {key.split("/")[0] for key in keys}

    def test_of_siblings_is_by_their_beginning(self, store: Store) -> None:
        for key in ("d/name1", "d/name2/x", "d/other", "name3"):
            store.set(key, b"v")
        save(store, "d/name4~", b"v", scratch=True)
        store.tree.directories.make("d/name5/", DIRECTORY_MODE, is_scratch=is_scratch)
        assert store.tree.siblings("d/", "name") == ["name1", "name2", "name4~", "name5"]
        assert store.tree.siblings("d/", "x") == []


class TestSaving:
    def test_an_entry_is_what_the_command_line_gets(self, store: Store) -> None:
        save(store, "a", b"value")
        assert store.get("a").read() == b"value"

    def test_a_scratch_file_is_no_key_and_has_no_revisions(self, store: Store) -> None:
        save(store, "a~", b"one", scratch=True)
        save(store, "a~", b"two", scratch=True)
        assert value_of(store, "a~") == b"two"
        assert node_of(store, "a~").is_scratch
        assert count(store, "entries") == count(store, "revisions") == 0
        assert count(store, "contents") == 1

    def test_an_entry_under_a_scratch_name_stays_one(self, store: Store) -> None:
        """The user changed the patterns, or set it by the command line."""
        store.set("a~", b"one")
        save(store, "a~", b"two", scratch=True)
        assert store.get("a~").read() == b"two"
        assert revision_values(store, "a~") == [b"one"]

    def test_a_scratch_file_whose_name_is_none_any_more_becomes_an_entry(self, store: Store) -> None:
        save(store, "a", b"one", scratch=True)
        save(store, "a", b"two")
        assert store.get("a").read() == b"two"
        assert count(store, "scratch") == 0

    def test_goes_on_from_what_was_saved(self, store: Store) -> None:
        draft = store.tree.draft()
        for number in range(3):
            draft.write(draft.size, b"x" * 70_000)
            node = store.tree.save("a", draft, Written(mode=REGULAR), scratch=False, now=1, amends=None).node
            assert node.size == 70_000 * (number + 1)
            assert store.get("a").read() == b"x" * node.size
        draft.close()
        audit_clean(store)

    def test_a_new_name_changes_its_directory(self, store: Store, clock: Clock) -> None:
        store.tree.directories.make("d/", DIRECTORY_MODE, is_scratch=is_scratch)
        clock.advance(SECOND)
        node = save(store, "d/a", b"x")
        directory = store.tree.directory("d/")
        assert directory is not None
        assert directory.mtime // SECOND == node.mtime // SECOND
        clock.advance(SECOND)
        save(store, "d/a", b"y")
        assert store.tree.directory("d/") == directory

    def test_times_and_modes_are_as_given(self, store: Store) -> None:
        draft = store.tree.draft()
        draft.write(0, b"x")
        for key in ("a", "a~"):
            written = Written(mode=stat.S_IFREG | 0o640, mtime=5, atime=6, changed=7)
            node = store.tree.save(key, draft, written, scratch=is_scratch(key), now=10**9, amends=None).node
            assert node == node_of(store, key)
            assert (node.mode, node.mtime, node.atime, node.changed) == (stat.S_IFREG | 0o640, 5, 6, 7)


class TestAttributes:
    @pytest.mark.parametrize("key", ["a", "a~"])
    def test_a_mode_is_changed(self, store: Store, key: str) -> None:
        node = store.tree.set_mode(save(store, key, b"x", scratch=is_scratch(key)), stat.S_IFREG | 0o755)
        assert node == node_of(store, key)
        assert node.mode == stat.S_IFREG | 0o755

    @pytest.mark.parametrize("key", ["a", "a~"])
    def test_a_change_of_mode_keeps_the_mtime(self, store: Store, clock: Clock, key: str) -> None:
        before = save(store, key, b"x", scratch=is_scratch(key))
        clock.advance(DAY)
        after = store.tree.set_mode(before, stat.S_IFREG | 0o755)
        assert after is not None
        assert (after.mtime, after.atime) == (before.mtime, before.atime)
        assert after.changed > before.changed

    @pytest.mark.parametrize("key", ["a", "a~"])
    def test_times_are_changed_one_or_both(self, store: Store, key: str) -> None:
        node = save(store, key, b"x", scratch=is_scratch(key))
        store.tree.set_times(node, 5, 6, 7)
        assert node_of(store, key)[4:7] == (5, 6, 7)
        store.tree.set_times(node, 8, None, 9)
        assert node_of(store, key)[4:7] == (8, 6, 9)
        store.tree.set_times(node, None, 10, 11)
        assert node_of(store, key)[4:7] == (8, 10, 11)


class TestRenamingFiles:
    @pytest.mark.parametrize("is_closed", [False, True])
    def test_a_time_that_a_scratch_file_was_given_goes_to_the_key(self, store: Store, is_closed: bool) -> None:
        """By its descriptor before it is saved, as ``cp -p`` does, or by its name after that, as ``rsync`` does."""
        draft = store.tree.draft()
        draft.write(0, b"x")
        given = Written(mode=REGULAR) if is_closed else Written(mode=REGULAR, mod_time=5, mtime=5)
        node = store.tree.save("a~", draft, given, scratch=True, now=7, amends=None).node
        if is_closed:
            store.tree.set_times(node, 5, None, 6)
        store.tree.rename(node, "a", is_scratch=is_scratch)
        assert store.entry("a").mod_time == node_of(store, "a").mtime == 5
        draft.close()

    def test_moves_value_mode_times_and_token(self, store: Store, clock: Clock) -> None:
        node = save(store, "a", b"value", mode=stat.S_IFREG | 0o755)
        store.tree.set_times(node, 5, 6, 7)
        token = store.entry("a").url_token
        clock.advance(DAY)
        moved = store.tree.rename(node_of(store, "a"), "b", is_scratch=is_scratch)
        assert moved == node_of(store, "b")
        assert (moved.mode, moved.mtime, moved.atime) == (stat.S_IFREG | 0o755, 5, 6)
        assert store.get("b").read() == b"value"
        assert store.entry("b").url_token == token
        assert store.tree.file("a") is None
        assert rows(store, "SELECT url_token FROM entries WHERE key = 'a'") != [token]

    def test_keeps_that_an_entry_has_no_mode(self, store: Store) -> None:
        store.set("a", b"value")
        store.tree.rename(node_of(store, "a"), "b", is_scratch=is_scratch)
        assert store.entry("b").mode is None

    def test_replaces_what_is_there_which_becomes_a_revision(self, store: Store) -> None:
        save(store, "a", b"new")
        save(store, "b", b"old", mode=stat.S_IFREG | 0o755)
        store.tree.rename(node_of(store, "a"), "b", is_scratch=is_scratch)
        assert store.get("b").read() == b"new"
        assert store.entry("b").mode == REGULAR
        assert revision_values(store, "b") == [b"old"]

    def test_of_what_stood_for_long_leaves_a_revision_behind(self, store: Store, clock: Clock) -> None:
        save(store, "a", b"value")
        clock.advance(DAY)
        store.tree.rename(node_of(store, "a"), "b", is_scratch=is_scratch)
        assert revision_values(store, "a") == [b"value"]
        assert store.get("b").read() == b"value"

    def test_of_what_came_a_moment_ago_leaves_nothing_behind(self, store: Store) -> None:
        save(store, "tmp", b"value")
        save(store, "a", b"old")
        store.tree.rename(node_of(store, "tmp"), "a", is_scratch=is_scratch)
        assert rows(store, "SELECT key FROM entries") == ["a"]
        assert revision_values(store, "a") == [b"old"]
        assert store.revisions("tmp") == []

    def test_of_a_scratch_file_onto_a_key_is_one_set(self, store: Store) -> None:
        save(store, "a", b"old")
        before = store.settings.config().clock
        save(store, "a~", b"new", scratch=True)
        store.tree.rename(node_of(store, "a~"), "a", is_scratch=is_scratch)
        assert store.get("a").read() == b"new"
        assert revision_values(store, "a") == [b"old"]
        assert store.settings.config().clock == before + 1
        assert count(store, "scratch") == 0

    def test_of_a_key_aside_and_a_new_one_in_its_place_is_one_revision(self, store: Store, clock: Clock) -> None:
        """What vim does: FILE is renamed to FILE~, FILE is written anew, FILE~ is removed."""
        save(store, "a", b"old", mode=stat.S_IFREG | 0o755)
        clock.advance(DAY)
        store.tree.rename(node_of(store, "a"), "a~", is_scratch=is_scratch)
        assert value_of(store, "a~") == b"old"
        save(store, "a", b"new")
        store.tree.unlink(node_of(store, "a~"), is_scratch=is_scratch)
        assert list(store.keys()) == ["a"]
        assert store.get("a").read() == b"new"
        assert revision_values(store, "a") == [b"old"]
        assert count(store, "scratch") == 0

    def test_onto_a_scratch_name_replaces_the_scratch_file_there(self, store: Store, clock: Clock) -> None:
        save(store, "a", b"new")
        save(store, "a~", b"old", scratch=True)
        store.tree.rename(node_of(store, "a"), "a~", is_scratch=is_scratch)
        assert value_of(store, "a~") == b"new"
        assert count(store, "contents") == 1

    def test_between_scratch_names_stays_local(self, store: Store) -> None:
        save(store, "a~", b"value", scratch=True)
        store.tree.rename(node_of(store, "a~"), "b~", is_scratch=is_scratch)
        assert names(store) == {"b~"}
        assert count(store, "entries") == 0

    def test_of_an_empty_file_and_of_a_long_one(self, store: Store, clock: Clock) -> None:
        save(store, "empty", b"")
        save(store, "long", b"x" * 300_000)
        for wait in (0, DAY):
            clock.advance(wait)
            for key in ("empty", "long"):
                store.tree.rename(node_of(store, key), key + "2", is_scratch=is_scratch)
                store.tree.rename(node_of(store, key + "2"), key, is_scratch=is_scratch)
        assert value_of(store, "long") == b"x" * 300_000
        assert node_of(store, "empty").size == 0
        audit_clean(store)


class TestOthersInBetween:
    """Another process changes the key between the look-up of a node and its use."""

    def test_a_rename_moves_the_version_that_is_there(self, store: Store, open_store: OpenStore) -> None:
        node = save(store, "a", b"short")
        open_store().set("a", b"a longer value")
        store.tree.rename(node, "b", is_scratch=is_scratch)
        assert store.entry("b").size == len(b"a longer value")
        assert store.get("b").read() == value_of(store, "b") == b"a longer value"

    def test_a_rename_of_a_scratch_file_moves_the_version_that_is_there(
        self, store: Store, open_store: OpenStore
    ) -> None:
        node = save(store, "a~", b"short", scratch=True)
        save(open_store(), "a~", b"a longer value", scratch=True)
        store.tree.rename(node, "b", is_scratch=is_scratch)
        assert store.get("b").read() == b"a longer value"

    def test_a_rename_of_what_is_gone_is_refused(self, store: Store, open_store: OpenStore) -> None:
        """Its value belongs to a revision, and may not get a second owner."""
        node = save(store, "a", b"value")
        open_store().delete("a")
        with pytest.raises(KvassError):
            store.tree.rename(node, "b", is_scratch=is_scratch)
        assert store.tree.file("b") is None
        audit(store)

    def test_an_exchange_exchanges_the_versions_that_are_there(self, store: Store, open_store: OpenStore) -> None:
        one, other = save(store, "a", b"one"), save(store, "b", b"other")
        open_store().set("a", b"a longer value")
        store.tree.swap(one, other, is_scratch=is_scratch)
        assert store.get("b").read() == b"a longer value"
        assert store.entry("b").size == len(b"a longer value")

    def test_a_rename_of_a_directory_that_is_gone_is_refused(self, store: Store) -> None:
        with pytest.raises(KeyMissing):
            store.tree.rename_directory("d/", "e/", is_scratch=is_scratch)
        assert store.tree.directory("e/") is None

    def test_removing_what_is_gone_is_nothing(self, store: Store, open_store: OpenStore) -> None:
        node = save(store, "a", b"value")
        open_store().delete("a")
        store.tree.unlink(node, is_scratch=is_scratch)
        assert revision_values(store, "a") == [b"value"]

    @pytest.mark.parametrize("size", [10, 300_000])
    def test_a_draft_has_a_version_of_its_key(self, store: Store, open_store: OpenStore, size: int) -> None:
        node = save(store, "a", b"a" * size)
        other = open_store()
        save(other, "a", b"A" * size, amends=node.sequence)
        other.upkeep.clean()
        opened = store.tree.open(node.key)[1]
        assert opened.read(0, size + 1) in {b"a" * size, b"A" * size}
        opened.close()

    @pytest.mark.parametrize("size", [10, 300_000])
    def test_a_draft_of_what_is_gone_has_not_the_value_of_another_key(
        self, store: Store, open_store: OpenStore, size: int
    ) -> None:
        """Which may have taken its place in the database."""
        node = save(store, "a", b"a" * size)
        other = open_store()
        other.tree.unlink(node, is_scratch=is_scratch)
        other.upkeep.clean()
        save(other, "b", b"b" * size)
        with pytest.raises(KvassError):
            store.tree.open(node.key)[1]


class TestExchanging:
    def test_two_keys(self, store: Store) -> None:
        save(store, "a", b"one", mode=stat.S_IFREG | 0o755)
        save(store, "b", b"other")
        tokens = store.entry("a").url_token, store.entry("b").url_token
        store.tree.swap(node_of(store, "a"), node_of(store, "b"), is_scratch=is_scratch)
        assert (store.get("a").read(), store.get("b").read()) == (b"other", b"one")
        assert (store.entry("b").url_token, store.entry("a").url_token) == tokens
        assert node_of(store, "b").mode == stat.S_IFREG | 0o755

    def test_a_key_and_a_scratch_file_keeps_the_value_of_the_key_as_a_revision(
        self, store: Store, clock: Clock
    ) -> None:
        save(store, "a", b"one")
        save(store, "a~", b"other", scratch=True)
        clock.advance(DAY)
        store.tree.swap(node_of(store, "a"), node_of(store, "a~"), is_scratch=is_scratch)
        assert store.get("a").read() == b"other"
        assert value_of(store, "a~") == b"one"
        store.tree.unlink(node_of(store, "a~"), is_scratch=is_scratch)
        assert revision_values(store, "a") == [b"one"]

    def test_a_key_that_becomes_a_scratch_file_stays_in_its_directory(self, store: Store) -> None:
        store.set("d~/a", b"1")
        one, other = node_of(store, "d~/a"), save(store, "b", b"2")
        store.tree.swap(one, other, is_scratch=is_scratch)
        assert [child.component for child in store.tree.children("") if child.directory] == ["d~"]
        assert [child.component for child in store.tree.children("d~/")] == ["a"]

    def test_an_empty_file_and_a_long_one(self, store: Store) -> None:
        save(store, "a", b"")
        save(store, "b", b"x" * 300_000)
        store.tree.swap(node_of(store, "a"), node_of(store, "b"), is_scratch=is_scratch)
        assert node_of(store, "b").size == 0
        assert value_of(store, "a") == b"x" * 300_000


class TestSwappingTrees:
    def test_takes_along_all_below_and_the_values_of_their_own_keys(self, store: Store, clock: Clock) -> None:
        store.tree.directories.make("a/", DIRECTORY_MODE, is_scratch=is_scratch)
        store.tree.directories.make("a/empty/", 0o40750, is_scratch=is_scratch)
        for key in ("a", "a/x", "a/e/y", "b", "b/x", "ab", "a!", "b~"):
            save(store, key, key.encode())
        clock.advance(DAY)
        store.tree.swap_trees("a", "b", is_scratch=is_scratch)
        values = {key: store.get(key).read().decode() for key in store.keys()}
        assert values == {
            "b": "a", "b/x": "a/x", "b/e/y": "a/e/y", "a": "b", "a/x": "b/x", "ab": "ab", "a!": "a!", "b~": "b~",
        }  # fmt: skip
        assert store.tree.directory("a/empty/") is None
        moved = store.tree.directory("b/empty/")
        assert moved is not None
        assert moved.mode == 0o40750
        audit(store)

    def test_leaves_nothing_but_tombstones_behind_for_others(self, store: Store, clock: Clock) -> None:
        save(store, "a/x", b"1")
        save(store, "b", b"2")
        clock.advance(DAY)
        store.tree.swap_trees("a", "b", is_scratch=is_scratch)
        assert sorted(rows(store, "SELECT key FROM entries")) == ["a", "a/x", "b", "b/x"]
        assert list(store.keys()) == ["a", "b/x"]

    def test_to_a_scratch_name_and_back_keeps_what_stood(self, store: Store, clock: Clock) -> None:
        save(store, "a/x", b"1")
        save(store, "b~", b"2", scratch=True)
        clock.advance(DAY)
        store.tree.swap_trees("a", "b~", is_scratch=is_scratch)
        assert (value_of(store, "a"), value_of(store, "b~/x")) == (b"2", b"1")
        assert list(store.keys()) == ["a"]
        store.tree.swap_trees("a", "b~", is_scratch=is_scratch)
        assert (value_of(store, "a/x"), value_of(store, "b~")) == (b"1", b"2")
        audit(store)


class TestDirectories:
    def record(self, store: Store, prefix: str) -> tuple[int, int]:
        directory = store.tree.directory(prefix)
        assert directory is not None
        return directory.mode, directory.mtime

    def test_are_made_and_removed(self, store: Store) -> None:
        store.tree.directories.make("d/", stat.S_IFDIR | 0o755, is_scratch=is_scratch)
        assert self.record(store, "d/")[0] == stat.S_IFDIR | 0o755
        assert store.tree.is_empty("d/")
        store.tree.directories.remove("d/", is_scratch=is_scratch)
        assert store.tree.directory("d/") is None

    def test_stay_when_their_last_key_goes(self, store: Store) -> None:
        store.set("d/e/a", b"x")
        store.tree.unlink(node_of(store, "d/e/a"), is_scratch=is_scratch)
        assert store.tree.directory("d/e/") is not None
        assert store.tree.directory("d/") is not None
        assert store.tree.is_empty("d/e/")
        assert not store.tree.is_empty("d/")

    @pytest.mark.parametrize("key", ["d/a", "d/e/a", "d/a~", "d", "d/"])
    def test_are_not_empty_with_anything_in_them(self, store: Store, key: str) -> None:
        store.tree.directories.make("d/", DIRECTORY_MODE, is_scratch=is_scratch)
        save(store, key, b"x", scratch=is_scratch(key))
        assert not store.tree.is_empty("d/")

    def test_are_empty_whatever_is_beside_them(self, store: Store) -> None:
        store.tree.directories.make("d/", DIRECTORY_MODE, is_scratch=is_scratch)
        for key in ("d.", "d0", "d-/x", "c/x", "e"):
            store.set(key, b"x")
        assert store.tree.is_empty("d/")

    def test_keep_attributes_of_their_own(self, store: Store, clock: Clock) -> None:
        store.set("d/a", b"x")
        directory = store.tree.directory("d/")
        assert directory is not None
        store.tree.directories.set("d/", mode=stat.S_IFDIR | 0o500, mtime=5, atime=6, is_scratch=is_scratch)
        again = store.tree.directory("d/")
        assert again is not None
        assert (again.mode, again.mtime, again.atime) == (stat.S_IFDIR | 0o500, 5, 6)
        assert again.changed > directory.changed

    def test_change_when_a_name_in_them_comes_or_goes(self, store: Store, clock: Clock) -> None:
        store.tree.directories.make("d/", DIRECTORY_MODE, is_scratch=is_scratch)
        changes: list[Callable[[], object]] = [
            lambda: save(store, "d/a", b"x"),
            lambda: store.tree.rename(node_of(store, "d/a"), "d/b", is_scratch=is_scratch),
            lambda: store.tree.unlink(node_of(store, "d/b"), is_scratch=is_scratch),
            lambda: store.tree.directories.make("d/e/", DIRECTORY_MODE, is_scratch=is_scratch),
            lambda: store.tree.rename_directory("d/e/", "d/f/", is_scratch=is_scratch),
            lambda: store.tree.directories.remove("d/f/", is_scratch=is_scratch),
            lambda: store.set("d/c", b"x"),
            lambda: store.delete("d/c"),
        ]
        for number, change in enumerate(changes):
            before = self.record(store, "d/")[1]
            clock.advance(SECOND)
            change()
            assert self.record(store, "d/")[1] > before, number


class TestRenamingDirectories:
    def test_moves_everything_below_and_the_value_of_its_own_key(self, store: Store) -> None:
        for key in ("d", "d/", "d/a", "d/e/b", "d/e/f/c", "d/ü", "d/😀/x"):
            save(store, key, b"value of " + key.encode())
        save(store, "d/s~", b"scratch", scratch=True)
        store.tree.directories.make("d/empty/", stat.S_IFDIR | 0o750, is_scratch=is_scratch)
        store.tree.rename_directory("d/", "n/", is_scratch=is_scratch)
        assert set(store.keys()) == {"n", "n/", "n/a", "n/e/b", "n/e/f/c", "n/ü", "n/😀/x"}
        assert store.get("n/e/f/c").read() == b"value of d/e/f/c"
        assert value_of(store, "n/s~") == b"scratch"
        directory = store.tree.directory("n/empty/")
        assert directory is not None
        assert directory.mode == stat.S_IFDIR | 0o750
        assert names(store) == {"n"}

    def test_leaves_what_has_a_similar_name(self, store: Store) -> None:
        for key in ("d/a", "d0/a", "d./a", "d", "dd/a", "D/a", "x/d/a"):
            store.set(key, b"x")
        store.delete("d")
        store.tree.rename_directory("d/", "n/", is_scratch=is_scratch)
        assert set(store.keys()) == {"n/a", "d0/a", "d./a", "dd/a", "D/a", "x/d/a"}

    def test_keeps_tokens_modes_and_times(self, store: Store) -> None:
        store.tree.set_times(save(store, "d/a", b"x", mode=stat.S_IFREG | 0o755), 5, 6, 7)
        token = store.entry("d/a").url_token
        store.tree.rename_directory("d/", "n/", is_scratch=is_scratch)
        node = node_of(store, "n/a")
        assert (node.mode, node.mtime, node.atime) == (stat.S_IFREG | 0o755, 5, 6)
        assert store.entry("n/a").url_token == token

    def test_into_an_empty_directory_takes_its_place(self, store: Store) -> None:
        store.tree.directories.make("d/", stat.S_IFDIR | 0o750, is_scratch=is_scratch)
        store.set("d/a", b"x")
        store.tree.directories.make("n/", stat.S_IFDIR | 0o700, is_scratch=is_scratch)
        store.tree.rename_directory("d/", "n/", is_scratch=is_scratch)
        directory = store.tree.directory("n/")
        assert directory is not None
        assert directory.mode == stat.S_IFDIR | 0o750
        assert list(store.keys()) == ["n/a"]

    def test_deeper_and_shallower(self, store: Store) -> None:
        store.set("d/a", b"x")
        store.tree.directories.make("p/", DIRECTORY_MODE, is_scratch=is_scratch)
        store.tree.rename_directory("d/", "p/q/", is_scratch=is_scratch)
        assert list(store.keys()) == ["p/q/a"]
        assert names(store, "p/") == {"q"}
        store.tree.rename_directory("p/q/", "d/", is_scratch=is_scratch)
        assert list(store.keys()) == ["d/a"]
        assert store.tree.is_empty("p/")

    def test_of_an_empty_component(self, store: Store) -> None:
        store.set("/a", b"x")
        store.tree.rename_directory("/", "n/", is_scratch=is_scratch)
        assert list(store.keys()) == ["n/a"]
        store.tree.rename_directory("n/", "/", is_scratch=is_scratch)
        assert list(store.keys()) == ["/a"]

    def test_to_a_scratch_name_keeps_the_values_as_revisions(self, store: Store, clock: Clock) -> None:
        """``mv notes notes~; rm -r notes~`` loses nothing that a person saved."""
        save(store, "d/a", b"value")
        save(store, "d/e/long", b"x" * 100_000)
        clock.advance(DAY)
        store.tree.rename_directory("d/", "d~/", is_scratch=is_scratch)
        assert list(store.keys()) == []
        assert value_of(store, "d~/a") == b"value"
        clock.advance(DAY)
        for key in ("d~/a", "d~/e/long"):
            store.tree.unlink(node_of(store, key), is_scratch=is_scratch)
        assert kept_values(store) == {b"value", b"x" * 100_000}

    def test_to_a_scratch_name_keeps_the_directories_in_it(self, store: Store) -> None:
        store.set("d/e/a", b"1")
        store.tree.rename_directory("d/", "d~/", is_scratch=is_scratch)
        assert [child.component for child in store.tree.children("d~/") if child.directory] == ["e"]
        assert [child.component for child in store.tree.children("d~/e/")] == ["a"]

    def test_from_a_scratch_name_makes_them_keys(self, store: Store) -> None:
        """``mv notes~ notes`` brings them back, to other devices as well."""
        save(store, "d~/a", b"value", scratch=True)
        save(store, "d~/b~", b"scratch", scratch=True)
        store.tree.rename_directory("d~/", "d/", is_scratch=is_scratch)
        assert list(store.keys()) == ["d/a"]
        assert value_of(store, "d/b~") == b"scratch"
        assert node_of(store, "d/b~").is_scratch

    def test_is_one_transaction(self, store: Store, path: Path, open_store: OpenStore) -> None:
        for number in range(20):
            store.set(f"d/{number}", b"x")
        other = open_store()
        before = other._database.data_version()
        store.tree.rename_directory("d/", "n/", is_scratch=is_scratch)
        assert other._database.data_version() != before
        assert all(key.startswith("n/") for key in other.keys())


def test_other_mounts_are_told_of_what_is_local(store: Store, open_store: OpenStore) -> None:
    other = open_store()

    def told(action: Callable[[], object]) -> set[str]:
        before = other.feed.position()
        action()
        return set(other.feed.since(before, but_by=other.feed.writer).keys)

    assert told(lambda: store.tree.directories.make("d/", DIRECTORY_MODE, is_scratch=is_scratch)) >= {"d/"}
    assert told(lambda: save(store, "d/a~", b"x", scratch=True)) >= {"d/a~"}
    assert told(lambda: store.tree.rename(node_of(store, "d/a~"), "d/b~", is_scratch=is_scratch)) >= {"d/a~", "d/b~"}
    assert told(lambda: store.tree.set_times(node_of(store, "d/b~"), 1, 2, 3)) >= {"d/b~"}
    assert told(lambda: store.tree.set_mode(node_of(store, "d/b~"), REGULAR | 0o100)) >= {"d/b~"}
    assert told(lambda: store.tree.unlink(node_of(store, "d/b~"), is_scratch=is_scratch)) >= {"d/b~"}
    assert told(lambda: store.tree.rename_directory("d/", "e/", is_scratch=is_scratch)) >= {"d/", "e/"}
    assert told(lambda: store.tree.directories.remove("e/", is_scratch=is_scratch)) >= {"e/"}
    node = save(store, "a", b"x")
    assert told(lambda: store.tree.set_times(node, 1, 2, 3)) >= {"a"}
