"""The adapter: what each callback asks of the file system, what it leaves in libfuse's memory, and what it answers."""

from __future__ import annotations

import ctypes
import errno
import importlib
import logging
import os
import stat
from collections.abc import Callable
from typing import Any

import pytest

from kvassfs.errors import KeyMissing
from kvassfs.mount.binding import BINDINGS, choose
from kvassfs.mount.operations import BLOCK_SIZE, FILL_DIR_PLUS, UTIME_NOW, UTIME_OMIT, make_callbacks
from kvassfs.mount.stat import Attributes
from kvassfs.mount.structures import Layout

NOW = 1_700_000_000_123_456_789
FILE = Attributes(mode=stat.S_IFREG | 0o640, size=1025, mtime=5_000_000_006, atime=-1, ctime=9_000_000_010, inode=42)
DIRECTORY = Attributes(mode=stat.S_IFDIR | 0o700, size=0, mtime=1, atime=2, ctime=3, inode=43)


class Recorder:
    """A `Filesystem` that records its calls and returns, or raises, what the test gave it for each."""

    uid = 1000
    gid = 1001

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {"now": NOW, "shares_cache": True}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            kept = [bytes(value) if isinstance(value, memoryview) else value for value in arguments]
            if name not in {"now", "shares_cache"}:
                self.calls.append((name, *kept))
            answer = self.answers.get(name)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return call


class Fixture:
    """The callbacks of one binding over a `Recorder`, and structures as libfuse would pass them."""

    def __init__(self, name: str) -> None:
        binding = choose(name)
        self.major = binding.major
        self.module = importlib.import_module(BINDINGS[name][0])
        self.layout: Layout = binding.layout
        self.filesystem = Recorder()
        self.call = make_callbacks(self.filesystem, self.layout)  # type: ignore[arg-type]
        self.info = self.module.fuse_file_info(flags=os.O_RDWR)
        self.at = ctypes.addressof(self.info)

    def answer(self, **answers: Any) -> None:
        self.filesystem.answers.update(answers)

    @property
    def asked(self) -> list[tuple[Any, ...]]:
        return self.filesystem.calls


@pytest.fixture(params=BINDINGS)
def fuse(request: pytest.FixtureRequest) -> Fixture:
    return Fixture(request.param)


