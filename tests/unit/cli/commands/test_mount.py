"""kvassfs_cli.commands.mount: options, and a real mount between two command lines."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kvassfs.errors import StoreBusy
from kvassfs.mount import mountpoint, run
from kvassfs.mount.run import MountOptions
from kvassfs.store import Store
from kvassfs.supervisor import Supervisor
from kvassfs_cli.database import DatabaseFile
from kvassfs_cli.dot_texts import TEXTS
from tests.support.near_hub import NearHub
from tests.unit.cli.conftest import Kvass, Processes


@pytest.fixture
def mounted_with(monkeypatch: pytest.MonkeyPatch) -> list[MountOptions]:
    """The options of each mount; nothing is mounted, but the database made."""
    monkeypatch.delenv("KVASS_FUSE", raising=False)
    calls: list[MountOptions] = []

    def mount(options: MountOptions, *, notice: Callable[[str], None], supervisor: Supervisor) -> None:
        calls.append(options)
        Store.open(options.database).close()

    monkeypatch.setattr(run, "mount", mount)
    return calls


def test_mount_makes_the_directory_and_goes_to_the_background(
    kvass: Kvass, database: Path, mounted_with: list[MountOptions]
) -> None:
    assert kvass("mount", "some/directory") == (0, b"", "")
    assert mounted_with == [MountOptions(os.path.abspath("some/directory"), str(database), create=True, texts=TEXTS)]


def test_mount_passes_its_options_on(
    kvass: Kvass, tmp_path: Path, mounted_with: list[MountOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KVASS_FUSE", "fusepy")
    line = "mount --db=other.sqlite --foreground --allow-other --read-only --log mount.log dir"
    assert kvass(*line.split()) == (0, b"", "")
    assert mounted_with == [
        MountOptions(
            str(tmp_path / "dir"),
            str(tmp_path / "other.sqlite"),
            create=True,
            foreground=True,
            allow_other=True,
            read_only=True,
            binding="fusepy",
            log=str(tmp_path / "mount.log"),
            texts=TEXTS,
        )
    ]


@pytest.mark.parametrize("line", ["mount", "mount a b", "mount --nope a"])
def test_wrong_usage_exits_2(kvass: Kvass, mounted_with: list[MountOptions], line: str) -> None:
    status, out, err = kvass(*line.split())
    assert (status, out) == (2, b"")
    assert err.startswith("kvass: ")
    assert err.count("\n") == 1
    assert not mounted_with


class TestTheHub:
    @pytest.fixture(autouse=True)
    def mounted(self, mounted_with: list[MountOptions]) -> None:
        """Nothing is mounted."""

    def test_that_answers_is_no_news(self, kvass: Kvass, hub: NearHub) -> None:
        assert kvass("mount", "directory") == (0, b"", "")
        assert (hub.calls, hub.closed) == (["pull"], 1)

    def test_that_has_another_key_is_said(self, kvass: Kvass, hub: NearHub) -> None:
        hub.refuse_the_key()
        status, out, err = kvass("mount", "directory")
        assert (status, out) == (0, b"")
        assert err.startswith("kvass: warning: the hub hub.example:8000 has another encryption key; ")
        assert err.endswith("; what is saved is kept here and pushed later\n")
        assert err.count("\n") == 1

    def test_that_is_out_of_reach_is_said(self, kvass: Kvass, hub: NearHub) -> None:
        hub.be_down()
        status, out, err = kvass("mount", "directory")
        assert (status, out) == (0, b"")
        assert err.startswith("kvass: warning: cannot reach the hub hub.example:8000: connection refused; ")

    @pytest.mark.parametrize(("options", "variable"), [(["--foreground"], "0"), ([], "1")])
    def test_is_not_asked_where_the_log_is_seen_or_nobody_wants_it(
        self, kvass: Kvass, hub: NearHub, monkeypatch: pytest.MonkeyPatch, options: list[str], variable: str
    ) -> None:
        monkeypatch.setenv("KVASS_OFFLINE", variable)
        assert kvass("mount", "directory", *options) == (0, b"", "")
        assert hub.opened == []

    def test_does_not_undo_the_mount_where_the_database_fails(
        self, kvass: Kvass, database: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: object) -> None:
            raise StoreBusy(str(database))

        monkeypatch.setattr(DatabaseFile, "open_existing", fail)
        status, out, err = kvass("mount", "directory")
        assert (status, out) == (0, b"")
        assert err.startswith("kvass: warning: the database ")


def test_a_directory_with_files_is_refused(kvass: Kvass, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, out, err = kvass("mount", str(tmp_path))
    assert (status, out) == (1, b"")
    assert err.startswith(f"kvass: cannot mount {tmp_path}: ")
    assert err.count("\n") == 1


def test_an_unknown_binding_is_refused(kvass: Kvass, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KVASS_FUSE", "nopy")
    status, _, err = kvass("mount", str(tmp_path / "mountpoint"))
    assert status == 1
    assert err.startswith("kvass: unknown FUSE binding 'nopy'")


@pytest.fixture(params=["mfusepy", "fusepy"])
def mountpoint_path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that is not there yet, and in the end is unmounted."""
    monkeypatch.setenv("KVASS_FUSE", request.param)
    path = tmp_path / "mount point"
    yield path
    if os.path.ismount(path):
        mountpoint.unmount(str(path), lazy=True)


def test_from_the_command_line_through_the_mount_and_back(processes: Processes, mountpoint_path: Path) -> None:
    assert processes.run("set", "a/b", "from the command line").status == 0
    assert processes.run("mount", str(mountpoint_path)) == (0, b"", "")
    assert (mountpoint_path / "a" / "b").read_bytes() == b"from the command line\n"
    (mountpoint_path / "a" / "c").write_bytes(b"from the mount")
    assert processes.run("get", "a/c") == (0, b"from the mount", "")
    assert processes.run("ls").out == b"a/b\na/c\n"
    assert processes.run("umount", str(mountpoint_path)) == (0, b"", "")
    assert not os.path.ismount(mountpoint_path)
    assert processes.run("get", "a/c").out == b"from the mount"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_mount_in_the_foreground_ends_by_a_signal(
    processes: Processes, mountpoint_path: Path, ending: signal.Signals
) -> None:
    with processes.running("mount", "--foreground", str(mountpoint_path)) as process:
        wait_until(lambda: os.path.ismount(mountpoint_path))
        (mountpoint_path / "key").write_bytes(b"value")
        process.send_signal(ending)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, b"", b"")
    assert not os.path.ismount(mountpoint_path)
    assert processes.run("get", "key").out == b"value"


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_help_of_mount_loads_no_mount() -> None:
    probe = (
        "import sys; from kvassfs_cli.main import run; run(['mount', '-h']); sys.exit('kvassfs.mount' in sys.modules)"
    )
    command = [*Processes.command[:1], "-c", probe]
    assert subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0
