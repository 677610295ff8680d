"""Commands that handle keys beside a running mount: it shows what they do, and they see what is saved in it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.mounts import Mount
from tests.support.processes import KVASS, end_process, open_files
from tests.support.programs import kvass
from tests.support.waiting import find_within, within

SECONDS = 10.0


def read_tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def tree(mount: Mount) -> Path:
    """A directory with files that the kernel has read and may keep, and an empty directory."""
    (mount.path / "d/sub").mkdir(parents=True)
    (mount.path / "d/empty").mkdir(mode=0o750)
    (mount.path / "d/a").write_bytes(b"one")
    (mount.path / "d/sub/b").write_bytes(b"two")
    (mount.path / "d/sub/b").chmod(0o755)
    os.utime(mount.path / "d/sub/b", ns=(10**18, 10**18))
    assert len(read_tree(mount.path)) == 2
    return mount.path


def test_a_renamed_prefix_is_a_renamed_directory(mount: Mount, tree: Path) -> None:
    before = (tree / "d/sub/b").stat()
    kvass(mount, "mv", "d/", "e")
    within(SECONDS, lambda: read_tree(tree) == {"e/a": b"one", "e/sub/b": b"two"}, what="the new names")
    after = (tree / "e/sub/b").stat()
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (before.st_ino, before.st_mode, 10**18)
    assert (tree / "e/empty").stat().st_mode & 0o777 == 0o750
    assert not (tree / "d").exists()
    kvass(mount, "mv", "e/a", "e/sub/")
    within(SECONDS, lambda: read_tree(tree) == {"e/sub/a": b"one", "e/sub/b": b"two"}, what="the key that moved")


def test_a_copied_prefix_is_a_copied_directory(mount: Mount, tree: Path) -> None:
    kvass(mount, "cp", "d/", "e/")
    both = {"d/a": b"one", "d/sub/b": b"two", "e/a": b"one", "e/sub/b": b"two"}
    within(SECONDS, lambda: read_tree(tree) == both, what="the copies")
    assert (tree / "e/sub/b").stat().st_mode & 0o777 == 0o755
    assert (tree / "e/empty").stat().st_mode & 0o777 == 0o750


def test_what_is_edited_is_seen(mount: Mount, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "sed -i s/two/three/")
    kvass(mount, "edit", "d/sub/b")
    within(SECONDS, lambda: (tree / "d/sub/b").read_bytes() == b"three", what="what was edited")
    assert (tree / "d/sub/b").stat().st_mode & 0o777 == 0o755


def test_what_is_saved_is_told(mount: Mount, tree: Path) -> None:
    environment = {**os.environ, "KVASS_DB": str(mount.db)}
    watching = subprocess.Popen([*KVASS, "watch", "d/"], env=environment, stdout=subprocess.PIPE)
    try:
        find_within(SECONDS, lambda: "anon_inode:inotify" in open_files(watching.pid), what="it watches")
        time.sleep(0.2)  # it notes where it begins right after that
        assert watching.stdout is not None
        (tree / "d/a").write_bytes(b"one more")
        assert watching.stdout.readline() == b"changed d/a\n"
        (tree / "d/new").write_bytes(b"new")
        assert watching.stdout.readline() == b"created d/new\n"
        (tree / "d/sub/b").unlink()
        assert watching.stdout.readline() == b"removed d/sub/b\n"
    finally:
        with watching:
            end_process(watching)


def test_what_is_saved_is_found(mount: Mount, tree: Path) -> None:
    assert kvass(mount, "grep", "-l", "tw") == b"d/sub/b\n"
