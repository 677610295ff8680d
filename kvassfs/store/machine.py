"""What the store asks the system it is on: when processes started, and where its file is."""

from __future__ import annotations

import os
from contextlib import suppress

MACHINE_ID = "/etc/machine-id"
"""The file that names the system, as machine-id(5) says."""

_ENDED = ("Z", "X")
"""States of a process that is a zombie, or dead."""


class Machine:
    """The system. ``machine_id`` is the file that names it."""

    def __init__(self, machine_id: str = MACHINE_ID) -> None:
        self._machine_id = machine_id

    def find_start(self, pid: int) -> str:
        """Return when the process ``pid`` started; ``""`` if there is none, or it has ended.

        It tells a process from a later one with the same number. proc(5), /proc/PID/stat: fields 3 and 22, counted
        behind the parenthesised command name.
        """
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
            # Its parent may be in no hurry to hear of its end.
            return "" if fields[0] in _ENDED else fields[19]
        except (OSError, IndexError):
            return ""

    def find_own_start(self) -> str:
        """Return when this process started."""
        return self.find_start(os.getpid())

    def identify_place(self, path: str) -> str:
        """Return a text that is another one for a copy of the file at ``path``: the system's id and the file's inode."""
        machine = b""
        with suppress(OSError), open(self._machine_id, "rb") as file:
            machine = file.readline().strip()
        return f"{machine.hex()}:{os.stat(path).st_ino}"


MACHINE = Machine()
