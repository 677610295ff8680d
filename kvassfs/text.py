"""Text among bytes. Pure functions."""

from __future__ import annotations

import codecs


def is_utf8(head: bytes, *, whole: bool) -> bool:
    """Return True if bytes are text in UTF-8; unless they are the ``whole``, their end may cut a character."""
    if b"\0" in head:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=whole)
    except UnicodeDecodeError:
        return False
    return True
