"""Keys and other texts among the arguments, and the completion of keys in the shell."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

import click

from kvassfs.entry import check_key
from kvassfs.errors import KvassError

from .database import DatabaseFile
from .tab import COMPLETIONS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from kvassfs.store import Store


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


ShellCompletion = Callable[[click.Context, click.Parameter, str], "list[CompletionItem[str]]"]
"""What click asks for the completions of an argument or option, as its ``shell_complete``."""

Offer = str | tuple[str, str]
"""A word that the shell may complete, or the word and what it says of it."""


def completing(find: Callable[[Store, click.Context, str], Iterable[Offer]]) -> ShellCompletion:
    """Return a ``shell_complete`` that offers what ``find`` yields for the word that is begun, from the store.

    It gets the store, the context (what else is on the line is in its ``params``), and that beginning; what does not go
    on so is left out, and what comes after ``COMPLETIONS``. Nothing is offered where the store cannot be read, and no
    database is made or taken over for it.
    """

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        from click.shell_completion import CompletionItem

        from kvassfs.store import is_store

        database, beginning = context.ensure_object(DatabaseFile), parse_text(incomplete)
        with contextlib.suppress(KvassError):
            if is_store(database.path):
                with database.open_existing() as store:
                    offers = (
                        (each, None) if isinstance(each, str) else each for each in find(store, context, beginning)
                    )
                    fitting = (CompletionItem(word, help=said) for word, said in offers if word.startswith(beginning))
                    return list(islice(fitting, COMPLETIONS))
        return []

    return complete


complete_key = completing(lambda store, _, prefix: store.level(prefix))
"""Offer how keys go on, up to and with the next ``/``, as shells complete paths."""

complete_prefix = completing(lambda store, _, prefix: store.level(prefix, directories=True))
"""The same with directories in which nothing is."""
