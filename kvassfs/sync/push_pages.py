"""A long push, as devices of the original program send it, as pages: with little memory, however long it is.

An original sends all that waits in one array, with whole values. Its plaintext comes in pieces and is split at the ends of
entries. A long value is taken out on the way: what stands for it is the list of its blocks, as in messages of version 2.
What else is in an entry is not looked at here: a page is a message as any other.
"""

from __future__ import annotations

import hashlib
import re
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ..block import BLOCK_SIZE
from ..errors import InvalidMessage
from .message_fields import encode_bytes, encode_json

PAGE: Final = 1024 * 1024
"""Bytes of entries after which a page ends."""

LONG: Final = 1536 * 1024
"""Characters from which on a value is taken out: what is 1 MiB long travels whole between devices, too."""

GAP: Final = 64 * 1024
"""Bytes between two quotes or brackets, at most: numbers, and the space that JSON allows."""

DEPTH: Final = 8
"""Brackets that may be open at a time; those of an entry are four."""

LONGEST_ENTRY: Final = 16 * 1024 * 1024
"""Bytes of an entry without its long value, at most: more than the longest key takes."""

PUT_BLOCKS: Final = 4
"""Blocks that are stored at a time."""

Put = Callable[[list[bytes]], None]
"""Stores blocks."""

_MARK = re.compile(rb'["{}\[\]]')

_NEXT = re.compile(rb'[ \t\r\n]*,[ \t\r\n]*(\{(?:[^"{}]++|"(?:[^"\\]++|\\.)*+")*+\})', re.DOTALL)
"""One more object without another one in it: what nearly all are, in a tenth of the time."""

_SPACE: Final = b" \t\r\n"
_BACKSLASH: Final = ord("\\")


def split_push(pieces: Iterable[bytes], put: Put, *, page: int = PAGE, long: int = LONG) -> Iterator[bytes]:
    """Yield the plaintext of a push as pages of about ``page`` bytes; ``put`` gets the blocks of long values before.

    All ``pieces`` are read when it ends.

    Raises:
        InvalidMessage: it is no array of objects, or a long value is none.
    """
    entries: list[bytes] = []
    size = 0
    for entry in _split_array(_Source(iter(pieces)), put, long):
        entries.append(entry)
        size += len(entry)
        if size >= page:
            yield _join(entries)
            entries, size = [], 0
    if entries:
        yield _join(entries)


def _join(entries: list[bytes]) -> bytes:
    return b"[" + b",".join(entries) + b"]"