# Errors


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a bug"),
        OSError("without a number"),
        OSError(-5, "negative"),
        OSError(0, "none"),
        OSError(512, "ERESTARTSYS, which the kernel refuses from a file system"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "in the file system itself"),
        SystemExit(1),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_an_unexpected_error_is_logged_and_becomes_eio(
    fuse: Fixture, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    fuse.answer(unlink=error)
    assert fuse.call["unlink"](b"/file") == -errno.EIO
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_each_callback_answers_an_error_with_its_errno(fuse: Fixture) -> None:
    arguments: dict[str, tuple[Any, ...]] = {
        "getattr": (b"/a", 0),
        "fgetattr": (b"/a", 0, fuse.at),
        "chmod": (b"/a", 0o600),
        "chown": (b"/a", 0, 0),
        "utimens": (b"/a", 0),
        "mknod": (b"/a", 0o100600, 0),
        "mkdir": (b"/a", 0o700),
        "unlink": (b"/a",),
        "rmdir": (b"/a",),
        "symlink": (b"target", b"/a"),
        "readlink": (b"/a", 0, 0),
        "rename": (b"/a", b"/b"),
        "link": (b"/a", b"/b"),
        "create": (b"/a", 0o600, fuse.at),
        "open": (b"/a", fuse.at),
        "read": (b"/a", 0, 1, 0, fuse.at),
        "write": (b"/a", 0, 0, 0, fuse.at),
        "truncate": (b"/a", 0),
        "ftruncate": (b"/a", 0, fuse.at),
        "fallocate": (b"/a", 0, 0, 1, fuse.at),
        "lseek": (b"/a", 0, os.SEEK_DATA, fuse.at),
        "flush": (b"/a", fuse.at),
        "fsync": (b"/a", 0, fuse.at),
        "release": (b"/a", fuse.at),
        "readdir": (b"/a", 0, 0, 0, fuse.at),
        "fsyncdir": (b"/a", 0, fuse.at),
        "statfs": (b"/", 0),
        "getxattr": (b"/a", b"user.x", 0, 0),
        "listxattr": (b"/a", 0, 0),
        "setxattr": (b"/a", b"user.x", 0, 0, 0),
        "removexattr": (b"/a", b"user.x"),
    }
    assert arguments.keys() | {"opendir", "releasedir"} == fuse.call.keys()
    fuse.answer(**dict.fromkeys([*arguments, "listdir"], OSError(errno.ESTALE, "")))
    for name, given in arguments.items():
        assert fuse.call[name](*given) == -errno.ESTALE, name


# Names


@pytest.mark.parametrize("name", ["getattr", "unlink", "rmdir", "readlink"])
def test_a_name_that_is_not_utf_8_does_not_exist(fuse: Fixture, name: str) -> None:
    more = {"getattr": (0,), "readlink": (0, 0)}.get(name, ())
    assert fuse.call[name](b"/\xff", *more) == -errno.ENOENT
    assert fuse.asked == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("create", (b"/\xff", 0o600, None)),
        ("mknod", (b"/\xff", 0o100600, 0)),
        ("mkdir", (b"/\xff", 0o700)),
        ("symlink", (b"target", b"/\xff")),
        ("symlink", (b"\xff", b"/link")),
        ("rename", (b"/a", b"/\xff")),
        ("link", (b"/a", b"/\xff")),
    ],
)
def test_a_name_that_is_not_utf_8_cannot_be_made(fuse: Fixture, name: str, arguments: tuple[Any, ...]) -> None:
    given = [fuse.at if argument is None else argument for argument in arguments]
    assert fuse.call[name](*given) == -errno.EILSEQ
    assert fuse.asked == []


LONG = "é".encode() * 127 + b"x"  # 255 bytes


def test_a_name_of_255_bytes_is_not_too_long(fuse: Fixture) -> None:
    fuse.answer(create=7)
    assert fuse.call["mkdir"](b"/directory/" + LONG, 0o700) == 0
    assert fuse.call["create"](b"/" + LONG + b"/" + LONG, 0o600, fuse.at) == 0


@pytest.mark.parametrize("name", ["getattr", "create", "mknod", "mkdir", "symlink", "rename", "link"])
def test_a_name_of_256_bytes_is_too_long(fuse: Fixture, name: str) -> None:
    path = b"/directory/" + LONG + b"y"
    arguments = {
        "getattr": (path, 0),
        "create": (path, 0o600, fuse.at),
        "mknod": (path, 0o100600, 0),
        "mkdir": (path, 0o700),
        "symlink": (b"target", path),
    }.get(name, (b"/a", path))
    assert fuse.call[name](*arguments) == -errno.ENAMETOOLONG
    assert fuse.asked == []


def test_names_are_passed_on_decoded(fuse: Fixture) -> None:
    path, other = "/é😀\n".encode(), "/e\u0301".encode()
    fuse.call["mkdir"](path, 0o700)
    fuse.call["rename"](path, other)
    fuse.call["symlink"]("zïel".encode(), other)
    fuse.call["mknod"](other, 0o100600, 0)
    fuse.call["link"](path, other)
    assert fuse.asked == [
        ("mkdir", "/é😀\n", 0o700),
        ("rename", "/é😀\n", "/e\u0301", 0),
        ("symlink", "zïel", "/e\u0301"),
        ("mknod", "/e\u0301", 0o100600),
        ("link", "/é😀\n", "/e\u0301"),
    ]


