"""The way of one thread to the hub, opened anew whenever another hub, key or time limit is set."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from ..remote.http import TimeLimits
from ..store import Store
from ..tuples import NamedTuple
from .hub_client import Remote
from .synchroniser import Synchroniser


class Closable(Remote, Protocol):
    """A remote that can be closed from another thread, which ends what it is doing."""

    def close(self) -> None:
        """Close the connection."""


Connect = Callable[[str, TimeLimits], Closable]
"""Opens the way to the hub at an address."""


class _Configuration(NamedTuple):
    """What a session was opened with; where it is another one, the session is opened anew."""

    address: str
    key: bytes
    process_id: int
    limits: TimeLimits
    epoch: int


class Session:
    """Exchanges of one thread with the hub that is configured at the time."""

    def __init__(self, store: Store, connect: Connect) -> None:
        self.store = store
        self._connect = connect
        self._remote: Closable | None = None
        self._synchroniser: Synchroniser | None = None
        self._configuration: _Configuration | None = None
        self._lock = threading.Lock()
        self.hung_up = False
        """Whether the exchange was ended by another thread, so that its failure tells nothing."""

    def synchroniser(self) -> Synchroniser | None:
        """Return what exchanges with the hub; ``None`` if no hub is set."""
        with self._lock:  # what hangs up from now on may know of another hub than is read here
            hung_up, self.hung_up = self.hung_up, False
        configuration = self._read_configuration()
        if configuration != self._configuration or hung_up:
            self.close()
            self._open(configuration)
        return self._synchroniser

    @property
    def configuration(self) -> object:
        """What it is opened with, for comparison: another one leads to another hub, or under another key."""
        return self._configuration

    def _open(self, configuration: _Configuration) -> None:
        remote = synchroniser = None
        if configuration.address:
            self.store.identity.detach_copy()
            configuration = self._read_configuration()  # it may have another process id now
            remote = self._connect(configuration.address, configuration.limits)
            synchroniser = Synchroniser(self.store, remote, ahead=True)
        with self._lock:
            self._remote, self._synchroniser, self._configuration = remote, synchroniser, configuration
            hung_up = self.hung_up
        if hung_up and remote is not None:
            remote.close()

    def _read_configuration(self) -> _Configuration:
        config, limits = self.store.settings.config(), TimeLimits(*self.store.settings.timeouts())
        # The epoch is another one also where the other thread has found that the hub is not the one that it was.
        epoch = self.store.peers.hub().epoch
        return _Configuration(config.remote, config.encryption_key, config.process_id, limits, epoch)

    def hang_up(self) -> None:
        """End what is going on, from any thread; the next exchange opens the way to the hub anew."""
        with self._lock:
            self.hung_up = True
            remote = self._remote
        if remote is not None:
            remote.close()

    def close(self) -> None:
        """Close the way to the hub; the next exchange opens it anew."""
        remote, self._remote = self._remote, None
        self._synchroniser = self._configuration = None
        if remote is not None:
            remote.close()
