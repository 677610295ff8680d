"""The connections of a hub: which there are, what each does since when, and the end of those that take too long."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol

from .admission import DEFAULT_LIMITS, GIVEN_UP, ConnectionLimits, Phase, decide_capacity, rank

log = logging.getLogger(__name__)

INTERVAL: Final = 0.5
"""Seconds between two looks at how long connections have taken."""

REPORT_INTERVAL: Final = 60.0
"""Seconds between two lines about the same thing."""

ENOUGH_DESCRIPTORS: Final = 65536
"""Descriptors that are asked for at most, where the machine sets no limit."""

UNSENT: Final = 128 * 1024
"""Bytes that the kernel takes for a connection, at most, before it can send them."""


class Connection(Protocol):
    """A connection, as those who keep the list of them see it. Compared by identity."""

    def expire(self, phase: Phase) -> None:
        """End, as it was in a phase for too long."""

    def cut(self) -> None:
        """End at once, with nothing of what is written."""

    def count_unsent(self) -> int:
        """Return how many bytes of what is written the client has not received yet."""


class Reporter:
    """Logs what comes again and again: at once, and then once in ``interval`` seconds how often it came."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        interval: float = REPORT_INTERVAL,
        write: Callable[[str], None] = log.warning,
    ) -> None:
        self._clock = clock
        self._interval = interval
        self._write = write
        self._counts: dict[str, int] = {}
        self._next: dict[str, float] = {}

    def note(self, text: str) -> None:
        """Count something, and log it if it is time."""
        self._counts[text] = self._counts.get(text, 0) + 1
        self._report(text)

    def report(self) -> None:
        """Log what was counted and for which it is time by now."""
        for text in [*self._counts]:
            self._report(text)
        now = self._clock()
        self._next = {text: when for text, when in self._next.items() if when > now or text in self._counts}

    def _report(self, text: str) -> None:
        now = self._clock()
        if now >= self._next.get(text, now):
            count = self._counts.pop(text)
            self._next[text] = now + self._interval
            self._write(text if count == 1 else f"{text} ({count} times)")


