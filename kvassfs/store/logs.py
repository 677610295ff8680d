"""What is in a write-ahead log, read without SQLite: https://sqlite.org/fileformat2.html#walformat."""

from __future__ import annotations

import struct
from collections.abc import Callable

HEADER, FRAME = 32, 24

MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
"""How a log begins, and the order of bytes in which its sums are computed."""


def read_log(path: str, size: int) -> dict[int, bytes]:
    """Return the pages, of ``size`` bytes, of all that was committed to the log at ``path``, up to the first damage."""
    try:
        with open(path, "rb") as file:
            header = file.read(HEADER)
            if len(header) < HEADER:
                return {}
            magic, _, page_size, _, *salts = struct.unpack(">6I", header[:24])
            if magic not in MAGIC or page_size != size:
                return {}
            order = MAGIC[magic]
            total = _add((0, 0), header[:24], order)
            if total != struct.unpack(">2I", header[24:]):
                return {}
            return _read_frames(file.read, size, salts, order, total)
    except OSError:
        return {}


def _read_frames(
    read: Callable[[int], bytes], size: int, salts: list[int], order: str, total: tuple[int, int]
) -> dict[int, bytes]:
    committed: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    while len(frame := read(FRAME + size)) == FRAME + size:
        number, commit, *rest = struct.unpack(">6I", frame[:FRAME])
        total = _add(_add(total, frame[:8], order), frame[FRAME:], order)
        if rest[:2] != salts or tuple(rest[2:]) != total:
            break
        pending[number] = frame[FRAME:]
        if commit:
            committed |= pending
            pending = {}
    return committed


def _add(total: tuple[int, int], data: bytes, order: str) -> tuple[int, int]:
    """Return a sum with what follows from ``data``."""
    first, second = total
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for one, two in zip(words, words, strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second
