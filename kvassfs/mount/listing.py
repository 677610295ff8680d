"""What an open directory has told the kernel of its entries, which asks for them in parts, and for some again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from .stat import Attributes

Entry = tuple[str, Attributes]
"""A name, and the attributes of what has it."""


class Listing:
    """The ``entries`` of an open directory by their offsets, which count from 0.

    Those from the last offset on that was asked for are kept, as the kernel asks again for what its caller had no room
    for; the others have gone.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = iter(entries)
        self._first = 0
        self._kept: deque[Entry] = deque()

    def has(self, offset: int) -> bool:
        """Whether the entries from an offset on can be read."""
        return offset >= self._first

    def read(self, offset: int) -> Iterator[Entry]:
        """Yield the entries from an offset on; those before it go."""
        while self._first < offset and (self._kept or self._keep_next()):
            self._kept.popleft()
            self._first += 1
        yield from list(self._kept)
        while self._keep_next():
            yield self._kept[-1]

    def _keep_next(self) -> bool:
        """Keep another entry; return False if there is none."""
        for entry in self._entries:
            self._kept.append(entry)
            return True
        return False
