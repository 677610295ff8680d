"""What the doctor finds: one line each, and what to do about it."""

from __future__ import annotations

import shlex
from typing import Final, Literal, NamedTuple

from ..errors import KvassError

Level = Literal["ok", "warning", "wrong"]

OK: Final = "ok"
WARNING: Final = "warning"
WRONG: Final = "wrong"
"""All is well; the program works, but something should be done; something does not work."""


class Finding(NamedTuple):
    """What was looked at, how it is, and ``remedy``: what to do or to type, nothing where all is well."""

    check: str
    level: Level
    text: str
    remedy: str = ""


def find_error(check: str, error: KvassError, level: Level = WRONG) -> Finding:
    """Return an error as a finding: behind its first semicolon stands what to do."""
    text, _, remedy = str(error).partition("; ")
    return Finding(check, level, text, remedy)


def type_line(*words: str) -> str:
    """Return as a remedy what to type in a shell."""
    return f"type: {shlex.join(words)}"
