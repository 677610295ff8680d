"""libfuse's structures as plain memory, against the bindings' own ctypes and against the C library."""

from __future__ import annotations

import ctypes
import importlib
import os
from pathlib import Path
from typing import Any

import pytest

from kvassfs.mount import structures
from kvassfs.mount.binding import BINDINGS, choose
from kvassfs.mount.errors import MountError
from kvassfs.mount.structures import Layout


@pytest.fixture(params=BINDINGS)
def module(request: pytest.FixtureRequest) -> Any:
    choose(request.param)
    return importlib.import_module(BINDINGS[request.param][0])


@pytest.fixture
def layout(module: Any) -> Layout:
    return Layout(module, BINDINGS["mfusepy" if module.__name__ == "mfusepy" else "fusepy"][1])


def test_memory_is_the_memory_of_the_process(layout: Layout) -> None:
    number = ctypes.c_uint64(7)
    address = ctypes.addressof(number)
    assert layout.words[address >> 3] == 7
    layout.memory[address : address + 8] = (1 << 40).to_bytes(8, "little")
    assert number.value == 1 << 40


def test_what_is_packed_as_stat_is_what_the_binding_reads_there(module: Any, layout: Layout) -> None:
    buffer = ctypes.create_string_buffer(b"\xff" * ctypes.sizeof(module.c_stat))
    mode_and_links = (0o100644, 3) if layout.mode_first else (3, 0o100644)
    numbers = (1 << 33, 4096, 1 << 35, 11, 12, 13, 14, 15, 16)
    layout.stat.pack_into(buffer, 0, (1 << 32) - 1, *mode_and_links, 1000, 1001, *numbers)
    found = module.c_stat.from_buffer(buffer)
    assert (found.st_ino, found.st_mode, found.st_nlink) == ((1 << 32) - 1, 0o100644, 3)
    assert (found.st_uid, found.st_gid, found.st_dev, found.st_rdev) == (1000, 1001, 0, 0)
    assert (found.st_size, found.st_blksize, found.st_blocks) == numbers[:3]
    times = (found.st_atimespec, found.st_mtimespec, found.st_ctimespec)
    assert tuple(part for time in times for part in (time.tv_sec, time.tv_nsec)) == numbers[3:]


def test_stat_is_laid_out_as_the_c_library_has_it(module: Any, tmp_path: Path) -> None:
    """The bindings know few machines; on another their layout would be wrong, and this test fails there."""
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    os.chmod(file, 0o640)
    os.utime(file, ns=(1_000_000_001, 2_000_000_002))
    buffer, wanted = ctypes.create_string_buffer(structures.STAT_SIZE), os.stat(file)
    assert ctypes.CDLL(None).stat(os.fsencode(file), buffer) == 0
    found = module.c_stat.from_buffer(buffer)
    for name in ("st_ino", "st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blksize", "st_blocks"):
        assert getattr(found, name) == getattr(wanted, name), name
    assert (found.st_atimespec.tv_sec, found.st_atimespec.tv_nsec) == (1, 1)
    assert (found.st_mtimespec.tv_sec, found.st_mtimespec.tv_nsec) == (2, 2)
    ctime = found.st_ctimespec
    assert ctime.tv_sec * 10**9 + ctime.tv_nsec == wanted.st_ctime_ns


def test_what_is_packed_as_statvfs_is_what_the_binding_reads_there(module: Any, layout: Layout) -> None:
    found = module.c_statvfs()
    numbers = {name: number for number, name in enumerate(layout.statvfs_fields, 2**63)}
    address = ctypes.addressof(found)
    layout.statvfs.pack_into(layout.memory, address, *numbers.values())
    assert {name: getattr(found, name) for name in numbers} == numbers
    assert {"f_namemax", "f_blocks", "f_bsize", "f_frsize", "f_bavail"} <= numbers.keys()


def test_the_handle_and_the_flags_of_an_open_file(module: Any, layout: Layout) -> None:
    info = module.fuse_file_info(flags=os.O_RDWR | os.O_APPEND)
    address = ctypes.addressof(info)
    assert layout.flags(address) == os.O_RDWR | os.O_APPEND
    layout.words[address + layout.handle >> 3] = 1 << 63
    assert info.fh == 1 << 63


@pytest.mark.parametrize(
    ("shared", "flush", "bits"),
    [
        (True, True, {"keep_cache"}),
        (False, True, {"direct_io"}),
        (True, False, {"keep_cache", "noflush"}),
        (False, False, {"direct_io", "noflush"}),
    ],
)
def test_what_the_kernel_may_do_with_an_open_file(
    module: Any, layout: Layout, shared: bool, flush: bool, bits: set[str]
) -> None:
    info = module.fuse_file_info(flags=1, fh=2)
    layout.opened(ctypes.addressof(info), shared=shared, flush=flush)
    known = {name for name, *_ in info._fields_}
    assert {name for name in known if getattr(info, name)} == {"flags", "fh"} | bits & known


def test_pointers_become_numbers_and_names_stay_bytes() -> None:
    prototype = ctypes.CFUNCTYPE(
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.POINTER(ctypes.c_int),
        ctypes.c_void_p,
        ctypes.c_longlong,
        ctypes.c_uint,
    )
    found = structures.strip_pointers(prototype)
    assert found._restype_ is ctypes.c_size_t
    assert found._argtypes_ == (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_longlong, ctypes.c_uint)


def test_a_structure_in_another_order_is_refused() -> None:
    class Strange(ctypes.Structure):
        _fields_ = [("second", ctypes.c_int), ("first", ctypes.c_int)]

    with pytest.raises(MountError, match="not supported on this machine"):
        structures._packer(Strange, ["first", "second"])


def test_a_32_bit_system_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.maxsize", 2**31 - 1)
    with pytest.raises(MountError, match="64-bit"):
        structures._memory()


# For how long the kernel keeps what it is told


TIMEOUTS = [60.0, 0.5, 60.0]


class Memory:
    """Memory of libfuse with timeouts somewhere in it."""

    def __init__(self, before: int) -> None:
        self.words = (ctypes.c_double * (before + 5))(*[7.0] * before, *TIMEOUTS, 60.0, 0.5)
        self.before = before
        self.address = ctypes.addressof(self.words)

    @property
    def timeouts(self) -> list[float]:
        return self.words[self.before : self.before + 3]

    @property
    def others(self) -> list[float]:
        return self.words[: self.before] + self.words[self.before + 3 :]


@pytest.mark.parametrize("before", [0, 1, 20])
def test_the_kernel_is_to_keep_nothing_for_a_while(layout: Layout, before: int) -> None:
    memory, times = Memory(before), layout.cache_times
    others = memory.others
    times.find(memory.address, range(0, 256, 8), TIMEOUTS)
    seen = [(times.suspended, memory.timeouts)]
    for change in (times.suspend, times.resume):
        change()
        seen.append((times.suspended, memory.timeouts))
    assert seen == [(False, TIMEOUTS), (True, [0.0, 0.0, 0.0]), (False, TIMEOUTS)]
    assert memory.others == others


def test_where_there_are_other_timeouts_than_were_configured_nothing_is_changed(layout: Layout) -> None:
    memory, times = Memory(2), layout.cache_times
    before = list(memory.words)
    times.find(memory.address, range(0, 40, 8), [60.0, 0.5, 61.0])
    times.find(0, range(0, 40, 8), TIMEOUTS)
    times.suspend()
    times.resume()
    assert list(memory.words) == before
