"""Values of versions, for those who read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...store import StoredValue
from .merging import Version

Read = Callable[[int, int, int], Iterator[bytes]]
"""Yields the bytes of the value with a list of blocks, from one position to another."""


class Held:
    """A value that is held."""

    def __init__(self, value: StoredValue, read: Read) -> None:
        self._read = read
        self._value = value

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield its bytes."""
        stop = self._value.size if stop is None else stop
        content, data = self._value.content, self._value.data
        if data is not None:
            if data:
                yield data[start:stop]
        elif content is not None:
            yield from self._read(content, start, stop)


def take_stored(version: Version) -> StoredValue:
    """Return the value of a version as those who read it take it."""
    data = None if version.content is not None else version.data or b""
    return StoredValue(version.entry.size, version.content, data)