def test_the_flags_of_a_rename_are_passed_on(fuse: Fixture) -> None:
    fuse.call["rename"](b"/a", b"/b", 2)
    assert fuse.asked == [("rename", "/a", "/b", 2)]


def test_a_links_target_ends_in_nul_and_is_cut_to_the_buffer(fuse: Fixture) -> None:
    fuse.answer(readlink="tärget")
    buffer = ctypes.create_string_buffer(b"x" * 16)
    assert fuse.call["readlink"](b"/link", ctypes.addressof(buffer), 16) == 0
    assert buffer.value == "tärget".encode()
    assert fuse.call["readlink"](b"/link", ctypes.addressof(buffer), 4) == 0
    assert buffer.value == b"t\xc3\xa4"


# Attributes


def test_attributes_fill_a_stat(fuse: Fixture) -> None:
    fuse.answer(getattr=FILE)
    buffer = ctypes.create_string_buffer(b"\xff" * 256)
    assert fuse.call["getattr"](b"/dir/file", ctypes.addressof(buffer)) == 0
    found = fuse.module.c_stat.from_buffer(buffer)
    assert fuse.asked == [("getattr", "/dir/file")]
    assert (found.st_mode, found.st_nlink, found.st_uid, found.st_gid) == (FILE.mode, 1, 1000, 1001)
    assert (found.st_size, found.st_blksize, found.st_blocks) == (1025, BLOCK_SIZE, 3)
    assert (found.st_mtimespec.tv_sec, found.st_mtimespec.tv_nsec) == (5, 6)
    assert (found.st_atimespec.tv_sec, found.st_atimespec.tv_nsec) == (-1, 999_999_999)
    assert (found.st_ctimespec.tv_sec, found.st_ctimespec.tv_nsec) == (9, 10)


def test_holes_are_no_blocks(fuse: Fixture) -> None:
    fuse.answer(getattr=FILE._replace(size=10_000, holes=8192))
    buffer = ctypes.create_string_buffer(256)
    assert fuse.call["getattr"](b"/file", ctypes.addressof(buffer)) == 0
    found = fuse.module.c_stat.from_buffer(buffer)
    assert (found.st_size, found.st_blocks) == (10_000, 4)


def test_holes_are_looked_for_and_room_is_asked_for_by_the_handle(fuse: Fixture) -> None:
    fuse.answer(lseek=1 << 50)
    fuse.info.fh = 77
    assert fuse.call["lseek"](b"/file", 5, os.SEEK_DATA, fuse.at) == 1 << 50
    assert fuse.call["fallocate"](None, 1, 5, 1 << 40, fuse.at) == 0
    assert fuse.asked == [("lseek", 77, 5, os.SEEK_DATA), ("fallocate", 77, 1, 5, 1 << 40)]


@pytest.mark.parametrize("name", ["getattr", "fgetattr"])
def test_attributes_of_an_open_file_are_asked_for_by_its_handle(fuse: Fixture, name: str) -> None:
    fuse.answer(getattr=FILE)
    fuse.info.fh = 77
    buffer = ctypes.create_string_buffer(256)
    assert fuse.call[name](b"/file", ctypes.addressof(buffer), fuse.at) == 0
    assert fuse.asked == [("getattr", "/file", 77)]


