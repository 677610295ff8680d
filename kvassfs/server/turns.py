"""Who is served first: requests of strangers wait for their turn, a few at a time and fairly among their addresses."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .admission import find_place

AT_ONCE: Final = 3
"""Requests of strangers that are worked on at the same time: fewer than there are threads for devices."""

IN_A_ROUND: Final = 8
"""Turns that are given before the event loop looks at the sockets again; a short value takes a tenth of a millisecond."""

LONGEST: Final = 0.5
"""Seconds after which one that is worked on counts no longer."""

REFUSALS: Final = 16
"""Refusals one after the other on a connection, after which each further one waits; browsers cause a few."""

PAUSE: Final = 1.0
"""Seconds for which it waits, at least."""

APART: Final = 0.005
"""Seconds between two of these refusals, on whatever connections; so a flood of what is refused takes a part of the time."""

LONGEST_PAUSE: Final = 30.0
"""Seconds for which one of them waits, at most."""

_PROXIED: Final = frozenset((b"forwarded", b"via", b"x-forwarded-for", b"x-real-ip"))
"""Fields that proxies add (RFC 7239, RFC 9110, and what came before these)."""

_STANDING: Final = "kvass.standing"
_TURN: Final = "kvass.turn"


class Standing:
    """What is known of who is at the other end of a connection, for all its requests; ``on_change`` is called with each change."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.known = False
        """A device has made a sealed request."""
        self.paused = False
        """A refusal waits, as there were so many before it."""
        self.refusals = 0
        """Responses, since the last other one, that were refusals."""
        self._on_change = on_change
        self._gone = asyncio.Event()

    def note_status(self, status: int) -> None:
        """Count a response."""
        self.refusals = self.refusals + 1 if 400 <= status < 500 else 0

    def distrust(self) -> None:
        """Note that it is no device, whatever it sent, and have its refusals wait."""
        self.known = False
        self.refusals = REFUSALS
        self._on_change()

    def vouch(self) -> None:
        """Note that it is a device."""
        if not self.known:
            self.known = True
            self._on_change()

    def leave(self) -> None:
        """Note that the connection is closed: nothing on it has to wait any more."""
        self._gone.set()

    async def pause(self, seconds: float) -> None:
        """Have a response wait, for as long as its client does."""
        self.paused = True
        self._on_change()
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), seconds)
        finally:
            self.paused = False
            self._on_change()


def set_standing(scope: Scope, standing: Standing) -> None:
    """Say on whose connection a request has come."""
    scope[_STANDING] = standing


def vouch_for(scope: Scope) -> None:
    """Note that a request was sealed, so that a device is at the other end of its connection."""
    standing = scope.get(_STANDING)
    if standing is not None and not is_proxied(scope):  # there, the next request may be anybody's
        standing.vouch()
    leave_turn(scope)


def is_proxied(scope: Scope) -> bool:
    """Return True if a proxy says that it has sent a request for somebody else."""
    return any(name in _PROXIED for name, _ in scope.get("headers", ()))


def distrust(scope: Scope) -> None:
    """Note that a request is one that was recorded, so that no device is at the other end of its connection."""
    standing = scope.get(_STANDING)
    if standing is not None:
        standing.distrust()


