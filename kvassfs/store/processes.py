"""Processes of this machine, as rows of the database name them."""

from __future__ import annotations


def started(pid: int) -> str:
    """Return when the process ``pid`` started, as the system tells it; ``""`` if there is none.

    It tells a process from a later one with the same number. proc(5), /proc/PID/stat: field 22, counted behind
    the parenthesised command name.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
