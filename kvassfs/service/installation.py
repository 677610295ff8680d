"""Where this program is installed, and who may run it there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

from ..errors import ServiceError

HIDDEN: Final = ("/home", "/root", "/run/user")
"""Folders that a service of the system does not see (ProtectHome=)."""


def find_command() -> list[str]:
    """Return the command of this installation, which does not depend on the environment or the working directory."""
    return [sys.executable, "-P", "-m", "kvassfs_cli"]


def check_reachable(places: Iterator[str] | None = None) -> None:
    """Raise ServiceError if a user of the system's own could not run this program where it is installed."""
    for place in places or _find_places():
        for folder in (place, *map(str, PurePath(place).parents)):
            if folder in HIDDEN or not _is_open(folder):
                raise ServiceError(
                    f"a service with a user of its own cannot run {place}, as {folder} is closed to it; install kvass for"
                    " all, say in /opt, and run that as root"
                )


def _find_places() -> Iterator[str]:
    """Yield what has to be read to run this program: Python, its environment, and the package."""
    yield sys.executable
    yield os.path.realpath(sys.executable)
    yield sys.prefix
    yield os.path.dirname(os.path.realpath(__file__))


def _is_open(path: str) -> bool:
    """Return whether everybody may read a file, or go through a folder."""
    try:
        return bool(os.stat(path).st_mode & 0o001)
    except OSError:
        return False
