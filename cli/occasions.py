"""What is said once in a while: when that was last is the time of an empty file, outside the database and its disk.

The file lies where the system has such files in memory, else in the user's cache. Where it cannot be written, the notice
is given each time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress

from kvassfs.errors import InvalidConfiguration

from .locations import expand_home, make_absolute

PAUSE = 600.0
"""Seconds for which nothing is said again."""


class Occasion:
    """The occasion to say ``what`` of the database at ``path``. ``clock`` returns seconds since the epoch."""

    def __init__(self, path: str, what: str, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._what = what
        self._clock = clock

    def take(self) -> bool:
        """Return whether it is time to say it, and take it for said."""
        now = self._clock()
        with suppress(OSError, InvalidConfiguration):
            file = self._find_file()
            if 0 <= now - _find_time(file) < PAUSE:
                return False
            os.makedirs(os.path.dirname(file), mode=0o700, exist_ok=True)
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
            os.utime(file, (now, now))
        return True

    def forget(self) -> None:
        """Have it said at the next occasion, as it has been otherwise meanwhile."""
        with suppress(OSError, InvalidConfiguration):
            os.unlink(self._find_file())

    def _find_file(self) -> str:
        import hashlib  # takes long to load, and mostly there is nothing to say

        name = hashlib.sha256(os.fsencode(self._path)).hexdigest()[:16]
        return os.path.join(_find_directory(), "kvassfs", f"{name}-{self._what}")


def _find_time(file: str) -> float:
    try:
        return os.stat(file).st_mtime
    except FileNotFoundError:
        return float("-inf")


def _find_directory() -> str:
    """Return the directory for files of this user that nobody would miss (XDG Base Directory Specification).

    Raises:
        InvalidConfiguration: nothing says where the home directory is.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if is_own_directory(runtime):
        return runtime
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return cache if os.path.isabs(cache) else os.path.abspath(make_absolute(expand_home("~/.cache")))


def is_own_directory(path: str) -> bool:
    """Return whether it is one; after su, the environment may name that of another user."""
    try:
        return os.path.isabs(path) and os.stat(path).st_uid == os.geteuid()
    except (OSError, ValueError):
        return False
