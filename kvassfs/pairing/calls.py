"""Calls to the mailboxes of a hub, over HTTP or in this process, and what went wrong with them in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from ..errors import HubFailed, NotAHub
from ..keeping.store_keeper import StoreKeeper
from ..store import Store
from ..sync.seal import Body
from .errors import CannotPair, CodeGone, TooManyMailboxes, TooManyTries
from .post_office import PostOffice

POLL = 0.1
"""Seconds between two looks at the own mailbox of a hub."""

_GONE, _TOO_MANY = 410, 429


class Remote(Protocol):
    """The way to a hub. ``address`` is how it is shown to the user."""

    address: str

    def post(self, call: str, body: bytes, *, wait: float = 0.0) -> Body:
        """Send a body to ``pair`` or ``join`` and return that of the response. Raises a SyncError, and a PairingError."""


def post(remote: Remote, call: str, body: bytes, *, wait: float = 0.0) -> bytes:
    """Send a body and return that of the response.

    Raises:
        CodeGone, PairingRefused, CannotPair: what the hub says.
        SyncError: it could not be asked.
    """
    try:
        return bytes(remote.post(call, body, wait=wait))
    except HubFailed as error:
        if error.status == _GONE:
            raise CodeGone from error
        if error.status == _TOO_MANY:
            raise (TooManyMailboxes if call == "pair" else TooManyTries) from error
        raise
    except NotAHub as error:
        raise CannotPair(error.remote, error.reason) from error


class OwnOffice:
    """The mailboxes of this store, for a device that is the hub itself: as a remote, whose server other processes are."""

    address = "this machine"

    def __init__(
        self,
        store: Store,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._office = PostOffice(StoreKeeper(store))
        self._sleep = sleep
        self._clock = clock

    def post(self, _call: str, body: bytes | Iterable[bytes], *, wait: float = 0.0) -> bytes:
        """Do what a request of the device asks for, and wait for what it waits for."""
        assert isinstance(body, bytes)
        errand = self._office.serve(body)
        deadline = self._clock() + min(wait, errand.wait)
        while (response := errand.respond(patient=self._clock() < deadline)) is None:
            self._sleep(POLL)
        return response
