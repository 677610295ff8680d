"""How units of systemd write paths and other texts: systemd.syntax(7), systemd.service(5), systemd.unit(5)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

from ..errors import ServiceError

_PLAIN: Final = re.compile(rb"[A-Za-z0-9_./:=@,+-]+")
_ESCAPED: Final = {ord('"'): r"\"", ord("\\"): r"\\", ord("%"): "%%"}

_UNNAMEABLE: Final = re.compile(r"[\x00-\x1f\x7f\"'\\]")
"""What systemd takes for no part of a program's path, however it is written."""


def write_command(command: Iterable[str]) -> str:
    """Return a command as ``ExecStart=`` takes it.

    Raises:
        ServiceError: the path of the program cannot be named there.
    """
    program, *arguments = command
    if _UNNAMEABLE.search(program):
        raise ServiceError(
            f"a unit of systemd cannot name the program {program!r}; install kvass where no quotes, backslashes"
            " or control characters are in the path"
        )
    # With the colon, a dollar sign is no variable's.
    return " ".join([write_word(f":{program}"), *map(write_word, arguments)])


def write_word(word: str) -> str:
    """Return a word of a command: in quotes if need be, with ``%`` doubled, and in bytes what is not UTF-8."""
    encoded = os.fsencode(word)
    if _PLAIN.fullmatch(encoded):
        return word
    return f'"{"".join(map(_escape, encoded.decode("utf-8", "surrogateescape")))}"'


def _escape(character: str) -> str:
    code = ord(character)
    if code in _ESCAPED:
        return _ESCAPED[code]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character if character.isprintable() else "".join(f"\\x{byte:02x}" for byte in character.encode())


def write_text(text: str) -> str:
    """Return a text for people, in one line; what a unit might take for something else is ``?``."""
    shown = "".join(character if character.isprintable() and character != "\\" else "?" for character in text)
    return shown.replace("%", "%%")


def write_path(path: str) -> str:
    """Return a path where a unit takes one as it stands, without quotes.

    Raises:
        ServiceError: it cannot be written so.
    """
    if path != path.strip() or any(not each.isprintable() or each == "\\" for each in path):
        raise ServiceError(f"a unit of systemd cannot name the file {path!r}; give it a plainer name")
    return path.replace("%", "%%")
