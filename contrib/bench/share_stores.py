"""Stores to share from, made by the store's own code; each entry can be told from its number alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

from filled import merge

from kvassfs.entry import Delivery, Entry, new_token

SIZE = 1024
"""Bytes of a value."""

LINE = "a key and its value are shared by the address of that version and by nothing else"


def token_of(number: int) -> str:
    """Return the token of an entry."""
    return new_token(lambda length: hashlib.sha256(b"token %d" % number).digest()[:length])


def text_of(number: int) -> bytes:
    """Return the value of an entry: text that no other has."""
    line = f"{number:07d} {LINE}\n"
    return (line * (SIZE // len(line) + 1)).encode()[:SIZE]


def delivery_of(number: int) -> Delivery:
    """Return an entry as a device pushes it."""
    key = f"notes/{number % 100:02d}/note-{number:07d}.txt"
    stamp = 1_700_000_000_000_000 + number
    return Delivery(Entry(key, stamp, number + 1, 1, token_of(number), SIZE), number + 1, text_of(number))


def built(directory: Path, count: int) -> Path:
    """Return a database with ``count`` entries, which is made unless it is in ``directory`` already."""
    finished = directory / f"share-{count}.sqlite"
    if not finished.exists():
        merge(finished, map(delivery_of, range(count)))
    return finished
