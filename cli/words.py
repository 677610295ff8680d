"""How shells write words: a line is split into its words, and a text is written as one."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import groupby

from kvassfs.tuples import NamedTuple

_POSIX = r"""(?P<blank>\s+)
    | \$'(?P<ansi>(?:[^'\\]|\\.|\\$)*)(?P<ansi_end>'?)
    | '(?P<single>[^']*)(?P<single_end>'?)
    | "(?P<double>(?:[^"\\]|\\.|\\$)*)(?P<double_end>"?)
    | \\(?P<escaped>.?)
    | (?P<plain>.)"""
"""The pieces of a line of bash or zsh, the last of which may be unfinished. Patterns are compiled when they are needed."""

_FISH = r"""(?P<blank>\s+)
    | (?P<ansi>\\(?:x[0-9a-fA-F]{1,2}|X[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{1,4}|U[0-9a-fA-F]{1,8}|[0-7]{1,3}|[abefnrtv]))
    | '(?P<single>(?:[^'\\]|\\.|\\$)*)(?P<single_end>'?)
    | "(?P<double>(?:[^"\\]|\\.|\\$)*)(?P<double_end>"?)
    | \\(?P<escaped>.?)
    | (?P<plain>.)"""
"""The pieces of a line of fish."""

_ESCAPES = {"a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

_ESCAPED = r"\\(?:[xX]([0-9a-fA-F]{1,2})|([0-7]{1,3})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|(?s:(.)))"

_HOME = r"~(?:/|\s|\Z)"


class Line(NamedTuple):
    """A line up to the cursor: its words without quotes, and how the last one, which is being written, is quoted.

    That is ``""`` behind a blank. ``quote`` is the quote that is open at the end of the line, if any. ``tilde`` is
    whether the last word begins with a ``~`` that the shell replaces with the home directory.
    """

    words: list[str]
    quote: str
    tilde: bool = False


def split_line(line: str) -> Line:
    """Split a line of bash or zsh."""
    return _split(line, _POSIX, double=r'\\([\\"$`])', single=None)


def split_fish_line(line: str) -> Line:
    """Split a line of fish, whose single quotes know the backslash too."""
    return _split(line, _FISH, double=r'\\([\\"$])', single=r"\\([\\'])")


def _split(line: str, pieces: str, *, double: str, single: str | None) -> Line:
    words, quote, tilde = [""], "", False
    for found in re.finditer(pieces, line, re.VERBOSE | re.DOTALL):
        if found["blank"]:
            words.append("")
            quote, tilde = "", False
            continue
        if found["plain"] == "~" and not words[-1] and re.match(_HOME, line[found.start() :]):
            tilde = not found.start() or line[found.start() - 1].isspace()
        words[-1] += _text_of(found, double, single)
        quote = _open_quote(found)
    return Line(words, quote, tilde)


def _text_of(found: re.Match[str], double: str, single: str | None) -> str:
    quoted = found["single"] or ""
    return "".join(
        (
            _unescape(found["ansi"] or ""),
            re.sub(single, r"\1", quoted) if single else quoted,
            re.sub(double, r"\1", found["double"] or ""),
            found["escaped"] or "",
            found["plain"] or "",
        )
    )


def _open_quote(found: re.Match[str]) -> str:
    if found["single_end"] == "":
        return "'"
    if found["double_end"] == "":
        return '"'
    return "$'" if found.groupdict().get("ansi_end") == "" else ""


def _unescape(text: str) -> str:
    """Return what ``text`` is with its escapes; those of bytes may be parts of a character."""
    named = re.sub(_ESCAPED, lambda found: _character(*found.groups(default="")), text)
    return named.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _character(byte: str, octal: str, short: str, long: str, other: str) -> str:
    if byte or octal:
        return bytes([(int(byte, 16) if byte else int(octal, 8)) & 255]).decode("utf-8", "surrogateescape")
    if short or long:
        number = int(short or long, 16)
        return chr(number) if number <= sys.maxunicode and not 0xD800 <= number < 0xE000 else "\ufffd"
    return _ESCAPES.get(other, other)


def quote_for_bash(text: str, quote: str) -> str:
    """Return how ``text`` is written in bash, behind an open ``quote`` or none."""
    if quote == "$'":
        return _escape(text)
    if not quote:
        return _outside_of(text, lambda part: re.sub(r"[^\w%+,./:=@^-]", r"\\\g<0>", part), "")
    if quote == "'":
        quoted = _outside_of(text, lambda part: part.replace("'", r"'\''"), quote)
    else:  # where a backslash before ! would stay
        quoted = _outside_of(text, lambda part: re.sub(r'[\\"$`]', r"\\\g<0>", part).replace("!", "\"'!'\""), quote)
    # Bash closes the quote, unless it takes the last character for that.
    return quoted + quote if quoted.endswith(quote) else quoted


_UNPRINTABLE = {character: f"\\{name}" for name, character in _ESCAPES.items() if name != "E"}


def _outside_of(text: str, write: Callable[[str], str], quote: str) -> str:
    """Return ``text`` as ``write`` has it, but for what cannot be printed: that stands in a quote of its own."""
    parts = ("".join(part) for _, part in groupby(text, str.isprintable))
    return "".join(write(part) if part.isprintable() else f"{quote}$'{_escape(part)}'{quote}" for part in parts)


def _escape(text: str) -> str:
    """Return ``text`` as it stands in ``$'``."""
    return "".join(map(_escape_character, text))


def _escape_character(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable():
        return character
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\{number - 0xDC00:03o}"
    if number < 0x80:
        return _UNPRINTABLE.get(character, f"\\{number:03o}")
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
