"""What other processes change shows in the mount within a second, and neither loses anything of the other's."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kvassfs.store import Store
from tests.support.disks import fill, small_disk
from tests.support.mounts import Mount, mounted, put, remove
from tests.support.programs import kvass, names
from tests.support.waiting import within

SECOND = 1.0
"""The bound that is promised, from the moment when the change is committed; the only timing bound of these tests."""

MIB = 1024 * 1024


def shows(file: Path, value: bytes) -> Callable[[], bool]:
    """Make the question whether a file has this size and this content."""
    return lambda: file.exists() and file.stat().st_size == len(value) and file.read_bytes() == value


def lists(directory: Path, wanted: list[str]) -> Callable[[], bool]:
    """Make the question whether a directory lists these names."""
    return lambda: names(directory) == sorted(wanted)


def is_directory(path: Path) -> bool:
    """Tell whether a path is a directory by now.

    The first to look at an inode that was something else until then gets EIO from the kernel, the next one the truth.
    """
    try:
        return path.is_dir()
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return False


@pytest.fixture
def cached(mount: Mount) -> Path:
    """A file of 9 bytes that the kernel has read and may keep."""
    put(mount, "dir/file", b"old value")
    file = mount.path / "dir/file"
    within(5, shows(file, b"old value"), what="the first value")
    assert names(file.parent) == ["file"]
    return file


@pytest.mark.parametrize(
    "value",
    [b"new value", b"longer than the old value", b"new", bytes(100_000), bytes(3 * MIB)],
    ids=["same size", "longer", "shorter", "100 kB", "3 MiB"],
)
def test_a_new_value_shows_within_a_second(mount: Mount, cached: Path, value: bytes) -> None:
    put(mount, "dir/file", value)
    within(SECOND, shows(cached, value), what="size and content of the new value")


@pytest.mark.parametrize(("key", "name"), [("end/", "end/%"), ("both", "both/%@"), ("a/./b", "a/%./b")])
def test_a_new_value_of_an_odd_key_shows_within_a_second(mount: Mount, key: str, name: str) -> None:
    put(mount, "both/below", b"makes a directory")
    put(mount, key, b"old")
    within(5, shows(mount.path / name, b"old"), what="the first value")
    put(mount, key, b"a longer value")
    within(SECOND, shows(mount.path / name, b"a longer value"), what="size and content of the new value")


def test_a_new_value_below_a_long_path_shows_within_a_second(mount: Mount) -> None:
    """Longer than a system call takes: programs get there by working directories."""
    directories = ["x" * 250] * 20
    key = "/".join([*directories, "file"])
    put(mount, key, b"old")
    descriptor = os.open(mount.path, os.O_PATH)
    for name in directories:
        below = os.open(name, os.O_PATH, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below

    def size() -> int:
        return os.stat("file", dir_fd=descriptor).st_size

    assert size() == 3
    put(mount, key, b"a longer value")
    within(SECOND, lambda: size() == len(b"a longer value"), what="the size of the new value")
    os.close(descriptor)


def test_values_that_follow_each_other_show_within_a_second(mount: Mount, cached: Path) -> None:
    for number in range(10):
        value = f"value {number}".encode() * (1 + number % 3)
        put(mount, "dir/file", value)
        within(SECOND, shows(cached, value), what=f"value {number}")


def test_a_value_set_by_the_command_line_shows_within_a_second(mount: Mount, cached: Path) -> None:
    kvass(mount, "set", "dir/file", stdin=b"by kvass!")
    within(SECOND, shows(cached, b"by kvass!"), what="what kvass set")


def test_the_modification_time_changes_with_the_value(mount: Mount, cached: Path) -> None:
    before = cached.stat().st_mtime_ns
    put(mount, "dir/file", b"new value")
    within(SECOND, lambda: cached.stat().st_mtime_ns > before, what="a later time")


def test_a_new_key_shows_although_it_was_looked_up_before(mount: Mount, cached: Path) -> None:
    new = cached.with_name("new")
    assert not new.exists()
    put(mount, "dir/new", b"hello")
    within(SECOND, shows(new, b"hello"), what="the new key")
    within(SECOND, lists(new.parent, ["file", "new"]), what="the new key in its directory")


def test_a_new_key_in_new_directories_shows_within_a_second(mount: Mount, cached: Path) -> None:
    new = mount.path / "some/where/deep"
    assert not new.exists()
    assert not new.parent.exists()
    assert not new.parent.parent.exists()
    put(mount, "some/where/deep", b"hello")
    within(SECOND, shows(new, b"hello"), what="the new key")
    assert names(mount.path) == ["dir", "some"]


def test_a_removed_key_is_gone_within_a_second(mount: Mount, cached: Path) -> None:
    remove(mount, "dir/file")
    within(SECOND, lambda: not cached.exists(), what="the removal")
    within(SECOND, lambda: not cached.parent.exists(), what="the removal of its directory")
    assert names(mount.path) == []


def test_a_removed_key_comes_back_within_a_second(mount: Mount, cached: Path) -> None:
    remove(mount, "dir/file")
    within(SECOND, lambda: not cached.exists(), what="the removal")
    put(mount, "dir/file", b"again")
    within(SECOND, shows(cached, b"again"), what="the key again")


def test_a_key_becomes_a_directory_within_a_second(mount: Mount, cached: Path) -> None:
    put(mount, "dir/file/below", b"x")
    within(SECOND, lambda: is_directory(cached), what="the directory")
    within(SECOND, shows(cached / "below", b"x"), what="the key below")
    within(SECOND, shows(cached / "%@", b"old value"), what="the key itself")
    assert names(cached) == ["%@", "below"]


def test_a_directory_lists_what_comes_and_goes_within_a_second(mount: Mount, cached: Path) -> None:
    wanted = ["file"]
    for name in "abcde":
        put(mount, f"dir/{name}", b"x")
        wanted.append(name)
        within(SECOND, lists(cached.parent, wanted), what=f"the new key {name}")
    for name in "abcde":
        remove(mount, f"dir/{name}")
        wanted.remove(name)
        within(SECOND, lists(cached.parent, wanted), what=f"the removal of {name}")


def test_what_the_mount_saves_is_there_for_the_command_line_at_once(mount: Mount, cached: Path) -> None:
    for number in range(10):
        cached.write_bytes(b"%d" % number)
        with Store.open(mount.db) as store:
            assert store.get("dir/file").read() == b"%d" % number


# Two mounts of one database.


@pytest.fixture
def second(mount: Mount, tmp_path: Path) -> Iterator[Path]:
    """A second mount of the same database."""
    path = tmp_path / "second"
    path.mkdir()
    with mounted(path, mount.db, mount.binding):
        yield path


def test_two_mounts_show_each_others_changes_within_a_second(mount: Mount, second: Path) -> None:
    one, two = mount.path / "file", second / "file"
    assert not two.exists()
    one.write_bytes(b"from the first")
    within(SECOND, shows(two, b"from the first"), what="the first one's file")
    two.write_bytes(b"from the other")
    within(SECOND, shows(one, b"from the other"), what="the second one's save")
    one.rename(mount.path / "renamed")
    within(SECOND, lists(second, ["renamed"]), what="the renamed file")
    (second / "made").mkdir()
    within(SECOND, (mount.path / "made").is_dir, what="the empty directory")
    (second / "renamed").unlink()
    within(SECOND, lists(mount.path, ["made"]), what="the removal")


# Readers.

VERSIONS = {
    "short": [b"%d" % number for number in range(20)],
    "large": [bytes([number]) * (2 * MIB + number) for number in range(20)],
    "both": [bytes([number]) * (1 if number % 2 else 2 * MIB) for number in range(20)],
}


@pytest.mark.parametrize("size", [9, 70_000, 3 * MIB], ids=["9 bytes", "70 kB", "3 MiB"])
@pytest.mark.parametrize("versions", VERSIONS)
def test_a_reader_keeps_the_version_that_it_opened(mount: Mount, versions: str, size: int) -> None:
    old = os.urandom(size)
    put(mount, "file", old)
    file = mount.path / "file"
    within(5, file.exists, what="the file")
    with file.open("rb", buffering=0) as reader:
        for value in VERSIONS[versions]:
            put(mount, "file", value)
        within(SECOND, lambda: file.stat().st_size == len(VERSIONS[versions][-1]), what="the last version's size")
        assert os.fstat(reader.fileno()).st_size == size
        assert reader.readall() == old
    within(SECOND, shows(file, VERSIONS[versions][-1]), what="the last version")


def test_a_reader_in_the_middle_of_a_file_reads_on(mount: Mount) -> None:
    old = os.urandom(4 * MIB)
    put(mount, "file", old)
    file = mount.path / "file"
    within(5, file.exists, what="the file")
    with file.open("rb", buffering=0) as reader:
        start = reader.read(MIB)
        for value in VERSIONS["both"]:
            put(mount, "file", value)
        time.sleep(SECOND)
        assert start + reader.readall() == old


def test_a_reader_keeps_a_removed_file(mount: Mount) -> None:
    old = os.urandom(2 * MIB)
    put(mount, "file", old)
    file = mount.path / "file"
    within(5, file.exists, what="the file")
    with file.open("rb", buffering=0) as reader:
        start = reader.read(10)
        remove(mount, "file")
        within(SECOND, lambda: not file.exists(), what="the removal")
        assert start + reader.readall() == old


def test_a_save_through_the_other_mount_leaves_a_reader_alone(mount: Mount, second: Path) -> None:
    old = os.urandom(3 * MIB)
    (mount.path / "file").write_bytes(old)
    within(SECOND, (second / "file").exists, what="the file")
    with (second / "file").open("rb", buffering=0) as reader:
        start = reader.read(10)
        for value in VERSIONS["both"]:
            (mount.path / "file").write_bytes(value)
            assert os.fstat(reader.fileno()).st_size == len(old)
        assert start + reader.readall() == old


# Crashes and crowds.


@pytest.mark.parametrize("size", [10, 100_000, 5 * MIB])
def test_a_closed_file_survives_the_death_of_the_mount(mount: Mount, size: int, tmp_path: Path) -> None:
    value = os.urandom(size)
    (mount.path / "file").write_bytes(b"before")
    (mount.path / "file").write_bytes(value)
    mount.process.kill()
    mount.process.wait()
    with Store.open(mount.db) as store:
        assert store.get("file").read() == value
    path = tmp_path / "again"
    path.mkdir()
    with mounted(path, mount.db, mount.binding):
        assert (path / "file").read_bytes() == value


def test_twenty_commands_beside_a_busy_mount_lose_nothing(mount: Mount) -> None:
    commands = [
        subprocess.Popen(
            [sys.executable, "-m", "kvassfs_cli", "--db", str(mount.db), "set", f"cli/{number}", f"{number}"],
            stderr=subprocess.PIPE,
        )
        for number in range(20)
    ]
    saved = 0
    while any(command.poll() is None for command in commands):
        (mount.path / f"mount {saved % 50}").write_bytes(b"%d" % saved)
        saved += 1
    assert [(command.communicate()[1], command.returncode) for command in commands] == [(b"", 0)] * 20
    with Store.open(mount.db) as store:
        written = {f"mount {number % 50}": b"%d" % number for number in range(saved)}
        wanted = {**written, **{f"cli/{number}": b"%d\n" % number for number in range(20)}}
        assert {key: store.get(key).read() for key in store.keys()} == wanted
    within(SECOND, lambda: len(names(mount.path / "cli")) == 20, what="the keys in the mount")
    assert all((mount.path / key).read_bytes() == value for key, value in wanted.items())


# A full disk.


class FullDisk:
    """A disk of 8 MiB that holds a database of one key, of which a mount shows it; the rest is a file in the way."""

    LEFT = 3 * MIB // 2
    """Bytes left free on the disk, about."""

    def __init__(self, disk: Path, path: Path, old: bytes) -> None:
        """Take the mount at `path` of the database on `disk`, and fill the disk."""
        self.database = disk / "kvass.sqlite"
        self.file = path / "file"
        self.old = old
        self.file.write_bytes(old)
        free = os.statvfs(disk)
        self.in_the_way = disk / "in the way"
        self.in_the_way.write_bytes(bytes(free.f_bavail * free.f_frsize - self.LEFT))

    def assert_old_value(self) -> None:
        """Assert that mount and store have the old value, and no other key."""
        assert self.file.read_bytes() == self.old
        with Store.open(self.database) as store:
            assert store.get("file").read() == self.old
            assert list(store.keys()) == ["file"]


@pytest.fixture
def full(binding: str, tmp_path: Path) -> Iterator[FullDisk]:
    """A database on a disk that is nearly full, mounted."""
    path = tmp_path / "full"
    path.mkdir()
    with small_disk(tmp_path, 8 * MIB) as disk, mounted(path, disk / "kvass.sqlite", binding):
        yield FullDisk(disk, path, os.urandom(100_000))


def save(file: Path, value: bytes, flags: int = os.O_TRUNC) -> int:
    """Save with plain system calls and return 0, or the errno of the write or close that failed."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | flags)
    failed = 0
    try:
        view = memoryview(value)
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        failed = error.errno or -1
    try:
        os.close(descriptor)
    except OSError as error:
        failed = failed or error.errno or -1
    return failed


