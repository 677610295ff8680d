"""The directory that is mounted on: what is there now, whether it will do, and unmounting it."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import select
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Final, NamedTuple

from . import requirements
from .beneath import Beneath
from .errors import MountBusy, MountError, MountRefused, NotMounted

KIND: Final = "fuse.kvassfs"
"""The type that our mounts have in the kernel's table."""

SERVER_PID: Final = "user.kvass.pid"
"""Attribute of a mount's root, not listed: the process that serves it."""

MOUNT_TABLE: Final = "/proc/self/mountinfo"
STACKED = 16
"""How many dead mounts one on another are repaired; libfuse 2 mounts on a dead one without asking."""

BUSY_TRIES = 10
BUSY_PAUSE = 0.05
"""How often a mount is tried to unmount that is in use, and the seconds between."""

END_SECONDS = 10.0
"""How long unmounting waits for the process that served the mount; what it saves is committed before it ends."""


class Mounted(NamedTuple):
    """One line of the kernel's table of mounts: where, the type of file system, and what is mounted."""

    directory: str
    kind: str
    source: str


def list_mounts() -> list[Mounted]:
    """Return what is mounted, what hides something else after that; a line that says something else is left out."""
    with open(MOUNT_TABLE, "rb") as table:
        return [mounted for line in table.read().split(b"\n") if (mounted := _parse(line)) is not None]


def _parse(line: bytes) -> Mounted | None:
    """Read a line of mountinfo, as proc(5) has it: single spaces divide it, whatever else is blank in a name."""
    place, _, described = line.partition(b" - ")
    fields, descriptions = place.split(b" "), described.split(b" ")
    if len(fields) < 6 or len(descriptions) < 2:
        return None
    return Mounted(*map(_unescape, (fields[4], *descriptions[:2])))


def _unescape(text: bytes) -> str:
    """Return what the kernel wrote with blanks, tabs, newlines and backslashes in octal."""
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8) & 255]), text))


def find_mount(directory: str) -> Mounted | None:
    """Return what is mounted at a directory, given by its real path."""
    return next((found for found in reversed(list_mounts()) if found.directory == directory), None)


def prepare(directory: str, database: str, *, create: bool = False, claimed: bool = False) -> str:
    """Return the real path of a directory that can be mounted on, repaired if a dead mount of ours was there.

    ``create`` makes a missing one; ``claimed``: this process has the claim to it. Raises MountRefused.
    """
    directory = os.path.realpath(directory)
    _repair(directory)
    if create:
        _make(directory)
    _check_directory(directory)
    if found := find_mount(directory):
        how = "kvass umount" if found.kind == KIND else "umount"
        raise MountRefused(
            directory, f"{found.kind} is already mounted there; unmount it with: {how} {shlex.quote(directory)}"
        )
    if os.path.commonpath([directory, os.path.realpath(database)]) == directory:
        raise MountRefused(directory, f"the database {database} is in it; choose another directory")
    reopen(directory, claimed=claimed)
    check_empty(directory)
    return directory


def reopen(directory: str, *, claimed: bool = False) -> bool:
    """Give a directory back the mode that it had before it was mounted on, where nothing is any more.

    Return whether it was closed. Where another process has the claim, that sees to it.
    """
    try:
        with Beneath(directory) as beneath:
            is_free = (claimed or beneath.claim()) and find_mount(directory) is None
            return is_free and beneath.reopen()
    except OSError:
        return False


def is_left_closed(directory: str) -> bool:
    """Tell whether a mount that died has left a directory closed to writing, at which nothing is mounted any more."""
    try:
        with Beneath(directory) as beneath:
            return beneath.record() is not None and find_mount(directory) is None
    except OSError:
        return False


@contextmanager
def closed(directory: str, claim: ExitStack) -> Iterator[Callable[[], None]]:
    """``with`` a function to call once a store is mounted on a directory: nobody writes to what is beneath from then on.

    It ends the claim, or raises MountRefused where something has come into the directory meanwhile. In the end all is
    taken back, unless a mount stayed or another one came.
    """
    with Beneath(directory) as beneath:

        def close() -> None:
            beneath.close()
            if names := beneath.names():
                beneath.reopen(own=True)
                raise refuse_to_hide(directory, names)
            claim.close()

        try:
            yield close
        finally:
            if beneath.claim() and find_mount(directory) is None:
                beneath.reopen(own=True)


