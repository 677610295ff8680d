"""What differs between two values, in text. Pure functions."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..text import is_utf8

LARGEST_TEXT = 16 * 1024 * 1024
"""Bytes of a value up to which its lines are compared."""

_NO_NEWLINE = b"\n\\ No newline at end of file\n"


class Side(NamedTuple):
    """One of two values, and what it is called."""

    name: str
    value: bytes | None
    """``None``: it is not compared by lines."""
    size: int
    digest: str


def summarise(name: str, size: int, pieces: Iterable[bytes]) -> Side:
    """Return a value as one side of a comparison; ``pieces`` are its bytes, of which few are kept if it is large."""
    digest, value = hashlib.sha256(), bytearray()
    for piece in pieces:
        digest.update(piece)
        if size <= LARGEST_TEXT:
            value += piece
    return Side(name, bytes(value) if size <= LARGEST_TEXT else None, size, digest.hexdigest())


def compare(old: Side, new: Side) -> Iterator[bytes]:
    """Yield the lines of a unified diff, or a line each where a value is no text; nothing where they are equal."""
    if old.digest == new.digest:
        return
    if is_text(old.value) and is_text(new.value):
        lines = difflib.diff_bytes(
            difflib.unified_diff,
            _split_lines(old.value),
            _split_lines(new.value),
            old.name.encode("utf-8", "surrogateescape"),
            new.name.encode("utf-8", "surrogateescape"),
        )
        yield from (line if line.endswith(b"\n") else line + _NO_NEWLINE for line in lines)
        return
    for mark, side in (("-", old), ("+", new)):
        yield f"{mark}{side.name}: {side.size} bytes, SHA-256 {side.digest}\n".encode("utf-8", "surrogateescape")


def is_text(value: bytes | None) -> bool:
    """Return True for UTF-8 without a NUL."""
    return value is not None and is_utf8(value, whole=True)


def _split_lines(value: bytes | None) -> Sequence[bytes]:
    """Return the lines with their ends; nothing but a newline ends one."""
    lines = [line + b"\n" for line in (value or b"").split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]
