"""Paths of the dot directory, ``.kvass/`` in the root of a mount, and the names of versions in it: pure.

::

    .kvass/history/KEY/%@/VERSION     each version of a key, by the name that `name_version` returns
    .kvass/deleted/KEY                the last value of a key that is removed
    .kvass/NAME                       a text, such as the status of the store

A key is mapped to its path as in the root of the mount. As `VALUE_NAME` is no component's name, the versions of ``a`` and
keys below ``a/`` do not meet.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ..entry import MAX_NUMBER, Entry
from ..paths import DOT_NAME

DOT_PATH = f"/{DOT_NAME}"
HISTORY = "history"
DELETED = "deleted"

MAX_EXTENSION = 16
"""Characters of what tells the type of a file; what is longer does not."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_dotted(path: str) -> bool:
    """Tell whether a path is that of the dot directory, or of something in it."""
    return path.startswith(DOT_PATH) and path[len(DOT_PATH) : len(DOT_PATH) + 1] in ("", "/")


def split_dotted(path: str) -> list[str]:
    """Return the file names below the dot directory that a path in it has."""
    return path[len(DOT_PATH) + 1 :].split("/") if path != DOT_PATH else []


def name_version(entry: Entry, number: int) -> str:
    """Return the file name of a version: its time and its number, with the extension of its key.

    Names of the versions of a key sort by time, also those that were saved within one second.
    """
    moment = _EPOCH + timedelta(microseconds=min(entry.timestamp, MAX_NUMBER))
    return f"{moment:%Y-%m-%dT%H.%M.%S.%f}Z-{number}{find_extension(entry.key)}"


def find_extension(key: str) -> str:
    """Return what a key ends with that tells programs the type of its file: ``.txt``, or ``""`` if nothing does."""
    stem, dot, extension = key.rpartition("/")[2].rpartition(".")
    tells = extension.isascii() and extension.isalnum() and len(extension) <= MAX_EXTENSION
    return dot + extension if stem.strip(".") and tells else ""
