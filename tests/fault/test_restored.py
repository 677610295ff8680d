"""A device, or a hub, that is set back to a backup by ``kvass backup --restore``: all is given back to it by the other."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kvassfs.store import Store
from tests.support.hub_process import serving
from tests.support.processes import KVASS


def run(database: Path, *arguments: str) -> str:
    done = subprocess.run([*KVASS, "--db", str(database), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    return done.stdout


def test_what_was_written_since_comes_back(tmp_path: Path) -> None:
    device, other, backup = tmp_path / "device", tmp_path / "other", tmp_path / "backup"
    with serving(tmp_path) as hub:
        key = hub.device().key
        for database in (device, other):
            with Store.open(database) as store:
                store.settings.set_encryption_key(key)
                store.settings.set_remote(hub.url)
        run(device, "set", "old", "1")
        run(device, "set", "changed", "before")
        run(device, "backup", str(backup))
        run(device, "set", "changed", "after")
        run(device, "set", "new", "2")
        run(device, "rm", "old")
        run(other, "sync")

        run(device, "backup", "--restore", str(backup))
        assert run(device, "get", "--offline", "changed") == "before\n"
        run(device, "sync")
        assert run(device, "ls", "--offline").split() == ["changed", "new"]
        assert run(device, "get", "--offline", "changed") == "after\n"
        run(device, "set", "newest", "3")  # by a device of another process id, which the hub does not mistake
        run(other, "sync")
        assert run(other, "ls", "--offline").split() == ["changed", "new", "newest"]


def test_a_hub_is_given_again_what_it_lacks(tmp_path: Path) -> None:
    device, backup = tmp_path / "device", tmp_path / "backup"
    with serving(tmp_path) as hub:
        with Store.open(device) as store:
            store.settings.set_encryption_key(hub.device().key)
            store.settings.set_remote(hub.url)
        run(device, "set", "old", "1")
        run(hub.database, "backup", str(backup))
        run(device, "set", "new", "2")
        port = hub.url.rpartition(":")[2]
    run(hub.database, "backup", "--restore", str(backup))
    assert run(hub.database, "ls").split() == ["old"]
    with serving(tmp_path, bind=f"127.0.0.1:{port}"):
        run(device, "sync")
        assert run(hub.database, "ls").split() == ["new", "old"]
