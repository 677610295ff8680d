"""The trash of a desktop stays on this machine: what goes there is shared no more, and comes back with its history."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.mount.filesystem import Filesystem
from kvassfs.scratch import TRASH_PATTERNS, ScratchNames
from kvassfs.share_link import ShareLink
from kvassfs.store import Shared, Store
from tests.support.stores import DAY, audit, revision_values

TRASH = "/.Trash-1000/files"


class Rig:
    """A file system with a trash over a store whose keys came ``age`` ago."""

    def __init__(self, store: Store, clock: list[int]) -> None:
        self.store = store
        self.clock = clock
        self.patterns = ScratchNames()
        self.filesystem = Filesystem(store, scratch=self.patterns, clock=time.time_ns, uid=0, gid=0)
        self.filesystem.mkdir("/.Trash-1000", 0o700)
        self.filesystem.mkdir(TRASH, 0o700)
        self.filesystem.mkdir("/dir", 0o700)
        for value in (b"first", b"second", b"third"):
            self.write("/dir/file", value)
        self.write("/dir/file.txt", b"beside")

    def write(self, path: str, value: bytes) -> None:
        handle = self.filesystem.create(path, 0o640, os.O_WRONLY | os.O_TRUNC)
        self.filesystem.write(handle, value, 0)
        self.filesystem.flush(handle)
        self.filesystem.release(handle)

    def token(self, key: str) -> str:
        row = self.store.tree.entry(key)
        assert row is not None
        return row.url_token

    def links(self) -> list[ShareLink]:
        return self.store.share_links.list_all()


@pytest.fixture(params=["old", "new"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A rig whose keys came a day ago, or a moment."""
    clock = [time.time_ns() - DAY]
    with Store.open(tmp_path / "db", clock=lambda: clock[0]) as store:
        rig = Rig(store, clock)
        if request.param == "old":
            clock[0] += DAY
        yield rig
        audit(store)


def test_what_is_thrown_away_is_no_key_and_shared_no_more(rig: Rig) -> None:
    token = rig.token("dir/file")
    link, other = (rig.store.share_links.create(key) for key in ("dir/file", "dir/file.txt"))
    rig.filesystem.rename("/dir/file", f"{TRASH}/file")
    assert list(rig.store.keys()) == ["dir/file.txt"]
    assert rig.store.share_links.find(token) is None
    assert rig.store.share_links.has_ended(token)
    assert not rig.store.share_links.end(link)
    assert rig.links() == [other]
    node = rig.store.tree.file(".Trash-1000/files/file")
    assert node is not None
    assert node.is_scratch


def test_what_is_restored_has_its_history_and_is_shared_only_anew(rig: Rig) -> None:
    token = rig.token("dir/file")
    rig.store.share_links.create("dir/file")
    rig.filesystem.chmod("/dir/file", 0o755)
    before = rig.filesystem.getattr("/dir/file")
    rig.filesystem.rename("/dir/file", f"{TRASH}/file.2")
    rig.filesystem.rename(f"{TRASH}/file.2", "/dir/file")
    assert rig.store.get("dir/file").read() == b"third"
    assert revision_values(rig.store, "dir/file") == [b"third", b"second", b"first"]
    after = rig.filesystem.getattr("/dir/file")
    assert (after.mode, after.mtime) == (before.mode, before.mtime)
    assert rig.links() == []
    assert rig.store.share_links.find(token) is None
    assert isinstance(rig.store.share_links.find(rig.token("dir/file")), Shared)


def test_a_directory_is_thrown_away_and_restored_with_all_in_it(rig: Rig) -> None:
    rig.write("/directory", b"named alike")
    tokens = [rig.token(key) for key in ("dir/file", "dir/file.txt")]
    links = {key: rig.store.share_links.create(key) for key in ("dir/file", "dir/file.txt", "directory")}
    rig.filesystem.rename("/dir", f"{TRASH}/dir")
    assert list(rig.store.keys()) == ["directory"]
    assert rig.links() == [links["directory"]]
    assert all(map(rig.store.share_links.has_ended, tokens))
    rig.filesystem.rename(f"{TRASH}/dir", "/dir")
    assert list(rig.store.keys()) == ["dir/file", "dir/file.txt", "directory"]
    assert revision_values(rig.store, "dir/file") == [b"third", b"second", b"first"]
    assert rig.links() == [links["directory"]]


def test_what_is_removed_from_the_trash_has_its_history_still(rig: Rig) -> None:
    rig.filesystem.rename("/dir/file", f"{TRASH}/file")
    rig.filesystem.unlink(f"{TRASH}/file")
    assert rig.store.tree.file(".Trash-1000/files/file") is None
    assert revision_values(rig.store, "dir/file") == [b"third", b"second", b"first"]


def test_an_open_file_that_is_thrown_away_is_saved_there(rig: Rig) -> None:
    handle = rig.filesystem.open("/dir/file", os.O_RDWR)
    rig.filesystem.write(handle, b"newer", 0)
    rig.filesystem.rename("/dir/file", f"{TRASH}/file")
    rig.filesystem.flush(handle)
    assert list(rig.store.keys()) == ["dir/file.txt"]
    assert rig.filesystem.read(handle, 10, 0) == b"newer"
    rig.filesystem.release(handle)


@pytest.mark.parametrize("aside", ["/dir/file~", "/dir/other"])
def test_links_stay_with_the_name_of_what_is_only_moved_aside(rig: Rig, aside: str) -> None:
    link = rig.store.share_links.create("dir/file")
    rig.filesystem.rename("/dir/file", aside)
    assert rig.links() == [link]


def test_where_the_trash_is_made_of_keys_links_stay_too(rig: Rig) -> None:
    link = rig.store.share_links.create("dir/file")
    rig.filesystem.use_scratch(ScratchNames([p for p in rig.patterns.patterns if p not in TRASH_PATTERNS]))
    rig.filesystem.rename("/dir/file", f"{TRASH}/file")
    assert ".Trash-1000/files/file" in rig.store.keys()
    assert rig.links() == [link]
