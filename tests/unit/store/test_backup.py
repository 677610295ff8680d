"""kvassfs.store.backup"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from kvassfs.errors import NewerStore, NotAStore
from kvassfs.store import Store, Written, backup
from kvassfs.transfer_errors import BackupDamaged, SourceUnreadable, TargetUnwritable
from tests.support.stores import audit, error_line, state

GOLDEN = Path(__file__).parents[2] / "golden"
LARGE = os.urandom(700_000)


@pytest.fixture
def filled(store: Store) -> Store:
    store.set("a", b"old")
    store.set("a", b"new")
    store.set("large", LARGE)
    store.set("holes", bytes(3_000_000) + b"end")
    store.set_empty("empty")
    draft = store.tree.draft()
    draft.write(0, b"scratch")
    store.tree.save(".a.swp", draft, Written(mode=stat.S_IFREG | 0o600), scratch=True, now=1, amends=None)
    return store


@pytest.fixture
def copy(filled: Store, tmp_path: Path) -> str:
    path = str(tmp_path / "copy.sqlite")
    filled.back_up(path)
    return path


def test_a_copy_is_one_file_and_whole(copy: str, filled: Store) -> None:
    assert Store.check_backup(copy) == (4, 1, 5, os.stat(copy).st_size)
    assert [name for name in os.listdir(os.path.dirname(copy)) if name.startswith("copy")] == ["copy.sqlite"]
    with Store.open(copy) as restored:
        audit(restored)
        assert state(restored) == state(filled)
        assert restored.get("large").read() == LARGE


def test_a_copy_tells_how_far_it_is(filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "PAGES", 16)
    told: list[tuple[int, int]] = []
    filled.back_up(str(tmp_path / "copy"), lambda *far: told.append(far))
    size = os.stat(tmp_path / "copy").st_size
    assert told == sorted(told)
    assert len(told) > 5
    assert told[-1] == (size, size)
    told.clear()
    Store.check_backup(str(tmp_path / "copy"), lambda *far: told.append(far))
    known = [far for far in told if far != (0, 0)]  # after the pages, for which nobody knows how long they take
    assert known[0] == (0, size)
    assert len(known) == 6


def test_a_copy_is_of_one_moment_although_others_write(
    filled: Store, open_store: Callable[[], Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES", 16)
    other = open_store()
    before = state(filled)

    def write(*_: int) -> None:
        other.set("a", os.urandom(8))
        other.set("new", b"x")

    filled.back_up(str(tmp_path / "copy"), write)
    assert other.get("new").read() == b"x"
    Store.check_backup(str(tmp_path / "copy"))
    with Store.open(tmp_path / "copy") as restored:
        assert state(restored) == before


@pytest.mark.parametrize("name", ["own", "elsewhere"])
def test_a_copy_that_is_put_in_place_is_a_replica_of_its_own(tmp_path: Path, name: str) -> None:
    # Written over the database it has that one's inode: what the database wrote since would be taken for its own.
    with Store.open(tmp_path / "own") as own:
        own.set("a", b"x")
        own.back_up(str(tmp_path / "copy"))
        own.set("a", b"y")
        before = own.settings.config().process_id
    shutil.copyfile(tmp_path / "copy", tmp_path / name)
    with Store.open(tmp_path / name) as restored:
        restored.identity.detach_copy()
        after = restored.settings.config().process_id
        assert after != before
        assert restored.entry("a").process_id == after
        restored.identity.detach_copy()
        assert restored.settings.config().process_id == after
        audit(restored)


def test_a_copy_that_cannot_be_written_says_so(filled: Store, tmp_path: Path) -> None:
    with pytest.raises(TargetUnwritable) as caught:
        filled.back_up("/dev/full")
    assert caught.value.name == "/dev/full"


# Checking


def change(path: str, statement: str, *parameters: object) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement, parameters)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (
            "UPDATE blocks SET data = zeroblob(length(data)) WHERE id = 2",
            "block 2 is not what it was: its hash is another one",
        ),
        ("DELETE FROM blocks WHERE id = 2", "block 2 is missing"),
        ("DELETE FROM segment_blocks WHERE position = 1", "a part of the value of"),
        ("DELETE FROM content_segments", "a part of the value of"),
        ("DELETE FROM contents WHERE data IS NULL", "is missing"),
        ("UPDATE contents SET data = x'78' WHERE size = 3", "the value of a is incomplete"),
        ("UPDATE contents SET size = 4 WHERE size = 3", "is missing"),
        ("UPDATE entries SET content = NULL WHERE key = 'a'", "the value of a is missing"),
        (
            "DELETE FROM contents WHERE id = (SELECT content FROM revisions)",
            "the value of an earlier version of a is missing",
        ),
        (
            "DELETE FROM contents WHERE id = (SELECT content FROM scratch)",
            "the value of the scratch file .a.swp is missing",
        ),
        ("DROP TABLE revisions", "no such table"),
    ],
)
def test_what_is_missing_or_other_is_found(copy: str, statement: str, reason: str) -> None:
    change(copy, statement)
    with pytest.raises(BackupDamaged) as caught:
        Store.check_backup(copy)
    assert reason in caught.value.reason
    assert error_line(caught.value).startswith(f"the backup {copy} is damaged: ")


def test_a_file_that_was_cut_off_is_damaged(copy: str) -> None:
    os.truncate(copy, os.stat(copy).st_size // 2)
    with pytest.raises(BackupDamaged):
        Store.check_backup(copy)


def test_what_is_no_backup_is_refused(copy: str, tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="no such file"):
        Store.check_backup(str(tmp_path / "missing"))
    with pytest.raises(SourceUnreadable, match="it is no regular file"):
        Store.check_backup(str(tmp_path))
    assert not os.path.exists(f"{tmp_path}-reserve")
    (tmp_path / "text").write_text("no database at all, but long enough to have a header of one: " * 10)
    (tmp_path / "empty").touch()
    for path in (tmp_path / "text", tmp_path / "empty", GOLDEN / "hub-9009.sqlite"):
        with pytest.raises(NotAStore):
            Store.check_backup(str(path))
    change(copy, "PRAGMA user_version = 1000")
    with pytest.raises(NewerStore):
        Store.check_backup(copy)


def test_a_backup_of_an_earlier_version_is_checked_as_far_as_can_be(tmp_path: Path) -> None:
    path = str(tmp_path / "earlier")
    connection = sqlite3.connect(path)
    connection.executescript((GOLDEN / "store-version-4-blocks.sql").read_text())
    connection.close()
    contained = Store.check_backup(path)
    assert contained.blocks > 0
    change(path, "UPDATE blocks SET data = zeroblob(length(data) + 1) WHERE id = 1")
    with pytest.raises(BackupDamaged, match="block 1"):
        Store.check_backup(path)


def test_checking_leaves_nothing_beside_a_backup_and_needs_no_permission_to_write(copy: str) -> None:
    os.chmod(copy, 0o400)
    before = sorted(os.listdir(os.path.dirname(copy)))
    Store.check_backup(copy)
    assert sorted(os.listdir(os.path.dirname(copy))) == before


def test_a_store_in_use_can_be_checked_too(filled: Store, path: Path) -> None:
    assert Store.check_backup(str(path)).entries == 4
