"""libfuse, through whichever binding and library this system has; no other module knows which.

:func:`choose` takes mfusepy with libfuse 3 where that library is found, else fusepy with libfuse 2. Of the binding
we use the library that it loads and the C structures that it describes. Its ``FUSE`` class we leave aside: that one wraps every callback
in a partial and two calls, makes an object of every pointer and drops times, flags and handles
(10 µs for a getattr against 2 µs here).

Callbacks get pointers as integers, and read and write what is there through :class:`Layout`: one view of the
process's memory, and the offsets and formats of libfuse's structures in it.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import signal
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ctypes.util import find_library
from dataclasses import dataclass
from typing import Any, Final

from ..errors import FuseMissing, MountError, MountFailed
from . import system

log = logging.getLogger(__name__)

Callback = Callable[..., int]

BINDINGS: Final = {"mfusepy": ("mfusepy", 3), "fusepy": ("fuse", 2)}
"""Module of each binding and the major version of libfuse that it is used with, the preferred one first."""

LIBRARIES: Final = {3: ("libfuse3.so.4", "libfuse3.so.3"), 2: ("libfuse.so.2",)}

ROOT_INODE = 1  # FUSE_ROOT_ID

# Notifications of the kernel's FUSE protocol (linux/fuse.h); a message begins with its length, its code and a zero.
NOTIFY_INVAL_INODE = 2
NOTIFY_INVAL_ENTRY = 3
HEADER = struct.Struct("=IiQ")
INVAL_INODE = struct.Struct("=Qqq")
INVAL_ENTRY = struct.Struct("=QII")

# A capability in fuse_conn_info.want (fuse_common.h of libfuse 3).
CAP_READDIRPLUS_AUTO = 1 << 14


CACHE_SECONDS: Final = 60
"""How long the kernel keeps names, attributes and contents without asking; what changes sooner is invalidated."""


@dataclass(frozen=True)
class Presentation:
    """How the mount looks to the system: ``source`` stands for its device in ``df`` and ``mount``."""

    source: str = "kvassfs"
    read_only: bool = False
    allow_other: bool = False


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
    """

    def __init__(self, module: Any, major: int) -> None:
        self.memory = _memory()
        self.words = self.memory.cast("Q")
        self._ints = self.memory.cast("I")
        self._open_flags = module.fuse_file_info.flags.offset
        self._keep_cache = _bit(module.fuse_file_info, "keep_cache")
        self._direct_io = _bit(module.fuse_file_info, "direct_io")
        self.handle = module.fuse_file_info.fh.offset
        self.stat, self.mode_first = _stat(module.c_stat)
        self._entry_stat = ctypes.create_string_buffer(ctypes.sizeof(module.c_stat))
        self.entry_stat = ctypes.addressof(self._entry_stat)
        self.statvfs_fields = [name for name, *_ in module.c_statvfs._fields_ if name in STATVFS]
        self.statvfs = _packer(module.c_statvfs, self.statvfs_fields)
        self.timespecs = struct.Struct("@4l")
        self.filler_flags = 1 if major >= 3 else 0
        pointer, flags = ctypes.c_size_t, [ctypes.c_int] * self.filler_flags
        self.filler: Callable[[int], Callback] = ctypes.CFUNCTYPE(
            ctypes.c_int, pointer, ctypes.c_char_p, pointer, ctypes.c_int64, *flags
        )

    def flags(self, info: int) -> int:
        """Return ``flags`` of the ``struct fuse_file_info`` at ``info``: those of open()."""
        flags: int = self._ints[info + self._open_flags >> 2]
        return flags

    def share_cache(self, info: int, *, shared: bool) -> None:
        """Say in a ``struct fuse_file_info`` whether reads may be answered from what the kernel keeps of the file."""
        offset, bit = self._keep_cache if shared else self._direct_io
        self._ints[info + offset >> 2] |= bit


STATVFS: Final = frozenset(name for name in dir(os.statvfs_result) if name.startswith("f_"))
STAT_START: Final = {
    True: ("st_ino", "st_mode", "st_nlink", "st_uid", "st_gid"),
    False: ("st_ino", "st_nlink", "st_mode", "st_uid", "st_gid"),
}
STAT_REST: Final = ("st_size", "st_blksize", "st_blocks", "st_atimespec", "st_mtimespec", "st_ctimespec")


def _memory() -> memoryview:
    if sys.maxsize < 1 << 32:
        raise MountError("mounting needs a 64-bit system")
    view = ctypes.pythonapi.PyMemoryView_FromMemory
    view.restype, view.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int]
    writable = 0x200  # PyBUF_WRITE
    memory: memoryview = view(None, 1 << 62, writable)
    return memory


def _bit(structure: Any, name: str) -> tuple[int, int]:
    """Return offset and value of a one-bit field; ctypes has the bit's number in the lower half of ``size``."""
    field = getattr(structure, name)
    return field.offset, 1 << (field.size & 0xFFFF)


def _stat(structure: Any) -> tuple[struct.Struct, bool]:
    """Return what packs ``struct stat`` (see :class:`Layout`); Linux's architectures differ in its order only at the start."""
    mode_first = structure.st_mode.offset < structure.st_nlink.offset
    return _packer(structure, STAT_START[mode_first] + STAT_REST), mode_first


