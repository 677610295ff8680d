"""A mount whose database is locked, removed or replaced: it goes on reading, and takes no save that would be lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from kvassfs.store import Store
from tests.support.mounts import Mount, put
from tests.support.processes import KVASS
from tests.support.stopped import go_on, write_lock_held
from tests.support.waiting import find_within

LARGE = os.urandom(6 * 1024 * 1024)

PATIENCE = 30.0
"""Seconds that are short of those for which the lock is waited for, several times, and long for a slow machine."""


def run(mount: Mount, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*KVASS, "--db", str(mount.db), *arguments], capture_output=True, text=True, check=False)


def save_in_vain(file: Path) -> None:
    with suppress(OSError):
        file.write_bytes(b"x")


def test_a_stopped_writer_holds_up_neither_reading_nor_for_long_a_save(mount: Mount) -> None:
    put(mount, "small", b"one")
    put(mount, "large", LARGE)
    begun = time.monotonic()
    with write_lock_held(mount.db) as holder, (mount.path / "saved").open("wb", buffering=0) as file:
        file.write(b"kept")
        saving = threading.Thread(target=save_in_vain, args=(mount.path / "other",))
        saving.start()
        assert {"large", "saved", "small"} <= set(os.listdir(mount.path))
        assert (mount.path / "small").read_bytes() == b"one"
        assert (mount.path / "large").read_bytes() == LARGE
        with pytest.raises(OSError, match=os.strerror(errno.EBUSY)):
            os.fsync(file.fileno())
        saving.join()
        assert time.monotonic() - begun < PATIENCE
        go_on(holder)
        os.fsync(file.fileno())
    with Store.open(mount.db) as store:
        assert store.get("saved").read() == b"kept"
    assert f"locked by process {holder.pid}, which is stopped" in mount.log.read_text()


def remove(mount: Mount, _: Path) -> None:
    for name in ("", "-wal", "-shm"):
        mount.db.with_name(mount.db.name + name).unlink()


def replace(mount: Mount, backup: Path) -> None:
    shutil.copyfile(backup, backup.with_suffix(".copy"))
    os.replace(backup.with_suffix(".copy"), mount.db)


def copy_over(mount: Mount, backup: Path) -> None:
    shutil.copyfile(backup, mount.db)


@pytest.mark.parametrize("take_away", [remove, replace, copy_over])
def test_no_save_succeeds_that_would_be_gone(
    mount: Mount, tmp_path: Path, take_away: Callable[[Mount, Path], None]
) -> None:
    backup = tmp_path / "backup"
    put(mount, "old", b"1")
    assert run(mount, "backup", str(backup)).returncode == 0
    (mount.path / "new").write_bytes(b"2")
    take_away(mount, backup)
    for name in ("old", "new", "other"):
        with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
            (mount.path / name).write_bytes(b"3")
    find_within(PATIENCE, lambda: "kvass backup --restore FILE" in mount.log.read_text(), what="a line in the log")
    if take_away is not copy_over:
        assert (mount.path / "new").read_bytes() == b"2"
        assert run(mount, "backup", "--restore", str(backup)).returncode == 0
        assert f"process {mount.process.pid} " in run(mount, "status").stdout
        assert run(mount, "get", "old").stdout == "1"
    else:
        with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
            os.listdir(mount.path)
        refused = run(mount, "backup", "--restore", str(backup))
        assert (refused.returncode, f"is in use by process {mount.process.pid} " in refused.stderr) == (1, True)
