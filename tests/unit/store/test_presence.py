"""A database that is removed, replaced or overwritten while it is open: nothing is saved any more, and that is said."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kvassfs.store import HUB, MOUNT, Profile, Store, list_users
from kvassfs.store.presence import Content, is_overwritten
from kvassfs.store.profile import COMMAND
from kvassfs.store_errors import ForeignLog, StoreReplaced

LOGGED = b"SQLite format 3\0\x10\0\x02\x02"
PLAIN = b"SQLite format 3\0\x10\0\x01\x01"
SEEN = (7, 100)
BEFORE = Content(LOGGED, (7, 90))


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (Content(LOGGED, (7, 90)), BEFORE, False),
        (Content(LOGGED, (7, 100)), BEFORE, False),
        (Content(LOGGED, (7, 89)), BEFORE, True),
        (Content(LOGGED, (7, 101)), BEFORE, True),
        (Content(LOGGED, (8, 95)), BEFORE, True),
        (Content(LOGGED, (7, 95)), Content(LOGGED, (6, 90)), False),
        (Content(LOGGED, (6, 95)), Content(LOGGED, (6, 90)), False),
        (Content(LOGGED, None), BEFORE, False),
        (Content(LOGGED, (7, 10)), None, False),
        (Content(LOGGED, (7, 10)), Content(LOGGED, None), False),
        (Content(PLAIN, (7, 95)), BEFORE, True),
        (Content(b"", None), BEFORE, True),
        (Content(b"no database", None), None, True),
    ],
)
def test_what_sqlite_does_not_write_is_told_from_what_it_does(
    now: Content, before: Content | None, expected: bool
) -> None:
    assert is_overwritten(now, before, SEEN) is expected


def remove(path: Path, _: Path) -> None:
    for name in ("", "-wal", "-shm"):
        path.with_name(path.name + name).unlink()


def remove_log(path: Path, _: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def replace(path: Path, backup: Path) -> None:
    os.replace(backup, path)


def copy_over(path: Path, backup: Path) -> None:
    shutil.copyfile(backup, path)


def empty(path: Path, _: Path) -> None:
    os.truncate(path, 0)


@pytest.fixture
def backup(tmp_path: Path, store: Store) -> Path:
    store.set("old", b"1")
    name = tmp_path / "backup"
    name.touch()
    store.back_up(str(name))
    return name


@pytest.mark.parametrize(
    ("take_away", "said"),
    [
        (remove, "was removed while"),
        (remove_log, "was removed while"),
        (replace, "was replaced by another file while"),
        (copy_over, "was overwritten while"),
        (empty, "was overwritten while"),
    ],
)
@pytest.mark.parametrize("profile", [COMMAND, MOUNT, HUB])
def test_nothing_is_saved_any_more(
    path: Path, store: Store, backup: Path, take_away: Callable[[Path, Path], None], said: str, profile: Profile
) -> None:
    with Store.open(path, profile=profile) as other:
        other.set("a", b"1")
        take_away(path, backup)
        with pytest.raises(StoreReplaced, match=said) as raised:
            other.set("a", b"2")
        assert raised.value.errno == errno.ESTALE
        assert "kvass backup --restore FILE" in str(raised.value)


@pytest.mark.parametrize("take_away", [remove, replace])
def test_reading_goes_on_where_the_file_is_only_elsewhere(
    path: Path, store: Store, backup: Path, take_away: Callable[[Path, Path], None]
) -> None:
    store.set("a", b"1")
    take_away(path, backup)
    with pytest.raises(StoreReplaced):
        store.set("a", b"2")
    assert store.get("a").read() == b"1"


def test_what_is_a_mixture_is_not_read_by_any_connection_of_the_process(path: Path, store: Store, backup: Path) -> None:
    with Store.open(path, profile=MOUNT) as one, Store.open(path, profile=MOUNT) as other:
        shutil.copyfile(backup, path)
        with pytest.raises(StoreReplaced):
            one.upkeep.clean()
        for mount in (one, other):
            with pytest.raises(StoreReplaced):
                list(mount.keys())


def test_an_earlier_copy_of_the_file_itself_is_noticed(path: Path, store: Store, tmp_path: Path) -> None:
    """It looks as the database does in all but its clock, which goes back."""
    store.set("a", b"1")
    store.upkeep.checkpoint()
    shutil.copyfile(path, tmp_path / "earlier")
    with Store.open(path, profile=MOUNT) as mount:
        mount.set("a", b"2")
        mount.upkeep.checkpoint()
        mount.set("a", b"3")  # which looks at what was copied
        shutil.copyfile(tmp_path / "earlier", path)
        with pytest.raises(StoreReplaced, match="was overwritten"):
            mount.set("a", b"4")


def test_a_file_that_comes_back_is_used_again(path: Path, store: Store, tmp_path: Path) -> None:
    os.rename(path, tmp_path / "elsewhere")
    with pytest.raises(StoreReplaced):
        store.set("a", b"1")
    os.rename(tmp_path / "elsewhere", path)
    store.set("a", b"1")
    assert store.get("a").read() == b"1"


def test_what_sqlite_writes_is_no_surprise(path: Path, store: Store) -> None:
    with Store.open(path, profile=MOUNT) as mount:
        for number in range(20):
            store.set("a", b"%d" % number)
            store.upkeep.checkpoint()
            mount.set("b", b"%d" % number)
            mount.upkeep.checkpoint()
        store.identity.renew(10_000)
        store.upkeep.checkpoint()
        store._database.execute("VACUUM")
        store.upkeep.checkpoint()
        mount.set("c", b"1")
        assert mount.get("c").read() == b"1"


def test_a_log_of_another_database_is_not_mixed_in(path: Path, store: Store, backup: Path) -> None:
    store.set("a", b"1")
    os.replace(backup, path)
    before = path.read_bytes()
    with pytest.raises(ForeignLog, match=r"whose log .*-wal is still there"):
        Store.open(path)
    assert path.read_bytes() == before


def test_processes_that_have_another_file_open_are_found(path: Path, store: Store, backup: Path) -> None:
    assert list_users(str(path)) == []
    command = [sys.executable, "-c", "import sys; f = open(sys.argv[1]); print('.', flush=True); input()", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (user,) = list_users(str(path))
        assert (user.pid, user.is_stray) == (process.pid, False)
        os.replace(backup, path)
        (user,) = list_users(str(path))
        assert (user.pid, user.is_stray) == (process.pid, True)
        path.unlink()
        (user,) = list_users(str(path))
        assert user.is_stray
        process.communicate(b"\n")
    assert list_users(str(path)) == []


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["/usr/bin/python3", "/usr/bin/kvass", "mount", "/m"], "kvass mount /m"),
        (["sleep", "9"], "sleep 9"),
        ([], ""),
    ],
)
def test_a_process_is_named_by_its_command(tmp_path: Path, words: list[str], command: str) -> None:
    folder = tmp_path / "proc" / "77"
    (folder / "fd").mkdir(parents=True)
    (folder / "cmdline").write_text("".join(f"{word}\0" for word in words))
    database = tmp_path / "db"
    database.touch()
    (folder / "fd" / "3").symlink_to(database)
    (user,) = list_users(str(database), processes=tmp_path / "proc")
    assert user == (77, command, False)
