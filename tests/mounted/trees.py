"""A tree of every kind of file that people have, and the comparison of two trees."""

from __future__ import annotations

import hashlib
import os
import random
import stat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

KIB = 1024
OLD = 1_234_567_890_123_456_789
"""A time of 2009, in nanoseconds; each file of the tree is one second and seven nanoseconds older than the last."""

FILES = {
    "empty": 0,
    "one": 1,
    "page": 4 * KIB,
    "inline limit": 64 * KIB,
    "beyond inline": 70 * KIB,
    "one block": 256 * KIB,
    "two blocks": 300 * KIB,
    "many blocks": 2048 * KIB,
    "sub/.gitkeep": 0,
    "sub/deeper/still deeper/leaf.txt": 5,
    "sub/deeper/two  spaces and 'quotes'": 100,
    "sub/übergrößen/naïve – café ☕.txt": 1000,
    "sub/-dash": 10,
    "sub/100%": 11,
    "sub/%": 12,
    "sub/%@": 13,
    "sub/back\\slash": 14,
    "sub/new\nline": 15,
    "sub/" + 120 * "ö": 16,
}
MODES = {
    "script.sh": 0o755,
    "private": 0o600,
    "read-only": 0o444,
    "private read-only": 0o400,
    "private program": 0o700,
    "shared": 0o664,
}
DIRECTORIES = {
    "empty directory": 0o755,
    "sub/another empty": 0o700,
    "sub/shared directory": 0o775,
    "a/b/c/d/e/f/g": 0o755,
}
LINKS = {
    "link": "page",
    "sub/up": "../one",
    "sub/directory link": "deeper/still deeper",
    "dangling": "nowhere/to be found",
    "sub/absolute": "/nonexistent/absolute",
    "sub/ünï": "übergrößen/naïve – café ☕.txt",
    "loop": "loop",
}


class Facts(NamedTuple):
    """All of a file that a copy has to keep; a directory has no size and a link's content is its target."""

    mode: str
    mtime: int
    size: int
    content: str


def make_tree(root: Path) -> None:
    """Make the tree at `root`, which must not exist; the same each time, content included."""
    content = random.Random(2)
    for name, size in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.randbytes(size))
    for name, mode in MODES.items():
        (root / name).write_text(f"#!/bin/sh\necho {mode:o}\n")
        (root / name).chmod(mode)
    for name, mode in DIRECTORIES.items():
        (root / name).mkdir(parents=True)
        (root / name).chmod(mode)
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    # Deepest first: giving a time to what is in a directory leaves the directory's own time alone.
    for number, path in enumerate([*sorted(root.rglob("*"), reverse=True), root]):
        time = OLD - number * 1_000_000_007
        os.utime(path, ns=(time, time), follow_symlinks=False)


def facts(root: Path) -> dict[str, Facts]:
    """Describe all that lies below `root`, and it itself, by relative path."""
    return {str(path.relative_to(root)): _facts(path) for path in [root, *root.rglob("*")]}


def differences(source: dict[str, Facts], copy: dict[str, Facts]) -> list[str]:
    """List what is missing, extra or different in the copy; empty when the trees are identical."""
    found = [f"missing: {name!r}" for name in sorted(source.keys() - copy.keys())]
    found += [f"extra: {name!r}" for name in sorted(copy.keys() - source.keys())]
    both = sorted(source.keys() & copy.keys())
    return found + [f"{name!r}: {source[name]} became {copy[name]}" for name in both if source[name] != copy[name]]


def _facts(path: Path) -> Facts:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        content = str(path.readlink())
    elif stat.S_ISREG(status.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    else:
        content = ""
    size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return Facts(stat.filemode(status.st_mode), status.st_mtime_ns, size, content)
