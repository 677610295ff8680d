"""Following what becomes of the keys of a store, whoever changes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ..store import Changes, Event, Store
from ..store.commits import CommitWatch

REMEMBERED: Final = 10.0
"""Seconds for which a key that came is remembered: a mount may remove it without a trace, within 2 s."""

RECENT: Final = 1000
"""Versions among which, at first, those are looked for that came a moment ago."""

PAUSE: Final = 10.0
"""Seconds after which the caller is asked whether to go on, if nothing happens."""


GATHERING: Final = 0.05
"""Seconds for which changes gather: a shell in a mount makes a file, writes to it, and has saved it twice then."""


class Change(NamedTuple):
    """A key, and what became of its value."""

    key: str
    event: Event


class Watcher:
    """Tells what changed since the last look, at first since this was made; several changes of a key may be one.

    ``clock`` returns seconds.
    """

    def __init__(self, store: Store, prefix: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._prefix = prefix
        self._clock = clock
        self._position = store.feed.position()
        recently = self._position._replace(sequence=max(self._position.sequence - RECENT, 0))
        came = store.feed.since(recently, but_by=store.feed.writer).seen
        self._created = {seen.key: clock() for seen in came if seen.event is Event.CREATED}

    def look(self) -> list[Change]:
        """Return what changed, in order."""
        now = self._clock()
        self._created = {key: then for key, then in self._created.items() if now - then < REMEMBERED}
        changes = self._store.feed.since(self._position, but_by=self._store.feed.writer)
        self._position = changes.position
        found = [Change(seen.key, seen.event) for seen in changes.seen if seen.key.startswith(self._prefix)]
        found += [Change(key, Event.REMOVED) for key in self._find_vanished(changes)]
        for key, event in found:
            if event is Event.CREATED:
                self._created[key] = now
            else:
                self._created.pop(key, None)
        return found

    def _find_vanished(self, changes: Changes) -> list[str]:
        """Return the keys that came a moment ago and of which there is nothing left, not even that they were removed."""
        told = {seen.key for seen in changes.seen}
        noted = [key for key in changes.keys if key in self._created and key not in told]
        return [key for key in dict.fromkeys(noted) if self._store.tree.entry(key) is None]


class Watch:
    """Waits for changes of the keys that begin with ``prefix``. For one thread, but for ``wake``."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._commits = CommitWatch(store.path)
        self._watcher = Watcher(store, prefix)

    def changes(self, goes_on: Callable[[], bool]) -> Iterator[Change]:
        """Yield changes as they come, until ``goes_on`` says no; it is asked now and then, and after each ``wake``."""
        while goes_on():
            yield from self._watcher.look()
            if self._commits.wait(PAUSE):
                time.sleep(GATHERING)

    def wake(self) -> None:
        """Have ``goes_on`` asked soon; from any thread or signal handler."""
        self._commits.wake()

    def close(self) -> None:
        """End waiting for good."""
        self._commits.close()
