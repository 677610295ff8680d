"""Which sealed messages have come before: who sends one again has recorded it, and need not have the key."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from starlette.types import Scope

from .turns import vouch_for

REMEMBERED: Final = 16 * 1024
"""Messages that are known again, by 28 bytes each."""


class Replays:
    """The messages that devices have sent, the latest ones. For the thread of the event loop."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def vouch_if_new(self, scope: Scope, mark: bytes) -> None:
        """Note that a device is at the other end, as a message was sealed, unless that has come before.

        A device itself sends one again where its connection was closed meanwhile.
        """
        if mark in self._known:
            return
        self._known[mark] = None
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)
        vouch_for(scope)
