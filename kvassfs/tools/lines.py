"""Finding lines in a value of any size, of which little is in memory at a time. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from .patterns import Pattern

LONGEST: Final = 1 << 20
"""Bytes of a line that is searched as a whole; a longer one is searched in pieces, and not shown."""

OVERLAP: Final = 4096
"""Bytes that pieces of one line have in common: what is found there may be so long."""


class Line(NamedTuple):
    """A line that was found: its number, from 1, and its bytes without an end; ``None`` where it is no text."""

    number: int
    text: bytes | None


class _Piece(NamedTuple):
    """Whole lines, or a piece of one longer than LONGEST."""

    data: bytes
    begins: bool = True
    ends: bool = True
    is_text: bool = True


def find_lines(chunks: Iterable[bytes], pattern: Pattern, *, invert: bool = False) -> Iterator[Line]:
    """Yield the lines that match, or with ``invert`` those that do not.

    As with grep(1), from the first NUL on nothing is text, and a NUL ends a line as well.
    """
    number = 0
    found = False
    for piece in _cut(chunks):
        text = piece.data.decode("utf-8", "surrogateescape")
        text = text.removesuffix("\n") if piece.ends else text
        if piece.begins and piece.ends:
            count = text.count("\n") + 1
            if invert or pattern.matches(text):
                yield from _find_in_text(text, number, pattern, invert=invert, is_text=piece.is_text)
            number += count
            continue
        found = (found and not piece.begins) or _matches_in_piece(piece, text, pattern)
        number += piece.ends
        if piece.ends and found is not invert:
            yield Line(number, None)


def _find_in_text(text: str, number: int, pattern: Pattern, *, invert: bool, is_text: bool) -> Iterator[Line]:
    for line in text.split("\n"):
        number += 1
        if pattern.matches(line) is not invert:
            yield Line(number, _encode(line) if is_text else None)


def _encode(line: str) -> bytes | None:
    try:
        return line.encode("utf-8")
    except UnicodeEncodeError:
        return None


def _matches_in_piece(piece: _Piece, text: str, pattern: Pattern) -> bool:
    start = 0 if piece.begins else 1  # no line begins where a piece does
    return pattern.matches(text, start) if piece.ends else pattern.matches_before_end(text, start)


def _cut(chunks: Iterable[bytes]) -> Iterator[_Piece]:
    """Yield the bytes as they are searched."""
    rest = b""
    begins = is_text = True
    for chunk in chunks:
        is_text = is_text and b"\0" not in chunk
        rest += chunk if is_text else chunk.replace(b"\0", b"\n")
        if not begins and (end := rest.find(b"\n") + 1):
            yield _Piece(rest[:end], begins=False)
            rest, begins = rest[end:], True
        if begins and (end := rest.rfind(b"\n") + 1):
            yield _Piece(rest[:end], is_text=is_text)
            rest = rest[end:]
        if len(rest) > LONGEST:
            yield _Piece(rest, begins, ends=False)
            rest, begins = rest[-OVERLAP:], False
    if rest or not begins:
        yield _Piece(rest, begins, is_text=is_text)
