"""Keeping a store in step with its hub all the time: a long poll brings changes in, what is written goes out.

A mount runs this beside itself as a process of its own, so that no call of the file system ever waits for it.
"""

from __future__ import annotations

import random as randomness
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Protocol

from ..errors import HubUnreachable, KvassError
from ..remote.address import shown
from ..remote.http import HttpRemote, Limits
from ..store import FOLLOWER, Store
from ..store.commits import CommitListener
from . import Remote, Synchroniser

GATHERING_TIME = 0.03
"""Seconds between a change and its push, so that what an editor does in one go is pushed in its last state."""

IDLE_INTERVAL = 10.0
"""Seconds between two looks at what waits, should no change have been noticed, or another process not have pushed it."""

SHORTEST_WAIT = 2.0
LONGEST_WAIT = 30.0
"""Seconds for which the hub may hold a pull back. They grow while nothing happens: a connection that died without
a trace is noticed soon where there is life, and an idle device asks rarely."""

POLL_INTERVAL = 2.0
"""Seconds between two pulls from a hub of the original program, which holds none back."""

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 3.0
"""Seconds between two tries to reach the hub; they grow while it is out of reach."""

FAREWELL_TIME = 5.0
"""Seconds from ``stop`` on that the last push may take."""

LAST_LOOK = 0.05
"""Seconds between two tries to end a pull that has to end."""


class Closable(Remote, Protocol):
    """A remote that can be closed from another thread, which ends what it is doing."""

    def close(self) -> None:
        """Close the connection."""


Connect = Callable[[str, Limits], Closable]


class _Session:
    """The exchange of one thread with the hub that is configured at the time."""

    def __init__(self, store: Store, connect: Connect, clock: Callable[[], int]) -> None:
        self._store = store
        self._connect = connect
        self._clock = clock
        self._remote: Closable | None = None
        self._synchroniser: Synchroniser | None = None
        self._configuration: object = None
        self.hung_up = False
        """Whether the exchange was ended by another thread, so that its failure tells nothing."""

    def synchroniser(self) -> Synchroniser | None:
        """Return what exchanges with the hub; ``None`` if no hub is set."""
        config, limits = self._store.settings.config(), Limits(*self._store.settings.timeouts())
        # The epoch is another one also where the other thread has found that the hub is not the one that it was.
        epoch = self._store.peers.hub().epoch
        configuration = (config.remote, config.encryption_key, config.process_id, limits, epoch)
        if configuration != self._configuration:
            self.close()
            self.hung_up = False
            self._remote = self._connect(config.remote, limits) if config.remote else None
            self._configuration = configuration
            if self._remote is not None:
                self._synchroniser = Synchroniser(self._store, self._remote, clock=self._clock, ahead=True)
        return self._synchroniser

    def hang_up(self) -> None:
        """End what is going on, from any thread."""
        self.hung_up = True
        self.close()

    def close(self) -> None:
        """Close the way to the hub; the next exchange opens it anew."""
        remote, self._remote = self._remote, None
        self._synchroniser = self._configuration = None
        if remote is not None:
            remote.close()


