"""Trees of files, and what is to be known of all in them: for what takes them in and writes them out.

Tests and benchmarks use it, so it needs nothing that only tests have.
"""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path
from typing import NamedTuple

MODES = (0o644, 0o600, 0o755, 0o444)
BELOW = 100
"""Directories among which the files are spread."""

DIRECTORY_TIME = 1_000_000_000_123_456_789
YEARS = (10**18, 17 * 10**17)
"""Between which times, in ns, the files were changed."""


class Facts(NamedTuple):
    """What a file or directory is: mode, time in ns, and content or target."""

    mode: int
    mtime: int
    content: bytes


def make_tree(directory: Path, files: int, *, most: int = 4096, seed: int = 1) -> int:
    """Make a directory with as many files of up to ``most`` bytes, the same ones each time; return their size."""
    chance = random.Random(seed)
    size = 0
    for number in range(files):
        path = directory / f"d{number % BELOW:02}" / f"e{number % 7}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = chance.randbytes(chance.randrange(most))
        path.write_bytes(content)
        size += len(content)
        path.chmod(chance.choice(MODES))
        time = chance.randrange(*YEARS)
        os.utime(path, ns=(time, time))
    for above, _, _ in os.walk(directory, topdown=False):
        os.utime(above, ns=(DIRECTORY_TIME, DIRECTORY_TIME))
    return size


def read_tree(directory: Path) -> dict[str, Facts]:
    """Return what is below a directory, by path."""
    found = {}
    for path in directory.rglob("*"):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            content = os.fsencode(os.readlink(path))
        else:
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[str(path.relative_to(directory))] = Facts(status.st_mode, status.st_mtime_ns, content)
    return found
