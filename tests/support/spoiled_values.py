"""Sealed values that somebody has spoiled, or made as no program does."""

from __future__ import annotations

from random import Random

from kvassfs.entry import MAX_RECEIVED
from kvassfs.veil.layout import LARGEST_SEALED_SIZE


def spoil(random: Random, data: bytes) -> bytes:
    """Return data of which something is changed, most often in its head."""
    at = (
        max(0, len(data) - 1 - int(random.paretovariate(0.3))) if random.random() < 0.8 else random.randrange(len(data))
    )
    kind = random.randrange(5)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + random.randbytes(random.randrange(1, 70)) + data[at:]
    if kind == 2:
        return data[:at] + data[at + random.randrange(1, 70) :]
    return data[:at] + bytes((data[at] ^ (1 << random.randrange(8)),)) + data[at + 1 :]


KEYS_TRIED = [
    *[b"a", b"", b"a\0b", b"\xff", "ä/喵".encode(), b"x/", "\ufeffa".encode(), b"a\xed\xa0\x80"],
    *[b"\x01link/T/-/once/a", b"\x01link/T/1/often/a\nb", b"\x01link/T/x/often/a", b"\x01echo/1/h", b"\x01echo/1/h\n"],
]

SIZES_TRIED = [0, 5, 5, 5, 65_536, 65_537, LARGEST_SEALED_SIZE, LARGEST_SEALED_SIZE + 1, 2**63]

COUNTERS_TRIED = [1, 1, 1, MAX_RECEIVED, MAX_RECEIVED + 1, 2**63]


def make_attributes(random: Random) -> bytes:
    """Return attributes of which something may be out of range."""
    key, token = random.choice(KEYS_TRIED), random.choice([b"token", b"token", b"", b"\xfe"])
    count = random.choice([0, 0, 1, 8, 9])
    versions = [
        random.choice([7, 7, 7, 0]).to_bytes(4) + random.choice(COUNTERS_TRIED).to_bytes(8) for _ in range(count)
    ]
    fields = (
        random.randrange(16).to_bytes(1),
        random.choice(SIZES_TRIED).to_bytes(8),
        random.choice([0o100644, 0o120777, 0o40755, 2**32 - 1]).to_bytes(4),
        random.randbytes(8),
        random.choice([7, 7, 0]).to_bytes(4) + random.choice(COUNTERS_TRIED).to_bytes(8),
        count.to_bytes(1),
        len(token).to_bytes(4),
        (len(key) + random.choice([0, 0, 0, 0, 1, 2**31])).to_bytes(4),
        *[token, key, *versions, random.choice([b"", b"more", bytes(3)])],
    )
    return b"".join(fields)[: random.choice([None, None, None, None, 20, 42])]
