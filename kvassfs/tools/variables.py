"""Values as variables of the environment of a program."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ..entry import Entry
from ..errors import KvassError
from ..store import Store

LONGEST: Final = 128 * 1024
"""Bytes of ``NAME=VALUE`` and a NUL that Linux takes (MAX_ARG_STRLEN, execve(2))."""

_NAME: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_SEPARATORS: Final = str.maketrans("/-.", "___")


class NoVariable(KvassError):
    """A key, or what is below a prefix, makes no variable."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key} makes no variable: {reason}")
        self.key = key
        self.reason = reason


def read_variables(store: Store, prefix: str) -> dict[str, bytes]:
    """Return the variables that the keys below a prefix make, without a newline at the end of a value.

    Raises:
        NoVariable: one of them makes none, or there are no keys.
    """
    prefix = prefix if prefix.endswith("/") else f"{prefix}/"
    names = name_variables(store.entries(prefix), prefix)
    return {name: _check_value(key, store.get(key).read()) for name, key in names.items()}


def name_variables(entries: Iterable[Entry], prefix: str) -> dict[str, str]:
    """Return the keys of the variables by their names.

    Raises:
        NoVariable: a name cannot be one or is that of two keys, a value is too long, or there are no keys.
    """
    keys: dict[str, str] = {}
    for entry in entries:
        name = name_variable(entry.key, prefix)
        if name in keys:
            raise NoVariable(entry.key, f"{name} is what {keys[name]} is called already")
        if len(name) + entry.size + len("=\0") > LONGEST:
            raise NoVariable(entry.key, f"its value has {entry.size} bytes, and the system takes {LONGEST} at most")
        keys[name] = entry.key
    if not keys:
        raise NoVariable(prefix, "there are no keys below it")
    return keys


def name_variable(key: str, prefix: str) -> str:
    """Return the name of the variable that a key below a prefix makes.

    Raises:
        NoVariable
    """
    name = key[len(prefix) :].translate(_SEPARATORS)
    if _NAME.fullmatch(name) is None:
        raise NoVariable(key, "a name has letters from A to Z, digits and _ alone, and begins with no digit")
    return name.upper()


def _check_value(key: str, value: bytes) -> bytes:
    if b"\0" in value:
        raise NoVariable(key, "its value holds a NUL")
    return value.removesuffix(b"\n")
