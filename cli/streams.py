"""Standard output and input as bytes, with what can go wrong in words."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from signal import SIGPIPE
from typing import BinaryIO

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


def write(chunks: Iterable[bytes]) -> None:
    """Write ``chunks`` to standard output, to the last byte; a generator of them is closed in any case.

    Raises:
        OutputClosed: nobody reads it any more.
        OutputFailed: it is closed, or its disk is full.
    """
    if sys.stdout is None:
        raise OutputFailed("it is closed")
    stream = sys.stdout.buffer
    try:
        for chunk in chunks:
            stream.write(chunk)
        stream.flush()
    except BrokenPipeError:
        raise OutputClosed from None
    except OSError as error:
        raise OutputFailed(error.strerror or str(error)) from error
    finally:
        if isinstance(chunks, Generator):  # it may read a store that is closed before the exception lets it go
            chunks.close()


class Input:
    """A stream whose first short read is its end: at a terminal, Ctrl-D says that just once."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ended = False

    def read(self, size: int, /) -> bytes:
        """Return ``size`` bytes; fewer only at the end."""
        if self._ended:
            return b""
        data = self._stream.read(size)
        self._ended = len(data) < size
        return data

    def readline(self, size: int = -1, /) -> bytes:
        """Return the next line with its end, of at most ``size`` bytes."""
        return self._stream.readline(size)


@contextmanager
def standard_input() -> Iterator[Input]:
    """``with`` standard input as bytes.

    Raises:
        InputFailed: it is closed, or reading it inside the ``with`` failed.
    """
    if sys.stdin is None:
        raise InputFailed("it is closed")
    try:
        yield Input(sys.stdin.buffer)
    except OSError as error:
        raise InputFailed(error.strerror or str(error)) from error


def output_is_terminal() -> bool:
    """Return whether a person reads standard output."""
    return sys.stdout is not None and sys.stdout.isatty()


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
