"""What one call to a hub may take in all: time, and bytes of the answer, whoever it is that answers.

A limit between two bytes is not enough: an answer that drips, or goes on for ever, never exceeds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf

HEAD = 64 * 1024
"""Bytes of the lines of an answer: its head, those before it (``100 Continue``), and those after its body."""

FRAMING = 8
"""Bytes of a body that comes in pieces for which there may be one more of the lines between them: each takes its time."""

SLOWEST = 1024
"""Bytes per second that have to move on average, in both directions together."""

BRISK = 64 * 1024
"""Bytes per second that have to move on average where a person waits for it."""


class TooLate(TimeoutError):
    """It takes too long; its text says what did not come, and within how many seconds."""


class TooMuch(OSError):
    """An answer is larger than any that could be meant; its text says in what way."""


class Allowance:
    """What is left of ``seconds``, of what the bytes that move take in addition, and of ``largest`` bytes of the answer.

    Where a person waits, no more than ``patience`` seconds are left in any case, but for what is sent: of what is received
    nobody knows whose it is before it is there.
    """

    def __init__(
        self,
        seconds: float = inf,
        largest: int | None = None,
        *,
        patience: float = inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._patience = patience
        self._most = inf if largest is None else 2 * (HEAD + largest)  # lines and all
        self._clock = clock
        self._begin = clock()
        self._sent = 0
        self._received = 0

    @property
    def elapsed(self) -> float:
        """Seconds since it was given."""
        return self._clock() - self._begin

    @property
    def moved(self) -> int:
        """Bytes in both directions."""
        return self._sent + self._received

    @property
    def left(self) -> float:
        """Seconds that are left; none, or fewer, where it is exceeded."""
        return min(self._seconds + self.moved / SLOWEST, self._longest_patience) - self.elapsed

    @property
    def _longest_patience(self) -> float:
        return self._patience + self._sent / BRISK

    def count(self, *, sent: int = 0, received: int = 0) -> None:
        """Count what has moved.

        Raises:
            TooMuch: the answer is larger than it may be.
        """
        self._sent += sent
        self._received += received
        if self._received > self._most:
            raise TooMuch("its answer does not end")

    def check(self) -> None:
        """Raise ``TooLate`` if no time is left."""
        if self.left > 0:
            return
        if self.elapsed >= self._longest_patience:
            raise TooLate(
                "it takes longer than a command waits for (`kvass sync` waits for as long as something moves)"
            )
        raise TooLate(f"its answer is too slow: {self.moved} bytes moved in {self.elapsed:.0f} s")
