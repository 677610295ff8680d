"""Telling inotify watchers in a mount what other devices and processes changed.

The kernel tells them of calls alone, so the call process makes calls that would have changed the files so; the mount
knows these and changes nothing (see ``own_calls``). What is announced and when is decided here.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple, Protocol

from .. import paths
from ..store import DIRECTORY_MODE, Changes, Event, Position, Store, directories_above

RATE = 150.0
"""Announcements a second, and those that may come at once: never more than 200 within a second."""

BURST = 50

WAITING = 10_000
"""Announcements that wait at most; the oldest of more are dropped."""

FEW = 10
"""Announcements that cost less than to find out whether anybody watches."""

CHECK_PAUSE = 5.0
"""Seconds for which somebody who watches is taken to go on."""

PAUSE = 0.05
"""Seconds between two looks at what waits."""

FILE_MODE = stat.S_IFREG | 0o600


class Announcement(NamedTuple):
    """What became of a path, and the ``st_mode`` of what is there, or was."""

    path: str
    event: Event
    mode: int


class Announce(Protocol):
    """Has watchers be told of an event."""

    def __call__(self, path: str, event: Event, mode: int, /) -> None:
        """Make the calls that raise the events; raise OSError where one fails."""


class Announcer:
    """Has watchers be told by ``announce``, the newest first, and not too often.

    ``is_watched`` tells whether there are any, which is asked for where there is much to tell: nobody misses what came
    before he began to watch. ``clock`` returns seconds.
    """

    def __init__(
        self, announce: Announce, is_watched: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._announce = announce
        self._is_watched = is_watched
        self._next_check = clock()
        self._clock = clock
        self._allowed = float(BURST)
        self._counted = clock()
        self._waiting: dict[str, Announcement] = {}

    def add(self, announcements: Iterable[Announcement]) -> None:
        """Have these announced, each before the next, and all before those that wait."""
        for new in reversed(list(announcements)):
            old = self._waiting.pop(new.path, None)
            event = new.event if old is None else _combine(old.event, new.event)
            if event is not None:
                self._waiting[new.path] = new._replace(event=event)
        for path in list(self._waiting)[: max(0, len(self._waiting) - WAITING)]:
            del self._waiting[path]

    def announce(self) -> float | None:
        """Announce what is allowed now; return the seconds until more is, ``None`` if nothing waits."""
        now = self._clock()
        self._allowed = min(BURST, self._allowed + max(0.0, now - self._counted) * RATE)
        self._counted = now
        if len(self._waiting) > FEW and now >= self._next_check:
            self._check(now)
        while self._waiting and self._allowed >= 1:
            self._allowed -= 1
            _, announcement = self._waiting.popitem()
            with suppress(OSError):  # it is gone by now, or the kernel knows of it
                self._announce(*announcement)
        return PAUSE if self._waiting else None

    def _check(self, now: float) -> None:
        """Forget what waits if nobody watches."""
        if self._is_watched():
            self._next_check = now + CHECK_PAUSE
        else:
            self._waiting.clear()


def _combine(old: Event, new: Event) -> Event | None:
    """Return what two events are together, of which the first has not been announced; ``None`` if nothing."""
    if new is Event.REMOVED:
        return None if old is Event.CREATED else new
    if old is Event.REMOVED:
        return Event.CHANGED
    return old


def list_announcements(store: Store, changes: Changes, since: Position) -> Iterator[Announcement]:
    """Yield what is to be announced of ``changes`` since a position: in an order in which it could have been done.

    What is in a directory that came is not: who hears of that looks what is in it, and a name that is being announced
    is missing for a moment.
    """
    files = {event: [seen for seen in changes.seen if seen.event is event] for event in Event}
    for key, event, _ in files[Event.REMOVED]:
        yield Announcement(find_path(store, key), event, FILE_MODE)
    yield from _list_removed(store, [seen.key for seen in files[Event.REMOVED]], changes.prefixes)
    created = list(_list_created(store, [seen.key for seen in files[Event.CREATED]], changes.prefixes, since))
    new = {announcement.path for announcement in created}
    yield from (announcement for announcement in created if not _is_below(announcement.path, new))
    for key, event, mode in files[Event.CREATED] + files[Event.CHANGED]:
        path = find_path(store, key)
        if not _is_below(path, new):
            yield Announcement(path, event, FILE_MODE if mode is None else mode)


def _is_below(path: str, directories: set[str]) -> bool:
    """Whether a path lies below one of these."""
    while (path := path.rpartition("/")[0]) and directories:
        if path in directories:
            return True
    return False


def _list_removed(store: Store, keys: list[str], prefixes: list[str]) -> Iterator[Announcement]:
    """Yield the directories that are gone, with these keys or themselves, from below."""
    found = {prefix for key in keys for prefix in directories_above(key)} | set(prefixes)
    for prefix in sorted(found - {""}, reverse=True):
        if store.tree.directory(prefix) is None:
            yield Announcement(paths.path_of(prefix[:-1]), Event.REMOVED, DIRECTORY_MODE)


def _list_created(store: Store, keys: list[str], prefixes: list[str], since: Position) -> Iterator[Announcement]:
    """Yield the directories that came, with these keys or themselves, from above."""
    found: set[str] = set()
    for key in keys + prefixes:
        for prefix in directories_above(key):
            if prefix in found or not prefix or store.feed.had_directory(prefix, since):
                break
            found.add(prefix)
    for prefix in sorted(found - {""}):
        if (record := store.tree.directory(prefix)) is not None:
            yield Announcement(paths.path_of(prefix[:-1]), Event.CREATED, record.mode)


def find_path(store: Store, key: str) -> str:
    """Return the path of the file of a key."""
    path = paths.path_of(key)
    return path if store.tree.directory(f"{key}/") is None else f"{path}/{paths.VALUE_NAME}"