def test_an_open_file_whose_directory_is_gone_has_no_path(fuse: Fixture) -> None:
    """libfuse then passes NULL."""
    fuse.answer(getattr=FILE, write=1, read=b"x")
    fuse.info.fh = 7
    buffer = ctypes.create_string_buffer(256)
    at = ctypes.addressof(buffer)
    calls: list[tuple[str, tuple[Any, ...]]] = [
        ("getattr", (at, fuse.at)),
        ("ftruncate", (5, fuse.at)),
        ("chmod", (0o600, fuse.at)),
        ("utimens", (0, fuse.at)),
        ("write", (at, 1, 0, fuse.at)),
        ("read", (at, 1, 0, fuse.at)),
        ("flush", (fuse.at,)),
        ("release", (fuse.at,)),
    ]
    assert [fuse.call[name](None, *arguments) for name, arguments in calls] == [0, 0, 0, 0, 1, 1, 0, 0]
    assert fuse.asked[:4] == [
        ("getattr", "", 7),
        ("truncate", "", 5, 7),
        ("chmod", "", 0o600, 7),
        ("utimens", "", NOW, NOW, 7),
    ]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (((5, 6), (7, 8)), (5_000_000_006, 7_000_000_008)),
        (((-1, 5), (0, 0)), (-999_999_995, 0)),
        (((0, UTIME_NOW), (0, UTIME_NOW)), (NOW, NOW)),
        (((0, UTIME_OMIT), (0, UTIME_NOW)), (None, NOW)),
        (((0, UTIME_NOW), (0, UTIME_OMIT)), (NOW, None)),
        (((3, UTIME_OMIT), (4, 5)), (None, 4_000_000_005)),
    ],
    ids=["times", "before 1970", "touch", "touch -m", "touch -a", "mtime only"],
)
def test_times_now_and_omitted_are_told_apart(fuse: Fixture, given: Any, wanted: tuple[int | None, int | None]) -> None:
    times = fuse.module.c_utimbuf(*given)
    assert fuse.call["utimens"](b"/file", ctypes.addressof(times)) == 0
    assert fuse.asked == [("utimens", "/file", *wanted, None)]


def test_no_times_are_now(fuse: Fixture) -> None:
    fuse.info.fh = 3
    assert fuse.call["utimens"](b"/file", 0, fuse.at) == 0
    assert fuse.asked == [("utimens", "/file", NOW, NOW, 3)]


def test_an_owner_of_minus_one_is_left_as_it_is(fuse: Fixture) -> None:
    fuse.call["chown"](b"/file", 2**32 - 1, 5)
    fuse.call["chown"](b"/file", 6, 2**32 - 1, fuse.at)
    fuse.call["chmod"](b"/file", 0o640)
    assert fuse.asked == [
        ("chown", "/file", -1, 5, None),
        ("chown", "/file", 6, -1, 0),
        ("chmod", "/file", 0o640, None),
    ]


def test_the_disks_figures_fill_a_statvfs(fuse: Fixture) -> None:
    figures = os.statvfs_result((512, 1024, 2**40, 2**39, 2**38, 7, 6, 5, 1, 255))
    fuse.answer(statfs=figures)
    found = fuse.module.c_statvfs()
    assert fuse.call["statfs"](b"/", ctypes.addressof(found)) == 0
    names = [name for name in fuse.layout.statvfs_fields if name != "f_fsid"]
    assert [getattr(found, name) for name in names] == [getattr(figures, name) for name in names]
    assert (found.f_blocks, found.f_namemax) == (2**40, 255)


# Open files


@pytest.mark.parametrize("shared", [True, False])
def test_opening_returns_handle_and_cache_flags(fuse: Fixture, shared: bool) -> None:
    fuse.answer(open=41, create=42, shares_cache=shared)
    fuse.info.flags = os.O_WRONLY | os.O_TRUNC
    assert fuse.call["open"](b"/file", fuse.at) == 0
    assert (fuse.info.fh, fuse.info.keep_cache, fuse.info.direct_io) == (41, int(shared), int(not shared))
    assert fuse.call["create"](b"/new", 0o100640, fuse.at) == 0
    assert fuse.info.fh == 42
    assert fuse.asked == [
        ("open", "/file", os.O_WRONLY | os.O_TRUNC),
        ("create", "/new", 0o100640, os.O_WRONLY | os.O_TRUNC),
    ]


