"""kvassfs.store.undo and own_changes"""

from __future__ import annotations

import pytest

from kvassfs.entry import DEFAULT_MODE, Delivery, Entry
from kvassfs.errors import NothingToUndo
from kvassfs.store import Plan, Store, Way
from kvassfs.store.own_changes import LOOK_BACK, MOST_ROWS, PAUSE
from kvassfs.store.versions import Change
from tests.support.stores import SECOND, Clock, count, is_scratch, read, rows, save
from tests.unit.store.conftest import OpenStore

DIRECTORY = 0o40750


def undo(store: Store) -> Plan:
    return store.undo.run(store.undo.plan())


def values(store: Store) -> dict[str, bytes]:
    return {key: store.get(key).read() for key in store.keys()}


class Shell:
    """Programs that change things in a mount of the store, each with a pid of its own."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.pid = 0
        store.own_changes.caller = lambda: self.pid

    def start(self) -> None:
        """Begin with another program; the one before ended a moment ago."""
        self.pid += 1

    def save(self, key: str, value: bytes) -> None:
        save(self.store, key, value)

    def unlink(self, key: str) -> None:
        node = self.store.tree.file(key)
        assert node is not None
        self.store.tree.unlink(node, is_scratch=is_scratch)

    def rename(self, key: str, new: str) -> None:
        node = self.store.tree.file(key)
        assert node is not None
        self.store.tree.rename(node, new, is_scratch=is_scratch)


@pytest.fixture
def shell(store: Store, clock: Clock) -> Shell:
    shell = Shell(store, clock)
    shell.start()
    return shell


def age(clock: Clock) -> None:
    """Let what is there be no longer new, as what is new goes without a trace."""
    clock.advance(5 * SECOND)


# What commands did


def fail_after(store: Store, key: str) -> None:
    with store.transaction:
        store.set(key, b"x")
        raise ZeroDivisionError


def test_what_a_command_does_is_one_change_however_much_others_write_meanwhile(
    store: Store, open_store: OpenStore
) -> None:
    other = open_store()
    store.set("first", b"x")
    for number in range(LOOK_BACK + 1):
        other.set(f"other {number}", b"x")
    with pytest.raises(ZeroDivisionError):
        fail_after(store, "taken back")
    store.set("second", b"x")
    undo(store)
    assert "first" not in values(store)
    assert "second" not in values(store)
    assert len(values(store)) == LOOK_BACK + 1


def test_a_command_whose_first_row_was_taken_back_begins_a_change_of_its_own(
    store: Store, open_store: OpenStore
) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_after(store, "taken back")
    open_store().set("other", b"x")
    store.set("key", b"x")
    undo(store)
    assert values(store) == {"other": b"x"}


def test_each_command_is_a_change_of_its_own(store: Store, open_store: OpenStore) -> None:
    for value in (b"one", b"two", b"three"):
        open_store().set("key", value)
    undo(store)
    assert values(store) == {"key": b"two"}
    undo(store)
    assert values(store) == {"key": b"one"}
    undo(store)
    assert values(store) == {}
    with pytest.raises(NothingToUndo) as caught:
        store.undo.plan()
    assert str(caught.value) == "nothing to undo"


def test_a_removal_of_many_is_undone_at_once(store: Store, open_store: OpenStore) -> None:
    other = open_store()
    for key in ("d/a", "d/e/b", "d", "beside"):
        other.set(key, b"value")
    other.set_empty("d/empty")
    before = values(store)
    open_store().delete_all("d")
    assert list(store.keys()) == ["beside"]
    plan = store.undo.plan()
    assert sorted(plan.keys) == ["d", "d/a", "d/e/b", "d/empty"]
    store.undo.run(plan)
    assert values(store) == before


@pytest.mark.parametrize("mode", [0o100755, 0o120777])
def test_a_file_of_no_mode_comes_back_without_that_of_what_replaced_it(
    store: Store, open_store: OpenStore, mode: int
) -> None:
    open_store().set("key", b"value")
    other = open_store()
    draft = other.tree.draft()
    draft.write(0, b"other")
    other.imports.put("key", draft, mode, None)
    undo(store)
    assert store.get("key").read() == b"value"
    assert store.entry("key").mode == DEFAULT_MODE


def test_undo_is_no_change_that_could_be_undone(store: Store, open_store: OpenStore) -> None:
    open_store().set("a", b"one")
    open_store().set("b", b"one")
    undo(store)
    undo(store)
    assert values(store) == {}
    with pytest.raises(NothingToUndo):
        store.undo.plan()


def test_a_restore_is_undone(store: Store, open_store: OpenStore) -> None:
    for value in (b"one", b"two"):
        open_store().set("key", value)
    open_store().history.restore("key")
    undo(store)
    assert values(store) == {"key": b"two"}
    undo(store)
    assert values(store) == {"key": b"one"}


def test_what_comes_back_is_shared_under_its_address_again(store: Store, open_store: OpenStore) -> None:
    token = open_store().set("key", b"value").url_token
    open_store().delete("key")
    undo(store)
    assert store.entry("key").url_token == token


def test_links_are_no_change(store: Store, open_store: OpenStore) -> None:
    open_store().set("key", b"value")
    store.share_links.create("key", once=True)
    undo(store)
    assert values(store) == {}


def test_the_links_to_a_key_that_goes_end(store: Store, open_store: OpenStore) -> None:
    open_store().set("key", b"value")
    store.share_links.create("key", once=True)
    undo(store)
    assert store.share_links.list_all() == []


# What other devices did


def from_elsewhere(store: Store, key: str, value: bytes) -> None:
    row = store._entries.current(key)
    assert row is not None
    entry = Entry(key, row.timestamp + 1, row.counter + 1, 7, "T" * 22, len(value))
    store.inbox.merge_pushed([Delivery(entry, row.counter + 1, value)])


def test_what_has_changed_since_stays_and_is_said(store: Store, open_store: OpenStore) -> None:
    other = open_store()
    with other.transaction:
        other.set("a", b"mine")
        other.set("b", b"mine")
    from_elsewhere(store, "a", b"theirs")
    plan = undo(store)
    assert plan.keys_of(Way.CHANGED) == ["a"]
    assert plan.keys_of(Way.REMOVE) == ["b"]
    assert values(store) == {"a": b"theirs"}


def test_where_all_has_changed_since_it_goes_further_back(store: Store, open_store: OpenStore) -> None:
    open_store().set("earlier", b"mine")
    open_store().set("key", b"mine")
    from_elsewhere(store, "key", b"theirs")
    assert store.undo.plan().keys == ["earlier"]
    undo(store)
    with pytest.raises(NothingToUndo) as caught:
        store.undo.plan()
    assert str(caught.value) == "nothing to undo: key has changed since, or is not kept; see `kvass log`"


def test_what_takes_others_back_is_no_change_of_many_either(store: Store) -> None:
    store.set("a", b"x")
    row = store._entries.current("a")
    noted = count(store, "own_changes")
    with store.transaction, store.own_changes.paused():
        store.own_changes.note_all([Change("a", row, None)], 0)
    with store.transaction:
        store.own_changes.note_all([Change("a", None, None)], 0)
    assert count(store, "own_changes") == noted


def test_what_arrives_is_no_change(store: Store) -> None:
    store.inbox.merge_pushed([Delivery(Entry("key", 5, 5, 7, "T" * 22, 5), 5, b"value")])
    with pytest.raises(NothingToUndo):
        store.undo.plan()


def test_it_is_decided_anew_when_it_is_done(store: Store, open_store: OpenStore) -> None:
    open_store().set("key", b"one")
    open_store().set("key", b"two")
    plan = store.undo.plan()
    from_elsewhere(store, "key", b"theirs")
    assert store.undo.run(plan).keys == []
    assert values(store) == {"key": b"theirs"}


# What programs did in a mount


def test_what_one_program_did_without_a_pause_is_one_change(store: Store, shell: Shell, clock: Clock) -> None:
    for key in "abc":
        shell.save(key, b"value")
    age(clock)
    shell.start()
    for key in "abc":
        clock.advance(PAUSE * 900)
        shell.unlink(key)
    undo(store)
    assert values(store) == dict.fromkeys("abc", b"value")


def test_after_a_pause_the_same_program_begins_another_change(store: Store, shell: Shell, clock: Clock) -> None:
    shell.save("key", b"one")
    clock.advance(PAUSE * 1100)
    shell.save("key", b"two")
    undo(store)
    assert values(store) == {"key": b"one"}


def test_programs_at_the_same_time_are_kept_apart(store: Store, shell: Shell, clock: Clock) -> None:
    for key in ("a1", "b1", "a2", "b2"):
        shell.pid = {"a": 100, "b": 200}[key[0]]
        shell.save(key, b"value")
    assert store.undo.plan().keys == ["b1", "b2"]
    undo(store)
    assert store.undo.plan().keys == ["a1", "a2"]


def test_an_editor_that_moves_the_file_aside_is_undone_to_the_value_before(
    store: Store, shell: Shell, clock: Clock
) -> None:
    shell.save("key", b"old")
    age(clock)
    shell.start()
    shell.rename("key", "key~")
    shell.save("key", b"new")
    scratch = store.tree.file("key~")
    assert scratch is not None
    store.tree.unlink(scratch, is_scratch=is_scratch)
    undo(store)
    assert read(store, store.tree.file("key")) == b"old"


def test_saves_that_complete_each_other_are_undone_to_the_value_before(
    store: Store, shell: Shell, clock: Clock
) -> None:
    shell.save("key", b"old")
    age(clock)
    shell.start()
    node = save(store, "key", b"begun")
    clock.advance(PAUSE * 1100)
    node = save(store, "key", b"begun and", amends=node.sequence)
    clock.advance(PAUSE * 1100)
    save(store, "key", b"begun and ended", amends=node.sequence)
    undo(store)
    assert values(store) == {"key": b"old"}


def test_what_came_and_went_is_no_change(store: Store, shell: Shell, clock: Clock) -> None:
    shell.save("kept", b"value")
    age(clock)
    shell.start()
    shell.save("4913", b"")
    shell.start()
    shell.unlink("4913")
    assert store.undo.plan().keys == ["kept"]


def test_a_file_that_was_empty_for_a_while_is_gone_and_not_empty(store: Store, shell: Shell, clock: Clock) -> None:
    shell.save("kept", b"value")
    shell.start()
    node = save(store, "key", b"")
    clock.advance(PAUSE * 5000)
    save(store, "key", b"value", amends=node.sequence)
    undo(store)
    assert values(store) == {"kept": b"value"}


def test_a_renamed_file_and_what_it_replaced_come_back(store: Store, shell: Shell, clock: Clock) -> None:
    shell.save("a", b"one")
    shell.save("b", b"two")
    age(clock)
    shell.start()
    shell.rename("a", "b")
    assert values(store) == {"b": b"one"}
    undo(store)
    assert values(store) == {"a": b"one", "b": b"two"}


def test_a_renamed_directory_comes_back(store: Store, shell: Shell, clock: Clock) -> None:
    store.tree.directories.make("d/", DIRECTORY, is_scratch=is_scratch)
    store.tree.directories.make("d/empty/", DIRECTORY, is_scratch=is_scratch)
    for key in ("d/a", "d/e/b"):
        shell.save(key, key.encode())
    age(clock)
    before = values(store)
    shell.start()
    store.tree.rename_directory("d/", "new/", is_scratch=is_scratch, thrown_away=False)
    undo(store)
    assert values(store) == before
    assert list(store.level("d/", directories=True)) == ["d/a", "d/e/", "d/empty/"]
    assert list(store.level("", directories=True)) == ["d/"]
    record = store.tree.directory("d/")
    assert record is not None
    assert record.mode == DIRECTORY


def test_removed_directories_come_back(store: Store, shell: Shell, clock: Clock) -> None:
    store.tree.directories.make("d/", DIRECTORY, is_scratch=is_scratch)
    shell.save("d/a", b"value")
    age(clock)
    shell.start()
    shell.unlink("d/a")
    store.tree.directories.remove("d/", is_scratch=is_scratch)
    assert list(store.level("", directories=True)) == []
    undo(store)
    assert values(store) == {"d/a": b"value"}
    record = store.tree.directory("d/")
    assert record is not None
    assert record.mode == DIRECTORY


def test_a_directory_that_was_made_goes_unless_it_has_names(store: Store, shell: Shell, clock: Clock) -> None:
    store.tree.directories.make("d/", DIRECTORY, is_scratch=is_scratch)
    age(clock)
    from_here = Delivery(Entry("d/theirs", 5, 5, 7, "T" * 22, 5), 5, b"value")
    store.inbox.merge_pushed([from_here])
    undo(store)
    assert list(store.keys()) == ["d/theirs"]


# How much is kept


def test_of_old_changes_so_many_are_kept(store: Store, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvassfs.store.own_changes.MOST_ROWS", 10)
    other = open_store()
    with other.transaction:
        for number in range(30):
            other.set(f"key {number}", b"value")
    open_store().set("next", b"value")
    assert count(store, "own_changes") == 31
    open_store().set("last", b"value")
    assert rows(store, "SELECT key FROM own_changes")[-2:] == ["next", "last"]
    assert count(store, "own_changes") == 10
    undo(store)
    undo(store)
    with pytest.raises(NothingToUndo):  # of the first change a part is forgotten
        store.undo.plan()
    assert MOST_ROWS == 100_000


def test_what_is_older_than_the_history_goes_with_it(store: Store, open_store: OpenStore, clock: Clock) -> None:
    open_store().set("key", b"one")
    open_store().set("key", b"two")
    clock.advance(31 * 24 * 3600 * SECOND)
    open_store().set("key", b"three")
    while store.upkeep.tidy():
        pass
    assert count(store, "own_changes") == 1
