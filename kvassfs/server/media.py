"""What browsers are told of a value: its media type, and the name to save it under."""

from __future__ import annotations

import mimetypes
import re
import stat
from typing import Final
from urllib.parse import quote

from ..text import is_utf8

UNKNOWN: Final = "application/octet-stream"

_TEXT: Final = "text/plain"

_MORE: Final = {
    ".7z": "application/x-7z-compressed",
    ".apk": "application/vnd.android.package-archive",
    ".avif": "image/avif",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".epub": "application/epub+zip",
    ".flac": "audio/flac",
    ".heic": "image/heic",
    ".ics": "text/calendar",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".jxl": "image/jxl",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mkv": "video/x-matroska",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rar": "application/vnd.rar",
    ".sh": "text/x-sh",
    ".tex": "text/x-tex",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xml": "application/xml",
    ".zst": "application/zstd",
}
"""Types that are missing or outdated in Python's own table: IANA's names, else the customary ones."""

_PACKED: Final = {
    ".bz2": "application/x-bzip2",
    ".gz": "application/gzip",
    ".svgz": "application/gzip",
    ".tbz2": "application/x-bzip2",
    ".tgz": "application/gzip",
    ".txz": "application/x-xz",
    ".xz": "application/x-xz",
}
"""Compressed files, whose extensions Python's library takes for an encoding of another type."""

_UNQUOTABLE: Final = re.compile(r'[^\x20-\x7e]|["\\%]')
"""Characters that a quoted name cannot hold, or that clients read differently."""

# Python's own table without the system's files: the same everywhere.
_TYPES: Final = {**mimetypes.MimeTypes(filenames=()).types_map[True], **_MORE, **_PACKED}


def guess_type(key: str, mode: int | None) -> str | None:
    """Return the media type by the extension of a key, ``None`` if that says nothing."""
    if mode is not None and stat.S_ISLNK(mode):
        return _TEXT  # the target, whatever the link is called
    name, _, extension = file_name(key).rpartition(".")
    return _TYPES.get(f".{extension.lower()}") if name else None


def is_text(kind: str) -> bool:
    """Return True if a media type is one of text."""
    return kind.startswith("text/")


def is_played(kind: str) -> bool:
    """Return True if browsers play a media type."""
    return kind.startswith(("audio/", "video/"))


def needs_head(guess: str | None) -> bool:
    """Return True if the type depends on the value itself: text has a character set."""
    return guess is None or is_text(guess)


def decide_type(guess: str | None, head: bytes, size: int) -> str:
    """Return the media type of a value of ``size`` bytes that begins with ``head``.

    Without a guess it is text if it decodes as UTF-8 and holds no NUL, as far as ``head`` goes.
    """
    if guess is not None and not is_text(guess):
        return guess
    if is_utf8(head, whole=len(head) >= size):
        return f"{guess or _TEXT}; charset=utf-8"
    return guess or UNKNOWN


def file_name(key: str) -> str:
    """Return the last part of a key, under which a browser saves the value."""
    return key.rstrip("/").rpartition("/")[2] or "value"


def format_disposition(key: str, *, save: bool = False) -> str:
    """Return the ``Content-Disposition`` of a key: RFC 6266, with RFC 8187 for names beyond ASCII.

    ``save``: the browser is to save the value, also where it could show it.
    """
    name = file_name(key)
    kind = "attachment" if save else "inline"
    plain = _UNQUOTABLE.sub("_", name)
    if plain == name:
        return f'{kind}; filename="{name}"'
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