@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_what_is_read_lies_in_libfuses_buffer(fuse: Fixture, kind: Any) -> None:
    fuse.answer(read=kind(b"data"))
    fuse.info.fh = 5
    buffer = ctypes.create_string_buffer(b"x" * 8)
    assert fuse.call["read"](b"/file", ctypes.addressof(buffer), 6, 1 << 40, fuse.at) == 4
    assert buffer.raw == b"dataxxxx\0"
    assert fuse.asked == [("read", 5, 6, 1 << 40)]


def test_the_end_of_a_file_is_nothing_read(fuse: Fixture) -> None:
    fuse.answer(read=b"")
    assert fuse.call["read"](b"/file", 0, 6, 0, fuse.at) == 0


def test_more_than_was_asked_for_never_leaves_the_buffer(fuse: Fixture, caplog: pytest.LogCaptureFixture) -> None:
    fuse.answer(read=b"12345")
    buffer = ctypes.create_string_buffer(8)
    assert fuse.call["read"](b"/file", ctypes.addressof(buffer), 4, 0, fuse.at) == -errno.EIO
    assert buffer.raw == bytes(8)
    assert "5 bytes read where 4 were asked for" in caplog.text


def test_what_is_written_comes_from_libfuses_buffer(fuse: Fixture) -> None:
    fuse.answer(write=4)
    fuse.info.fh = 5
    buffer = ctypes.create_string_buffer(b"data and more")
    assert fuse.call["write"](b"/file", ctypes.addressof(buffer), 4, 1 << 40, fuse.at) == 4
    assert fuse.asked == [("write", 5, b"data", 1 << 40)]


@pytest.mark.parametrize(
    ("flags", "flushed"),
    [
        (os.O_RDONLY, False),
        (os.O_RDONLY | os.O_NOFOLLOW, False),
        (os.O_RDONLY | os.O_TRUNC, True),
        (os.O_WRONLY, True),
        (os.O_RDWR | os.O_APPEND, True),
    ],
)
def test_a_file_that_is_only_read_is_not_flushed(flags: int, flushed: bool) -> None:
    fuse = Fixture("mfusepy")
    fuse.answer(open=1)
    fuse.info.flags = flags
    assert fuse.call["open"](b"/file", fuse.at) == 0
    assert fuse.info.noflush == int(not flushed)


@pytest.mark.parametrize("gone", [FileNotFoundError(errno.ENOENT, ""), KeyMissing("file")])
def test_of_what_has_gone_since_it_was_looked_up_the_kernel_looks_anew(fuse: Fixture, gone: Exception) -> None:
    fuse.answer(open=gone)
    assert fuse.call["open"](b"/file", fuse.at) == -errno.ESTALE


def test_calls_on_an_open_file_pass_its_handle(fuse: Fixture) -> None:
    fuse.info.fh = 9
    fuse.call["flush"](b"/file", fuse.at)
    fuse.call["fsync"](b"/file", 1, fuse.at)
    fuse.call["release"](b"/file", fuse.at)
    fuse.call["ftruncate"](b"/file", 1 << 40, fuse.at)
    fuse.call["truncate"](b"/file", 3)
    fuse.call["fsyncdir"](b"/", 0, fuse.at)
    assert fuse.asked == [
        ("flush", 9),
        ("fsync", 9),
        ("release", 9),
        ("truncate", "/file", 1 << 40, 9),
        ("truncate", "/file", 3, None),
        ("fsyncdir",),
    ]


# Directories


class Filler:
    """libfuse's filler: keeps what it is given, and is full after `room` entries."""

    def __init__(self, fuse: Fixture, room: int = 100) -> None:
        self.entries: list[tuple[str, int, int, int]] = []
        self.flags: list[int] = []
        self.room = room
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        flags = [ctypes.c_int] if fuse.major == 3 else []
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, pointer, ctypes.c_char_p, ctypes.POINTER(fuse.module.c_stat), number, *flags
        )
        self.function = kind(self.fill)
        self.address = ctypes.cast(self.function, pointer).value or 0

    def fill(self, buffer: int, name: bytes, stat: Any, offset: int, *flags: int) -> int:
        assert buffer == 1234
        if len(self.entries) == self.room:
            return 1
        found = stat.contents
        self.entries.append((name.decode(), found.st_mode, found.st_ino, offset))
        self.flags += flags
        return 0


