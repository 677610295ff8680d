"""What the store asks the system it is on: when processes started, and where its file is."""

from __future__ import annotations

import os

MACHINE_ID = "/etc/machine-id"
"""The file that names the system, as machine-id(5) says."""

UPTIME = "/proc/uptime"
"""Where proc(5) tells for how long the system has been up, suspended time included, in hundredths of a second.

It is the clock CLOCK_BOOTTIME; where a clock is faked for this process alone (libfaketime), that one is as well."""

BOOT_ID = "/proc/sys/kernel/random/boot_id"
"""The file that names the present boot of the system, as random(4) says."""

_ENDED = ("Z", "X")
"""States of a process that is a zombie, or dead."""

_STOPPED = ("T", "t")
"""States of a process that a signal, or a debugger, has stopped."""

_NO_FIELDS = ["X", *"0" * 50]
"""What stands for a process that is not there: dead, and 0."""


class Machine:
    """The system. ``machine_id`` is the file that names it."""

    def __init__(self, machine_id: str = MACHINE_ID) -> None:
        self._machine_id = machine_id

    def find_start(self, pid: int) -> str:
        """Return when the process ``pid`` started; ``""`` if there is none, or it has ended.

        It tells a process from a later one with the same number.
        """
        fields = _read_fields(pid)
        # Its parent may be in no hurry to hear of its end.
        return "" if fields[0] in _ENDED else fields[19]

    def is_stopped(self, pid: int) -> bool:
        """Return whether the process ``pid`` was stopped, by a signal or a debugger, and waits to go on."""
        return _read_fields(pid)[0] in _STOPPED

    def find_parent(self, pid: int) -> int:
        """Return the process that started the process ``pid``, as far as it lives; 0 if ``pid`` has ended."""
        return int(_read_fields(pid)[1])

    def find_own_start(self) -> str:
        """Return when this process started."""
        return self.find_start(os.getpid())

    def identify_place(self, path: str) -> str:
        """Return a text that is another one for a copy of the file at ``path``: the system's id and the file's inode."""
        try:
            with open(self._machine_id, "rb") as file:
                machine = file.readline().strip()
        except OSError:
            machine = b""
        return f"{machine.hex()}:{os.stat(path).st_ino}"

    def read_uptime(self) -> int:
        """Return for how long the system has been up, in µs: a clock that nobody sets."""
        return int(float(_read_start(UPTIME).split()[0]) * 1_000_000)

    def identify_boot(self) -> str:
        """Return a text that is another one after the system was started anew."""
        return _read_start(BOOT_ID).strip().decode("ascii")


def _read_start(path: str) -> bytes:
    """Return the first bytes of a short file of the system."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 64)
    finally:
        os.close(file)


def _read_fields(pid: int) -> list[str]:
    """Return what /proc/PID/stat says behind the parenthesised command name, at field 3 and on (proc(5))."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split() or _NO_FIELDS
    except OSError:
        return _NO_FIELDS


MACHINE = Machine()
