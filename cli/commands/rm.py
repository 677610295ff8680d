"""``kvass rm``: remove keys."""

from __future__ import annotations

from collections.abc import Iterable

import click

from kvassfs.errors import KeyMissing
from kvassfs.store import Store

from .. import hub
from ..arguments import complete_prefix, parse_key
from ..database import DatabaseFile, pass_database
from ..group import Command
from ..notices import print_notice
from ..offline import offline_option


@click.command(
    "rm",
    cls=Command,
    options_metavar="[OPTIONS] [--]",
    example="""
kvass rm todo notes/idea
kvass rm -r notes/
""",
)
@click.argument("keys", metavar="KEY...", nargs=-1, required=True, type=parse_key, shell_complete=complete_prefix)
@click.option("-r", "--recursive", is_flag=True, help="remove all below each KEY as well, and directories")
@offline_option
@click.pass_context
@pass_database
def command(
    database: DatabaseFile, context: click.Context, keys: tuple[str, ...], recursive: bool, offline: bool
) -> None:
    """Remove each KEY; the others go even if one is missing.

    KEY/ is an empty directory; with -r also one that is not empty, and all in it.
    """
    with database.open_existing() as store:
        missing = remove(store, keys, recursive=recursive)
        for error in missing:
            print_notice(str(error))
        hub.push_after(store, offline=offline)
    if missing:
        context.exit(KeyMissing.exit_code)


def remove(store: Store, keys: Iterable[str], *, recursive: bool = False) -> list[KeyMissing]:
    """Remove ``keys``, and with ``recursive`` all below them; return an error for each that was not there."""
    missing = []
    for name in keys:
        try:
            if recursive:
                store.delete_all(name)
            else:
                store.delete(name)
        except KeyMissing as error:
            missing.append(error)
    return missing
