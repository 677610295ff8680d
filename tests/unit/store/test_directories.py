"""Directories: when one is there, and what of it other devices get."""

from __future__ import annotations

import stat

import pytest

from kvassfs.entry import Entry
from kvassfs.errors import KeyIsDirectory, KeyMissing
from kvassfs.store import DIRECTORY_MODE, Bearer, Node, Store
from kvassfs.store.settling import SETTLING_TIME, TRANSIENT_TIME
from tests.support.stores import SECOND, Clock, audit, is_scratch, revision_values, rows, save
from tests.unit.store.test_settling import hand_out, pushable

READABLE = stat.S_IFDIR | 0o755


def make(store: Store, prefix: str, mode: int = DIRECTORY_MODE) -> None:
    store.tree.directories.make(prefix, mode, is_scratch=is_scratch)


def remove(store: Store, prefix: str) -> None:
    store.tree.directories.remove(prefix, is_scratch=is_scratch)


def file(store: Store, key: str) -> Node:
    node = store.tree.file(key)
    assert node is not None
    return node


def unlink(store: Store, key: str) -> None:
    store.tree.unlink(file(store, key), is_scratch=is_scratch)


def entries(store: Store) -> dict[str, int | None]:
    """Return keys and modes of what is in the table of entries, tombstones with 0."""
    return dict(rows(store, "SELECT key, iif(live, mode, 0) FROM entries ORDER BY key"))


def is_there(store: Store, prefix: str) -> bool:
    return store.tree.directory(prefix) is not None


class TestEntries:
    def test_one_that_is_made_is_an_entry_with_its_mode(self, store: Store) -> None:
        make(store, "d/", READABLE)
        assert entries(store) == {"d/": READABLE}
        entry = Entry(
            *store._database.row("SELECT key, timestamp, counter, process_id, url_token, size, mode FROM entries")
        )
        assert entry.is_directory
        assert not entry.deleted
        assert not entry.is_file

    def test_it_is_no_key(self, store: Store) -> None:
        make(store, "d/")
        make(store, "d/e/")
        token = rows(store, "SELECT url_token FROM entries WHERE key = 'd/'")[0]
        assert (list(store.keys()), store.count_keys(), list(store.level(""))) == ([], 0, [])
        for call in (store.get, store.entry, store.share_links.create):
            with pytest.raises(KeyMissing):
                call("d/")
        assert store.share_links.find(token) is None
        assert store.tree.file("d/") is None
        assert [name for name, *_ in store.tree.children("d/")] == ["e"]
        assert list(store.level("", directories=True)) == ["d/"]
        assert list(store.level("d/", directories=True)) == ["d/e/"]

    def test_one_that_is_removed_leaves_a_tombstone(self, store: Store, clock: Clock) -> None:
        make(store, "d/")
        hand_out(store)
        clock.advance(SECOND)
        hand_out(store)
        remove(store, "d/")
        assert entries(store) == {"d/": 0}
        assert not is_there(store, "d/")
        audit(store)

    def test_one_that_comes_and_goes_at_once_leaves_nothing(self, store: Store) -> None:
        make(store, "d/")
        remove(store, "d/")
        assert entries(store) == {}
        audit(store)

    def test_a_lock_that_is_a_directory_is_kept_back(self, store: Store, clock: Clock) -> None:
        make(store, "d/")
        make(store, "d/.lock/")
        clock.advance(SECOND)
        assert pushable(store) == ["d/"]

    def test_its_mode_and_its_time_are_new_versions(self, store: Store) -> None:
        store.set("d/k", b"x")
        store.tree.directories.set("d/", mode=READABLE, is_scratch=is_scratch)
        store.tree.directories.set("d/", mtime=-5, atime=7, is_scratch=is_scratch)
        assert rows(store, "SELECT mode, mod_time FROM entries WHERE key = 'd/'") == [(READABLE, -5)]
        record = store.tree.directory("d/")
        assert record is not None
        assert (record.mode, record.mtime, record.atime) == (READABLE, -5, 7)

    def test_the_time_of_access_alone_is_none(self, store: Store) -> None:
        store.set("d/k", b"x")
        store.tree.directories.set("d/", atime=7, is_scratch=is_scratch)
        assert list(entries(store)) == ["d/k"]

    def test_those_of_one_that_is_gone_cannot_be_changed(self, store: Store) -> None:
        with pytest.raises(KeyMissing):
            store.tree.directories.set("d/", mode=READABLE, is_scratch=is_scratch)

    def test_those_of_the_root_stay_here(self, store: Store) -> None:
        store.tree.directories.set("", mode=READABLE, mtime=5, is_scratch=is_scratch)
        assert entries(store) == {}
        record = store.tree.directory("")
        assert record is not None
        assert (record.mode, record.mtime) == (READABLE, 5)


