"""A backup in the place of the database: what was there is kept, and nobody uses it meanwhile."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kvassfs.store import Store, User
from kvassfs.store.restoring import put_backup
from kvassfs.store_errors import DatabaseInUse
from kvassfs.transfer_errors import TargetUnwritable


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "kvass.sqlite"


@pytest.fixture
def backup(database: Path, tmp_path: Path) -> Path:
    name = tmp_path / "backup"
    name.touch()
    with Store.open(database) as store:
        store.set("key", b"old")
        store.back_up(str(name))
        store.set("key", b"new")
    return name


def restore(database: str, backup: str) -> str | None:
    return put_backup(database, backup, lambda *_: None)


def value(database: Path | str) -> bytes:
    with Store.open(database) as store:
        return store.get("key").read()


def test_what_was_there_is_kept_for_its_owner_alone(database: Path, backup: Path) -> None:
    database.chmod(0o644)
    before = backup.read_bytes()
    kept = restore(str(database), str(backup))
    assert kept == f"{database}.before-restore"
    assert (value(database), value(kept)) == (b"old", b"new")
    assert stat.S_IMODE(os.stat(kept).st_mode) == stat.S_IMODE(database.stat().st_mode) == 0o600
    assert backup.read_bytes() == before
    assert restore(str(database), str(backup)) == f"{kept}-2"
    assert not list(database.parent.glob("*restoring*"))


def test_it_becomes_a_device_of_its_own(database: Path, backup: Path) -> None:
    with Store.open(database) as store:
        before = store.settings.config()
    restore(str(database), str(backup))
    with Store.open(database) as store:
        store.identity.detach_copy()
        assert store.settings.config().process_id != before.process_id
        assert store.settings.config().encryption_key == before.encryption_key


@pytest.mark.parametrize("leftover", ["", "-wal", "-shm"])
def test_where_there_is_none_it_is_put(database: Path, backup: Path, leftover: str) -> None:
    for name in ("", "-wal", "-shm"):
        database.with_name(database.name + name).unlink(missing_ok=True)
    if leftover:
        database.with_name(database.name + leftover).write_bytes(b"of another one")
    assert restore(str(database), str(backup)) is None
    assert value(database) == b"old"


def test_in_the_place_of_what_is_no_database_it_is_put(database: Path, backup: Path) -> None:
    database.write_bytes(b"garbage" * 1000)
    kept = restore(str(database), str(backup))
    assert kept is not None
    assert Path(kept).read_bytes() == b"garbage" * 1000
    assert value(database) == b"old"


def test_the_log_of_another_one_is_kept_beside(database: Path, backup: Path, tmp_path: Path) -> None:
    with Store.open(database) as store:
        store.set("key", b"newest")
        log = database.with_name(f"{database.name}-wal").read_bytes()
        os.replace(backup, tmp_path / "copy")
        backup.write_bytes((tmp_path / "copy").read_bytes())
        os.replace(tmp_path / "copy", database)
    database.with_name(f"{database.name}-wal").write_bytes(log)
    kept = restore(str(database), str(backup))
    assert Path(f"{kept}-wal").read_bytes() == log
    assert value(database) == b"old"


def test_a_database_that_is_in_use_is_left_alone(database: Path, backup: Path) -> None:
    users = [User(5, "kvass mount /m", is_stray=False), User(6, "kvass serve", is_stray=False), User(7, "", True)]
    before = database.read_bytes()
    said = r"is in use by process 5 \(kvass mount /m\) and process 6 \(kvass serve\); end that \(`kvass umount DIR` a mount"
    with pytest.raises(DatabaseInUse, match=said):
        put_backup(str(database), str(backup), lambda *_: None, find_users=lambda _: users)
    assert database.read_bytes() == before


def test_one_that_a_process_uses_that_cannot_be_seen_is_left_alone(
    database: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kvassfs.store.restoring.ALONE_TIMEOUT", 0.1)
    code = (
        "import sys; from kvassfs.store import Store; s = Store.open(sys.argv[1]); print('.', flush=True); input();"
        " s.set('other', b'1'); s.close()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as user:
        assert user.stdout is not None
        user.stdout.readline()
        with pytest.raises(DatabaseInUse, match="another process, perhaps of another user"):
            put_backup(str(database), str(backup), lambda *_: None, find_users=lambda _: [])
        user.communicate(b"\n")
    assert user.returncode == 0
    assert value(database) == b"new"
    assert sorted(os.listdir(database.parent)) == ["backup", "kvass.sqlite", "kvass.sqlite-reserve"]


def test_a_place_that_cannot_be_written_is_named(database: Path, backup: Path) -> None:
    with pytest.raises(TargetUnwritable, match="no such file or directory"):
        restore(str(database.parent / "missing" / "db"), str(backup))