def _packer(structure: Any, fields: Sequence[str]) -> struct.Struct:
    """Return what packs ``fields``, in their order in memory, into a ctypes ``structure`` and zeroes between them."""
    types = dict(field[:2] for field in structure._fields_)
    layout, end = "=", 0
    for name in fields:
        offset = getattr(structure, name).offset
        if offset < end:
            raise MountError(f"this machine's {structure.__name__} is laid out in an unknown way")
        layout += f"{offset - end}x{_format(types[name])}"
        end = offset + ctypes.sizeof(types[name])
    return struct.Struct(f"{layout}{ctypes.sizeof(structure) - end}x")


def _format(kind: Any) -> str:
    """Return the struct format of an integer type or of a structure of integers."""
    if issubclass(kind, ctypes.Structure):
        return "".join(_format(field[1]) for field in kind._fields_)
    letter = {2: "h", 4: "i", 8: "q"}[ctypes.sizeof(kind)]
    return letter.upper() if kind(-1).value > 0 else letter


def choose(binding: str = "auto") -> Binding:
    """Load a binding with its library: "mfusepy", "fusepy", or with "auto" the first that works here.

    Raises FuseMissing if there is none.
    """
    names = list(BINDINGS) if binding == "auto" else [binding]
    if unknown := [name for name in names if name not in BINDINGS]:
        raise MountError(f"unknown FUSE binding {unknown[0]!r}: choose auto, {' or '.join(BINDINGS)}")
    for name in names:
        with suppress(ImportError, OSError, AttributeError):  # what the bindings raise for want of a library
            return _load(name)
    raise FuseMissing("libfuse", system.install_hint(BINDINGS[names[0]][1]))


def _load(name: str) -> Binding:
    module, major = BINDINGS[name]
    with _environment("FUSE_LIBRARY_PATH", _library(major)):
        return Binding(name, importlib.import_module(module), major)


def _library(major: int) -> str:
    """Return what dlopen() finds libfuse by; the names first, as find_library() runs programs for it."""
    for name in LIBRARIES[major]:
        with suppress(OSError):
            ctypes.CDLL(name)
            return name
    found = find_library("fuse3" if major >= 3 else "fuse")
    if found is None:
        raise OSError(f"no libfuse {major}")
    return found


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Set a variable that a binding reads while it is imported."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