@pytest.mark.parametrize("size", [4 * MIB, 40 * MIB], ids=["4 MiB", "40 MiB"])
@pytest.mark.parametrize("flags", [os.O_TRUNC, os.O_APPEND, 0], ids=["truncated", "appended", "in place"])
def test_a_save_on_a_full_disk_fails_and_leaves_the_old_value(full: FullDisk, flags: int, size: int) -> None:
    assert save(full.file, os.urandom(size), flags) == errno.ENOSPC
    full.assert_old_value()


def test_a_new_file_on_a_full_disk_fails_and_leaves_no_value(full: FullDisk) -> None:
    assert save(full.file.with_name("new"), os.urandom(4 * MIB)) == errno.ENOSPC
    full.assert_old_value()


def test_kvass_set_on_a_full_disk_fails_and_leaves_the_old_value(full: FullDisk) -> None:
    command = [sys.executable, "-m", "kvassfs_cli", "--db", str(full.database), "set", "file"]
    done = subprocess.run(command, input=os.urandom(4 * MIB), capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stdout == b""
    assert len(done.stderr.splitlines()) == 1
    full.assert_old_value()


def test_small_saves_fill_the_disk_until_one_fails_and_the_others_stay(full: FullDisk) -> None:
    saved: dict[str, bytes] = {}
    while not (failed := save(full.file.with_name(f"{len(saved)}"), value := os.urandom(50_000))):
        saved[f"{len(saved)}"] = value
    assert failed == errno.ENOSPC
    assert all(full.file.with_name(name).read_bytes() == value for name, value in saved.items())
    with Store.open(full.database) as store:
        assert {key: store.get(key).read() for key in store.keys()} == {**saved, "file": full.old}


@pytest.mark.parametrize("size", [20_000, 100_000, 700_000])
def test_what_filled_the_disk_can_be_removed_and_makes_room(full: FullDisk, size: int) -> None:
    mount = full.file.parent
    for number in range(1000):
        if save(mount / str(number), os.urandom(size)):
            break
    fill(full.database.parent)
    for name in os.listdir(mount)[::2]:
        (mount / name).unlink()
    for name in os.listdir(mount):
        os.truncate(mount / name, 10)
    command = [sys.executable, "-m", "kvassfs_cli", "--db", str(full.database), "rm", *os.listdir(mount)]
    assert subprocess.run(command, capture_output=True, check=False).stderr == b""
    assert os.listdir(mount) == []
    assert save(full.file, os.urandom(min(size, 20_000))) == 0


def test_saving_works_again_when_the_disk_has_room(full: FullDisk) -> None:
    assert save(full.file, os.urandom(4 * MIB)) == errno.ENOSPC
    assert save(full.file, os.urandom(4 * MIB)) == errno.ENOSPC
    full.in_the_way.unlink()
    new = os.urandom(full.LEFT)
    assert save(full.file, new) == 0
    assert full.file.read_bytes() == new
    with Store.open(full.database) as store:
        assert store.get("file").read() == new
