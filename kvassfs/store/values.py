"""Values as callers read them: of one version, whatever becomes of the key meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from ..errors import DiskFull, StoreBusy, ValueReplaced
from ..tuples import NamedTuple
from .contents import Contents
from .database import Database
from .holds import PIN_TIMEOUT, Holds

AT_ONCE = 16
"""Blocks of a value that are read at once, into memory."""


class StoredValue(NamedTuple):
    """The value of one version of a key: its bytes if it is short, else what they are read by.

    Attributes:
        size: bytes of the value.
        content: its id among the contents; ``None`` for an empty value.
        data: the bytes of a short or empty value, ``None`` for a large one.
    """

    size: int
    content: int | None
    data: bytes | None

    @classmethod
    def of_row(cls, size: int, content: int | None, data: bytes | None) -> StoredValue:
        """Return the value of a row that was joined with ``contents``."""
        return cls(size, content, b"" if content is None else data)

    @property
    def is_large(self) -> bool:
        """Whether the value is a list of blocks, to be read in pieces."""
        return self.data is None


class Reader:
    """Reads a value that is held. For use inside the ``with`` that made it."""

    def __init__(self, contents: Contents, value: StoredValue) -> None:
        self._contents = contents
        self._value = value

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from ``start`` to ``stop`` (default: the end), at most a block at a time."""
        stop = self._value.size if stop is None else stop
        content, data = self._value.content, self._value.data
        if data is None and content is not None:
            yield from self._contents.read_range(content, start, stop)
        elif data:
            yield data[start:stop]


class Values:
    """Holds and reads values of one store."""

    def __init__(self, database: Database, contents: Contents, holds: Holds) -> None:
        self._database = database
        self._contents = contents
        self._holds = holds

    def head(self, value: StoredValue, length: int) -> bytes:
        """Return the first ``length`` bytes, at most a block, of a value that is current or held."""
        if value.data is not None or value.content is None:
            return (value.data or b"")[:length]
        return self._contents.read_run(value.content, 0).data[:length]

    @contextmanager
    def held(self, value: StoredValue, still: Callable[[], bool] = lambda: True) -> Iterator[Reader]:
        """``with`` a reader of a value that is kept until the end of the block.

        A short value is read from memory and needs no transaction, neither here nor at the end; a large one needs
        one each, so this may not be inside one. ``still`` is asked inside the first whether the value is the one that
        was found.

        Raises:
            ValueReplaced: it is not: the key has another value by now.
        """
        content = value.content
        if not value.is_large or content is None:
            yield Reader(self._contents, value)
            return
        with self._keep(content, still) as contents:
            yield Reader(contents, value)

    @contextmanager
    def _keep(self, content: int, still: Callable[[], bool]) -> Iterator[Contents]:
        """``with`` the contents to read ``content`` from, in which it stays."""
        try:
            with self._database.waiting(PIN_TIMEOUT):
                self._database.retry_when_full(lambda: self._pin(content, still))
        except StoreBusy:
            from .views import View  # noqa: PLC0415  few need it

            with View(self._database.path, self._contents.sizes) as view:
                if not still():
                    raise ValueReplaced from None
                yield view.contents
            return
        try:
            yield self._contents
        finally:
            self._holds.let_go(content)

    def _pin(self, content: int, still: Callable[[], bool]) -> None:
        if not still():
            raise ValueReplaced
        self._holds.pin(content)


class Snapshot:
    """The bytes of the value of a key, all of one version.

    ``locate`` returns the id and size of the value; it is asked inside the transaction that reads or pins it.
    """

    def __init__(
        self,
        database: Database,
        contents: Contents,
        holds: Holds,
        locate: Callable[[], tuple[int | None, int]],
    ) -> None:
        self._database = database
        self._contents = contents
        self._holds = holds
        self._locate = locate
        self.size = locate()[1]

    def chunks(self) -> Generator[bytes, None, None]:
        """Yield the value's bytes in order, at most ``BLOCK_SIZE`` at a time.

        No transaction is open meanwhile, as it would keep the write-ahead log from being emptied for as long as the
        reader takes. So a long value is pinned, which needs two transactions that write.
        """
        with self._database.snapshot():
            content, self.size = self._locate()
            is_long = self.size > AT_ONCE * self._contents.sizes.block
            chunks = [] if is_long else list(self._contents.read_all(content, self.size))
        yield from chunks
        if is_long:
            yield from self._read_long()

    def _read_long(self) -> Iterator[bytes]:
        try:
            with self._database.waiting(PIN_TIMEOUT):
                content = self._database.retry_when_full(self._pin)
        except (DiskFull, StoreBusy):  # there is not even room in reserve, or nobody can write
            with self._database.snapshot():
                yield from self._contents.read_all(*self._locate())
            return
        try:
            yield from self._contents.read_all(content, self.size)
        finally:
            self._holds.let_go(content)

    def _pin(self) -> int:
        content, self.size = self._locate()
        if content is None:
            raise ValueReplaced
        self._holds.pin(content)
        return content

    def read(self) -> bytes:
        """Return all the bytes at once."""
        return b"".join(self.chunks())
