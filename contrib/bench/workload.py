"""What the benchmark does in a directory: the same loops of system calls for kvassfs and for every peer."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from source_tree import SourceTree

if TYPE_CHECKING:
    from pathlib import Path

FILE_SIZE = 1024
PAGE = 4096
CHUNK = 1 << 20
MEGABYTE = 1_000_000
PASSES = 8
"""How often a warm file is read again in one measurement."""

Action = Callable[[], float]
"""The timed part of an operation; returns how many units it did."""


def _amount(number: int, noun: str, words: str) -> Any:
    """Describe a field: its default, what is counted, and the help of its option."""
    return field(default=number, metadata={"noun": noun, "help": words})


@dataclass(frozen=True)
class Amounts:
    """How much one measurement does; an operation whose amount is 0 is left out."""

    files: int = _amount(2000, "files", "files of 1 KiB that are made, read and saved over")
    entries: int = _amount(10_000, "entries", "files in the directory that is listed")
    many: int = _amount(100_000, "entries", "files in another directory that is listed")
    mebibytes: int = _amount(64, "MiB", "MiB of the large file")
    reads: int = _amount(2000, "reads", "random reads in it")
    appends: int = _amount(50, "appends", "appends to it")
    tree: int = _amount(5000, "files", "files in the source tree")
    moved: int = _amount(50_000, "files", "files in the directory that is moved")
    largest: int = _amount(1024, "MiB", "MiB of the largest file")


QUICK = Amounts(
    files=300, entries=1000, many=3000, mebibytes=16, reads=300, appends=10, tree=300, moved=1000, largest=0
)
"""For a look that takes less than a minute in all: amounts so small that rates vary."""


class Content:
    """What one round writes: no two blocks and no two small files are alike. ``room`` is a directory of its own."""

    def __init__(self, amounts: Amounts, room: Path) -> None:
        self.amounts = amounts
        self._room = room

    @cached_property
    def large(self) -> memoryview:
        """The large file's bytes."""
        return memoryview(os.urandom(self.amounts.mebibytes * CHUNK))

    @cached_property
    def largest(self) -> memoryview:
        """The largest file's bytes."""
        return memoryview(os.urandom(self.amounts.largest * CHUNK))

    @cached_property
    def tree(self) -> SourceTree:
        """An archive of a source tree with its git repository."""
        return SourceTree(self._room, self.amounts.tree)

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
        self.largest = str(path / "largest.bin")

    def small(self) -> list[str]:
        """Return the paths of the small files."""
        return numbered(self.path / "small", self.amounts.files)


def fill_listed(path: Path, amounts: Amounts) -> None:
    """Make the directory that `listing` lists."""
    make_files(path / "listed", amounts.entries)


def make_files(directory: Path, count: int) -> None:
    """Make a directory with that many small files."""
    directory.mkdir()
    write_files(numbered(directory, count), Content.small(count))


def numbered(directory: Path, count: int) -> list[str]:
    """Return that many paths in the directory."""
    return [f"{directory}/note-{number:06d}.txt" for number in range(count)]


def create(at: Directory) -> Action:
    """Create, write and close the small files in a new directory."""
    (at.path / "small").mkdir()
    return partial(write_files, at.small(), Content.small(at.amounts.files))


def save_over(at: Directory) -> Action:
    """Empty, write and close each small file, as a shell's `>` does."""
    return partial(write_files, at.small(), Content.small(at.amounts.files), os.O_TRUNC)


def write_files(paths: Sequence[str], contents: Sequence[bytes], flags: int = os.O_CREAT | os.O_EXCL) -> float:
    """Write each file with one write."""
    for path, content in zip(paths, contents, strict=True):
        descriptor = os.open(path, os.O_WRONLY | flags, 0o600)
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


def listing_many(at: Directory) -> Action:
    """Do the same in a larger directory, which is made first."""
    make_files(at.path / "many", at.amounts.many)
    return partial(list_directory, str(at.path / "many"), at.amounts.many)


def list_directory(path: str, expected: int) -> float:
    """Stat every entry."""
    total = count = 0
    with os.scandir(path) as entries:
        for entry in entries:
            total += entry.stat(follow_symlinks=False).st_size
            count += 1
    demand(count == expected and total == FILE_SIZE * count, "the listing is not complete")
    return count


def move(at: Directory) -> Action:
    """Rename a directory, which is filled first."""
    make_files(at.path / "before", at.amounts.moved)
    return partial(rename, str(at.path / "before"), str(at.path / "after"), at.amounts.moved)


def rename(old: str, new: str, expected: int) -> float:
    """Rename it and look whether the last file is where it has to be."""
    os.rename(old, new)
    demand(os.path.exists(f"{new}/note-{expected - 1:06d}.txt"), "not all files were moved")
    return 1


def write_large(at: Directory) -> Action:
    """Write a new large file from its beginning to its end, and close it."""
    return partial(write_chunks, at.large, at.content.large)


def write_largest(at: Directory) -> Action:
    """Do the same with the largest file."""
    return partial(write_chunks, at.largest, at.content.largest)


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


def random_reads(at: Directory) -> Action:
    """Read pages of the large file, each another one, the same ones of every peer."""
    pages = range(len(at.content.large) // PAGE)
    chosen = random.Random(at.amounts.reads).sample(pages, at.amounts.reads)  # noqa: S311 (no secrets)
    return partial(read_pages, at.large, [page * PAGE for page in chosen])


def read_pages(path: str, offsets: Sequence[int]) -> float:
    """Read 4 KiB at each offset."""
    descriptor = os.open(path, os.O_RDONLY)
    total = sum(len(os.pread(descriptor, PAGE, offset)) for offset in offsets)
    os.close(descriptor)
    demand(total == PAGE * len(offsets), "pages came back short")
    return len(offsets)


def append(at: Directory) -> Action:
    """Append 4 KiB to the large file, and close it, again and again."""
    return partial(append_pages, at.large, [os.urandom(PAGE) for _ in range(at.amounts.appends)])


def append_pages(path: str, pages: Sequence[bytes]) -> float:
    """Open the file anew for each page."""
    for page in pages:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, page)
        os.close(descriptor)
    return len(pages)


def untar(at: Directory) -> Action:
    """Unpack the source tree by `tar`."""
    at.content.tree.archive.read_bytes()  # from now on in the page cache
    return partial(at.content.tree.unpack, at.path / "tree")


def git_status(at: Directory) -> Action:
    """Have `git` look for changes in the source tree; its index has been made to fit the files before."""
    tree = at.content.tree
    tree.find_changes(at.path / "tree")
    return partial(tree.find_changes, at.path / "tree")


def grep(at: Directory) -> Action:
    """Have `grep` look for the line that one file of the source tree has."""
    return partial(at.content.tree.search, at.path / "tree")


def check_large(at: Directory) -> None:
    """Compare the large file with what was written."""
    with open(at.large, "rb") as file:
        demand(file.read() == at.content.large, "the large file came back with other bytes")


def check_appended(at: Directory) -> None:
    """Compare the size of the large file with what was written."""
    expected = len(at.content.large) + PAGE * at.amounts.appends
    demand(os.stat(at.large).st_size == expected, "what was appended is not there")


def remove_largest(at: Directory) -> None:
    """Compare the size of the largest file with what was written, and remove it: it would only be in the way."""
    demand(os.stat(at.largest).st_size == len(at.content.largest), "the largest file is not whole")
    os.unlink(at.largest)


def demand(condition: bool, message: str) -> None:
    """Raise ValueError unless the condition holds."""
    if not condition:
        raise ValueError(message)