def test_a_directory_is_listed_with_attributes_and_positions(fuse: Fixture) -> None:
    fuse.answer(listdir=[(".", DIRECTORY), ("..", DIRECTORY), ("é", FILE)])
    filler = Filler(fuse)
    assert fuse.call["opendir"](b"/d", fuse.at) == 0
    assert fuse.call["readdir"](b"/d", 1234, filler.address, 0, fuse.at, *(1,) * fuse.layout.filler_flags) == 0
    assert filler.entries == [
        (".", DIRECTORY.mode, DIRECTORY.inode, 1),
        ("..", DIRECTORY.mode, DIRECTORY.inode, 2),
        ("é", FILE.mode, FILE.inode, 3),
    ]
    assert filler.flags == [FILL_DIR_PLUS] * 3 * fuse.layout.filler_flags
    assert fuse.asked == [("listdir", "/d")]


def test_libfuse_is_given_no_attributes_that_it_does_not_want(fuse: Fixture) -> None:
    fuse.answer(listdir=[("a", FILE)])
    filler = Filler(fuse)
    assert fuse.call["readdir"](b"/d", 1234, filler.address, 0, fuse.at) == 0
    assert filler.flags == [0] * fuse.layout.filler_flags


def test_a_listing_goes_on_where_the_buffer_was_full(fuse: Fixture) -> None:
    names = [f"file {number}" for number in range(10)]
    fuse.answer(listdir=[(name, FILE) for name in names])
    offset, listed = 0, []
    while True:
        filler = Filler(fuse, room=4)
        assert fuse.call["readdir"](b"/d", 1234, filler.address, offset, fuse.at) == 0
        if not filler.entries:
            break
        listed += [entry[0] for entry in filler.entries]
        offset = filler.entries[-1][3]
    assert listed == names
    assert len([call for call in fuse.asked if call[0] == "listdir"]) == 1


def names_listed(fuse: Fixture, offset: int = 0) -> list[str]:
    filler = Filler(fuse)
    assert fuse.call["readdir"](b"/d", 1234, filler.address, offset, fuse.at) == 0
    return [entry[0] for entry in filler.entries]


def test_a_directory_is_listed_as_it_is_when_that_begins(fuse: Fixture) -> None:
    fuse.call["opendir"](b"/d", fuse.at)
    fuse.answer(listdir=[("first", FILE), ("second", FILE)])
    assert names_listed(fuse) == ["first", "second"]
    fuse.answer(listdir=[("third", FILE)])
    assert names_listed(fuse, 1) == ["second"]
    assert names_listed(fuse) == ["third"]


def test_each_open_directory_has_its_own_listing(fuse: Fixture) -> None:
    handles = []
    for name in ("one", "other"):
        fuse.call["opendir"](b"/d", fuse.at)
        handles.append(fuse.info.fh)
        fuse.answer(listdir=[("skipped", FILE), (name, FILE)])
        names_listed(fuse)
    for handle, name in zip(handles, ("one", "other"), strict=True):
        fuse.info.fh = handle
        assert names_listed(fuse, 1) == [name]
        assert fuse.call["releasedir"](b"/d", fuse.at) == 0


def test_a_directory_that_is_gone_is_not_listed(fuse: Fixture) -> None:
    fuse.call["opendir"](b"/d", fuse.at)
    fuse.answer(listdir=OSError(errno.ENOENT, ""))
    assert fuse.call["readdir"](b"/d", 1234, 0, 0, fuse.at) == -errno.ENOENT


