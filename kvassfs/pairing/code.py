"""The code that a person carries from one device to the other: the number of a mailbox and two words."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from .errors import InvalidCode
from .words import WORDS

LARGEST_NUMBER = 99
"""The numbers of mailboxes are 1 to this."""

Choose = Callable[[Sequence[str]], str]
"""Returns one of several words, which nobody can guess."""


class Code(NamedTuple):
    """A code. ``str()`` of it is what is typed."""

    number: int
    words: tuple[str, str]

    def __str__(self) -> str:
        return "-".join((str(self.number), *self.words))


def make_code(number: int, choose: Choose = secrets.choice) -> Code:
    """Return a code for the mailbox ``number``."""
    return Code(number, (choose(WORDS), choose(WORDS)))


def parse_code(text: str) -> Code:
    """Return the code that was typed, whatever stands between its parts, in capitals or not.

    Raises:
        InvalidCode: it can be none, as far as that is told without trying it; the message shows no word that is right.
    """
    parts = re.split(r"[\s_.,-]+", text.strip().lower())
    if len(parts) != 3 or not all(parts):
        raise InvalidCode("this is none")
    number, *words = parts
    if not re.fullmatch(r"[0-9]{1,2}", number) or int(number) < 1:
        raise InvalidCode(f"its number is 1 to {LARGEST_NUMBER}")
    for word in words:
        _check_word(word)
    return Code(int(number), (words[0], words[1]))


def _check_word(word: str) -> None:
    if word not in WORDS:
        near = get_close_matches(word[:20], WORDS, 1)
        raise InvalidCode(f"{word[:20]!r} is none of its words" + (f"; is it {near[0]}?" if near else ""))
