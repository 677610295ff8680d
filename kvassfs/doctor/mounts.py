"""Mounts of this machine: those that answer, those whose process died, those that hang."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal, NamedTuple

from ..mount.mountpoint import KIND, Mounted, is_left_closed, list_mounts
from ..store import Store
from .finding import OK, WARNING, WRONG, Finding, Level, type_line

PATIENCE: Final = 3.0
"""Seconds in which a mount has to answer."""

State = Literal["alive", "dead", "silent"]


class Mount(NamedTuple):
    """Where a store is mounted, how that is, and what the kernel's table calls the store: the path of its database."""

    directory: str
    state: State
    source: str


def collect_mounts(
    patience: float = PATIENCE,
    *,
    table: Callable[[], Iterable[Mounted]] = list_mounts,
    ask: Callable[[str], object] = os.statvfs,
) -> list[Mount]:
    """Return the mounts of stores; ``table`` lists what is mounted, ``ask`` calls one."""
    try:
        sources = {mounted.directory: mounted.source for mounted in table() if mounted.kind == KIND}
    except OSError:  # no /proc
        return []
    return [Mount(directory, _find_state(directory, patience, ask), source) for directory, source in sources.items()]


def _find_state(directory: str, patience: float, ask: Callable[[str], object]) -> State:
    """Call a mount in a thread: where it hangs, nobody waits for that, and it ends with this process."""
    states: list[State] = []

    def call() -> None:
        try:
            ask(directory)
        except OSError as error:  # others' mounts refuse, and so live
            states.append("dead" if error.errno == errno.ENOTCONN else "alive")
        else:
            states.append("alive")

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(patience)
    return states[0] if states else "silent"


def judge_mounts(found: Iterable[Mount], database: str) -> Iterator[Finding]:
    """Yield how the mounts are; what is wrong with those of other databases does not make the examined one wrong."""
    alive = [mount.directory for mount in found if mount.state == "alive"]
    for directory, state, source in found:
        elsewhere = os.path.isabs(source) and os.path.realpath(source) != os.path.realpath(database)
        level: Level = WARNING if elsewhere else WRONG
        if state == "dead":
            text = f"{directory}: its process died (Transport endpoint is not connected)"
            yield Finding("mounts", level, text, type_line("kvass", "umount", directory))
        if state == "silent":
            remedy = type_line("kvass", "umount", "--lazy", directory)
            yield Finding("mounts", level, f"{directory} does not answer", remedy)
    if alive or not list(found):
        yield Finding("mounts", OK, ", ".join(alive) or "nothing is mounted")


def collect_closed(store: Store, is_closed: Callable[[str], bool] = is_left_closed) -> list[str]:
    """Return the directories that mounts of this store left closed to writing when they were killed."""
    return [directory for directory in store.processes.mount_points() if is_closed(directory)]


def judge_closed(directories: Iterable[str]) -> Iterator[Finding]:
    """Yield which directories are closed, although nothing is mounted there."""
    for directory in directories:
        text = f"{directory} is closed to writing, as its mount was killed; `kvass umount` opens it, a mount shows the keys"
        yield Finding("mounts", WARNING, text, type_line("kvass", "mount", directory))
