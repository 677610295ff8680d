"""What a follower does all the time: one loop pulls, the other one pushes, each in a thread of its own."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress

from ..clocks import describe_difference
from ..errors import HubUnreachable, KvassError
from ..remote.errors import HubBusy
from ..store import Store
from ..store.commits import CommitWatch
from ..tuples import NamedTuple
from .conflict_news import ConflictNews
from .refused_news import RefusedNews
from .session import Connect, Session
from .synchroniser import Synchroniser


class Timings(NamedTuple):
    """How long a follower waits for what, in seconds."""

    gathering: float = 0.03
    """Between a change and its push, so that what an editor does in one go is pushed in its last state; and between the
    pushes of saves that come one after another. The first of them is pushed at once, see ``Outbox.has_save``."""

    idle: float = 10.0
    """Between two looks at what is dirty, should no change have been noticed, or another process not have pushed it."""

    shortest_wait: float = 2.0
    """For which the hub may hold a pull back at first. It grows while nothing happens: a connection that died without a
    trace is noticed soon where there is life, and an idle device asks rarely."""

    longest_wait: float = 30.0
    """For which it may do so at last."""

    polling: float = 2.0
    """Between two pulls from a hub of the original program, which holds none back."""

    first_pause: float = 0.2
    """Between two tries to reach the hub; it grows while the hub is out of reach."""

    longest_pause: float = 3.0
    """Between two tries at last, and between two looks whether there is a hub."""

    farewell: float = 5.0
    """From ``stop`` on that the last push may take."""

    last_look: float = 0.05
    """Between two tries to end a pull that has to end."""


class Contact:
    """Says when the hub is in touch and when it is not any more; for both loops.

    ``say`` is called with a line, from any thread. ``address`` is that of the hub that is in touch.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.address = ""
        self.troubles: dict[Loop, str] = {}
        self.say = say
        self._said = ""
        self._is_clock_wrong = False
        self._saying = threading.Lock()

    def note_failure(self, loop: Loop, message: str) -> None:
        """Note that a step of a loop failed, and say so if that is new."""
        if self.troubles.get(loop) != message:
            self.troubles[loop] = message
            self._say_once(message)

    def note_success(self, loop: Loop) -> None:
        """Note that a step of a loop went well, and say so once nothing is the matter any more."""
        self.troubles.pop(loop, None)
        if self.address and not self.troubles:
            self._say_once(f"in touch with the hub {self.address}")

    def note_clock(self, difference: int | None) -> None:
        """Note by how many µs the hub's clock is ahead of ours, and say so once where that is much."""
        warning = describe_difference(difference)
        with self._saying:
            is_new, self._is_clock_wrong = warning is not None and not self._is_clock_wrong, warning is not None
        if warning is not None and is_new:
            self.say(f"warning: {warning}")

    def _say_once(self, message: str) -> None:
        """Say what is new; both threads may find out the same."""
        with self._saying:
            if message != self._said:
                self._said = message
                self.say(message)


class Surroundings(NamedTuple):
    """What both loops share: see ``Follower``. ``stopping`` is set when they have to end, and they pause on it.

    ``tells``: conflicts are told, and what was not taken from the hub; where there is a mount, that tells them.
    """

    connect: Connect
    jitter: Callable[[], float]
    timings: Timings
    stopping: threading.Event
    contact: Contact
    tells: bool


