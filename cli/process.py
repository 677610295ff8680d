"""The state in which a process is started, mended where it can be. contrib/doc/environment.md lists what there is."""

from __future__ import annotations

import os
import resource
from contextlib import suppress

from kvassfs.errors import KvassError

COMPLETION = "_KVASS_COMPLETE"
"""The variable in which the completion functions of the shells say what they want."""

STANDARD_ERROR = 2

ENOUGH_FILES = 32
"""Descriptors with which every command works; a hub, which needs the most, has a few left for devices."""


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
