"""Ending a mount by a signal, whatever libfuse is doing when it comes.

libfuse looks at its exit flag and then waits for a request. Its own handler of signals only sets the flag, so what comes
between the two is seen at the next request, which may be never. Here a thread sets the flag, and then has the device
answer at once that there is no request, where libfuse would wait: however the two meet, libfuse looks at the flag again.

A signal interrupts no other call: calls are restarted, among them the wait, which then ends.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

from .requirements import DEVICE

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What ends a mount in good order, unless it is ignored, as it is below nohup(1)."""


@contextmanager
def caught(act: Callable[[], None]) -> Iterator[None]:
    """``with`` a thread that calls ``act`` when the first of SIGNALS comes; the others then do nothing more.

    For the main thread, which may be in C code all the time: the thread hears of a signal without it.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    caught_ones = [number for number, handler in handlers.items() if handler is not signal.SIG_IGN]
    thread = threading.Thread(target=_wait, args=(reading, act), name="kvassfs-signals", daemon=True)
    thread.start()
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        for number in caught_ones:
            signal.signal(number, _ignore)
            signal.siginterrupt(number, False)
        yield
    finally:
        for number in caught_ones:
            signal.signal(number, handlers[number])
        signal.set_wakeup_fd(before)
        os.close(writing)
        thread.join()
        os.close(reading)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the thread was told before any handler of Python is called."""


def _wait(reading: int, act: Callable[[], None]) -> None:
    """Act once when a signal comes; the pipe has the numbers of all that Python handles."""
    told = False
    while numbers := os.read(reading, 64):
        if not told and not {int(number) for number in SIGNALS}.isdisjoint(numbers):
            told = True
            act()


def wake_reader(descriptor: int, thread: int) -> None:
    """Have ``thread``, which reads requests from ``descriptor``, read no further than what is there; from another one.

    The descriptor may have been closed, and its number be something else's by now.
    """
    with suppress(OSError):
        copy = os.dup(descriptor)
        try:
            if os.fstat(copy).st_rdev == os.stat(DEVICE).st_rdev:
                os.set_blocking(copy, False)
        finally:
            os.close(copy)
    signal.pthread_kill(thread, SIGNALS[0])  # restarts the wait, which does not wait any more
