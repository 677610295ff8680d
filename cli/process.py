"""The state in which a process is started, mended where it can be. contrib/doc/environment.md lists what there is."""

from __future__ import annotations

import os
import resource

TYPE_CHECKING = False  # as in ``typing``, which takes time to load: this is for every command, the quickest among them
if TYPE_CHECKING:
    from types import TracebackType

COMPLETION = "_KVASS_COMPLETE"
"""The variable in which the completion functions of the shells say what they want."""

STANDARD_ERROR = 2

NO_CORE = 1
"""The limit of core dumps at which there is none: not even a program that gets them (``core_pattern`` with a pipe) is given one,
as it is with 0 (fs/coredump.c of Linux)."""


_core_limits: list[int] = []
"""What the limit was when the process was started."""


def occupy_closed() -> None:
    """Open nothing where a standard descriptor is closed: else a file or a connection gets it, and what is said there.

    Python's own streams, which are ``None`` then, stay so.
    """
    try:
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STANDARD_ERROR:
            os.set_inheritable(descriptor, True)
        os.close(descriptor)
    except OSError:
        pass


def forbid_core_dumps() -> None:
    """Have a crash leave no image of the memory on the disk: the encryption key and values are in it.

    The process stays otherwise as it is: were it not dumpable (prctl), its files in /proc would be root's.
    """
    _core_limits.append(_limit_core(NO_CORE))


class core_dumps:  # noqa: N801  used as a function
    """``with`` core dumps as they were before, for a program of the user's choice that is started meanwhile."""

    def __enter__(self) -> None:
        self._now = _limit_core(_core_limits[-1]) if _core_limits else None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._now is not None:
            _limit_core(self._now)


def _limit_core(limit: int) -> int:
    """Limit core dumps to so many bytes, and return the limit before."""
    before, highest = resource.getrlimit(resource.RLIMIT_CORE)
    if highest != resource.RLIM_INFINITY:
        limit = highest if limit == resource.RLIM_INFINITY else min(limit, highest)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, highest))
    return before
