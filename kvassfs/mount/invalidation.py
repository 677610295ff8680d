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

from .. import paths
from ..errors import KvassError
from ..store import Changes, Event, Seen, Store, directories_above
from ..sync.conflict_news import ConflictNews
from ..sync.refused_news import RefusedNews
from .announcing import Announcer, find_path, list_announcements
from .store_thread import RETRY_PAUSE, StoreThread

log = logging.getLogger(__name__)

NOT_SUPERSEDED = frozenset({errno.EBUSY, errno.ENOENT, errno.ENOTDIR, errno.EROFS, errno.ENOTCONN})
"""How it is refused to rename a file that is current, or gone from its name, or in a read-only mount, or out of reach."""


class Invalidate(Protocol):
    """Makes the kernel forget what it keeps of a path."""

    def __call__(self, path: str, mode: int | None, /, *, is_new: bool = False) -> None:
        """``mode`` is that of what is there by now, ``None`` if there is nothing. Raises OSError."""


def _warn(line: str) -> None:
    log.warning("%s", line)


class Invalidation(StoreThread):
    """Invalidates, in a thread of its own, what others change in the store that is mounted.

    ``own_store`` is the one through which the mount makes its own changes; ``announcer`` has watchers be told before the
    kernel forgets, as far as it can; ``is_open`` tells, in any thread, whether
    the file of a key is open, ``invalidate`` has the kernel forget a path, ``rename`` calls the mount to give a file
    another name in its directory, and ``superseded`` is how the names begin by which one is set apart. What cannot be
    invalidated stays pending, and holds nothing else up. The thread holds no transaction and no lock meanwhile: the
    kernel may wait for callbacks of the mount.
    """

    def __init__(
        self,
        own_store: Store,
        *,
        announcer: Announcer | None,
        is_open: Callable[[str], bool],
        invalidate: Invalidate,
        rename: Callable[[str, str], None],
        superseded: str,
    ) -> None:
        super().__init__(own_store.path, "invalidation")
        self._own_writer = own_store.feed.writer
        self._position = own_store.feed.position()
        self._announcer = announcer
        self._is_open = is_open
        self._invalidate = invalidate
        self._rename = rename
        self._superseded = superseded
        self._numbers = itertools.count(1)
        self._pending_keys: dict[str, bool] = {}  # and whether that was logged
        self._pending_prefixes: dict[str, bool] = {}
        self._news = (ConflictNews(own_store.tree.clock(), _warn), RefusedNews(own_store, _warn))

    def look(self, store: Store, _woken: bool = True, /) -> float | None:
        """Invalidate what others changed since the last look, and what could not be invalidated then."""
        for news in self._news:
            news.tell(store)
        changes = store.feed.since(self._position, but_by=self._own_writer)
        keys = [*changes.keys, *(prefix.removesuffix("/") for prefix in changes.prefixes)]
        above = {prefix for key in keys for prefix in directories_above(key)}
        self._pending_keys |= dict.fromkeys(filter(None, keys), False)
        self._pending_prefixes |= dict.fromkeys(sorted(above), False)
        new = self._announce(store, changes)
        self._position = changes.position
        # Those above come first: what hides the others, the kernel has forgotten by then.
        self._pending_prefixes = self._invalidate_each(
            self._pending_prefixes, lambda prefix: self._invalidate_directory(store, prefix, new)
        )
        self._pending_keys = self._invalidate_each(
            self._pending_keys, lambda key: self._invalidate_key(store, key, new)
        )
        if self._pending_keys or self._pending_prefixes:
            return RETRY_PAUSE
        return self._announcer.announce() if self._announcer is not None else None

    def _announce(self, store: Store, changes: Changes) -> set[str]:
        """Announce what was changed, as far as it can be at once; return the paths that are new."""
        if self._announcer is None:
            return set()
        announcements = list(list_announcements(store, self._without_open(store, changes), self._position))
        self._announcer.add(announcements)
        self._announcer.announce()
        return {path for path, event, _ in announcements if event is Event.CREATED}

    def _without_open(self, store: Store, changes: Changes) -> Changes:
        """Set apart what is open; return the changes as they are seen then: watchers have seen it leave."""
        found = (self._as_seen(store, seen) if self._is_open(seen.key) else seen for seen in changes.seen)
        return changes._replace(seen=[seen for seen in found if seen is not None])

    def _as_seen(self, store: Store, seen: Seen) -> Seen | None:
        try:
            if not self._set_apart(find_path(store, seen.key)):
                return seen
        except OSError:  # it is tried again
            return seen
        return None if seen.event is Event.REMOVED else seen._replace(event=Event.CREATED)

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

    def _invalidate_key(self, store: Store, key: str, new: set[str]) -> None:
        """Have the kernel forget the file and the directory with this key."""
        path = paths.path_of(key)
        found = store.tree.lookup(key)
        value = path if found.directory is None else f"{path}/{paths.VALUE_NAME}"
        if self._is_open(key):
            self._set_apart(value)
        if found.directory is not None:
            self._invalidate(path, found.directory.mode)
        self._invalidate(value, None if found.node is None else found.node.mode, is_new=value in new)

    def _invalidate_directory(self, store: Store, prefix: str, new: set[str]) -> None:
        """Have the kernel forget a directory in which something changed, or that came or went with it."""
        path = paths.path_of(prefix[:-1]) if prefix else "/"
        record = store.tree.directory(prefix)
        self._invalidate(path, None if record is None else record.mode, is_new=path in new)

    def _set_apart(self, path: str) -> bool:
        """Give an open file that was superseded a name of its own; return whether it was."""
        try:
            self._rename(path, f"{self._superseded}{next(self._numbers)}")
        except OSError as error:
            if error.errno not in NOT_SUPERSEDED:
                raise
            return False
        return True
