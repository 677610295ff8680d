"""Path walking as the kernel does it, over any tree that can look a name up."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import NamedTuple

LINKS_FOLLOWED = 40
"""The kernel's limit (MAXSYMLINKS)."""


def fail(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Found(NamedTuple):
    """Where a path leads: components without links, and the type (stat.S_IF…) found there, or None."""

    parts: tuple[str, ...]
    type: int | None

    def is_below(self, other: Found) -> bool:
        depth = len(other.parts)
        return len(self.parts) > depth and self.parts[:depth] == other.parts


class Tree(NamedTuple):
    """The two questions that walking asks."""

    type_of: Callable[[tuple[str, ...]], int | None]
    """The type bits of the node at these components, or None where there is none."""
    target_of: Callable[[tuple[str, ...]], str]
    """The target of the symbolic link at these components."""


def walk(tree: Tree, path: str, *, follow: bool) -> Found:
    """Resolve `path`, following a link in the last place only if `follow`.

    Raises ENOENT or ENOTDIR where a component before the last is missing or no directory, ELOOP after 40
    links. A missing last component is no error: its type is None.
    """
    parts: tuple[str, ...] = ()
    pending = _names(path)
    links = 0
    while pending:
        name, *pending = pending
        if name == "..":
            parts = parts[:-1]
            continue
        here = (*parts, name)
        kind = tree.type_of(here)
        if kind == stat.S_IFLNK and (pending or follow):
            links += 1
            if links > LINKS_FOLLOWED:
                raise fail(errno.ELOOP)
            target = tree.target_of(here)
            parts = () if target.startswith("/") else parts
            pending = _names(target) + pending
        elif pending and kind != stat.S_IFDIR:
            raise fail(errno.ENOENT if kind is None else errno.ENOTDIR)
        else:
            parts = here
    return Found(parts, tree.type_of(parts) if parts else stat.S_IFDIR)


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]
