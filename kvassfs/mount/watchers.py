"""Finding out whether any process watches a file system, as far as this user may see: in ``/proc``, see proc(5)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress

NOTIFIERS = ("anon_inode:inotify", "anon_inode:[fanotify]")


def is_watched(device: int, mount: int) -> bool:
    """Whether a process watches files of the file system ``device`` (``st_dev``), or the whole mount of this number."""
    number = os.major(device) << 20 | os.minor(device)
    mark = re.compile(rb"\b(sdev:%x|mnt_id:%x)\b" % (number, mount))
    return any(mark.search(marks) for marks in _list_marks())


def _list_marks() -> Iterator[bytes]:
    """Yield what each descriptor that tells of events watches."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):  # it has ended, or is another user's
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{descriptor}") in NOTIFIERS:
                    with open(f"/proc/{pid}/fdinfo/{descriptor}", "rb") as file:
                        # The other lines are about the descriptor, which is of a mount itself.
                        yield b"".join(line for line in file if b"notify " in line)
