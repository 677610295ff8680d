"""What the benchmark does in a directory: the same loops of system calls for kvassfs and for every peer."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE_SIZE = 1024
CHUNK = 1 << 20
MEGABYTE = 1_000_000
PASSES = 8
"""How often a warm file is read again in one measurement."""

Action = Callable[[], float]
"""The timed part of an operation; returns how many units it did."""


@dataclass(frozen=True)
class Amounts:
    """How much one measurement does: small files, entries of the listed directory, MiB of the large file."""

    files: int = 2000
    entries: int = 10_000
    mebibytes: int = 64


class Content:
    """The bytes that one round writes: no two blocks and no two small files are alike."""

    def __init__(self, amounts: Amounts) -> None:
        self.amounts = amounts

    @cached_property
    def large(self) -> memoryview:
        """The large file's bytes."""
        return memoryview(os.urandom(self.amounts.mebibytes * CHUNK))

    @staticmethod
    def small(count: int) -> Sequence[bytes]:
        """Return the content of that many small files."""
        pool = os.urandom(FILE_SIZE + count)
        return [pool[number : number + FILE_SIZE] for number in range(count)]


class Directory:
    """One directory under test, with what this round writes there."""

    def __init__(self, path: Path, content: Content) -> None:
        self.path = path
        self.content = content
        self.amounts = content.amounts
        self.large = str(path / "large.bin")

    def small(self) -> list[str]:
        """Return the paths of the small files."""
        return numbered(self.path / "small", self.amounts.files)


@dataclass(frozen=True)
class Operation:
    """One row of the table.

    Args:
        prepare: does what is not timed and returns what is.
        wanted: the peer to compare with, and the least ratio to it.
        cold: the kernel's caches are dropped between the two.
        check: looks at the result afterwards; raises ValueError.
    """

    name: str
    unit: str
    prepare: Callable[[Directory], Action]
    wanted: tuple[str, float]
    cold: bool = False
    check: Callable[[Directory], None] | None = None


def fill_listed(path: Path, amounts: Amounts) -> None:
    """Make the directory that `listing` lists."""
    (path / "listed").mkdir()
    write_files(numbered(path / "listed", amounts.entries), Content.small(amounts.entries))


def numbered(directory: Path, count: int) -> list[str]:
    """Return that many paths in the directory."""
    return [f"{directory}/note-{number:06d}.txt" for number in range(count)]


def create(at: Directory) -> Action:
    """Create, write and close the small files in a new directory."""
    (at.path / "small").mkdir()
    return partial(write_files, at.small(), Content.small(at.amounts.files))


def write_files(paths: Sequence[str], contents: Sequence[bytes]) -> float:
    """Create each file with one write."""
    for path, content in zip(paths, contents, strict=True):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, content)
        os.close(descriptor)
    return len(paths)


def open_read(at: Directory) -> Action:
    """Open, read and close the small files in the order in which a shell's `*` names them."""
    return partial(read_files, at.small())


def read_files(paths: Sequence[str]) -> float:
    """Read each file with one read."""
    total = 0
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        total += len(os.read(descriptor, FILE_SIZE))
        os.close(descriptor)
    demand(total == FILE_SIZE * len(paths), "small files came back short")
    return len(paths)


def listing(at: Directory) -> Action:
    """List the directory with one stat for each entry, as `ls -l` does."""
    return partial(list_directory, str(at.path / "listed"), at.amounts.entries)


def list_directory(path: str, expected: int) -> float:
    """Stat every entry."""
    total = count = 0
    with os.scandir(path) as entries:
        for entry in entries:
            total += entry.stat(follow_symlinks=False).st_size
            count += 1
    demand(count == expected and total == FILE_SIZE * count, "the listing is not complete")
    return count


def write_large(at: Directory) -> Action:
    """Write a new large file from its beginning to its end, and close it."""
    return partial(write_chunks, at.large, at.content.large)


def write_chunks(path: str, data: memoryview) -> float:
    """Write 1 MiB at a time."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    for start in range(0, len(data), CHUNK):
        demand(os.write(descriptor, data[start : start + CHUNK]) == CHUNK, "a write came back short")
    os.close(descriptor)
    return len(data) / MEGABYTE


def read_large(at: Directory) -> Action:
    """Read the large file from its beginning to its end."""
    return partial(read_chunks, at.large, len(at.content.large), 1)


def read_again(at: Directory) -> Action:
    """Read the large file, now in the page cache, several times over, opening it anew each time."""
    read_chunks(at.large, len(at.content.large), 1)
    return partial(read_chunks, at.large, len(at.content.large), PASSES)


def read_chunks(path: str, size: int, passes: int) -> float:
    """Read 1 MiB at a time into the same memory."""
    buffer = [bytearray(CHUNK)]
    total = 0
    for _ in range(passes):
        descriptor = os.open(path, os.O_RDONLY)
        while count := os.readv(descriptor, buffer):
            total += count
        os.close(descriptor)
    demand(total == size * passes, "the large file came back short")
    return total / MEGABYTE


def check_large(at: Directory) -> None:
    """Compare the large file with what was written."""
    with open(at.large, "rb") as file:
        demand(file.read() == at.content.large, "the large file came back with other bytes")


def demand(condition: bool, message: str) -> None:
    """Raise ValueError unless the condition holds."""
    if not condition:
        raise ValueError(message)


OPERATIONS = (
    Operation("create+write+close 1 KiB", "files/s", create, ("plain", 1.0)),
    Operation("open+read+close 1 KiB", "files/s", open_read, ("plain", 1.0), cold=True),
    Operation("list with stat", "entries/s", listing, ("plain", 1.0), cold=True),
    Operation("write large", "MB/s", write_large, ("bindfs", 1.0)),
    Operation("read large", "MB/s", read_large, ("bindfs", 0.7), cold=True),
    Operation("read large again", "MB/s", read_again, ("disk", 0.8), check=check_large),
)
MAKERS = {
    OPERATIONS[1].name: OPERATIONS[0].name,
    OPERATIONS[4].name: OPERATIONS[3].name,
    OPERATIONS[5].name: OPERATIONS[3].name,
}
"""Which operation makes the files that another one reads."""
