"""Processes of this machine, as rows of the database name them."""

from __future__ import annotations

_ENDED = ("Z", "X")
"""States of a process that is a zombie, or dead."""


def started(pid: int) -> str:
    """Return when the process ``pid`` started, as the system tells it; ``""`` if there is none, or it has ended.

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
