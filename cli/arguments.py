"""Keys and other texts among the arguments, and the completion of keys in the shell."""

from __future__ import annotations

import os
import re
from itertools import islice

import click

from kvassfs.entry import check_key
from kvassfs.errors import KvassError

from .database import DatabaseFile

COMPLETION = "_KVASS_COMPLETE"
"""The variable in which the completion scripts of the shells say what they want."""

COMPLETIONS = 1000
"""Keys offered at once; nobody reads more."""


def text(argument: str) -> str:
    """Return ``argument`` as the UTF-8 that its bytes are, whatever the locale says they are."""
    return os.fsencode(argument).decode("utf-8", "surrogateescape")


def key(argument: str) -> str:
    """Return the key that ``argument`` is: the type of such parameters.

    Raises:
        InvalidKey: no entry can have it.
    """
    return check_key(text(argument))


def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the keys that begin with ``incomplete``, for the shell; none where the store cannot be read."""
    try:
        found = completions(context.ensure_object(DatabaseFile), text(incomplete))
    except KvassError:
        return []
    # Of the shells that click knows, bash alone puts words into the line as they are.
    return list(map(_escaped, found)) if os.environ.get(COMPLETION) == "bash_complete" else found


def _escaped(word: str) -> str:
    """Return ``word`` so that bash, after click's script has read a backslash away, has it as one word."""
    return re.sub(r"[^\w%+,./:@^-]", r"\\\\\g<0>", word)


def completions(database: DatabaseFile, prefix: str) -> list[str]:
    """Return keys that begin with ``prefix``, without making or taking over a database."""
    if not _is_store(database.path):
        return []
    with database.open() as store:
        fitting = (found for found in store.keys() if found.startswith(prefix) and found.isprintable())
        return list(islice(fitting, COMPLETIONS))


def _is_store(path: str) -> bool:
    """Return whether the file is a database of this program, as far as can be seen from outside.

    Its header says so (https://sqlite.org/fileformat.html#application_id), which for a new one may
    still be in the write-ahead log; the original program has none.
    """
    from kvassfs.store.schema import APPLICATION_ID

    try:
        with open(path, "rb") as file:
            return file.read(72)[68:] == APPLICATION_ID.to_bytes(4, "big") or os.path.exists(f"{path}-wal")
    except OSError:
        return False