class Connections:
    """All connections of a server, for the thread of its event loop. ``clock`` returns seconds."""

    def __init__(
        self,
        limits: ConnectionLimits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.monotonic,
        reporter: Reporter | None = None,
    ) -> None:
        self.limits = limits
        self._clock = clock
        self._reporter = reporter or Reporter(clock)
        self._since: dict[Phase, dict[Connection, float]] = {phase: {} for phase in Phase}
        """In each phase those that are in it for longest come first."""
        self._phases: dict[Connection, Phase] = {}
        self._places: dict[Connection, str] = {}
        self._of_place: dict[str, dict[Connection, None]] = {}
        self._waiting: dict[Connection, tuple[float, int]] = {}
        """Those whose client receives too slowly: since when, and how much was unsent then."""

    def __len__(self) -> int:
        return len(self._phases)

    def admit(self, connection: Connection, place: str, phase: Phase) -> bool:
        """Take a new connection of a place, in a phase; another one may be given up. Return False if it cannot be."""
        share = self.limits.find_share(place)
        of_place = self._of_place.get(place, {})
        if share is not None and len(of_place) >= share:
            self._reporter.note(f"one address has {share} connections, no more are taken (--per-address): {place}")
            if not self._give_up_of(list(of_place)):
                return False
        if len(self) >= self.limits.capacity:
            self._reporter.note(f"there are {self.limits.capacity} connections, the oldest idle ones are given up")
            if not self._give_up_oldest():
                return False
        self._places[connection] = place
        self._of_place.setdefault(place, {})[connection] = None
        self.move(connection, phase)
        return True

    def _give_up_of(self, candidates: list[Connection]) -> bool:
        """Give up one of these; return False if none can be."""
        states = [(self._phases[each], self._since[self._phases[each]][each]) for each in candidates]
        number = rank(states)
        if number is None:
            return False
        self._give_up(candidates[number])
        return True

    def _give_up_oldest(self) -> bool:
        """Give up one of all; return False if none can be. The same as ``rank`` of all, but for a thousand."""
        oldest = next((each for phase in GIVEN_UP for each in self._since[phase]), None)
        if oldest is None:
            return False
        self._give_up(oldest)
        return True

    def _give_up(self, connection: Connection) -> None:
        self.remove(connection)
        connection.cut()

    def move(self, connection: Connection, phase: Phase) -> None:
        """Note what a connection does; its time begins anew if that is something else than before."""
        before = self._phases.get(connection)
        if before is phase or connection not in self._places:
            return
        if before is not None:
            del self._since[before][connection]
        self._phases[connection] = phase
        self._since[phase][connection] = self._clock()

    def remove(self, connection: Connection) -> None:
        """Forget a connection that has ended, or was never taken."""
        self._waiting.pop(connection, None)
        place = self._places.pop(connection, None)
        if place is None:
            return
        del self._since[self._phases.pop(connection)][connection]
        of_place = self._of_place[place]
        del of_place[connection]
        if not of_place:
            del self._of_place[place]

    def note_waiting(self, connection: Connection) -> None:
        """Note that more is written to a connection than its client receives."""
        self._waiting[connection] = (self._clock(), connection.count_unsent())

    def note_received(self, connection: Connection) -> None:
        """Note that the client has received most of it."""
        self._waiting.pop(connection, None)

    def sweep(self) -> None:
        """End the connections that have taken too long."""
        now = self._clock()
        for phase, since in self._since.items():
            timeout = self.limits.find_timeout(phase)
            if timeout is not None:
                for connection in [*_find_older(since, now - timeout)]:
                    self._expire(connection, phase, now)
        for connection, (since_when, unsent) in [*self._waiting.items()]:
            if since_when > now - self.limits.write:
                break
            self._judge_reader(connection, unsent, now)
        self._reporter.report()

    def _expire(self, connection: Connection, phase: Phase, now: float) -> None:
        """End a connection, unless what is written still has to leave: then the time for readers counts."""
        if phase is Phase.LEAVING and connection.count_unsent():
            self._since[phase].pop(connection)
            self._since[phase][connection] = now
            if connection not in self._waiting:
                self.note_waiting(connection)
            return
        if phase in {Phase.HEAD, Phase.HANDSHAKE}:
            self._reporter.note("a connection is closed, for its request did not come in time")
        self.remove(connection)
        connection.expire(phase)

    def _judge_reader(self, connection: Connection, unsent: int, now: float) -> None:
        """Cut a connection whose client receives nothing any more, or next to nothing."""
        del self._waiting[connection]
        left = connection.count_unsent()
        if unsent - left >= min(self.limits.written, max(unsent, 1)):
            self._waiting[connection] = (now, left)
            return
        self.note_broken_off()
        self.remove(connection)
        connection.cut()

    def note_refused(self, words: str) -> None:
        """Have the log say that a request was refused before anybody saw it."""
        self._reporter.note(f"a request is refused: {words}")

    def note_broken_off(self) -> None:
        """Have the log say that a response did not get to its end."""
        self._reporter.note("a response is broken off, for its client does not receive it")

    def end(self) -> None:
        """End those that no request is worked on for, as the server ends."""
        for phase in GIVEN_UP:
            for connection in [*self._since[phase]]:
                if phase not in {Phase.BODY, Phase.LEAVING}:
                    self._give_up(connection)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """``with`` a look at all connections now and again, by the running event loop."""
        task = asyncio.get_running_loop().create_task(self._sweep_forever())
        try:
            yield
        finally:
            task.cancel()

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            self.sweep()


def _find_older(since: dict[Connection, float], limit: float) -> Iterator[Connection]:
    for connection, when in since.items():
        if when > limit:
            return
        yield connection


# The kernel


def raise_descriptor_limit() -> int:
    """Allow this process as many descriptors as it may allow itself, and return how many these are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    with suppress(OSError, ValueError):  # macOS allows fewer than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft


def find_capacity() -> int:
    """Return how many connections this process may have."""
    return decide_capacity(raise_descriptor_limit())


def bound_buffers(listening: socket.socket, timeout: float) -> None:
    """Have the kernel take little for each connection that will be accepted, and give it up after ``timeout`` seconds.

    What it takes beyond what it can send at once would count as received here. It gives up where the client has
    acknowledged nothing for so long, also for what is unsent when a connection is closed.
    """
    for name, value in (("TCP_NOTSENT_LOWAT", UNSENT), ("TCP_USER_TIMEOUT", int(timeout * 1000))):
        option = getattr(socket, name, None)
        if option is not None:
            with suppress(OSError):
                listening.setsockopt(socket.IPPROTO_TCP, option, value)
