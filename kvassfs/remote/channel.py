"""A connection on which something has to move all the time, and that another thread can cut.

A limit on single calls of the operating system, which is what requests and urllib3 offer, is not enough:
a response of one byte every few seconds never exceeds it, and a large body that is sent in one call does,
though it moves.
"""

from __future__ import annotations

import fcntl
import io
import socket
import ssl
import struct
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from typing import Any

from .allowance import FRAMING, HEAD, Allowance, TooLate, TooMuch

FLOOR = 1024
"""Bytes that have to arrive within the limit once a response has begun; fewer are no progress."""

PIECE = 128 * 1024
"""Bytes given to the kernel at once."""

CHECKS = 50
"""How often per limit to check whether the other side has acknowledged some of what was sent."""


class Channel:
    """A connected socket, as far as http.client and urllib3 use one, on which something must move.

    While sending, and once a response has begun, no more than ``progress`` seconds may pass without it;
    until it begins, as many as ``settimeout`` says; and all of a request and its response no more than its ``allowance``.
    ``twin`` is another descriptor of the connection. Raises ``OSError``, of which ``TooLate`` and ``TooMuch`` are two.
    """

    def __init__(self, connected: socket.socket, twin: Twin, progress: float, clock: Callable[[], float]) -> None:
        self._socket = connected
        self._twin = twin
        self._progress = progress
        self._clock = clock
        self._users = 1
        self._open = True
        self._reused = False
        self._responded = False
        self._late = False
        self.allowance = Allowance()
        """What the present request may take, which is another one for each."""
        self.settimeout(progress)

    @property
    def stale(self) -> bool:
        """Whether it served a request before this one, to which not a byte came, without a limit exceeded."""
        return self._reused and not self._responded and not self._late

    def settimeout(self, seconds: float) -> None:
        """Let the other side be silent for so long from now on, or less while it acknowledges nothing."""
        self._patience = seconds
        self._moved = 0
        self._unacknowledged = self._count_unacknowledged()
        self._limit = min(seconds, self._progress) if self._unacknowledged else seconds
        self._deadline = self._clock() + self._limit

    def fileno(self) -> int:
        """Return the descriptor, with which urllib3 looks whether the other side has closed an idle connection."""
        return self._socket.fileno()

    def sendall(self, data: bytes) -> None:
        """Send ``data``, which takes as long as it moves."""
        if self._responded:
            self._responded, self._reused = False, True
        rest = memoryview(data)
        while rest:
            self.settimeout(self._progress)
            size = self._run_in_time(self._socket.send, rest[:PIECE])
            self.allowance.count(sent=size)
            rest = rest[size:]

    def receive_into(self, buffer: bytearray | memoryview) -> int:
        """Receive what there is, at least a byte, or 0 at the end."""
        size = self._run_in_time(self._socket.recv_into, buffer)
        self.allowance.count(received=size)
        self._moved += size
        if self._moved >= FLOOR or (size and not self._responded):
            self._responded = True
            self.settimeout(self._progress)
        return size

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a file to read the response from."""
        self._users += 1
        return _Lines(_Incoming(self))

    def close(self) -> None:
        """Close the connection, or leave that to the last file that still reads from it."""
        if self._open:
            self._open = False
            self.release()

    def release(self) -> None:
        """Count out one that used it."""
        self._users -= 1
        if not self._users:
            self._twin.close()
            self._socket.close()

    def _run_in_time(self, operation: Callable[[Any], int], argument: bytearray | memoryview) -> int:
        while True:
            self._check_allowance()
            left = max(min(self._deadline - self._clock(), self.allowance.left), 0.001)
            self._socket.settimeout(min(left, self._progress / CHECKS) if self._unacknowledged else left)
            try:
                return operation(argument)
            except TimeoutError as error:
                # With a number it is the kernel's, whose keepalive probes found the link dead.
                if error.errno:
                    raise
                self._check_progress()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
                raise ConnectionResetError("the connection was cut off") from error

    def _check_allowance(self) -> None:
        try:
            self.allowance.check()
        except TooLate:
            self._late = True
            raise

    def _check_progress(self) -> None:
        """Wait on if the other side has acknowledged something meanwhile, or there is time left.

        The kernel takes in megabytes that a slow link needs many seconds for.
        """
        if self._count_unacknowledged() < self._unacknowledged:
            self.settimeout(self._patience)
        elif self._clock() >= self._deadline:
            self._late = True
            raise TooLate("the answer stalled" if self._responded else f"no answer within {self._limit:g} s")

    def _count_unacknowledged(self) -> int:
        """Return how many bytes were sent and not acknowledged."""
        count: tuple[int] = struct.unpack("i", fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4)))
        return count[0]


class _Incoming(io.RawIOBase):
    """What arrives on a channel."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._channel.receive_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._channel.release()


class _Lines(io.BufferedReader):
    """The response; http.client takes its head for complete wherever it ends, and reads lines of any number before it.

    Nor is it reading lines of any number after a body, where urllib3 does so.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__(raw)
        self._left: float = HEAD

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:  # all there is; a chunk of a negative length would be so
            raise HTTPException("a part of the answer has no length")
        data = super().read(size)
        self._left += len(data) / FRAMING
        return data

    def readline(self, size: int | None = -1, /) -> bytes:
        most = int(self._left) + 1
        line = super().readline(most if size is None or size < 0 else min(size, most))
        self._left -= len(line)
        if self._left < 0:
            raise TooMuch("its answer has more lines than it could need")
        if not line.endswith(b"\n") and len(line) != size:
            raise ConnectionResetError("the connection was closed before the end of the answer")
        return line


class Twin:
    """A second descriptor of a connection, for another thread: whoever uses the first may close it any time."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected.dup()
        self._lock = threading.Lock()

    def cut(self) -> None:
        """End the connection, so that whoever waits for it stops waiting."""
        with self._lock, suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close this descriptor."""
        with self._lock:
            self._socket.close()
