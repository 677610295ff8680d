"""Running in the background: a process of its own that says when it is ready, or why it failed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

from ..errors import KvassError
from .errors import MountError

log = logging.getLogger(__name__)

READY: Final = b"\0"  # a message never begins so


def detach(work: Callable[[Callable[[], None]], None]) -> None:
    """Run ``work`` in a daemon, and return once it has called the function that it is given.

    The daemon has no terminal, nothing on its standard descriptors and none of those that this process inherited, and
    ends with ``work``. If that fails before
    it is ready, its message is raised here as a MountError; later it is logged there. Call it in a process with one
    thread.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run(work, writing)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    if answer != READY:
        raise MountError(answer.decode(errors="replace") or "the process of the mount ended before it was ready")


def _run(work: Callable[[Callable[[], None]], None], status: int) -> NoReturn:
    """Become a daemon, work, and end."""
    code = 0
    try:
        os.setsid()
        if os.fork() == 0:  # a second time, so that no terminal ever becomes its own
            code = 1
            _settle()
            _work(work, status)
            code = 0
    finally:
        os._exit(code)


def _settle() -> None:
    os.chdir("/")
    os.umask(0o077)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.close(nothing)
    # Python opens what is not for other programs (PEP 446), so what another program left here can be told: a lock of a
    # shell, a pipe whose reader waits for its end.
    for descriptor in [int(name) for name in os.listdir("/proc/self/fd")]:
        with suppress(OSError):  # the one by which they were listed
            if descriptor > 2 and os.get_inheritable(descriptor):
                os.close(descriptor)


def _work(work: Callable[[Callable[[], None]], None], status: int) -> None:
    waiting = True

    def answer(message: bytes) -> None:
        nonlocal waiting
        if waiting:
            waiting = False
            os.write(status, message)
            os.close(status)

    try:
        work(lambda: answer(READY))
    except KvassError as error:
        log.error("%s", error)  # noqa: TRY400  expected, so without a traceback
        answer(str(error).encode())
    except BaseException as error:
        log.exception("the mount ended")
        answer(f"the process of the mount failed: {error!r}".encode())
        raise


class Captured:
    """What this process writes to standard error until ``release``; libfuse says there why it does not mount."""

    def __init__(self) -> None:
        self._file = os.fdopen(os.memfd_create("kvassfs-stderr"), "w+b")  # no directory need be writable
        self._standard_error = os.dup(2)
        os.dup2(self._file.fileno(), 2)
        self._text = ""

    def release(self) -> str:
        """Give standard error back; return what was written meanwhile."""
        if not self._file.closed:
            os.dup2(self._standard_error, 2)
            os.close(self._standard_error)
            self._file.seek(0)
            self._text = self._file.read().decode(errors="replace")
            self._file.close()
        return self._text
