"""Which processes have a database open, as Linux tells it in /proc."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .machine import MACHINE
from .presence import identify


class User(NamedTuple):
    """A process that has the database open: ``is_stray`` where what it has open is not the file that is there now."""

    pid: int
    command: str
    is_stray: bool


def list_users(path: str, *, processes: Path = Path("/proc")) -> list[User]:
    """Return which other processes have the database at ``path`` open, as far as this user may see that.

    Those that such a process has started are not named: they end with it.
    """
    file = os.path.realpath(path)
    now = identify(file)
    found = []
    for folder in processes.glob("[0-9]*"):
        opened = set() if folder.name == str(os.getpid()) else _find_opened(folder / "fd", file)
        if opened:
            found.append(User(int(folder.name), _read_command(folder), opened != {now}))
    pids = {user.pid for user in found}
    return sorted(user for user in found if MACHINE.find_parent(user.pid) not in pids)


def _find_opened(folder: Path, file: str) -> set[tuple[int, int] | None]:
    """Return which files a process has open that have, or had, the name ``file``."""
    found: set[tuple[int, int] | None] = set()
    with suppress(OSError):
        for link in folder.iterdir():
            with suppress(OSError):
                if os.readlink(link) in {file, f"{file} (deleted)"}:
                    found.add(identify(str(link)))
    return found


def _read_command(folder: Path) -> str:
    """Return the command line of a process, from the program of this project on."""
    with suppress(OSError):
        words = (folder / "cmdline").read_text(errors="replace").split("\0")[:-1]
        start = next((at for at, word in enumerate(words) if "kvass" in os.path.basename(word)), 0)
        return " ".join(["kvass", *words[start + 1 :]] if start else words)
    return ""
