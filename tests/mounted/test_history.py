"""What programs destroyed is brought back from the directory `.kvass/`, which nothing that walks through files meets."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

from kvassfs.store import Store
from tests.support.devices import Network, shows
from tests.support.mounts import Mount, mount_command, mounted_by
from tests.support.programs import environment, kvass, need, run
from tests.support.terminal import See, Terminal, Type, press
from tests.support.waiting import wait_until

HOUR = 3600 * 10**9
OLD = b"one\ntwo\nthree\n"


def put(mount: Mount, key: str, *values: bytes) -> None:
    """Set a key an hour ago: what comes and goes within two seconds leaves no trace."""
    with Store.open(mount.db, clock=lambda: time.time_ns() - HOUR) as store:
        for value in values:
            store.set(key, value)
    wait_until(shows(mount.path / key, values[-1]), f"{key} in the mount")


def versions(mount: Mount, key: str) -> list[bytes]:
    """Read the versions of a key in the order of their names."""
    directory = mount.path / ".kvass/history" / key / "%@"
    return [(directory / name).read_bytes() for name in sorted(os.listdir(directory))]


def bring_back_version(mount: Mount, key: str) -> None:
    """Copy the version before the last one, as a person does."""
    run("sh", "-c", f'cp "$(ls -d .kvass/history/{key}/%@/* | tail -n 2 | head -n 1)" {key}', directory=mount.path)


# Bringing back


def test_what_vim_destroyed_is_brought_back(mount: Mount, tmp_path: Path) -> None:
    need("vim")
    put(mount, "notes/plan.txt", OLD)
    keys = (See("three"), Type(":%d"), press("Enter"), Type(":wq"), press("Enter"))
    command = ["vim", "--cmd", "set backupskip=", "plan.txt"]
    with Terminal(command, environment=environment(tmp_path), directory=mount.path / "notes") as terminal:
        terminal.play(keys)
        assert terminal.wait_for_end() == 0
    assert (mount.path / "notes/plan.txt").read_bytes() != OLD
    bring_back_version(mount, "notes/plan.txt")
    assert (mount.path / "notes/plan.txt").read_bytes() == OLD


def test_what_a_failed_script_destroyed_is_brought_back(mount: Mount) -> None:
    put(mount, "list", OLD)
    run("sh", "-c", "sort list >list", directory=mount.path)
    wait_until(shows(mount.path / "list", b""), "the empty file")
    wait_until(lambda: versions(mount, "list") == [OLD, b""], "its history")
    bring_back_version(mount, "list")
    assert (mount.path / "list").read_bytes() == OLD


def test_what_mv_replaced_is_brought_back(mount: Mount) -> None:
    put(mount, "target", OLD)
    put(mount, "source", b"other\n")
    run("mv", "source", "target", directory=mount.path)
    assert (mount.path / "target").read_bytes() == b"other\n"
    bring_back_version(mount, "target")
    assert (mount.path / "target").read_bytes() == OLD


@pytest.mark.parametrize(
    "copy_back",
    ["cp -a .kvass/deleted/tree .", "rsync -aX .kvass/deleted/tree .", "tar -C .kvass/deleted -c . | tar -x"],
)
def test_what_rm_removed_is_brought_back_as_it_was(mount: Mount, tmp_path: Path, copy_back: str) -> None:
    need("rsync", "tar")
    tree, copy = mount.path / "tree", tmp_path / "copy"
    (copy / "a b").mkdir(parents=True)
    for name, mode in {"tool": 0o750, "a b/-n": 0o600, "a b/new\nline": 0o644, "%": 0o400}.items():
        (copy / name).write_bytes(name.encode() * 100_000)
        os.utime(copy / name, ns=(10**18, 10**18))
        (copy / name).chmod(mode)
    (copy / "link").symlink_to("tool")
    os.utime(copy / "link", ns=(10**18, 10**18), follow_symlinks=False)
    run("cp", "-a", copy, tree, directory=mount.path)
    time.sleep(2.1)
    run("rm", "-rf", "tree", directory=mount.path)
    assert not tree.exists()
    run("sh", "-c", copy_back, directory=mount.path)
    assert run("diff", "-r", "--no-dereference", copy, tree, directory=tmp_path) == ""
    for name in ("tool", "a b/-n", "a b/new\nline", "link", "%"):
        found, wanted = (tree / name).lstat(), (copy / name).lstat()
        assert (stat.filemode(found.st_mode), found.st_mtime) == (stat.filemode(wanted.st_mode), wanted.st_mtime)
    assert os.listdir(mount.path / ".kvass/deleted") == []


def test_what_the_command_line_removed_is_brought_back(mount: Mount) -> None:
    put(mount, "x", OLD)
    kvass(mount, "rm", "x")
    run("cp", ".kvass/deleted/x", "x", directory=mount.path)
    assert (mount.path / "x").read_bytes() == OLD
    assert kvass(mount, "get", "x") == OLD


def test_what_another_device_destroyed_is_brought_back(tmp_path: Path) -> None:
    with Network(tmp_path) as network:
        here, there = network.device("here"), network.device("there")
        with here.following() as mount, there.following():
            for name in ("removed", "replaced"):
                (here.path / name).write_bytes(OLD)
                wait_until(shows(there.path / name, OLD), f"{name} on the other device")
            time.sleep(2.1)
            (there.path / "removed").unlink()
            (there.path / "replaced").write_bytes(b"nonsense\n")
            wait_until(lambda: not (here.path / "removed").exists(), "the removal")
            wait_until(shows(here.path / "replaced", b"nonsense\n"), "the other value")
            run("cp", ".kvass/deleted/removed", "removed", directory=here.path)
            bring_back_version(mount, "replaced")
            for name in ("removed", "replaced"):
                wait_until(shows(there.path / name, OLD), f"{name} back on the other device")


# What is seen


@pytest.mark.parametrize(
    "command",
    [
        "ls -a",
        "ls -aR",
        "find . ! -name .",
        "du -a",
        "rsync -a --list-only ./",
        "tar -cf - . | tar -tf -",
        "grep -r one .",
        "zip -qr - . | cat",
        "echo .* *",
        "cp -a . COPY && find COPY",
    ],
)
def test_what_walks_through_files_does_not_meet_it(mount: Mount, tmp_path: Path, command: str) -> None:
    need("rsync", "tar", "zip")
    put(mount, "file", b"zero\n", OLD)
    put(mount, "gone", OLD)
    (mount.path / "gone").unlink()
    assert os.listdir(mount.path / ".kvass/deleted") == ["gone"]
    shell = f"{command.replace('COPY', str(tmp_path / 'copy'))} | cat -v"
    printed = run("bash", "-c", f"set -o pipefail; {shell}", directory=mount.path)
    assert "file" in printed
    assert ".kvass" not in printed.replace("kvass.sqlite", "")
    assert "gone" not in printed


def test_versions_are_listed_and_compared(mount: Mount) -> None:
    put(mount, "plan.txt", b"one\n", OLD)
    directory = mount.path / ".kvass/history/plan.txt/%@"
    first, second = sorted(os.listdir(directory))
    assert (first[-6:], second[-6:]) == ("-1.txt", "-2.txt")
    done = subprocess.run(["diff", first, second], cwd=directory, capture_output=True, text=True, check=False)
    assert done.stdout == "1a2,3\n> two\n> three\n"
    assert (directory / first).stat().st_mtime == pytest.approx(time.time() - 3600, abs=60)
    assert stat.filemode((directory / first).stat().st_mode) == "-r--------"


def test_nothing_in_it_can_be_changed(mount: Mount) -> None:
    put(mount, "x", b"one\n", OLD)
    for command in (
        "rm -rf .kvass",
        "mkdir .kvass/new",
        "echo x > .kvass/new",
        "mv x .kvass/",
        "mv x .kvass/history/x/%@/new",
        "mv -T .kvass y",
        "ln -s x .kvass/y",
        "chmod 700 .kvass",
        "touch .kvass",
    ):
        done = subprocess.run(["sh", "-c", command], cwd=mount.path, capture_output=True, text=True, check=False)
        assert done.returncode != 0, command
        assert "Read-only file system" in done.stderr or "Permission denied" in done.stderr, command
    assert sorted(os.listdir(mount.path)) == ["x"]
    assert versions(mount, "x") == [b"one\n", OLD]


# What changes meanwhile


def test_what_was_looked_at_before_it_changed_is_seen_as_it_is(mount: Mount) -> None:
    """The kernel keeps names and attributes for a minute, but not these."""
    path = mount.path / ".kvass/deleted/x"
    for value in (b"one", b"longer"):
        put(mount, "x", value)
        assert not path.exists()
        (mount.path / "x").unlink()
        assert path.stat().st_size == len(value)
        assert path.read_bytes() == value
    put(mount, "x/y", b"below")
    assert path.read_bytes() == b"longer"
    assert not (path / "y").exists()
    kvass(mount, "rm", "x/y")
    assert sorted(os.listdir(path)) == ["%@", "y"]
    assert (path / "%@").read_bytes() == b"longer"
    assert (path / "y").read_bytes() == b"below"
    put(mount, "x/y", b"again")
    assert os.listdir(path) == ["%@"]


def test_a_new_version_is_there_at_once(mount: Mount) -> None:
    put(mount, "x", b"0")
    for number in range(1, 5):
        (mount.path / "x").write_bytes(b"%d" % number)
        assert versions(mount, "x")[-1] == b"%d" % number
        with Store.open(mount.db) as store:
            store.set("x", b"%d elsewhere" % number)
        assert versions(mount, "x")[-1] == b"%d elsewhere" % number


def test_other_names_are_kept_by_the_kernel_as_before(mount: Mount) -> None:
    """Else each look-up of the path of a file would cost a call to the mount."""
    put(mount, "d/x", OLD)
    os.listdir(mount.path / ".kvass/history")
    (mount.path / "d/x").stat()
    mount.process.send_signal(19)  # SIGSTOP: whoever asks the mount waits
    try:
        assert run("stat", "-c", "%s", "d/x", directory=mount.path) == f"{len(OLD)}\n"
    finally:
        mount.process.send_signal(18)


def test_the_status_is_that_of_the_command(tmp_path: Path) -> None:
    path, db = tmp_path / "mount", tmp_path / "db"
    path.mkdir()
    with mounted_by(mount_command(db, path), path) as process:
        mount = Mount(path, db, process, "auto")
        put(mount, "x", OLD)
        text = (path / ".kvass/status").read_text()
        assert text.startswith(f"Store:           \t{db}, ")
        assert "1 entry\n" in text
        assert run("cat", ".kvass/status", directory=path).splitlines()[1:] == text.splitlines()[1:]
        shutil.copy(path / ".kvass/status", tmp_path / "copy")
        assert (tmp_path / "copy").read_text().startswith("Store:")
        assert (path / ".kvass/conflicts").read_bytes() == b""
