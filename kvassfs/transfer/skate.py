"""What skate keeps (https://github.com/charmbracelet/skate), from the program or from what its ``list`` printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .base_sources import KeySource
from .items import Entry, Item, LeftOut, Reason, whole
from .programs import Run, run
from .streams import CountingReader, Readable

MODE = 0o100600


class SkateSource(KeySource):
    """The keys of skate's database ``name``, the default one where that is empty, through the program."""

    def __init__(self, name: str = "", program: Run = run) -> None:
        self._suffix = f"@{name.removeprefix('@')}" if name else ""
        self._run = program
        self._done = 0

    def position(self) -> tuple[int, int]:
        """Return the bytes of values that were read; skate does not say of how many."""
        return self._done, 0

    def items(self) -> Iterator[Entry]:
        """Yield a key at a time.

        Raises:
            ProgramFailed
        """
        listed = self._run(["skate", "list", "--keys-only", *filter(None, [self._suffix])], b"")
        keys = listed.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n") if listed else []
        for key in keys:
            value = self._run(["skate", "get", "--", key + self._suffix], b"")
            self._done += len(value)
            yield Item(key, MODE, None, len(value), whole(value))


class SkateListSource(KeySource):
    """What ``skate list`` printed into ``file``, called ``name``: keys and values with a tab between them, one a line.

    A line without a tab goes on with the value above.
    """

    def __init__(self, file: Readable, name: str, size: int = 0) -> None:
        self._counter = CountingReader(file, name)
        self._size = size

    def position(self) -> tuple[int, int]:
        """Return the bytes that were read, and of how many."""
        return self._counter.count, self._size

    def items(self) -> Iterator[Entry]:
        """Yield a key at a time."""
        key: bytes | None = None
        value: list[bytes] = []
        for line in _split_lines(self._counter):
            start, tab, rest = line.partition(b"\t")
            if tab:
                if key is not None:
                    yield _make_item(key, value)
                key, value = start, [rest]
            elif key is not None:
                value.append(line)
            else:
                yield LeftOut(line.decode("utf-8", "replace"), Reason.REFUSED, "there is no tab behind a key")
        if key is not None:
            yield _make_item(key, value)


def _make_item(key: bytes, lines: Iterable[bytes]) -> Item:
    value = b"\n".join(lines)
    return Item(key.decode("utf-8", "surrogateescape"), MODE, None, len(value), whole(value))


def _split_lines(stream: Readable) -> Iterator[bytes]:
    rest = b""
    while data := stream.read(64 * 1024):
        *lines, rest = (rest + data).split(b"\n")
        yield from lines
    if rest:
        yield rest
