"""The option that names a version of a key, and its completion in the shell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from kvassfs.entry import check_key
from kvassfs.errors import KvassError

from .database import DatabaseFile
from .formats import format_local_time

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

NUMBER = click.IntRange(min=1)


def complete_revision(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the numbers of the versions of the key on the command line."""
    from click.shell_completion import CompletionItem

    from kvassfs.store import is_store

    database = context.ensure_object(DatabaseFile)
    try:
        if not is_store(database.path):
            return []
        with database.open_existing() as store:
            versions = store.history.versions(check_key(context.params.get("key") or ""))
    except KvassError:
        return []
    return [
        CompletionItem(str(version.number), help=format_local_time(version.entry.timestamp))
        for version in versions
        if version.number and str(version.number).startswith(incomplete)
    ]


def revision_option(text: str) -> Callable[[Any], Any]:
    """Return the option ``--rev``, whose help is ``text``."""
    return click.option("--rev", "revision", metavar="NUMBER", type=NUMBER, shell_complete=complete_revision, help=text)
