"""Has the kernel forget what it caches of keys that others have changed; the mount's own changes it knows.

A key that changes while it is open has two versions at once, but the kernel caches one for each name.
So the open file is renamed, through the mount, to a name that nobody sees: its readers go on there, and
the key's name is free for the new version.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
from collections.abc import Callable, Iterator
from typing import Protocol

from ..entry import directory_of
from ..errors import KvassError
from ..store import Store
from . import paths
from .store_thread import RETRY_PAUSE, StoreThread

log = logging.getLogger(__name__)

NOT_SUPERSEDED = frozenset({errno.EBUSY, errno.ENOENT, errno.ENOTDIR, errno.EROFS})
"""How the mount refuses to rename a file that is current, or gone from its name, or in a read-only mount."""


class Cache(Protocol):
    """The kernel's cache of the mount."""

    def invalidate(self, path: str, mode: int) -> None:
        """Forget content and attributes of a file or directory, and its type if that is not ``mode``'s."""

    def invalidate_entry(self, parent: str, name: str) -> None:
        """Forget what the name ``name`` in the directory ``parent`` stands for."""


class Invalidation(StoreThread):
    """Invalidates, in a thread of its own, what others change in the store that is mounted at ``directory``.

    ``own_store`` is the one through which the mount makes its own changes; ``is_open`` tells, in any thread, whether
    the file of a key is open, ``superseded`` is how the names begin by which one is set apart. What cannot be invalidated stays pending, and holds nothing else up. The thread holds
    no transaction and no lock meanwhile: the kernel may wait for callbacks of the mount.
    """

    def __init__(
        self, own_store: Store, cache: Cache, directory: str, *, is_open: Callable[[str], bool], superseded: str
    ) -> None:
        super().__init__(own_store.path, "invalidation")
        self._own_writer = own_store.feed.writer
        self._position = own_store.feed.position()
        self._cache = cache
        self._directory = os.fsencode(directory)
        self._is_open = is_open
        self._superseded = superseded
        self._numbers = itertools.count(1)
        self._pending_keys: dict[str, bool] = {}  # and whether that was logged
        self._pending_prefixes: dict[str, bool] = {}

    def look(self, store: Store, _woken: bool = True, /) -> float | None:
        """Invalidate what others changed since the last look, and what could not be invalidated then."""
        changes = store.feed.since(self._position, but_by=self._own_writer)
        keys = [*changes.keys, *(prefix.removesuffix("/") for prefix in changes.prefixes)]
        above = {prefix for key in keys for prefix in _directories_above(key)}
        self._pending_keys |= dict.fromkeys(filter(None, keys), False)
        self._pending_prefixes |= dict.fromkeys(above, False)
        self._position = changes.position
        self._pending_keys = self._invalidate_each(self._pending_keys, lambda key: self._invalidate_key(store, key))
        self._pending_prefixes = self._invalidate_each(
            self._pending_prefixes, lambda prefix: self._invalidate_directory(store, prefix)
        )
        return RETRY_PAUSE if self._pending_keys or self._pending_prefixes else None

    def _invalidate_each(self, pending: dict[str, bool], invalidate: Callable[[str], None]) -> dict[str, bool]:
        """Invalidate each of these names; return those for which it failed."""
        failed: dict[str, bool] = {}
        for name, logged in pending.items():
            if self.stopping:
                break
            try:
                invalidate(name)
            except Exception as error:
                failed[name] = True
                if not logged:
                    expected = isinstance(error, (KvassError, OSError))
                    log.warning("cannot invalidate %r yet: %s", name, error, exc_info=None if expected else error)
        return failed

    def _invalidate_key(self, store: Store, key: str) -> None:
        """Have the kernel forget the file and the directory with this key."""
        path = paths.path_of(key)
        found = store.tree.lookup(key)
        value = path if found.directory is None else f"{path}/{paths.VALUE_NAME}"
        if self._is_open(key):
            self._set_apart(value)
        if found.directory is not None:
            self._cache.invalidate(path, found.directory.mode)
        if found.node is not None:
            self._cache.invalidate(value, found.node.mode)
        else:
            self._invalidate_name(value)

    def _invalidate_directory(self, store: Store, prefix: str) -> None:
        """Have the kernel forget a directory in which something changed, or that came or went with it.

        One that the kernel knows as what it is keeps its name: it may be somebody's working directory.
        """
        path = paths.path_of(prefix[:-1]) if prefix else "/"
        record = store.tree.directory(prefix)
        if record is None:
            self._invalidate_name(path)
        else:
            self._cache.invalidate(path, record.mode)

    def _set_apart(self, path: str) -> None:
        """Give an open file that was superseded a name of its own."""
        parent = path.rpartition("/")[0]
        hidden = f"{parent}/{self._superseded}{next(self._numbers)}"
        try:
            os.rename(self._directory + path.encode(), self._directory + hidden.encode())
        except OSError as error:
            if error.errno not in NOT_SUPERSEDED:
                raise

    def _invalidate_name(self, path: str) -> None:
        parent, _, name = path.rpartition("/")
        self._cache.invalidate_entry(parent or "/", name)


def _directories_above(key: str) -> Iterator[str]:
    """Yield the prefixes of the directories above a key, the nearest first and the root last."""
    prefix = directory_of(key)
    while prefix:
        yield prefix
        prefix = directory_of(prefix[:-1])
    yield ""
