"""What inotify tells in a mount of the changes that other processes and devices make."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kvassfs.store import Store
from tests.support.mounts import BINDINGS, Mount, mounted, put, remove
from tests.support.waiting import wait_until
from tests.support.watching import Watch, watching


@pytest.fixture
def file(mount: Mount) -> Path:
    """A file that the kernel knows, in a directory beside others."""
    for key in ("dir/file", "dir/other"):
        put(mount, key, b"old value")
    found = mount.path / "dir/file"
    wait_until(found.exists, "the file")
    time.sleep(1.5)  # until all about it has been told, also on a busy machine
    return found


def hears(watch: Watch, *events: str) -> Callable[[], bool]:
    """Make the question whether a watch has told of these events, in this order, among others."""

    def is_heard() -> bool:
        rest = iter(watch.seen())
        return all(event in rest for event in events)

    return is_heard


def test_a_change(mount: Mount, file: Path) -> None:
    with watching(file.parent) as above, watching(file) as own:
        put(mount, "dir/file", b"new")
        wait_until(hears(above, "MODIFY file", "CLOSE_WRITE file"), "the change")
        wait_until(hears(own, "MODIFY", "CLOSE_WRITE"), "the change of the file")
        assert file.read_bytes() == b"new"


def test_a_new_file(mount: Mount, file: Path) -> None:
    with watching(file.parent) as watch:
        put(mount, "dir/new", b"value")
        wait_until(hears(watch, "CREATE new", "CLOSE_WRITE new"), "the new file")
        assert (file.parent / "new").read_bytes() == b"value"


def test_a_new_file_that_was_looked_for(mount: Mount, file: Path) -> None:
    with watching(file.parent) as watch:
        assert not (file.parent / "new").exists()
        put(mount, "dir/new", b"value")
        wait_until(hears(watch, "CREATE new", "CLOSE_WRITE new"), "the new file")


def test_a_file_that_is_gone(mount: Mount, file: Path) -> None:
    with watching(file.parent) as above, watching(file) as own:
        remove(mount, "dir/file")
        wait_until(hears(above, "DELETE file"), "the removal")
        wait_until(hears(own, "DELETE_SELF"), "the removal of the file itself")
        assert not file.exists()


def test_new_directories(mount: Mount, file: Path) -> None:
    with watching(file.parent) as watch:
        put(mount, "dir/new/deep/key", b"value")
        wait_until(hears(watch, "CREATE new"), "the new directory")
        assert (file.parent / "new/deep/key").read_bytes() == b"value"


def test_a_symbolic_link(mount: Mount, file: Path, tmp_path: Path) -> None:
    """Made in a second mount, as the command makes none."""
    (second := tmp_path / "second").mkdir()
    with mounted(second, mount.db, mount.binding), watching(file.parent) as watch:
        (second / "dir/link").symlink_to("file")
        wait_until(hears(watch, "CREATE link"), "the link")
        assert (file.parent / "link").readlink() == Path("file")


def test_directories_of_another_mount(mount: Mount, file: Path, tmp_path: Path) -> None:
    (second := tmp_path / "second").mkdir()
    with mounted(second, mount.db, mount.binding), watching(file.parent) as watch:
        (second / "dir/made").mkdir()
        wait_until(hears(watch, "CREATE made"), "the new directory")
        (second / "dir/made").rmdir()
        wait_until(hears(watch, "DELETE made"), "the removal")
        assert not (file.parent / "made").exists()


def test_a_file_that_is_open(mount: Mount, file: Path) -> None:
    """It leaves with its old value, and comes with the new one."""
    with file.open("rb") as reader, watching(file.parent) as watch:
        put(mount, "dir/file", b"new")
        wait_until(hears(watch, "MOVED_FROM file", "CREATE file", "CLOSE_WRITE file"), "the change")
        assert (reader.read(), file.read_bytes()) == (b"old value", b"new")


def test_what_this_mount_does_is_told_once(file: Path) -> None:
    with watching(file.parent) as watch:
        file.write_bytes(b"new")
        (file.parent / "own").write_bytes(b"own")
        (file.parent / "own").unlink()
        time.sleep(1)
        assert watch.seen() == [
            "MODIFY file",
            "CLOSE_WRITE file",
            "CREATE own",
            "MODIFY own",
            "CLOSE_WRITE own",
            "DELETE own",
        ]


def test_what_nobody_can_see_is_not_told(mount: Mount, file: Path) -> None:
    with watching(file.parent) as watch, Store.open(mount.db) as store:
        assert store.share_links.renew_token(store.entry("dir/file").url_token)
        time.sleep(1)
        assert watch.seen() == []


def test_telling_changes_nothing(mount: Mount, file: Path) -> None:
    with Store.open(mount.db) as store:
        store.set("dir/file", b"new")
        store.set("dir/new", b"new")
        store.delete("dir/other")
        before = [(key, store.entry(key)) for key in store.keys()]
        with watching(file.parent) as watch:
            store.set("dir/last", b"x")
            wait_until(hears(watch, "CLOSE_WRITE last"), "the last change")
        assert [(key, store.entry(key)) for key in store.keys() if key != "dir/last"] == before
        assert sorted(os.listdir(file.parent)) == ["file", "last", "new"]


def test_many_files_are_told_over_time(mount: Mount, file: Path) -> None:
    names = [f"many{number}" for number in range(300)]
    with watching(file.parent) as watch:
        with Store.open(mount.db) as store, store.bulk():
            for name in names:
                store.set(f"dir/{name}", b"x")
        wait_until(lambda: {f"CREATE {name}" for name in names} <= set(watch.seen()), "all new files")


@pytest.mark.parametrize("binding", BINDINGS)
def test_a_new_file_never_vanishes_again(mount: Mount, file: Path) -> None:
    """Who has seen it sees it, although it is announced as one that is made only then."""
    for number in range(40):
        path = file.parent / f"new{number}"
        script = (
            "import os, sys\nprint(flush=True)\nwhile not os.path.exists(sys.argv[1]):\n    pass\n"
            "for _ in range(2000):\n    os.stat(sys.argv[1])\n"
        )
        with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE) as poller:
            assert poller.stdout is not None
            poller.stdout.readline()
            put(mount, f"dir/{path.name}", b"x")
        assert poller.returncode == 0
