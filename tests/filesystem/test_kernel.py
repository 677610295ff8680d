"""What a file system meets only behind the kernel: maps, locks, descriptors in other processes, odd calls."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.filesystem.driver import raises
from tests.filesystem.marks import on_kernel
from tests.filesystem.os_driver import OsDriver

pytestmark = on_kernel

PAGES = 64 * 1024 + 4096
MIB = 1024 * 1024

HOLD_LOCK = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


# Memory maps


def test_a_shared_map_shows_and_changes_the_file(filesystem: OsDriver) -> None:
    filesystem.write_file("file", b"." * PAGES)
    with filesystem.open("file", os.O_RDWR) as handle, mmap.mmap(handle.fileno(), PAGES) as view:
        assert view[:3] == b"..."
        view[0:5] = b"first"
        view[PAGES - 4 : PAGES] = b"last"
        view.flush()
        assert handle.pread(5, 0) == b"first"
    assert filesystem.read_file("file") == b"first" + b"." * (PAGES - 9) + b"last"


def test_a_shared_map_written_after_the_descriptor_closed_is_kept(filesystem: OsDriver) -> None:
    filesystem.write_file("file", b"." * PAGES)
    with filesystem.open("file", os.O_RDWR) as handle:
        view = mmap.mmap(handle.fileno(), PAGES)
    view[10:14] = b"late"
    view.close()
    assert filesystem.read_file("file") == b"." * 10 + b"late" + b"." * (PAGES - 14)


def test_a_shared_map_of_a_new_file_is_kept(filesystem: OsDriver) -> None:
    with filesystem.open("file", os.O_RDWR | os.O_CREAT) as handle:
        handle.truncate(PAGES)
        with mmap.mmap(handle.fileno(), PAGES) as view:
            view[5000:5004] = b"data"
            view.flush()
    assert filesystem.read_file("file") == bytes(5000) + b"data" + bytes(PAGES - 5004)


def test_a_private_map_leaves_the_file(filesystem: OsDriver) -> None:
    filesystem.write_file("file", b"." * PAGES)
    with (
        filesystem.open("file", os.O_RDONLY) as handle,
        mmap.mmap(handle.fileno(), PAGES, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as view,
    ):
        view[0:5] = b"local"
        assert view[:5] == b"local"
    assert filesystem.read_file("file") == b"." * PAGES


def test_a_map_of_an_unlinked_file_goes_on(filesystem: OsDriver) -> None:
    filesystem.write_file("file", b"." * PAGES)
    with filesystem.open("file", os.O_RDWR) as handle, mmap.mmap(handle.fileno(), PAGES) as view:
        filesystem.unlink("file")
        view[0:5] = b"still"
        view.flush()
        assert handle.pread(6, 0) == b"still."
    assert filesystem.names() == []


def test_a_map_sees_what_is_written(filesystem: OsDriver) -> None:
    filesystem.write_file("file", b"." * PAGES)
    with filesystem.open("file", os.O_RDWR) as handle, mmap.mmap(handle.fileno(), PAGES) as view:
        assert view[0:1] == b"."
        handle.pwrite(b"written", 0)
        assert view[:7] == b"written"


# Locks


@contextmanager
def locked(filesystem: OsDriver, name: str, kind: str) -> Iterator[None]:
    """Hold a lock in another process."""
    command = [sys.executable, "-c", HOLD_LOCK, filesystem.path(name), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        yield
        process.communicate()
        assert process.returncode == 0


@pytest.mark.parametrize("kind", ["flock", "lockf"])
def test_a_lock_excludes_another_process_until_it_ends(filesystem: OsDriver, kind: str) -> None:
    filesystem.write_file("file", b"x")
    lock = getattr(fcntl, kind)
    with filesystem.open("file", os.O_RDWR) as handle:
        with locked(filesystem, "file", kind), raises(errno.EAGAIN, errno.EACCES):
            lock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock(handle.fileno(), fcntl.LOCK_UN)


# Descriptors


def test_a_descriptor_inherited_by_a_child_writes_after_the_parent_closed(filesystem: OsDriver) -> None:
    with filesystem.open("file", os.O_WRONLY | os.O_CREAT) as handle:
        handle.write(b"parent\n")
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=handle.fileno())
    child.communicate(b"child\n")
    assert filesystem.read_file("file") == b"parent\nchild\n"


def test_the_shell_appends(filesystem: OsDriver) -> None:
    for word in ("one", "two", "three"):
        subprocess.run(["sh", "-c", f'echo {word} >> "$1"', "sh", filesystem.path("log")], check=True)
    assert filesystem.read_file("log") == b"one\ntwo\nthree\n"


def test_the_shell_writes_several_commands_into_one_file(filesystem: OsDriver) -> None:
    script = '{ echo one; echo two; (echo three); } > "$1"'
    subprocess.run(["sh", "-c", script, "sh", filesystem.path("file")], check=True)
    assert filesystem.read_file("file") == b"one\ntwo\nthree\n"


def test_the_working_directory_can_be_below(filesystem: OsDriver) -> None:
    filesystem.mkdir("dir")
    script = "echo content > file && mv file other && cat other && pwd"
    done = subprocess.run(["sh", "-c", script], cwd=filesystem.path("dir"), check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["content", filesystem.path("dir")]


def test_calls_relative_to_a_directory_descriptor_work(filesystem: OsDriver) -> None:
    filesystem.mkdir("dir")
    descriptor = os.open(filesystem.path("dir"), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.close(os.open("file", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=descriptor))
        filesystem.rename("dir", "moved")
        os.rename("file", "other", src_dir_fd=descriptor, dst_dir_fd=descriptor)
        assert os.listdir(descriptor) == ["other"]
    finally:
        os.close(descriptor)
    assert filesystem.names("moved") == ["other"]


def test_a_directory_is_no_file_and_a_file_no_directory(filesystem: OsDriver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("file", b"x")
    with filesystem.open("dir", os.O_RDONLY) as handle, raises(errno.EISDIR):
        handle.read(1)
    with raises(errno.ENOTDIR):
        filesystem.open("file", os.O_RDONLY | os.O_DIRECTORY)


# Calls that copy and allocate


def test_space_can_be_allocated_in_advance(filesystem: OsDriver) -> None:
    filesystem.write_file("file", b"begin")
    with filesystem.open("file", os.O_RDWR) as handle:
        os.posix_fallocate(handle.fileno(), 0, 100_000)
        assert handle.stat().size == 100_000
    assert filesystem.read_file("file") == b"begin".ljust(100_000, b"\0")


def test_the_kernel_copies_from_file_to_file(filesystem: OsDriver) -> None:
    content = bytes(range(256)) * 2000
    filesystem.write_file("from", content)
    with (
        filesystem.open("from", os.O_RDONLY) as source,
        filesystem.open("to", os.O_WRONLY | os.O_CREAT) as target,
    ):
        copied = 0
        while part := os.copy_file_range(source.fileno(), target.fileno(), len(content) - copied):
            copied += part
    assert filesystem.read_file("to") == content


def test_sendfile_reads_from_a_file(filesystem: OsDriver) -> None:
    content = b"0123456789" * 10_000
    filesystem.write_file("from", content)
    with (
        filesystem.open("from", os.O_RDONLY) as source,
        filesystem.open("to", os.O_WRONLY | os.O_CREAT) as target,
    ):
        sent = 0
        while part := os.sendfile(target.fileno(), source.fileno(), sent, len(content)):
            sent += part
    assert filesystem.read_file("to") == content


def test_seeking_finds_the_end_and_data(filesystem: OsDriver) -> None:
    filesystem.write_file("file", b"0123456789")
    with filesystem.open("file", os.O_RDONLY) as handle:
        assert os.lseek(handle.fileno(), 0, os.SEEK_END) == 10
        assert os.lseek(handle.fileno(), 0, os.SEEK_DATA) == 0
        assert os.lseek(handle.fileno(), 0, os.SEEK_HOLE) == 10


def test_scattered_buffers_are_written_in_order(filesystem: OsDriver) -> None:
    with filesystem.open("file", os.O_RDWR | os.O_CREAT) as handle:
        assert os.writev(handle.fileno(), [b"one", b"", b"two", b"three"]) == 11
        buffers = [bytearray(4), bytearray(100)]
        assert os.preadv(handle.fileno(), buffers, 0) == 11
    assert bytes(buffers[0]) == b"onet"


# Temporary files and other habits


def test_an_unnamed_temporary_file_works_with_or_without_o_tmpfile(filesystem: OsDriver) -> None:
    with tempfile.TemporaryFile(dir=filesystem.root) as file:
        file.write(b"scratch")
        file.seek(0)
        assert file.read() == b"scratch"
        assert filesystem.names() == []


def test_a_named_temporary_file_replaces_a_file(filesystem: OsDriver) -> None:
    filesystem.write_file("file", b"old")
    with tempfile.NamedTemporaryFile(dir=filesystem.root, delete=False) as file:
        file.write(b"new")
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, filesystem.path("file"))
    assert filesystem.names() == ["file"]
    assert filesystem.read_file("file") == b"new"


def test_every_node_has_an_inode_of_its_own(filesystem: OsDriver) -> None:
    filesystem.mkdir("dir")
    for name in ("a", "b", "dir/a"):
        filesystem.write_file(name, b"x")
    inodes = [os.stat(filesystem.path(name)).st_ino for name in ("a", "b", "dir", "dir/a")]
    assert len(set(inodes)) == 4
    with filesystem.open("a", os.O_RDONLY) as handle:
        assert os.fstat(handle.fileno()).st_ino == inodes[0]


def test_everything_belongs_to_the_user(filesystem: OsDriver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("file", b"x")
    for name in ("dir", "file"):
        status = os.stat(filesystem.path(name))
        assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid())


def test_a_name_that_is_not_utf_8_is_refused_by_kvassfs(filesystem: OsDriver) -> None:
    if not filesystem.capabilities.kvassfs:
        pytest.skip("a plain directory takes any bytes")
    name = os.fsdecode(b"latin-\xe9")
    filesystem.write_file("file", b"x")
    with raises(errno.EILSEQ):
        filesystem.write_file(name)
    with raises(errno.EILSEQ):
        filesystem.mkdir(name)
    with raises(errno.EILSEQ):
        filesystem.symlink("file", name)
    with raises(errno.EILSEQ):
        filesystem.rename("file", name)
    with raises(errno.ENOENT):
        filesystem.stat(name)
    assert filesystem.names() == ["file"]


# Holes


def extents(descriptor: int) -> Iterator[tuple[int, int]]:
    """Yield where data begin and end."""
    end = 0
    while True:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end


def test_what_lseek_calls_a_hole_is_one(filesystem: OsDriver) -> None:
    with filesystem.open("file", os.O_RDWR | os.O_CREAT) as handle:
        handle.truncate(64 * MIB)
        for offset in (10 * MIB, 20 * MIB + 5, 64 * MIB - 1):
            handle.pwrite(b"x", offset)
        handle.fsync()
        found = list(extents(handle.fileno()))
        assert all(any(start <= at < end for start, end in found) for at in (10 * MIB, 20 * MIB + 5, 64 * MIB - 1))
        whole = os.pread(handle.fileno(), 64 * MIB, 0)
        assert whole.count(0) - sum(whole[start:end].count(0) for start, end in found) == len(whole) - sum(
            end - start for start, end in found
        )
        with raises(errno.ENXIO):
            os.lseek(handle.fileno(), 64 * MIB, os.SEEK_HOLE)


def test_cp_copies_a_hole_at_once_and_du_tells_little(filesystem: OsDriver) -> None:
    size = (1 << 43) if filesystem.capabilities.holes else 1 << 28  # libfuse 2 tells of no holes, so all is read
    with filesystem.open("file", os.O_RDWR | os.O_CREAT) as handle:
        handle.truncate(size)
        handle.pwrite(b"x", size // 2)
    for command in (["cp", "file", "copy"], ["cp", "--sparse=always", "copy", "other"]):
        subprocess.run(command, cwd=filesystem.root, check=True, timeout=60)
    for name in ("file", "copy", "other"):
        status = filesystem.stat(name)
        assert status.size == size
        assert 0 < status.blocks * 512 <= 256 * 1024
        with filesystem.open(name, os.O_RDONLY) as handle:
            assert handle.pread(3, size // 2 - 1) == b"\0x\0"


def test_posix_fallocate_extends_a_file_with_zeros(filesystem: OsDriver) -> None:
    with filesystem.open("file", os.O_RDWR | os.O_CREAT) as handle:
        handle.pwrite(b"begin", 0)
        os.posix_fallocate(handle.fileno(), 2, 2 * MIB)
        assert handle.stat().size == 2 * MIB + 2
        assert handle.pread(10, 0) == b"begin" + bytes(5)
        os.posix_fallocate(handle.fileno(), 0, 10)
        assert handle.stat().size == 2 * MIB + 2
    assert filesystem.read_file("file") == b"begin".ljust(2 * MIB + 2, b"\0")
