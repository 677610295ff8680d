"""Inputs that nobody meant to send: what chooses them, and what is done to bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

from tests.support.searches import LONG

SEED = time.time_ns() if LONG else 0


def inputs(kind: str, count: int) -> Iterator[Random]:
    """Yield what chooses each input."""
    for number in range(count):
        yield Random(f"{SEED} {kind} {number}")


def spoil_bytes(random: Random, data: bytes) -> bytes:
    """Change, insert, remove or repeat some bytes."""
    spoiled = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        at, size = random.randrange(len(spoiled) + 1), random.choice((1, 1, 2, 8, 64))
        what = random.randrange(5)
        if what == 0 and at < len(spoiled):
            spoiled[at] ^= 1 << random.randrange(8)
        elif what == 1:
            spoiled[at:at] = random.randbytes(size)
        elif what == 2:
            del spoiled[at : at + size]
        elif what == 3:
            spoiled[at:at] = spoiled[at : at + size]
        else:
            del spoiled[at:]
    return bytes(spoiled)