@contextmanager
def claim(directory: str) -> Iterator[ExitStack]:
    """``with`` the only claim to mount on a directory; others wait. The stack that it gives ends it early."""
    with ExitStack() as held:
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise MountRefused(directory, f"it cannot be opened: {error.strerror}") from error
        held.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Closing is not enough where a daemon has inherited the descriptor.
        held.callback(fcntl.flock, descriptor, fcntl.LOCK_UN)
        yield held


def _make(directory: str) -> None:
    try:
        with suppress(FileExistsError):
            os.mkdir(directory, 0o700)
    except OSError as error:
        raise MountRefused(directory, f"it cannot be made: {error.strerror}") from error


def _check_directory(directory: str) -> None:
    if not os.path.lexists(directory):
        raise MountRefused(directory, f"there is no such directory; make it with: mkdir {shlex.quote(directory)}")
    if not os.path.isdir(directory):
        raise MountRefused(directory, "it is not a directory; name an empty one")


def check_empty(directory: str) -> None:
    """Raise MountRefused where a directory cannot be read, or there is something in it."""
    try:
        names = os.listdir(directory)
    except OSError as error:
        raise MountRefused(directory, f"it cannot be read: {error.strerror}") from error
    if names:
        raise refuse_to_hide(directory, names)


def refuse_to_hide(directory: str, names: Sequence[str]) -> MountRefused:
    """Return the error of a directory in which there is something, which nobody would see below the mount."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return MountRefused(
        directory,
        f"it is not empty: {min(names)!r}{more} would be hidden; move that elsewhere, or name an empty directory",
    )


def _repair(directory: str) -> None:
    """Unmount what a process left that was killed."""
    for _ in range(STACKED):
        found = find_mount(directory)
        if found is None or not _is_dead(directory):
            return
        if found.kind != KIND:
            raise MountRefused(
                directory, f"a dead {found.kind} is mounted there; unmount it with: umount -l {directory}"
            )
        _unmount(directory, lazy=True)


def _is_dead(directory: str) -> bool:
    """Tell whether nobody serves a mount any more; other calls than statfs may be answered from the cache."""
    try:
        os.statvfs(directory)
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False


def unmount(directory: str, *, lazy: bool = False) -> None:
    """Unmount a store and wait until the process that served it has saved everything and ended.

    What a process left that was killed is repaired.

    ``lazy`` takes it away at once, and the process ends when nothing in it is open any more. Raises NotMounted,
    MountBusy, or MountError with what the system says.
    """
    directory = os.path.realpath(directory)
    found = find_mount(directory)
    if found is None and reopen(directory):
        return  # all that was left of a mount that died
    if found is None or found.kind != KIND:
        raise NotMounted(directory, found.kind if found else "nothing")
    server = None if lazy else _server(directory)
    said = _unmount_patiently(directory, lazy=lazy)
    if said and "busy" in said:
        raise MountBusy(directory)
    if said:
        raise MountError(f"could not unmount {directory}: {said}")
    if server is not None:
        select.select([server], [], [], END_SECONDS)
        os.close(server)
    reopen(directory)  # where nobody did that, or will only when the last file is closed


def _unmount_patiently(directory: str, *, lazy: bool) -> str:
    """Unmount what may be in use for a moment: by a program that looks around, or by the mount's own calls."""
    for _ in range(BUSY_TRIES - 1):
        said = _unmount(directory, lazy=lazy)
        if "busy" not in said:
            return said
        time.sleep(BUSY_PAUSE)
    return _unmount(directory, lazy=lazy)


def _server(directory: str) -> int | None:
    """Return a descriptor that can be read when the process that serves the mount has ended."""
    try:
        return os.pidfd_open(int(os.getxattr(directory, SERVER_PID)))
    except (OSError, ValueError):
        return None


def _unmount(directory: str, *, lazy: bool) -> str:
    """Unmount; return what the system says against it, in one line, or nothing."""
    fusermount = requirements.fusermount(3)
    command = ["umount", *["-l"][: int(lazy)]] if fusermount is None else [fusermount, "-u", *["-z"][: int(lazy)]]
    done = subprocess.run(  # noqa: S603  a program of the system on a directory
        [*command, "--", directory],
        env={"PATH": requirements.PROGRAMS, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode == 0:
        return ""
    return last_line(done.stderr) or f"{command[0]} failed with status {done.returncode}"


def last_line(text: str) -> str:
    """Return the last line that a program wrote, without the program's name."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"^(\S*fusermount3?|u?mount|fuse): ", "", lines[-1]) if lines else ""
