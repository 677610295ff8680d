"""Keeping a store in step with its hub all the time: a long poll brings changes in, what is written goes out.

A mount runs this beside itself as a process of its own, so that no call of the file system ever waits for it.
"""

from __future__ import annotations

import random as randomness
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress

from ..errors import KvassError
from ..remote.http import HttpRemote
from ..store import FOLLOWER, Store
from ..store.commits import CommitWatch
from .loops import Contact, PullLoop, PushLoop, Surroundings, Timings
from .session import Connect

TIMINGS = Timings()
"""How long a follower usually waits."""


class Follower:
    """Keeps the store at ``path`` in step with its hub while ``run`` runs, in two threads.

    ``place`` is the directory of the mount that it serves, if any. ``say`` is called with a line when
    the hub is in touch or not any more, from any thread, and ``started`` once it follows. ``connect`` makes the way to a hub, ``jitter`` returns a
    number from 0 to 1, ``stopping`` is what it pauses on.
    """

    def __init__(
        self,
        path: str,
        *,
        place: str = "",
        say: Callable[[str], None] = lambda _: None,
        started: Callable[[], None] = lambda: None,
        connect: Connect = HttpRemote,
        clock: Callable[[], int] = time.time_ns,
        jitter: Callable[[], float] = randomness.random,
        timings: Timings = TIMINGS,
        stopping: threading.Event | None = None,
    ) -> None:
        self._path = path
        self._place = place
        self._started = started
        self._clock = clock
        self._timings = timings
        self._stopping = threading.Event() if stopping is None else stopping
        surroundings = Surroundings(connect, jitter, timings, self._stopping, Contact(say), tells=not place)
        self._pull_loop = PullLoop(surroundings)
        self._push_loop = PushLoop(surroundings, self._pull_loop)
        self._hurry = threading.Timer(timings.farewell, self._push_loop.hang_up)
        self._hurry.daemon = True
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Keep the store in step until ``stop``.

        Raises:
            StoreError: it cannot be opened.
        """
        pulling = threading.Thread(target=self._pull, name="kvassfs-pull", daemon=True)
        with self._open() as store, closing(CommitWatch(self._path)) as self._push_loop.changes:
            store.processes.follow(self._place)
            self._push_loop.open(store)
            pulling.start()
            self._started()
            try:
                self._push_loop.run(store)
            finally:
                self.stop()
                self._await(pulling)
                self._hurry.cancel()
                with suppress(KvassError):
                    store.processes.unfollow()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End ``run`` soon; from any thread or signal handler."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._hurry.start()
        self._push_loop.wake()
        self._pull_loop.hang_up()

    def _open(self) -> Store:
        return Store.open(self._path, clock=self._clock, profile=FOLLOWER)

    def _pull(self) -> None:
        try:
            with self._open() as store:
                self._pull_loop.run(store)
        except BaseException as error:  # noqa: BLE001  raised again by run(), in the thread of its caller
            self._failure = error
            self.stop()

    def _await(self, pulling: threading.Thread) -> None:
        """Wait until the thread has ended, which may be about to connect and then wait for the hub."""
        for _ in range(int(self._timings.farewell / self._timings.last_look)):
            pulling.join(self._timings.last_look)
            if not pulling.is_alive():
                return
            self._pull_loop.hang_up()
