"""Numbers of files and directories outlive the mount, and say when another file has come to a name."""

from __future__ import annotations

import os
from pathlib import Path

from kvassfs.store import Store
from tests.support.devices import shows
from tests.support.mounts import Mount, mounted
from tests.support.waiting import PATIENCE, within


def numbers(top: Path) -> dict[str, int]:
    """Return the numbers of everything in a mount."""
    return {str(path.relative_to(top)): path.lstat().st_ino for path in [top, *top.rglob("*")]}


def test_they_are_the_same_after_mounting_again(binding: str, tmp_path: Path) -> None:
    (path := tmp_path / "mount").mkdir()
    with Store.open(tmp_path / "db") as store:
        store.set("implied/directory/file", b"value")
        store.set("file", b"value")
    with mounted(path, tmp_path / "db", binding):
        (path / "made/below").mkdir(parents=True)
        for name in ("made/file", "implied/new", "made/scratch~", "made/below/x"):
            (path / name).write_bytes(b"x")
        (path / "link").symlink_to("file")
        (path / "made/file").rename(path / "renamed")
        (path / "implied").rename(path / "elsewhere")
        before = numbers(path)
        assert len(set(before.values())) == len(before) == 12
    with mounted(path, tmp_path / "db", binding):
        assert numbers(path) == before


def test_a_value_from_elsewhere_is_the_same_file(mount: Mount) -> None:
    (mount.path / "file").write_bytes(b"old")
    before = (mount.path / "file").stat().st_ino
    with Store.open(mount.db) as store:
        store.set("file", b"a longer value")
    within(PATIENCE, lambda: (mount.path / "file").stat().st_size == 14, what="the new value")
    assert (mount.path / "file").stat().st_ino == before


def test_a_value_that_comes_while_the_file_is_open_is_another_file(mount: Mount) -> None:
    """So that `tail -F`, which has the old one open, goes over to the new one."""
    (mount.path / "file").write_bytes(b"old")
    with (mount.path / "file").open("rb") as reader:
        before = os.fstat(reader.fileno()).st_ino
        with Store.open(mount.db) as store:
            store.set("file", b"a longer value")
        # Its name is missing for a moment while watchers are told.
        within(PATIENCE, shows(mount.path / "file", b"a longer value"), what="the new value")
        assert os.fstat(reader.fileno()).st_ino == before != (mount.path / "file").stat().st_ino


def test_a_key_below_a_name_that_was_free_makes_another_directory(mount: Mount) -> None:
    with Store.open(mount.db) as store:
        store.set("a/b/key", b"value")
        within(PATIENCE, (mount.path / "a/b/key").exists, what="the key")
        before = numbers(mount.path)
        (mount.path / "a").rename(mount.path / "moved")
        store.set("a/b/key", b"value")
    within(PATIENCE, (mount.path / "a/b/key").exists, what="the key again")
    now = numbers(mount.path)
    assert len(set(now.values())) == len(now)
    assert [now["moved"], now["moved/b"], now["moved/b/key"]] == [before["a"], before["a/b"], before["a/b/key"]]