class _Source:
    """Bytes that come in pieces, and how far they were read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._data = bytearray()
        self._at = 0

    def read_gap(self) -> bytes:
        """Return what there is up to the next quote or bracket, and that."""
        while (found := _MARK.search(self._data, self._at)) is None:
            if len(self._data) - self._at > GAP:
                raise InvalidMessage("it is no JSON")
            self._extend()
        end = found.end()
        del found  # it keeps the data from changing
        return self._take(end)

    def read_next(self) -> bytes | None:
        """Return one more object and read the comma before it, if it is at hand and simple."""
        found = _NEXT.match(self._data, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[1]

    def read_text(self, long: int | None = None) -> bytes | None:
        """Return the rest of a text in quotes, with the last quote; ``None`` if it has more than ``long`` bytes."""
        searched = 0
        while (end := self._find_quote(self._at + searched)) < 0:
            searched = len(self._data) - self._at
            if long is not None and searched > long:
                return None
            self._extend()
        return self._take(end + 1)

    def _find_quote(self, start: int) -> int:
        """Return where the text ends, looking from ``start`` on; -1 if that is in a later piece."""
        while (end := self._data.find(b'"', start)) >= 0:
            before = end
            while before > self._at and self._data[before - 1] == _BACKSLASH:
                before -= 1
            if (end - before) % 2 == 0:
                break
            start = end + 1
        return end

    def stream_text(self) -> Iterator[bytes]:
        """Yield the rest of a text in quotes that has none in it, and leave the last quote out."""
        while (end := self._data.find(b'"', self._at)) < 0:
            yield self._take(len(self._data))
            self._extend()
        yield self._take(end + 1)[:-1]

    def read_to_end(self) -> bool:
        """Read the rest, and return True if there was nothing but space in it."""
        rest = self._data[self._at :]
        while not rest.strip(_SPACE):
            piece = next(self._pieces, None)
            if piece is None:
                return True
            rest = bytearray(piece)
        return False

    def _take(self, end: int) -> bytes:
        taken = bytes(self._data[self._at : end])
        self._at = end
        return taken

    def _extend(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            raise InvalidMessage("it is no JSON")
        del self._data[: self._at]
        self._at = 0
        self._data += piece


def _read_gap(source: _Source) -> bytes:
    """Return what there is between two texts or brackets, without space."""
    return source.read_gap().translate(None, _SPACE)


def _split_array(source: _Source, put: Put, long: int) -> Iterator[bytes]:
    """Yield the objects of an array."""
    if _read_gap(source) != b"[":
        raise InvalidMessage("its entries are no array")
    beginning = b"{"
    while (gap := _read_gap(source)) != b"]":
        if gap != beginning:
            raise InvalidMessage("its entries are no array")
        yield _read_object(source, put, long)
        while (simple := source.read_next()) is not None:
            yield simple
        beginning = b",{"
    if not source.read_to_end():
        raise InvalidMessage("it is no JSON")


def _read_object(source: _Source, put: Put, long: int) -> bytes:
    """Return an object whose first bracket was read, in which the list of blocks stands for a long value."""
    parts, depth, name, blocks, size = [b"{"], 1, b"", b"", 0
    while depth:
        gap = source.read_gap()
        size += len(gap) + len(name)
        if depth > DEPTH or size > LONGEST_ENTRY:
            raise InvalidMessage("an entry is longer, or deeper, than one can be")
        parts.append(gap)
        if gap[-1:] != b'"':
            depth += 1 if gap[-1:] in {b"{", b"["} else -1
            continue
        is_value = depth == 1 and name == b'Value"' and gap.translate(None, _SPACE) == b':"'
        text = source.read_text(long if is_value else None)
        name = text or b""
        if text is None:
            blocks = _store_value(source.stream_text(), put)
            text = b'"'
        parts.append(text)
    if blocks:
        parts[-1] = parts[-1][:-1] + blocks
    return b"".join(parts)


def _store_value(text: Iterable[bytes], put: Put) -> bytes:
    """Have the blocks of a value stored whose base64 form comes in pieces; return the fields that stand for it."""
    size = 0
    hashes: list[bytes] = []
    blocks: list[bytes] = []
    for block in _split_blocks(_decode_base64(text)):
        size += len(block)
        hashes.append(hashlib.sha256(block).digest())
        blocks.append(block)
        if len(blocks) == PUT_BLOCKS:
            put(blocks)
            blocks = []
    if blocks:
        put(blocks)
    return b"," + encode_json({"Size": size, "Blocks": encode_bytes(b"".join(hashes))})[1:]


def _split_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield bytes that come in pieces as the blocks of a large value."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= BLOCK_SIZE:
            yield bytes(waiting[:BLOCK_SIZE])
            del waiting[:BLOCK_SIZE]
    if waiting:
        yield bytes(waiting)


def _decode_base64(text: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes whose base64 form comes in pieces."""
    rest, is_padded = b"", False
    try:
        for piece in text:
            some = rest + piece
            whole = len(some) // 4 * 4
            if is_padded and some:
                raise ValueError("its value goes on behind its end")
            decoded = a2b_base64(some[:whole], strict_mode=True)
            is_padded = len(decoded) < whole // 4 * 3
            yield decoded
            rest = some[whole:]
        a2b_base64(rest, strict_mode=True)
    except ValueError as error:
        raise InvalidMessage(f"an entry cannot be read: {error!r}") from error
