"""The JSON form: an array with one object for each key, one a line, which people and programs can read and write.

``key`` is the key itself, that of a directory with a ``/`` at its end. ``text`` is a value that is UTF-8, ``base64`` any
other; an entry with neither and ``"type": "directory"`` is a directory. ``type`` is ``"symlink"`` for a symbolic link, whose
target is the value, else ``"file"``, which is the default. ``mode`` has the permissions in octal (``"644"``), ``mtime`` the
time in seconds since the epoch, both texts. Only the key and a value must be there.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import json
import re
import stat
from collections.abc import Iterator
from typing import Any, BinaryIO

from ..transfer_errors import SourceDamaged
from .base_sources import KeySource
from .items import PERMISSIONS, Entry, Item, LeftOut, format_seconds, parse_seconds, whole
from .naming import LIST_NAME
from .streams import CheckedWriter, CountingReader, PieceReader, Readable

MOST_TEXT = 16 * 1024 * 1024
"""Bytes of the longest value that is written as text: it is looked through in memory."""

TYPES = {"file": stat.S_IFREG, "symlink": stat.S_IFLNK, "directory": stat.S_IFDIR}
_NAMES = {kind: name for name, kind in TYPES.items()}
_BASE64_PIECE = 3 * 64 * 1024
_SPACE = re.compile(r"[ \t\r\n]*")


class _WrongForm(Exception):
    """The text is JSON, or seems so, but not of this form; says why."""


class JsonSource(KeySource):
    """The entries of a JSON text in ``file``; each is in memory as a whole, one at a time."""

    def __init__(self, file: Readable, name: str, size: int = 0) -> None:
        self._counter = CountingReader(file, name)
        self._name = name
        self._size = size
        self._text = ""
        self._at = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("strict").decode
        self._ended = False

    def position(self) -> tuple[int, int]:
        """Return the bytes of the text that were read, and of how many."""
        return self._counter.count, self._size

    def items(self) -> Iterator[Entry]:
        """Yield the entries.

        Raises:
            SourceDamaged: it is no such text, or cut off.
        """
        number = 1
        try:
            for fields in self._read_objects():
                yield read_object(fields)
                number += 1
        except (_WrongForm, ValueError, RecursionError) as error:
            raise SourceDamaged(self._name, "JSON as of `kvass export`", f"entry {number}: {error}") from error

    def _read_objects(self) -> Iterator[Any]:
        if self._next_character() != "[":
            raise _WrongForm("it does not begin with [")
        self._at += 1
        if self._next_character() == "]":
            self._at += 1
        else:
            yield self._read_object()
            while (separator := self._next_character()) == ",":
                self._at += 1
                self._next_character()
                yield self._read_object()
            if separator != "]":
                raise _WrongForm("it ends before its ]" if not separator else f"{separator!r} where , or ] should be")
            self._at += 1
        if self._next_character():
            raise _WrongForm("there is more behind its ]")

    def _next_character(self) -> str:
        """Return the next character that is no space, which stays to be read; none at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text) or not self._read_more():
                return self._text[self._at : self._at + 1]

    def _read_object(self) -> Any:
        """Return the next value; what there is of the text is parsed anew, twice as long each time, until it suffices."""
        decoder = json.JSONDecoder()
        wanted = 0
        while True:
            try:
                value, end = decoder.raw_decode(self._text, self._at)
            except ValueError:
                if len(self._text) - self._at >= wanted:
                    wanted = 2 * (len(self._text) - self._at)
                if not self._read_more():
                    raise
                while len(self._text) - self._at < wanted and self._read_more():
                    pass
                continue
            self._at = end
            return value

    def _read_more(self) -> bool:
        if self._ended:
            return False
        data = self._counter.read()
        self._ended = not data
        self._text = self._text[self._at :] + self._decode(data, self._ended)
        self._at = 0
        return not self._ended


def read_object(fields: Any) -> Item:
    """Return the item of an object.

    Raises:
        _WrongForm, ValueError: it is of another form.
    """
    if not isinstance(fields, dict):
        raise _WrongForm("an object is expected")
    for name, value in fields.items():
        if not isinstance(value, str):
            raise _WrongForm(f"{name} is no text")
    kind = TYPES.get(fields.get("type", "file"))
    if kind is None:
        raise _WrongForm(f"type is none of {', '.join(TYPES)}")
    key = fields.get("key")
    if key is None:
        raise _WrongForm("there is no key")
    if kind == stat.S_IFDIR and not key.endswith("/"):
        raise _WrongForm("the key of a directory ends in /")
    value = b"" if kind == stat.S_IFDIR else _read_value(fields)
    mode = _read_mode(fields.get("mode"), kind)
    return Item(key, mode, _read_time(fields.get("mtime")), len(value), whole(value))


def _read_value(fields: dict[str, str]) -> bytes:
    if ("text" in fields) == ("base64" in fields):
        raise _WrongForm("it has either text or base64")
    if "text" in fields:
        return fields["text"].encode()
    try:
        return base64.b64decode(fields["base64"], validate=True)
    except binascii.Error:
        raise _WrongForm("base64 is not") from None


def _read_mode(text: str | None, kind: int) -> int | None:
    if text is None:
        return None if kind == stat.S_IFREG else kind | (0o777 if kind == stat.S_IFLNK else 0o700)
    if not re.fullmatch(r"[0-7]{1,5}", text):
        raise _WrongForm(f"mode is no permissions in octal: {text!r}")
    return kind | int(text, 8) & PERMISSIONS


def _read_time(text: str | None) -> int | None:
    time = None if text is None else parse_seconds(text)
    if text is not None and time is None:
        raise _WrongForm(f"mtime is no seconds since the epoch: {text!r}")
    return time


class JsonSink:
    """Writes a JSON text to ``file``, called ``name``."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = CheckedWriter(file, name)
        self._file.write(b"[")
        self._separator = b"\n"

    def add(self, item: Item, path: str) -> bool | LeftOut:
        """Write an item, unless it is the list of shortened names."""
        if path == LIST_NAME:
            return False
        self._file.write(self._separator)
        self._separator = b",\n"
        head = _dump(make_fields(item)).removesuffix(b"}")
        self._file.write(head)
        if not item.is_directory:
            self._write_value(item)
        self._file.write(b"}")
        return True

    def _write_value(self, item: Item) -> None:
        reader = PieceReader(item.read())
        head = reader.read(MOST_TEXT + 1)
        try:
            if len(head) > MOST_TEXT:
                raise ValueError
            self._file.write(b', "text": ' + _dump(head.decode()))
        except ValueError:
            self._file.write(b', "base64": "')
            rest = head
            while rest:
                whole_size = len(rest) // 3 * 3
                self._file.write(base64.b64encode(rest[:whole_size]))
                more = reader.read(_BASE64_PIECE)
                if not more:
                    self._file.write(base64.b64encode(rest[whole_size:]))
                    break
                rest = rest[whole_size:] + more
            self._file.write(b'"')

    def finish(self) -> None:
        """Write the end."""
        self._file.write(b"\n]\n")

    def abandon(self) -> None:
        """Write nothing more."""


def make_fields(item: Item) -> dict[str, str]:
    """Return what an object says beside the value."""
    fields = {"key": item.key}
    if item.mode is not None:
        kind = _NAMES[stat.S_IFMT(item.mode)]
        if kind != "file":
            fields["type"] = kind
        fields["mode"] = f"{stat.S_IMODE(item.mode):o}"
    if item.mtime is not None:
        fields["mtime"] = format_seconds(item.mtime)
    return fields


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
