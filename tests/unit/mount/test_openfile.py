"""One open file: its states, what each leaves to save, and what a failure leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.errors import DiskFull
from kvassfs.mount.openfile import OpenFile, Refusal, State
from kvassfs.store import Store
from tests.support.stores import Clock, save

FULL = DiskFull("/db")


class Rig:
    """A store, and files that are opened in it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = Clock()

    def stored(self, value: bytes = b"value", *, truncated: bool = False) -> OpenFile:
        save(self.store, "key", value)
        return OpenFile.of_key(self.store.tree, self.clock, "key", truncated=truncated)

    def new(self) -> OpenFile:
        return OpenFile.created(self.store.tree, self.clock, "key", 0o640)

    def value(self) -> bytes:
        return self.store.get("key").read()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Store.open(tmp_path / "db") as store:
        yield Rig(store)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    with monkeypatch.context() as patch:
        yield patch


def state_of(file: OpenFile) -> State:
    """Return the state; mypy would take it for that of the last assertion."""
    return file.state


def fail(*_: object, **__: object) -> None:
    raise FULL


class TestState:
    def test_of_a_file_that_was_just_opened_is_clean(self, rig: Rig) -> None:
        file = rig.stored()
        assert (file.state, file.is_dirty, file.is_stored) == (State.CLEAN, False, True)

    def test_of_a_new_file_is_dirty(self, rig: Rig) -> None:
        file = rig.new()
        assert (file.state, file.is_dirty, file.is_stored) == (State.DIRTY, True, False)

    def test_after_a_write_is_dirty_and_after_a_save_clean(self, rig: Rig) -> None:
        file = rig.stored()
        file.write(0, b"V")
        assert state_of(file) is State.DIRTY
        file.save(scratch=False)
        assert state_of(file) is State.CLEAN
        assert rig.value() == b"Value"
        assert file.is_current()

    def test_that_is_saved_over_another_version_says_so_once(self, rig: Rig) -> None:
        file = rig.stored()
        save(rig.store, "key", b"elsewhere")
        file.write(0, b"V")
        assert file.save(scratch=False)
        file.write(0, b"W")
        assert not file.save(scratch=False)

    @pytest.mark.parametrize("there", [True, False])
    def test_of_a_new_file_that_is_saved_says_whether_there_was_another(self, rig: Rig, there: bool) -> None:
        file = rig.new()
        if there:
            save(rig.store, "key", b"elsewhere")
        assert file.save(scratch=False) is there

    def test_of_a_file_without_content_that_is_truncated_is_dirty(self, rig: Rig) -> None:
        assert rig.stored(b"", truncated=True).state is State.DIRTY

    def test_of_a_file_with_content_that_is_truncated_is_emptied_until_it_is_written_to(self, rig: Rig) -> None:
        file = rig.stored(truncated=True)
        assert state_of(file) is State.EMPTIED
        file.write(0, b"new")
        assert state_of(file) is State.DIRTY

    def test_is_the_same_after_a_truncation_to_the_size_that_it_has(self, rig: Rig) -> None:
        file = rig.stored()
        file.truncate(5)
        assert state_of(file) is State.CLEAN
        file.truncate(0)
        assert state_of(file) is State.EMPTIED
        file.truncate(3)
        assert state_of(file) is State.DIRTY


class TestRefusal:
    def test_of_a_write_is_repeated_by_the_save(self, rig: Rig, failing: pytest.MonkeyPatch) -> None:
        file = rig.stored()
        file.write(0, b"V")
        failing.setattr(file.draft, "write", fail)
        with pytest.raises(DiskFull):
            file.write(5, b"!")
        assert file.refusal is not None
        for _ in range(2):
            with pytest.raises(DiskFull) as raised:
                file.save(scratch=False)
            assert raised.value is FULL
        assert state_of(file) is State.DIRTY
        assert rig.value() == b"value"

    def test_of_a_write_is_forgotten_with_the_next_one(self, rig: Rig, failing: pytest.MonkeyPatch) -> None:
        file = rig.stored()
        failing.setattr(file.draft, "write", fail)
        with pytest.raises(DiskFull):
            file.write(0, b"V")
        assert state_of(file) is State.CLEAN
        failing.undo()
        file.write(0, b"V")
        assert file.refusal is None
        file.save(scratch=False)
        assert rig.value() == b"Value"

    def test_of_a_save_leaves_the_file_as_dirty_as_before(self, rig: Rig, failing: pytest.MonkeyPatch) -> None:
        file = rig.stored(truncated=True)
        failing.setattr(rig.store.tree, "save", fail)
        with pytest.raises(DiskFull):
            file.save(scratch=False)
        assert (state_of(file), file.refusal) == (State.EMPTIED, Refusal())
        failing.undo()
        file.save(scratch=False)
        assert (state_of(file), file.refusal) == (State.CLEAN, None)


class TestRevision:
    def test_is_left_of_the_version_that_was_opened(self, rig: Rig) -> None:
        file = rig.stored()
        file.write(0, b"V")
        file.save(scratch=False)
        assert len(rig.store.revisions("key")) == 1

    def test_is_not_left_of_what_the_same_open_file_saved(self, rig: Rig) -> None:
        file = rig.new()
        for letter in (b"a", b"b", b"c"):
            file.write(0, letter)
            file.save(scratch=False)
        assert rig.value() == b"c"
        assert rig.store.revisions("key") == []


class TestCurrent:
    def test_is_what_nobody_else_changed(self, rig: Rig) -> None:
        file = rig.stored()
        assert file.is_current()
        rig.store.set("key", b"other")
        assert not file.is_current()

    def test_is_what_will_win(self, rig: Rig) -> None:
        file = rig.stored()
        rig.store.set("key", b"other")
        file.write(0, b"V")
        assert file.is_current()

    def test_is_what_goes_on_from_a_version_that_differs_in_its_attributes(self, rig: Rig) -> None:
        file = rig.stored()
        node = rig.store.tree.file("key")
        assert node is not None
        changed = rig.store.tree.set_mode(node, 0o100755)
        assert changed is not None
        assert not file.is_current()
        file.follow(changed)
        assert file.is_current()
        assert file.mode == 0o100755
