"""What mount(8) asks for when it calls us, for a line of fstab(5) or ``mount -t fuse.kvassfs``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from .errors import MountError

FLAGS: Final = frozenset({"noexec", "nosuid", "nodev", "noatime"})
"""Options that libfuse takes as they are."""

IGNORED: Final = frozenset(
    (
        *("defaults", "rw", "exec", "suid", "dev", "async", "silent", "loud"),
        *("atime", "relatime", "norelatime", "strictatime", "nostrictatime", "diratime", "nodiratime"),
        *("lazytime", "nolazytime", "auto", "noauto", "nofail", "_netdev"),
        *("user", "users", "nouser", "owner", "group"),
    )
)
"""Options that are mount(8)'s own, or that say what is so anyway."""

_IGNORED: Final = re.compile(r"(?:[xX]-|comment=|user=|uhelper=|helper=).*", re.DOTALL)

KNOWN: Final = "ro, rw, allow_other, log=FILE, noexec, nosuid, nodev and noatime"


@dataclass
class Request:
    """What is to be mounted where; ``pretended``: all is to be checked, and nothing done (``-f``)."""

    database: str = ""
    directory: str = ""
    read_only: bool = False
    allow_other: bool = False
    log: str | None = None
    flags: list[str] = field(default_factory=list)
    sloppy: bool = False
    pretended: bool = False


def parse_request(arguments: Sequence[str]) -> Request:
    """Return what the arguments of ``mount.fuse.kvassfs`` ask for: DATABASE DIRECTORY [-fnsv] [-o OPTIONS] [-t TYPE].

    Raises:
        MountError: they cannot be understood.
    """
    request = Request()
    operands: list[str] = []
    options: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if word in {"-o", "-t"} and waiting:
            value = waiting.pop(0)
            options += _split(value) if word == "-o" else []
        elif re.fullmatch(r"-[fnsvrw]+", word):
            request.pretended |= "f" in word
            request.sloppy |= "s" in word
            options += ["ro"] if "r" in word else []
        elif word.startswith("-"):
            raise MountError(f"mount.fuse.kvassfs: unknown option {word}; it is called by mount(8)")
        else:
            operands.append(word)
    if len(operands) != 2 or not all(operands):
        raise MountError("mount.fuse.kvassfs: it is called as: mount -t fuse.kvassfs DATABASE DIRECTORY")
    request.database, request.directory = operands
    _apply(request, options)
    return request


def _split(options: str) -> list[str]:
    """Return options that commas divide, but for commas behind a backslash, as libfuse has it."""
    return [re.sub(r"\\(.)", r"\1", each) for each in re.findall(r"(?:[^,\\]|\\.)+", options, re.DOTALL)]


def _apply(request: Request, options: Iterable[str]) -> None:
    for option in options:
        if option in {"ro", "rw"}:
            request.read_only = option == "ro"
        elif option == "allow_other":
            request.allow_other = True
        elif option in FLAGS:
            request.flags.append(option)
        elif option.startswith("log=/"):
            request.log = option.removeprefix("log=")
        elif option not in IGNORED and not _IGNORED.fullmatch(option) and not request.sloppy:
            raise MountError(f"mount.fuse.kvassfs: unknown option {option}; known are {KNOWN}")
