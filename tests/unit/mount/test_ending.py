"""kvassfs.mount.ending"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kvassfs.mount import ending
from kvassfs.mount.ending import SIGNALS, caught, wake_reader

SECONDS = 20.0


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = [(number, signal.getsignal(number)) for number in SIGNALS]
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A descriptor from which reading waits, which stands for the device, and on which nobody writes."""
    reading, writing = os.pipe()
    monkeypatch.setattr(ending, "DEVICE", f"/proc/self/fd/{reading}")
    yield reading
    for descriptor in (reading, writing):
        os.close(descriptor)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_heard_while_the_main_thread_is_in_c_code(number: signal.Signals) -> None:
    heard = threading.Event()
    with caught(heard.set):
        signal.raise_signal(number)
        assert heard.wait(SECONDS)


def test_only_the_first_signal_counts() -> None:
    heard: list[int] = []
    first = threading.Event()

    def act() -> None:
        heard.append(1)
        first.set()

    with caught(act):
        for number in (*SIGNALS, *SIGNALS):
            signal.raise_signal(number)
        assert first.wait(SECONDS)
    assert heard == [1]


def test_other_signals_are_none_of_its_business() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with caught(lambda: heard.append(1)):
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == []


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_DFL, signal.SIG_IGN])
def test_what_was_ignored_stays_ignored_and_all_is_as_before_in_the_end(handler: Any) -> None:
    signal.signal(signal.SIGINT, handler)
    threads = threading.active_count()
    descriptors = len(os.listdir("/proc/self/fd"))
    with caught(lambda: None):
        assert (signal.getsignal(signal.SIGINT) is signal.SIG_IGN) == (handler is signal.SIG_IGN)
    assert signal.getsignal(signal.SIGINT) is handler
    assert signal.set_wakeup_fd(-1) == -1
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.parametrize("moment", ["before it waits", "while it waits"])
def test_a_reader_that_waits_and_one_that_is_about_to_are_woken(device: int, moment: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    main = threading.get_ident()
    waking = threading.Timer(0.1, wake_reader, (device, main))
    with caught(lambda: None):
        if moment == "before it waits":
            wake_reader(device, main)
        else:
            waking.start()
        assert libc.read(device, ctypes.create_string_buffer(1), 1) == -1  # a signal alone would restart it
        assert ctypes.get_errno() == errno.EAGAIN


def test_a_descriptor_that_is_something_else_by_now_is_left_as_it_is() -> None:
    reading, writing = os.pipe()
    with caught(lambda: None):
        wake_reader(reading, threading.get_ident())
        assert os.get_blocking(reading)
        for descriptor in (reading, writing):
            os.close(descriptor)
        wake_reader(reading, threading.get_ident())
