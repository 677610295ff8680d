"""The pages of a database file and the records in them, read without SQLite, which stops where a page is damaged.

https://sqlite.org/fileformat2.html has the format. Whatever the bytes are, nothing here fails in another way than with
``Damage``, and nothing takes longer than the file is long.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from .logs import read_log

INTERIOR_INDEX, INTERIOR_TABLE, LEAF_INDEX, LEAF_TABLE = 2, 5, 10, 13

MAGIC = b"SQLite format 3\0"

PAGE_SIZE = 4096
"""Bytes of a page where the header says nothing sensible: what SQLite, and so this program, takes by itself."""

LARGEST = 4 * 1024 * 1024
"""Bytes of the largest record there is: a block with what belongs to it is far smaller."""

BYTES_OF_TYPE = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)

Value = int | float | str | bytes | None


class Damage(Exception):
    """What was read cannot be what was written."""


class Cell(NamedTuple):
    """A record of a page: the rowid (0 in an index), and its values."""

    rowid: int
    values: tuple[Value, ...]


class Page:
    """One page of a B-tree."""

    def __init__(self, pages: Pages, number: int) -> None:
        self._pages = pages
        self._data = pages.read(number)
        self._start = 100 if number == 1 else 0
        if len(self._data) < pages.size or self._data[self._start] not in {2, 5, 10, 13}:
            raise Damage
        self.kind = self._data[self._start]
        self.is_leaf = self.kind in {LEAF_INDEX, LEAF_TABLE}
        count = int.from_bytes(self._data[self._start + 3 : self._start + 5], "big")
        first = self._start + (8 if self.is_leaf else 12)
        if first + 2 * count > pages.size:
            raise Damage
        self._offsets = struct.unpack_from(f">{count}H", self._data, first)

    def children(self) -> list[int]:
        """Return the numbers of the pages below."""
        if self.is_leaf:
            return []
        found = [int.from_bytes(self._data[at : at + 4], "big") for at in self._offsets]
        return [*found, int.from_bytes(self._data[self._start + 8 : self._start + 12], "big")]

    def cells(self) -> Iterator[Cell | None]:
        """Yield the records in it; ``None`` for one that cannot be read."""
        if self.kind == INTERIOR_TABLE:
            return
        for at in self._offsets:
            try:
                yield self._read_cell(at)
            except (Damage, IndexError, UnicodeDecodeError, struct.error):
                yield None

    def _read_cell(self, at: int) -> Cell:
        at += 4 if self.kind == INTERIOR_INDEX else 0
        size, at = read_varint(self._data, at)
        rowid = 0
        if self.kind == LEAF_TABLE:
            rowid, at = read_varint(self._data, at)
        if size > LARGEST:
            raise Damage
        local = self._pages.local_size(size, in_table=self.kind == LEAF_TABLE)
        payload = self._data[at : at + local]
        if local < size:
            payload += self._pages.read_chain(
                int.from_bytes(self._data[at + local : at + local + 4], "big"), size - local
            )
        if len(payload) != size:
            raise Damage
        return Cell(signed(rowid), read_record(payload))


class Pages:
    """The pages of the file at ``path``, as they are with what is in its write-ahead log. Closed by ``close``."""

    def __init__(self, path: str) -> None:
        file = os.path.realpath(path)
        self._file = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        header = os.pread(self._file, 100, 0)
        size = int.from_bytes(header[16:18], "big")
        size = 65536 if size == 1 else size
        self.has_header = header[:16] == MAGIC and size >= 512 and size & (size - 1) == 0
        self.size = size if self.has_header else PAGE_SIZE
        self._log = read_log(f"{file}-wal", self.size)
        header = self.read(1)[:100]
        self.has_header = self.has_header and header[:16] == MAGIC
        self.usable = self.size - (header[20] if self.has_header and header[20] < 32 else 0)
        in_file = -(-os.fstat(self._file).st_size // self.size)
        self.count = max([in_file, *self._log])
        self.version = int.from_bytes(header[60:64], "big") if self.has_header else 0
        self.first_free = int.from_bytes(header[32:36], "big") if self.has_header else 0
        self.has_parents = not self.has_header or any(header[52:56])

    def read(self, number: int) -> bytes:
        """Return a page, which is shorter where the file ends."""
        found = self._log.get(number)
        return os.pread(self._file, self.size, (number - 1) * self.size) if found is None else found

    def local_size(self, size: int, *, in_table: bool) -> int:
        """Return how many bytes of a record are in the page itself."""
        usable = self.usable
        largest = usable - 35 if in_table else (usable - 12) * 64 // 255 - 23
        smallest = (usable - 12) * 32 // 255 - 23
        if size <= largest:
            return size
        some = smallest + (size - smallest) % (usable - 4)
        return some if some <= largest else smallest

    def read_chain(self, number: int, size: int) -> bytes:
        """Return ``size`` bytes that go on in the overflow page ``number``, and those behind it."""
        parts = []
        while size > 0:
            if not 1 < number <= self.count:
                raise Damage
            data = self.read(number)
            parts.append(data[4 : 4 + min(size, self.usable - 4)])
            size -= self.usable - 4
            number = int.from_bytes(data[:4], "big")
        if number:  # it goes on: these pages are of something else
            raise Damage
        return b"".join(parts)

    def list_free(self) -> set[int]:
        """Return the pages that nothing uses, as far as that can be read."""
        free: set[int] = set()
        number = self.first_free
        while 1 < number <= self.count and number not in free:
            free.add(number)
            data = self.read(number)
            following, count = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
            if 4 * count + 8 <= len(data):
                free.update(struct.unpack_from(f">{count}I", data, 8))
            number = following
        return free

    def find_parent(self, number: int) -> tuple[int, int]:
        """Return what the page is, and the page above it, as a page of pointers has it; 0 where that is not known.

        https://sqlite.org/fileformat2.html#pointer_map_or_ptrmap_pages: 1 is a root, 2 is free, 5 is below another.
        """
        group = self.usable // 5 + 1
        place = (number - 2) // group * group + 2
        at = 5 * (number - place - 1)
        if not self.has_parents or number < 3 or at < 0:
            return 0, 0
        data = self.read(place)[at : at + 5]
        return (data[0], int.from_bytes(data[1:], "big")) if len(data) == 5 and data[0] in range(1, 6) else (0, 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def signed(number: int) -> int:
    """Return a number of 64 bits with its sign."""
    return number - (1 << 64) if number >> 63 else number


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of up to nine bytes, and the position behind it."""
    value = 0
    for at in range(at, at + 8):  # noqa: PLR1704, B020  the position is what is returned
        byte = data[at]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + 1
    return value << 8 | data[at + 1], at + 2


def read_record(payload: bytes) -> tuple[Value, ...]:
    """Return the values of a record."""
    end, at = read_varint(payload, 0)
    if end > len(payload):
        raise Damage
    values: list[Value] = []
    body = end
    while at < end:
        kind, at = read_varint(payload, at)
        size = (kind - 12) // 2 if kind >= 12 else BYTES_OF_TYPE[kind]
        if body + size > len(payload):
            raise Damage
        values.append(_read_value(kind, payload[body : body + size]))
        body += size
    return tuple(values)


def _read_value(kind: int, data: bytes) -> Value:
    if kind == 0:
        return None
    if kind == 7:
        return float(struct.unpack(">d", data)[0])
    if kind in {8, 9}:
        return kind - 8
    if kind < 7:
        return int.from_bytes(data, "big", signed=True)
    return data.decode() if kind % 2 else data
