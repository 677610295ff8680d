"""What the program runs on: Python, SQLite, libfuse and its programs."""

from __future__ import annotations

import os
import platform
import stat
from collections.abc import Iterator
from typing import Final, NamedTuple

from .. import __version__
from ..errors import KvassError
from ..mount import requirements
from ..mount.binding import choose
from ..mount.errors import MountError
from ..store.checkup import SQLITE_VERSION
from .finding import OK, WARNING, WRONG, Finding, Level, find_error, type_line

OLDEST_PYTHON: Final = (3, 11)
OLDEST_SQLITE: Final = (3, 37)


class Versions(NamedTuple):
    """The versions of this program, of Python and of SQLite."""

    kvassfs: str
    python: str
    sqlite: str


class Fuse(NamedTuple):
    """What is there of FUSE.

    Attributes:
        device: whether the kernel's device is there, and this user may open it; ``None`` if it is missing.
        program: the path of ``fusermount3``, or ``""``.
        privileged: whether that runs as root, whoever calls it.
        library: version of libfuse and the binding it is used through, or the error.
        is_root: whether this user is root, who mounts without that program.
        hint: how to install libfuse here.
    """

    device: bool | None
    program: str
    privileged: bool
    library: tuple[str, str] | KvassError
    is_root: bool
    hint: str


def collect_versions() -> Versions:
    """Return which versions run."""
    return Versions(__version__, platform.python_version(), SQLITE_VERSION)


def judge_versions(found: Versions) -> Iterator[Finding]:
    """Yield what is said of the versions."""
    yield Finding("kvassfs", OK, found.kvassfs)
    yield _judge_version("Python", found.python, OLDEST_PYTHON, "make the environment anew with a later Python")
    yield _judge_version("SQLite", found.sqlite, OLDEST_SQLITE, "choose a Python that comes with a later SQLite")


def _judge_version(name: str, version: str, oldest: tuple[int, int], remedy: str) -> Finding:
    numbers = tuple(int(number) for number in version.split(".")[:2] if number.isdigit())
    if numbers < oldest:
        return Finding(name, WRONG, f"{version} is older than {oldest[0]}.{oldest[1]}", remedy)
    return Finding(name, OK, version)


def collect_fuse(binding: str = "auto") -> Fuse:
    """Return what is there of FUSE; ``binding`` is as for ``choose``."""
    library: tuple[str, str] | KvassError
    major = 3
    try:
        chosen = choose(binding)
        major, library = chosen.major, (chosen.version(), chosen.name)
    except MountError as error:
        library = error
    program = requirements.fusermount(major) or ""
    device = os.access(requirements.DEVICE, os.R_OK | os.W_OK) if os.path.exists(requirements.DEVICE) else None
    return Fuse(device, program, _is_privileged(program), library, os.geteuid() == 0, requirements.install_hint(major))


def _is_privileged(program: str) -> bool:
    """Return whether a program is root's and runs as root, or with what root gave it (capabilities, a wrapper)."""
    try:
        status = os.stat(program)
        return bool(status.st_mode & stat.S_ISUID) or "security.capability" in os.listxattr(program)
    except OSError:
        return False


def judge_fuse(found: Fuse) -> Iterator[Finding]:
    """Yield what is said of FUSE; without it, all but the mount works."""
    yield _judge_device(found.device)
    yield _judge_program(found)
    if isinstance(found.library, KvassError):
        yield find_error("libfuse", found.library)
    else:
        version, binding = found.library
        yield Finding("libfuse", OK, f"{version}, through {binding}")


def _judge_device(device: bool | None) -> Finding:
    if device is None:
        text = f"{requirements.DEVICE} is missing"
        remedy = "type, as root: modprobe fuse (a container is given it by --device /dev/fuse --cap-add SYS_ADMIN)"
        return Finding("device", WRONG, text, remedy)
    if not device:
        remedy = f"type, as root: chmod 666 {requirements.DEVICE}"
        return Finding("device", WRONG, f"this user may not open {requirements.DEVICE}", remedy)
    return Finding("device", OK, requirements.DEVICE)


def _judge_program(found: Fuse) -> Finding:
    if not found.program:
        level: Level = WARNING if found.is_root else WRONG
        return Finding("fusermount", level, "fusermount3 is missing", found.hint)
    if not found.privileged and not found.is_root:
        remedy = type_line("chmod", "u+s", found.program).replace("type:", "type, as root:")
        return Finding("fusermount", WRONG, f"{found.program} does not run as root", remedy)
    return Finding("fusermount", OK, found.program)
