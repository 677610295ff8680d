"""How a connection waits for the disk and for others; chosen where a store is opened, by what it is opened for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..errors import KvassError
from ..tuples import NamedTuple

BUSY_TIMEOUT = 60.0
"""Seconds that a transaction waits for those of other processes."""


LOCK_TIMEOUT = 10.0
"""The same where somebody waits for an answer: a program that saves a file, a device that calls the hub."""


class Profile(NamedTuple):
    """How a connection waits for the disk and for other processes, and what it keeps in memory.

    Chosen where a store is opened, by what it is opened for.

    Attributes:
        durable: a commit has reached the disk (``synchronous=FULL``). Otherwise it survives the death of this process,
            and a power cut may undo the last ones but damages nothing.
        cache: KiB of the database's pages in memory.
        log_pages: pages of 4 KiB in the write-ahead log beyond which a commit copies it into the database.
        keeps_log: another connection copies the log when nobody writes.
        patience: seconds that a transaction waits for those of other processes.
    """

    durable: bool = True
    cache: int = 2 * 1024
    log_pages: int = 1000
    keeps_log: bool = False
    patience: float = BUSY_TIMEOUT


COMMAND = Profile()
"""For a command: what it reports as done has reached the disk."""

MOUNT = Profile(durable=False, log_pages=64 * 1024, keeps_log=True, patience=LOCK_TIMEOUT)
"""For a mount, whose commits are many and whose ``fsync`` asks for the disk; another connection does the checkpoints."""

BULK = Profile(durable=False, cache=8 * 1024, log_pages=16 * 1024)
"""For merging many entries, whose keys and tokens are in any order, and which can be had again."""

FOLLOWER = BULK
"""For a process that keeps the store in step with the hub: what is pushed is on the disk first, by ``Store.flush``."""

HUB = FOLLOWER._replace(durable=True, patience=LOCK_TIMEOUT)
"""For a hub: what it has acknowledged has reached the disk."""

SHARING = Profile(durable=False, patience=LOCK_TIMEOUT)
"""For giving out shared values: what is noted while one is read need not outlive this process."""

SEARCHES = SHARING._replace(cache=16 * 1024, patience=0)
"""For many look-ups in random places, none of which waits for other processes: upper levels of indexes in memory."""


@contextmanager
def undoing(undo: Callable[[], None]) -> Iterator[None]:
    """``with`` something that ``undo`` ends, as another profile; an error of the block is not hidden by one of ``undo``."""
    try:
        yield
    except BaseException:
        with suppress(KvassError):
            undo()
        raise
    undo()
