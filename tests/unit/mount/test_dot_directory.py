"""The dot directory over a store whose clock the test sets. tests/filesystem/ and tests/mounted/ have it in use."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.mount.filesystem import Filesystem
from kvassfs.scratch import ScratchNames
from kvassfs.store import BLOCK_SIZE, Store, Written
from tests.support.stores import DAY, SECOND, YEAR_2024, Clock

LONG = "x" * 300


class Rig:
    """A file system over a store, and what it shows."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.filesystem = Filesystem(
            store,
            scratch=ScratchNames(),
            clock=clock,
            uid=1,
            gid=1,
            texts={"status": lambda store: f"{store.count_keys()} keys\n", "conflicts": lambda _: ""},
        )

    def put(self, key: str, *values: bytes) -> None:
        for value in values:
            self.clock.advance(SECOND)
            self.store.set(key, value)

    def save(self, key: str, value: bytes, mode: int, mod_time: int | None = None) -> None:
        """Save as a mount does."""
        draft = self.store.tree.draft()
        draft.write(0, value)
        written = Written(mode=mode, mod_time=mod_time)
        self.store.tree.save(key, draft, written, scratch=False, now=self.clock() // 1000, amends=None)

    def names(self, path: str) -> list[str]:
        """List a directory; what it says of each is what a look-up says."""
        listed = list(self.filesystem.listdir(path))
        assert [name for name, _ in listed[:2]] == [".", ".."]
        for name, attributes in listed[2:]:
            looked_up = self.filesystem.getattr(f"{path.rstrip('/')}/{name}")
            if name not in {"status", "conflicts"}:
                assert looked_up == attributes
        return [name for name, _ in listed[2:]]

    def read(self, path: str) -> bytes:
        handle = self.filesystem.open(path, os.O_RDONLY)
        try:
            return self.filesystem.read(handle, self.filesystem.getattr(path, handle).size + 1, 0)
        finally:
            self.filesystem.flush(handle)
            self.filesystem.release(handle)

    def versions(self, path: str) -> list[bytes]:
        return [self.read(f"/.kvass/history/{path}/%@/{name}") for name in self.names(f"/.kvass/history/{path}/%@")]

    def mode(self, path: str) -> int:
        return self.filesystem.getattr(path).mode


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    clock = Clock()
    with Store.open(tmp_path / "db", clock=clock) as store:
        made = Rig(store, clock)
        yield made
        assert made.filesystem._open_files.handles == {}
        made.filesystem.close()


def raises(number: int) -> pytest.RaisesExc[OSError]:
    return pytest.RaisesExc(OSError, check=lambda error: error.errno == number)


# The directory


def test_it_is_found_and_not_listed(rig: Rig) -> None:
    rig.put("a", b"1")
    assert [name for name, _ in rig.filesystem.listdir("/")] == [".", "..", "a"]
    assert rig.names("/.kvass") == ["history", "deleted", "status", "conflicts"]
    assert rig.mode("/.kvass") == stat.S_IFDIR | 0o500


def test_a_store_without_history_has_an_empty_one(rig: Rig) -> None:
    assert rig.names("/.kvass/history") == []
    assert rig.names("/.kvass/deleted") == []


MISSING = [
    "x",
    "history/x",
    "history/%@",
    "history/%/%@",
    "history/a/x",
    "history/a/%@/x",
    "history/a/%@/%@",
    "history/gone/%@/x/%@/y",
    "history/.kvass",
    "deleted/x",
    "deleted/a",
    "deleted/%@",
    "deleted/gone/%@",
    "deleted/gone/x",
    "deleted/.kvass",
    "status/x",
    "status/%@",
]


@pytest.mark.parametrize("name", MISSING)
def test_what_is_not_there_is_missing(rig: Rig, name: str) -> None:
    rig.put("a", b"1", b"2")
    rig.put("gone", b"1")
    rig.store.delete("gone")
    path = f"/.kvass/{name}"
    for call in (rig.filesystem.getattr, rig.filesystem.listdir, rig.filesystem.readlink, rig.read):
        with raises(errno.ENOENT):
            call(path)


def test_numbers_are_those_of_nothing_else_and_stay(rig: Rig) -> None:
    rig.put("a", b"1", b"2")
    rig.put("b/c", b"1")
    rig.store.delete("b/c")
    found: dict[str, int] = {}

    def walk(path: str) -> None:
        attributes = rig.filesystem.getattr(path or "/")
        found[path] = attributes.inode
        if stat.S_ISDIR(attributes.mode):
            for name, listed in list(rig.filesystem.listdir(path or "/"))[2:]:
                walk(f"{path}/{name}")
                assert found[f"{path}/{name}"] == listed.inode

    walk("")
    walk("/.kvass")
    assert len(set(found.values())) == len(found) > 12
    assert all(number % 2 for path, number in found.items() if path.startswith("/.kvass"))
    before = dict(found)
    rig.clock.advance(DAY)
    walk("/.kvass")
    assert found == before


# History


def test_each_version_is_a_file(rig: Rig) -> None:
    rig.put("a.txt", b"one", b"two", b"three")
    assert rig.names("/.kvass/history") == ["a.txt"]
    assert rig.names("/.kvass/history/a.txt") == ["%@"]
    names = rig.names("/.kvass/history/a.txt/%@")
    assert [name.partition("Z")[2] for name in sorted(names)] == ["-1.txt", "-2.txt", "-3.txt"]
    assert [rig.read(f"/.kvass/history/a.txt/%@/{name}") for name in sorted(names)] == [b"one", b"two", b"three"]


def test_a_version_has_its_time_and_nobody_can_write_it(rig: Rig) -> None:
    rig.put("a", b"one")
    timestamp = rig.store.entry("a").timestamp
    rig.put("a", b"two")
    (name,) = [name for name in rig.names("/.kvass/history/a/%@") if name.endswith("-1")]
    attributes = rig.filesystem.getattr(f"/.kvass/history/a/%@/{name}")
    assert attributes.mode == stat.S_IFREG | 0o400
    assert (attributes.size, attributes.mtime) == (3, timestamp * 1000)
    assert attributes.ctime > attributes.mtime
    for directory in ("history", "history/a", "history/a/%@"):
        assert rig.mode(f"/.kvass/{directory}") == stat.S_IFDIR | 0o500


def test_versions_of_a_key_and_of_those_below_do_not_meet(rig: Rig) -> None:
    rig.put("a", b"value")
    rig.put("a/b", b"below")
    rig.put("a/", b"nothing")
    assert rig.names("/.kvass/history") == ["a"]
    assert rig.names("/.kvass/history/a") == ["%", "b", "%@"]
    assert rig.versions("a") == [b"value"]
    assert rig.versions("a/b") == [b"below"]
    assert rig.versions("a/%") == [b"nothing"]


def test_removed_keys_have_a_history(rig: Rig) -> None:
    rig.put("a/b", b"1", b"2")
    rig.store.delete("a/b")
    assert rig.names("/.kvass/history") == ["a"]
    assert sorted(rig.versions("a/b")) == [b"1", b"2"]


ODD = [
    "a\nb",
    "-rf",
    "%",
    "..",
    ".kvass",
    "%.kvass",
    "%@",
    "",
    ".kvass/.kvass",
    LONG,
    f"d/{LONG}",
    "é",
    "/",
    "//x",
    "a//",
]


@pytest.mark.parametrize("key", [key for key in ODD if key])
def test_odd_keys_have_the_path_that_they_have_in_the_mount(rig: Rig, key: str) -> None:
    rig.put(key, b"1", b"2")
    path = find(rig, "")
    assert sorted(rig.versions(path[1:])) == [b"1", b"2"]
    rig.store.delete(key)
    assert find(rig, "/.kvass/deleted") == f"/.kvass/deleted{path}"
    assert rig.read(f"/.kvass/deleted{path}") == b"2"


def find(rig: Rig, path: str) -> str:
    """Return the path of the only file below a directory."""
    while stat.S_ISDIR(rig.mode(path or "/")):
        (name,) = rig.names(path or "/")
        path += f"/{name}"
    return path


def test_what_looks_shortened_is_told_from_what_is(rig: Rig) -> None:
    rig.put(LONG, b"long")
    (name,) = rig.names("/.kvass/history")
    rig.put(name, b"like it")
    assert len(rig.names("/.kvass/history")) == 2
    assert rig.versions(name) == [b"long"]


def test_an_empty_file_is_a_version_while_it_is_there(rig: Rig) -> None:
    rig.store.set_empty("a")
    assert rig.versions("a") == [b""]
    rig.store.delete("a")
    with raises(errno.ENOENT):
        rig.filesystem.getattr("/.kvass/history/a")


def test_a_version_that_lost_a_conflict_is_there(rig: Rig) -> None:
    rig.put("a", b"ours")
    ours = rig.store.entry("a")
    theirs = Entry("a", ours.timestamp - 1, 1, 77, "theirtokentheirtokent0", 6)
    rig.store.inbox.merge_pushed([Delivery(theirs, 1, b"theirs")])
    assert sorted(rig.versions("a")) == [b"ours", b"theirs"]
    assert rig.names("/.kvass/deleted") == []


# What is deleted


def test_removed_keys_are_shown_as_they_were(rig: Rig) -> None:
    rig.save("bin/tool", b"#!", stat.S_IFREG | 0o755, mod_time=-5)
    rig.save("bin/link", b"tool", stat.S_IFLNK | 0o777)
    rig.put("bin/plain", b"text")
    rig.store.delete_all("bin")
    assert rig.mode("/.kvass/deleted") == stat.S_IFDIR | 0o500
    assert rig.mode("/.kvass/deleted/bin") == stat.S_IFDIR | 0o700
    assert sorted(rig.names("/.kvass/deleted/bin")) == ["link", "plain", "tool"]
    tool = rig.filesystem.getattr("/.kvass/deleted/bin/tool")
    assert (tool.mode, tool.size, tool.mtime) == (stat.S_IFREG | 0o755, 2, -5)
    assert rig.mode("/.kvass/deleted/bin/plain") == stat.S_IFREG | 0o600
    assert rig.filesystem.readlink("/.kvass/deleted/bin/link") == "tool"
    assert rig.read("/.kvass/deleted/bin/plain") == b"text"


def test_a_time_of_1970_is_kept(rig: Rig) -> None:
    rig.save("a", b"x", stat.S_IFREG | 0o600, mod_time=0)
    rig.store.delete("a")
    assert rig.filesystem.getattr("/.kvass/deleted/a").mtime == 0


def test_a_link_is_one_in_its_history(rig: Rig) -> None:
    rig.save("link", b"tool", stat.S_IFLNK | 0o777)
    (name,) = rig.names("/.kvass/history/link/%@")
    assert rig.filesystem.readlink(f"/.kvass/history/link/%@/{name}") == "tool"
    with raises(errno.EINVAL):
        rig.filesystem.readlink("/.kvass/history")


def test_a_removed_value_and_what_was_removed_below_do_not_meet(rig: Rig) -> None:
    rig.put("a", b"value")
    rig.put("a/b", b"below")
    rig.store.delete("a/b")
    rig.store.delete("a")
    assert rig.names("/.kvass/deleted") == ["a"]
    assert rig.names("/.kvass/deleted/a") == ["b", "%@"]
    assert rig.read("/.kvass/deleted/a/%@") == b"value"
    rig.put("a/b", b"again")
    assert rig.names("/.kvass/deleted/a") == ["%@"]


def test_a_directory_is_found_while_what_is_in_it_is_brought_back(rig: Rig) -> None:
    rig.put("a/b/c", b"1")
    rig.store.delete("a/b/c")
    rig.put("a/b/c", b"1")
    assert rig.names("/.kvass/deleted") == []
    assert rig.names("/.kvass/deleted/a") == []
    assert rig.names("/.kvass/deleted/a/b") == []
    with raises(errno.ENOENT):
        rig.filesystem.getattr("/.kvass/deleted/a/b/c")
    rig.clock.advance(31 * DAY)
    rig.store.upkeep.tidy()
    with raises(errno.ENOENT):
        rig.filesystem.getattr("/.kvass/deleted/a")


def test_what_came_back_is_deleted_no_more(rig: Rig) -> None:
    rig.put("a", b"1")
    rig.store.delete("a")
    assert rig.names("/.kvass/deleted") == ["a"]
    rig.store.history.restore("a")
    assert rig.names("/.kvass/deleted") == []


# Texts


def test_a_text_is_what_is_so_when_it_is_opened(rig: Rig) -> None:
    assert rig.read("/.kvass/status") == b"0 keys\n"
    rig.put("a", b"1")
    assert rig.filesystem.getattr("/.kvass/status").size == len(b"1 keys\n")
    assert rig.read("/.kvass/status") == b"1 keys\n"
    assert rig.read("/.kvass/conflicts") == b""
    assert rig.mode("/.kvass/status") == stat.S_IFREG | 0o400
    handle = rig.filesystem.open("/.kvass/status", os.O_RDONLY)
    rig.put("b", b"1")
    assert rig.read("/.kvass/status") == b"2 keys\n"
    assert rig.filesystem.read(handle, 100, 0) == b"1 keys\n"
    rig.filesystem.release(handle)


def test_the_text_that_is_read_is_the_one_whose_size_was_told(rig: Rig) -> None:
    size = rig.filesystem.getattr("/.kvass/status").size
    for number in range(10):
        rig.store.set(f"key {number}", b"1")
    assert len(rig.read("/.kvass/status")) == size
    rig.clock.advance(SECOND)
    assert rig.read("/.kvass/status") == b"10 keys\n"
    rig.clock.advance(-DAY)
    rig.store.set("key", b"1")
    assert rig.read("/.kvass/status") == b"11 keys\n"


def test_a_text_that_takes_long_is_not_made_for_each_who_asks(tmp_path: Path) -> None:
    clock, made = Clock(), []

    def make(_store: Store) -> str:
        clock.advance(2 * SECOND)
        made.append(clock.now)
        return "text"

    with Store.open(tmp_path / "db") as store:
        slow = Filesystem(store, scratch=ScratchNames(), clock=clock, uid=1, gid=1, texts={"status": make})
        for _ in range(30):
            assert slow.getattr("/.kvass/status").size == 4
            clock.advance(SECOND)
    assert len(made) == 2


def test_without_texts_there_are_none(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db") as store:
        plain = Filesystem(store, scratch=ScratchNames(), clock=Clock(), uid=1, gid=1)
        assert [name for name, _ in list(plain.listdir("/.kvass"))[2:]] == ["history", "deleted"]


# Reading


def test_what_is_open_stays_as_it_is_although_history_lets_it_go(rig: Rig) -> None:
    value = os.urandom(2 * BLOCK_SIZE + 7)
    rig.put("a", value)
    rig.store.delete("a")
    handle = rig.filesystem.open("/.kvass/deleted/a", os.O_RDONLY)
    rig.clock.advance(31 * DAY)
    while rig.store.upkeep.tidy():
        pass
    assert rig.names("/.kvass/deleted") == []
    read = [rig.filesystem.read(handle, 100_000, offset) for offset in range(0, len(value), 100_000)]
    assert b"".join(read) == value
    assert rig.filesystem.getattr("/.kvass/deleted/a", handle).size == len(value)
    assert rig.filesystem.lseek(handle, 5, os.SEEK_DATA) == 5
    assert not rig.filesystem.shares_cache(handle)
    rig.filesystem.release(handle)


def test_the_kernel_may_keep_the_content_of_a_version(rig: Rig) -> None:
    rig.put("a", b"1")
    (name,) = rig.names("/.kvass/history/a/%@")
    handle = rig.filesystem.open(f"/.kvass/history/a/%@/{name}", os.O_RDONLY)
    assert rig.filesystem.shares_cache(handle)
    rig.filesystem.release(handle)


def test_what_goes_while_it_is_opened_is_missing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.put("a", b"1")
    rig.store.delete("a")
    open_version = rig.store.history.open

    def lose_and_open(key: str, number: int) -> object:
        rig.clock.advance(31 * DAY)
        rig.store.upkeep.tidy()
        return open_version(key, number)

    monkeypatch.setattr(rig.store.history, "open", lose_and_open)
    with raises(errno.ENOENT):
        rig.filesystem.open("/.kvass/deleted/a", os.O_RDONLY)


def test_directories_are_no_files_and_files_no_directories(rig: Rig) -> None:
    with raises(errno.EISDIR):
        rig.filesystem.open("/.kvass/history", os.O_RDONLY)
    with raises(errno.ENOTDIR):
        rig.filesystem.listdir("/.kvass/status")


# Writing


def test_nothing_in_it_can_be_changed(rig: Rig) -> None:
    rig.put("a", b"1", b"2")
    rig.put("gone", b"1")
    rig.store.delete("gone")
    files = rig.filesystem
    changed = (
        lambda path: files.chmod(path, 0o777),
        lambda path: files.chown(path, 1, 1),
        lambda path: files.utimens(path, 1, 1),
        lambda path: files.truncate(path, 0),
        files.unlink,
        files.rmdir,
        lambda path: files.mkdir(path, 0o700),
        lambda path: files.mknod(path, 0o600),
        lambda path: files.create(path, 0o600, os.O_RDWR),
        lambda path: files.symlink("a", path),
        lambda path: files.link("/a", path),
        lambda path: files.link(path, "/b"),
        lambda path: files.rename("/a", path),
        lambda path: files.rename(path, "/b"),
        lambda path: files.rename("/a", path, 2),
        lambda path: files.rename(path, "/a", 2),
        lambda path: files.rename(path, f"{path}x"),
        lambda path: files.setxattr(path, b"user.a", b"1", 0),
        lambda path: files.removexattr(path, b"user.a"),
        lambda path: files.open(path, os.O_RDWR),
        lambda path: files.open(path, os.O_WRONLY),
        lambda path: files.open(path, os.O_RDONLY | os.O_TRUNC),
    )
    for path in ("", "/new", "/status", "/history", "/history/a", "/history/a/%@/new", "/deleted/gone"):
        for change in changed:
            with raises(errno.EROFS):
                change(f"/.kvass{path}")
    assert list(rig.store.keys()) == ["a"]
    assert rig.store.get("a").read() == b"2"
    assert sorted(rig.versions("a")) == [b"1", b"2"]


def test_it_has_no_extended_attributes(rig: Rig) -> None:
    rig.put("a", b"1")
    assert rig.filesystem.listxattr("/.kvass/history/a") == []
    with raises(errno.ENODATA):
        rig.filesystem.getxattr("/.kvass/history/a", b"user.kvass.url")


def test_names_that_begin_like_it_are_names_like_others(rig: Rig) -> None:
    handle = rig.filesystem.create("/.kvass-notes", 0o600, os.O_WRONLY)
    rig.filesystem.write(handle, b"x", 0)
    rig.filesystem.flush(handle)
    rig.filesystem.release(handle)
    assert list(rig.store.keys()) == [".kvass-notes"]


def test_keys_of_its_name_are_reached_with_a_percent_sign(rig: Rig) -> None:
    for key in (".kvass", ".kvass/history/a", "%.kvass"):
        rig.put(key, key.encode())
    assert sorted(rig.names("/")) == sorted(rig.names("/.kvass/history")) == ["%%.kvass", "%.kvass"]
    assert rig.read("/%.kvass/%@") == b".kvass"
    assert rig.read("/%.kvass/history/a") == b".kvass/history/a"
    assert rig.read("/%%.kvass") == b"%.kvass"
    rig.filesystem.unlink("/%.kvass/%@")
    assert sorted(rig.store.keys()) == ["%.kvass", ".kvass/history/a"]


def test_directories_are_as_old_as_the_mount(rig: Rig) -> None:
    rig.put("a", b"1")
    for directory in ("", "/history", "/history/a", "/deleted"):
        assert YEAR_2024 < rig.filesystem.getattr(f"/.kvass{directory}").mtime < YEAR_2024 + SECOND