class Binding:
    """One binding with its libfuse: serves one mount, and tells the kernel what to forget.

    Attributes:
        name: "mfusepy" or "fusepy".
        major: the major version of libfuse.
        layout: what callbacks reach memory through.
    """

    def __init__(self, name: str, module: Any, major: int) -> None:
        self.name = name
        self.major = major
        self.layout = Layout(module, major)
        self._module = module
        self._library = module._libfuse
        self._directory = ""
        self._device = -1

    # Serving

    def serve(
        self,
        callbacks: Mapping[str, Callback],
        directory: str,
        presentation: Presentation,
        *,
        started: Callable[[], None] = lambda: None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """Mount ``directory`` and serve it until it is unmounted, by whomever, or SIGTERM, SIGINT or SIGHUP comes.

        Call it in the main thread; callbacks run in that thread. ``started`` is called when the mount exists, just before
        the first callback, and ``ended`` after the last one: between them, threads may use the invalidations.
        Raises MountFailed if the mount does not come about; libfuse has said why on standard error.
        """
        self._directory = directory
        session = _Session(self, callbacks, started, ended)
        arguments = ["kvassfs", "-f", "-s", "-o", ",".join(self._options(presentation)), directory]
        argv = (ctypes.c_char_p * len(arguments))(*(os.fsencode(argument) for argument in arguments))
        main = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p
        )
        with _default_interrupt():
            status = main(("fuse_main_real", self._library))(
                len(arguments), argv, ctypes.addressof(session.table), ctypes.sizeof(session.table), None
            )
        if session.error is not None:
            raise session.error
        if not session.started:
            raise MountFailed(directory, f"libfuse gave up (status {status})")

    def _options(self, presentation: Presentation) -> Iterator[str]:
        """Return libfuse's mount options."""
        yield from ("default_permissions", "subtype=kvassfs", f"fsname={_escape(presentation.source)}")
        yield from (f"{kind}_timeout={CACHE_SECONDS}" for kind in ("entry", "attr", "negative"))
        if self.major == 2:  # libfuse 3 always does
            yield from ("big_writes", "atomic_o_trunc")
        if system.fusermount(self.major) is not None:  # which does it
            yield "auto_unmount"
        if presentation.allow_other:
            yield "allow_other"
        if presentation.read_only:
            yield "ro"

    def table(self, callbacks: Mapping[str, Callback]) -> tuple[Any, list[Any]]:
        """Return ``struct fuse_operations`` of ``callbacks``, and what must live as long as it is in use."""
        table, functions = self._module.fuse_operations(), []
        for name, prototype, *_ in table._fields_:
            if name in callbacks:
                function = _raw(prototype)(callbacks[name])
                address = ctypes.addressof(table) + getattr(type(table), name).offset
                ctypes.c_void_p.from_address(address).value = ctypes.cast(function, ctypes.c_void_p).value
                functions.append(function)
        if self.major == 2:
            table.flag_utime_omit_ok = 1  # else `touch -m` never arrives
        return table, functions

    def attach(self, connection: int) -> None:
        """Take hold of the session in the callback ``init``, and say what the file system does not want."""
        if self.major >= 3:
            want = ctypes.c_uint.from_address(connection + self._module.fuse_conn_info.want.offset)
            want.value &= ~CAP_READDIRPLUS_AUTO  # always PLUS: one request lists names and attributes
        call = self._call
        session = call("fuse_get_session", self._module._libfuse.fuse_get_context().contents.fuse)
        if self.major >= 3:
            self._device = call("fuse_session_fd", session, result=ctypes.c_int)
        else:
            channel = call("fuse_session_next_chan", session, None)
            self._device = call("fuse_chan_fd", channel, result=ctypes.c_int)
        self._device_kind = os.fstat(self._device).st_rdev

    def detach(self) -> None:
        """End the invalidations."""
        self._device = -1

    def stop(self) -> None:
        """Unmount from within a callback, after it."""
        self._call("fuse_exit", self._module._libfuse.fuse_get_context().contents.fuse, result=None)

    def _call(self, name: str, *pointers: int | None, result: Any = ctypes.c_void_p) -> Any:
        prototype = ctypes.CFUNCTYPE(result, *(ctypes.c_void_p for _ in pointers))
        return prototype((name, self._library))(*pointers)

    # Invalidation

    def invalidate(self, path: str) -> None:
        """Make the kernel forget attributes and contents of ``path``, which changed behind it.

        For threads other than the one that serves, and without holding anything that a callback waits for: it asks the
        mount itself for the inode, and the kernel waits for callers of the file system. Nothing happens if
        the path does not exist or nothing is mounted any more.
        """
        inode = self._inode(path)
        if inode is not None:
            self._notify(NOTIFY_INVAL_INODE, INVAL_INODE.pack(inode, 0, 0))

    def invalidate_entry(self, parent: str, name: str) -> None:
        """Make the kernel forget whether ``name`` exists in ``parent``, and what it is; as :meth:`invalidate`.

        Where the kernel believes that ``parent`` does not exist, it forgets that.
        """
        inode = self._inode(parent)
        if inode is None:
            self.invalidate_entry(*_split(parent))
            return
        encoded = name.encode()
        self._notify(NOTIFY_INVAL_ENTRY, INVAL_ENTRY.pack(inode, len(encoded), 0) + encoded + b"\0")

    def _inode(self, path: str) -> int | None:
        if path == "/":
            return ROOT_INODE
        try:
            return os.lstat(self._directory + path).st_ino
        except OSError:
            return None

    def _notify(self, code: int, body: bytes) -> None:
        """Send the kernel a notification.

        We write it ourselves: libfuse's functions use structures that it frees before it tells us that the mount ended.
        Then the descriptor is closed; should it be another file's by now, it isn't written to.
        """
        with suppress(OSError):  # the kernel knows no such inode or entry, or has ended the connection
            if os.fstat(self._device).st_rdev == self._device_kind:
                os.write(self._device, HEADER.pack(HEADER.size + len(body), code, 0) + body)


class _Session:
    """What the callbacks of one mount share: the table that libfuse has, and how it began and ended."""

    def __init__(
        self,
        binding: Binding,
        callbacks: Mapping[str, Callback],
        started: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self.started = False
        self.error: BaseException | None = None
        self._binding = binding
        self._started = started
        self._ended = ended
        self.table, self._functions = binding.table({**callbacks, "init": self._init, "destroy": self._destroy})

    def _init(self, connection: int, _config: int = 0) -> int:
        try:
            self._binding.attach(connection)
            self._started()
            self.started = True
        except BaseException as error:  # noqa: BLE001  raised again by serve()
            self.error = error
            self._binding.stop()
        return 0

    def _destroy(self, _private: int) -> int:
        try:
            self._binding.detach()
            self._ended()
        except BaseException as error:  # noqa: BLE001  raised again by serve()
            self.error = self.error or error
        return 0


def _raw(prototype: Any) -> Any:
    """Return the function type ``prototype`` with integers for pointers, which ctypes makes no objects of."""
    pointer = ctypes.c_size_t
    kinds = [kind if _is_plain(kind) else pointer for kind in prototype._argtypes_]
    result = prototype._restype_
    return ctypes.CFUNCTYPE(result if _is_plain(result) else pointer, *kinds)


def _is_plain(kind: Any) -> bool:
    return kind is ctypes.c_char_p or (
        hasattr(kind, "_type_") and isinstance(kind._type_, str) and kind is not ctypes.c_void_p
    )


@contextmanager
def _default_interrupt() -> Iterator[None]:
    """Leave SIGINT to libfuse, which takes it only where nothing else has it; a Python handler would not run in time."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,")


def _split(path: str) -> tuple[str, str]:
    parent, _, name = path.rpartition("/")
    return parent or "/", name