class Loop(ABC):
    """Takes a step again and again until it has to stop; where one fails, after a pause."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._connect, self._jitter, self._timings, self._stopping, self._contact, self._tells = surroundings
        self.session: Session | None = None

    def run(self, store: Store) -> None:
        """Run until ``stopping`` is set, in the thread that has the store."""
        session = self.session = self.session or Session(store, self._connect)
        pause = self._timings.first_pause
        while not self._stopping.is_set():
            try:
                self._step(session)
                pause = self._timings.first_pause
            except KvassError as error:
                hung_up = session.hung_up
                session.close()
                if not hung_up and not self._stopping.is_set():
                    self._fail(session, error)
                    asked = error.retry_after if isinstance(error, HubBusy) else 0.0
                    self._stopping.wait(asked + pause * (0.5 + self._jitter() / 2))
                    pause = min(2 * pause, self._timings.longest_pause)
        self._finish(session)
        session.close()

    def hang_up(self) -> None:
        """End what is going on with the hub, from any thread."""
        if self.session is not None:
            self.session.hang_up()

    @abstractmethod
    def _step(self, session: Session) -> None:
        """Exchange once, and wait until there may be something again."""

    def _fail(self, _session: Session, error: KvassError) -> None:
        """Note that a step failed."""
        self._contact.note_failure(self, str(error))

    def _finish(self, session: Session) -> None:  # noqa: B027  there is nothing to be done for most
        """Do what is left to do when the loop ends."""


class PullLoop(Loop):
    """Pulls, and waits for news at the hub."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._wait = 0.0
        self._news: list[ConflictNews | RefusedNews] = []

    def begin_anew(self) -> None:
        """Pull at once, on a new connection: the one that is waited on may be dead, or of another hub."""
        self._wait = 0.0
        self.hang_up()

    def _step(self, session: Session) -> None:
        synchroniser = session.synchroniser()
        if synchroniser is None:
            self._contact.address = ""
            self._stopping.wait(self._timings.longest_pause)
            return
        if self._tells and not self._news:
            clock, say = session.store.settings.config().clock, self._contact.say
            self._news = [ConflictNews(clock, say), RefusedNews(session.store, say)]
        changed = synchroniser.pull(wait=self._wait)
        if session.synchroniser() is not synchroniser:
            return  # another hub, or key, has been set
        self._wait = self._next_wait(news=bool(changed))
        session.store.processes.note_contact()
        self._contact.address = synchroniser.address
        self._contact.note_success(self)
        self._contact.note_clock(session.store.hub_time.difference())
        for news in self._news:
            news.tell(session.store)
        if session.store.peers.hub().version == 1:
            self._stopping.wait(self._timings.polling)

    def _next_wait(self, *, news: bool) -> float:
        if news or not self._wait:
            return self._timings.shortest_wait
        return min(self._wait * 1.5, self._timings.longest_wait)

    def _fail(self, session: Session, error: KvassError) -> None:
        self._wait, self._contact.address = 0.0, ""
        with suppress(KvassError):
            session.store.processes.note_contact(str(error))
        super()._fail(session, error)


class PushLoop(Loop):
    """Pushes what is dirty, and waits for ``changes`` here, which must be set before it runs.

    Where it finds that the hub is out of reach, or another one, the ``pull_loop`` begins anew.
    """

    def __init__(self, surroundings: Surroundings, pull_loop: PullLoop) -> None:
        super().__init__(surroundings)
        self.changes: CommitWatch | None = None
        self._pull_loop = pull_loop
        self._gathered = False
        self._pushed = float("-inf")
        self._configuration: object = None

    def open(self, store: Store) -> None:
        """Look which hub there is, before the ``pull_loop`` runs: it is told of any other one from now on."""
        session = self.session = Session(store, self._connect)
        with suppress(KvassError):  # as ``run`` will say
            session.synchroniser()
        self._configuration = session.configuration

    def wake(self) -> None:
        """End the wait for changes, from any thread."""
        if self.changes is not None:
            self.changes.wake()

    def _step(self, session: Session) -> None:
        synchroniser = session.synchroniser()
        if session.configuration != self._configuration:
            self._configuration = session.configuration
            self._pull_loop.begin_anew()  # another hub, or key, has been set
        if synchroniser is not None and session.store.outbox.has_ready():
            if not (self._gathered or self._is_at_once(session.store)):
                self._stopping.wait(self._timings.gathering)
            synchroniser.push()
            self._pushed = time.monotonic()
            self._contact.note_success(self)
        self._await_changes(None if synchroniser is None else session.store.outbox.next_release())

    def _is_at_once(self, store: Store) -> bool:
        """Whether somebody may be waiting elsewhere for what has just been saved, and nothing was pushed a moment ago."""
        return time.monotonic() - self._pushed >= self._timings.gathering and store.outbox.has_save()

    def _await_changes(self, release: float | None) -> None:
        """Wait until something changes, or what is held back can be pushed after ``release`` seconds."""
        assert self.changes is not None
        changed = self.changes.wait(self._timings.idle if release is None else release)
        self._gathered = release is not None and not changed

    def _fail(self, session: Session, error: KvassError) -> None:
        if isinstance(error, HubUnreachable):
            self._pull_loop.begin_anew()  # it may wait on a connection that is dead as well
        super()._fail(session, error)

    def _finish(self, session: Session) -> None:
        """Push what was written last, unless the hub is out of touch."""
        if self._contact.troubles or session.hung_up:
            return
        with suppress(KvassError):
            synchroniser = session.synchroniser()
            if synchroniser is not None:
                _push_to_the_end(session.store, synchroniser)


def _push_to_the_end(store: Store, synchroniser: Synchroniser) -> None:
    """Push until nothing is held back.

    Nobody makes anew, any more, what was removed a moment ago; but another mount of the store might.
    """
    while True:
        synchroniser.push()
        release = store.outbox.next_release()
        if release is None:
            return
        time.sleep(release)