class TestTheLastName:
    def test_keeps_the_directory_when_a_mount_removes_it(self, store: Store, clock: Clock) -> None:
        store.set("d/e/k", b"x")
        clock.advance(TRANSIENT_TIME * 1000)
        unlink(store, "d/e/k")
        assert is_there(store, "d/e/")
        assert entries(store) == {"d/e/": DIRECTORY_MODE, "d/e/k": 0}
        assert pushable(store) == []
        clock.advance(SETTLING_TIME)
        assert pushable(store) == ["d/e/k", "d/e/"]

    def test_a_name_that_comes_before_it_was_sent_withdraws_that(self, store: Store, clock: Clock) -> None:
        store.set("d/k", b"x")
        unlink(store, "d/k")
        clock.advance(TRANSIENT_TIME * 5000)
        save(store, "d/k", b"new")
        assert list(entries(store)) == ["d/k"]

    def test_that_forgets_no_value_of_its_key(self, store: Store, clock: Clock) -> None:
        store.set("d/", b"value")
        clock.advance(TRANSIENT_TIME * 1000)
        unlink(store, "d/")
        save(store, "d/k", b"new")
        assert revision_values(store, "d/") == [b"value"]

    def test_one_that_comes_later_does_not(self, store: Store, clock: Clock) -> None:
        store.set("d/k", b"x")
        unlink(store, "d/k")
        clock.advance(SETTLING_TIME)
        hand_out(store)
        save(store, "d/k", b"new")
        assert entries(store)["d/"] == DIRECTORY_MODE

    def test_a_directory_that_others_removed_once_is_a_tombstone_again(self, store: Store, clock: Clock) -> None:
        make(store, "d/")
        clock.advance(SECOND)
        hand_out(store)
        remove(store, "d/")
        clock.advance(SETTLING_TIME)
        hand_out(store)
        store.set("d/k", b"x")
        unlink(store, "d/k")
        store.set("d/l", b"x")
        assert entries(store)["d/"] == 0
        assert is_there(store, "d/")

    def test_rm_r_leaves_only_what_others_have(self, store: Store, clock: Clock) -> None:
        store.set("d/k", b"x")
        hand_out(store)
        clock.advance(TRANSIENT_TIME * 1000)
        unlink(store, "d/k")
        remove(store, "d/")
        assert entries(store) == {"d/k": 0}

    def test_is_a_name_below_too(self, store: Store) -> None:
        make(store, "d/e/")
        remove(store, "d/e/")
        assert entries(store) == {"d/": DIRECTORY_MODE}

    @pytest.mark.parametrize("new", ["k", "e/k", "e/k~"])
    def test_keeps_it_when_it_is_renamed(self, store: Store, new: str) -> None:
        store.set("d/k", b"x")
        make(store, "e/")
        store.tree.rename(file(store, "d/k"), new, is_scratch=is_scratch)
        assert entries(store)["d/"] == DIRECTORY_MODE

    def test_changes_nothing_where_it_is_renamed_within(self, store: Store) -> None:
        store.set("d/k", b"x")
        store.tree.rename(file(store, "d/k"), "d/l", is_scratch=is_scratch)
        assert "d/" not in entries(store)

    def test_ends_it_when_the_command_removes_it(self, store: Store) -> None:
        store.set("d/e/k", b"x")
        store.delete("d/e/k")
        assert not is_there(store, "d/")
        audit(store)

    def test_beside_scratch_files_keeps_it(self, store: Store) -> None:
        store.set("d/k", b"x")
        save(store, "d/s~", b"x", scratch=True)
        unlink(store, "d/k")
        unlink(store, "d/s~")
        assert is_there(store, "d/")

    def test_a_scratch_file_ends_one_that_others_have_removed(self, store: Store) -> None:
        store.set("d/k", b"x")
        save(store, "d/s~", b"x", scratch=True)
        store.delete("d/k")
        assert is_there(store, "d/")
        unlink(store, "d/s~")
        assert not is_there(store, "d/")
        audit(store)


