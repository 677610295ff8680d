"""libfuse, through whichever binding and library this system has; no other module knows which.

:func:`choose` takes mfusepy with libfuse 3 where that library is found, else fusepy with libfuse 2. Of the
binding we use the library that it loads and the structures that it describes. Its ``FUSE`` class we leave
aside: it wraps every callback in a partial and two calls, makes an object of every pointer, and drops times,
flags and handles. A getattr() takes 4 to 5 µs with it and 1.1 µs with ours (see ``structures``).
"""

from __future__ import annotations

import ctypes
import importlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ctypes.util import find_library
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from . import ending, requirements
from .errors import FuseMissing, MountError, MountFailed
from .structures import Layout, strip_pointers

BINDINGS: Final = {"mfusepy": ("mfusepy", 3), "fusepy": ("fuse", 2)}
"""Module of each binding and the major version of libfuse that it is used with, the preferred one first."""

LIBRARIES: Final = {3: ("libfuse3.so.4", "libfuse3.so.3"), 2: ("libfuse.so.2",)}

CACHE_SECONDS: Final = 60
"""How long the kernel keeps names, attributes and contents without asking; see ``invalidation``."""

ABSENCE_SECONDS: Final = 0.5
"""How long the kernel keeps that a name does not exist: nothing takes that back, and new keys are to be seen within a
second."""

TIMEOUTS: Final = {"entry": CACHE_SECONDS, "negative": ABSENCE_SECONDS, "attr": CACHE_SECONDS}
"""These as options of libfuse, in the order in which all its versions have them in memory."""

SEARCHED: Final = range(0, 256, 8)
"""Where in the structure of a mount libfuse 2 may have them; the structure is larger. Those of libfuse 3 are public."""

CAP_READDIRPLUS_AUTO = 1 << 14  # in fuse_conn_info.want (fuse_common.h of libfuse 3)


