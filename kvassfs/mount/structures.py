"""libfuse's C structures as plain memory, for callbacks that get pointers as integers.

Python objects for pointers and structures cost more than what most callbacks have to do. So there is one view
of the process's whole memory, and offsets and formats of the structures in it, which are taken from the ctypes
structures that a binding describes.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from .errors import MountError

STATVFS: Final = frozenset(name for name in dir(os.statvfs_result) if name.startswith("f_"))
STAT_START: Final = {
    True: ("st_ino", "st_mode", "st_nlink", "st_uid", "st_gid"),
    False: ("st_ino", "st_nlink", "st_mode", "st_uid", "st_gid"),
}
STAT_REST: Final = ("st_size", "st_blksize", "st_blocks", "st_atimespec", "st_mtimespec", "st_ctimespec")

STAT_SIZE: Final = 256
"""Room for a ``struct stat``, of which libfuse copies all; fusepy's structure lacks the reserved end."""


class Layout:
    """The process's memory as libfuse's structures divide it.

    Attributes:
        memory: all addresses as one writable buffer of bytes. Nothing is checked: an address that is not libfuse's
            ends the process.
        words: the same in units of 8 bytes.
        handle: offset of ``fh`` in ``struct fuse_file_info``.
        stat: packs inode, mode and link count (or link count and mode, if not ``mode_first``), uid, gid, size, block
            size, blocks, and seconds and nanoseconds of atime, mtime and ctime.
        entry_stat: address of a ``struct stat`` for use within one callback.
        statvfs: packs the numbers named ``statvfs_fields``.
        timespecs: unpacks the two ``struct timespec`` of utimens.
        filler: returns the function at an address, of the type of readdir's filler.
        filler_flags: the number of flags that the filler takes: 1 since libfuse 3.
        cache_times: for how long the kernel is told to keep what it is told.
    """

    def __init__(self, module: Any, major: int) -> None:
        self.memory = _memory()
        self.words = self.memory.cast("Q")
        self._ints = self.memory.cast("I")
        self._open_flags = module.fuse_file_info.flags.offset
        self._keep_cache = _bit(module.fuse_file_info, "keep_cache")
        self._direct_io = _bit(module.fuse_file_info, "direct_io")
        self._no_flush = _bit(module.fuse_file_info, "noflush")
        self.handle = module.fuse_file_info.fh.offset
        self.stat, self.mode_first = _stat(module.c_stat)
        self._entry_stat = ctypes.create_string_buffer(STAT_SIZE)
        self.entry_stat = ctypes.addressof(self._entry_stat)
        self.statvfs_fields = [name for name, *_ in module.c_statvfs._fields_ if name in STATVFS]
        self.statvfs = _packer(module.c_statvfs, self.statvfs_fields)
        self.timespecs = struct.Struct("@4l")
        self.filler_flags = 1 if major >= 3 else 0
        self.filler = _filler(self.filler_flags)
        self.cache_times = CacheTimes(self.words)

    def flags(self, info: int) -> int:
        """Return ``flags`` of the ``struct fuse_file_info`` at ``info``: those of open()."""
        flags: int = self._ints[info + self._open_flags >> 2]
        return flags

    def opened(self, info: int, *, shared: bool, flush: bool) -> None:
        """Say in a ``struct fuse_file_info`` what the kernel may do with an open file.

        ``shared``: answer reads from what it keeps of the file; ``flush``: ask for a flush() at close(), which it
        always does with libfuse 2.
        """
        offset, bit = self._keep_cache if shared else self._direct_io
        self._ints[info + offset >> 2] |= bit
        if not flush:
            offset, bit = self._no_flush
            self._ints[info + offset >> 2] |= bit