class TestScratch:
    def test_one_with_such_a_name_stays_here(self, store: Store) -> None:
        make(store, "d~/", READABLE)
        make(store, "d~/e/")
        store.tree.directories.set("d~/e/", mode=READABLE, mtime=5, is_scratch=is_scratch)
        assert entries(store) == {}
        for prefix in ("d~/", "d~/e/"):
            record = store.tree.directory(prefix)
            assert record is not None
            assert record.mode == READABLE
        remove(store, "d~/e/")
        remove(store, "d~/")
        assert rows(store, "SELECT key FROM scratch") == []
        audit(store)

    def test_it_stays_when_its_last_name_goes(self, store: Store) -> None:
        make(store, "d/")
        save(store, "d/k", b"x")
        store.tree.rename_directory("d/", "d~/", is_scratch=is_scratch)
        unlink(store, "d~/k")
        assert is_there(store, "d~/")
        remove(store, "d~/")
        assert not is_there(store, "d~/")

    def test_renamed_it_becomes_an_entry_and_back(self, store: Store, clock: Clock) -> None:
        make(store, "d~/", READABLE)
        store.tree.rename_directory("d~/", "d/", is_scratch=is_scratch)
        assert entries(store) == {"d/": READABLE}
        clock.advance(SECOND)
        hand_out(store)
        store.tree.rename_directory("d/", "d~/", is_scratch=is_scratch)
        assert entries(store) == {"d/": 0}
        record = store.tree.directory("d~/")
        assert record is not None
        assert record.mode == READABLE

    def test_what_stayed_only_since_it_could_not_travel_is_published(self, store: Store) -> None:
        for prefix in ("d/", "d/e~/"):
            store.tree.directories.make(prefix, READABLE, is_scratch=lambda _: True)
        store.tree.directories.publish(is_scratch=is_scratch)
        assert entries(store) == {"d/": READABLE}
        assert rows(store, "SELECT key FROM scratch") == ["d/e~/"]
        store.tree.directories.publish(is_scratch=is_scratch)


class TestTheValueOfItsKey:
    def test_shares_the_key_and_the_mode_is_local_meanwhile(self, store: Store) -> None:
        make(store, "d/", READABLE)
        save(store, "d/", b"value")
        record = store.tree.directory("d/")
        assert record is not None
        assert record.mode == READABLE
        store.tree.directories.set("d/", mode=stat.S_IFDIR | 0o500, mtime=5, is_scratch=is_scratch)
        assert store.get("d/").read() == b"value"
        record = store.tree.directory("d/")
        assert record is not None
        assert (record.mode, record.mtime) == (stat.S_IFDIR | 0o500, 5)

    def test_the_command_sets_it_with_the_mode_of_a_file(self, store: Store) -> None:
        make(store, "d/", READABLE)
        store.set("d/", b"value")
        assert file(store, "d/").mode == stat.S_IFREG | 0o600
        assert list(store.keys()) == ["d/"]
        store.set_empty("d/")
        assert store.get("d/").read() == b""

    def test_removed_it_leaves_the_directory(self, store: Store) -> None:
        make(store, "d/")
        save(store, "d/", b"value")
        unlink(store, "d/")
        assert is_there(store, "d/")
        assert store.tree.file("d/") is None

    def test_an_entry_of_the_directory_in_its_place_keeps_it_as_a_revision(self, store: Store, clock: Clock) -> None:
        store.set("d/", b"value")
        store.delete("d/")
        clock.advance(SECOND)
        make(store, "d/")
        assert revision_values(store, "d/") == [b"value"]


