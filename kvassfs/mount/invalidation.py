"""Has the kernel forget what it caches of keys that others have changed; the mount's own changes it knows.

A key that changes while it is open has two versions at once, but the kernel caches one for each name.
So the open file is renamed, by a call to the mount, to a name that nobody sees: its readers go on there, and
the key's name is free for the new version.
"""

from __future__ import annotations

import errno
import itertools
import logging
from collections.abc import Callable
from typing import Protocol

from ..errors import KvassError
from ..store import Store, directories_above
from . import paths
from .store_thread import RETRY_PAUSE, StoreThread

log = logging.getLogger(__name__)

NOT_SUPERSEDED = frozenset({errno.EBUSY, errno.ENOENT, errno.ENOTDIR, errno.EROFS, errno.ENOTCONN})
"""How it is refused to rename a file that is current, or gone from its name, or in a read-only mount, or out of reach."""


class Refresh(Protocol):
    """Makes the kernel forget what it keeps of a path."""

    def __call__(self, path: str, mode: int | None, /, *, is_new: bool = False) -> None:
        """``mode`` is that of what is there by now, ``None`` if there is nothing. Raises OSError."""


class Invalidation(StoreThread):
    """Invalidates, in a thread of its own, what others change in the store that is mounted.

    ``own_store`` is the one through which the mount makes its own changes; ``is_open`` tells, in any thread, whether
    the file of a key is open, ``refresh`` has the kernel forget a path, ``rename`` calls the mount to give a file
    another name in its directory, and ``superseded`` is how the names begin by which one is set apart. What cannot be
    invalidated stays pending, and holds nothing else up. The thread holds no transaction and no lock meanwhile: the
    kernel may wait for callbacks of the mount.
    """

    def __init__(
        self,
        own_store: Store,
        *,
        is_open: Callable[[str], bool],
        refresh: Refresh,
        rename: Callable[[str, str], None],
        superseded: str,
    ) -> None:
        super().__init__(own_store.path, "invalidation")
        self._own_writer = own_store.feed.writer
        self._position = own_store.feed.position()
        self._is_open = is_open
        self._refresh = refresh
        self._rename = rename
        self._superseded = superseded
        self._numbers = itertools.count(1)
        self._pending_keys: dict[str, bool] = {}  # and whether that was logged
        self._pending_prefixes: dict[str, bool] = {}

    def look(self, store: Store, _woken: bool = True, /) -> float | None:
        """Invalidate what others changed since the last look, and what could not be invalidated then."""
        changes = store.feed.since(self._position, but_by=self._own_writer)
        keys = [*changes.keys, *(prefix.removesuffix("/") for prefix in changes.prefixes)]
        above = {prefix for key in keys for prefix in directories_above(key)}
        self._pending_keys |= dict.fromkeys(filter(None, keys), False)
        self._pending_prefixes |= dict.fromkeys(sorted(above), False)
        self._position = changes.position
        # Those above come first: what hides the others, the kernel has forgotten by then.
        self._pending_prefixes = self._invalidate_each(
            self._pending_prefixes, lambda prefix: self._invalidate_directory(store, prefix)
        )
        self._pending_keys = self._invalidate_each(self._pending_keys, lambda key: self._invalidate_key(store, key))
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
            self._refresh(path, found.directory.mode)
        self._refresh(value, None if found.node is None else found.node.mode)

    def _invalidate_directory(self, store: Store, prefix: str) -> None:
        """Have the kernel forget a directory in which something changed, or that came or went with it."""
        path = paths.path_of(prefix[:-1]) if prefix else "/"
        record = store.tree.directory(prefix)
        self._refresh(path, None if record is None else record.mode)

    def _set_apart(self, path: str) -> None:
        """Give an open file that was superseded a name of its own."""
        try:
            self._rename(path, f"{self._superseded}{next(self._numbers)}")
        except OSError as error:
            if error.errno not in NOT_SUPERSEDED:
                raise