@pytest.mark.parametrize(
    ("path", "is_kept"),
    [(b"/.kvass", False), (b"/.kvass/deleted/a", False), (b"/a", True), (b"/a/.kvass", True), (b"/%.kvass", True)],
)
def test_of_what_is_in_the_dot_directory_the_kernel_keeps_nothing(fuse: Fixture, path: bytes, is_kept: bool) -> None:
    """It changes by itself. libfuse reads its timeouts when a callback has answered, and for each name of a listing."""
    fuse.answer(getattr=FILE, listdir=[("a", FILE)])
    timeouts = (ctypes.c_double * 3)(60, 0.5, 60)
    fuse.layout.cache_times.find(ctypes.addressof(timeouts), [0], [60, 0.5, 60])
    buffer = ctypes.create_string_buffer(256)
    kept = [60, 0.5, 60] if is_kept else [0, 0, 0]
    for _ in range(2):
        assert fuse.call["getattr"](path, ctypes.addressof(buffer)) == 0
        assert list(timeouts) == kept
        assert fuse.call["getattr"](b"/b", ctypes.addressof(buffer)) == 0
        assert list(timeouts) == [60, 0.5, 60]
        assert fuse.call["readdir"](path, 1234, Filler(fuse).address, 0, fuse.at) == 0
        assert list(timeouts) == kept
        assert fuse.call["readdir"](b"/", 1234, Filler(fuse).address, 0, fuse.at) == 0
        assert list(timeouts) == [60, 0.5, 60]


# Extended attributes


def test_the_kernel_finds_no_capabilities_and_nobody_is_asked(fuse: Fixture) -> None:
    assert fuse.call["getxattr"](b"/file", b"security.capability", 0, 0) == -errno.ENODATA
    assert fuse.asked == []


def test_an_attribute_is_measured_and_then_read(fuse: Fixture) -> None:
    fuse.answer(getxattr=b"value")
    buffer = ctypes.create_string_buffer(b"x" * 8)
    at = ctypes.addressof(buffer)
    assert fuse.call["getxattr"](b"/file", b"user.x", 0, 0) == 5
    assert fuse.call["getxattr"](b"/file", b"user.x", at, 4) == -errno.ERANGE
    assert fuse.call["getxattr"](b"/file", b"user.x", at, 5) == 5
    assert buffer.raw == b"valuexxx\0"


def test_names_of_attributes_each_end_in_nul(fuse: Fixture) -> None:
    fuse.answer(listxattr=[b"user.a", b"user.b"])
    buffer = ctypes.create_string_buffer(32)
    assert fuse.call["listxattr"](b"/file", 0, 0) == 14
    assert fuse.call["listxattr"](b"/file", ctypes.addressof(buffer), 13) == -errno.ERANGE
    assert fuse.call["listxattr"](b"/file", ctypes.addressof(buffer), 32) == 14
    assert buffer.raw[:14] == b"user.a\0user.b\0"


def test_setting_and_removing_attributes_is_passed_on(fuse: Fixture) -> None:
    buffer = ctypes.create_string_buffer(b"value")
    fuse.call["setxattr"](b"/file", b"user.x", ctypes.addressof(buffer), 5, 1)
    fuse.call["setxattr"](b"/file", b"user.x", 0, 0, 0)
    fuse.call["removexattr"](b"/file", b"user.x")
    assert fuse.asked == [
        ("setxattr", "/file", b"user.x", b"value", 1),
        ("setxattr", "/file", b"user.x", b"", 0),
        ("removexattr", "/file", b"user.x"),
    ]


def test_the_root_tells_who_serves_it(fuse: Fixture) -> None:
    buffer = ctypes.create_string_buffer(16)
    length = fuse.call["getxattr"](b"/", b"user.kvass.pid", ctypes.addressof(buffer), 16)
    assert buffer.raw[:length] == str(os.getpid()).encode()
    fuse.answer(getxattr=OSError(errno.ENODATA, ""))
    assert fuse.call["getxattr"](b"/file", b"user.kvass.pid", 0, 0) == -errno.ENODATA
