"""How many long downloads there may be at once: of what one token leads to, and of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

from starlette.exceptions import HTTPException

AT_ONCE: Final = 32
"""Long downloads with one token."""

ALL_AT_ONCE: Final = 128
"""Long downloads with any token; each takes a few blocks of memory."""

RETRY_AFTER: Final = 5
"""Seconds after which a client that was refused may try again."""

_WORDS: Final = "too many are downloading this right now; try again in a moment"


class Downloads:
    """Counts the long downloads that go on, by token."""

    def __init__(self, at_once: int = AT_ONCE, all_at_once: int = ALL_AT_ONCE) -> None:
        self._at_once = at_once
        self._all_at_once = all_at_once
        self._counts: Counter[str] = Counter()

    def enter(self, token: str) -> Callable[[], None]:
        """Count a download from now on; return what is to be called once at its end.

        Raises:
            HTTPException: there are too many.
        """
        if self._counts[token] >= self._at_once or self._counts.total() >= self._all_at_once:
            self._counts += Counter()  # the look has left a zero
            raise HTTPException(503, _WORDS, {"Retry-After": str(RETRY_AFTER)})
        self._counts[token] += 1
        return partial(self._leave, token)

    def _leave(self, token: str) -> None:
        self._counts[token] -= 1
        if not self._counts[token]:
            del self._counts[token]
