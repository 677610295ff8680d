"""Where a database file is, so that a copy of it on another device, or beside it, can be told from it."""

from __future__ import annotations

import os
from contextlib import suppress

MACHINE_ID = "/etc/machine-id"
"""The file that names the system, as machine-id(5) says."""


def place_of(path: str, machine_id: str = MACHINE_ID) -> str:
    """Return a text that is another one for a copy of the file at ``path``: the system's id and the file's inode."""
    machine = b""
    with suppress(OSError), open(machine_id, "rb") as file:
        machine = file.readline().strip()
    return f"{machine.hex()}:{os.stat(path).st_ino}"
