"""Paths as a person gives them: relative ones, and those with a ``~``."""

from __future__ import annotations

import os

from kvassfs.errors import InvalidConfiguration


def make_absolute(path: str) -> str:
    """Return ``path`` with the working directory before it if it is relative.

    Raises:
        InvalidConfiguration: the working directory is gone.
    """
    try:
        return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    except FileNotFoundError:
        raise InvalidConfiguration(
            f"{path} is in the working directory, which has been removed; go to another one, or name a full path"
        ) from None


def expand_home(path: str) -> str:
    """Return ``path`` with the home directory in place of a ``~``, or ``~user``, that it begins with.

    Raises:
        InvalidConfiguration: nothing says where the home directory is.
    """
    if path.partition("/")[0] != "~":
        return os.path.expanduser(path)
    home = os.environ.get("HOME") or _find_home()
    if not home:
        raise InvalidConfiguration(f"{path}: nothing says where your home directory is; set HOME, or name a full path")
    return home + path[1:]


def _find_home() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""