class CacheTimes:
    """The timeouts that libfuse tells the kernel with each name and its attributes: one set of them for the whole mount.

    libfuse reads them after the callback that they concern, in the same thread. So a callback can have the kernel keep
    nothing of what it is about to be told.

    Attributes:
        suspended: whether the kernel is to keep nothing.
    """

    def __init__(self, words: memoryview) -> None:
        self._words = words
        self._place = slice(0, 0)
        self._configured = self._none = words[0:0]
        self.suspended = False

    def find(self, start: int, offsets: Iterable[int], seconds: Sequence[float]) -> None:
        """Find the timeouts at one of the offsets behind an address, by those that were configured.

        Where they are not found, the kernel keeps what it is told for as long as was configured.
        """
        wanted = _as_words(seconds)
        for offset in offsets if start else ():
            first = start + offset >> 3
            place = slice(first, first + len(wanted))
            if self._words[place] == wanted:
                self._place, self._configured, self._none = place, wanted, _as_words([0.0] * len(wanted))
                return

    def suspend(self) -> None:
        """Have the kernel keep nothing of what it is told from now on."""
        self._words[self._place] = self._none
        self.suspended = True

    def resume(self) -> None:
        """Have it keep what it is told as was configured."""
        self._words[self._place] = self._configured
        self.suspended = False


def _as_words(seconds: Sequence[float]) -> memoryview:
    """Return what C has for an array of ``double``."""
    return memoryview(struct.pack(f"@{len(seconds)}d", *seconds)).cast("Q")


def _memory() -> memoryview:
    if sys.maxsize < 1 << 32:
        raise MountError("mounting needs a 64-bit system; this Python is a 32-bit program")
    view = ctypes.pythonapi.PyMemoryView_FromMemory
    view.restype, view.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int]
    writable = 0x200  # PyBUF_WRITE
    memory: memoryview = view(None, 1 << 62, writable)
    return memory


def _bit(structure: Any, name: str) -> tuple[int, int]:
    """Return offset and value of a one-bit field, 0 where there is none; ctypes has its number in half of ``size``."""
    field = getattr(structure, name, None)
    return (field.offset, 1 << (field.size & 0xFFFF)) if field is not None else (0, 0)


def _stat(structure: Any) -> tuple[struct.Struct, bool]:
    """Return what packs ``struct stat``, and whether the mode is first: there Linux's architectures differ."""
    mode_first = structure.st_mode.offset < structure.st_nlink.offset
    return _packer(structure, STAT_START[mode_first] + STAT_REST), mode_first


def _packer(structure: Any, fields: Sequence[str]) -> struct.Struct:
    """Return what packs ``fields``, in their order in memory, into a ctypes ``structure``, and zeroes between them."""
    types = dict(field[:2] for field in structure._fields_)
    layout, end = "=", 0
    for name in fields:
        offset = getattr(structure, name).offset
        if offset < end:
            raise MountError(f"mounting is not supported on this machine: its {structure.__name__} is unknown")
        layout += f"{offset - end}x{_format(types[name])}"
        end = offset + ctypes.sizeof(types[name])
    return struct.Struct(f"{layout}{ctypes.sizeof(structure) - end}x")


def _format(kind: Any) -> str:
    """Return the struct format of an integer type or of a structure of integers."""
    if issubclass(kind, ctypes.Structure):
        return "".join(_format(field[1]) for field in kind._fields_)
    letter = {2: "h", 4: "i", 8: "q"}[ctypes.sizeof(kind)]
    return letter.upper() if kind(-1).value > 0 else letter


def _filler(flags: int) -> Callable[[int], Callable[..., int]]:
    pointer, name, offset = ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int64
    return ctypes.CFUNCTYPE(ctypes.c_int, pointer, name, pointer, offset, *[ctypes.c_int] * flags)


def strip_pointers(prototype: Any) -> Any:
    """Return a ctypes function type with integers in place of its pointers, other than those to names."""
    kinds = [kind if _is_plain(kind) else ctypes.c_size_t for kind in prototype._argtypes_]
    result = prototype._restype_
    return ctypes.CFUNCTYPE(result if _is_plain(result) else ctypes.c_size_t, *kinds)


def _is_plain(kind: Any) -> bool:
    is_simple = isinstance(getattr(kind, "_type_", None), str)  # a pointer has a class there
    return is_simple and kind is not ctypes.c_void_p
