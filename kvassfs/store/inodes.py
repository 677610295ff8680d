"""The numbers of files and directories, ``st_ino``: a file keeps its number as long as it is there, and no two share one.

Backup programs compare them to know files that have not changed, programs that follow a file to know when it was
replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

from ..entry import directory_of
from .database import Database

ROOT_INODE = 1

_COUNTED = 2**61 - 1
"""The bits of a sequence that can have been counted; a store may have greater ones, which a program with faults sent."""


def born_inode(sequence: int) -> int:
    """Return the number of a file whose key came into being with this sequence of the store."""
    return 2 * (sequence & _COUNTED)


def new_inode(random: Callable[[int], bytes] = os.urandom) -> int:
    """Return a number that nothing else has: odd, and random otherwise."""
    return int.from_bytes(random(8), "big") >> 2 << 1 | 1


def implied_inode(prefix: str) -> int:
    """Return the number of a directory that nobody gave another one: it follows from the name."""
    if not prefix:
        return ROOT_INODE
    import hashlib  # noqa: PLC0415  what sets a key needs no such number

    return new_inode(lambda size: hashlib.blake2b(prefix.encode(), digest_size=size).digest())


def directories_above(key: str) -> Iterator[str]:
    """Yield the prefixes of the directories above a key, the nearest first and the root last."""
    prefix = directory_of(key)
    while prefix:
        yield prefix
        prefix = directory_of(prefix[:-1])
    yield ""


class DirectoryInodes:
    """The numbers of directories, by prefix. Every method that writes belongs inside a transaction."""

    def __init__(self, database: Database, random: Callable[[int], bytes]) -> None:
        self._database = database
        self._random = random

    def get(self, prefix: str) -> int:
        """Return the number of a directory."""
        found = self._find(prefix)
        return implied_inode(prefix) if found is None else found

    def _find(self, prefix: str) -> int | None:
        row = self._database.row("SELECT inode FROM directory_inodes WHERE prefix = ?", (prefix,))
        return None if row is None else int(row[0])

    def _put(self, prefix: str, inode: int) -> None:
        self._database.execute("INSERT OR REPLACE INTO directory_inodes VALUES (?, ?)", (prefix, inode))

    def _forget(self, prefix: str) -> None:
        self._database.execute("DELETE FROM directory_inodes WHERE prefix = ?", (prefix,))

    def assign(self, prefix: str) -> None:
        """Give a new directory a number: one that is gone may be in use still, as somebody's working directory."""
        self._put(prefix, new_inode(self._random))

    def release(self, prefix: str) -> None:
        """Forget the number of a directory that is removed."""
        if self._find(prefix) is not None:
            self._forget(prefix)
            self._reserve(prefix)

    def move(self, prefixes: Mapping[str, str]) -> None:
        """Have directories keep their numbers when each gets another prefix; the one that had that loses its own."""
        numbers = {new: self.get(old) for old, new in prefixes.items()}
        for prefix in {*prefixes, *prefixes.values()}:
            self._forget(prefix)
        for prefix, number in numbers.items():
            if number != implied_inode(prefix):
                self._put(prefix, number)
        for prefix in prefixes:
            if prefix not in numbers:
                self._reserve(prefix)

    def _reserve(self, prefix: str) -> None:
        """See to it that no directory can come to have a number that another one has taken along from its name."""
        if self._database.row("SELECT 1 FROM directory_inodes WHERE inode = ?", (implied_inode(prefix),)) is not None:
            self.assign(prefix)