@dataclass(frozen=True)
class Presentation:
    """How the mount looks to the system: ``source`` stands for its device in ``df`` and ``mount``.

    ``flags`` are options of mount(8) that libfuse takes as they are.
    """

    source: str = "kvassfs"
    read_only: bool = False
    allow_other: bool = False
    flags: tuple[str, ...] = ()


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
    raise FuseMissing("libfuse", requirements.install_hint(BINDINGS[names[0]][1]))


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
    """One binding with its libfuse.

    Attributes:
        name: "mfusepy" or "fusepy".
        major: the major version of libfuse.
        layout: how callbacks reach what libfuse gives them.
    """

    def __init__(self, name: str, module: Any, major: int) -> None:
        self.name = name
        self.major = major
        self.layout = Layout(module, major)
        self._module = module
        self._library = module._libfuse

    def serve(
        self,
        callbacks: Mapping[str, Callable[..., int]],
        directory: str,
        presentation: Presentation,
        *,
        started: Callable[[], None] = lambda: None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """Mount ``directory`` and serve it until it is unmounted, by whomever, or SIGTERM, SIGINT or SIGHUP comes.

        Call it in the main thread, in which callbacks then run. ``started`` is called before the first of them, and
        ``ended`` after the last; what they raise ends the mount and is raised here. Raises MountFailed if the mount does not come about: libfuse has said
        why on standard error.
        """
        life = _Life(self, started, ended)
        table, functions = self._table({**callbacks, "init": life.init, "destroy": life.destroy})
        with ending.caught(life.stop):
            status = self._main(list(self.options(presentation)), directory, table)
        del functions  # until here, libfuse called them
        if life.error is not None:
            raise life.error
        if not life.began:
            raise MountFailed(directory, f"libfuse gave up (status {status})")

    def options(self, presentation: Presentation) -> Iterator[str]:
        """Return libfuse's mount options."""
        yield from ("default_permissions", "subtype=kvassfs", f"fsname={_escape(presentation.source)}")
        yield from (f"{kind}_timeout={seconds}" for kind, seconds in TIMEOUTS.items())
        if self.major == 2:  # libfuse 3 always does
            yield from ("big_writes", "atomic_o_trunc", "use_ino")
        # Not auto_unmount: a mount whose process was killed stays, and nothing is written beside the store.
        if presentation.allow_other:
            yield "allow_other"
        if presentation.read_only:
            yield "ro"
        yield from presentation.flags

    def _main(self, options: list[str], directory: str, table: ctypes.Structure) -> int:
        """Call libfuse's main(), with one thread and in the foreground, and return its status."""
        words = ["kvassfs", "-f", "-s", "-o", ",".join(options), directory]
        arguments = (ctypes.c_char_p * len(words))(*map(os.fsencode, words))
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        main = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, pointer, pointer, size, pointer)
        status: int = main(("fuse_main_real", self._library))(
            len(words), ctypes.addressof(arguments), ctypes.addressof(table), ctypes.sizeof(table), None
        )
        return status

    def _table(self, callbacks: Mapping[str, Callable[..., int]]) -> tuple[ctypes.Structure, list[Any]]:
        """Return ``struct fuse_operations`` of ``callbacks``, and the C functions in it, which must live as long."""
        table = self._module.fuse_operations()
        functions = []
        for name, prototype, *_ in table._fields_:
            if name in callbacks:
                function = strip_pointers(prototype)(callbacks[name])
                slot = ctypes.addressof(table) + getattr(type(table), name).offset
                ctypes.c_void_p.from_address(slot).value = ctypes.cast(function, ctypes.c_void_p).value
                functions.append(function)
        if self.major == 2:
            table.flag_utime_omit_ok = 1  # else `touch -m` never arrives
            table.flag_nullpath_ok = 1  # else a file whose directory is gone cannot be read any more
        return table, functions

    def version(self) -> str:
        """Return the version of libfuse."""
        if self.major == 2:
            number = ctypes.CFUNCTYPE(ctypes.c_int)(("fuse_version", self._library))()
            return f"{number // 10}.{number % 10}"
        return os.fsdecode(ctypes.CFUNCTYPE(ctypes.c_char_p)(("fuse_pkgversion", self._library))())

    def begin(self, connection: int, configuration: int) -> None:
        """Agree with the kernel and with libfuse within ``init``, whose arguments these are; libfuse 2 has one."""
        if self.major >= 3:
            use_inode = self._module.fuse_config.use_ino.offset  # ``st_ino`` is ours; an option with libfuse 2
            ctypes.c_int.from_address(configuration + use_inode).value = 1
            want = ctypes.c_uint.from_address(connection + self._module.fuse_conn_info.want.offset)
            want.value &= ~CAP_READDIRPLUS_AUTO  # always PLUS: one request lists names and attributes
        self._find_timeouts(configuration)

    def _find_timeouts(self, configuration: int) -> None:
        """Find what libfuse tells the kernel with each name, to change it where the file system wants that."""
        if self.major >= 3:
            where: tuple[int, Iterable[int]] = (configuration, [self._module.fuse_config.entry_timeout.offset])
        else:
            where = (self._library.fuse_get_context().contents.fuse or 0, SEARCHED)
        self.layout.cache_times.find(*where, list(TIMEOUTS.values()))

    def caller(self) -> int:
        """Return the process whose call the callback in progress answers; 0 if it is not one of this namespace."""
        return int(self._library.fuse_get_context().contents.pid)

    def server(self) -> Server:
        """Return, within a callback, what serves the mount."""
        fuse = self._library.fuse_get_context().contents.fuse
        session = self._function("fuse_get_session")(fuse)
        if self.major >= 3:
            return Server(fuse, self._function("fuse_session_fd", ctypes.c_int)(session))
        channel = self._function("fuse_session_next_chan")(session, None)
        return Server(fuse, self._function("fuse_chan_fd", ctypes.c_int)(channel))

    def stop(self, fuse: int) -> None:
        """Have libfuse end the mount when it looks whether it should; from any thread, until ``destroy`` returns."""
        self._function("fuse_exit", None)(fuse)

    def _function(self, name: str, returned: Any = ctypes.c_void_p) -> Callable[..., Any]:
        """Return a function of libfuse that takes pointers."""
        count = 2 if name == "fuse_session_next_chan" else 1
        return ctypes.CFUNCTYPE(returned, *[ctypes.c_void_p] * count)((name, self._library))


class Server(NamedTuple):
    """What serves a mount: libfuse's handle of it, and the descriptor by which it reads requests."""

    fuse: int
    descriptor: int


class _Life:
    """How a mount begins and ends: libfuse's callbacks ``init`` and ``destroy``, from which nothing can be raised."""

    def __init__(self, binding: Binding, started: Callable[[], None], ended: Callable[[], None]) -> None:
        self.began = False
        self.error: BaseException | None = None
        self._binding = binding
        self._started = started
        self._ended = ended
        self._thread = threading.get_ident()
        self._server: Server | None = None  # while there is one
        self._stopping = False
        self._lock = threading.Lock()

    def init(self, connection: int, configuration: int = 0) -> int:
        server = self._binding.server()
        try:
            self._binding.begin(connection, configuration)
            self._started()
            self.began = True
        except BaseException as error:  # noqa: BLE001  raised again by serve()
            self.error = error
        with self._lock:
            self._server = server
            if self._stopping or self.error is not None:
                self._binding.stop(server.fuse)
        return 0

    def stop(self) -> None:
        """End the mount, also before it has begun; from another thread."""
        with self._lock:
            self._stopping = True
            if self._server is not None:
                self._binding.stop(self._server.fuse)
                ending.wake_reader(self._server.descriptor, self._thread)

    def destroy(self, _private: int) -> int:
        with self._lock:
            self._server = None
        try:
            self._ended()
        except BaseException as error:  # noqa: BLE001  raised again by serve()
            self.error = self.error or error
        return 0


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,")
