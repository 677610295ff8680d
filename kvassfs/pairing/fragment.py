"""The fragment of the address that a phone scans: it does for the page of a hub what a code does for a person who types.

It is the number of the mailbox and a random key, drawn for one pairing, and it has nothing of the words of the code.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import NamedTuple

KEY_BYTES = 16
"""Bytes of the key: nobody guesses it, so it needs no agreement."""

SIDE = b"F"
"""The first byte of what a joiner sends that has the fragment; a share of SPAKE2 begins with another one."""


class Fragment(NamedTuple):
    """A fragment. ``str()`` of it is what stands behind the ``#``."""

    number: int
    key: bytes

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(bytes((self.number,)) + self.key).rstrip(b"=").decode()


def make_fragment(number: int, random: Callable[[int], bytes] = os.urandom) -> Fragment:
    """Return a fragment for the mailbox ``number``."""
    return Fragment(number, random(KEY_BYTES))
