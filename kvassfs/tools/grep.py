"""Searching the values of a store for lines that match a pattern."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Final, NamedTuple

from ..errors import KeyMissing
from ..store import Store
from .lines import find_lines
from .patterns import Pattern

LINES: Final = "lines"
KEYS: Final = "keys"
COUNTS: Final = "counts"


class Found(NamedTuple):
    """What was found under a key.

    ``number`` is that of a line, or with COUNTS how many lines there are. ``line`` is ``None`` where it is no text.
    """

    key: str
    number: int = 0
    line: bytes | None = None


def search(store: Store, prefix: str, pattern: Pattern, *, invert: bool = False, form: str = LINES) -> Iterator[Found]:
    """Yield what is found in the values of the keys that begin with ``prefix``, in the order of the keys.

    That is each line, the first alone of each key with KEYS, the number of them for every key with COUNTS. Lines that are
    no text end the search in a value; they are found once.
    """
    for key in store.keys(prefix):
        try:
            with closing(store.get(key).chunks()) as chunks:
                lines = find_lines(chunks, pattern, invert=invert)
                if form == COUNTS:
                    yield Found(key, sum(1 for _ in lines))
                    continue
                for number, line in lines:
                    yield Found(key, number, line)
                    if line is None or form == KEYS:
                        break
        except KeyMissing:  # removed in the meantime
            continue
