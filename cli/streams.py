"""Standard output and input as bytes, with what can go wrong in words."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from io import RawIOBase
from signal import SIGPIPE
from typing import BinaryIO, cast

from kvassfs.errors import KvassError


class OutputClosed(KvassError):
    """The reader of standard output has gone, as in ``kvass ls | head -1``: no failure of ours."""

    exit_code = 128 + SIGPIPE


class OutputFailed(KvassError):
    """Standard output takes no more."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"cannot write to standard output: {reason}")
        self.reason = reason


class InputFailed(KvassError):
    """Standard input cannot be read."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"cannot read standard input: {reason}")
        self.reason = reason


class FileUnreadable(KvassError):
    """The file at ``path``, which the command line names, cannot be read."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"cannot read {path}: {reason}")
        self.path = path
        self.reason = reason


def write(chunks: Iterable[bytes]) -> None:
    """Write ``chunks`` to standard output, to the last byte; a generator of them is closed in any case.

    Raises:
        OutputClosed: nobody reads it any more.
        OutputFailed: it is closed, or its disk is full.
    """
    if sys.stdout is None:
        raise OutputFailed("it is closed")
    # Not through a buffer, which gives up in the middle of a chunk where the other side reads slowly and the output
    # does not block; and there is none with PYTHONUNBUFFERED.
    stream = _unbuffered(sys.stdout.buffer)
    try:
        with _translating_output():
            sys.stdout.flush()
            for chunk in chunks:
                _write_all(stream, chunk)
    finally:
        if isinstance(chunks, Generator):  # it may read a store that is closed before the exception lets it go
            chunks.close()


class Output:
    """Standard output as a file of bytes, of which each write is written to the last byte."""

    def __init__(self, stream: RawIOBase) -> None:
        self._stream = stream

    def write(self, data: bytes | memoryview, /) -> int:
        """Write all of ``data``.

        Raises:
            OutputClosed, OutputFailed
        """
        with _translating_output():
            _write_all(self._stream, data)
        return len(data)


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """``with`` standard output as a file that can only be written.

    Raises:
        OutputClosed, OutputFailed: where it is written.
    """
    if sys.stdout is not None:
        with _translating_output():
            sys.stdout.flush()
    stream = None if sys.stdout is None else _unbuffered(sys.stdout.buffer)
    yield cast("BinaryIO", _Closed() if stream is None else Output(stream))


class _Closed:
    """Standard output that is closed."""

    def write(self, _data: bytes, /) -> int:
        raise OutputFailed("it is closed")


@contextmanager
def _translating_output() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise describe_failure(error) from error


def describe_failure(error: OSError) -> OutputClosed | OutputFailed:
    """Say what an error means that writing to standard output raised."""
    return OutputClosed() if isinstance(error, BrokenPipeError) else OutputFailed(error.strerror or str(error))


def _unbuffered(stream: BinaryIO) -> RawIOBase:
    """Return what is beneath a buffer through which nothing has passed yet."""
    return cast("RawIOBase", getattr(stream, "raw", stream))


def _write_all(stream: RawIOBase, data: bytes | memoryview) -> None:
    """Write all of ``data``, also where the stream takes a part at a time or, not blocking, nothing just now."""
    rest = memoryview(data)
    while rest:
        written = stream.write(rest)
        if written is None:
            select.select([], [stream], [])
        else:
            rest = rest[written:]


class Input:
    """A stream of bytes that ends once: at a terminal, Ctrl-D says so just once.

    ``stream`` has no buffer. It may be in non-blocking mode, which whoever shares the open file may have set.
    """

    def __init__(self, stream: RawIOBase) -> None:
        self._stream = stream
        self._ended = False

    def read(self, size: int, /) -> bytes:
        """Return ``size`` bytes; fewer only at the end."""
        data = bytearray()
        while len(data) < size and not self._ended:
            piece = self._stream.read(size - len(data))
            if piece is None:
                select.select([self._stream], [], [])
                continue
            data += piece
            self._ended = not piece
        return bytes(data)

    def readline(self, size: int, /) -> bytes:
        """Return the next line with its end, of at most ``size`` bytes; what follows it is left to others."""
        line = bytearray()
        while len(line) < size and not line.endswith(b"\n") and (byte := self.read(1)):
            line += byte
        return bytes(line)

    def is_typed(self) -> bool:
        """Return whether it is a terminal."""
        return self._stream.isatty()

    def count_left(self) -> int:
        """Return how many bytes there are from where it is on, if it is a regular file; else 0."""
        try:
            status = os.fstat(self._stream.fileno())
            return max(status.st_size - self._stream.tell(), 0) if stat.S_ISREG(status.st_mode) else 0
        except OSError:  # io.UnsupportedOperation among them
            return 0


@contextmanager
def standard_input() -> Iterator[Input]:
    """``with`` standard input as bytes.

    Raises:
        InputFailed: it is closed, or reading it inside the ``with`` failed.
    """
    if sys.stdin is None:
        raise InputFailed("it is closed")
    try:
        yield Input(_unbuffered(sys.stdin.buffer))
    except OSError as error:
        raise InputFailed(error.strerror or str(error)) from error


@contextmanager
def input_file(path: str) -> Iterator[Input]:
    """``with`` the file at ``path`` as bytes; ``-`` is standard input.

    Raises:
        InputFailed, FileUnreadable: it cannot be opened, or reading it inside the ``with`` failed.
    """
    if path == "-":
        with standard_input() as stream:
            yield stream
        return
    try:
        with open(path, "rb", buffering=0) as file:
            yield Input(file)
    except OSError as error:
        raise FileUnreadable(path, error.strerror or str(error)) from error


def output_is_terminal() -> bool:
    """Return whether a person reads standard output."""
    return sys.stdout is not None and sys.stdout.isatty()


def output_is_unicode() -> bool:
    """Return whether standard output is read as UTF-8, as far as the locale says."""
    return sys.stdout is not None and sys.stdout.encoding.lower() == "utf-8"


def errors_are_terminal() -> bool:
    """Return whether a person reads standard error."""
    return sys.stderr is not None and sys.stderr.isatty()


def output_encoding() -> str:
    """Return the encoding in which standard output is read, as far as the locale says."""
    return sys.stdout.encoding if sys.stdout is not None else "utf-8"


def input_is_terminal() -> bool:
    """Return whether a person types standard input."""
    return sys.stdin is not None and sys.stdin.isatty()


def drop_unwritten() -> None:
    """Drop what standard output refused, lest Python complain about it once more at its end."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
