"""The state in which a process is started, mended where it can be. contrib/doc/environment.md lists what there is."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kvassfs.errors import KvassError

COMPLETION = "_KVASS_COMPLETE"
"""The variable in which the completion functions of the shells say what they want."""

STANDARD_ERROR = 2

ENOUGH_FILES = 32
"""Descriptors with which every command works; a hub, which needs the most, has a few left for devices."""


NO_CORE = 1
"""The limit of core dumps at which there is none: not even a program that gets them (``core_pattern`` with a pipe) is given one,
as it is with 0 (fs/coredump.c of Linux)."""


_core_limits: list[int] = []
"""What the limit was when the process was started."""


class TooFewFiles(KvassError):
    """The process may open no more than ``limit`` files at a time."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"only {limit} files may be open at a time; allow {ENOUGH_FILES}: `ulimit -n {ENOUGH_FILES}` (LimitNOFILE in"
            " systemd)"
        )
        self.limit = limit


def occupy_closed() -> None:
    """Open nothing where a standard descriptor is closed: else a file or a connection gets it, and what is said there.

    Python's own streams, which are ``None`` then, stay so.
    """
    with suppress(OSError):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STANDARD_ERROR:
            os.set_inheritable(descriptor, True)
        os.close(descriptor)


def allow_enough_files() -> None:
    """Raise the limit of open files where it is too low.

    Raises:
        TooFewFiles: the system forbids it.
    """
    limit, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= limit < ENOUGH_FILES:
        try:
            unlimited = highest == resource.RLIM_INFINITY
            resource.setrlimit(
                resource.RLIMIT_NOFILE, (ENOUGH_FILES, highest if unlimited else max(ENOUGH_FILES, highest))
            )
        except (ValueError, OSError):
            raise TooFewFiles(limit) from None


def forbid_core_dumps() -> None:
    """Have a crash leave no image of the memory on the disk: the encryption key and values are in it.

    The process stays otherwise as it is: were it not dumpable (prctl), its files in /proc would be root's.
    """
    _core_limits.append(_limit_core(NO_CORE))


@contextmanager
def core_dumps() -> Iterator[None]:
    """``with`` core dumps as they were before, for a program of the user's choice that is started meanwhile."""
    now = _limit_core(_core_limits[-1]) if _core_limits else None
    try:
        yield
    finally:
        if now is not None:
            _limit_core(now)


def _limit_core(limit: int) -> int:
    """Limit core dumps to so many bytes, and return the limit before."""
    before, highest = resource.getrlimit(resource.RLIMIT_CORE)
    if highest != resource.RLIM_INFINITY:
        limit = highest if limit == resource.RLIM_INFINITY else min(limit, highest)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, highest))
    return before
