"""What programs, people and other devices destroyed in a mount comes back by one command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.store.settling import TRANSIENT_TIME
from tests.support.devices import Device, Network, shows
from tests.support.mounts import Mount
from tests.support.programs import environment, kvass_here, need, run
from tests.support.terminal import See, Terminal, Type, press
from tests.support.waiting import wait_until, within

TREE = {
    "docs/a.txt": b"one\n",
    "docs/deep/b.txt": b"two\n",
    "docs/deep/empty": b"",
    "docs/run.sh": b"#!/bin/sh\n",
    "beside.txt": b"three\n",
}


class Files:
    """A tree of files in a mount, made a while ago by another program."""

    def __init__(self, mount: Mount) -> None:
        self.mount = mount
        self.root = mount.path
        script = "import os,sys,pathlib,time\nos.chdir(sys.argv[1])\n"
        for name, value in TREE.items():
            script += (
                f"p=pathlib.Path({name!r}); p.parent.mkdir(parents=True,exist_ok=True); p.write_bytes({value!r})\n"
            )
        script += "os.mkdir('docs/nothing'); os.chmod('docs/run.sh', 0o755); os.chmod('docs/deep', 0o750)\n"
        script += "os.symlink('a.txt', 'docs/link')\n"
        run(sys.executable, "-c", script, str(self.root), directory=self.root)
        time.sleep(TRANSIENT_TIME / 1e6 + 0.1)  # what came into being a moment ago goes without a trace
        self.before = self.listing()

    def shell(self, script: str, *, fails: bool = False) -> None:
        """Run a script of the shell in the root of the mount."""
        done = subprocess.run(["sh", "-c", script], cwd=self.root, check=False, capture_output=True, timeout=60)
        assert (done.returncode != 0) is fails, done.stderr

    def undo(self) -> str:
        """Take the last change back, and return what is said of that."""
        return kvass_here(self.mount, "undo", "--yes").decode()

    def listing(self) -> dict[str, tuple[int, bytes | str | None]]:
        """Return what is in the mount: modes, values, targets of symlinks."""
        found: dict[str, tuple[int, bytes | str | None]] = {}
        for path in sorted(self.root.rglob("*")):
            mode = path.lstat().st_mode
            value: bytes | str | None = None
            if path.is_symlink():
                value = os.readlink(path)
            elif path.is_file():
                value = path.read_bytes()
            found[str(path.relative_to(self.root))] = (mode, value)
        return found

    def is_as_before(self) -> bool:
        """Return whether all is there again, with modes and directories."""
        return self.listing() == self.before


@pytest.fixture
def files(mount: Mount) -> Files:
    return Files(mount)


def assert_undone(files: Files) -> None:
    assert not files.is_as_before()
    files.undo()
    within(5, files.is_as_before, what="the tree as it was")


@pytest.mark.parametrize(
    "script",
    [
        "rm -r docs",
        "rm docs/a.txt docs/run.sh",
        "rmdir docs/nothing",
        "rm docs/link",
        "mv docs papers",
        "mv beside.txt docs/a.txt",
        "mv docs/a.txt docs/b.txt",
        "echo oops >docs/a.txt",
        "cp beside.txt docs/a.txt",
        "sed -i s/one/1/ docs/a.txt",
        "find . -name '*.txt' -delete",
        "cp -r docs papers",
        "mkdir -p new/deep && true",
    ],
)
def test_what_one_program_did_is_undone(files: Files, script: str) -> None:
    files.shell(script)
    assert_undone(files)


def test_a_script_that_failed_is_undone(files: Files) -> None:
    files.shell("sort --no-such-option docs/a.txt >docs/a.txt", fails=True)
    assert (files.root / "docs/a.txt").read_bytes() == b""
    assert_undone(files)


def test_changes_go_back_one_by_one(files: Files) -> None:
    files.shell("echo first >beside.txt")
    files.shell("rm -r docs/deep")
    files.shell("echo second >beside.txt")
    files.undo()
    within(5, lambda: (files.root / "beside.txt").read_bytes() == b"first\n", what="the first one")
    assert not (files.root / "docs/deep").exists()
    files.undo()
    within(5, (files.root / "docs/deep/b.txt").exists, what="the directory")
    files.undo()
    within(5, files.is_as_before, what="all as it was")


def test_vim_is_undone(files: Files, tmp_path: Path) -> None:
    need("vim")
    steps = (See("one"), Type("ccoops"), press("Escape"), Type(":wq"), press("Enter"))
    command = ("vim", "-Nu", "NONE", "docs/a.txt")
    with Terminal(command, environment=environment(tmp_path), directory=files.root) as terminal:
        terminal.play(steps)
        assert terminal.wait_for_end() == 0
    assert (files.root / "docs/a.txt").read_bytes() == b"oops\n"
    assert_undone(files)


def test_a_change_is_undone_after_the_mount_was_killed(files: Files, mount: Mount) -> None:
    files.shell("rm -r docs")
    mount.process.kill()
    assert kvass_here(mount, "undo", "--yes").decode().count("restored") >= len(TREE) - 1
    assert kvass_here(mount, "get", "docs/a.txt") == b"one\n"


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[tuple[Device, Device]]:
    with Network(tmp_path) as network:
        here, there = network.device("here"), network.device("there")
        with here.following(), there.following():
            yield here, there


def test_what_another_device_destroyed_is_restored(devices: tuple[Device, Device]) -> None:
    here, there = devices
    (here.path / "key").write_bytes(b"mine\n")
    wait_until(shows(there.path / "key", b"mine\n"), "the key there")
    (there.path / "key").write_bytes(b"theirs\n")
    wait_until(shows(here.path / "key", b"theirs\n"), "their version here")
    assert here.kvass("restore", "key")[0] == 0
    for device in devices:
        wait_until(shows(device.path / "key", b"mine\n"), "the version before")
    (there.path / "key").unlink()
    wait_until(lambda: not (here.path / "key").exists(), "the removal")
    assert here.kvass("restore", "key")[0] == 0
    wait_until(shows(there.path / "key", b"mine\n"), "the key back there")


def test_undo_reaches_the_other_device(devices: tuple[Device, Device]) -> None:
    here, there = devices
    for name in ("a", "b"):
        (here.path / name).write_bytes(b"value\n")
    wait_until(shows(there.path / "b", b"value\n"), "the keys there")
    assert run("rm", "a", "b", directory=here.path) is not None
    wait_until(lambda: not (there.path / "b").exists(), "the removal")
    assert here.kvass("undo", "--yes")[0] == 0
    wait_until(shows(there.path / "b", b"value\n"), "the keys back there")
