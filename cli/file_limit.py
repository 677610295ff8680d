"""How many files this process may open."""

from __future__ import annotations

import resource

from kvassfs.errors import KvassError

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
