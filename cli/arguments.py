"""Keys and other texts among the arguments, and the completion of keys in the shell."""

from __future__ import annotations

import os
from itertools import islice

import click

from kvassfs.entry import check_key
from kvassfs.errors import KvassError

from .database import DatabaseFile

COMPLETIONS = 1000
"""Keys offered at once; nobody reads more."""


def parse_text(argument: str) -> str:
    """Return ``argument`` as the UTF-8 that its bytes are, whatever the locale says they are."""
    return os.fsencode(argument).decode("utf-8", "surrogateescape")


def parse_key(argument: str) -> str:
    """Return the key that ``argument`` is: the type of such parameters.

    Raises:
        InvalidKey: no entry can have it.
    """
    return check_key(parse_text(argument))


def parse_prefix(argument: str) -> str:
    """Return the prefix of a directory of keys, with the ``/`` that it ends in; an empty one is that of all keys.

    Raises:
        InvalidKey: no entry can lie below it.
    """
    prefix = parse_text(argument)
    return check_key(prefix if prefix.endswith("/") else f"{prefix}/") if prefix else ""


def complete_key(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return what the shell offers in place of ``incomplete``; nothing where the store cannot be read."""
    try:
        return find_completions(context.ensure_object(DatabaseFile), parse_text(incomplete))
    except KvassError:
        return []


def find_completions(database: DatabaseFile, prefix: str) -> list[str]:
    """Return how keys that begin with ``prefix`` go on, up to and with the next ``/``, as shells complete paths.

    No database is made or taken over for it.
    """
    from kvassfs.store import is_store

    if not is_store(database.path):
        return []
    with database.open_existing() as store:
        return list(islice(filter(str.isprintable, store.level(prefix)), COMPLETIONS))