class Follower:
    """Keeps the store at ``path`` in step with its hub while ``run`` runs, in two threads.

    ``place`` is the directory of the mount that it serves, if any. ``notify`` is called when keys changed here, and
    ``say`` with a line when the hub is in touch or not any more: both from any thread. ``connect`` makes the way to
    a hub, ``jitter`` returns a number from 0 to 1.
    """

    def __init__(
        self,
        path: str,
        *,
        place: str = "",
        notify: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = lambda _: None,
        connect: Connect = HttpRemote,
        clock: Callable[[], int] = time.time_ns,
        jitter: Callable[[], float] = randomness.random,
    ) -> None:
        self._path = path
        self._place = place
        self._notify = notify
        self._say = say
        self._connect = connect
        self._clock = clock
        self._jitter = jitter
        self._stopping = threading.Event()
        self._hurry = threading.Timer(FAREWELL_TIME, self._hang_up, ["push"])
        self._hurry.daemon = True
        self._changes: CommitListener | None = None
        self._sessions: dict[str, _Session] = {}
        self._address = ""
        self._troubles: dict[str, str] = {}
        self._said = ""
        self._saying = threading.Lock()
        self._wait = 0.0
        self._gathered = False
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Keep the store in step until ``stop``.

        Raises:
            StoreError: it cannot be opened.
        """
        puller = threading.Thread(target=self._guarded_pull, name="kvassfs-pull", daemon=True)
        with self._open() as store, closing(CommitListener(self._path)) as self._changes:
            store.processes.follow(self._place)
            puller.start()
            try:
                self._keep("push", store, self._push)
                self._say_farewell(store)
            finally:
                self.stop()
                self._await(puller)
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
        if self._changes is not None:
            self._changes.wake()
        self._hang_up("pull")

    def _await(self, puller: threading.Thread) -> None:
        """Wait until the thread has ended, which may be about to connect and then wait for the hub."""
        for _ in range(int(FAREWELL_TIME / LAST_LOOK)):
            puller.join(LAST_LOOK)
            if not puller.is_alive():
                return
            self._hang_up("pull")

    def _open(self) -> Store:
        return Store.open(self._path, clock=self._clock, profile=FOLLOWER)

    def _hang_up(self, name: str) -> None:
        session = self._sessions.get(name)
        if session is not None:
            session.hang_up()

    def _keep(self, name: str, store: Store, work: Callable[[Store, _Session], None]) -> None:
        """Do ``work`` again and again; where it fails, after a pause."""
        session = self._sessions[name] = _Session(store, self._connect, self._clock)
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                work(store, session)
                pause = FIRST_PAUSE
            except KvassError as error:
                hung_up = session.hung_up
                session.close()
                if not hung_up and not self._stopping.is_set():
                    self._failed(name, store, error)
                    self._stopping.wait(pause * (0.5 + self._jitter() / 2))
                    pause = min(2 * pause, LONGEST_PAUSE)
        if name == "pull":
            session.close()

    def _failed(self, name: str, store: Store, error: KvassError) -> None:
        if name == "pull":
            self._wait, self._address = 0.0, ""
            with suppress(KvassError):
                store.processes.note_contact(str(error))
        elif isinstance(error, HubUnreachable):
            self._pull_anew()  # it may wait on a connection that is dead as well
        if self._troubles.get(name) != str(error):
            self._troubles[name] = str(error)
            self._tell(str(error))

    def _pull_anew(self) -> None:
        self._wait = 0.0
        self._hang_up("pull")

    def _went_well(self, name: str) -> None:
        self._troubles.pop(name, None)
        if self._address and not self._troubles:
            self._tell(f"in touch with the hub {self._address}")

    def _tell(self, message: str) -> None:
        """Say what is new; both threads may find out the same."""
        with self._saying:
            if message != self._said:
                self._said = message
                self._say(message)

    # In

    def _guarded_pull(self) -> None:
        try:
            with self._open() as store:
                self._keep("pull", store, self._pull)
        except BaseException as error:  # noqa: BLE001  raised again by run(), in the thread of its caller
            self._failure = error
            self.stop()

    def _pull(self, store: Store, session: _Session) -> None:
        """Pull once, and wait for news at the hub."""
        synchroniser = session.synchroniser()
        if synchroniser is None:
            self._address = ""
            self._stopping.wait(LONGEST_PAUSE)
            return
        changed = synchroniser.pull(wait=self._wait)
        if changed:
            self._notify()
        if session.synchroniser() is not synchroniser:
            return  # another hub, or key, has been set
        began = not self._wait
        self._wait = SHORTEST_WAIT if changed or began else min(self._wait * 1.5, LONGEST_WAIT)
        store.processes.note_contact()
        self._address = shown(store.settings.config().remote)
        self._went_well("pull")
        if store.peers.hub().version == 1:
            self._stopping.wait(POLL_INTERVAL)

    # Out

    def _push(self, store: Store, session: _Session) -> None:
        """Push once what waits, and wait for changes here."""
        assert self._changes is not None
        synchroniser = session.synchroniser()
        if synchroniser is not None and store.outbox.has_ready():
            if not self._gathered:
                self._stopping.wait(GATHERING_TIME)
            synchroniser.push()
            self._went_well("push")
        settled = None if synchroniser is None else store.outbox.next_release()
        changed = self._changes.wait(IDLE_INTERVAL if settled is None else settled)
        self._gathered = settled is not None and not changed
        if session.synchroniser() is not synchroniser:
            self._pull_anew()  # another hub, or key, has been set

    def _say_farewell(self, store: Store) -> None:
        """Push what was written last, unless the hub is out of touch.

        Nobody makes anew, any more, what was removed a moment ago; but another mount of the store might.
        """
        session = self._sessions["push"]
        if self._troubles or session.hung_up:
            return
        with suppress(KvassError):
            synchroniser = session.synchroniser()
            while synchroniser is not None:
                synchroniser.push()
                settled = store.outbox.next_release()
                if settled is None:
                    break
                time.sleep(settled)
        session.close()
