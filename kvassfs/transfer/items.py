"""What is imported and exported: one key at a time, with mode and time; and what is left out."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple, Protocol

from ..clocks import clamp_time

PERMISSIONS = 0o1777
"""The bits of a mode that are kept; set-user-ID and set-group-ID are those of the machine where they were given."""

LINK_MODE = stat.S_IFLNK | 0o777

BLOCK = 256 * 1024
"""Bytes that are read from a file at a time."""

_SECOND = 10**9
_SECONDS = r"(-?)([0-9]{1,20})(?:\.([0-9]{1,40}))?"

Piece = bytes | int
"""Some bytes of a value, or a number of zeros in its place."""


class Item(NamedTuple):
    """One key with its value, or one directory, whose key ends in ``/``.

    Attributes:
        key: relative to where it is imported or exported.
        mode: as ``st_mode``, with its type; ``None`` where nothing says it.
        mtime: ns since the epoch; ``None`` likewise.
        size: bytes of the value, as far as it is known before it is read.
        read: yields the value from its beginning, once.
        same_as: key of an earlier item that has the value as well, as a hard link in an archive does.
    """

    key: str
    mode: int | None
    mtime: int | None
    size: int
    read: Callable[[], Iterator[Piece]]
    same_as: str | None = None

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, which has no value."""
        return self.mode is not None and stat.S_ISDIR(self.mode)


class Reason(Enum):
    """Why something is left out, and whether that is a failure."""

    SPECIAL = ("it is a device, a pipe or a socket", False)
    SCRATCH = ("it is a scratch file, which stays where it is (--scratch takes it in)", False)
    DATABASE = ("it is the database itself", False)
    FOREIGN = ("it is no password", False)
    ABSOLUTE = ("its name is absolute", True)
    UPWARDS = ("its name leads upwards with ..", True)
    ENCRYPTED = ("it is encrypted", True)
    REFUSED = ("", True)

    def __init__(self, text: str, is_failure: bool) -> None:
        self.text = text
        self.is_failure = is_failure


class LeftOut(NamedTuple):
    """Something that is not imported or exported; ``name`` is as it is called where it is."""

    name: str
    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"left out {self.name}: {self.detail or self.reason.text}"


Entry = Item | LeftOut


class Source(Protocol):
    """Where items come from; a ``with`` opens it.

    ``has_file_names``: the keys were names of files, so that those of scratch files stay out.
    """

    has_file_names: bool

    def items(self) -> Iterator[Entry]:
        """Yield what there is, in order; the value of an item is read before the next one is asked for."""

    def resolve_with(self, siblings: Siblings) -> None:
        """Have shortened names stand for the keys of the store, whose ``siblings`` are looked up so."""

    def position(self) -> tuple[int, int]:
        """Return how many bytes have been read, and of how many; 0 where that is not known."""


Siblings = Callable[[str, str], list[str]]
"""Returns the components below a prefix that begin so."""


class Sink(Protocol):
    """Where exported items go; a directory comes before what is in it."""

    def add(self, item: Item, path: str) -> bool | LeftOut:
        """Write an item; ``path`` is that of its key as the mount shows it. Return whether that changed anything."""

    def finish(self) -> None:
        """Write what comes last."""

    def abandon(self) -> None:
        """Write nothing more, in place of ``finish``."""


def keep_permissions(mode: int) -> int:
    """Return the type and the permissions of a mode that are kept."""
    return stat.S_IFMT(mode) | stat.S_IMODE(mode) & PERMISSIONS


def format_seconds(time: int) -> str:
    """Return a time in ns as decimal seconds, without trailing zeros: ``1700000000.25``."""
    seconds, rest = divmod(abs(time), _SECOND)
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    return f"{'-' if time < 0 else ''}{seconds}{fraction}"


def parse_seconds(text: str) -> int | None:
    """Return the time in ns of decimal seconds; ``None`` for other texts."""
    found = re.fullmatch(_SECONDS, text, re.ASCII)
    if found is None:
        return None
    sign, seconds, fraction = found.groups()
    time = int(seconds) * _SECOND + int((fraction or "0").ljust(9, "0")[:9])
    return clamp_time(-time if sign else time)


def whole(value: bytes) -> Callable[[], Iterator[Piece]]:
    """Return what reads a value that is in memory."""
    return lambda: iter([value] if value else [])
