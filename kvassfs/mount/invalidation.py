"""What happens beside the mount: other processes' changes shown to the kernel, and the clean-up.

A thread with a connection of its own looks every ``INTERVAL`` whether another process has changed the
store, and has the kernel forget what it caches of those keys. The mount's own changes the kernel knows.

A key that changes while it is open has two versions at once, but the kernel caches one for each name.
So the thread renames the open file, through the mount, to a name that nobody sees: its readers go on
there, and the key's name is free for the new version.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Protocol

from ..errors import KvassError
from ..store import MOUNT, Store
from . import paths
from .filesystem import Filesystem
from .renaming import SUPERSEDED
from .scratch import ScratchNames

log = logging.getLogger(__name__)

INTERVAL = 0.1
"""Seconds between two looks at the store; each costs a few microseconds."""

CLEAN_EVERY = 50
"""Looks between two beginnings of the clean-up, which then goes on step by step until it is done."""

LOG_LIMIT = 128 * 1024 * 1024
"""Bytes of write-ahead log beyond which it is copied into the database at once."""

IDLE_LOG_LIMIT = 4 * 1024 * 1024
"""The same while nobody writes."""


class Cache(Protocol):
    """The kernel's cache of the mount."""

    def invalidate(self, path: str, mode: int) -> None:
        """Forget content and attributes of a file or directory, and its type if that is not ``mode``'s."""

    def invalidate_entry(self, parent: str, name: str) -> None:
        """Forget what the name ``name`` in the directory ``parent`` stands for."""


class Watcher:
    """Watches the store of ``filesystem``, which is mounted at ``directory``.

    ``own_store`` is the one through which the mount makes its own changes. ``attend`` is called now
    and then, and when the store changed, with whether there is a hub to keep in step with.
    """

    def __init__(
        self,
        own_store: Store,
        filesystem: Filesystem,
        cache: Cache,
        directory: str,
        *,
        interval: float = INTERVAL,
        attend: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._path = own_store.path
        self._writer = own_store.feed.writer
        self._filesystem = filesystem
        self._cache = cache
        self._directory = directory
        self._numbers = itertools.count(1)
        self._interval = interval
        self._stopping = threading.Event()
        self._awake = threading.Event()
        self._attend = attend
        self._thread = threading.Thread(target=self._run, name="kvassfs-watch", daemon=True)
        self._patterns = own_store.settings.scratch_patterns()
        self._position = own_store.feed.position()

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until it has ended."""
        self._stopping.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        """Look at once; from any thread."""
        self._awake.set()

    def _run(self) -> None:
        with Store.open(self._path, profile=MOUNT) as store:
            seen = 0
            looks = 0
            while not self._sleep():
                try:
                    version = store._database.data_version()  # noqa: SLF001
                    idle = version == seen
                    if not idle:
                        seen = version
                        self.look(store)
                    if not idle or looks % CLEAN_EVERY == 0:
                        self._attend(bool(store.settings.config().remote))
                    if store.upkeep.log_size() > (IDLE_LOG_LIMIT if idle else LOG_LIMIT):
                        store.upkeep.checkpoint()
                    looks += 1
                    if looks % CLEAN_EVERY == 0:
                        self._tidy(store)
                except KvassError as error:
                    log.error("looking for changes failed: %s", error)  # noqa: TRY400  expected, so without a traceback
                except Exception:
                    # The mount goes on; what failed is tried again at the next look.
                    log.exception("looking for changes failed")

    def _sleep(self) -> bool:
        """Wait until it is time to look; return whether it is time to end."""
        if self._awake.wait(self._interval):
            self._awake.clear()
        return self._stopping.is_set()

    def look(self, store: Store) -> None:
        """Have the kernel forget what others changed since the last look, and heed the configuration."""
        patterns = store.settings.scratch_patterns()
        if patterns != self._patterns:
            self._patterns = patterns
            self._filesystem.use_scratch(ScratchNames(patterns))
        changes = store.feed.since(self._position, but_by=self._writer)
        self._position = changes.position
        keys = [key.removesuffix("/") for key in changes.keys]
        for key in keys:
            if key:
                self._forget(store, key)
        for prefix in {above for key in keys for above in _above(key)}:
            self._forget_directory(store, prefix)

    def _forget(self, store: Store, key: str) -> None:
        """Have the kernel forget the file and the directory with this key."""
        path = paths.path_of(key)
        found = store.tree.lookup(key)
        value = path if found.directory is None else f"{path}/{paths.VALUE_NAME}"
        if self._filesystem.is_open(key):
            self._set_apart(value)
        if found.directory is not None:
            self._cache.invalidate(path, found.directory.mode)
        if found.node is not None:
            self._cache.invalidate(value, found.node.mode)
        else:
            self._forget_name(value)

    def _forget_directory(self, store: Store, prefix: str) -> None:
        """Have the kernel forget a directory in which something changed, or that came or went with it.

        One that the kernel knows as what it is keeps its name: it may be somebody's working directory.
        """
        path = paths.path_of(prefix[:-1]) if prefix else "/"
        record = store.tree.directory(prefix)
        if record is None:
            self._forget_name(path)
        else:
            self._cache.invalidate(path, record.mode)

    def _set_apart(self, path: str) -> None:
        """Give an open file that was superseded a name of its own; refused if it is not."""
        parent = path.rpartition("/")[0]
        hidden = f"{parent}/{SUPERSEDED}{next(self._numbers)}"
        with suppress(OSError):
            os.rename(self._directory + path, self._directory + hidden)

    def _forget_name(self, path: str) -> None:
        parent, _, name = path.rpartition("/")
        self._cache.invalidate_entry(parent or "/", name)

    def _tidy(self, store: Store) -> None:
        """Remove what nothing uses any more, in short transactions, so that no save has to wait long."""
        store.upkeep.release_dead_holders()
        while store.upkeep.clean() and not self._stopping.is_set():
            pass
        store.upkeep.checkpoint()


def _above(key: str) -> Iterator[str]:
    """Yield the prefixes of the directories above a key, the nearest first and the root last."""
    prefix = paths.parent(key)
    while prefix:
        yield prefix
        prefix = paths.parent(prefix[:-1])
    yield ""