class TestTimes:
    def mtime(self, store: Store, prefix: str) -> int:
        record = store.tree.directory(prefix)
        assert record is not None
        return record.mtime

    def test_a_new_directory_changes_the_one_above_once(self, store: Store, clock: Clock) -> None:
        make(store, "a/")
        clock.advance(SECOND)
        make(store, "a/b/")
        made = self.mtime(store, "a/")
        clock.advance(SECOND)
        save(store, "a/b/k", b"x")
        assert self.mtime(store, "a/") == made
        assert self.mtime(store, "a/b/") > made

    def test_the_command_makes_directories_above_that_change_those_above(self, store: Store, clock: Clock) -> None:
        make(store, "a/")
        before = self.mtime(store, "a/")
        clock.advance(SECOND)
        store.set("a/b/c/k", b"x")
        assert self.mtime(store, "a/") > before

    def test_attributes_go_with_it(self, store: Store) -> None:
        store.set("d/k", b"x")
        store.xattrs.put(Bearer("d/", is_directory=True), b"user.a", b"x")
        store.delete("d/k")
        assert store.xattrs.of(Bearer("d/", is_directory=True)) == {}


class TestRenaming:
    def test_moves_the_entries(self, store: Store, clock: Clock) -> None:
        make(store, "d/", READABLE)
        make(store, "d/e/", READABLE)
        save(store, "d/k", b"x")
        clock.advance(SECOND)
        hand_out(store)
        store.tree.rename_directory("d/", "n/", is_scratch=is_scratch)
        found = entries(store)
        assert found == {"d/": 0, "d/e/": 0, "d/k": 0, "n/": READABLE, "n/e/": READABLE, "n/k": stat.S_IFREG | 0o600}

    def test_new_keys_are_sent_before_the_old_ones_go(self, store: Store, clock: Clock) -> None:
        for number in range(3):
            save(store, f"d/{number}", b"x")
        clock.advance(SECOND)
        hand_out(store)
        store.tree.rename_directory("d/", "n/", is_scratch=is_scratch)
        clock.advance(SETTLING_TIME)
        sent = pushable(store)
        assert all(sent.index(f"n/{number}") < sent.index(f"d/{number}") for number in range(3))

    def test_onto_an_empty_one_takes_its_place(self, store: Store, clock: Clock) -> None:
        store.set("d/k", b"x")
        make(store, "n/", READABLE)
        clock.advance(SECOND)
        hand_out(store)
        store.tree.rename_directory("d/", "n/", is_scratch=is_scratch)
        record = store.tree.directory("n/")
        assert record is not None
        assert record.mode == DIRECTORY_MODE
        assert entries(store)["n/"] == 0
        audit(store)


class TestTheCommand:
    def test_removes_an_empty_one_by_its_key(self, store: Store) -> None:
        make(store, "d/e/")
        assert store.delete("d/e/").deleted
        assert not is_there(store, "d/e/")

    def test_removes_the_value_there_first(self, store: Store) -> None:
        make(store, "d/")
        store.set("d/", b"x")
        store.set("d/k", b"x")
        store.delete("d/")
        assert list(store.keys()) == ["d/k"]

    @pytest.mark.parametrize("key", ["d", "d/"])
    def test_removes_none_that_is_not_empty(self, store: Store, key: str) -> None:
        store.set("d/k", b"x")
        with pytest.raises(KeyIsDirectory):
            store.delete(key)

    def test_says_that_it_is_one(self, store: Store) -> None:
        make(store, "d/")
        with pytest.raises(KeyIsDirectory):
            store.delete("d")
        for missing in ("e", "e/", "d/k"):
            with pytest.raises(KeyMissing) as caught:
                store.delete(missing)
            assert not isinstance(caught.value, KeyIsDirectory)

    @pytest.mark.parametrize(
        ("key", "left"), [("d/", ["d", "d!", "e"]), ("d", ["d!", "e"]), ("e", ["d", "d!", "d/", "d/f/k", "d/k"])]
    )
    def test_removes_all_below(self, store: Store, key: str, left: list[str]) -> None:
        for each in ("d", "d!", "d/", "d/f/k", "d/k", "e"):
            store.set(each, b"x")
        make(store, "d/g/h/")
        links = {each: store.share_links.create(each) for each in ("d", "d/k")}
        gone = store.delete_all(key)
        assert list(store.keys()) == left
        assert gone == 6 - len(left)
        assert is_there(store, "d/") is (key == "e")
        assert {link.key for link in store.share_links.list_all()} == {each for each in links if each in left}
        audit(store)

    def test_removes_nothing_below_a_name_that_is_missing(self, store: Store) -> None:
        store.set("d", b"x")
        with pytest.raises(KeyMissing):
            store.delete_all("d/")
