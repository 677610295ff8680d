"""The pulls that wait for news: at most a few of each device, and none twice."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Final

from starlette.exceptions import HTTPException

OF_ONE_DEVICE: Final = 4
"""Pulls of one device that may wait at the same time: of a mount, of `kvass sync --follow`, and of what was cut off."""

REMEMBERED: Final = 4096
"""Pulls that waited and are known again, by 32 bytes each."""

_WORDS: Final = "this very request was made before; make a new one"


class Polls:
    """The pulls that wait, for the thread of the event loop."""

    def __init__(self, of_one_device: int = OF_ONE_DEVICE, remembered: int = REMEMBERED) -> None:
        self._of_one_device = of_one_device
        self._remembered = remembered
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._waiting: dict[tuple[str, int], list[asyncio.Future[None]]] = {}

    def count(self) -> int:
        """Return how many wait; for any thread."""
        return sum(map(len, list(self._waiting.values())))

    def check(self, body: bytes) -> bytes:
        """Return the digest of a pull's body, by which it is known.

        A device makes each request anew, with another nonce, so one that comes again is not its own. It is refused
        before the database is asked.

        Raises:
            HTTPException: it has waited before, or does.
        """
        digest = sha256(body).digest()
        if digest in self._known:
            raise HTTPException(429, _WORDS, {"Retry-After": "1"})
        return digest

    @contextmanager
    def wait(self, digest: bytes, device: tuple[str, int]) -> Iterator[asyncio.Future[None]]:
        """``with`` a pull of a device that waits, named by its store and process id; the future is done when others have taken its place.

        Raises:
            HTTPException: as ``check``.
        """
        if digest in self._known:  # since it was checked
            raise HTTPException(429, _WORDS, {"Retry-After": "1"})
        self._remember(digest)
        ended = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(device, [])
        waiting.append(ended)
        if len(waiting) > self._of_one_device:
            waiting.pop(0).set_result(None)
        try:
            yield ended
        finally:
            self._leave(device, ended)

    def _remember(self, digest: bytes) -> None:
        self._known[digest] = None
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)

    def _leave(self, device: tuple[str, int], ended: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(device, [])
        if ended in waiting:
            waiting.remove(ended)
        if not waiting:
            self._waiting.pop(device, None)