class Turns:
    """Gives turns, for the thread of the event loop: to one address after the other, at most ``at_once``.

    Nor does it give more before the event loop has looked at what else there is: a request for a short value is served
    without a pause, and many of them would keep all others waiting.
    """

    def __init__(self, at_once: int = AT_ONCE, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once = at_once
        self._clock = clock
        self._active: dict[Turn, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._given = 0
        """Turns since the event loop looked at the sockets."""
        self._waiting: OrderedDict[str, deque[tuple[Turn, asyncio.Future[None]]]] = OrderedDict()

    async def enter(self, turn: Turn) -> None:
        """Wait for a turn."""
        if self._has_room() and not self._waiting:
            self._give(turn)
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(turn.place, deque()).append((turn, future))
        self._look_later()
        await future

    def _look_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LONGEST, self._look_again)

    def _look_again(self) -> None:
        """Give the turns of those that have taken too long to others, as long as any wait."""
        self._timer = None
        self._go_on()
        if self._waiting:
            self._look_later()

    def leave(self, turn: Turn) -> None:
        """End a turn, if it has begun and not ended."""
        if self._active.pop(turn, None) is not None:
            self._go_on()

    def _give(self, turn: Turn) -> None:
        self._active[turn] = self._clock()
        self._given += 1
        if self._given == 1:  # what is called soon is called after a look at the sockets
            asyncio.get_running_loop().call_soon(self._begin_round)

    def _begin_round(self) -> None:
        self._given = 0
        self._go_on()

    def _has_room(self) -> bool:
        if self._given >= IN_A_ROUND:
            return False
        while self._active:
            turn, since = next(iter(self._active.items()))
            if len(self._active) < self._at_once or since > self._clock() - LONGEST:
                break
            del self._active[turn]
        return len(self._active) < self._at_once

    def _go_on(self) -> None:
        while self._waiting and self._has_room():
            place, queue = self._waiting.popitem(last=False)
            turn, future = queue.popleft()
            if queue:
                self._waiting[place] = queue
            if not future.done():  # else its client has left
                self._give(turn)
                future.set_result(None)


class Turn:
    """The turn of one request: from when it has come as a whole to the beginning of its response."""

    def __init__(self, turns: Turns, place: str) -> None:
        self.place = place
        self._turns = turns

    async def enter(self) -> None:
        """Wait for it."""
        await self._turns.enter(self)

    def leave(self) -> None:
        """End it."""
        self._turns.leave(self)


class Pauses:
    """How long refusals wait after too many others: each for ``shortest`` seconds or more, and all of them ``apart``."""

    def __init__(
        self, shortest: float = PAUSE, apart: float = APART, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shortest = shortest
        self._apart = apart
        self._clock = clock
        self._last = 0.0

    def choose(self) -> float:
        """Return for how many seconds the next one waits."""
        now = self._clock()
        self._last = min(max(now + self._shortest, self._last + self._apart), now + LONGEST_PAUSE)
        return self._last - now


def leave_turn(scope: Scope) -> None:
    """Let others have the turn of a request that goes on to wait."""
    turn = scope.get(_TURN)
    if turn is not None:
        turn.leave()


async def enter_turn(scope: Scope) -> None:
    """Wait for the turn of a request whose body has come as a whole: one that is slow to come keeps nobody waiting."""
    turn = scope.get(_TURN)
    if turn is not None:
        await turn.enter()


class InTurn:
    """Has ``app`` work on the requests of strangers in turn; those on the connections of devices do not wait.

    A POST waits only when the application calls ``enter_turn``.
    """

    def __init__(self, app: ASGIApp, turns: Turns | None = None, pauses: Pauses | None = None) -> None:
        self._app = app
        self._turns = turns or Turns()
        self._pauses = pauses or Pauses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or is_known(scope):
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        turn = scope[_TURN] = Turn(self._turns, find_place(client[0]) if client else "")
        standing: Standing = scope.get(_STANDING) or Standing()
        try:
            if scope["method"] != "POST":
                await turn.enter()
            await self._app(scope, receive, self._leave_at_response(send, turn, standing))
        finally:
            turn.leave()

    def _leave_at_response(self, send: Send, turn: Turn, standing: Standing) -> Send:
        async def leave(message: Message) -> None:
            if message["type"] == "http.response.start":
                waits = standing.refusals >= REFUSALS
                standing.note_status(message["status"])
                turn.leave()
                if waits and standing.refusals:
                    await standing.pause(self._pauses.choose())
            await send(message)

        return leave


def is_known(scope: Scope) -> bool:
    """Return True if a request has come on the connection of a device."""
    standing: Standing | None = scope.get(_STANDING)
    return standing is not None and standing.known
